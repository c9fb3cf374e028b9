/*
 * watching - what this shard does for the fronts whose clients watch
 *
 * It tells all fronts what is wanted, and hands on what they say.  See
 * cluster/relay.h.
 */
#ifndef SHARD_WATCHING_H
#define SHARD_WATCHING_H

#include "shard/peer.h"

/* A front asks for events; one has some. */
void watching_ask(struct peer *p, const struct frame *f);
void watching_hear(struct peer *p, const struct frame *f);

/* Now and then: who follows and no longer asks is forgotten.  True: the front must be
 * told that other streams are wanted, and the frame that says so was queued. */
bool watching_look(struct peer *p);

void watching_fini(struct peer *p);

#endif
