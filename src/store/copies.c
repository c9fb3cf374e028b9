/* What other members judged, and what they have of what was judged here. */
#include "store/parts.h"

/* ---- applying ---- */

static bool is_ahead(const struct partition *p, uint64_t version, int64_t at_ms)
{
    return version > VERSION_MAX || partition_age_ms(p, version, at_ms) < -VERSION_AHEAD_MS;
}

/* It says which item it means, so nothing is too old for it. */
static enum applied apply_touch(struct partition *p, uint64_t hash, const struct copy *copy,
                                struct found *old, int64_t at_ms)
{
    const struct tombstone t = { copy->key, copy->key_len, copy->version, false };

    if (old == NULL || old->item.version != copy->version || item_is_deleted(&old->item) ||
        copy->ttl_ms < 0 || partition_is_dead(p, &old->item, at_ms))
        return APPLIED_OLDER;
    if (partition_touch(p, hash, copy->key, old, store_expires_at(copy->ttl_ms, at_ms), at_ms) ||
        copy->ttl_ms == TTL_NEVER)
        return APPLIED;
    /* no room for an end: better none than one that lasts longer than elsewhere */
    partition_bury(p, hash, &t, at_ms);
    p->counts.no_memory++;
    return APPLIED_NO_MEMORY;
}

/* False when there is no room for it. */
static bool put_value(struct partition *p, uint64_t hash, const struct copy *copy,
                      const struct found *old, int64_t at_ms)
{
    const bool has_token = (copy->marks & MARK_TOKEN) != 0;
    const uint32_t now_s = (uint32_t)(at_ms / 1000);
    const struct draft d = {
        .key = copy->key, .key_len = copy->key_len, .version = copy->version,
        .expires_at = store_expires_at(copy->ttl_ms, at_ms),
        .client_flags = copy->client_flags,
        .marks = item_marks(copy->marks), .token = has_token ? copy->token : 0,
        .used_at_s = now_s - (copy->any_age && copy->idle_s < now_s ? copy->idle_s : 0),
        .piece = { { copy->value, copy->value_len } }, .value_len = copy->value_len,
    };

    return partition_put(p, hash, old, &d, at_ms);
}

/* It is newer than `old` (or NULL), and may be. */
static enum applied apply_newer(struct store *s, struct partition *p, uint64_t hash,
                                const struct copy *copy, const struct found *old,
                                int64_t at_ms)
{
    const struct tombstone t = { copy->key, copy->key_len, copy->version, false };
    const bool gone = copy->kind == COPY_DELETED || copy->ttl_ms < 0;

    if (!gone && item_fits(copy->key_len, copy->value_len, s->rules.max_item_bytes) &&
        put_value(p, hash, copy, old, at_ms)) {
        p->counts.total_items++;
        return APPLIED;
    }
    /* deleted, or no room for it: better none than an older one */
    partition_bury(p, hash, &t, at_ms);
    p->counts.no_memory += !gone;
    return gone ? APPLIED : APPLIED_NO_MEMORY;
}

/* With the lock held. */
static enum applied apply(struct store *s, struct partition *p, const struct copy *copy,
                          uint64_t hash, int64_t at_ms)
{
    /* a dead item too: that its time has come does not make an older one newer */
    struct found found, *old = partition_look(p, hash, copy->key, copy->key_len, &found)
                             ? &found : NULL;

    if (is_ahead(p, copy->version, at_ms)) {
        p->counts.replays_ahead++;
        return APPLIED_REFUSED;
    }
    version_see(&p->clock, copy->version);
    if (copy->version <= p->floor)
        return APPLIED_OLDER;
    if (copy->kind == COPY_TOUCHED)
        return apply_touch(p, hash, copy, old, at_ms);
    if (old != NULL && old->item.version >= copy->version) {
        if (copy->kind == COPY_VALUE && copy->renew)
            apply_touch(p, hash, copy, old, at_ms);
        return APPLIED_OLDER;
    }
    if (copy->version <= p->forgotten) {
        if (old != NULL)
            partition_remove(p, old);
        return APPLIED_REFUSED;
    }
    if (!copy->any_age && partition_age_ms(p, copy->version, at_ms) > REPLAY_WINDOW_MS)
        return APPLIED_REFUSED;
    return apply_newer(s, p, hash, copy, old, at_ms);
}

static void count(struct partition_counts *c, enum applied applied)
{
    switch (applied) {
    case APPLIED:
    case APPLIED_NO_MEMORY:
        c->replays_applied++;
        return;
    case APPLIED_OLDER:
        c->replays_older++;
        return;
    case APPLIED_REFUSED:
        c->replays_refused++;
        return;
    }
}

enum applied store_apply(struct store *s, const struct copy *copy, int64_t now_ms)
{
    const uint64_t hash = copy->hash != 0 ? copy->hash
                                          : store_hash(s, copy->key, copy->key_len);
    const int64_t at_ms = store_at(s, now_ms);
    struct partition *p = store_partition(s, hash);
    enum applied applied;

    partition_lock(p, at_ms);
    applied = apply(s, p, copy, hash, at_ms);
    count(&p->counts, applied);
    partition_unlock(p);
    return applied;
}

void store_use(struct store *s, const char *key, size_t key_len, int64_t now_ms)
{
    const uint64_t hash = store_hash(s, key, key_len);
    const int64_t at_ms = store_at(s, now_ms);
    struct partition *p = store_partition(s, hash);
    struct found f;

    partition_lock(p, at_ms);
    if (partition_look(p, hash, key, key_len, &f) && !item_is_deleted(&f.item) &&
        !partition_is_dead(p, &f.item, at_ms))
        item_set_used(&f.item, (uint32_t)(at_ms / 1000), item_more_uses(&f.item),
                      f.item.marks | ITEM_FETCHED);
    partition_unlock(p);
}

/* ---- what is open ---- */

/* No two items have the same version: nobody needs the key. */
static bool look_for_version(const struct partition *p, uint64_t hash, uint64_t version,
                             struct found *f)
{
    struct place at;

    f->hash = index_hash(hash);
    for (uint32_t where = index_first(&p->index, f->hash, &at); where != INDEX_NOWHERE;
         where = index_next(&p->index, f->hash, &at)) {
        partition_read(p, where, f);
        if (f->item.version == version)
            return true;
    }
    return false;
}

bool store_confirm(struct store *s, uint64_t hash, uint64_t version)
{
    struct partition *p = store_partition(s, hash);
    struct found f;
    bool was_open;

    partition_lock(p, 0);
    was_open = look_for_version(p, hash, version, &f) && f.item.open;
    if (was_open)
        partition_set_open(p, &f.item, false);
    partition_unlock(p);
    return was_open;
}

void store_show_open(struct store *s, uint64_t hash, uint64_t version, int64_t now_ms,
                     store_visitor *visit, void *arg)
{
    const int64_t at_ms = store_at(s, now_ms);
    struct partition *p = store_partition(s, hash);
    struct found f;

    partition_lock(p, at_ms);
    if (look_for_version(p, hash, version, &f) && partition_is_open(p, &f.item) &&
        version > p->floor) {
        struct copy copy = item_copy(&f.item, at_ms);

        copy.any_age = copy.renew = copy.open = true;
        if (partition_is_dead(p, &f.item, at_ms))
            copy.kind = COPY_DELETED;
        visit(arg, &copy);
    }
    partition_unlock(p);
}

void store_unsettle(struct store *s, uint64_t from_version, int64_t now_ms)
{
    const uint64_t to = store_clock(s, now_ms);

    for (unsigned i = 0; i < s->n_partitions; i++) {
        struct partition *p = &s->partition[i];

        partition_lock(p, 0);
        p->unsettled_from = from_version;
        p->unsettled_to = to;
        partition_unlock(p);
    }
}

void store_settle(struct store *s)
{
    for (unsigned i = 0; i < s->n_partitions; i++) {
        partition_lock(&s->partition[i], 0);
        s->partition[i].unsettled_from = UINT64_MAX;
        partition_unlock(&s->partition[i]);
    }
}

void store_set_copies(struct store *s, int64_t tombstone_ms, bool hold)
{
    for (unsigned i = 0; i < s->n_partitions; i++) {
        partition_lock(&s->partition[i], 0);
        s->partition[i].tombstone_ms = tombstone_ms;
        s->partition[i].hold = hold;
        partition_unlock(&s->partition[i]);
    }
}
