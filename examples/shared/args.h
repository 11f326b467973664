/* args.h - command lines from a table, and the one way the examples fail.

       static const args_option options[] = {
           { "MODEL",  ARGS_TEXT, &path, 1, 0, "", "a GGUF file" },         (no dash: by place)
           { "-n",     ARGS_INT,  &n, 0, 1e9, "N", "tokens to generate" },
           { "--kv",   ARGS_CHOICE, &kv, 0, 0, "f32|f16", "type of ..." },
           { 0 } };
       args_parse(argc, argv, "generate", "Continues a text.", options);

   Exit codes: 0 ok, 1 usage, 2 an input file is missing or bad, 3 the run failed. */
#ifndef ARGS_H
#define ARGS_H
#include "os.h"

enum { EXIT_USAGE = 1, EXIT_INPUT = 2, EXIT_RUN = 3 };

typedef enum args_kind {
    ARGS_FLAG,       /* int: 1 if given */
    ARGS_INT,        /* int64_t, min .. max */
    ARGS_REAL,       /* double, min .. max */
    ARGS_TEXT,       /* const char *; min 1: it must be given */
    ARGS_CHOICE      /* int64_t: the place of the word in "a|b|c" */
} args_kind;

typedef struct args_option {
    const char *name;
    args_kind   kind;
    void       *to;                /* holds the default before, the value after */
    double      min, max;
    const char *value, *help;
} args_option;

/* Reads the command line. --help prints to stdout and exits 0; mistakes exit 1. Remembers the
   program's name for fail. */
void args_parse(int argc, char **argv, const char *program, const char *about,
                const args_option *options);

/* Prints "program: message" on stderr and exits with the code. */
#ifdef __GNUC__
__attribute__((noreturn))
#endif
OS_PRINTF(2, 3) void fail(int code, const char *message, ...);

/* The same, and goes on. */
OS_PRINTF(1, 2) void warn(const char *message, ...);
#endif
