// Demonstrates drop_in.c's step in C++17, with the library in this one file: the engine's cache in
// vectors, scratch that stays from call to call, errors as exceptions.
#define LCTX_IMPLEMENTATION
#include "lctx.h"
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <random>
#include <stdexcept>
#include <vector>

namespace {

constexpr std::int32_t n_head = 32, n_head_kv = 8, dim = 128;

void check(lctx_status status)
{
    if (status != LCTX_OK) throw std::runtime_error(lctx_status_text(status));
}

// The engine's cache: f16 rows [token][n_head_kv][dim].
class Cache {
public:
    void append(const std::vector<float> &k, const std::vector<float> &v)
    {
        push(k_, k);
        push(v_, v);
    }
    std::int64_t tokens() const { return static_cast<std::int64_t>(k_.size()) / (n_head_kv * dim); }
    const std::uint16_t *k() const { return k_.data(); }
    const std::uint16_t *v() const { return v_.data(); }

private:
    static void push(std::vector<std::uint16_t> &to, const std::vector<float> &x)
    {
        const std::size_t held = to.size();
        to.resize(held + x.size());
        check(lctx_from_f32(LCTX_F16, static_cast<std::int64_t>(x.size()), x.data(),
                            to.data() + held, nullptr));
    }
    std::vector<std::uint16_t> k_, v_;
};

// The engine's attention as it was: one query [n_head][dim] at the last token.
std::vector<float> plain_attention(const Cache &cache, const std::vector<float> &q)
{
    const auto n = static_cast<std::size_t>(cache.tokens());
    std::vector<float> out(q.size()), scores(n), row(dim);
    for (std::size_t h = 0; h < n_head; h++) {
        const std::size_t g = h / (n_head / n_head_kv);
        const auto load = [&](const std::uint16_t *rows, std::size_t j) {
            rows += (j * n_head_kv + g) * dim;
            check(lctx_to_f32(LCTX_F16, dim, rows, nullptr, row.data()));
        };
        float max = -INFINITY, sum = 0;
        for (std::size_t j = 0; j < n; j++) {
            load(cache.k(), j);
            float s = 0;
            for (std::size_t d = 0; d < dim; d++) s += q[h * dim + d] * row[d];
            scores[j] = s / std::sqrt(static_cast<float>(dim));
            max = std::fmax(max, scores[j]);
        }
        for (std::size_t j = 0; j < n; j++) {
            load(cache.v(), j);
            const float p = std::exp(scores[j] - max);
            sum += p;
            for (std::size_t d = 0; d < dim; d++) out[h * dim + d] += p * row[d];
        }
        for (std::size_t d = 0; d < dim; d++) out[h * dim + d] /= sum;
    }
    return out;
}

// The same by one call.
class Attention {
public:
    Attention()
    {
        const lctx_threads_desc as_many_as_processors{};
        check(lctx_threads_create(&as_many_as_processors, &threads_));
        check(lctx_threads_parallel(threads_, &par_));
    }
    ~Attention() { lctx_threads_free(threads_); }
    Attention(const Attention &) = delete;
    Attention &operator=(const Attention &) = delete;

    std::vector<float> operator()(const Cache &cache, const std::vector<float> &q)
    {
        std::vector<float> out(q.size());
        lctx_span s{};
        s.k = cache.k();
        s.v = cache.v();
        s.k_type = s.v_type = LCTX_F16;
        s.n = cache.tokens();
        lctx_attn a{};
        a.n_q = 1;
        a.n_head = n_head;
        a.n_head_kv = n_head_kv;
        a.d_k = dim;
        a.q = q.data();
        a.q_pos0 = cache.tokens() - 1;
        a.spans = &s;
        a.n_spans = 1;
        a.out = out.data();
        a.par = &par_;
        std::size_t bytes = 0;
        check(lctx_attend_size(&a, &bytes));
        if (scratch_.size() < bytes) scratch_.resize(bytes);
        check(lctx_attend(&a, scratch_.data(), scratch_.size()));
        return out;
    }

private:
    lctx_threads *threads_ = nullptr;
    lctx_parallel par_{};
    std::vector<unsigned char> scratch_;
};

template <typename F> double best_of_three(F &&work)
{
    using clock = std::chrono::steady_clock;
    std::chrono::duration<double, std::milli> best = clock::duration::max();
    for (int i = 0; i < 3; i++) {
        const auto start = clock::now();
        work();
        best = std::min<decltype(best)>(best, clock::now() - start);
    }
    return best.count();
}

int run()
{
    std::mt19937 random(1);
    const auto noise = [&](std::size_t n) {
        std::vector<float> x(n);
        for (float &y : x) y = static_cast<float>(random()) / 2147483648.0f - 1;
        return x;
    };
    Cache cache;
    for (int i = 0; i < 4096; i++) cache.append(noise(n_head_kv * dim), noise(n_head_kv * dim));
    const std::vector<float> q = noise(n_head * dim);
    Attention attention;
    std::vector<float> plain, ours;
    const double before = best_of_three([&] { plain = plain_attention(cache, q); });
    const double after = best_of_three([&] { ours = attention(cache, q); });
    float worst = 0;
    for (std::size_t i = 0; i < ours.size(); i++) {
        const float difference = std::fabs(plain[i] - ours[i]);
        if (difference > worst || std::isnan(difference)) worst = difference;
    }
    std::printf("%lld tokens: engine %.1f ms, lctx %.1f ms (%.1fx), largest difference %.1e\n",
                static_cast<long long>(cache.tokens()), before, after, before / after,
                static_cast<double>(worst));
    return worst <= 1e-4f ? 0 : 3;
}

}  // namespace

int main(int argc, char **argv)
{
    if (argc > 1) {
        const bool help = !std::strcmp(argv[1], "--help");
        std::fprintf(help ? stdout : stderr,
                     "drop_in_cpp: replaces an engine's attention by one call; no options\n");
        return help ? 0 : 1;
    }
    try {
        return run();
    } catch (const std::exception &e) {
        std::fprintf(stderr, "drop_in_cpp: %s\n", e.what());
        return 3;
    }
}
