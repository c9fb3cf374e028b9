#include "shard/purge.h"

#include <string.h>

#include "base/log.h"
#include "shard/keeper.h"

#define STEP_ITEMS 500          /* looked at while a partition is locked */
#define STEPS 4                 /* in one turn */

/* The place on one ring is the same, live or not. */
static bool is_same_place(const struct member *a, const struct member *b, unsigned weight_a,
                          unsigned weight_b, bool old_ring)
{
    const bool live_a = a->state != MEMBER_EJECTED && !(old_ring && a->filling);
    const bool live_b = b->state != MEMBER_EJECTED && !(old_ring && b->filling);

    return strcmp(a->name, b->name) == 0 && strcmp(a->zone, b->zone) == 0 &&
           a->incarnation == b->incarnation && weight_a == weight_b && live_a == live_b;
}

bool purge_is_covered(const struct map *map, const struct map *next)
{
    bool new_ring = map->phase == MAP_STABLE;

    if (map->replicas != next->replicas || map->n != next->n ||
        (next->phase == MAP_STABLE && map->phase != MAP_STABLE))
        return false;
    for (size_t i = 0; i < map->n; i++) {
        const struct member *a = &map->members[i], *b = &next->members[i];

        if (!is_same_place(a, b, a->weight, b->weight, true))
            return false;
        if (!new_ring && !is_same_place(a, b, a->next_weight, b->next_weight, false))
            return false;
    }
    return true;
}

void purge_take_view(struct purge *p, bool covered)
{
    if (covered && !p->walking) {
        p->epoch = p->keeper->epoch;
        return;
    }
    p->walking = true;
    p->cursor = 0;
    p->n_dropped = 0;
}

static bool is_kept(void *arg, uint32_t position)
{
    const struct keeper *k = arg;

    return k->is_member && view_keeps(k->view, k->view->self, position);
}

void purge_step(struct purge *p)
{
    struct keeper *k = p->keeper;

    for (unsigned i = 0; i < STEPS && p->walking; i++) {
        p->n_dropped += store_purge(k->shard->store, &p->cursor, STEP_ITEMS, keeper_now(k),
                                    is_kept, k);
        if (p->cursor == 0) {
            p->walking = false;
            p->epoch = k->epoch;
            if (p->n_dropped > 0)
                log_info("shard", "dropped what others keep now items=%llu epoch=%llu",
                         (unsigned long long)p->n_dropped, (unsigned long long)p->epoch);
        }
    }
}
