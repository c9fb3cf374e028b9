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

/* A call whose key this process owns: it is answered, or replayed, from here. */
void here_call(struct call *c, const struct frame *f, struct chunk *chunk);

/* What another member judged, to the own store. */
enum applied here_apply(struct front_worker *fw, const struct copy *copy);

/* The copies of an own open answer have it, or will not: see link_confirm(). */
void here_confirm(struct front_worker *fw, uint64_t open, bool given_up);

#endif
