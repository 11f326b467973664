#include "chat.h"
#include "unicode.h"
#include <stdlib.h>
#include <string.h>

/* Words that must be in a template, or must not (behind a '!'), and what stands around its
   messages; \1 and \2 are the names of BOS and EOS. The system's words go before the user's turn,
   or inside it where `inside`. The first template that fits is taken. */
struct chat_template {
    const char *name;
    const char *words[4];
    const char *begin;                          /* of a conversation */
    const char *system[2], *user[2];            /* before and behind */
    const char *answer, *end;                   /* before an answer, behind it */
    int         inside, trim;
};

#define HARMONY_BEGIN "<|start|>system<|message|>You are ChatGPT, a large language model trained " \
    "by OpenAI.\nKnowledge cutoff: 2024-06\n\nReasoning: medium\n\n# Valid channels: analysis, " \
    "commentary, final. Channel must be included for every message.<|end|>"
#define LLAMA2(trim, turn) { "<<SYS>>\n", "\n<</SYS>>\n\n" }, { turn "[INST] ", " [/INST]" }, "", \
    "\2", 1, trim

static const chat_template templates[] = {
    { "Phi-4", { "<|im_start|>", "<|im_sep|>" }, "",
      { "<|im_start|>system<|im_sep|>", "<|im_end|>" },
      { "<|im_start|>user<|im_sep|>", "<|im_end|>" }, "<|im_start|>assistant<|im_sep|>",
      "<|im_end|>", 0, 0 },
    { "ChatML", { "<|im_start|>", "!<end_of_utterance>" }, "",
      { "<|im_start|>system\n", "<|im_end|>\n" }, { "<|im_start|>user\n", "<|im_end|>\n" },
      "<|im_start|>assistant\n", "<|im_end|>\n", 0, 0 },
    { "Mistral v7", { "[INST]", "[SYSTEM_PROMPT] " }, "",
      { "[SYSTEM_PROMPT] ", "[/SYSTEM_PROMPT]" }, { "[INST] ", "[/INST]" }, "", "\2", 0, 0 },
    { "Mistral v7 tekken", { "[INST]", "[SYSTEM_PROMPT]" }, "",
      { "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]" }, { "[INST]", "[/INST]" }, "", "\2", 0, 0 },
    { "Mistral v1", { "' [INST] ' + system_message" }, "", { "", "\n\n" },
      { " [INST] ", " [/INST]" }, "", "\2", 1, 0 },
    { "Mistral v1", { " [INST]", "[AVAILABLE_TOOLS]" }, "", { "", "\n\n" },
      { " [INST] ", " [/INST]" }, "", "\2", 1, 0 },
    { "Mistral v3 tekken", { "\"[INST]\"", "[AVAILABLE_TOOLS]" }, "", { "", "\n\n" },
      { "[INST]", "[/INST]" }, "", "\2", 1, 0 },
    { "Mistral v3", { "[INST]", "[AVAILABLE_TOOLS]" }, "", { "", "\n\n" }, { "[INST] ", "[/INST]" },
      "", "\2", 1, 0 },
    { "Llama 2", { "[INST]", "bos_token + '[INST]", "content.strip()" }, "", LLAMA2(1, "\1") },
    { "Llama 2", { "[INST]", "bos_token + '[INST]" }, "", LLAMA2(0, "\1") },
    { "Llama 2", { "[INST]", "content.strip()" }, "", LLAMA2(1, "") },
    { "Llama 2", { "[INST]" }, "", LLAMA2(0, "") },
    { "Phi-3", { "<|assistant|>", "<|end|>" }, "", { "<|system|>\n", "<|end|>\n" },
      { "<|user|>\n", "<|end|>\n" }, "<|assistant|>\n", "<|end|>\n", 0, 0 },
    { "Gemma", { "<start_of_turn>" }, "", { "", "\n\n" },
      { "<start_of_turn>user\n", "<end_of_turn>\n" }, "<start_of_turn>model\n", "<end_of_turn>\n",
      1, 1 },
    { "Llama 3", { "<|start_header_id|>", "<|end_header_id|>" }, "",
      { "<|start_header_id|>system<|end_header_id|>\n\n", "<|eot_id|>" },
      { "<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>" },
      "<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>", 0, 1 },
    { "harmony", { "<|start|>", "<|channel|>" }, HARMONY_BEGIN,
      { "<|start|>developer<|message|># Instructions\n\n", "\n\n<|end|>" },
      { "<|start|>user<|message|>", "<|end|>" }, "<|start|>assistant", "<|end|>", 0, 0 } };

static int contains(gguf_string s, const char *word)
{
    const size_t n = strlen(word);
    size_t i;
    for (i = 0; i + n <= s.n; i++)
        if (!memcmp(s.text + i, word, n)) return 1;
    return 0;
}

static int fits(const chat_template *t, gguf_string s)
{
    size_t i;
    for (i = 0; i < 4 && t->words[i]; i++) {
        const int without = t->words[i][0] == '!';
        if (contains(s, t->words[i] + without) == without) return 0;
    }
    return 1;
}

gguf_status chat_open(chat *c, gguf *g, const vocab *v)
{
    gguf_string s;
    gguf_status status = gguf_get_string(g, "tokenizer.chat_template", &s);
    char shown[64];
    size_t i;
    *c = (chat){0};
    c->v = v;
    if (status != GGUF_OK) return status;
    for (i = 0; i < sizeof templates / sizeof *templates && !c->form; i++)
        if (fits(&templates[i], s)) c->form = &templates[i];
    if (c->form) return GGUF_OK;
    return gguf_fail(g, GGUF_E_UNSUPPORTED, "key \"tokenizer.chat_template\" is none of those "
                     "known: \"%s\"", gguf_show(s, shown));
}

void chat_close(chat *c)
{
    free(c->text);
    free(c->plain);
    *c = (chat){0};
}

const char *chat_name(const chat *c) { return c->form->name; }

static int add(chat *c, const char *text, size_t n, int plain)
{
    if (n > c->room - c->n) {
        size_t room = 2 * (c->n + n) + 64;
        char *more = realloc(c->text, room);
        if (more) c->text = more;
        if (more) more = realloc(c->plain, room);
        if (!more) return -1;
        c->plain = more;
        c->room = room;
    }
    memcpy(c->text + c->n, text, n);
    memset(c->plain + c->n, plain, n);
    c->n += n;
    return 0;
}

/* Adds what the template says. */
static int add_form(chat *c, const char *text)
{
    static const gguf_string none = { "", 0 };
    const vocab *v = c->v;
    for (; *text; text++) {
        const gguf_string bos = v->bos >= 0 ? v->name[v->bos] : none;
        const gguf_string eos = v->eos >= 0 ? v->name[v->eos] : none;
        if (*text == 1 ? add(c, bos.text, bos.n, 0) : *text == 2 ? add(c, eos.text, eos.n, 0)
                                                                 : add(c, text, 1, 0)) return -1;
    }
    return 0;
}

/* Adds a message as somebody wrote it, between what stands before and behind it. */
static int add_message(chat *c, const char *const around[2], const char *text, size_t n)
{
    while (c->form->trim && n && unicode_blank(*text)) text++, n--;
    while (c->form->trim && n && unicode_blank(text[n - 1])) n--;
    return add_form(c, around[0]) || add(c, text, n, 1) || add_form(c, around[1]);
}

int chat_turn(chat *c, int first, const char *system, const char *user, size_t n_user)
{
    const chat_template *t = c->form;
    const char *inner[2];
    const char *begin = t->user[0];
    int bad;
    c->n = 0;
    if (first && *begin == 1) begin++;                       /* BOS begins the text as it is */
    bad = add_form(c, first ? t->begin : t->end);
    if (first && system && !t->inside) bad |= add_message(c, t->system, system, strlen(system));
    inner[0] = "";
    inner[1] = t->user[1];
    bad |= add_form(c, begin);
    if (first && system && t->inside) bad |= add_message(c, t->system, system, strlen(system));
    bad |= add_message(c, inner, user, n_user) | add_form(c, t->answer);
    return bad ? -1 : 0;
}

gguf_string chat_text(const chat *c, int32_t token, int *hidden)
{
    static const gguf_string none = { "", 0 }, line_end = { "\n", 1 };
    const gguf_string name = c->v->name[token];
    const int was_hidden = *hidden;
    if (gguf_string_is(name, "<|channel|>") || gguf_string_is(name, "<|start|>")) *hidden = 1;
    if (gguf_string_is(name, "<|message|>")) *hidden = 0;
    if (was_hidden || *hidden) return none;
    return gguf_string_is(name, "<|end|>") ? line_end : vocab_text(c->v, token);
}
