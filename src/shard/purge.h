/*
 * purge - what a map gives to others is dropped, without a trace
 *
 * After each map that may have taken something from this member its store is
 * walked in bounded steps.
 */
#ifndef SHARD_PURGE_H
#define SHARD_PURGE_H

#include <stdbool.h>
#include <stdint.h>

struct keeper;

struct purge {
    struct keeper *keeper;
    bool walking;
    uint64_t cursor;
    uint64_t epoch;             /* it is done for this one */
    uint64_t n_dropped;         /* by this walk */
};

/* The keeper goes by a newer map; `covered`: what is kept under it has not
 * become less than what was under the map before. */
void purge_take_view(struct purge *p, bool covered);
/* A bounded step, if there is something to do. */
void purge_step(struct purge *p);

struct map;
/* Member `name` keeps under `next` all that it keeps under `map`, by the rings. */
bool purge_is_covered(const struct map *map, const struct map *next);

#endif
