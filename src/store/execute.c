/* A client's command on the item of its key: judged, stamped and done. */
#include "base/unset.h"
#include "store/parts.h"

/* A command at work. */
struct work {
    struct partition *p;        /* locked */
    const struct cmd *cmd;
    uint64_t hash;
    int64_t at_ms;
    struct answer *a;
    const struct store_reader *reader;
};

/* ---- what copies must be told ---- */

/* The answer to a hit says what was found, all others what is to be confirmed. */
static void tell(const struct work *w, const struct copy *copy)
{
    w->a->marks |= MARK_OPEN;
    if (w->a->status != STATUS_HIT && w->a->status != STATUS_HEAD)
        w->a->version = copy->version;
    if (w->reader->told != NULL)
        w->reader->told(w->reader->arg, copy);
}

/* As it is held here: however old it is by now, the copies are to have it. */
static void tell_held(const struct work *w, const struct item *it)
{
    struct copy copy = item_copy(it, w->at_ms);

    copy.any_age = copy.renew = true;
    tell(w, &copy);
}

static void tell_deleted(const struct work *w, uint64_t version)
{
    const struct copy copy = { .kind = COPY_DELETED, .key = w->cmd->key,
                               .key_len = w->cmd->key_len, .version = version };

    tell(w, &copy);
}

/* What was just written, unless it went at once. */
static void tell_written(const struct work *w, uint64_t version)
{
    struct found f;
    struct copy copy;

    if (!partition_look(w->p, w->hash, w->cmd->key, w->cmd->key_len, &f) ||
        f.item.version != version) {
        tell_deleted(w, version);
        return;
    }
    copy = item_copy(&f.item, w->at_ms);
    tell(w, &copy);
}

/* What is there, if it is open: the command has looked at it. */
static void tell_left(const struct work *w)
{
    struct found f;

    if (partition_look(w->p, w->hash, w->cmd->key, w->cmd->key_len, &f) &&
        partition_is_open(w->p, &f.item))
        tell_held(w, &f.item);
}

/* ---- deleting ---- */

static void delete_at(const struct work *w, const struct found *old, uint64_t version)
{
    const struct tombstone t = { w->cmd->key, w->cmd->key_len, version, w->cmd->copies };

    partition_delete(w->p, w->hash, old, &t, w->at_ms);
}

/* There is no room.  A get may miss: between values there is no place for errors. */
static void refuse(const struct work *w)
{
    w->p->counts.no_memory++;
    *w->a = (struct answer){ .status = verb_is_get(w->cmd->verb) ? STATUS_NOT_FOUND
                                                                 : STATUS_NO_MEMORY };
}

/* ---- writing ---- */

/* Writes what was judged; `old` (or NULL) is what it takes the place of, and
 * void afterwards.  False when there is no room for it. */
static bool write_item(const struct work *w, const struct found *old, const struct verdict *v)
{
    const struct cmd *cmd = w->cmd;
    struct draft d = {
        .key = cmd->key, .key_len = cmd->key_len,
        .version = partition_next_version(w->p, w->at_ms), .open = cmd->copies,
        .client_flags = v->client_flags,
        .marks = v->marks | (v->token != 0 ? ITEM_TOKEN : 0u), .token = v->token,
        .used_at_s = (uint32_t)(w->at_ms / 1000),
        .piece = { v->piece[0], v->piece[1] }, .value_len = v->value_len,
    };

    w->a->version = d.version;
    w->a->token = v->token;
    w->a->marks |= v->token != 0 ? MARK_TOKEN : 0u;
    if (!v->keep_ttl && v->ttl_ms < 0) {        /* stored and gone at once */
        delete_at(w, old, d.version);
        return true;
    }
    d.expires_at = v->keep_ttl ? old->item.expires_at
                               : store_expires_at(v->ttl_ms, w->at_ms);
    return partition_put(w->p, w->hash, old, &d, w->at_ms);
}

/* It could not be written. */
static void give_up(const struct work *w, const struct verdict *v)
{
    const struct tombstone t = { w->cmd->key, w->cmd->key_len, w->a->version, w->cmd->copies };
    const bool removes = (v->deeds & DEED_REMOVE) != 0;

    if (removes)                /* better no item than an old one */
        partition_bury(w->p, w->hash, &t, w->at_ms);
    refuse(w);
    if (removes && w->cmd->copies)
        tell_deleted(w, t.version);
    else if (!removes)
        tell_left(w);
}

/* The item is what the command has sent: see copy_of_sent(). */
static bool is_as_sent(const struct cmd *cmd, const struct verdict *v)
{
    return v->status == STATUS_STORED && !v->keep_ttl && cmd->verb != VERB_APPEND
        && cmd->verb != VERB_PREPEND;
}

static void execute_write(const struct work *w, const struct found *old,
                          const struct verdict *v)
{
    struct answer *a = w->a;
    /* what t of ma tells before a T that follows it */
    const int64_t old_ttl_ms = old != NULL && !item_is_deleted(&old->item)
                             ? item_ttl(&old->item, w->at_ms) : TTL_NEVER;

    a->marks = v->told;
    if (!write_item(w, old, v)) {
        give_up(w, v);
        return;
    }
    if (w->cmd->copies && is_as_sent(w->cmd, v))
        a->marks |= MARK_OPEN;
    else if (w->cmd->copies)
        tell_written(w, a->version);
    a->ttl_ms = old_ttl_ms;
    if (v->status == STATUS_STORED) {
        a->number = v->value_len;
        w->p->counts.total_items++;
    } else if (verb_is_get(w->cmd->verb)) {     /* a miss made an item: an empty hit */
        w->p->counts.total_items++;
        a->value = "";
        a->marks |= (v->marks & ITEM_KEY_ENCODED) != 0 ? MARK_KEY_ENCODED : 0u;
        if (v->status == STATUS_HIT)
            w->reader->hit(w->reader->arg, a);
    }
}

/* ---- finding ---- */

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

/*
 * The item gets its new end, and is shown from where it is then.  False when
 * there is no room: it stays as it was.  *changed: it had another.
 */
static bool touch(const struct work *w, struct found *f, bool *changed)
{
    const uint64_t expires_at = store_expires_at(w->cmd->ttl_ms, w->at_ms);

    *changed = f->item.expires_at != expires_at;
    if (!partition_touch(w->p, w->hash, w->cmd->key, f, expires_at, w->at_ms))
        return false;
    w->a->item = f->large;
    w->a->value = f->item.value;
    return true;
}

/* A copy that has the item needs its time to live alone. */
static void tell_touched(const struct work *w, struct found *f)
{
    const struct copy copy = { .kind = COPY_TOUCHED, .key = w->cmd->key,
                               .key_len = w->cmd->key_len, .version = f->item.version,
                               .ttl_ms = item_ttl(&f->item, w->at_ms) };
    const bool whole = w->cmd->pending || partition_is_open(w->p, &f->item);

    partition_set_open(w->p, &f->item, true);
    if (whole)
        tell_held(w, &f->item);
    else
        tell(w, &copy);
}

/* Shows the item as it was before it is touched. */
static void execute_found(const struct work *w, struct found *f, const struct verdict *v)
{
    const bool touches = (v->deeds & DEED_TOUCH) != 0;
    const bool ends = touches && w->cmd->ttl_ms < 0;
    uint64_t version = 0;
    bool changed = false;

    w->a->marks = v->told;
    show(f, w->at_ms, w->a);
    if (touches && !ends && !touch(w, f, &changed)) {
        refuse(w);
        tell_left(w);
        return;
    }
    use(&f->item, v->deeds, w->at_ms);
    if (ends)
        version = partition_next_version(w->p, w->at_ms);
    if (ends && w->cmd->copies)
        tell_deleted(w, version);
    else if (changed && w->cmd->copies)
        tell_touched(w, f);
    else if (!ends && partition_is_open(w->p, &f->item))
        tell_held(w, &f->item);
    if (v->status == STATUS_HIT)
        w->reader->hit(w->reader->arg, w->a);
    if (ends)
        delete_at(w, f, version);
}

/* Of most items a get wants the value and nothing else: the way of all, without
 * what it would find not to apply. */
static bool is_plain_hit(const struct partition *p, const struct cmd *cmd,
                         const struct item *it)
{
    return cmd->verb <= VERB_GETS && cmd->options == 0 && !partition_is_open(p, it);
}

static void execute_plain_hit(const struct work *w, struct found *f)
{
    w->p->read_hits++;
    w->a->status = STATUS_HIT;
    w->a->marks = 0;
    show(f, w->at_ms, w->a);
    use(&f->item, DEED_USE, w->at_ms);
    w->reader->hit(w->reader->arg, w->a);
}

/* ---- all of it ---- */

/* What an operator asks, or a front once more, is none of a client's; and a copy that
 * has nothing is not believed. */
static void count_read(const struct work *w)
{
    const bool found = w->a->status <= STATUS_HEAD;

    if ((w->cmd->options & OPTION_NO_USE) != 0)
        return;
    w->p->read_hits += found;
    w->p->read_misses += w->a->status == STATUS_NOT_FOUND && !w->cmd->as_copy;
}

/*
 * What a client wants gone is told to the copies even where nothing is left of
 * it here: an eviction may have taken it, and theirs must not be seen again.
 */
static bool is_for_copies_to_delete(const struct work *w, const struct verdict *v)
{
    return w->cmd->copies && (w->cmd->verb == VERB_DELETE || (v->deeds & DEED_REMOVE) != 0);
}

/* Neither a value comes nor one is shown.  `there` is item, tombstone or NULL,
 * `f` the item. */
static void execute_rest(const struct work *w, const struct found *there, struct found *f,
                         const struct verdict *v)
{
    if ((v->deeds & DEED_USE) != 0)
        item_set_used(&f->item, f->item.used_at_s, item_more_uses(&f->item), f->item.marks);
    if (f != NULL ? (v->deeds & DEED_REMOVE) != 0 : is_for_copies_to_delete(w, v)) {
        const uint64_t version = partition_next_version(w->p, w->at_ms);

        delete_at(w, there, version);
        if (!w->cmd->copies)
            return;
        w->a->version = version;
        w->a->marks |= MARK_OPEN;
        if (v->status != STATUS_DELETED)
            tell_deleted(w, version);
    } else if (there != NULL && partition_is_open(w->p, &there->item)) {
        tell_held(w, &there->item);
    }
}

void store_execute(struct store *s, const struct cmd *cmd, uint64_t hash, int64_t now_ms,
                   struct answer *a, const struct store_reader *reader)
{
    struct partition *p = store_partition(s, hash);
    const int64_t at_ms = store_at(s, now_ms);
    const struct work w = { p, cmd, hash, at_ms, a, reader };
    UNSET struct verdict v;
    UNSET struct found found;
    struct found *there = NULL, *f = NULL;      /* anything; an item that lives */

    partition_lock(p, at_ms);
    if (partition_find(p, hash, cmd->key, cmd->key_len, at_ms, &found))
        there = &found;
    if (there != NULL && !item_is_deleted(&found.item))
        f = there;
    if (f != NULL && is_plain_hit(p, cmd, &f->item)) {
        execute_plain_hit(&w, f);
        partition_unlock(p);
        return;
    }
    judge(&v, cmd, f != NULL ? &f->item : NULL,
          f != NULL ? item_ttl(&f->item, at_ms) : TTL_NEVER, &s->rules);
    *a = (struct answer){ .status = v.status, .number = v.number };

    if ((v.deeds & DEED_WRITE) != 0)
        execute_write(&w, there, &v);
    else if ((v.deeds & (DEED_SHOW | DEED_TOUCH)) != 0)
        execute_found(&w, f, &v);
    else
        execute_rest(&w, there, f, &v);

    if (verb_is_get(cmd->verb))
        count_read(&w);
    p->counts.no_memory += v.status == STATUS_NO_MEMORY;
    p->counts.too_large += a->status == STATUS_TOO_LARGE;
    partition_unlock(p);
}
