/* chat.h - the usual chat templates. A file's tokenizer.chat_template is a program; it is not run
   but recognised by words in it, and the turns are written as it would write them. */
#ifndef CHAT_H
#define CHAT_H
#include "token.h"

typedef struct chat_template chat_template;

typedef struct chat {
    const chat_template *form;
    const vocab         *v;
    char                *text, *plain;     /* [n] the last turn; not 0 where a byte is what somebody
                                              wrote, in which no control token is to be found */
    size_t               n, room;
} chat;

/* Fails where the file has no template or one that is not known; the error text is g->error. */
gguf_status chat_open(chat *c, gguf *g, const vocab *v);
void        chat_close(chat *c);
const char *chat_name(const chat *c);

/* Writes what is fed before the model answers: at first what begins a conversation, with the
   system's words (may be null), later what ends the answer before. Returns 0, or -1 where memory is
   lacking. */
int chat_turn(chat *c, int first, const char *system, const char *user, size_t n_user);

/* What a token that the model draws adds to its answer: in harmony nothing between <|start|> or
   <|channel|> and <|message|>, and a line end where a message ends. *hidden: 0 where an answer
   begins. */
gguf_string chat_text(const chat *c, int32_t token, int *hidden);
#endif
