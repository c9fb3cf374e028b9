/*
 * link - a worker's pipelined connection to one member's peer address
 *
 *   DOWN --retry time--> CONNECTING --connected--> GREETING --maps agree--> OPEN
 *   any --refused, reset, silent, nonsense--> DOWN
 *
 * Requests are appended and leave with one send at the end of the turn;
 * answers come in order.  A link that is DOWN fails requests at once; while
 * the very first connect is under way they wait for it.
 *
 * A link says the epoch of the map that its requests go by: in the hello, and
 * when the map changes in-band, before the first request under the new one.
 * What the member refuses was not executed there; it refuses all that comes
 * behind until it is told that the refusal was seen, so nothing is overtaken.
 *
 * A member on the same host is reached by the Unix socket that it opens beside
 * its TCP address, "@chcached/ADDRESS"; if nobody is there, by TCP.
 */
#ifndef CLUSTER_LINK_H
#define CLUSTER_LINK_H

#include "cluster/cluster.h"
#include "net/chunk.h"
#include "net/worker.h"
#include "wire/frame.h"

struct link;
struct links;

enum request_outcome {
    WAITING,
    ANSWERED,                   /* request->reply */
    NOT_SENT,                   /* the member has not seen it: surely not done */
    REFUSED,                    /* request->refusal: the same, it said so */
    LOST                        /* it may have been done, or not */
};

/*
 * A frame on its way and what became of it.  It holds the chunk in which its
 * frame lies until it is done with, so the key need not be copied.  Usually
 * the first field of what wants the answer.
 */
struct request {
    struct request *next;       /* on the link, or among the free */
    struct link *link;          /* a reference: it may have been link_free()d */
    void (*done)(struct request *r);    /* once, when outcome is not WAITING */
    void *owner;                /* of what it is part, */
    unsigned part;              /* and which: for who asks */

    struct chunk *frame_chunk;  /* a reference: holds frame head and key */
    const char *key;
    char *own_key;              /* owned: `key`, where no frame holds it, or NULL */
    struct chunk *value_chunk;  /* a reference, or NULL: a large value */
    uint64_t at;                /* place in the link's stream of bytes */
    size_t bytes;               /* of the frame */
    int64_t sent_ms;

    uint8_t answer_op;          /* that is expected: FRAME_ANSWER ... */
    uint16_t statuses;          /* of a FRAME_ANSWER: 1 << enum status, that it may be */
    uint8_t key_len;
    bool needs_key;             /* when it is done, whether it was sent or not */
    enum request_outcome outcome;
    enum refusal refusal;       /* of REFUSED */
    const char *reason;         /* of NOT_SENT, REFUSED and LOST, in words; static */
    struct chunk *reply_chunk;  /* a reference, or NULL */
    struct frame reply;         /* of ANSWERED; points into reply_chunk */
};

/* From the worker's pool; NULL when memory is short. */
struct request *request_new(struct links *ls);
void request_free(struct links *ls, struct request *r);

struct link *link_new(struct links *ls, const struct member *m);
/* Fails what is open on it.  Copes with NULL. */
void link_free(struct link *l);

/*
 * Sends `f` for `r`, whose done and answer_op are set.  A value that lies in
 * `chunk` is not copied when it is large; chunk may be NULL.  r->done is
 * called later, or now when the link is down, full, or memory is short.
 */
void link_send(struct link *l, struct request *r, const struct frame *f, struct chunk *chunk);

/* Can something be sent now, or will it wait for the very first connect? */
bool link_is_open(const struct link *l);

/* It goes by the links' new view from here on. */
void link_take_view(struct link *l);

/* At the end of the turn, for links that are dirty. */
void link_flush(struct link *l);

/* Now and then: a member that owes an answer for too long is given up. */
void link_tick(struct link *l);

/* Is it the connection to this very member, at this address? */
bool link_leads_to(const struct link *l, const struct member *m);

const char *link_name(const struct link *l);

/* Links that are dirty, one after the other. */
struct link *link_next_dirty(struct link *l);

#endif
