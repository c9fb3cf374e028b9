#include "cluster/view.h"

#include <stdlib.h>
#include <string.h>

/* The ring of those that have a weight, and which members they are; *members
 * stays NULL when that is all of them.  NULL when memory is short. */
static struct ring *ring_of(const struct map *map, bool next, uint16_t **members)
{
    struct ring_member *on = calloc(map->n, sizeof(*on));
    uint16_t *at = calloc(map->n, sizeof(*at));
    struct ring *ring = NULL;
    size_t n = 0;

    for (size_t i = 0; on != NULL && at != NULL && i < map->n; i++) {
        const struct member *m = &map->members[i];
        unsigned weight = next ? m->next_weight : m->weight;

        if (weight == 0)
            continue;
        at[n] = (uint16_t)i;
        on[n++] = (struct ring_member){ m->name, m->zone, weight };
    }
    if (n > 0)
        ring = ring_new(on, n);
    if (ring != NULL && n < map->n) {
        *members = at;
        at = NULL;
    }
    free(at);
    free(on);
    return ring;
}

static bool is_one_ring(const struct map *map)
{
    for (size_t i = 0; i < map->n; i++)
        if (map->members[i].weight != map->members[i].next_weight)
            return false;
    return true;
}

static bool is_simple(const struct view *v)
{
    if (v->map->phase != MAP_STABLE || v->map->replicas != 1 || v->members != NULL)
        return false;
    for (size_t i = 0; i < v->map->n; i++)
        if (v->map->members[i].state != MEMBER_UP)
            return false;
    return true;
}

struct view *view_new(struct map *map, const char *self)
{
    struct view *v = calloc(1, sizeof(*v));

    if (v == NULL) {
        free(map);
        return NULL;
    }
    v->refs = 1;
    v->map = map;
    v->ring = ring_of(map, false, &v->members);
    if (is_one_ring(map)) {
        v->next = v->ring;
        v->next_members = v->members;
    } else {
        v->next = ring_of(map, true, &v->next_members);
    }
    if (v->ring == NULL || v->next == NULL) {
        view_unref(v);
        return NULL;
    }
    v->digest = map_digest(map);
    v->self = map_find(map, self);
    v->end_epoch = map_end_epoch(map);
    v->lost_one = map->phase == MAP_SWITCHED && v->end_epoch > map->phase_since;
    v->simple = is_simple(v);
    return v;
}

struct view *view_ref(struct view *v)
{
    __atomic_add_fetch(&v->refs, 1, __ATOMIC_RELAXED);
    return v;
}

void view_unref(struct view *v)
{
    if (v == NULL || __atomic_sub_fetch(&v->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    if (v->next != v->ring) {
        ring_free(v->next);
        free(v->next_members);
    }
    ring_free(v->ring);
    free(v->members);
    free((struct map *)v->map);
    free(v);
}

/* ---- chains ---------------------------------------------------------------- */

struct chain {
    unsigned n;
    int members[MAP_MAX_REPLICAS];
};

static inline bool is_live(const struct view *v, int i, bool next)
{
    const struct member *m = &v->map->members[i];

    return m->state != MEMBER_EJECTED && (next || !m->filling);
}

static inline bool has(const struct chain *chain, int i)
{
    for (unsigned j = 0; j < chain->n; j++)
        if (chain->members[j] == i)
            return true;
    return false;
}

/* The live ones of a chain; `next`: of the new ring. */
static void live_chain(const struct view *v, bool next, uint32_t position, struct chain *chain)
{
    const uint16_t *members = next ? v->next_members : v->members;
    unsigned on_ring[MAP_MAX_REPLICAS];
    size_t n = ring_chain(next ? v->next : v->ring, position, on_ring, v->map->replicas);

    chain->n = 0;
    for (size_t j = 0; j < n; j++) {
        int i = members != NULL ? members[on_ring[j]] : (int)on_ring[j];

        if (is_live(v, i, next))
            chain->members[chain->n++] = i;
    }
}

/* Which ring owners and copies are of. */
static inline bool rules_next(const struct view *v)
{
    return v->map->phase == MAP_SWITCHED;
}

/* Whose the key was before the phase, who was lost in it too; -1: nobody's. */
static int old_owner(const struct view *v, uint32_t position)
{
    unsigned on_ring[MAP_MAX_REPLICAS];
    size_t n = ring_chain(v->ring, position, on_ring, v->map->replicas);

    for (size_t j = 0; j < n; j++) {
        const int i = v->members != NULL ? v->members[on_ring[j]] : (int)on_ring[j];
        const struct member *m = &v->map->members[i];

        if (!m->filling && (m->state != MEMBER_EJECTED || m->since > v->map->phase_since))
            return i;
    }
    return -1;
}

int view_owner(const struct view *v, uint32_t position)
{
    bool next = rules_next(v);
    const uint16_t *members = next ? v->next_members : v->members;
    unsigned first = ring_owner(next ? v->next : v->ring, position);
    int i = members != NULL ? members[first] : (int)first;
    struct chain chain;

    if (is_live(v, i, next))
        return i;
    live_chain(v, next, position, &chain);
    return chain.n > 0 ? chain.members[0] : -1;
}

void view_place(const struct view *v, uint32_t position, struct placing *p)
{
    struct chain chain, other;

    p->n_copies = p->n_pending = 0;
    p->old_owner = -1;
    live_chain(v, rules_next(v), position, &chain);
    p->owner = chain.n > 0 ? chain.members[0] : -1;
    for (unsigned j = 1; j < chain.n; j++)
        p->copies[p->n_copies++] = chain.members[j];
    if (v->map->phase == MAP_STABLE)
        return;

    if (v->map->phase == MAP_SWITCHED) {
        p->old_owner = old_owner(v, position);
        if (p->old_owner == p->owner)
            p->old_owner = -1;
        return;
    }
    live_chain(v, true, position, &other);
    for (unsigned j = 0; j < other.n; j++)
        if (!has(&chain, other.members[j]))
            p->pending[p->n_pending++] = other.members[j];
}

bool view_keeps(const struct view *v, int i, uint32_t position)
{
    struct chain chain;

    live_chain(v, false, position, &chain);
    if (has(&chain, i))
        return true;
    if (v->map->phase == MAP_STABLE)
        return false;
    live_chain(v, true, position, &chain);
    return has(&chain, i);
}

bool view_reads(const struct view *v, int i, uint32_t position)
{
    struct chain chain;

    live_chain(v, rules_next(v), position, &chain);
    if (!has(&chain, i) || chain.members[0] == i)
        return false;
    if (v->map->phase != MAP_JOINT)
        return true;
    live_chain(v, true, position, &chain);
    return has(&chain, i);
}
