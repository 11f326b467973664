/* Demonstrates what a network makes of the methods of mpi_prompt and mpi_decode: times against
   ranks by a model of latency and bandwidth, which are given, or measured between two ranks. One
   rank's times without a network are what these two programs measure. */
#include "rows.h"
#include "wire.h"
#include <math.h>
#include <stdlib.h>

static double latency, bandwidth, prompt_seconds = 1, decode_seconds = 0.01;
static int64_t n_tokens = 3072, most = 64;

static const args_option options[] = {
    { "--latency", ARGS_REAL, &latency, 0, 1e6, "US", "microseconds a message; 0: measured" },
    { "--bandwidth", ARGS_REAL, &bandwidth, 0, 1e6, "GB", "10^9 bytes a second; 0: measured" },
    { "--tokens", ARGS_INT, &n_tokens, 1, 1e9, "N", "of the prompt; default 3072" },
    { "--prompt", ARGS_REAL, &prompt_seconds, 0, 1e9, "S", "one rank's seconds for it" },
    { "--decode", ARGS_REAL, &decode_seconds, 0, 1e9, "S", "one rank's seconds for a token" },
    { "--ranks", ARGS_INT, &most, 1, 1e6, "N", "at most; default 64" },
    WIRE_OPTION,
    { 0 }
};

/* Seconds for `bytes` to go from rank 0 to 1 and back, the least of some. */
static double there_and_back(char *data, int64_t bytes)
{
    double best = INFINITY;
    int i;
    for (i = 0; i < 50; i++) {
        const double start = os_seconds();
        wire_message m;
        if (!wire_rank) m = wire_send(data, bytes, 1), wire_wait(&m, 1);
        m = wire_take(data, bytes, 1 - wire_rank), wire_wait(&m, 1);
        if (wire_rank) m = wire_send(data, bytes, 0), wire_wait(&m, 1);
        best = fmin(best, os_seconds() - start);
    }
    return best;
}

static void measure(void)
{
    enum { LARGE = 4 << 20 };
    char *data = rows_alloc(LARGE, 1);
    double small, large;
    if (wire_ranks < 2) wire_fail("measuring wants two ranks, or --latency and --bandwidth");
    if (wire_rank < 2) {
        small = there_and_back(data, 4), large = there_and_back(data, LARGE);
        latency = 1e6 * small / 2, bandwidth = 2e-9 * LARGE / (large - small);
    }
    free(data);
}

/* A message's seconds. */
static double message(double bytes) { return 1e-6 * latency + bytes / (1e9 * bandwidth); }

/* The ring, where a rank's steps take so long, and a message goes while each but the last is
   computed. Blocking, all messages come on top. */
static double ring(double ranks, double first, double other, int blocking)
{
    const double way = message(2 * (double)n_tokens / ranks * KV_ROW * 2), rest = ranks - 1;
    if (ranks < 2) return first;
    if (blocking) return first + rest * (other + way);
    return fmax(first, way) + (rest - 1) * fmax(other, way) + other;
}

/* Pairs of a rank's own tokens are half a square, those with an earlier rank's a whole one: which
   in contiguous order the last rank has at all steps, in the others all have half of at each. */
static double contiguous(double ranks)
{
    const double half = prompt_seconds / ranks / ranks;
    return ring(ranks, half, 2 * half, 0);
}
static double even(double ranks, int blocking)
{
    const double half = prompt_seconds / ranks / ranks;
    return ring(ranks, half, half, blocking);
}

/* Queries, keys and values of the heads there, results back, to each of the others. */
static double ulysses(double ranks)
{
    const double pieces = (double)n_tokens / ranks / ranks, q = 4 * Q_ROW, kv = 2 * KV_ROW;
    const double all = message(pieces * q) + 2 * message(pieces * kv) + message(pieces * q) +
                       message(pieces * 4 * HEADS);
    return prompt_seconds / ranks + (ranks - 1) * all;
}

/* An all-reduce in log2(ranks) rounds, each of a message there and back. */
static double decode(double ranks)
{
    return decode_seconds / ranks + ceil(log2(ranks)) * message(4 * (Q_ROW + HEADS));
}

int main(int argc, char **argv)
{
    int64_t n;
    wire_open(&argc, &argv);
    args_parse(argc, argv, "network", "Times by a model of a network.", options);
    if (latency <= 0 || bandwidth <= 0) measure();
    if (!wire_rank) {
        printf("# %.3g us a message, %.3g GB/s; seconds\n"
               "# ranks ring      zigzag    blocking  ulysses   decode\n", latency, bandwidth);
        for (n = 1; n <= most; n = n < 4 ? n + 1 : n * 3 / 2) {
            const double r = (double)n;
            printf("%7.0f %.3e %.3e %.3e ", r, contiguous(r), even(r, 0), even(r, 1));
            if (n <= KV_HEADS) printf("%.3e", ulysses(r));
            else printf("%9s", "?");
            printf(" %.3e\n", decode(r));
        }
    }
    wire_close();
    return 0;
}
