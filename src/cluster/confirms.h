/*
 * confirms - what has become of the open answers of one link, in order
 *
 *      first                 end
 *        | settled | open | settled | ...     (oldest first)
 *
 * An answer with MARK_OPEN says that copies may not have what was judged.  When
 * they have, the judge is told; it counts from the oldest on, so one that takes
 * long keeps those behind it waiting, but nobody else.
 */
#ifndef CLUSTER_CONFIRMS_H
#define CLUSTER_CONFIRMS_H

#include <stdbool.h>
#include <stdint.h>

/* All zero: none. */
struct confirms {
    uint64_t first, end;        /* numbers, of the oldest and of the next */
    uint8_t *states;            /* owned: a ring of `cap`, a power of two */
    uint64_t cap;
};

void confirms_fini(struct confirms *c);

/* One more is open: its number, from 1 on; 0 when memory is short. */
uint64_t confirms_add(struct confirms *c);

/* The copies have it; or `given_up`: the judge is to see to it.  True when there
 * is something to take now.  Nothing for a number that was forgotten. */
bool confirms_settle(struct confirms *c, uint64_t number, bool given_up);

/* How many of the oldest are settled in one way, and which; 0: none. */
uint64_t confirms_take(struct confirms *c, bool *given_up);

/* Nobody counts any more: the connection is gone. */
void confirms_forget(struct confirms *c);

#endif
