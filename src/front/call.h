/*
 * call - a client's command that another member executes
 */
#ifndef FRONT_CALL_H
#define FRONT_CALL_H

#include "front/answer.h"
#include "front/front.h"

struct call {
    struct request request;     /* first: on its link */
    struct slot slot;
    struct front_worker *fw;
    enum verb verb;
    size_t held;                /* what the session is charged for it */
    bool too_large;             /* a set that became a delete, see front.c */
    bool ask_again;             /* its answer was too much to hold */
    bool asked_again;
    unsigned first_marks;       /* of the answer that was dropped */
    uint32_t first_idle_s;
    int64_t first_ttl_ms;
    struct form form;           /* how the client wants to be answered */
};

/* Sends the command; its answer leaves in its turn.  `too_large`: a set whose
 * value is more than an item may be, and a delete in its place. */
void call_make(struct link *l, struct session *s, const struct cmd *cmd, bool too_large);

#endif
