/*
 * here - what this process executes itself, as it keeps items too
 *
 * Under the same rules as a shard does for its links: by the map that all
 * workers have adopted, as the key's owner, and under a lease where the map
 * wants one.  What is open is the shard's to see to until it is settled.
 */
#ifndef FRONT_HERE_H
#define FRONT_HERE_H

#include "front/call.h"

/* By the present map, in all workers: copies may be applied. */
bool here_is_adopted(const struct front_worker *fw);
/* The same, and the process may serve keys now as their owner, that of `p`; NULL:
 * they were its own before. */
bool here_serves(struct front_worker *fw, const struct placing *p);

/* Executes what only this process has to do with, and answers. */
void here_execute(struct front_worker *fw, struct session *s, struct cmd *cmd);
/* A get of a key that has copies: the answer may have to wait for them. */
void here_get(struct front_worker *fw, struct session *s, struct cmd *cmd);

/*
 * May copies in this process answer plain gets now?  Under a lease they have all
 * that was acknowledged, and where a key has no other copy, all that anybody was
 * shown.  What a session has sent and was not told of yet they may
 * not have: keys whose bit is in session->written are asked of their owner.
 */
bool here_reads_copies(struct front_worker *fw);

static inline uint64_t here_bit(uint32_t position)
{
    return (uint64_t)1 << position % 64;
}

/*
 * A plain get (no options) of what is here, as its owner or a copy: hit() is told a
 * hit, under the store's lock; false: it has no use for it.  True: that is the answer,
 * or that it is a miss; false: it is to be asked some other way.
 */
typedef bool here_hit(void *arg, const struct answer *a);
bool here_look(struct front_worker *fw, struct session *s, const struct cmd *cmd, bool as_owner,
               here_hit *hit, void *arg);

/* A get that the copy here answers; false: it is to be asked of the owner. */
bool here_read_copy(struct front_worker *fw, struct session *s, const struct cmd *cmd);

/* A call whose key this process owns: it is answered, or replayed, from here. */
void here_call(struct call *c, const struct frame *f, struct chunk *chunk);

/* What another member judged, to the own store. */
enum applied here_apply(struct front_worker *fw, const struct copy *copy);

/* The copies of an own open answer have it, or will not: see link_confirm(). */
void here_confirm(struct front_worker *fw, uint64_t open, bool given_up);

#endif
