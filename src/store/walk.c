/* Walks through a store in bounded steps: for moves, for repair, for sweeping. */
#include "ring/ring.h"
#include "store/parts.h"
#include "store/reclaim.h"

/*
 * A cursor is the part of a hash that an index knows, on top, and in its lowest
 * byte the number of the partition.  0 is the start, and the end.
 */
#define CURSOR_INDEX 0xffu

typedef void item_visitor(void *arg, uint32_t position, const struct item *it);

static bool arc_has(struct arc arc, uint32_t position)
{
    return position - arc.first <= arc.last - arc.first;
}

struct visit {
    const struct partition *p;
    struct arc arc;
    int64_t at_ms;
    item_visitor *visit;
    void *arg;
    unsigned looked;
};

static void visit_place(void *arg, uint32_t hash, uint32_t where)
{
    struct visit *v = arg;
    struct found f;
    uint32_t position;

    (void)hash;
    v->looked++;
    partition_read(v->p, where, &f);
    position = ring_hash(f.item.key, f.item.key_len);
    if (arc_has(v->arc, position) && !partition_is_dead(v->p, &f.item, v->at_ms))
        v->visit(v->arg, position, &f.item);
}

static void visit_items(struct store *s, struct arc arc, uint64_t *cursor, unsigned n,
                        int64_t at_ms, item_visitor *visit, void *arg)
{
    struct visit v = { .arc = arc, .at_ms = at_ms, .visit = visit, .arg = arg };
    unsigned index = *cursor & CURSOR_INDEX;
    uint32_t hash = (uint32_t)(*cursor >> 32);

    for (; index < s->n_partitions; index++) {
        struct partition *p = &s->partition[index];

        v.p = p;
        partition_lock(p, at_ms);
        do {
            hash = index_walk(&p->index, hash, visit_place, &v);
            v.looked++;
        } while (v.looked < n && hash != 0);
        partition_unlock(p);
        if (hash != 0)
            break;
        if (v.looked >= n) {
            index++;
            break;
        }
    }
    *cursor = index < s->n_partitions ? (uint64_t)hash << 32 | index : 0;
}

struct walk {
    store_visitor *visit;
    void *arg;
    int64_t at_ms;
};

static void walk_item(void *arg, uint32_t position, const struct item *it)
{
    const struct walk *w = arg;
    const struct copy copy = {
        .kind = item_is_deleted(it) ? COPY_DELETED : COPY_VALUE,
        .key = it->key, .key_len = it->key_len,
        .marks = item_told(it), .version = it->version, .token = item_token(it),
        .client_flags = it->client_flags,
        .ttl_ms = item_ttl(it, w->at_ms),
        .idle_s = item_idle_s(it, w->at_ms),
        .value = it->value, .value_len = it->value_len,
    };

    (void)position;
    w->visit(w->arg, &copy);
}

void store_walk(struct store *s, struct arc arc, uint64_t *cursor, unsigned n,
                int64_t now_ms, store_visitor *visit, void *arg)
{
    struct walk w = { visit, arg, store_at(s, now_ms) };

    visit_items(s, arc, cursor, n, w.at_ms, walk_item, &w);
}

/* The finisher of splitmix64, Sebastiano Vigna 2015: every bit moves every bit. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* A sum, so that the order, which is each store's own, does not matter. */
static void digest_item(void *arg, uint32_t position, const struct item *it)
{
    struct digest *digest = arg;
    if (item_is_deleted(it))
        return;

    const uint64_t key = mix((uint64_t)position << 32 | it->key_len);

    digest->items++;
    digest->sum += mix(key + it->version);
}

void store_digest(struct store *s, struct arc arc, uint64_t *cursor, unsigned n,
                  int64_t now_ms, struct digest *digest)
{
    visit_items(s, arc, cursor, n, store_at(s, now_ms), digest_item, digest);
}

void store_sweep(struct store *s, unsigned n, int64_t now_ms)
{
    const int64_t at_ms = store_at(s, now_ms);

    for (unsigned i = 0, looked = 0; i < s->n_partitions && looked < n; i++) {
        const unsigned index = atomic_fetch_add_explicit(&s->sweep_index, 1,
                                                         memory_order_relaxed);
        struct partition *p = &s->partition[index & (s->n_partitions - 1)];

        partition_lock(p, at_ms);
        looked += reclaim_sweep(p, n - looked, at_ms);
        partition_unlock(p);
    }
}
