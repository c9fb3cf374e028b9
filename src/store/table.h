/*
 * table - the index of a partition: hash of a key to its item
 *
 * Chains in an array of buckets; the bucket is the top bits of the hash.  When
 * there are three items for two buckets the array doubles, a few buckets with
 * each insertion, so that no command waits for all of it:
 *
 *      old     | . | . | c | d |           c, d: not moved yet
 *      slots   | a | a'| b | b'| . | . | . | . |
 *
 * Because of the top bits bucket i becomes 2i and 2i+1, so items stay in the
 * order of their hashes: a place in a walk is a hash, good through any growth.
 */
#ifndef STORE_TABLE_H
#define STORE_TABLE_H

#include <stdatomic.h>

#include "store/item.h"

struct table {
    unsigned bits;              /* slots are 1 << bits */
    struct item **slots;        /* owned */
    struct item **old;          /* owned; half as many, NULL when all are moved */
    size_t moved;               /* of `old`, all below: empty */
    size_t n_items;
    const uint64_t *hash_key;   /* borrowed: the store's */
    _Atomic uintptr_t hint;     /* `slots` and `bits` for table_prefetch(), which */
    atomic_uint hint_bits;      /* holds no lock: may be old, or not of one pair */
};

/* False when memory is short.  The items are the caller's. */
bool table_init(struct table *t, const uint64_t hash_key[2]);
void table_fini(struct table *t);

/* The bucket where `hash` belongs. */
static inline struct item **table_bucket(const struct table *t, uint64_t hash)
{
    if (t->old != NULL) {
        const size_t i = (size_t)(hash >> (65 - t->bits));

        if (i >= t->moved)
            return &t->old[i];
    }
    return &t->slots[hash >> (64 - t->bits)];
}

/* The item of a key, or NULL. */
static inline struct item *table_find(const struct table *t, uint64_t hash,
                                      const char *key, size_t len)
{
    struct item *it = *table_bucket(t, hash);

    while (it != NULL && !item_has_key(it, key, len))
        it = it->next;
    return it;
}

/* Puts in an item whose key is not there. */
void table_insert(struct table *t, uint64_t hash, struct item *it);
/* Takes out an item that is there. */
void table_remove(struct table *t, struct item *it);
/* Puts `it` in the place of `old`, which is there and has the same key. */
void table_replace(struct table *t, uint64_t hash, struct item *old, struct item *it);

/* Bytes of the index, and how many more a growth takes; 0: it wants none. */
size_t table_bytes(const struct table *t);
size_t table_wants_bytes(const struct table *t);
/* Begins a growth that is wanted.  Does nothing when memory is short. */
void table_grow(struct table *t);

/*
 * A walk in the order of hashes: the first item of the bucket at `*position`
 * (0 at first), the others by item->next; moves *position on, to 0 at the end.
 */
struct item *table_walk(const struct table *t, uint64_t *position);

/* Starts to fetch the bucket of `hash`.  Needs no lock. */
static inline void table_prefetch(const struct table *t, uint64_t hash)
{
    const uintptr_t slots = atomic_load_explicit(&t->hint, memory_order_relaxed);
    const unsigned bits = atomic_load_explicit(&t->hint_bits, memory_order_relaxed);

    /* never dereferenced: a wrong address is only a prefetch in vain */
    __builtin_prefetch((const void *)(slots + (hash >> (64 - bits)) * sizeof(void *)));
}

#endif
