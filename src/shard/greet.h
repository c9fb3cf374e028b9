/*
 * greet - what two members agree on: who they are, which map they go by
 *
 *      hello <-> hello     once
 *      map    -> done      then, and in-band whenever the sender's map changes
 *
 * A map says which one the frames behind it go by, whether this process has it
 * or not.  A newer one is adopted; an older is answered with ours.
 */
#ifndef SHARD_GREET_H
#define SHARD_GREET_H

#include "shard/peer.h"

void greet_hello(struct peer *p, const struct frame *f);
void greet_map(struct peer *p, const struct frame *f);

#endif
