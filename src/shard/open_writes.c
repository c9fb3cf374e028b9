#include "shard/open_writes.h"

#include <stdlib.h>

#include "shard/keeper.h"
#include "store/store.h"

#define TOGETHER 32             /* confirmed with one wait for memory */

#define FIRST_CAP 64

static struct open_write *at(const struct open_writes *o, size_t i)
{
    return &o->ring[(o->head + i) & (o->cap - 1)];
}

void open_writes_fini(struct open_writes *o)
{
    free(o->ring);
    *o = (struct open_writes){ .ring = NULL };
}

static bool grow(struct open_writes *o)
{
    const size_t cap = o->cap > 0 ? o->cap * 2 : FIRST_CAP;
    struct open_write *ring = cap <= OPEN_WRITES_MAX ? malloc(cap * sizeof(*ring)) : NULL;

    if (ring == NULL)
        return false;
    for (size_t i = 0; i < o->n; i++)
        ring[i] = *at(o, i);
    free(o->ring);
    o->ring = ring;
    o->cap = cap;
    o->head = 0;
    return true;
}

bool open_writes_add(struct open_writes *o, const struct open_write *w)
{
    if (o->n == o->cap && !grow(o))
        return false;
    *at(o, o->n++) = *w;
    return true;
}

static void drop(struct open_writes *o, size_t n)
{
    o->head = (o->head + n) & (o->cap - 1);
    o->n -= n;
    o->n_handed -= o->n_handed < n ? o->n_handed : n;
}

/* Their items are fetched from memory together. */
static void confirm_some(struct open_writes *o, struct store *store, size_t from, size_t n)
{
    for (size_t i = from; i < from + n; i++)
        store_prefetch(store, at(o, i)->hash);
    for (size_t i = from; i < from + n; i++)
        store_prefetch_item(store, at(o, i)->hash);
    for (size_t i = from; i < from + n; i++)
        (void)store_confirm(store, at(o, i)->hash, at(o, i)->version);
}

bool open_writes_confirm(struct open_writes *o, struct store *store, size_t n)
{
    if (n > o->n)
        return false;
    for (size_t i = 0; i < n; i += TOGETHER)
        confirm_some(o, store, i, n - i < TOGETHER ? n - i : TOGETHER);
    if (n > 0)
        drop(o, n);
    return true;
}

/* Of the oldest `n` those that the keeper has not. */
static void hand_over(struct open_writes *o, struct keeper *keeper, uint64_t epoch, size_t n)
{
    for (; o->n_handed < n; o->n_handed++)
        keeper_repair(keeper, at(o, o->n_handed)->hash, at(o, o->n_handed)->version, epoch);
}

bool open_writes_give_up(struct open_writes *o, struct keeper *keeper, uint64_t epoch, size_t n)
{
    if (n > o->n)
        return false;
    hand_over(o, keeper, epoch, n);
    if (n > 0)
        drop(o, n);
    return true;
}

void open_writes_hand_over(struct open_writes *o, struct keeper *keeper, uint64_t epoch,
                           int64_t until_ms)
{
    size_t n = o->n_handed;

    while (n < o->n && at(o, n)->since_ms <= until_ms)
        n++;
    hand_over(o, keeper, epoch, n);
}
