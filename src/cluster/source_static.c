#include <stdio.h>
#include <stdlib.h>

#include "cluster/source.h"

struct source_static {
    struct source source;
    const struct source_member *members;
    size_t n;
};

/* Who is named is meant to hold items. */
static bool has_no_weight(const struct map *map)
{
    for (size_t i = 0; i < map->n; i++)
        if (map->members[i].weight == 0)
            return true;
    return false;
}

/* All who were given the same list make the same map, in whatever order it was. */
static bool start(struct source *source, struct cluster *c)
{
    struct source_static *s = (struct source_static *)source;
    struct map *map = map_new(s->n);

    if (map == NULL)
        return false;
    map->epoch = 1;
    map->replicas = 1;
    for (size_t i = 0; i < s->n; i++) {
        struct member *m = &map->members[i];

        m->weight = (uint16_t)s->members[i].weight;
        m->state = MEMBER_UP;
        m->since = 1;
        snprintf(m->name, sizeof(m->name), "%s", s->members[i].name);
        snprintf(m->address, sizeof(m->address), "%s", s->members[i].address);
    }
    map_number(map);
    if (has_no_weight(map) || !map_is_sound(map)) {
        free(map);
        return false;
    }
    return cluster_adopt(c, map) != ADOPTED_NO_MEMORY;
}

static void source_static_free(struct source *source)
{
    free(source);
}

struct source *source_static_new(const struct source_member *members, size_t n)
{
    struct source_static *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return NULL;
    s->source = (struct source){ start, source_static_free };
    s->members = members;
    s->n = n;
    return &s->source;
}
