/*
 * partition - a part of a store: index, queue for eviction, memory, clock
 *
 *      newest <-> item <-> item <-> ... <-> oldest --evicted-->
 *
 * What is written goes to the front of the queue.  A hit does not move an
 * item, it sets ITEM_ACTIVE, where that is not set already: hits then write
 * nothing, and no neighbour's cache line, most of the time.  An active item
 * that comes to the end loses the mark and goes to the front once more
 * (CLOCK, Corbato 1968: LRU with one bit of memory).
 *
 * All but partition_init() and _fini() want the lock held, which
 * partition_lock() takes.  `at_ms` is the store's time: milliseconds since it
 * began, never negative.
 */
#ifndef STORE_PARTITION_H
#define STORE_PARTITION_H

#include <pthread.h>

#include "store/evictions.h"
#include "store/table.h"
#include "store/version.h"

#define PARTITION_ALIGN 64      /* a cache line: neighbours do not share one */

struct partition_config {
    const uint64_t *hash_key;   /* borrowed */
    size_t limit_bytes;
    bool evict;
    int64_t began_wall_ms;      /* the wall's clock at at_ms 0 */
    unsigned index, n_partitions;
    struct evictions *evictions;        /* borrowed: told what is evicted */
};

struct partition_counts {
    uint64_t total_items, evictions, expired_unfetched, evicted_unfetched;
    uint64_t reclaimed, no_memory, too_large, get_expired, get_flushed;
};

struct partition {
    _Alignas(PARTITION_ALIGN) pthread_mutex_t lock;
    struct table table;
    struct item *newest, *oldest;       /* owned, all of them */
    size_t item_bytes;                  /* of all items; the index is not in it */
    size_t limit_bytes;                 /* for both */
    bool evict;
    uint64_t floor;                     /* items at or below are dead */
    uint64_t flush_version;             /* a flush that waits, */
    int64_t flush_at_ms;                /* INT64_MAX when there is none */
    int64_t began_wall_ms;
    struct version_clock clock;
    struct evictions *evictions;        /* borrowed */
    uint64_t sweep_position;            /* a place in a walk of the table */
    struct partition_counts counts;
};

/* False when memory is short; then there is nothing to _fini(). */
bool partition_init(struct partition *p, const struct partition_config *config);
void partition_fini(struct partition *p);

/* Takes the lock; a flush whose time has come is in force afterwards. */
void partition_lock(struct partition *p, int64_t at_ms);
void partition_unlock(struct partition *p);

/* Expired, or flushed. */
static inline bool partition_is_dead(const struct partition *p, const struct item *it,
                                     int64_t at_ms)
{
    return it->version <= p->floor
        || (it->expires_at != 0 && (int64_t)it->expires_at <= at_ms);
}

/* The live item of a key, or NULL; a dead one is removed. */
struct item *partition_find(struct partition *p, uint64_t hash, const char *key,
                            size_t len, int64_t at_ms);

/* Marks an item as used. */
static inline void partition_use(struct item *it, unsigned marks)
{
    if ((it->marks & marks) != marks)
        it->marks = (it->marks | marks) & ITEM_MARKS;
}

/*
 * Puts the draft in the place of `old`, the item of its key (or NULL: there is
 * none), evicting what must go for it.  False when it cannot be stored: `old`
 * is then as it was.  When true `old` is gone, or is the new item.
 */
bool partition_put(struct partition *p, uint64_t hash, struct item *old,
                   const struct draft *d, int64_t at_ms);

/* Removes and frees an item; the second counts it as expired or flushed. */
void partition_remove(struct partition *p, struct item *it);
void partition_reap(struct partition *p, struct item *it, int64_t at_ms);

uint64_t partition_next_version(struct partition *p, int64_t at_ms);

/* See store_flush(); `due` when it does not wait. */
void partition_flush(struct partition *p, uint64_t version, bool due);
/* The flush that waits, or the last one there was. */
uint64_t partition_flush_version(const struct partition *p);

/* Looks at about `n` items where the last sweep stopped and reaps the dead.
 * Says how many it looked at; true in *round when it came to the end. */
unsigned partition_sweep(struct partition *p, unsigned n, int64_t at_ms, bool *round);

/* Removes up to `n` items that are over the limit.  False when none is. */
bool partition_shrink(struct partition *p, unsigned n, int64_t at_ms);

/* Items and index. */
static inline size_t partition_bytes(const struct partition *p)
{
    return p->item_bytes + table_bytes(&p->table);
}

#endif
