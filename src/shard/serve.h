/*
 * serve - what other members ask of the store, and whether it may be done now
 *
 * A frame is executed only when its link, this worker and the whole process go
 * by the same map, in which this very process is a live member.  A command
 * needs a lease besides: before it is executed, and before its answer leaves.
 * After a refusal all else is refused, until the link's next map.
 */
#ifndef SHARD_SERVE_H
#define SHARD_SERVE_H

#include "shard/peer.h"

/* `hash`: the store's, of its key. */
void serve_command(struct peer *p, const struct frame *f, uint64_t hash);

/*
 * Not all workers of this process go by the map yet: it comes to that in a
 * moment, so what goes by it waits, in the link's input, rather than to be
 * refused.
 */
bool serve_must_wait(const struct peer *p);

/* What others have judged: needs no lease.  `hash` as above. */
void serve_apply(struct peer *p, const struct frame *f, uint64_t hash);

/* By one map at all members: whoever is filled under a newer one is told as well. */
void serve_flush(struct peer *p, const struct frame *f);

/* These have no answer, and are dropped where a command would be refused. */
void serve_used(struct peer *p, const struct frame *f);
void serve_confirm(struct peer *p, const struct frame *f);

/* Frames that were received, taken apart before the first of them is executed. */
#define AHEAD_MAX 32

struct ahead {
    unsigned n;
    size_t want;                /* bytes that the one behind them needs to be whole; 0: it
                                   was not looked at, there may be more */
    bool bad;                   /* it cannot be */
    struct frame frames[AHEAD_MAX];
    uint64_t hashes[AHEAD_MAX]; /* of those with a key: the store's */
};

/* What they will look for is fetched from memory together. */
void serve_foresee(const struct peer *p, struct ahead *ahead);

/* The unsent answers may leave; else the link is to be closed. */
bool serve_may_leave(struct peer *p);

#endif
