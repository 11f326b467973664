/* tokens.c VOCAB TEXTS - what the examples' tokenizer makes of texts, as tokens.mjs writes it. */
#include "text.h"
#include <stdlib.h>
#include <string.h>

enum { MOST = 1 << 16 };

static size_t from_hex(char *line)
{
    size_t n = 0;
    unsigned byte;
    while (sscanf(line + 2 * n, "%2x", &byte) == 1) line[n++] = (char)byte;
    return n;
}

/* The ids of a text that begins and ends, without BOS and EOS. */
static void print_ids(const vocab *v, int how, const char *text, size_t n)
{
    static int32_t tokens[4 * MOST + 5];
    int64_t count = vocab_encode(v, how | VOCAB_START | VOCAB_END, text, n, NULL, tokens), i;
    const int64_t from = v->add_bos, to = count - v->add_eos;
    for (i = from; i < to; i++) printf(i > from ? " %d" : "%d", (int)tokens[i]);
    printf("\n");
}

int main(int argc, char **argv)
{
    static char line[2 * MOST + 2];
    FILE *texts = argc == 3 ? fopen(argv[2], "rb") : NULL;
    const gguf_key *pieces;
    gguf g;
    vocab v;
    int32_t i;
    if (!texts) return 1;
    if (gguf_open(&g, argv[1]) != GGUF_OK
        || gguf_get_array(&g, "tokenizer.ggml.tokens", GGUF_STRING, &pieces) != GGUF_OK
        || vocab_open(&v, &g, (int64_t)pieces->n) != GGUF_OK) {
        fprintf(stderr, "%s: %s\n", argv[1], g.error);
        return 1;
    }
    printf("bos %d eos %d add %d %d ends", (int)v.bos, (int)v.eos, v.add_bos, v.add_eos);
    for (i = 0; i < v.n; i++)
        if (v.ends[i]) printf(" %d", (int)i);
    printf("\n");
    while (fgets(line, sizeof line, texts)) {
        const size_t n = from_hex(line);
        print_ids(&v, 0, line, n);
        print_ids(&v, VOCAB_PARSE, line, n);
    }
    vocab_close(&v);
    gguf_close(&g);
    fclose(texts);
    return 0;
}
