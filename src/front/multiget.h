/*
 * multiget - plain gets that came together, asked shard by shard
 *
 *      get a b c d --+-- a, c --> link --+-- answers to a, c --+-- in one slot, in
 *                    '-- b, d --> link --'-- answers to b, d --'   their order
 *
 * The keys of a get of many, or gets of one key in a row.  Each is still a frame
 * of its own (see frame.h), but there is one request a shard, and one slot for all:
 * what a key costs beside its bytes is a row in a table.
 *
 * That is for hits of a moderate size and misses.  As soon as one key needs more (its
 * shard is not reached or refuses, a copy must be told first, its value is large, or
 * more than can be held) all of them become calls: from there on it is as if they
 * had been asked one by one, see call.h.  At once, not when all is answered: what is
 * to be tried again must hold back what its session sends behind it.
 */
#ifndef FRONT_MULTIGET_H
#define FRONT_MULTIGET_H

#include "front/front.h"

/*
 * Asks for some of them, from the first on.  How many were taken: 0 where one by
 * one is the way, or no memory is left.
 */
unsigned multiget_make(struct session *s, const struct gets *gets);

/* Memory kept for reuse goes. */
void multigets_fini(struct front_worker *fw);

#endif
