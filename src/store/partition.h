/*
 * partition - a part of a store: index, memory, clock
 *
 *      hash --index--> place --+--> segments   small items, one behind the other
 *                              +--> larges     large ones, in pages of their own
 *
 * The limit holds for all three: memory that one needs is taken from what is
 * over, then from holes, then by eviction (reclaim.h), wherever it is.
 *
 * All but partition_init(), _fini() and the prefetching want the lock held,
 * which partition_lock() takes.  `at_ms` is the store's time: milliseconds
 * since it began, never negative.
 */
#ifndef STORE_PARTITION_H
#define STORE_PARTITION_H

#include "base/lock.h"
#include "store/evictions.h"
#include "store/index.h"
#include "store/item.h"
#include "store/large.h"
#include "store/segments.h"
#include "store/version.h"

#define PARTITION_ALIGN 64      /* a cache line: neighbours do not share one */

#define PREFETCH_LINE 64
#define PREFETCH_BYTES 1024     /* of an item: what is behind comes by itself */

struct partition_config {
    const uint64_t *hash_key;   /* borrowed */
    size_t limit_bytes, most_bytes;     /* at first; that it can ever be given */
    size_t max_item_bytes;
    bool evict;
    int64_t tombstone_ms;       /* a deletion is known for so long; 0: not at all */
    int64_t began_wall_ms;      /* the wall's clock at at_ms 0 */
    unsigned index, n_partitions;
    struct evictions *evictions;        /* borrowed: told what is evicted */
};

struct partition_counts {
    uint64_t total_items, evictions, expired_unfetched, evicted_unfetched;
    uint64_t reclaimed, no_memory, too_large, get_expired, get_flushed;
    uint64_t replays_applied, replays_older, replays_refused, replays_ahead;
    uint64_t dropped_segments, squeezed_segments, evicted_segments, evicted_large;
    uint64_t moved_bytes;
};

struct partition {
    _Alignas(PARTITION_ALIGN) struct lock lock;
    uint64_t read_hits, read_misses;    /* of gets; beside the lock, as each get counts */
    struct index index;
    struct segments segments;
    struct larges larges;
    size_t large_from;                  /* bytes of an item that is not for the log */
    size_t item_bytes;                  /* of all items, as they lie */
    size_t n_tombstones;                /* of the items in the index */
    size_t n_open;                      /* items and tombstones */
    uint64_t forgotten;                 /* tombstones up to here may have gone early */
    int64_t tombstone_ms;
    bool hold;                          /* no tombstone ends */
    bool wants_tombstones;              /* an eviction had no room for one */
    uint64_t unsettled_from, unsettled_to;      /* items of these versions count as open */
    _Atomic uint32_t usual_bytes;       /* of items of late: partition_prefetch_item() */
    size_t limit_bytes;                 /* for index, segments and larges */
    bool evict;
    uint64_t stamp;                     /* counts, so that segments and large items
                                           have an age, however fast time goes */
    uint64_t floor;                     /* items at or below are dead */
    uint64_t flush_version;             /* a flush that waits, */
    int64_t flush_at_ms;                /* INT64_MAX when there is none */
    int64_t began_wall_ms;
    struct version_clock clock;
    const uint64_t *hash_key;           /* borrowed: the store's */
    struct evictions *evictions;        /* borrowed */
    uint32_t sweep_large, sweep_segment;        /* looked at next, see reclaim_sweep() */
    int64_t idle_looked_ms;
    struct partition_counts counts;
};

/* An item and where it is. */
struct found {
    struct item item;
    struct large *large;        /* NULL: in the log */
    uint32_t where, hash;       /* as the index has them */
};

struct tombstone {
    const char *key;            /* not of an item of the store */
    size_t key_len;
    uint64_t version;
    bool open;
};

/* False when memory is short; then there is nothing to _fini(). */
bool partition_init(struct partition *p, const struct partition_config *config);
void partition_fini(struct partition *p);

/* For partition_lock(): the time of the flush that waits has come. */
void partition_flush_due(struct partition *p);

/* Takes the lock; a flush whose time has come is in force afterwards. */
static inline void partition_lock(struct partition *p, int64_t at_ms)
{
    lock_take(&p->lock);
    if (at_ms >= p->flush_at_ms)
        partition_flush_due(p);
}

static inline void partition_unlock(struct partition *p)
{
    lock_give(&p->lock);
}

/* Expired, or flushed.  A tombstone may be needed for longer. */
static inline bool partition_is_dead(const struct partition *p, const struct item *it,
                                     int64_t at_ms)
{
    return it->version <= p->floor
        || (it->expires_at != 0 && (int64_t)it->expires_at <= at_ms
            && !(item_is_deleted(it) && (it->open || p->hold)));
}

/* Its copies may not have it. */
static inline bool partition_is_open(const struct partition *p, const struct item *it)
{
    return it->open || (it->version >= p->unsettled_from && it->version <= p->unsettled_to);
}

/* How long ago a version was given, by the clock here; negative: it is ahead. */
static inline int64_t partition_age_ms(const struct partition *p, uint64_t version,
                                       int64_t at_ms)
{
    return p->began_wall_ms + at_ms - version_wall_ms(version);
}

/* Reads the item at a place of the index. */
static inline void partition_read(const struct partition *p, uint32_t where, struct found *f);

/* The item of a key, dead or not, or its tombstone. */
static inline bool partition_look(const struct partition *p, uint64_t hash, const char *key,
                                  size_t len, struct found *f);
/* The live item of a key, or its tombstone; a dead one is removed, or a tombstone
 * when it is open. */
bool partition_find(struct partition *p, uint64_t hash, const char *key, size_t len,
                    int64_t at_ms, struct found *f);

/*
 * Puts the draft in the place of `old`, the item of its key (or NULL: there is
 * none), making room by reclaiming and evicting.  False when it cannot be
 * stored.  Either way what was found of `old` is void: it may have moved, and
 * may even have been evicted.
 */
bool partition_put(struct partition *p, uint64_t hash, const struct found *old,
                   const struct draft *d, int64_t at_ms);

/*
 * Gives the item of `key` (not of a store), which was found, another end; 0:
 * never.  It may move: *f is what it is then.  False when there is no room for
 * that: it has the end it had, and *f is void.
 */
bool partition_touch(struct partition *p, uint64_t hash, const char *key, struct found *f,
                     uint64_t expires_at, int64_t at_ms);

/*
 * The key is deleted: `old`, its item (or NULL: there is none), is removed, and
 * the tombstone left where the store has them.
 */
void partition_delete(struct partition *p, uint64_t hash, const struct found *old,
                      const struct tombstone *t, int64_t at_ms);

/* The same for what is there by now: room was made, and things have moved. */
void partition_bury(struct partition *p, uint64_t hash, const struct tombstone *t,
                    int64_t at_ms);

void partition_set_open(struct partition *p, struct item *it, bool open);

/* Removes an item; the second counts it as expired or flushed. */
void partition_remove(struct partition *p, const struct found *f);
void partition_reap(struct partition *p, const struct found *f, int64_t at_ms);

uint64_t partition_next_version(struct partition *p, int64_t at_ms);

/* See store_flush(); `due` when it does not wait. */
void partition_flush(struct partition *p, uint64_t version, bool due);
/* The flush that waits, or the last one there was. */
uint64_t partition_flush_version(const struct partition *p);

/* A limit below this would leave room for nothing. */
size_t partition_least_bytes(const struct partition *p);

/* When the items that an eviction looks at next were written; INT64_MAX: none. */
int64_t partition_oldest_ms(const struct partition *p);

/* Hints that want no lock held: fetch where the hash is looked for, then its item. */
static inline void partition_prefetch(const struct partition *p, uint64_t hash)
{
    index_prefetch(&p->index, index_hash(hash));
}

void partition_prefetch_large(struct partition *p, uint32_t where);

static inline void partition_prefetch_small(const struct partition *p, uint32_t where)
{
    const char *at = segments_at(&p->segments, where);
    const uint32_t usual = atomic_load_explicit(&p->usual_bytes, memory_order_relaxed);
    const uint32_t bytes = usual < PREFETCH_BYTES ? usual : PREFETCH_BYTES;

    for (uint32_t i = 0; i <= bytes; i += PREFETCH_LINE)
        __builtin_prefetch(at + i);
}

static inline void partition_prefetch_item(struct partition *p, uint64_t hash)
{
    const uint32_t where = index_guess(&p->index, index_hash(hash));

    if (where > SEGMENTS_PLACES)
        partition_prefetch_large(p, where);
    else if (where != INDEX_NOWHERE)
        partition_prefetch_small(p, where);
}

/* ---- in the header for speed ---- */

static inline void partition_read(const struct partition *p, uint32_t where, struct found *f)
{
    f->where = where;
    if (where > SEGMENTS_PLACES) {
        f->large = p->larges.by_id[where - SEGMENTS_PLACES - 1];
        item_read(&f->item, f->large->at);
    } else {
        f->large = NULL;
        item_read(&f->item, segments_at(&p->segments, where));
    }
}

static inline bool partition_look(const struct partition *p, uint64_t hash, const char *key,
                                  size_t len, struct found *f)
{
    struct place at;

    f->hash = index_hash(hash);
    for (uint32_t where = index_first(&p->index, f->hash, &at); where != INDEX_NOWHERE;
         where = index_next(&p->index, f->hash, &at)) {
        partition_read(p, where, f);
        if (f->item.key_len == len && memcmp(f->item.key, key, len) == 0)
            return true;
    }
    return false;
}

/* Memory that it takes. */
static inline size_t partition_bytes(const struct partition *p)
{
    return index_bytes(&p->index) + segments_bytes(&p->segments) + larges_bytes(&p->larges);
}

#endif
