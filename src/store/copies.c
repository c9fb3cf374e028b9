/* What other members judged. */
#include "store/parts.h"

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
            .expires_at = store_expires_at(copy->ttl_ms, at_ms),
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
    partition_bury(p, hash, copy->key, copy->key_len, copy->version, at_ms);
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
