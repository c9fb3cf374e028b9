#include "ring/ring.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/num.h"

#define MAX_WEIGHT_OF_ONE 100

/* An arc of the circle: after the end of the one before, up to `end`. */
struct ring_arc {
    uint32_t end;
    uint32_t owner;             /* index of a member */
};

/*
 * The points, sorted, neighbours of one owner merged into one arc.  The last
 * arc ends at UINT32_MAX, so that a search for a position always finds one.
 * Of equal points the first has the arc; the others keep theirs, which are
 * empty, because a chain goes by them.
 *
 *      index:   top bits of a position --> first arc that ends there or later
 */
struct ring {
    size_t n_members, n_points;
    struct ring_arc *arcs;      /* owned */
    size_t n_arcs;
    uint32_t *index;            /* owned; 2^(32 - shift) of them */
    unsigned shift;             /* 5 .. 31 */
    size_t n_zones;
    uint32_t zones[RING_MAX_MEMBERS];       /* of each member, 0 .. n_zones - 1 */
    uint64_t widths[RING_MAX_MEMBERS];      /* positions of each; sum 2^32 */
};

uint32_t ring_hash(const char *key, size_t len)
{
    return hash_murmur3_32(key, len, 0);
}

static int by_name(const void *a, const void *b, void *members)
{
    const struct ring_member *m = members;

    return strcmp(m[*(const uint32_t *)a].name, m[*(const uint32_t *)b].name);
}

/* Indexes of the members in the order of their names. */
static void sort_names(const struct ring_member *members, size_t n, uint32_t *order)
{
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    qsort_r(order, n, sizeof(*order), by_name, (void *)members);
    for (size_t i = 1; i < n; i++)
        assert(strcmp(members[order[i - 1]].name, members[order[i]].name) < 0);
}

/* Members of one zone get one number; one that names none gets its own. */
static size_t number_zones(const struct ring_member *members, size_t n, uint32_t *zones)
{
    uint32_t n_zones = 0;

    for (size_t i = 0; i < n; i++) {
        size_t j = 0;

        while (j < i && (*members[i].zone == '\0'
                         || strcmp(members[i].zone, members[j].zone) != 0))
            j++;
        zones[i] = j < i ? zones[j] : n_zones++;
    }
    return n_zones;
}

/* Writes the points of member `index` to `out`; false when memory is short. */
static bool place(const struct ring_member *member, uint32_t index,
                  struct ring_arc *out)
{
    size_t len = strlen(member->name);
    char *label = malloc(len + 1 + NUM_U64_MAX_LEN);

    if (label == NULL)
        return false;
    memcpy(label, member->name, len);
    label[len++] = '-';
    for (uint32_t i = 0; i < member->weight * RING_POINTS; i++) {
        char *end = num_put_u64(label + len, i);

        out[i].end = ring_hash(label, (size_t)(end - label));
        out[i].owner = index;
    }
    free(label);
    return true;
}

static struct ring_arc *place_all(const struct ring_member *members, size_t n,
                                  size_t n_points)
{
    uint32_t order[RING_MAX_MEMBERS];
    /* one more, for the arc that closes the circle */
    struct ring_arc *arcs = reallocarray(NULL, n_points + 1, sizeof(*arcs));
    struct ring_arc *at = arcs;

    if (arcs == NULL)
        return NULL;
    sort_names(members, n, order);
    for (size_t i = 0; i < n; i++) {
        const struct ring_member *m = &members[order[i]];

        if (!place(m, order[i], at)) {
            free(arcs);
            return NULL;
        }
        at += (size_t)m->weight * RING_POINTS;
    }
    return arcs;
}

#define RADIX_BITS 11
#define RADIX_SIZE (1u << RADIX_BITS)
#define RADIX_PASSES 3          /* 33 bits: all of an end */

static inline unsigned radix_digit(uint32_t end, unsigned pass)
{
    return end >> pass * RADIX_BITS & (RADIX_SIZE - 1);
}

static void radix_pass(const struct ring_arc *from, struct ring_arc *to, size_t n,
                       unsigned pass)
{
    uint32_t starts[RADIX_SIZE] = { 0 };
    uint32_t sum = 0;

    for (size_t i = 0; i < n; i++)
        starts[radix_digit(from[i].end, pass)]++;
    for (size_t d = 0; d < RADIX_SIZE; d++) {
        uint32_t count = starts[d];

        starts[d] = sum;
        sum += count;
    }
    for (size_t i = 0; i < n; i++)
        to[starts[radix_digit(from[i].end, pass)]++] = from[i];
}

/*
 * Sorts the points by position.  Stable, and they came in the order of names:
 * so equal points end up in that order.  The array returned is the one to keep,
 * the one given is gone; NULL when memory is short.
 */
static struct ring_arc *sort_points(struct ring_arc *points, size_t n)
{
    struct ring_arc *from = points;
    struct ring_arc *to = reallocarray(NULL, n + 1, sizeof(*to));

    if (to == NULL) {
        free(points);
        return NULL;
    }
    for (unsigned pass = 0; pass < RADIX_PASSES; pass++) {
        struct ring_arc *sorted = to;

        radix_pass(from, to, n, pass);
        to = from;
        from = sorted;
    }
    free(to);
    return from;
}

/* Merges neighbours of one owner in place, closes the circle; how many stay. */
static size_t merge(struct ring_arc *arcs, size_t n_points)
{
    uint32_t first_owner = arcs[0].owner;
    size_t n = 0;

    for (size_t i = 0; i < n_points; i++) {
        if (n > 0 && arcs[n - 1].owner == arcs[i].owner)
            n--;
        arcs[n++] = arcs[i];
    }
    /* Positions after the last point belong to the first. */
    if (arcs[n - 1].end == UINT32_MAX)
        return n;
    if (arcs[n - 1].owner != first_owner)
        n++;
    arcs[n - 1] = (struct ring_arc){ UINT32_MAX, first_owner };
    return n;
}

static void measure(struct ring *ring)
{
    int64_t before = -1;

    for (size_t i = 0; i < ring->n_arcs; i++) {
        const struct ring_arc *arc = &ring->arcs[i];

        ring->widths[arc->owner] += (uint64_t)(arc->end - before);
        before = arc->end;
    }
}

/* As many entries as arcs or a few more: a search then looks at one or two. */
static bool build_index(struct ring *ring)
{
    size_t n = 2;
    size_t arc = 0;

    ring->shift = 31;
    while (n < ring->n_arcs) {
        n *= 2;
        ring->shift--;
    }
    ring->index = reallocarray(NULL, n, sizeof(*ring->index));
    if (ring->index == NULL)
        return false;
    for (size_t i = 0; i < n; i++) {
        while (ring->arcs[arc].end < i << ring->shift)
            arc++;
        ring->index[i] = (uint32_t)arc;
    }
    return true;
}

struct ring *ring_new(const struct ring_member *members, size_t n)
{
    struct ring *ring;
    struct ring_arc *points, *shrunk;
    size_t weight = 0;

    assert(n > 0 && n <= RING_MAX_MEMBERS);
    for (size_t i = 0; i < n; i++) {
        assert(members[i].weight > 0 && members[i].weight <= MAX_WEIGHT_OF_ONE);
        weight += members[i].weight;
    }
    if (weight > RING_MAX_WEIGHT)
        return NULL;
    if ((ring = calloc(1, sizeof(*ring))) == NULL)
        return NULL;

    ring->n_members = n;
    ring->n_points = weight * RING_POINTS;
    ring->n_zones = number_zones(members, n, ring->zones);
    if ((points = place_all(members, n, ring->n_points)) == NULL)
        goto fail;
    if ((ring->arcs = sort_points(points, ring->n_points)) == NULL)
        goto fail;
    ring->n_arcs = merge(ring->arcs, ring->n_points);
    shrunk = reallocarray(ring->arcs, ring->n_arcs, sizeof(*shrunk));
    if (shrunk != NULL)
        ring->arcs = shrunk;
    measure(ring);
    if (!build_index(ring))
        goto fail;
    return ring;
fail:
    ring_free(ring);
    return NULL;
}

void ring_free(struct ring *ring)
{
    if (ring == NULL)
        return;
    free(ring->arcs);
    free(ring->index);
    free(ring);
}

/* The arc that `hash` lies in.  The last arc ends the scan. */
static inline size_t find(const struct ring *ring, uint32_t hash)
{
    size_t i = ring->index[hash >> ring->shift];

    while (ring->arcs[i].end < hash)
        i++;
    return i;
}

unsigned ring_owner(const struct ring *ring, uint32_t hash)
{
    return ring->arcs[find(ring, hash)].owner;
}

static bool has_member(const unsigned *out, size_t n, unsigned member)
{
    for (size_t i = 0; i < n; i++)
        if (out[i] == member)
            return true;
    return false;
}

static bool has_zone(const struct ring *ring, const unsigned *out, size_t n, unsigned zone)
{
    for (size_t i = 0; i < n; i++)
        if (ring->zones[out[i]] == zone)
            return true;
    return false;
}

/*
 * Two rounds from the same arc: first one member of each zone, then whoever is
 * missing.  Each ends, because every member has an arc.  Chains are short:
 * looking through what was found is sooner done than marking it.
 */
size_t ring_chain(const struct ring *ring, uint32_t hash, unsigned *out, size_t max)
{
    size_t start = find(ring, hash);
    size_t wanted = max < ring->n_members ? max : ring->n_members;
    size_t of_zones = wanted < ring->n_zones ? wanted : ring->n_zones;
    size_t n = 0;

    for (size_t i = start; n < of_zones; i = i + 1 < ring->n_arcs ? i + 1 : 0) {
        const unsigned owner = ring->arcs[i].owner;

        if (!has_zone(ring, out, n, ring->zones[owner]))
            out[n++] = owner;
    }
    for (size_t i = start; n < wanted; i = i + 1 < ring->n_arcs ? i + 1 : 0) {
        const unsigned owner = ring->arcs[i].owner;

        if (!has_member(out, n, owner))
            out[n++] = owner;
    }
    return n;
}

double ring_share(const struct ring *ring, unsigned index)
{
    assert(index < ring->n_members);
    return (double)ring->widths[index] / 4294967296.0;
}

size_t ring_n_members(const struct ring *ring)
{
    return ring->n_members;
}

size_t ring_n_points(const struct ring *ring)
{
    return ring->n_points;
}
