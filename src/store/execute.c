/* A client's command on the item of its key: judged, stamped and done. */
#include "base/unset.h"
#include "store/parts.h"

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
    d.expires_at = v->keep_ttl ? old->item.expires_at : store_expires_at(v->ttl_ms, at_ms);
    return partition_put(p, hash, old, &d, at_ms);
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
            partition_bury(p, hash, cmd->key, cmd->key_len, a->version, at_ms);
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
    if (!partition_touch(p, hash, cmd->key, f, store_expires_at(cmd->ttl_ms, at_ms), at_ms))
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
