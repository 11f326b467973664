#include "args.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *program_name = "example";

static void say(const char *message, va_list args)
{
    fflush(stdout);
    fprintf(stderr, "%s: ", program_name);
    vfprintf(stderr, message, args);
    fputc('\n', stderr);
}

void fail(int code, const char *message, ...)
{
    va_list args;
    va_start(args, message);
    say(message, args);
    va_end(args);
    exit(code);
}

void warn(const char *message, ...)
{
    va_list args;
    va_start(args, message);
    say(message, args);
    va_end(args);
}

static void print_help(const char *about, const args_option *options)
{
    const args_option *o;
    char left[64];
    printf("%s\n\nusage: %s [options]", about, program_name);
    for (o = options; o->name; o++)
        if (o->name[0] != '-') printf(o->min > 0 ? " %s" : " [%s]", o->name);
    printf("\n\n");
    for (o = options; o->name; o++) {
        snprintf(left, sizeof left, "%s %s", o->name, o->kind == ARGS_CHOICE ? "" : o->value);
        printf("  %-18s %s", left, o->help);
        if (o->kind == ARGS_CHOICE) printf(": %s", o->value);
        printf("\n");
    }
    printf("  %-18s %s\n\n", "--help", "this text");
    printf("exit codes: 0 ok, 1 usage, 2 an input file is missing or bad, 3 the run failed\n");
}

/* The place of a word in "a|b|c", or -1. */
static int64_t choice(const char *words, const char *word)
{
    size_t n = strlen(word);
    int64_t place = 0;
    for (;; words++, place++) {
        if (!strncmp(words, word, n) && (words[n] == '|' || !words[n])) return place;
        words = strchr(words, '|');
        if (!words) return -1;
    }
}

static int in_range(const args_option *o, double x) { return x >= o->min && x <= o->max; }

static void set(const args_option *o, const char *value)
{
    char *end = NULL;
    errno = 0;
    if (o->kind == ARGS_TEXT) {
        *(const char **)o->to = value;
    } else if (o->kind == ARGS_CHOICE) {
        int64_t place = choice(o->value, value);
        if (place < 0) fail(EXIT_USAGE, "%s \"%s\": choose one of %s", o->name, value, o->value);
        *(int64_t *)o->to = place;
    } else if (o->kind == ARGS_INT) {
        long long x = strtoll(value, &end, 10);
        if (end == value || *end || errno || !in_range(o, (double)x))
            fail(EXIT_USAGE, "%s \"%s\": an integer from %.0f to %.0f", o->name, value, o->min,
                 o->max);
        *(int64_t *)o->to = x;
    } else {
        double x = strtod(value, &end);
        if (end == value || *end || errno || !in_range(o, x))
            fail(EXIT_USAGE, "%s \"%s\": a number from %g to %g", o->name, value, o->min, o->max);
        *(double *)o->to = x;
    }
}

static const args_option *find(const args_option *options, const char *name, int *place)
{
    const args_option *o;
    int dashed = name[0] == '-' && name[1];
    for (o = options; o->name; o++) {
        if (dashed ? !strcmp(o->name, name) : o->name[0] != '-' && !(*place)--) break;
    }
    return o->name ? o : NULL;
}

void args_parse(int argc, char **argv, const char *program, const char *about,
                const args_option *options)
{
    const args_option *o;
    int i, places = 0;
    program_name = program;
    for (i = 1; i < argc; i++) {
        int place = places;
        if (!strcmp(argv[i], "--help")) { print_help(about, options); exit(0); }
        o = find(options, argv[i], &place);
        if (!o) fail(EXIT_USAGE, "unknown argument \"%s\" (see --help)", argv[i]);
        if (o->kind == ARGS_FLAG) { *(int *)o->to = 1; continue; }
        if (o->name[0] != '-') { set(o, argv[i]); places++; continue; }
        if (++i >= argc) fail(EXIT_USAGE, "%s needs a value (see --help)", o->name);
        set(o, argv[i]);
    }
    for (o = options; o->name; o++)
        if (o->kind == ARGS_TEXT && o->min > 0 && !*(const char **)o->to)
            fail(EXIT_USAGE, "%s is missing (see --help)", o->name);
}
