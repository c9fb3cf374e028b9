#include <stdio.h>
#include <stdlib.h>

#include "cluster/source.h"

bool source_static(struct cluster *c, const struct leader_member *members, size_t n)
{
    struct map *map = map_new(n);

    if (map == NULL)
        return false;
    map->epoch = 1;
    map->replicas = 1;
    for (size_t i = 0; i < n; i++) {
        struct member *m = &map->members[i];

        m->weight = (uint16_t)members[i].weight;
        m->state = MEMBER_UP;
        m->since = 1;
        snprintf(m->name, sizeof(m->name), "%s", members[i].name);
        snprintf(m->zone, sizeof(m->zone), "%s", members[i].zone);
        snprintf(m->address, sizeof(m->address), "%s", members[i].address);
    }
    map_number(map);
    if (!map_is_sound(map)) {
        free(map);
        return false;
    }
    return cluster_adopt(c, map) != ADOPTED_NO_MEMORY;
}
