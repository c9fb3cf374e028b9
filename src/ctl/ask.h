/*
 * ask - one question to the admin address, JSON both ways
 */
#ifndef CTL_ASK_H
#define CTL_ASK_H

#include <jansson.h>

#include "ctl/say.h"

#define ASK_ADMIN "127.0.0.1:11280"

/*
 * Sends `method` `path`, with `body` (borrowed, or NULL), and gives the answer
 * in *answer, to be given back.  YES for a good one; NO for a refusal, which is
 * said; UNREACHED.  *answer is NULL unless YES.
 */
int ask(const struct ctl *ctl, const char *method, const char *path, const json_t *body,
        json_t **answer);

/* A part of a path: free() it. */
char *ask_encode(const char *part);

/* Fields of an answer; "" and 0 where they are not what they should be. */
const char *ask_text(const json_t *object, const char *name);
long long ask_number(const json_t *object, const char *name);
double ask_real(const json_t *object, const char *name);
bool ask_flag(const json_t *object, const char *name);

#endif
