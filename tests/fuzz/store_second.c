#include "store_state.h"
#include "wire/frame.h"

/* What a copy must be told of marks: that it was read, and that one has won, is not. */
#define MARKS_COMPARED ((unsigned)(MARK_STALE | MARK_KEY_ENCODED | MARK_TOKEN))

/* ---- copies that are kept ---- */

static void keep(struct owed *o, const struct copy *copy)
{
    char *value = NULL;

    if (copy->value_len > 0) {
        value = malloc(copy->value_len);
        CHECK(value != NULL);
        memcpy(value, copy->value, copy->value_len);
    }
    memmove(o->key, copy->key, copy->key_len);
    free(o->value);
    o->copy = *copy;
    o->copy.key = o->key;
    o->copy.value = o->value = value;
}

static void drop(struct owed *o)
{
    free(o->value);
    *o = (struct owed){ .value = NULL };
}

static void on_told(void *arg, const struct copy *copy)
{
    struct steps *t = arg;

    CHECK(t->second.n_told++ == 0);
    CHECK(!copy->open);
    keep(&t->second.told, copy);
}

/* ---- from the first to the second ---- */

/* The way that frames take; the key of a told one is known. */
static enum applied send(struct steps *t, const struct copy *copy)
{
    struct frame f, got;
    struct copy arrived;
    enum applied applied;
    size_t head;
    char *data;

    frame_from_copy(&f, FRAME_APPLY, copy);
    head = frame_head_len(&f);
    data = malloc(head + f.value_len);
    CHECK(data != NULL && frame_put(data, &f) == data + head);
    if (f.value_len > 0)
        memcpy(data + head, f.value, f.value_len);
    CHECK(frame_read(data, head + f.value_len, &got) == FRAME_WHOLE);
    frame_to_copy(&got, &arrived);
    applied = store_apply(t->second.store, &arrived, t->now_ms);
    free(data);
    return applied;
}

static uint64_t hash_of(const struct steps *t, const struct copy *copy)
{
    return store_hash(t->store, copy->key, copy->key_len);
}

static void on_open(void *arg, const struct copy *copy)
{
    struct steps *t = arg;

    CHECK(copy->open && copy->any_age && t->second.shown.copy.key == NULL);
    keep(&t->second.shown, copy);
}

/* The owner's own replay of what it was not told to be done. */
static void repair(struct steps *t, uint64_t hash, uint64_t version)
{
    struct owed *shown = &t->second.shown;

    store_show_open(t->store, hash, version, t->now_ms, on_open, t);
    if (shown->copy.key == NULL)
        return;                 /* something newer is there, or it was confirmed */
    CHECK(shown->copy.version == version);
    CHECK(applied_counts(send(t, &shown->copy)));
    drop(shown);
    CHECK(store_confirm(t->store, hash, version));
    CHECK(!store_confirm(t->store, hash, version));
}

/* Late, a replay may come too late. */
static void pay(struct steps *t, struct owed *o)
{
    const int64_t late_ms = t->now_ms - o->since_ms;
    uint64_t hash;

    if (o->copy.key == NULL)
        return;
    hash = hash_of(t, &o->copy);
    if (o->copy.ttl_ms > 0)
        o->copy.ttl_ms = o->copy.ttl_ms > late_ms ? o->copy.ttl_ms - late_ms : TTL_OVER;
    if (o->is_lost) {
        repair(t, hash, o->copy.version);
    } else if (applied_counts(send(t, &o->copy))) {
        store_confirm(t->store, hash, o->copy.version);
    } else {
        CHECK(!o->copy.any_age && late_ms > 1000);
        repair(t, hash, o->copy.version);
    }
    drop(o);
}

static void owe(struct steps *t, const struct copy *copy)
{
    struct owed *o = &t->second.owed[pick(t, OWED)];

    pay(t, o);
    keep(o, copy);
    o->since_ms = t->now_ms;
    o->is_lost = one_in(t, 2);
}

void steps_second_pays(struct steps *t)
{
    if (t->second.store != NULL)
        pay(t, &t->second.owed[pick(t, OWED)]);
}

void steps_second_learns(struct steps *t, const struct cmd *cmd, const struct answer *a)
{
    struct second *second = &t->second;
    const bool is_open = (a->marks & MARK_OPEN) != 0;
    struct copy copy = second->told.copy;

    if (second->store == NULL)
        return;
    CHECK(is_open || second->n_told == 0);
    if (!is_open)
        return;
    if (second->n_told == 0) {
        CHECK(a->status == STATUS_STORED || a->status == STATUS_DELETED);
        copy_of_sent(&copy, cmd, a);
    }
    CHECK(copy.key_len == cmd->key_len && memcmp(copy.key, cmd->key, copy.key_len) == 0);
    CHECK(copy.version != 0 && (a->status == STATUS_HIT || a->status == STATUS_HEAD
                                || a->version == copy.version));
    if (copy.kind != COPY_TOUCHED && !copy.any_age && one_in(t, 4)) {
        owe(t, &copy);
        return;
    }
    CHECK(applied_counts(send(t, &copy)));
    CHECK(store_confirm(t->store, hash_of(t, &copy), copy.version));
    if (one_in(t, 4))
        store_use(second->store, cmd->key, cmd->key_len, t->now_ms);
}

/* ---- both are the same ---- */

static void note_item(void *arg, const struct copy *copy)
{
    struct steps *t = arg;
    struct owed *o = &t->second.seen[steps_key_of(t, copy->key, copy->key_len)];

    CHECK(!copy->open);
    if (copy->kind == COPY_VALUE)
        keep(o, copy);
}

static void check_item(void *arg, const struct copy *copy)
{
    struct steps *t = arg;
    struct owed *o = &t->second.seen[steps_key_of(t, copy->key, copy->key_len)];
    const struct copy *first = &o->copy;

    if (copy->kind == COPY_DELETED)
        return;
    CHECK(first->key != NULL && copy->version == first->version);
    CHECK(copy->value_len == first->value_len && (copy->value_len == 0
          || memcmp(copy->value, first->value, copy->value_len) == 0));
    CHECK(copy->client_flags == first->client_flags && copy->ttl_ms == first->ttl_ms);
    CHECK((copy->marks & MARKS_COMPARED) == (first->marks & MARKS_COMPARED));
    CHECK(copy->token == first->token && !copy->open);
    drop(o);
}

static void walk_whole(struct steps *t, struct store *store, store_visitor *visit)
{
    const struct arc all = { 0, UINT32_MAX };
    uint64_t cursor = 0;

    do
        store_walk(store, all, &cursor, 1000, t->now_ms, visit, t);
    while (cursor != 0);
}

void steps_second_is_same(struct steps *t)
{
    struct second *second = &t->second;

    if (second->store == NULL)
        return;
    for (unsigned i = 0; i < OWED; i++)
        pay(t, &second->owed[i]);
    walk_whole(t, t->store, note_item);
    walk_whole(t, second->store, check_item);
    for (unsigned i = 0; i < t->config.n_keys; i++)
        CHECK(second->seen[i].copy.key == NULL);
}

/* ---- beginning and end ---- */

void steps_second_new(struct steps *t, const struct store_config *config)
{
    if (!t->config.copies)
        return;
    t->second.store = store_new(config);
    t->second.seen = calloc(t->config.n_keys, sizeof(*t->second.seen));
    CHECK(t->second.store != NULL && t->second.seen != NULL);
}

void steps_second_free(struct steps *t)
{
    struct second *second = &t->second;

    if (second->store == NULL)
        return;
    drop(&second->told);
    store_free(second->store);
    free(second->seen);
}

struct store_reader steps_reader(struct steps *t, void (*hit)(void *, const struct answer *))
{
    t->second.n_told = 0;
    return (struct store_reader){ .hit = hit, .told = on_told, .arg = t };
}
