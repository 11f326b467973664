/* Demonstrates what each long-context method retrieves: a five-digit key is hidden in text at
   several depths, asked for at the end, and the share of right answers is printed. */
#include "tasks.h"
#include <stdio.h>

enum { DEPTHS = 5 };

static run r = RUN_DEFAULTS;
static const char *methods = "plain,pi,ntk,yarn,sinks", *text_file;
static int64_t trials = 5, longest = 32, trained, seed = 1;

static const args_option options[] = {
    RUN_MODEL_OPTION(r),
    { "--methods", ARGS_TEXT, &methods, 0, 0, "A,B", "of " RUN_METHODS },
    { "--trials", ARGS_INT, &trials, 1, 1e6, "N", "keys per depth and length; default 5" },
    { "--longest", ARGS_INT, &longest, 1, 1e6, "X", "times the trained context; default 32" },
    { "--trained", ARGS_INT, &trained, 128, 1e9, "L", "shortest length; default: trained context" },
    { "--text", ARGS_TEXT, &text_file, 0, 0, "FILE", "filler; default: a few plain sentences" },
    { "--seed", ARGS_INT, &seed, 0, 9e15, "N", "of the keys and of where filler begins" },
    RUN_SCALING_OPTIONS(r),
    RUN_CACHE_OPTIONS(r),
    { 0 }
};

/* The share of right answers at one depth in prompts that reach length n with their answer. */
static double score(int64_t n, double depth, const os_file *filler)
{
    uint64_t state = (uint64_t)seed;
    int64_t right = 0, trial;
    for (trial = 0; trial < trials; trial++) {
        lctx_session *s = run_session(&r, n);
        right += task_passkey(s, &r.vocab, filler, n, depth, &state);
        lctx_session_free(s);
    }
    return (double)right / (double)trials;
}

static void print_row(const char *method, int64_t n, const os_file *filler)
{
    double x, sum = 0;
    int i;
    run_method(&r, method);
    printf("%-8s %8lld %4lldx ", method, (long long)n, (long long)(n / trained));
    for (i = 0; i < DEPTHS; i++) {
        sum += x = score(n, (double)i / (DEPTHS - 1), filler);
        printf(" %5.2f", x);
        fflush(stdout);
    }
    printf("  %5.2f   %g\n", sum / DEPTHS, r.used_factor);
}

int main(int argc, char **argv)
{
    static const char plain[] = "The grass is green. The sky is blue. The sun is yellow. "
                                "Here we go. There and back again. ";
    os_file filler = { plain, sizeof plain - 1, 0 };
    const char *list;
    char method[32];
    int64_t times;
    args_parse(argc, argv, "passkey", "Hides a key in text of growing length and asks for it.",
               options);
    run_open(&r);
    run_need_bytes(&r);
    if (text_file) filler = run_text(text_file);
    if (!filler.size) fail(EXIT_INPUT, "%s: no text", text_file);
    if (!trained) trained = r.model.trained;
    if (trained < 128) fail(EXIT_USAGE, "--trained: the question alone takes 128 tokens");
    printf("right answers by the key's depth, %lld trials each\n", (long long)trials);
    printf("method     tokens            0   .25    .5   .75     1    all   factor\n");
    for (list = methods; run_next_word(&list, method);)
        for (times = 1; times <= longest; times *= 2) print_row(method, times * trained, &filler);
    if (text_file) os_file_close(&filler);
    run_close(&r);
    return 0;
}
