/*
 * coverage - have all keys as many copies as are wanted?
 *
 * Pure: by the map, of 4,096 places on the ring.
 */
#ifndef ADMIN_COVERAGE_H
#define ADMIN_COVERAGE_H

#include "cluster/view.h"

/* The share of the keys that fewer members have than the map's replicas; 1: `v` is
 * NULL. */
double coverage_missing(const struct view *v);

/* So many members have each of the keys that this one is to have, itself counted; of
 * some there may be more.  0: it is to have none. */
unsigned coverage_copies(const struct view *v, size_t member);

#endif
