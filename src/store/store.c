#include "store/store.h"

#include <assert.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/unset.h"
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

/* A time to live, not TTL_OVER, as an item keeps it. */
static uint64_t expires_at(int64_t ttl_ms, int64_t at_ms)
{
    if (ttl_ms == TTL_NEVER)
        return 0;
    if ((uint64_t)ttl_ms > ITEM_EXPIRES_MAX - (uint64_t)at_ms)
        return ITEM_EXPIRES_MAX;
    return (uint64_t)(at_ms + ttl_ms);
}

static void show(const struct found *f, int64_t at_ms, struct answer *a)
{
    const struct item *it = &f->item;

    a->marks |= item_told(it);
    a->version = it->version;
    a->token = item_token(it);
    a->client_flags = it->client_flags;
    a->ttl_ms = item_ttl(it, at_ms);
    a->idle_s = item_idle_s(it, at_ms);
    a->number = it->value_len;
    a->item = f->large;
    a->value = it->value;
    a->value_len = it->value_len;
}

/* A miss made an item: it is told as an empty hit. */
static void show_created(const struct verdict *v, struct answer *a, store_reader *reader,
                         void *arg)
{
    a->value = "";
    a->marks |= (v->marks & ITEM_KEY_ENCODED) != 0 ? MARK_KEY_ENCODED : 0u;
    if (v->status == STATUS_HIT)
        reader(arg, a);
}

/* Writes what was judged; `old` (or NULL) is what it takes the place of, and
 * void afterwards.  False when there is no room for it. */
static bool write_item(struct partition *p, const struct cmd *cmd, uint64_t hash,
                       const struct found *old, const struct verdict *v, int64_t at_ms,
                       struct answer *a)
{
    struct draft d = {
        .key = cmd->key, .key_len = cmd->key_len,
        .version = partition_next_version(p, at_ms),
        .client_flags = v->client_flags,
        .marks = v->marks | (v->token != 0 ? ITEM_TOKEN : 0u), .token = v->token,
        .used_at_s = (uint32_t)(at_ms / 1000),
        .piece = { v->piece[0], v->piece[1] }, .value_len = v->value_len,
    };

    a->version = d.version;
    a->token = v->token;
    a->marks |= v->token != 0 ? MARK_TOKEN : 0u;
    if (!v->keep_ttl && v->ttl_ms < 0) {        /* stored and gone at once */
        partition_delete(p, hash, old, cmd->key, cmd->key_len, d.version, at_ms);
        return true;
    }
    d.expires_at = v->keep_ttl ? old->item.expires_at : expires_at(v->ttl_ms, at_ms);
    return partition_put(p, hash, old, &d, at_ms);
}

/* What is there, now that room was made and things moved, is deleted. */
static void delete_left(struct partition *p, uint64_t hash, const char *key, size_t key_len,
                        uint64_t version, int64_t at_ms)
{
    struct found f;
    const bool is_there = partition_look(p, hash, key, key_len, &f);

    partition_delete(p, hash, is_there ? &f : NULL, key, key_len, version, at_ms);
}

static void delete_now(struct partition *p, const struct cmd *cmd, uint64_t hash,
                       const struct found *old, int64_t at_ms)
{
    partition_delete(p, hash, old, cmd->key, cmd->key_len, partition_next_version(p, at_ms),
                     at_ms);
}

/* There is no room.  A get may miss: between values there is no place for errors. */
static void refuse(struct partition *p, const struct cmd *cmd, struct answer *a)
{
    p->counts.no_memory++;
    *a = (struct answer){ .status = verb_is_get(cmd->verb) ? STATUS_NOT_FOUND
                                                           : STATUS_NO_MEMORY };
}

static void execute_write(struct partition *p, const struct cmd *cmd, uint64_t hash,
                          const struct found *old, const struct verdict *v,
                          int64_t at_ms, struct answer *a, store_reader *reader, void *arg)
{
    /* what t of ma tells before a T that follows it */
    const int64_t old_ttl_ms = old != NULL && !item_is_deleted(&old->item)
                             ? item_ttl(&old->item, at_ms) : TTL_NEVER;

    a->marks = v->told;
    if (!write_item(p, cmd, hash, old, v, at_ms, a)) {
        if ((v->deeds & DEED_REMOVE) != 0)      /* better no item than an old one */
            delete_left(p, hash, cmd->key, cmd->key_len, a->version, at_ms);
        refuse(p, cmd, a);
        return;
    }
    a->ttl_ms = old_ttl_ms;
    if (v->status == STATUS_STORED) {
        a->number = v->value_len;
        p->counts.total_items++;
    } else if (verb_is_get(cmd->verb)) {
        p->counts.total_items++;
        show_created(v, a, reader, arg);
    }
}

/* A hit leaves its traces: of what is read often only one in a second writes. */
static void use(struct item *it, unsigned deeds, int64_t at_ms)
{
    const bool counts = (deeds & DEED_USE) != 0;
    const uint32_t now_s = (uint32_t)(at_ms / 1000);
    const uint32_t used_at_s = counts && item_idle_s(it, at_ms) > 0 ? now_s : it->used_at_s;
    const unsigned uses = counts ? item_more_uses(it) : it->uses;
    unsigned marks = it->marks;

    marks |= (deeds & DEED_WIN) != 0 ? ITEM_WON : 0u;
    marks |= counts ? ITEM_FETCHED : 0u;
    if (used_at_s != it->used_at_s || uses != it->uses || marks != it->marks)
        item_set_used(it, used_at_s, uses, marks);
}

/* The item gets its new end, and is shown from where it is then.  False when
 * there is no room: it stays as it was. */
static bool touch_shown(struct partition *p, const struct cmd *cmd, uint64_t hash,
                        struct found *f, int64_t at_ms, struct answer *a)
{
    if (!partition_touch(p, hash, cmd->key, f, expires_at(cmd->ttl_ms, at_ms), at_ms))
        return false;
    a->item = f->large;
    a->value = f->item.value;
    return true;
}

/* Shows the item as it was before it is touched. */
static void execute_found(struct partition *p, const struct cmd *cmd, uint64_t hash,
                          struct found *f, const struct verdict *v, int64_t at_ms,
                          struct answer *a, store_reader *reader, void *arg)
{
    const bool touches = (v->deeds & DEED_TOUCH) != 0;

    a->marks = v->told;
    show(f, at_ms, a);
    if (touches && cmd->ttl_ms >= 0 && !touch_shown(p, cmd, hash, f, at_ms, a)) {
        refuse(p, cmd, a);
        return;
    }
    use(&f->item, v->deeds, at_ms);
    if (v->status == STATUS_HIT)
        reader(arg, a);
    if (touches && cmd->ttl_ms < 0)
        delete_now(p, cmd, hash, f, at_ms);
}

void store_execute(struct store *s, const struct cmd *cmd, uint64_t hash, int64_t now_ms,
                   struct answer *a, store_reader *reader, void *arg)
{
    struct partition *p = store_partition(s, hash);
    const int64_t at_ms = store_at(s, now_ms);
    UNSET struct verdict v;
    UNSET struct found found;
    struct found *there = NULL, *f = NULL;      /* anything; an item that lives */

    partition_lock(p, at_ms);
    if (partition_find(p, hash, cmd->key, cmd->key_len, at_ms, &found))
        there = &found;
    if (there != NULL && !item_is_deleted(&found.item))
        f = there;
    judge(&v, cmd, f != NULL ? &f->item : NULL,
          f != NULL ? item_ttl(&f->item, at_ms) : TTL_NEVER, &s->rules);
    *a = (struct answer){ .status = v.status, .number = v.number };

    if ((v.deeds & DEED_WRITE) != 0)
        execute_write(p, cmd, hash, there, &v, at_ms, a, reader, arg);
    else if ((v.deeds & (DEED_SHOW | DEED_TOUCH)) != 0)
        execute_found(p, cmd, hash, f, &v, at_ms, a, reader, arg);
    else if ((v.deeds & DEED_USE) != 0)
        item_set_used(&f->item, f->item.used_at_s, item_more_uses(&f->item), f->item.marks);
    else if ((v.deeds & DEED_REMOVE) != 0 && f != NULL)
        delete_now(p, cmd, hash, f, at_ms);

    p->counts.no_memory += v.status == STATUS_NO_MEMORY;
    p->counts.too_large += a->status == STATUS_TOO_LARGE;
    partition_unlock(p);
}

/* With the lock held. */
static enum applied apply(struct store *s, struct partition *p, const struct copy *copy,
                          uint64_t hash, int64_t at_ms)
{
    /* a dead item too: that its time has come does not make an older one newer */
    struct found found, *old = partition_look(p, hash, copy->key, copy->key_len, &found)
                             ? &found : NULL;
    const bool gone = copy->kind == COPY_DELETED || copy->ttl_ms < 0;
    const bool has_token = (copy->marks & MARK_TOKEN) != 0;

    version_see(&p->clock, copy->version);
    if (copy->version <= p->floor || copy->version <= p->forgotten ||
        (old != NULL && old->item.version >= copy->version))
        return APPLIED_OLDER;
    if (!gone && item_fits(copy->key_len, copy->value_len, s->rules.max_item_bytes)) {
        const struct draft d = {
            .key = copy->key, .key_len = copy->key_len, .version = copy->version,
            .expires_at = expires_at(copy->ttl_ms, at_ms),
            .client_flags = copy->client_flags,
            .marks = item_marks(copy->marks), .token = has_token ? copy->token : 0,
            .used_at_s = (uint32_t)(at_ms / 1000),
            .piece = { { copy->value, copy->value_len } }, .value_len = copy->value_len,
        };

        if (partition_put(p, hash, old, &d, at_ms)) {
            p->counts.total_items++;
            return APPLIED;
        }
    }
    /* deleted, or no room for it: better none than an older one */
    delete_left(p, hash, copy->key, copy->key_len, copy->version, at_ms);
    p->counts.no_memory += !gone;
    return gone ? APPLIED : APPLIED_NO_MEMORY;
}

enum applied store_apply(struct store *s, const struct copy *copy, int64_t now_ms)
{
    const uint64_t hash = store_hash(s, copy->key, copy->key_len);
    const int64_t at_ms = store_at(s, now_ms);
    struct partition *p = store_partition(s, hash);
    enum applied applied;

    partition_lock(p, at_ms);
    applied = apply(s, p, copy, hash, at_ms);
    partition_unlock(p);
    return applied;
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
