#include "store/partition.h"

#include <assert.h>
#include <stdlib.h>

#define SECOND_CHANCES 32       /* in one eviction, so that it is bounded */
#define ALLOC_EVICTIONS 16      /* when malloc fails while we are below the limit */
#define GROW_EVICTIONS 8        /* with each insertion, to make room for an index */

bool partition_init(struct partition *p, const struct partition_config *config)
{
    *p = (struct partition){
        .limit_bytes = config->limit_bytes,
        .evict = config->evict,
        .flush_at_ms = INT64_MAX,
        .began_wall_ms = config->began_wall_ms,
        .evictions = config->evictions,
        .clock = { .lane = config->index, .n_lanes = config->n_partitions, .number = 1 },
    };
    if (!table_init(&p->table, config->hash_key))
        return false;
    if (pthread_mutex_init(&p->lock, NULL) != 0) {
        table_fini(&p->table);
        return false;
    }
    return true;
}

void partition_fini(struct partition *p)
{
    while (p->oldest != NULL)
        partition_remove(p, p->oldest);
    assert(p->table.n_items == 0 && p->item_bytes == 0);
    table_fini(&p->table);
    pthread_mutex_destroy(&p->lock);
}

/* The flush is in force; what is written from now on is above it. */
static void flush_now(struct partition *p, uint64_t version)
{
    p->floor = version;
    version_see(&p->clock, version);
    p->flush_version = 0;
    p->flush_at_ms = INT64_MAX;
}

void partition_lock(struct partition *p, int64_t at_ms)
{
    pthread_mutex_lock(&p->lock);
    if (at_ms >= p->flush_at_ms)
        flush_now(p, p->flush_version);
}

void partition_unlock(struct partition *p)
{
    pthread_mutex_unlock(&p->lock);
}

static void queue_put(struct partition *p, struct item *it)
{
    it->newer = NULL;
    it->older = p->newest;
    if (p->newest != NULL)
        p->newest->newer = it;
    else
        p->oldest = it;
    p->newest = it;
}

static void queue_take(struct partition *p, struct item *it)
{
    if (it->newer != NULL)
        it->newer->older = it->older;
    else
        p->newest = it->older;
    if (it->older != NULL)
        it->older->newer = it->newer;
    else
        p->oldest = it->newer;
}

static void queue_to_front(struct partition *p, struct item *it)
{
    if (p->newest == it)
        return;
    queue_take(p, it);
    queue_put(p, it);
}

static size_t bytes_of(const struct item *it)
{
    return item_bytes(it->key_len, it->value_len, it->marks);
}

/* All but the index's part of a removal. */
static void discard(struct partition *p, struct item *it)
{
    const size_t bytes = bytes_of(it);

    assert(p->item_bytes >= bytes);
    p->item_bytes -= bytes;
    queue_take(p, it);
    if (it->loans > 0)
        it->marks |= ITEM_GONE;
    else
        free(it);
}

void partition_remove(struct partition *p, struct item *it)
{
    table_remove(&p->table, it);
    discard(p, it);
}

void partition_reap(struct partition *p, struct item *it, int64_t at_ms)
{
    const bool expired = it->expires_at != 0 && (int64_t)it->expires_at <= at_ms;

    p->counts.reclaimed++;
    if (expired && (it->marks & ITEM_FETCHED) == 0)
        p->counts.expired_unfetched++;
    partition_remove(p, it);
}

struct item *partition_find(struct partition *p, uint64_t hash, const char *key,
                            size_t len, int64_t at_ms)
{
    struct item *it = table_find(&p->table, hash, key, len);

    if (it != NULL && partition_is_dead(p, it, at_ms)) {
        if (it->version <= p->floor)
            p->counts.get_flushed++;
        else
            p->counts.get_expired++;
        partition_reap(p, it, at_ms);
        return NULL;
    }
    return it;
}

/*
 * Removes the item at the end of the queue that nobody used, or a dead one
 * there.  `keep` (or NULL) is passed over.  False when nothing may go; with
 * `force` items go even where the store does not evict.
 */
static bool evict_one(struct partition *p, const struct item *keep, bool force,
                      int64_t at_ms)
{
    unsigned chances = SECOND_CHANCES;
    struct item *it;

    while ((it = p->oldest) != NULL) {
        if (it == keep) {
            if (it == p->newest)
                return false;
            queue_to_front(p, it);
        } else if (partition_is_dead(p, it, at_ms)) {
            partition_reap(p, it, at_ms);
            return true;
        } else if (!p->evict && !force) {
            return false;
        } else if ((it->marks & ITEM_ACTIVE) != 0 && chances > 0) {
            chances--;
            it->marks &= ITEM_MARKS ^ ITEM_ACTIVE;
            queue_to_front(p, it);
        } else {
            p->counts.evictions++;
            if (evictions_wanted(p->evictions, at_ms))
                evictions_add(p->evictions, it, at_ms);
            if ((it->marks & ITEM_FETCHED) == 0)
                p->counts.evicted_unfetched++;
            partition_remove(p, it);
            return true;
        }
    }
    return false;
}

/* Memory for the draft, within the limit; NULL when it cannot be had. */
static struct item *take_item(struct partition *p, const struct draft *d,
                              const struct item *keep, int64_t at_ms)
{
    const size_t bytes = item_bytes(d->key_len, d->value_len, d->marks);
    const size_t kept = keep == NULL ? 0 : bytes_of(keep);
    unsigned tries = ALLOC_EVICTIONS;
    struct item *it;

    /* what can never fit shall not cost everybody else's items first */
    if (table_bytes(&p->table) + kept + bytes > p->limit_bytes)
        return NULL;
    while (partition_bytes(p) + bytes > p->limit_bytes) {
        if (!evict_one(p, keep, false, at_ms))
            return NULL;
    }
    while ((it = item_new(d->key_len, d->value_len, d->marks)) == NULL) {
        if (tries-- == 0 || !evict_one(p, keep, false, at_ms))
            return NULL;
    }
    p->item_bytes += bytes;
    return it;
}

/*
 * An index that wants to grow is given its room a few evictions at a time, so
 * that no single command pays for it; chains are longer until then.
 */
static void grow_index(struct partition *p, const struct item *keep, int64_t at_ms)
{
    const size_t bytes = table_wants_bytes(&p->table);

    if (bytes == 0)
        return;
    for (int i = 0; i < GROW_EVICTIONS; i++) {
        if (partition_bytes(p) + bytes <= p->limit_bytes) {
            table_grow(&p->table);
            return;
        }
        if (!evict_one(p, keep, false, at_ms))
            return;
    }
}

bool partition_put(struct partition *p, uint64_t hash, struct item *old,
                   const struct draft *d, int64_t at_ms)
{
    const size_t bytes = item_bytes(d->key_len, d->value_len, d->marks);
    struct item *it;

    /* of the same cost: no malloc for keys that are written again and again */
    if (old != NULL && old->loans == 0 && bytes_of(old) == bytes) {
        item_fill(old, d, at_ms);
        queue_to_front(p, old);
        return true;
    }
    if ((it = take_item(p, d, old, at_ms)) == NULL)
        return false;
    it->loans = 0;
    item_fill(it, d, at_ms);
    queue_put(p, it);
    if (old != NULL) {
        table_replace(&p->table, hash, old, it);
        discard(p, old);
    } else {
        table_insert(&p->table, hash, it);
        grow_index(p, it, at_ms);
    }
    return true;
}

uint64_t partition_next_version(struct partition *p, int64_t at_ms)
{
    return version_next(&p->clock, p->began_wall_ms + at_ms);
}

void partition_flush(struct partition *p, uint64_t version, bool due)
{
    if (version <= p->floor)
        return;         /* told again: it neither adds nor takes the place of one */
    if (due) {
        flush_now(p, version);
        return;
    }
    p->flush_version = version;
    p->flush_at_ms = version_wall_ms(version) - p->began_wall_ms;
}

uint64_t partition_flush_version(const struct partition *p)
{
    return p->flush_version != 0 ? p->flush_version : p->floor;
}

unsigned partition_sweep(struct partition *p, unsigned n, int64_t at_ms, bool *round)
{
    unsigned looked = 0;

    do {
        struct item *it = table_walk(&p->table, &p->sweep_position), *next;

        looked++;
        for (; it != NULL; it = next) {
            next = it->next;
            looked++;
            if (partition_is_dead(p, it, at_ms))
                partition_reap(p, it, at_ms);
        }
    } while (looked < n && p->sweep_position != 0);
    *round = p->sweep_position == 0;
    return looked;
}

bool partition_shrink(struct partition *p, unsigned n, int64_t at_ms)
{
    while (partition_bytes(p) > p->limit_bytes) {
        if (n-- == 0)
            return true;
        if (!evict_one(p, NULL, true, at_ms))
            return false;       /* the index alone is left */
    }
    return false;
}
