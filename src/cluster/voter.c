#include "cluster/voter.h"

#include <stdio.h>
#include <string.h>

#include "cluster/times.h"

void voter_init(struct voter *v, const char *name, uint64_t incarnation, bool fresh,
                int64_t now_ms)
{
    snprintf(v->name, sizeof(v->name), "%s", name);
    v->incarnation = incarnation;
    v->from_ms = fresh ? now_ms : now_ms + LEASE_MS + MARGIN_MS;
}

/* The leader's process has its map on disk and so is a voter across its starts;
 * another has forgotten what it saw, and is one as what the map knows it. */
static bool is_voter(const struct voter *v, const struct map *map)
{
    int i;

    if (!map_is_voter(map, v->name))
        return false;
    if (strcmp(map->leader, v->name) == 0)
        return true;
    i = map_find(map, v->name);
    return map->members[i].incarnation == v->incarnation &&
           map->members[i].state == MEMBER_UP;
}

enum grant voter_ask(const struct voter *v, const struct map *map, uint16_t number,
                     uint64_t incarnation, uint64_t epoch, int64_t now_ms)
{
    int i;

    if (map == NULL)
        return GRANT_NO_MAP;
    if (now_ms < v->from_ms)
        return GRANT_TOO_SOON;
    if (!is_voter(v, map))
        return GRANT_NO_VOTER;
    if (epoch != map->epoch)
        return GRANT_OTHER_EPOCH;
    i = map_find_number(map, number);
    if (i < 0 || map->members[i].incarnation != incarnation)
        return GRANT_NO_MEMBER;
    if (map->members[i].state != MEMBER_UP)
        return GRANT_SUSPENDED;
    return GRANT;
}

const char *grant_words(enum grant grant)
{
    static const char *const words[GRANTS] = {
        [GRANT] = "given",
        [GRANT_NO_MAP] = "the voter has no map",
        [GRANT_TOO_SOON] = "the voter has just started",
        [GRANT_NO_VOTER] = "the voter is none in its map",
        [GRANT_OTHER_EPOCH] = "the voter goes by another map",
        [GRANT_NO_MEMBER] = "no member of that number and incarnation",
        [GRANT_SUSPENDED] = "the member is suspended or ejected",
    };

    return words[grant];
}
