#include "store/partition.h"

#include <stdlib.h>

#include "base/hash.h"
#include "store/reclaim.h"

#define LARGE_FROM ((size_t)16 << 10)
#define LARGE_SHARE 4           /* of a segment, at most, is one item of the log */

/* Address space is cheap; large items want some, so that they find long runs. */
#define LARGE_SPACE 4

#define LEAST_SEGMENTS 4

#define STEP_HOMES 12           /* of an index that grows, with each insertion */

static size_t larges_space(const struct partition_config *config)
{
    const size_t space = LARGE_SPACE * config->most_bytes;

    return space > LARGE_SPACE * config->max_item_bytes ? space
                                                        : LARGE_SPACE * config->max_item_bytes;
}

bool partition_init(struct partition *p, const struct partition_config *config)
{
    *p = (struct partition){
        .limit_bytes = config->limit_bytes,
        .evict = config->evict,
        .tombstone_ms = config->tombstone_ms,
        .flush_at_ms = INT64_MAX,
        .unsettled_from = UINT64_MAX,
        .began_wall_ms = config->began_wall_ms,
        .hash_key = config->hash_key,
        .evictions = config->evictions,
        .clock = { .lane = config->index, .n_lanes = config->n_partitions, .number = 1 },
    };
    if (!index_init(&p->index, config->most_bytes))
        return false;
    if (!segments_init(&p->segments, config->limit_bytes, config->most_bytes))
        goto no_log;
    if (!larges_init(&p->larges, larges_space(config)))
        goto no_larges;
    lock_init(&p->lock);
    p->large_from = p->segments.segment_bytes / LARGE_SHARE;
    if (p->large_from > LARGE_FROM)
        p->large_from = LARGE_FROM;
    return true;

no_larges:
    segments_fini(&p->segments);
no_log:
    index_fini(&p->index);
    return false;
}

void partition_fini(struct partition *p)
{
    larges_fini(&p->larges);
    segments_fini(&p->segments);
    index_fini(&p->index);
}

/* The flush is in force; what is written from now on is above it. */
static void flush_now(struct partition *p, uint64_t version)
{
    p->floor = version;
    version_see(&p->clock, version);
    p->flush_version = 0;
    p->flush_at_ms = INT64_MAX;
}

void partition_flush_due(struct partition *p)
{
    flush_now(p, p->flush_version);
}

/* ---- places ---- */

static uint32_t where_large(const struct large *lg)
{
    return SEGMENTS_PLACES + 1 + lg->id;
}

/* Only with the lock can it be found: a hint is not worth waiting for it. */
void partition_prefetch_large(struct partition *p, uint32_t where)
{
    const uint32_t id = where - SEGMENTS_PLACES - 1;

    if (!lock_try(&p->lock))
        return;
    if (id < p->larges.n_ids && p->larges.by_id[id] != NULL)
        __builtin_prefetch(p->larges.by_id[id]->at);
    lock_give(&p->lock);
}

bool partition_find(struct partition *p, uint64_t hash, const char *key, size_t len,
                    int64_t at_ms, struct found *f)
{
    if (!partition_look(p, hash, key, len, f))
        return false;
    if (!partition_is_dead(p, &f->item, at_ms))
        return true;
    if (item_is_deleted(&f->item)) {
        partition_remove(p, f);
        return false;
    }
    if (f->item.version <= p->floor)
        p->counts.get_flushed++;
    else
        p->counts.get_expired++;
    if (f->item.open && f->item.version > p->floor) {
        const struct tombstone t = { key, len, f->item.version, true };

        reclaim_count_dead(p, &f->item, at_ms);
        partition_delete(p, hash, f, &t, at_ms);
        return partition_look(p, hash, key, len, f);
    }
    partition_reap(p, f, at_ms);
    return false;
}

/* ---- going ---- */

/* Its room; the index does not know it any more. */
static void leave(struct partition *p, const struct found *f)
{
    const size_t bytes = item_bytes(&f->item);
    struct segments *ss = &p->segments;

    p->item_bytes -= bytes;
    p->n_tombstones -= item_is_deleted(&f->item);
    p->n_open -= f->item.open;
    if (f->large != NULL) {
        large_remove(&p->larges, f->large);
        return;
    }
    item_end(f->item.at);
    segments_leave(ss, f->where, segments_span(ss, bytes));
    reclaim_if_empty(p, segments_segment(ss, f->where));
}

void partition_remove(struct partition *p, const struct found *f)
{
    index_remove(&p->index, f->hash, f->where);
    leave(p, f);
}

void partition_reap(struct partition *p, const struct found *f, int64_t at_ms)
{
    reclaim_count_dead(p, &f->item, at_ms);
    partition_remove(p, f);
}

/* ---- coming ---- */

/* What items of the log take, rounded up; each new one counts for an eighth. */
static void note_bytes(struct partition *p, size_t bytes)
{
    const size_t usual = atomic_load_explicit(&p->usual_bytes, memory_order_relaxed);

    atomic_store_explicit(&p->usual_bytes, (uint32_t)((7 * usual + bytes + 7) / 8),
                          memory_order_relaxed);
}

static char *take_in_group(struct partition *p, const struct draft *d, unsigned group)
{
    const uint32_t span = segments_span(&p->segments, draft_bytes(d));

    return segments_take(&p->segments, group, span, d->expires_at, d->version);
}

/* New room for the draft where there is some, without making any: f->where and
 * f->large say which.  NULL: room must be made. */
static char *take_room(struct partition *p, const struct draft *d, int64_t at_ms,
                       struct found *f)
{
    const size_t bytes = draft_bytes(d);
    const int64_t ttl_ms = d->expires_at == 0 ? TTL_NEVER : (int64_t)d->expires_at - at_ms;
    unsigned group;
    char *at;

    if (bytes > p->large_from) {
        if (partition_bytes(p) + region_round(bytes) > p->limit_bytes)
            return NULL;
        f->large = large_new(&p->larges, bytes, ++p->stamp);
        if (f->large == NULL)
            return NULL;
        f->large->partition = p;
        f->where = where_large(f->large);
        return f->large->at;
    }
    note_bytes(p, bytes);
    group = (d->marks & ITEM_DELETED) != 0 ? p->segments.n_groups
                                           : segments_group(&p->segments, ttl_ms);
    at = take_in_group(p, d, group);
    if (at == NULL) {
        if (group == p->segments.n_groups && reclaim_has_many_tombstones(p))
            return NULL;
        if (!segments_has_spare(&p->segments) &&
            partition_bytes(p) + p->segments.segment_bytes > p->limit_bytes)
            return NULL;
        if (!segments_open(&p->segments, group, ++p->stamp))
            return NULL;
        at = take_in_group(p, d, group);
    }
    f->large = NULL;
    f->where = segments_where(&p->segments, at);
    return at;
}

/* The room is the old item's: nothing else has to know. */
static bool write_over(struct partition *p, const struct found *old, struct draft *d)
{
    const size_t bytes = draft_bytes(d), had = item_bytes(&old->item);

    if (!item_can_become(&old->item, d) ||
        item_is_deleted(&old->item) != ((d->marks & ITEM_DELETED) != 0))
        return false;
    if (old->large != NULL) {
        if (old->large->loans > 0 || region_round(bytes) != large_bytes(old->large) ||
            bytes <= p->large_from)
            return false;
        large_to_front(&p->larges, old->large, ++p->stamp);
    } else {
        if (segments_span(&p->segments, bytes) != segments_span(&p->segments, had) ||
            !segments_can_end(&p->segments, old->where, d->expires_at))
            return false;
        segments_renew(&p->segments, old->where, d->expires_at, d->version);
    }
    d->uses = item_more_uses(&old->item);
    item_write(old->item.at, d);
    p->n_open += d->open;
    p->n_open -= old->item.open;
    p->item_bytes += bytes - had;
    return true;
}

/* Writes the draft to new room and makes that its key's place. */
static bool write_new(struct partition *p, const struct found *old, struct draft *d,
                      struct found *f, char *at)
{
    d->uses = old != NULL && old->item.uses > ITEM_USES_NEW ? old->item.uses : ITEM_USES_NEW;
    item_write(at, d);
    p->item_bytes += draft_bytes(d);
    p->n_tombstones += (d->marks & ITEM_DELETED) != 0;
    p->n_open += d->open;
    if (old != NULL) {
        index_move(&p->index, f->hash, old->where, f->where);
        leave(p, old);
    } else if (!index_insert(&p->index, f->hash, f->where)) {
        item_read(&f->item, at);
        leave(p, f);
        return false;
    }
    return true;
}

/* Pieces of what is there move when room is made: they wait in memory of
 * their own, the caller's.  False when there is none. */
static bool save_piece(struct draft *d, const struct found *old, char **saved)
{
    *saved = NULL;
    for (unsigned i = 0; i < 2; i++) {
        struct piece *piece = &d->piece[i];

        if (piece->len == 0 || piece->data < old->item.at ||
            piece->data >= old->item.value + old->item.value_len)
            continue;
        *saved = store_may_take(piece->len) ? malloc(piece->len) : NULL;
        if (*saved == NULL)
            return false;
        memcpy(*saved, piece->data, piece->len);
        piece->data = *saved;
        return true;            /* only one of two is of the old value */
    }
    return true;
}

/* Makes room first: things move, and the old item is looked for once more. */
static bool put_with_room(struct partition *p, uint64_t hash, struct draft *d,
                          struct found *f, int64_t at_ms)
{
    const size_t bytes = draft_bytes(d);
    struct found old;
    bool is_there;
    char *at;

    if ((d->marks & ITEM_DELETED) != 0)
        reclaim_tombstones(p, at_ms);
    if (!(bytes > p->large_from ? reclaim_bytes(p, region_round(bytes), at_ms)
                                : reclaim_segment(p, at_ms)))
        return false;
    at = take_room(p, d, at_ms, f);
    if (at == NULL && bytes <= p->large_from && reclaim_spare(p, at_ms))
        at = take_room(p, d, at_ms, f);
    if (at == NULL)
        return false;
    is_there = partition_look(p, hash, d->key, d->key_len, &old);
    return write_new(p, is_there ? &old : NULL, d, f, at);
}

/* An index that wants to grow gets its room before it is full: by eviction,
 * where that is allowed. */
static void tend_index(struct partition *p, int64_t at_ms)
{
    const size_t bytes = index_wants_bytes(&p->index);

    if (bytes > 0 && (partition_bytes(p) + bytes <= p->limit_bytes
                      || (p->evict && reclaim_bytes(p, bytes, at_ms))))
        index_grow(&p->index);
    index_step(&p->index, STEP_HOMES);
}

bool partition_put(struct partition *p, uint64_t hash, const struct found *old,
                   const struct draft *draft, int64_t at_ms)
{
    struct draft d = *draft;
    struct found f = { .hash = index_hash(hash) };
    char *saved = NULL, *at;
    bool done;

    if (old != NULL && write_over(p, old, &d))
        return true;
    at = take_room(p, &d, at_ms, &f);
    if (at != NULL)
        done = write_new(p, old, &d, &f, at);
    else
        done = (old == NULL || save_piece(&d, old, &saved))
            && put_with_room(p, hash, &d, &f, at_ms);
    free(saved);
    tend_index(p, at_ms);
    return done;
}

void partition_delete(struct partition *p, uint64_t hash, const struct found *old,
                      const struct tombstone *t, int64_t at_ms)
{
    const struct draft d = {
        .key = t->key, .key_len = t->key_len, .version = t->version, .open = t->open,
        .marks = ITEM_DELETED, .expires_at = (uint64_t)(at_ms + p->tombstone_ms),
    };
    struct found left;

    if (p->tombstone_ms == 0) {
        if (old != NULL)
            partition_remove(p, old);
        return;
    }
    if (partition_put(p, hash, old, &d, at_ms))
        return;
    if (partition_look(p, hash, t->key, t->key_len, &left))
        partition_remove(p, &left);
    if (t->version > p->forgotten)
        p->forgotten = t->version;
}

void partition_bury(struct partition *p, uint64_t hash, const struct tombstone *t,
                    int64_t at_ms)
{
    struct found f;
    const bool is_there = partition_look(p, hash, t->key, t->key_len, &f);

    partition_delete(p, hash, is_there ? &f : NULL, t, at_ms);
}

void partition_set_open(struct partition *p, struct item *it, bool open)
{
    if (it->open == open)
        return;
    p->n_open += open;
    p->n_open -= it->open;
    item_set_open(it, open);
}

/* It is written anew, to a segment whose items last as long. */
static bool rewrite(struct partition *p, uint64_t hash, const char *key,
                    const struct found *f, uint64_t expires_at, int64_t at_ms)
{
    const struct item *it = &f->item;
    const struct draft d = {
        .key = key, .key_len = it->key_len, .version = it->version, .open = it->open,
        .expires_at = expires_at, .client_flags = it->client_flags,
        .marks = item_told(it), .token = item_token(it), .used_at_s = it->used_at_s,
        .piece = { { it->value, it->value_len } }, .value_len = it->value_len,
    };

    return partition_put(p, hash, f, &d, at_ms);
}

bool partition_touch(struct partition *p, uint64_t hash, const char *key, struct found *f,
                     uint64_t expires_at, int64_t at_ms)
{
    const size_t key_len = f->item.key_len;
    bool moved;

    if (expires_at == f->item.expires_at)
        return true;
    if (expires_at != 0 && f->item.expires_at != 0 &&
        (f->large != NULL || segments_can_end(&p->segments, f->where, expires_at))) {
        item_set_expiry(&f->item, expires_at);
        return true;
    }
    moved = rewrite(p, hash, key, f, expires_at, at_ms);
    if (!partition_look(p, hash, key, key_len, f))
        return false;
    if (!moved && expires_at != 0 && f->item.expires_at != 0) {
        item_set_expiry(&f->item, expires_at);  /* no room: its segment stays for longer */
        segments_renew(&p->segments, f->where, expires_at, f->item.version);
        return true;
    }
    return moved;
}

/* ---- clock ---- */

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

size_t partition_least_bytes(const struct partition *p)
{
    return LEAST_SEGMENTS * (size_t)p->segments.segment_bytes;
}

int64_t partition_oldest_ms(const struct partition *p)
{
    uint64_t oldest = VERSION_MAX;

    for (unsigned i = 0; i < p->segments.n_groups; i++) {
        const uint32_t segment = p->segments.groups[i].oldest;

        if (segment != SEGMENTS_NONE && p->segments.segment[segment].newest_version < oldest)
            oldest = p->segments.segment[segment].newest_version;
    }
    if (p->larges.oldest != NULL && item_version(p->larges.oldest->at) < oldest)
        oldest = item_version(p->larges.oldest->at);
    return oldest < VERSION_MAX ? version_wall_ms(oldest) - p->began_wall_ms : INT64_MAX;
}
