/* test_examples.c - the examples as programs: exit codes and the one line on stderr for each kind of
   bad input. Wants a POSIX shell; runs from the repository's root, beside the built examples. */
#include "lctx.h"
#include "families.h"
#include "test.h"

#include <math.h>
#include <sys/wait.h>

static const char *bin = "build";      /* where the examples are, and room for files */
static char scratch[200];              /* a prefix for files of this run */

#define TOY "examples/toy/toy.gguf"
#define HYBRID "examples/toy/toy-hybrid.gguf"
#define TOY_YARN "examples/toy/toy-yarn.gguf"
#define SHORT " --file examples/toy/passkey-short.txt"      /* 241 tokens of 256 */

/* Runs a command line and gives its exit code; what it prints goes to two files. */
static int run(const char *command)
{
    char line[2000];
    int status;
    snprintf(line, sizeof line, "%s/%s > %s.out 2> %s.err < /dev/null", bin, command, scratch,
             scratch);
    status = system(line);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* The last run's stderr; how many lines it has. */
static int errors(char *text, size_t cap)
{
    char path[256];
    FILE *file;
    size_t n, i;
    int lines = 0;
    snprintf(path, sizeof path, "%s.err", scratch);
    file = fopen(path, "rb");
    n = file ? fread(text, 1, cap - 1, file) : 0;
    if (file) fclose(file);
    text[n] = 0;
    for (i = 0; i < n; i++) lines += text[i] == '\n';
    return lines;
}

/* The command must end with this code and say one line that begins with the program's name. */
static void fails(int code, const char *says, const char *command)
{
    char text[1000];
    int got = run(command), lines = errors(text, sizeof text);
    size_t name = strcspn(command, " ");
    check(got == code && lines == 1 && !strncmp(text, command, name) && text[name] == ':'
          && strstr(text, says), "`%s` ends with %d and says \"%s\" (%d: %.150s)", command, code, says,
          got, text);
}

static void works(const char *command)
{
    char text[1000];
    int got = run(command);
    errors(text, sizeof text);
    check(got == 0, "`%s` works (%d: %.150s)", command, got, got ? text : "");
}

/* The command works; whether it says this on stderr. */
static void warns(int does, const char *says, const char *command)
{
    char text[1000];
    int got = run(command);
    errors(text, sizeof text);
    check(got == 0 && !strstr(text, says) == !does, "`%s` works and %s \"%s\" (%d: %.250s)", command,
          does ? "says" : "does not say", says, got, text);
}

/* The same, with "@" in the command standing for the scratch prefix. */
static const char *with_scratch(const char *command)
{
    static char line[1000];
    size_t n = 0;
    for (; *command && n < sizeof line - sizeof scratch; command++) {
        if (*command == '@') n += (size_t)snprintf(line + n, sizeof scratch, "%s", scratch);
        else line[n++] = *command;
    }
    line[n] = 0;
    return line;
}

static void copy_part(const char *from, const char *to, long n, long flip)
{
    FILE *in = fopen(from, "rb"), *out = fopen(with_scratch(to), "wb");
    int c;
    long i;
    for (i = 0; in && out && i < n && (c = getc(in)) != EOF; i++) putc(i == flip ? c ^ 64 : c, out);
    if (in) fclose(in);
    if (out) fclose(out);
}

static void test_usage(void)
{
    static const char *const programs[] = { "generate", "passkey", "perplexity", "stream",
                                            "sparse", "compress", "remember" };
    char command[200];
    size_t i;
    for (i = 0; i < sizeof programs / sizeof *programs; i++) {
        snprintf(command, sizeof command, "%s --help", programs[i]);
        works(command);
        fails(1, "MODEL", programs[i]);
        snprintf(command, sizeof command, "%s --no-such-option", programs[i]);
        fails(1, "--no-such-option", command);
        snprintf(command, sizeof command, "%s build/no-such-file.gguf%s", programs[i],
                 i == 2 || i == 4 ? " tests/test.h" : "");
        fails(2, "no-such-file", command);
        snprintf(command, sizeof command, "%s " TOY " --kv q4", programs[i]);
        fails(1, "--kv", command);
    }
    fails(1, "-n", "generate " TOY " hello -n");
    fails(1, "-n", "generate " TOY " hello -n many");
    fails(1, "-n", "generate " TOY " hello -n -1");
    fails(1, "-n", "generate " TOY " hello -n 99999999999999999999");
    fails(1, "--threads", "generate " TOY " hello --threads 5000");
    fails(1, "--rope", "generate " TOY " hello --rope magic");
    fails(1, "--factor", "generate " TOY " hello --rope yarn --factor 0.5");
    fails(1, "--factor", "generate " TOY " hello --rope yarn --factor nan");
    fails(1, "--factor", "generate " TOY " hello --rope by-parts");
    fails(1, "--top-p", "generate " TOY " hello --top-p 1.5");
    fails(1, "again", "generate " TOY " hello again");
}

static void test_files(void)
{
    fails(2, "GGUF", "generate tests/test.h hello");
    copy_part(TOY, "@.cut.gguf", 0, -1);
    fails(2, "ends early", with_scratch("generate @.cut.gguf hello"));
    copy_part(TOY, "@.cut.gguf", 1000, -1);
    fails(2, "ends early: in key", with_scratch("generate @.cut.gguf hello"));
    copy_part(TOY, "@.cut.gguf", 100000, -1);
    fails(2, "outside the file", with_scratch("generate @.cut.gguf hello"));
    copy_part(TOY, "@.cut.gguf", 1 << 30, 4);
    fails(2, "version", with_scratch("generate @.cut.gguf hello"));
    fails(2, "no-such-prompt", "generate " TOY " --file build/no-such-prompt");
    fails(2, "tests", "generate " TOY " --file tests");
}

static void test_sessions(void)
{
    works("generate " TOY " hello -n 2");
    works("generate " TOY " '' -n 2");                    /* BOS alone */
    works("generate " TOY " -n 2");                       /* standard input, empty here */
    works("generate " TOY " --file examples/toy/passkey-short.txt -n 2 --cache sinks --window 20");
    fails(3, "--ctx", "generate " TOY " hello --ctx 3");
    works("generate " TOY " hello -n 99 --ctx 8");
    works(with_scratch("generate " TOY " hello -n 0 --save @.session"));
    works(with_scratch("generate " TOY " ', world' -n 2 --load @.session"));
    fails(2, "empty", with_scratch("generate " TOY " '' -n 2 --load @.session"));
    fails(2, "keys int8", with_scratch("generate " TOY " x --kv int8 --load @.session"));
    fails(2, "cache sinks", with_scratch("generate " TOY " x --cache sinks --load @.session"));
    fails(2, "saved with rope plain", with_scratch("generate " TOY " x --rope pi --factor 4 "
                                                   "--load @.session"));
    fails(2, "base 501", with_scratch("generate " TOY " x --theta 501 --load @.session"));
    fails(2, "saved with model", with_scratch("generate " TOY_YARN " x --load @.session"));
    fails(2, "session", "generate " TOY " x --load tests/test.h");
    fails(2, "--load", with_scratch("generate " TOY " '' -n 2 --load @.session"));
    fails(2, "no-such-session", "generate " TOY " x --load build/no-such-session");
    copy_part(with_scratch("@.session"), "@.damaged", 5000, -1);
    fails(2, "ended early", with_scratch("generate " TOY " x --load @.damaged"));
    copy_part(with_scratch("@.session"), "@.damaged", 1 << 30, 5000);
    fails(2, "damaged", with_scratch("generate " TOY " x --load @.damaged"));
    fails(3, "not saved", "generate " TOY " hello -n 0 --save build/no-such-folder/session");
}

/* What the last run printed, kept under another name; whether two such are the same. */
static void keep_output(const char *to) { copy_part(with_scratch("@.out"), to, 1 << 30, -1); }
static int same_output(const char *a, const char *b)
{
    char path[256];
    FILE *x = fopen(with_scratch(a), "rb"), *y;
    int c = 0, same;
    snprintf(path, sizeof path, "%s", with_scratch(b));
    y = fopen(path, "rb");
    same = x && y;
    while (same && c != EOF) same = (c = getc(x)) == getc(y);
    if (x) fclose(x);
    if (y) fclose(y);
    return same;
}

/* What a session is of is told from every tensor's own bytes, in files of blocks too. */
static void test_blocks(void)
{
    family_file file;
    FILE *out = fopen(with_scratch("@.q4.gguf"), "wb");
    int type = 0;
    while (strcmp(family_types[type].name, "q4_k")) type++;
    family_make(&file, 0, type);
    check(out && fwrite(file.data, 1, file.n, out) == file.n, "a file of blocks is written");
    if (out) fclose(out);
    works(with_scratch("generate @.q4.gguf hello -n 2 --save @.session"));
    works(with_scratch("generate @.q4.gguf x -n 2 --load @.session"));
    copy_part(with_scratch("@.q4.gguf"), "@.cut.gguf", 1 << 30, (long)file.n - 256 * 512 / 256 * 144 / 2);
    fails(2, "saved with model", with_scratch("generate @.cut.gguf x --load @.session"));
    family_free(&file);
}

/* Lookups and kept prompts change the time that it takes, and not a byte of the text. */
static void test_faster(void)
{
    static const char *const ways[] = { "", "--temp 0.8 --seed 7", "--cache window --window 100",
                                        "--cache sinks --window 90 --kv int4 --temp 0.5" };
    char command[300];
    size_t i;
    remove(with_scratch("@.pages"));
    for (i = 0; i < sizeof ways / sizeof *ways; i++) {
        snprintf(command, sizeof command, "generate " TOY SHORT " -n 60 %s", ways[i]);
        works(command);
        keep_output("@.plain");
        snprintf(command, sizeof command, "generate " TOY SHORT " -n 60 --lookup %s", ways[i]);
        warns(1, "drafted tokens were right", command);
        check(same_output("@.plain", "@.out"), "`%s` prints what it does without", command);
    }
#define LONG "--file examples/toy/passkey.txt -n 9 --rope yarn --factor 20"
    works("generate " TOY " " LONG);
    keep_output("@.plain");
    warns(1, " 0 tokens of the prompt stood in",
          with_scratch("generate " TOY " " LONG " --lookup --prompt-cache @.pages"));
    check(same_output("@.plain", "@.out"), "what is kept and drafted does not change the text");
    warns(0, " 0 tokens of the prompt stood in",
          with_scratch("generate " TOY " " LONG " --prompt-cache @.pages"));
    check(same_output("@.plain", "@.out"), "nor does what is found again");
#undef LONG
#define SINKS "--file examples/toy/passkey.txt -n 9 --cache sinks --window 200 --sinks 4"
    works("generate " TOY " " SINKS);
    keep_output("@.plain");
    remove(with_scratch("@.pages"));
    warns(1, " 0 tokens of the prompt stood in",
          with_scratch("generate " TOY " " SINKS " --lookup --prompt-cache @.pages"));
    check(same_output("@.plain", "@.out"), "sinks: what is kept does not change the text");
    warns(0, " 0 tokens of the prompt stood in",
          with_scratch("generate " TOY " " SINKS " --prompt-cache @.pages"));
    check(same_output("@.plain", "@.out"), "sinks: nor does what is found again");
#undef SINKS
    fails(1, "heavy", with_scratch("generate " TOY " x --cache heavy --prompt-cache @.p"));
    fails(1, "no file of", "generate " TOY " x --prompt-cache tests/test.h");
    fails(1, "exclude", with_scratch("generate " TOY " x --prompt-cache @.pages --load @.session"));
    fails(1, "--factor", with_scratch("generate " TOY " x --rope yarn --prompt-cache @.pages"));
    fails(1, "--lookup", "generate " TOY " x --cache heavy --lookup");
    fails(3, "no-such-folder", "generate " TOY " x -n 1 --prompt-cache build/no-such-folder/pages");
}

/* Where what comes will be garbage, a word; and an error names the option that it comes from. */
static void test_words(void)
{
    warns(1, "--rope yarn", "generate " TOY SHORT " -n 40");
    warns(1, "--cache sinks", "generate " TOY SHORT " -n 40");
    warns(0, "garbage", "generate " TOY SHORT " -n 15");
    warns(0, "garbage", "generate " TOY SHORT " -n 40 --cache sinks");
    warns(1, "garbage", "generate " TOY SHORT " -n 40 --cache sinks --window 300");
    warns(1, "garbage", "generate " TOY SHORT " -n 40 --cache heavy");
    warns(0, "garbage", "generate " TOY SHORT " -n 40 --rope yarn");
    warns(0, "garbage", "generate " TOY_YARN SHORT " -n 40");
    warns(1, "garbage", "stream " TOY " tests/test.h -n 300 --cache full");
    warns(0, "garbage", "stream " TOY " tests/test.h -n 300");
    warns(1, "RoPE factor 16;", "generate " TOY " hello -n 1 --rope abf --factor 16");
    fails(1, "--factor", "generate " TOY " hello --rope abf --factor 16 --theta 9000");
    fails(1, "--factor", "generate " TOY " hello --rope plain --factor 16");
    fails(1, "--window", "generate " TOY " hello --window 20");
    fails(1, "--window", "stream " TOY " tests/test.h -n 9 --cache full --window 20");
    fails(1, "--sinks", "generate " TOY " hello --sinks 8");
    fails(1, "--sinks", "generate " TOY " hello --cache window --sinks 8");
    fails(1, "--sinks", "generate " TOY " hello --cache sinks --sinks 300");
    fails(1, "--window", "generate " TOY " hello --cache heavy --window 300");
    fails(1, "--theta", "generate " TOY " hello --theta 1");
    fails(1, "--beta-fast", "generate " TOY " hello --rope yarn --factor 2 --beta-fast 1 "
          "--beta-slow 2");
    fails(1, "--beta-fast", "generate " TOY " hello --beta-fast 8");
}

/* Every method beyond the trained context, on the fastest instruction set; on others, which take
   long, or with TEST_SLOW=1, within it. */
static void test_runs(void)
{
    const int beyond = getenv("TEST_FULL") || (test_fastest() && !getenv("TEST_SLOW"));
    char command[200];
    works("drop_in");
    works("split");
    works("mixers --far 2048");
    snprintf(command, sizeof command, "passkey " TOY " --trials 1 --longest 1%s --methods plain",
             beyond ? "" : " --trained 128");
    works(command);
    snprintf(command, sizeof command, "passkey " TOY " --trials 1 %s --methods "
             "abf,rerope,leaky,self-extend,lm-infinite,dynamic-exact,heavy,heavy-inside,yarn-heavy",
             beyond ? "--longest 2" : "--trained 128 --longest 1");
    works(command);
}

/* The share of the mass and what the result is off by, in a row that `sparse` printed. */
static void sparse_row(const char *name, double *mass, double *off)
{
    char line[300];
    FILE *file = fopen(with_scratch("@.out"), "r");
    *mass = *off = -1;
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, name, strlen(name))) sscanf(line + 22, "%*f%lf%lf", mass, off);
    if (file) fclose(file);
}

/* Choosers find what is all that there is, and more than their share of what is not. (The program
   itself fails where a row is off by more than what it did not read.) */
static void test_sparse(void)
{
    static const char *const names[] = { "full", "Quest", "MoBA", "indexer, tokens", "HyperAttention",
                                         "XAttention, stride 8", "vertical-slash" };
    double mass, off;
    size_t i;
    works("sparse " TOY_YARN " examples/toy/held-out.txt --tokens 1024 --keys 1024");
    for (i = 0; i < 5; i++) {
        sparse_row(names[i], &mass, &off);
        check(mass > 99.99 && off >= 0 && off < 1e-3, "%s reads all where it may (%g %%, %g off)",
              names[i], mass, off);
    }
    works("sparse " TOY_YARN " examples/toy/held-out.txt --tokens 1024 --layer 2");
    for (i = 0; i < sizeof names / sizeof *names; i++) {
        sparse_row(names[i], &mass, &off);
        check(mass > 99 && off >= 0 && off < 0.2, "%s finds what is looked at (%g %%, %g off)",
              names[i], mass, off);
    }
    fails(1, "--layer", "sparse " TOY " tests/test.h --layer 4");
    fails(2, "too few", "sparse " TOY " tests/test.h --tokens 100000");
}

/* A figure that the comparison wrote, with a cache of f32; -1 if it is not there. */
static double figure_of(const char *model, const char *method, const char *what, int at)
{
    char line[300], like[200];
    double value = -1;
    FILE *file = fopen(with_scratch("@.json"), "r");
    const char *found;
    snprintf(like, sizeof like, "\"file\": \"%s\", \"method\": \"%s\", \"type\": \"f32\", "
             "\"figure\": \"%s\", \"at\": %d, \"value\": ", model, method, what, at);
    while (file && fgets(line, sizeof line, file))
        if ((found = strstr(line, like)) != NULL) value = strtod(found + strlen(like), NULL);
    if (file) fclose(file);
    return value;
}
static double figure(const char *method, const char *what, int at)
{
    return figure_of("toy", method, what, at);
}

/* The comparison finds what other examples find, and what must hold within the trained context. */
static void test_comparison(void)
{
    double below_128 = -2, below_256 = -2;
    char line[300];
    FILE *file;
    fails(1, "magic", "compare --methods magic");
    fails(2, "no-such-file", "compare build/no-such-file.gguf");
    fails(2, "no-such-text", "compare --text build/no-such-text");
    fails(3, "no-such-folder", "compare --quick --json build/no-such-folder/json");
    if (!test_fastest()) return;                           /* others take long, and are tested above */
    works(with_scratch("compare --quick --types '' --methods plain,sinks --json @.json "
                       "--hybrid " HYBRID));
    works("perplexity " TOY " examples/toy/held-out.txt --kv f32 --length 1024 --segments 2 "
          "--methods plain");
    file = fopen(with_scratch("@.out"), "r");
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, "plain", 5)) sscanf(line + 5, "%lf%lf", &below_128, &below_256);
    if (file) fclose(file);
    check(fabs(figure("plain", "position", 128) - below_128) < 6e-4
              && fabs(figure("plain", "position", 256) - below_256) < 6e-4,
          "plain RoPE within the trained context: the comparison's likelihood is perplexity's");
    check(fabs(figure("sinks", "position", 256) - figure("plain", "position", 256)) < 1e-4,
          "sinks + window lose nothing while all fits");
    check(figure("plain", "key", 256) >= 0.8 && figure("plain", "key", 512) < 0.5,
          "pass keys are found within the trained length and not beyond it (%g, %g)",
          figure("plain", "key", 256), figure("plain", "key", 512));
    check(figure("plain", "bytes", 1024) > 1.9 * figure("plain", "bytes", 512)
              && figure("sinks", "bytes", 1024) == figure("sinks", "bytes", 512),
          "a full cache grows with the text, sinks + window do not");
    check(figure_of("hybrid", "model", "key", 256) >= 0.8
              && figure_of("hybrid", "model", "bytes", 1024)
                 == figure_of("hybrid", "model", "bytes", 512),
          "a hybrid finds pass keys within the trained length (%g); states do not grow",
          figure_of("hybrid", "model", "key", 256));
}

/* The toy with a chat template, written in front of its keys; a multiple of 32 bytes keeps what is
   aligned where it is. */
static void write_chat(const char *template, const char *to)
{
    FILE *in = fopen(TOY, "rb"), *out = fopen(with_scratch(to), "wb");
    unsigned char head[24];
    char text[256];
    const int key = 23, type = 8;
    int i, c, n = (int)strlen(template);
    memset(text, ' ', sizeof text);
    memcpy(text, template, (size_t)n);
    while ((8 + key + 4 + 8 + n) % 32) n++;
    if (in && out && fread(head, 1, 24, in) == 24) {
        head[16]++;
        fwrite(head, 1, 24, out);
        for (i = 0; i < 8; i++) putc(i ? 0 : key, out);
        fwrite("tokenizer.chat_template", 1, (size_t)key, out);
        for (i = 0; i < 4; i++) putc(i ? 0 : type, out);
        for (i = 0; i < 8; i++) putc(i ? 0 : n, out);
        fwrite(text, 1, (size_t)n, out);
        while ((c = getc(in)) != EOF) putc(c, out);
    }
    if (in) fclose(in);
    if (out) fclose(out);
}

/* What the program prints when it is given this input. */
static void prints(const char *command, const char *input, char *text, size_t cap)
{
    char line[1200], path[256];
    FILE *file = fopen(with_scratch("@.in"), "wb");
    size_t n;
    if (file) fputs(input, file), fclose(file);
    snprintf(line, sizeof line, "%s/%s < %s.in > %s.out 2> %s.err", bin, with_scratch(command), scratch,
             scratch, scratch);
    n = system(line) == 0;
    snprintf(path, sizeof path, "%s.out", scratch);
    file = fopen(path, "rb");
    n = n && file ? fread(text, 1, cap - 1, file) : 0;
    text[n] = 0;
    if (file) fclose(file);
}

/* What `remember` printed behind a word, as a number. */
static double remembered(const char *word)
{
    char line[400];
    double x = -1;
    FILE *file = fopen(with_scratch("@.out"), "r");
    while (file && x < 0 && fgets(line, sizeof line, file))
        if (!strncmp(line, word, strlen(word))) x = atof(line + strlen(word));
    if (file) fclose(file);
    return x;
}

/* The first n bytes of a text. */
static void shorter(const char *path, size_t n)
{
    FILE *from = fopen(path, "rb"), *to = fopen(with_scratch("@.in"), "wb");
    int c;
    while (from && to && n-- > 0 && (c = getc(from)) != EOF) putc(c, to);
    if (from) fclose(from);
    if (to) fclose(to);
}

static void test_remember(void)
{
    double own, size;
    shorter("examples/toy/held-out.txt", 16384);
    works(with_scratch("remember " TOY " @.memory --books @.in --hide 7 --key 19282"));
    works(with_scratch("remember " TOY " @.memory"));
    check((int)remembered("without the memory: ") != 19282
          && (int)remembered("with the memory: ") == 19282 && (int)remembered("chosen: book ") == 7,
          "a pass key in one of 20 books is found with a memory of them, and not without");
    own = remembered("memory of its own: "), size = remembered("size of the file: ");
#ifdef __SANITIZE_ADDRESS__
    own = -1;                  /* it keeps what is freed */
#endif
    if (own < 0) printf("  SKIPPED: memory that is not a file's is not known here\n");
    else check(own < size / 2, "a file of %.1f MiB takes %.1f MiB of memory", size, own);
    fails(2, "another model", with_scratch("remember " TOY_YARN " @.memory --near 192"));
    fails(2, "another model", with_scratch("remember " TOY " @.memory --near 128"));
    fails(2, "not a file of memories", "remember " TOY " tests/test_fuzz.sh");
    fails(2, "No such file", "remember " TOY " /nowhere");
    fails(1, "--layer", with_scratch("remember " TOY " @.memory --layer 4"));
    fails(2, "too short", with_scratch("remember " TOY " @.memory --books @.in --cut 1000"));
}

/* A row of keys that `compress` counted: tokens left, keys that survive and that are found. */
static void compress_row(const char *name, int by, double *n, double *survive, double *found)
{
    char line[300];
    int at = 0;
    FILE *file = fopen(with_scratch("@.out"), "r");
    *n = *survive = *found = -1;
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, name, strlen(name)) && sscanf(line + 18, "%d", &at) == 1 && at == by)
            sscanf(line + 18, "%d%lf%lf%lf", &at, n, survive, found);
    if (file) fclose(file);
}

/* What is left is as short as was asked for, the question is in it, and keys are found where they
   should be. */
static void test_compress(void)
{
    static const char *const names[] = { "Selective Context", "LLMLingua", "LongLLMLingua" };
    double n, survive, found, asked = 0, not_asked = 0;
    char text[4000];
    size_t i;
    int by;
    works("compress " TOY_YARN " --text examples/toy/held-out.txt --trials 1 --length 512");
    for (i = 0; i < 3; i++)
        for (by = 2; by <= 8; by *= 2) {
            compress_row(names[i], by, &n, &survive, &found);
            check(n > 0 && n <= 513.0 / by && found <= survive, "%s, %d times: %g tokens stay, %g keys, "
                  "%g are found", names[i], by, n, survive, found);
            *(i == 2 ? &asked : &not_asked) += i ? survive : 0;
        }
    check(asked > not_asked, "more keys survive where the question is looked at (%g, %g)", asked / 3,
          not_asked / 3);
    compress_row("whole", 1, &n, &survive, &found);
    check(survive >= 1 && found >= 0.8, "the whole prompt has its key (%g found)", found);
    prints("compress " TOY " @.in --times 2 --unit word", "They said it was there, and there it was, "
           "and so it was that Xerxes came.\nWho came?\n", text, sizeof text);
    check(strstr(text, "\nWho came?\n") && strstr(text, "LongLLMLingua, 2 times"),
          "a prompt's last line stays: %s", text);
    fails(1, "--times", "compress " TOY " --times 0.5");
    fails(1, "PROMPT", "compress " TOY " tests/test.h --trials 2");
}

/* In the toy's vocabulary the template is plain text: the second answer of a conversation is what
   follows the whole of it. */
static void test_chat(void)
{
    char first[400], both[800], whole[800], text[2000];
    write_chat("{{ '<|im_start|>' + message }}", "@.chat.gguf");
    prints("generate @.chat.gguf --chat --system 'Be brief.' 'Who are you?' -n 20", "", first,
           sizeof first);
    prints("generate @.chat.gguf --interactive --system 'Be brief.' -n 20",
           "Who are you?\nAnd who else?\n", both, sizeof both);
    check(first[0] && !strncmp(first, both, strlen(first)),
          "the first answer of a conversation is that to a single turn (\"%s\")", first);
    first[strlen(first) - 1] = 0;
    snprintf(text, sizeof text, "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWho are "
             "you?<|im_end|>\n<|im_start|>assistant\n%s<|im_end|>\n<|im_start|>user\nAnd who "
             "else?<|im_end|>\n<|im_start|>assistant\n", first);
    prints("generate " TOY " -n 20", text, whole, sizeof whole);
    check(first[0] && first[0] != ' ' && whole[0] && strlen(both) > strlen(first)
          && !strcmp(both + strlen(first) + 1, whole),
          "the second follows from the whole conversation (\"%s\" and \"%s\")", both, whole);
    warns(1, "prompt 5 tokens", "generate " TOY " '<s>a' -n 1");
    warns(1, "prompt 3 tokens", "generate " TOY " --special '<s>a' -n 1");
    fails(1, "--special", "generate " TOY " --special --chat hello");
    fails(2, "chat_template", "generate " TOY " --chat hello");
    fails(1, "--system", "generate " TOY " --system brief hello");
    write_chat("nothing that anybody knows", "@.chat.gguf");
    fails(2, "nothing?that?anybody?knows", with_scratch("generate @.chat.gguf --chat hello"));
    works(with_scratch("generate @.chat.gguf hello -n 1"));
}

int main(int argc, char **argv)
{
    static const char *const suffixes[] = { "out", "err", "cut.gguf", "session", "damaged",
                                            "json", "in", "memory", "chat.gguf", "plain", "pages", "q4.gguf" };
    static char folder[150];
    char path[256];
    size_t i;
    const char *slash = strrchr(argv[0], '/');
    (void)test_normal;
    if (slash && argc == 1 && (size_t)(slash - argv[0]) < sizeof folder) {
        snprintf(folder, sizeof folder, "%.*s", (int)(slash - argv[0]), argv[0]);
        bin = folder;
    }
    if (argc > 1) bin = argv[1];
    snprintf(scratch, sizeof scratch, "%s/test_examples.%s", bin, lctx_isa_name(lctx_isa_get()));
    test_usage();
    test_files();
    test_sessions();
    test_blocks();
    test_faster();
    test_words();
    test_runs();
    test_sparse();
    test_compress();
    test_remember();
    test_chat();
    test_comparison();
    for (i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        snprintf(path, sizeof path, "%s.%s", scratch, suffixes[i]);
        remove(path);
    }
    return test_report("examples", lctx_isa_name(lctx_isa_get()));
}
