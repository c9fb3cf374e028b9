/*
 * forecast - what would move if a member had another weight
 *
 * Pure: builds both rings, on the caller's time.
 */
#ifndef ADMIN_FORECAST_H
#define ADMIN_FORECAST_H

#include "cluster/map.h"

struct forecast {
    double share;               /* of all keys: get another owner; exact */
    double sent;                /* copies to be made, as a multiple of all keys; from
                                   65,536 positions */
    unsigned copies;            /* of each key: at most the replicas, at most who is there */
};

/*
 * The member `name` gets `weight`; 0: it leaves, and who is not in the map comes.
 * False when memory is short, or nobody would be left on the ring.
 */
bool forecast(const struct map *map, const char *name, const char *zone, unsigned weight,
              struct forecast *out);

#endif
