#include "admin/forecast.h"

#include <stdlib.h>
#include <string.h>

#include "ring/ring.h"

#define POSITIONS 65536

/* One of the two rings; a member is known by its index in `all` here. */
struct side {
    struct ring *ring;
    size_t n;
    struct ring_member *members;        /* those with weight */
    unsigned *index;            /* of each of them, in `all` */
};

static void side_free(struct side *s)
{
    ring_free(s->ring);
    free(s->members);
    free(s->index);
}

static bool side_make(struct side *s, const struct ring_member *all, size_t n)
{
    s->members = calloc(n, sizeof(*s->members));
    s->index = calloc(n, sizeof(*s->index));
    if (s->members == NULL || s->index == NULL)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (all[i].weight == 0)
            continue;
        s->index[s->n] = (unsigned)i;
        s->members[s->n++] = all[i];
    }
    s->ring = s->n > 0 ? ring_new(s->members, s->n) : NULL;
    return s->ring != NULL;
}

static double share_of(const struct side *s, size_t member)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->index[i] == member)
            return ring_share(s->ring, (unsigned)i);
    return 0;
}

static bool is_in(const struct side *s, const unsigned *chain, size_t n, unsigned member)
{
    for (size_t i = 0; i < n; i++)
        if (s->index[chain[i]] == member)
            return true;
    return false;
}

static double count_sent(const struct side *before, const struct side *after, size_t replicas)
{
    unsigned old[MAP_MAX_REPLICAS], new[MAP_MAX_REPLICAS];
    size_t sent = 0;

    for (uint32_t i = 0; i < POSITIONS; i++) {
        const uint32_t position = i * (UINT32_MAX / POSITIONS) + UINT32_MAX / POSITIONS / 2;
        const size_t n_old = ring_chain(before->ring, position, old, replicas);
        const size_t n_new = ring_chain(after->ring, position, new, replicas);

        for (size_t j = 0; j < n_new; j++)
            sent += !is_in(before, old, n_old, after->index[new[j]]);
    }
    return (double)sent / POSITIONS;
}

static bool compare(const struct ring_member *all, const struct ring_member *then, size_t n,
                    size_t replicas, struct forecast *out)
{
    struct side before = { 0 }, after = { 0 };
    bool ok = side_make(&before, all, n) && side_make(&after, then, n);

    memset(out, 0, sizeof(*out));
    for (size_t i = 0; ok && i < n; i++) {
        const double more = share_of(&after, i) - share_of(&before, i);

        if (more > 0)           /* points come or go, they do not change hands otherwise */
            out->share += more;
    }
    if (ok) {
        out->sent = count_sent(&before, &after, replicas);
        out->copies = (unsigned)(before.n < replicas ? before.n : replicas);
    }
    side_free(&before);
    side_free(&after);
    return ok;
}

bool forecast(const struct map *map, const char *name, const char *zone, unsigned weight,
              struct forecast *out)
{
    const int at = map_find(map, name);
    const size_t n = map->n + (at < 0);
    struct ring_member *all = calloc(2 * n, sizeof(*all)), *then = all + n;
    bool ok;

    if (all == NULL)
        return false;
    for (size_t i = 0; i < map->n; i++) {
        const struct member *m = &map->members[i];

        all[i] = then[i] = (struct ring_member){ m->name, m->zone, m->next_weight };
    }
    if (at < 0)
        all[map->n] = then[map->n] = (struct ring_member){ name, zone, 0 };
    then[at < 0 ? map->n : (size_t)at].weight = weight;
    ok = compare(all, then, n, map->replicas, out);
    free(all);
    return ok;
}
