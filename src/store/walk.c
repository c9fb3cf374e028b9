/* Walks through a store in bounded steps: for moves, for repair, for sweeping. */
#include "ring/ring.h"
#include "store/parts.h"

/*
 * A cursor is a place in a table (top bits of a hash, the others 0) and, in
 * its lowest byte, the index of the partition.  0 is the start, and the end.
 */
#define CURSOR_INDEX 0xffu

typedef void item_visitor(void *arg, uint32_t position, const struct item *it);

static bool arc_has(struct arc arc, uint32_t position)
{
    return position - arc.first <= arc.last - arc.first;
}

/* Visits the live items of the next bucket in the arc; says what it looked at. */
static unsigned visit_bucket(const struct partition *p, uint64_t *place, struct arc arc,
                             int64_t at_ms, item_visitor *visit, void *arg)
{
    unsigned looked = 1;

    for (const struct item *it = table_walk(&p->table, place); it; it = it->next) {
        const uint32_t position = ring_hash(item_key(it), it->key_len);

        looked++;
        if (arc_has(arc, position) && !partition_is_dead(p, it, at_ms))
            visit(arg, position, it);
    }
    return looked;
}

static void visit_items(struct store *s, struct arc arc, uint64_t *cursor, unsigned n,
                        int64_t at_ms, item_visitor *visit, void *arg)
{
    unsigned index = *cursor & CURSOR_INDEX, looked = 0;
    uint64_t place = *cursor & ~(uint64_t)CURSOR_INDEX;

    for (; index < s->n_partitions; index++) {
        struct partition *p = &s->partition[index];

        partition_lock(p, at_ms);
        do
            looked += visit_bucket(p, &place, arc, at_ms, visit, arg);
        while (looked < n && place != 0);
        partition_unlock(p);
        if (place != 0)
            break;
        if (looked >= n) {
            index++;
            break;
        }
    }
    *cursor = index < s->n_partitions ? place | index : 0;
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
        .key = item_key(it), .key_len = it->key_len,
        .marks = item_told(it), .version = it->version, .token = item_token(it),
        .client_flags = it->client_flags,
        .ttl_ms = item_ttl(it, w->at_ms),
        .idle_s = item_idle_s(it, w->at_ms),
        .value = item_value(it), .value_len = it->value_len,
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
    unsigned looked = 0;

    for (unsigned i = 0; i < s->n_partitions && looked < n; i++) {
        unsigned index = atomic_load_explicit(&s->sweep_index, memory_order_relaxed);
        struct partition *p = &s->partition[index & (s->n_partitions - 1)];
        bool round;

        partition_lock(p, at_ms);
        looked += partition_sweep(p, n - looked, at_ms, &round);
        partition_unlock(p);
        if (round)
            atomic_compare_exchange_strong_explicit(&s->sweep_index, &index, index + 1,
                                                    memory_order_relaxed,
                                                    memory_order_relaxed);
    }
}
