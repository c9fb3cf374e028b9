#include "cluster/lease.h"

#include <stdio.h>
#include <string.h>

#include "cluster/times.h"

/* The process that the map means; the leader's may have started again, its map
 * is on disk. */
static bool is_voter(const struct map *map, const char *name, uint64_t incarnation)
{
    int i = map_find(map, name);

    if (strcmp(name, map->leader) == 0)
        return name[0] != '\0';
    return i >= 0 && map->members[i].voter && map->members[i].incarnation == incarnation;
}

/* Its entry, or one that is of no use under this map. */
static struct lease_grant *entry_for(struct lease *l, const struct map *map, const char *name)
{
    struct lease_grant *free_one = NULL;

    for (size_t i = 0; i < MAP_MAX_VOTERS; i++) {
        struct lease_grant *g = &l->grants[i];

        if (strcmp(g->name, name) == 0)
            return g;
        if (!is_voter(map, g->name, g->incarnation))
            free_one = g;
    }
    return free_one;
}

void lease_granted(struct lease *l, const struct map *map, const char *voter,
                   uint64_t incarnation, int64_t asked_ms)
{
    struct lease_grant *g;

    if (!is_voter(map, voter, incarnation) || (g = entry_for(l, map, voter)) == NULL)
        return;
    if (strcmp(g->name, voter) != 0 || g->incarnation != incarnation || asked_ms > g->asked_ms)
        g->asked_ms = asked_ms;
    snprintf(g->name, sizeof(g->name), "%s", voter);
    g->incarnation = incarnation;
}

/* Newest first. */
static void insert(int64_t *asked, size_t n, int64_t at)
{
    while (n > 0 && asked[n - 1] < at) {
        asked[n] = asked[n - 1];
        n--;
    }
    asked[n] = at;
}

int64_t lease_until_ms(const struct lease *l, const struct map *map, const char *name,
                       uint64_t incarnation, int64_t now_ms)
{
    int64_t asked[MAP_MAX_VOTERS + 1];
    size_t majority = map_n_voters(map) / 2 + 1, n = 0;
    int self = map_find(map, name);

    if (self < 0 || map->members[self].state != MEMBER_UP)
        return 0;
    if (map->members[self].incarnation != incarnation && map->members[self].incarnation != 0)
        return 0;
    if (!map_wants_lease(map, name))
        return INT64_MAX;
    if (map_is_voter(map, name))
        insert(asked, n++, now_ms);
    for (size_t i = 0; i < MAP_MAX_VOTERS; i++) {
        const struct lease_grant *g = &l->grants[i];

        if (strcmp(g->name, name) != 0 && is_voter(map, g->name, g->incarnation))
            insert(asked, n++, g->asked_ms);
    }
    return n >= majority ? asked[majority - 1] + LEASE_MS : 0;
}
