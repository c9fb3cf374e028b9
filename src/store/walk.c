/* Walks through a store in bounded steps: for moves, for repair, for sweeping. */
#include "ring/ring.h"
#include "store/parts.h"
#include "store/reclaim.h"

/*
 * A cursor is the part of a hash that an index knows, on top, and in its lowest
 * byte the number of the partition.  0 is the start, and the end.
 */
#define CURSOR_INDEX 0xffu

typedef void item_visitor(void *arg, const struct partition *p, uint32_t position,
                          const struct item *it);

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
        v->visit(v->arg, v->p, position, &f.item);
}

/*
 * From the cursor on, `n` items and homes at least: for each home calls `step`,
 * which says where to go on in this partition, 0 at its end.
 */
typedef uint32_t home_step(void *arg, struct partition *p, uint32_t hash, unsigned *looked);

static void walk_homes(struct store *s, uint64_t *cursor, unsigned n, int64_t at_ms,
                       home_step *step, void *arg)
{
    unsigned index = *cursor & CURSOR_INDEX, looked = 0;
    uint32_t hash = (uint32_t)(*cursor >> 32);

    for (; index < s->n_partitions; index++) {
        struct partition *p = &s->partition[index];

        partition_lock(p, at_ms);
        do {
            hash = step(arg, p, hash, &looked);
            looked++;
        } while (looked < n && hash != 0);
        partition_unlock(p);
        if (hash != 0)
            break;
        if (looked >= n) {
            index++;
            break;
        }
    }
    *cursor = index < s->n_partitions ? (uint64_t)hash << 32 | index : 0;
}

static uint32_t visit_home(void *arg, struct partition *p, uint32_t hash, unsigned *looked)
{
    struct visit *v = arg;

    v->p = p;
    v->looked = 0;
    hash = index_walk(&p->index, hash, visit_place, v);
    *looked += v->looked;
    return hash;
}

static void visit_items(struct store *s, struct arc arc, uint64_t *cursor, unsigned n,
                        int64_t at_ms, item_visitor *visit, void *arg)
{
    struct visit v = { .arc = arc, .at_ms = at_ms, .visit = visit, .arg = arg };

    walk_homes(s, cursor, n, at_ms, visit_home, &v);
}

struct walk {
    store_visitor *visit;
    void *arg;
    int64_t at_ms;
};

static void walk_item(void *arg, const struct partition *p, uint32_t position,
                      const struct item *it)
{
    const struct walk *w = arg;
    struct copy copy = item_copy(it, w->at_ms);

    copy.any_age = true;
    copy.open = partition_is_open(p, it);
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
static void digest_item(void *arg, const struct partition *p, uint32_t position,
                        const struct item *it)
{
    struct digest *digest = arg;

    (void)p;
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

#define PURGED_AT_ONCE 8        /* of one home, which seldom has more */

struct purge {
    struct partition *p;
    store_keeper *keep;
    void *arg;
    unsigned looked, n;         /* n: more than there is room for stay for now */
    uint64_t gone;
    struct place_of_item { uint32_t where, hash; } going[PURGED_AT_ONCE];
};

static void choose_place(void *arg, uint32_t hash, uint32_t where)
{
    struct purge *g = arg;
    struct found f;

    g->looked++;
    partition_read(g->p, where, &f);
    if (g->keep(g->arg, ring_hash(f.item.key, f.item.key_len)))
        return;
    if (g->n < PURGED_AT_ONCE)
        g->going[g->n] = (struct place_of_item){ where, hash };
    g->n++;
}

/* What goes is removed when the home was looked through: slots move then. */
static uint32_t purge_home(void *arg, struct partition *p, uint32_t hash, unsigned *looked)
{
    struct purge *g = arg;
    uint32_t next;

    g->p = p;
    do {
        g->looked = g->n = 0;
        next = index_walk(&p->index, hash, choose_place, g);
        for (unsigned i = 0; i < g->n && i < PURGED_AT_ONCE; i++) {
            struct found f = { .hash = g->going[i].hash };

            partition_read(p, g->going[i].where, &f);
            partition_remove(p, &f);
            g->gone++;
        }
        *looked += g->looked;
    } while (g->n > PURGED_AT_ONCE);
    return next;
}

uint64_t store_purge(struct store *s, uint64_t *cursor, unsigned n, int64_t now_ms,
                     store_keeper *keep, void *arg)
{
    struct purge g = { .keep = keep, .arg = arg };

    walk_homes(s, cursor, n, store_at(s, now_ms), purge_home, &g);
    return g.gone;
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
