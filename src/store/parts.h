/*
 * parts - a store as its own files see it
 */
#ifndef STORE_PARTS_H
#define STORE_PARTS_H

#include "store/evictions.h"
#include "store/judge.h"
#include "store/partition.h"

struct store {
    struct judge_rules rules;
    uint64_t hash_key[2];
    int64_t began_ms;           /* the caller's clock when the store began */
    int64_t began_wall_ms;
    pthread_mutex_t whole;      /* held by what must reach all partitions in one
                                   order: flush and limit; never by a command */
    size_t least_bytes, most_bytes;     /* that the limit can be set to */
    atomic_size_t limit_bytes;  /* as configured: the partitions' are rounded */
    atomic_uint sweep_index;    /* the partition that is swept next */
    struct evictions evictions;
    unsigned n_partitions;      /* a power of two */
    struct partition partition[];
};

/* The caller's clock as the store's: threads may read it a little apart. */
static inline int64_t store_at(const struct store *s, int64_t now_ms)
{
    return now_ms > s->began_ms ? now_ms - s->began_ms : 0;
}

/* The bottom bits: an index uses the top ones. */
static inline struct partition *store_partition(struct store *s, uint64_t hash)
{
    return &s->partition[hash & (s->n_partitions - 1)];
}

/* A time to live, not TTL_OVER, as an item keeps it. */
static inline uint64_t store_expires_at(int64_t ttl_ms, int64_t at_ms)
{
    if (ttl_ms == TTL_NEVER)
        return 0;
    if ((uint64_t)ttl_ms > ITEM_EXPIRES_MAX - (uint64_t)at_ms)
        return ITEM_EXPIRES_MAX;
    return (uint64_t)(at_ms + ttl_ms);
}

#endif
