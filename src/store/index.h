/*
 * index - of a partition: the hash of a key to the place of its item
 *
 * An array of buckets, one cache line each, of eight slots.  A slot is 32 bits
 * of the hash and the place, 0 where it is empty; the used ones of a bucket
 * come first.  A hash has its home in proportion:
 *
 *      home = hash * n / 2^32          bucket  0 | 1 | 2 | ... | n-1 | tail
 *
 * so n may be any number, and items lie in the order of their hashes: those of
 * a bucket are not above those of the next.  What finds its home full of lesser
 * ones lies behind it, and all between are full (linear probing by whole lines,
 * ordered: Amble and Knuth 1974).  A search ends where a greater hash is seen.
 *
 * To grow or to shrink, the homes are moved one by one in place, a few with
 * each insertion, from the end that makes room:
 *
 *      growing    hash < edge: home by `low` buckets   edge falls to 0
 *                 hash >= edge: home by `high`
 *      shrinking  the same, and the edge rises; when more comes it falls again
 *
 * Homes rise with the hash at any edge, so all the rules above hold at any
 * time, and because the slots know the hash no item is looked at.
 */
#ifndef STORE_INDEX_H
#define STORE_INDEX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/region.h"

#define INDEX_SLOTS 8
#define INDEX_NOWHERE 0u

struct bucket {
    _Alignas(64) _Atomic uint64_t slot[INDEX_SLOTS];
};

struct index {
    struct region region;       /* of the buckets */
    struct bucket *buckets;
    /* atomic for index_prefetch(), which holds no lock */
    _Atomic uint32_t low, high; /* equal: quiet */
    _Atomic uint64_t edge;
    bool grows;                 /* while it is not quiet */
    size_t n_items;
};

/* Where a slot is.  Holds until the next insertion or removal. */
struct place { uint32_t bucket, slot; };

/* False when memory is short; `bytes` is the most it may ever take. */
bool index_init(struct index *x, size_t bytes);
void index_fini(struct index *x);

/* The part of a key's hash that an index knows. */
static inline uint32_t index_hash(uint64_t hash)
{
    return (uint32_t)(hash >> 32);
}

/* Where a hash belongs when there are `n` homes. */
static inline uint32_t index_home_of(uint32_t hash, uint32_t n)
{
    return (uint32_t)((uint64_t)hash * n >> 32);
}

static inline uint32_t index_home(const struct index *x, uint32_t hash)
{
    const uint32_t low = atomic_load_explicit(&x->low, memory_order_relaxed);
    const uint32_t high = atomic_load_explicit(&x->high, memory_order_relaxed);
    const uint64_t edge = atomic_load_explicit(&x->edge, memory_order_relaxed);

    return index_home_of(hash, hash < edge ? low : high);
}

static inline uint64_t index_slot(const struct index *x, struct place at)
{
    return atomic_load_explicit(&x->buckets[at.bucket].slot[at.slot], memory_order_relaxed);
}

static inline uint32_t slot_hash(uint64_t slot)
{
    return (uint32_t)(slot >> 32);
}

static inline uint32_t slot_where(uint64_t slot)
{
    return (uint32_t)slot;
}

/*
 * The items that have this hash, one after the other: *at is set to the first
 * by index_first(), to the next by index_next().  Says where the item is,
 * INDEX_NOWHERE when there is none left.
 */
static inline uint32_t index_search(const struct index *x, uint32_t hash, struct place *at)
{
    for (bool more = true; more; at->bucket++, at->slot = 0) {
        for (; at->slot < INDEX_SLOTS; at->slot++) {
            const uint64_t slot = index_slot(x, *at);

            if (slot_hash(slot) == hash && slot_where(slot) != INDEX_NOWHERE)
                return slot_where(slot);
            more &= slot != 0 && slot_hash(slot) <= hash;
        }
    }
    return INDEX_NOWHERE;
}

static inline uint32_t index_first(const struct index *x, uint32_t hash, struct place *at)
{
    *at = (struct place){ index_home(x, hash), 0 };
    return index_search(x, hash, at);
}

static inline uint32_t index_next(const struct index *x, uint32_t hash, struct place *at)
{
    at->slot++;
    return index_search(x, hash, at);
}

/* The place of the item that is there; it is. */
struct place index_place(const struct index *x, uint32_t hash, uint32_t where);

/* False when it is too full: see index_wants_bytes(). */
bool index_insert(struct index *x, uint32_t hash, uint32_t where);
void index_move(struct index *x, uint32_t hash, uint32_t from, uint32_t to);
void index_remove(struct index *x, uint32_t hash, uint32_t where);

/* What it takes now, and how many bytes more it wants to grow; 0: none. */
size_t index_bytes(const struct index *x);
size_t index_wants_bytes(const struct index *x);

/* Begins to grow, as is wanted; nothing happens when memory is short. */
void index_grow(struct index *x);
/* Much of it is empty, and nothing moves: begins to shrink. */
void index_shrink(struct index *x);
/* Goes on with either for about `n` homes. */
void index_step(struct index *x, unsigned n);

/*
 * In the order of hashes: calls `visit` for those of one home that are not
 * below `hash`; returns the hash to go on with, 0 at the end.
 */
typedef void index_visitor(void *arg, uint32_t hash, uint32_t where);
uint32_t index_walk(const struct index *x, uint32_t hash, index_visitor *visit, void *arg);

/* For a hint; need no lock, and may be wrong: the bucket, and what may be the item. */
static inline void index_prefetch(const struct index *x, uint32_t hash)
{
    const uint32_t home = index_home(x, hash);

    __builtin_prefetch(&x->buckets[home]);
    __builtin_prefetch(&x->buckets[home + 1]);
}

static inline uint32_t index_guess(const struct index *x, uint32_t hash)
{
    const struct bucket *b = &x->buckets[index_home(x, hash)];

    for (unsigned i = 0; i < 2 * INDEX_SLOTS; i++) {
        const uint64_t slot = atomic_load_explicit(&b[i / INDEX_SLOTS].slot[i % INDEX_SLOTS],
                                                   memory_order_relaxed);

        if (slot_hash(slot) == hash)
            return slot_where(slot);
    }
    return INDEX_NOWHERE;
}

#endif
