/*
 * lease - how long this process may serve, from what the voters gave
 *
 * Counted from when it was asked: from the oldest of the newest grants that are
 * a majority of the map's voters.  Pure.
 */
#ifndef CLUSTER_LEASE_H
#define CLUSTER_LEASE_H

#include "cluster/map.h"

struct lease_grant {
    char name[MAP_NAME_MAX + 1];        /* the voter's; "": none */
    uint64_t incarnation;
    int64_t asked_ms;
};

/* All zero at the start. */
struct lease {
    struct lease_grant grants[MAP_MAX_VOTERS];
};

/* The voter of that name gave what was asked of it then, under the epoch of
 * `map`, the one seen now; nothing when it is not a voter there. */
void lease_granted(struct lease *l, const struct map *map, const char *voter,
                   uint64_t incarnation, int64_t asked_ms);

/*
 * Until when process `name` may serve under `map`, by the clock of asked_ms;
 * 0: not at all.  A voter gives itself one at any time: `now_ms`.  INT64_MAX
 * where the map wants none.
 */
int64_t lease_until_ms(const struct lease *l, const struct map *map, const char *name,
                       uint64_t incarnation, int64_t now_ms);

#endif
