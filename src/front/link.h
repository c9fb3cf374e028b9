/*
 * link - a worker's pipelined connection to one shard
 *
 *   DOWN --retry time--> CONNECTING --connected--> GREETING --maps agree--> OPEN
 *   any --refused, reset, silent, nonsense--> DOWN
 *
 * Requests are appended and leave with one send at the end of the turn;
 * answers come in order.  A link that is DOWN fails requests at once; while
 * the very first connect is under way they wait for it.
 *
 * A shard on the same host is reached by the Unix socket that it opens beside
 * its TCP address, "@chcached/ADDRESS"; if nobody is there, by TCP.
 */
#ifndef FRONT_LINK_H
#define FRONT_LINK_H

#include "front/front.h"
#include "wire/frame.h"

enum outcome {
    WAITING,
    ANSWERED,                   /* request->reply */
    NOT_SENT,                   /* the shard has not seen it: surely not done */
    LOST                        /* it may have been done, or not */
};

/*
 * A frame on its way and what became of it.  It holds the chunk in which its
 * frame lies until it is done with, so the key need not be copied.
 */
struct request {
    struct slot slot;           /* a client's command; unused by a gather */
    struct front_worker *fw;
    struct link *link;          /* a reference: it may have been link_free()d */
    struct request *next;       /* on the link, or among the free */
    void (*done)(struct request *r);    /* once, when outcome is not WAITING */
    void *owner;                /* a gather, */
    unsigned part;              /* and which of its parts this is */

    struct chunk *frame_chunk;  /* a reference: holds frame head and key */
    const char *key;
    char *own_key;              /* owned: `key`, where no frame holds it, or NULL */
    struct chunk *value_chunk;  /* a reference, or NULL: a large value */
    uint64_t at;                /* place in the link's stream of bytes */
    size_t bytes;               /* of the frame */
    size_t held;                /* what the session is charged for it */
    int64_t sent_ms;

    enum verb verb;
    uint8_t key_len;
    uint16_t more_statuses;     /* 1 << enum status: that its options make possible */
    bool too_large;             /* a set that became a delete, see front.c */
    bool ask_again;             /* its answer was too much to hold */
    bool asked_again;
    unsigned first_marks;       /* of the answer that was dropped */
    uint32_t first_idle_s;
    int64_t first_ttl_ms;
    enum outcome outcome;
    const char *reason;         /* of NOT_SENT and LOST, in words; static */
    struct frame reply;         /* of ANSWERED; points into reply_chunk */
    struct chunk *reply_chunk;  /* a reference, or NULL */
    struct form form;           /* how the client wants to be answered */
};

/* From the worker's pool; NULL when memory is short. */
struct request *request_new(struct front_worker *fw);
void request_free(struct request *r);

struct link *link_new(struct front_worker *fw, const struct member *m);
/* Fails what is open on it.  Copes with NULL. */
void link_free(struct link *l);

/*
 * Sends `f` for `r`.  A value that lies in `chunk` is not copied when it is
 * large; chunk may be NULL.  r->done is called later, or now when the link is
 * down, full, or memory is short.
 */
void link_send(struct link *l, struct request *r, const struct frame *f, struct chunk *chunk);

/* At the end of the turn, for links that are in fw->dirty. */
void link_flush(struct link *l);

/* Now and then: a shard that owes an answer for too long is given up. */
void link_tick(struct link *l);

const char *link_name(const struct link *l);

/* Links that are dirty, one after the other. */
struct link *link_next_dirty(struct link *l);

#endif
