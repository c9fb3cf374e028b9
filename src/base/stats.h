/*
 * stats - what is counted while the daemon runs
 *
 * Each worker has a struct stats of its own and is the only one to write it;
 * others read it now and then, so no counter is shared on the way of a request.
 */
#ifndef BASE_STATS_H
#define BASE_STATS_H

#include <stdint.h>

struct stats {
#define STAT(name, kind, help, metric) uint64_t name;
#define USAGE(name, field, help, metric)
#include "stats.def"
#undef STAT
#undef USAGE
};

/* One writer: a plain add, published so that readers see whole numbers. */
#define STAT_ADD(stats, name, n) \
    __atomic_store_n(&(stats)->name, (stats)->name + (uint64_t)(n), __ATOMIC_RELAXED)
#define STAT_SUB(stats, name, n) \
    __atomic_store_n(&(stats)->name, (stats)->name - (uint64_t)(n), __ATOMIC_RELAXED)

/* Adds `from`, which another thread may be writing, to `sum`. */
void stats_add(struct stats *sum, const struct stats *from);

/* sum -= from, counters only: gauges stay.  What `stats reset` remembers. */
void stats_since(struct stats *sum, const struct stats *from);

#endif
