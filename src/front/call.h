/*
 * call - a client's command on its way: to its owner, to the copies, back
 *
 *      call_route -> way -> owner -> (open? -> replay -> copies) -> call_finish
 *                     ^       |                   |
 *                   parked <--'<------------------'   not reached, refused
 *
 * A command whose key has copies is answered when they have what it changed.
 * One that surely was not executed waits, for a member or for a newer map, and
 * is sent again; one that may have been is not.
 */
#ifndef FRONT_CALL_H
#define FRONT_CALL_H

#include "front/answer.h"
#include "front/front.h"

#define CALL_TARGETS_MAX (MAP_MAX_REPLICAS - 1 + MAP_MAX_REPLICAS)

/* Who judged a command, or was asked to. */
struct judge {
    uint64_t epoch;             /* of the map that it was done by; 0: nobody notes it */
    uint64_t incarnation;
    uint16_t number;            /* of the member */
};

/* Who must have what a command changed, or found open. */
struct replay {
    struct judge judge;

    uint64_t placed;            /* epoch of the map that the rest goes by, 0: not known */
    uint16_t targets[CALL_TARGETS_MAX];     /* indexes in that map, the chain's first */
    uint8_t n, n_chain;
    uint8_t wave;               /* of them, that were told so far */
    uint8_t n_waiting;          /* of them, that have not answered */
    uint16_t applied;           /* of them, that have it: by bits */
    bool refused;               /* one has it not, and will not */
};

struct call {
    struct request request;     /* first: on its link, or waiting */
    struct slot slot;
    struct front_worker *fw;
    enum verb verb;
    size_t held;                /* what the session is charged for it */
    bool too_large;             /* a set that became a delete, see front.c */
    bool ask_again;             /* its answer was too much to hold */
    bool kept;                  /* it was held from when it came: see multiget.c */
    bool asked_again;
    bool writes;                /* it counts in session->n_writes */
    bool copies;                /* what it changes copies must have */
    bool repeatable;            /* done twice is done once */
    bool plain;                 /* a get that any copy may answer */
    bool as_copy;               /* one was asked */
    bool replays;               /* it was judged: what is left is the copies' part */
    bool behind;                /* it is answered already: that part goes on */
    bool emitted;               /* and nobody else needs it any more */
    bool is_parked;             /* see parked.h */
    bool held_back;             /* it waited for another: it has not been tried since */
    uint8_t n_tries;
    unsigned owner_options;     /* enum option: those that no copy is asked with */
    uint32_t position;          /* of its key, on the ring */
    unsigned first_marks;       /* of the answer that was dropped */
    uint32_t first_idle_s;
    int64_t first_ttl_ms;
    int64_t began_ns;           /* the turn in which it was parsed */
    int64_t framed_ms;          /* when times to live in its frame were right */
    struct call *next_parked;
    struct replay replay;       /* from here on not zeroed; see call_place() */
    struct form form;           /* how the client wants to be answered */
};

/* Sends the command; its answer leaves in its turn.  `too_large`: a set whose
 * value is more than an item may be, and a delete in its place. */
void call_make(struct link *l, struct session *s, const struct cmd *cmd, bool too_large);

/* The same where more than the owner has to do with it. */
void call_route(struct session *s, const struct cmd *cmd, bool too_large);

/*
 * The same of a command that comes by no session, whose form is PROTOCOL_INSIDE:
 * `ops->drop` is called when it is settled, now or later, with its slot;
 * call_of_slot(slot)->request.owner is `owner`.  It ends with call_leave().  False,
 * and nothing is called: no memory.
 */
bool call_inside(struct front_worker *fw, const struct cmd *cmd, const struct slot_ops *ops,
                 void *owner);
struct call *call_of_slot(struct slot *slot);
void call_leave(struct call *c);

/* The call that has this slot of a session; NULL: something else has. */
struct call *call_at(struct slot *slot);

/* Is a write of its client, of its key, before it that is not over? */
bool call_follows_write(const struct call *c);

/* What it was answered, as clients may see it. */
void call_answer(const struct call *c, struct answer *a);

/* For those on its way */

/* A call in its place behind all others of its session, and its frame.  NULL
 * (session broken): no memory. */
struct call *call_begin(struct session *s, const struct cmd *cmd, bool too_large,
                        struct frame *f);

/*
 * A get of text that was sent together with others, on its own from here on: with
 * its frame, its slot in no session yet.  `began_ns`: when it was sent.  NULL: no memory.
 */
struct call *call_apart(struct front_worker *fw, const struct cmd *cmd, int64_t began_ns);
/* How it went: it is answered, replayed, or tried again. */
void call_go_on(struct call *c);

/* Its outcome is settled: its client is answered in its turn.  It may be gone then. */
void call_finish(struct call *c);
/* The same where nobody executed it; the reason is static. */
void call_give_up(struct call *c, const char *reason);
/* The part behind its answer is over. */
void call_let_go(struct call *c);

/* The item was read, at its owner or else at the copy here: now and then the
 * others hear of it. */
void call_tell_used(struct front_worker *fw, const char *key, size_t key_len, bool at_owner);

/* Any copy may answer it: it neither changes nor shows what only the owner knows. */
bool call_is_plain(const struct cmd *cmd);

/* Is there still time? */
bool call_has_time(const struct call *c);

#endif
