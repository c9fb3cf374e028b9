#include "cluster/change.h"

#include <assert.h>
#include <string.h>

void change_phase(struct map *map, enum map_phase phase)
{
    map->phase = phase;
    map->phase_since = map->epoch;
}

void change_give_up(struct map *map)
{
    assert(map->phase == MAP_JOINT);
    for (size_t i = 0; i < map->n; i++) {
        struct member *m = &map->members[i];

        m->next_weight = m->weight;
        if (m->filling) {
            m->filling = false;
            m->state = MEMBER_EJECTED;
        }
    }
    change_phase(map, MAP_STABLE);
}

void change_settle(struct map *map)
{
    assert(map->phase == MAP_SWITCHED);
    for (size_t i = 0; i < map->n; i++) {
        map->members[i].weight = map->members[i].next_weight;
        map->members[i].filling = false;
    }
    change_phase(map, MAP_STABLE);
}

static bool is_other_voter(const struct map *map, size_t i)
{
    return map->members[i].voter && strcmp(map->members[i].name, map->leader) != 0;
}

bool change_has_majority(const struct map *map, const bool *counts)
{
    size_t n = 1;

    for (size_t i = 0; i < map->n; i++)
        n += is_other_voter(map, i) && counts[i];
    return n >= map_n_voters(map) / 2 + 1;
}

/* Makes it one, or none, if that leaves a majority. */
static bool set_voter(struct map *map, size_t i, bool voter, const bool *counts)
{
    bool was = map->members[i].voter;

    map->members[i].voter = voter;
    if (was != voter && change_has_majority(map, counts))
        return true;
    map->members[i].voter = was;
    return false;
}

void change_eject(struct map *map, size_t i, const bool *counts)
{
    struct member *m = &map->members[i];

    m->state = MEMBER_EJECTED;
    m->since = map->epoch;
    m->filling = false;
    (void)set_voter(map, i, false, counts);
    if (map->phase == MAP_JOINT)
        change_give_up(map);
}

void change_fill(struct map *map, size_t i, uint64_t incarnation)
{
    struct member *m = &map->members[i];

    assert(m->state == MEMBER_EJECTED && !m->voter);
    m->state = MEMBER_UP;
    m->filling = true;
    m->incarnation = incarnation;
    m->since = map->epoch;
    m->next_weight = m->wanted_weight;
}

void change_drop(struct map *map, size_t i)
{
    assert(map->members[i].weight == 0 && map->members[i].next_weight == 0);
    map->n--;
    memmove(&map->members[i], &map->members[i + 1],
            (map->n - i) * sizeof(map->members[0]));
}

bool change_voter(struct map *map, const bool *may_vote, const bool *counts)
{
    size_t able = 0, voting = 0, wanted;

    for (size_t i = 0; i < map->n; i++) {
        bool other = strcmp(map->members[i].name, map->leader) != 0;

        if (map->members[i].voter && !(may_vote[i] && other) &&
            set_voter(map, i, false, counts))
            return true;
        able += may_vote[i] && other;
        voting += map->members[i].voter;
    }
    wanted = able < MAP_MAX_VOTERS - 1 ? able & ~(size_t)1 : MAP_MAX_VOTERS - 1;
    for (size_t i = 0; i < map->n; i++) {
        bool other = strcmp(map->members[i].name, map->leader) != 0;

        if (voting == 1 && wanted == 0 && set_voter(map, i, false, counts))
            return true;
        if (voting < wanted && may_vote[i] && other && set_voter(map, i, true, counts))
            return true;
    }
    return false;
}
