/*
 * version - a hybrid logical clock: the order of all writes
 *
 *       62            22 21      10 9       0
 *      | ms since 2025  | counter  | number  |
 *
 * A version is a tick and the number of the member that gave it.  A tick is
 * milliseconds since 2025-01-01 UTC and a counter; when a millisecond has no
 * counters left the next one is borrowed, so a clock may run ahead of the
 * wall's, and it never goes back.
 *
 * A store has one clock for each partition, so that no command waits for
 * another partition's.  Each gives only the counters of its lane (counter
 * modulo n_lanes), so they never give the same version.
 *
 * Pure: a struct and numbers.  The caller locks.  version_after() is in store.h.
 */
#ifndef STORE_VERSION_H
#define STORE_VERSION_H

#include <stdint.h>

#define VERSION_NUMBER_BITS 10
#define VERSION_COUNTER_BITS 12
#define VERSION_MS_BITS 41
#define VERSION_NUMBER_MAX ((1u << VERSION_NUMBER_BITS) - 1)
#define VERSION_MAX (UINT64_MAX >> 1)
#define VERSION_EPOCH_MS INT64_C(1735689600000)         /* 2025-01-01 UTC */
#define VERSION_MAX_LANES 16

struct version_clock {
    uint64_t tick;              /* the greatest given or seen */
    unsigned lane, n_lanes;     /* n_lanes is a power of two */
    unsigned number;            /* of this member, 1 .. VERSION_NUMBER_MAX */
};

/*
 * A version greater than all that this clock gave or saw, and not before
 * `wall_ms` (milliseconds since 1970).  Never 0, at most VERSION_MAX; a clock
 * that was shown the end of time stays there.
 */
uint64_t version_next(struct version_clock *c, int64_t wall_ms);

/* What the clock gives from now on is greater than `version`. */
void version_see(struct version_clock *c, uint64_t version);

/* The greatest version that the clock gave or saw can have been. */
uint64_t version_latest(const struct version_clock *c);

/* When it was given, milliseconds since 1970: by its clock, which may run ahead. */
int64_t version_wall_ms(uint64_t version);

#endif
