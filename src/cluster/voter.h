/*
 * voter - who gives leases
 *
 * A voter gives one to a member that goes by the same map, and that its map
 * does not suspend.  So once a majority has a newer map nobody gets a lease
 * under the older one: what was given before is over LEASE_MS later.  Pure.
 */
#ifndef CLUSTER_VOTER_H
#define CLUSTER_VOTER_H

#include "cluster/map.h"

struct voter {
    char name[MAP_NAME_MAX + 1];
    uint64_t incarnation;
    int64_t from_ms;            /* gives nothing before */
};

enum grant {
    GRANT,
    GRANT_NO_MAP,
    GRANT_TOO_SOON,             /* the voter has just started */
    GRANT_NO_VOTER,             /* it does not vote, or is not the one in the map */
    GRANT_OTHER_EPOCH,          /* who has the older map takes the other's first */
    GRANT_NO_MEMBER,            /* no such number, or another incarnation of it */
    GRANT_SUSPENDED,            /* or ejected */
    GRANTS
};

/* `fresh`: no lease can be out, as there never was a map.  Else it begins after
 * all that an older process of this name may have given are over. */
void voter_init(struct voter *v, const char *name, uint64_t incarnation, bool fresh,
                int64_t now_ms);

/* What the asker of that number says of itself; `map`: the voter's, or NULL. */
enum grant voter_ask(const struct voter *v, const struct map *map, uint16_t number,
                     uint64_t incarnation, uint64_t epoch, int64_t now_ms);

const char *grant_words(enum grant grant);

#endif
