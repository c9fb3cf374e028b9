#include "store/store.h"

#include <assert.h>
#include <stdlib.h>

#include "base/hash.h"
#include "store/parts.h"
#include "store/reclaim.h"

#define LARGEST_IN_PARTITION 4  /* of the largest items, one has room for */
#define PARTITION_MIN ((size_t)8 << 20)

/* So much more than its limit a store can be given later: address space only. */
#define GROWTH 4
#define GROWTH_MIN ((size_t)64 << 20)

/*
 * How far ahead of the wall's clock a flush may be that is meant for now: the
 * clock of another member runs ahead a little, a delay is a second at least.
 */
#define FLUSH_AHEAD_MS 500

static unsigned count_partitions(const struct store_config *config)
{
    const size_t largest = config->max_item_bytes * LARGEST_IN_PARTITION;
    const size_t share = largest > PARTITION_MIN ? largest : PARTITION_MIN;
    unsigned n = VERSION_MAX_LANES;

    while (n > 1 && config->memory_bytes / n < share)
        n /= 2;
    return n;
}

static size_t most_bytes(size_t limit)
{
    return limit > GROWTH_MIN / GROWTH ? limit * GROWTH : GROWTH_MIN;
}

struct store *store_new(const struct store_config *config)
{
    const unsigned n = count_partitions(config);
    const size_t size = sizeof(struct store) + n * sizeof(struct partition);
    struct store *s = aligned_alloc(PARTITION_ALIGN, size);

    assert(config->max_item_bytes <= UINT32_MAX);
    if (s == NULL)
        return NULL;
    memset(s, 0, size);
    s->rules = (struct judge_rules){ config->max_item_bytes, config->cas };
    memcpy(s->hash_key, config->hash_key, sizeof(s->hash_key));
    s->began_ms = config->now_ms;
    s->began_wall_ms = config->wall_ms;
    atomic_init(&s->limit_bytes, config->memory_bytes);
    s->most_bytes = most_bytes(config->memory_bytes / n) * n;
    if (pthread_mutex_init(&s->whole, NULL) != 0) {
        free(s);
        return NULL;
    }
    if (!evictions_init(&s->evictions)) {
        pthread_mutex_destroy(&s->whole);
        free(s);
        return NULL;
    }
    for (unsigned i = 0; i < n; i++) {
        const struct partition_config pc = {
            .hash_key = s->hash_key, .limit_bytes = config->memory_bytes / n,
            .most_bytes = most_bytes(config->memory_bytes / n),
            .max_item_bytes = config->max_item_bytes, .evict = config->evict,
            .tombstone_ms = config->tombstone_ms, .began_wall_ms = config->wall_ms,
            .index = i, .n_partitions = n, .evictions = &s->evictions,
        };

        if (!partition_init(&s->partition[i], &pc)) {
            store_free(s);
            return NULL;
        }
        s->n_partitions++;
    }
    s->least_bytes = n * partition_least_bytes(&s->partition[0]);
    return s;
}

void store_free(struct store *s)
{
    if (s == NULL)
        return;
    for (unsigned i = 0; i < s->n_partitions; i++)
        partition_fini(&s->partition[i]);
    evictions_fini(&s->evictions);
    pthread_mutex_destroy(&s->whole);
    free(s);
}

void store_set_number(struct store *s, unsigned number)
{
    assert(number >= 1 && number <= VERSION_NUMBER_MAX);
    for (unsigned i = 0; i < s->n_partitions; i++) {
        partition_lock(&s->partition[i], 0);
        s->partition[i].clock.number = number;
        partition_unlock(&s->partition[i]);
    }
}

uint64_t store_hash(const struct store *s, const char *key, size_t len)
{
    return hash_sip13(s->hash_key, key, len);
}

void store_prefetch(const struct store *s, uint64_t hash)
{
    partition_prefetch(&s->partition[hash & (s->n_partitions - 1)], hash);
}

void store_prefetch_item(struct store *s, uint64_t hash)
{
    partition_prefetch_item(store_partition(s, hash), hash);
}

/* The greatest version that any partition gave or saw can have been. */
static uint64_t latest_version(struct store *s, int64_t at_ms)
{
    uint64_t latest = 0;

    for (unsigned i = 0; i < s->n_partitions; i++) {
        struct partition *p = &s->partition[i];

        partition_lock(p, at_ms);
        if (version_latest(&p->clock) > latest)
            latest = version_latest(&p->clock);
        partition_unlock(p);
    }
    return latest;
}

uint64_t store_clock(struct store *s, int64_t now_ms)
{
    const int64_t at_ms = store_at(s, now_ms);
    const uint64_t latest = latest_version(s, at_ms);
    uint64_t version = 0;

    /* The first gives it, so it is nobody else's; the others follow. */
    for (unsigned i = 0; i < s->n_partitions; i++) {
        struct partition *p = &s->partition[i];

        partition_lock(p, at_ms);
        if (i == 0) {
            version_see(&p->clock, latest);
            version = partition_next_version(p, at_ms);
        } else {
            version_see(&p->clock, version);
        }
        partition_unlock(p);
    }
    return version;
}

bool store_see(struct store *s, uint64_t version, int64_t now_ms)
{
    const int64_t at_ms = store_at(s, now_ms);

    if (version > VERSION_MAX ||
        version_wall_ms(version) > s->began_wall_ms + at_ms + VERSION_AHEAD_MS)
        return false;
    for (unsigned i = 0; i < s->n_partitions; i++) {
        partition_lock(&s->partition[i], at_ms);
        version_see(&s->partition[i].clock, version);
        partition_unlock(&s->partition[i]);
    }
    return true;
}

void store_flush(struct store *s, uint64_t version, int64_t now_ms, enum flush_when when)
{
    const int64_t at_ms = store_at(s, now_ms);

    pthread_mutex_lock(&s->whole);
    /* Ours may run ahead of the wall: what it gave is no future to wait for. */
    const bool due = when == FLUSH_NOW
                  || version_wall_ms(version) <= s->began_wall_ms + at_ms + FLUSH_AHEAD_MS
                  || version <= latest_version(s, at_ms);

    for (unsigned i = 0; i < s->n_partitions; i++) {
        partition_lock(&s->partition[i], at_ms);
        partition_flush(&s->partition[i], version, due);
        partition_unlock(&s->partition[i]);
    }
    pthread_mutex_unlock(&s->whole);
}

uint64_t store_flush_version(struct store *s)
{
    uint64_t version;

    partition_lock(&s->partition[0], 0);
    version = partition_flush_version(&s->partition[0]);
    partition_unlock(&s->partition[0]);
    return version;
}

size_t store_set_limit(struct store *s, size_t memory_bytes, int64_t now_ms)
{
    const int64_t at_ms = store_at(s, now_ms);

    pthread_mutex_lock(&s->whole);
    if (memory_bytes < s->least_bytes || memory_bytes > s->most_bytes)
        memory_bytes = atomic_load(&s->limit_bytes);
    atomic_store(&s->limit_bytes, memory_bytes);
    for (unsigned i = 0; i < s->n_partitions; i++) {
        struct partition *p = &s->partition[i];
        bool more;

        do {
            partition_lock(p, at_ms);
            p->limit_bytes = memory_bytes / s->n_partitions;
            more = reclaim_shrink(p, at_ms);
            partition_unlock(p);
        } while (more);
    }
    pthread_mutex_unlock(&s->whole);
    return memory_bytes;
}

size_t store_evictions(struct store *s, uint64_t *cursor, int64_t now_ms, char *out)
{
    return evictions_take(&s->evictions, cursor, store_at(s, now_ms), out);
}
