#include "store/table.h"

#include <assert.h>
#include <stdlib.h>

#include "base/hash.h"

#define FIRST_BITS 8
#define LAST_BITS 40
#define MOVE_AT_ONCE 4          /* old buckets with each insertion: 1 is enough */

static void publish(struct table *t)
{
    atomic_store_explicit(&t->hint, (uintptr_t)t->slots, memory_order_relaxed);
    atomic_store_explicit(&t->hint_bits, t->bits, memory_order_relaxed);
}

static uint64_t hash_of(const struct table *t, const struct item *it)
{
    return hash_sip13(t->hash_key, item_key(it), it->key_len);
}

bool table_init(struct table *t, const uint64_t hash_key[2])
{
    *t = (struct table){ .bits = FIRST_BITS, .hash_key = hash_key };
    t->slots = store_memory(sizeof(*t->slots) << t->bits, true);
    if (t->slots == NULL)
        return false;
    publish(t);
    return true;
}

void table_fini(struct table *t)
{
    free(t->slots);
    free(t->old);
    t->slots = t->old = NULL;
}

static void push(struct item **bucket, struct item *it)
{
    it->next = *bucket;
    *bucket = it;
}

/* The pointer that leads to `it`, which is in the bucket. */
static struct item **link_to(struct item **bucket, const struct item *it)
{
    while (*bucket != it) {
        assert(*bucket != NULL);
        bucket = &(*bucket)->next;
    }
    return bucket;
}

/* Moves some buckets of a growth; the last one ends it. */
static void move_some(struct table *t)
{
    const size_t n_old = (size_t)1 << (t->bits - 1);

    for (int i = 0; i < MOVE_AT_ONCE && t->moved < n_old; i++) {
        struct item *it = t->old[t->moved], *next;

        t->old[t->moved++] = NULL;
        for (; it != NULL; it = next) {
            next = it->next;
            push(&t->slots[hash_of(t, it) >> (64 - t->bits)], it);
        }
    }
    if (t->moved == n_old) {
        free(t->old);
        t->old = NULL;
    }
}

void table_insert(struct table *t, uint64_t hash, struct item *it)
{
    if (t->old != NULL)
        move_some(t);
    push(table_bucket(t, hash), it);
    t->n_items++;
}

void table_remove(struct table *t, struct item *it)
{
    *link_to(table_bucket(t, hash_of(t, it)), it) = it->next;
    t->n_items--;
}

void table_replace(struct table *t, uint64_t hash, struct item *old, struct item *it)
{
    it->next = old->next;
    *link_to(table_bucket(t, hash), old) = it;
}

size_t table_bytes(const struct table *t)
{
    const size_t bytes = sizeof(*t->slots) << t->bits;

    return t->old == NULL ? bytes : bytes + bytes / 2;
}

size_t table_wants_bytes(const struct table *t)
{
    const size_t n_slots = (size_t)1 << t->bits;

    if (t->old != NULL || t->bits == LAST_BITS || t->n_items / 3 <= n_slots / 2)
        return 0;
    return sizeof(*t->slots) * n_slots * 2;
}

void table_grow(struct table *t)
{
    assert(t->old == NULL);
    struct item **slots = store_memory(sizeof(*slots) << (t->bits + 1), true);

    if (slots == NULL)
        return;
    t->old = t->slots;
    t->slots = slots;
    t->moved = 0;
    t->bits++;
    publish(t);
}

struct item *table_walk(const struct table *t, uint64_t *position)
{
    struct item **bucket = table_bucket(t, *position);
    const bool unmoved = t->old != NULL && *position >> (65 - t->bits) >= t->moved;
    const unsigned shift = unmoved ? 65 - t->bits : 64 - t->bits;

    /* past the last one the hash wraps to 0, which is what the end is called */
    *position = ((*position >> shift) + 1) << shift;
    return *bucket;
}
