#include "store/index.h"

#include <assert.h>
#include <string.h>

#include "base/unset.h"

#define MIN_HOMES 64u
#define TAIL 64u                /* buckets behind the last home */

/*
 * Items in a thousand slots.  It wants to grow, by an eighth, when full, takes
 * no more when overfull, and when sparse it may shrink to what is between: it
 * grows back if that gets full before it is there.
 */
#define FULL 920u
#define OVERFULL 980u
#define SPARSE 700u
#define AFTER_SHRINKING 850u

#define HASHES ((uint64_t)1 << 32)

#define PAGE_HOMES ((uint32_t)(REGION_PAGE / sizeof(struct bucket)))

#define MOVED_AT_ONCE 128u      /* items of one step, on the stack */

static uint32_t get_u32(const _Atomic uint32_t *v)
{
    return atomic_load_explicit(v, memory_order_relaxed);
}

static void set_u32(_Atomic uint32_t *v, uint32_t to)
{
    atomic_store_explicit(v, to, memory_order_relaxed);
}

static uint64_t edge_of(const struct index *x)
{
    return atomic_load_explicit(&x->edge, memory_order_relaxed);
}

static void set_slot(struct index *x, struct place at, uint64_t slot)
{
    atomic_store_explicit(&x->buckets[at.bucket].slot[at.slot], slot, memory_order_relaxed);
}

static size_t bytes_for(uint32_t n)
{
    return region_round(((size_t)n + TAIL) * sizeof(struct bucket));
}

/* Buckets that hold anything, now or soon: homes and tail. */
static uint32_t most_homes(const struct index *x)
{
    const uint32_t low = get_u32(&x->low), high = get_u32(&x->high);

    return low > high ? low : high;
}

static bool is_quiet(const struct index *x)
{
    return get_u32(&x->low) == get_u32(&x->high);
}

/* Its items are more than so many of a thousand slots of `n` homes. */
static bool would_fill(const struct index *x, uint32_t n, unsigned per_thousand)
{
    return x->n_items * 1000 > (size_t)n * INDEX_SLOTS * per_thousand;
}

static bool is_above(const struct index *x, unsigned per_thousand)
{
    return would_fill(x, get_u32(&x->high), per_thousand);
}

bool index_init(struct index *x, size_t bytes)
{
    *x = (struct index){ .n_items = 0 };
    if (bytes < bytes_for(MIN_HOMES))
        bytes = bytes_for(MIN_HOMES);
    if (!region_init(&x->region, bytes))
        return false;
    if (!region_use(&x->region, bytes_for(MIN_HOMES))) {
        region_fini(&x->region);
        return false;
    }
    x->buckets = (struct bucket *)(void *)x->region.base;
    set_u32(&x->low, MIN_HOMES);
    set_u32(&x->high, MIN_HOMES);
    return true;
}

void index_fini(struct index *x)
{
    region_fini(&x->region);
}

/* ---- slots ---- */

static bool bucket_is_full(const struct index *x, uint32_t bucket)
{
    return index_slot(x, (struct place){ bucket, INDEX_SLOTS - 1 }) != 0;
}

static uint32_t slots_used(const struct index *x, uint32_t bucket)
{
    uint32_t n = 0;

    while (n < INDEX_SLOTS && index_slot(x, (struct place){ bucket, n }) != 0)
        n++;
    return n;
}

static struct place greatest(const struct index *x, uint32_t bucket)
{
    struct place best = { bucket, 0 };

    for (uint32_t i = 1; i < INDEX_SLOTS; i++) {
        const struct place at = { bucket, i };

        if (index_slot(x, at) > index_slot(x, best))
            best = at;
    }
    return best;
}

/* Of a bucket that holds something. */
static struct place least(const struct index *x, uint32_t bucket)
{
    struct place best = { bucket, 0 };

    for (uint32_t i = 1; i < INDEX_SLOTS; i++) {
        const struct place at = { bucket, i };

        if (index_slot(x, at) != 0 && index_slot(x, at) < index_slot(x, best))
            best = at;
    }
    return best;
}

/*
 * Puts a slot where its hash belongs: behind its home, if that is full of
 * lesser ones.  What is greater moves on, one from each full bucket to the
 * next.  False when the last bucket would be reached.
 */
static bool put(struct index *x, uint64_t slot)
{
    const uint32_t last = most_homes(x) + TAIL - 1;
    uint32_t bucket = index_home(x, slot_hash(slot)), end;

    for (end = bucket; bucket_is_full(x, end); end++)
        if (end + 1 == last)
            return false;
    for (; bucket < end; bucket++) {
        const struct place at = greatest(x, bucket);
        const uint64_t moved = index_slot(x, at);

        if (moved > slot) {
            set_slot(x, at, slot);
            slot = moved;
        }
    }
    set_slot(x, (struct place){ end, slots_used(x, end) }, slot);
    return true;
}

/* Empties a slot: what is behind its home moves back, one from each bucket. */
static void take(struct index *x, struct place at)
{
    struct place next;

    for (; bucket_is_full(x, at.bucket); at = next) {
        next = least(x, at.bucket + 1);
        if (index_slot(x, next) == 0 ||
            index_home(x, slot_hash(index_slot(x, next))) > at.bucket)
            break;
        set_slot(x, at, index_slot(x, next));
    }
    next = (struct place){ at.bucket, slots_used(x, at.bucket) - 1 };
    set_slot(x, at, index_slot(x, next));
    set_slot(x, next, 0);
}

struct place index_place(const struct index *x, uint32_t hash, uint32_t where)
{
    struct place at;
    uint32_t found = index_first(x, hash, &at);

    while (found != where) {
        assert(found != INDEX_NOWHERE);
        found = index_next(x, hash, &at);
    }
    return at;
}

static uint64_t make_slot(uint32_t hash, uint32_t where)
{
    return (uint64_t)hash << 32 | where;
}

bool index_insert(struct index *x, uint32_t hash, uint32_t where)
{
    assert(where != INDEX_NOWHERE);
    if (is_quiet(x) && is_above(x, OVERFULL))
        return false;
    if (!put(x, make_slot(hash, where)))
        return false;
    x->n_items++;
    return true;
}

void index_move(struct index *x, uint32_t hash, uint32_t from, uint32_t to)
{
    set_slot(x, index_place(x, hash, from), make_slot(hash, to));
}

void index_remove(struct index *x, uint32_t hash, uint32_t where)
{
    take(x, index_place(x, hash, where));
    x->n_items--;
}

/* ---- size ---- */

size_t index_bytes(const struct index *x)
{
    return bytes_for(most_homes(x));
}

static uint32_t homes_wanted(const struct index *x)
{
    const uint32_t n = get_u32(&x->high);

    return n + (n / 8 > PAGE_HOMES ? n / 8 : PAGE_HOMES);
}

size_t index_wants_bytes(const struct index *x)
{
    if (!is_quiet(x) || !is_above(x, FULL))
        return 0;
    return bytes_for(homes_wanted(x)) - index_bytes(x);
}

void index_grow(struct index *x)
{
    const size_t has = index_bytes(x);
    const uint32_t n = homes_wanted(x);

    if (!is_quiet(x) || !region_use(&x->region, bytes_for(n)))
        return;
    memset(x->region.base + has, 0, bytes_for(n) - has);
    atomic_store_explicit(&x->edge, HASHES, memory_order_relaxed);
    set_u32(&x->high, n);
    x->grows = true;
}

void index_shrink(struct index *x)
{
    const uint32_t high = get_u32(&x->high);
    size_t n = x->n_items * 1000 / (INDEX_SLOTS * AFTER_SHRINKING);

    if (n < MIN_HOMES)
        n = MIN_HOMES;
    if (!is_quiet(x) || n >= high || is_above(x, SPARSE))
        return;
    atomic_store_explicit(&x->edge, 0, memory_order_relaxed);
    set_u32(&x->low, (uint32_t)n);
    x->grows = false;
}

/* The first hash of a home of `n`. */
static uint64_t first_hash(uint64_t home, uint32_t n)
{
    return (home * HASHES + n - 1) / n;
}

/* Calls `visit` for the hashes [from, to), which have one home. */
static void each(const struct index *x, uint64_t from, uint64_t to, index_visitor *visit,
                 void *arg)
{
    struct place at = { index_home(x, (uint32_t)from), 0 };
    bool more = true;

    for (; more; at.bucket++) {
        for (at.slot = 0; at.slot < INDEX_SLOTS; at.slot++) {
            const uint64_t slot = index_slot(x, at);

            more &= slot != 0 && slot_hash(slot) < to;
            if (slot != 0 && slot_hash(slot) >= from && slot_hash(slot) < to)
                visit(arg, slot_hash(slot), slot_where(slot));
        }
    }
}

struct moved {
    uint64_t slots[MOVED_AT_ONCE];
    unsigned n;                 /* more than there is room for: those were not kept */
};

static void collect(void *arg, uint32_t hash, uint32_t where)
{
    struct moved *m = arg;

    if (m->n < MOVED_AT_ONCE)
        m->slots[m->n] = make_slot(hash, where);
    m->n++;
}

/* Moves the edge over the hashes between here and there, and what has them. */
static void move_edge(struct index *x, uint64_t from, uint64_t to, uint64_t edge)
{
    const uint64_t middle = from + (to - from) / 2;
    UNSET struct moved m;

    m.n = 0;
    each(x, from, to, collect, &m);
    if (m.n > MOVED_AT_ONCE) {  /* the half at the edge first */
        assert(middle > from);
        if (edge == from) {
            move_edge(x, middle, to, middle);
            move_edge(x, from, middle, from);
        } else {
            move_edge(x, from, middle, middle);
            move_edge(x, middle, to, to);
        }
        return;
    }
    for (unsigned i = 0; i < m.n; i++)
        take(x, index_place(x, slot_hash(m.slots[i]), slot_where(m.slots[i])));
    atomic_store_explicit(&x->edge, edge, memory_order_relaxed);
    for (unsigned i = 0; i < m.n; i++) {
        const bool done = put(x, m.slots[i]);

        assert(done);
        (void)done;
    }
}

static void end_growing(struct index *x)
{
    set_u32(&x->low, get_u32(&x->high));
    region_settle(&x->region, 0, index_bytes(x));
}

static void end_shrinking(struct index *x)
{
    const size_t had = index_bytes(x);

    set_u32(&x->high, get_u32(&x->low));
    region_discard(&x->region, index_bytes(x), had - index_bytes(x));
}

static void step_growing(struct index *x)
{
    const uint32_t low = get_u32(&x->low);
    const uint64_t edge = edge_of(x);
    const uint64_t first = first_hash(index_home_of((uint32_t)(edge - 1), low), low);

    move_edge(x, first, edge, first);
    if (first == 0)
        end_growing(x);
}

static void step_shrinking(struct index *x)
{
    const uint32_t high = get_u32(&x->high);
    const uint64_t edge = edge_of(x);
    const uint64_t next = first_hash((uint64_t)index_home_of((uint32_t)edge, high) + 1, high);

    move_edge(x, edge, next, next);
    if (next == HASHES)
        end_shrinking(x);
}

/* More came than will have room where it shrinks to: it grows back. */
static void turn_back(struct index *x)
{
    x->grows = true;
    if (edge_of(x) == 0)
        end_growing(x);
}

void index_step(struct index *x, unsigned n)
{
    while (n-- > 0 && !is_quiet(x)) {
        if (!x->grows && would_fill(x, get_u32(&x->low), FULL))
            turn_back(x);
        else if (x->grows)
            step_growing(x);
        else
            step_shrinking(x);
    }
}

uint32_t index_walk(const struct index *x, uint32_t hash, index_visitor *visit, void *arg)
{
    const uint64_t edge = edge_of(x);
    const uint32_t n = get_u32(hash < edge ? &x->low : &x->high);
    uint64_t next = first_hash((uint64_t)index_home_of(hash, n) + 1, n);

    if (hash < edge && next > edge)
        next = edge;
    each(x, hash, next, visit, arg);
    return (uint32_t)next;      /* 2^32 is the end */
}
