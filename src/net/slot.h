/*
 * slot - a place in the order of a session's answers
 *
 * What is not answered on the spot opens a slot; slots leave in the order they
 * were opened, each when it is ready and all before it are gone.
 *
 *      session_expect -> (waits) -> slot_ready -> (its turn) -> ops->emit
 */
#ifndef NET_SLOT_H
#define NET_SLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/latency.h"

struct sendq;
struct session;
struct worker;

struct slot;

struct slot_ops {
    /* It is this slot's turn: writes to s->out and is gone, true; or it must
     * ask once more and stays, no longer ready: false. */
    bool (*emit)(struct slot *slot, struct session *s);
    /* The session is gone, the slot was ready: be gone. */
    void (*drop)(struct slot *slot);
};

/* Embedded in what waits for an answer. */
struct slot {
    const struct slot_ops *ops;
    struct session *session;    /* NULL: gone, nobody waits any more */
    struct slot *next;
    bool ready;
};

/* For handlers */

/* Where the answer that is made now goes: to s->out, or to a slot of its own
 * when others are still open.  NULL when memory is short: the session ends. */
struct sendq *session_reply(struct session *s);

/* A whole reply line ("END\r\n"), in order. */
void session_say(struct session *s, const char *text, size_t len);

/* The END of a command of many keys, which was parsed in the turn at `began_ns`: it
 * ends when all that stands before this is there. */
void session_say_end(struct session *s, enum latency_class class, int64_t began_ns);

/* Opens a slot behind all others.  slot->ops is set by the caller. */
void session_expect(struct session *s, struct slot *slot);
/* The same in the place of `before`, which stays behind it. */
void session_expect_before(struct session *s, struct slot *slot, struct slot *before);
/* It leaves without an answer: others stand in its place. */
void session_forgo(struct session *s, struct slot *slot);
/* Its answer is there: it is emitted when its turn comes. */
void slot_ready(struct slot *slot);

/* For the session */

/* Emits what is ready, oldest first, while there is room in s->out. */
void slots_emit(struct session *s);
/* The answer that session_reply() began is complete: it counts as held. */
void slots_settle(struct session *s);
/* The session ends: what is open has nobody to answer. */
void slots_drop(struct session *s);
/* The worker ends: memory kept for reuse goes. */
void slots_free_texts(struct worker *w);

#endif
