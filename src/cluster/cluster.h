/*
 * cluster - the map that this process goes by
 *
 * A map comes from a source (a list of options, later a coordinator or
 * ZooKeeper) or over a link from a member that has a newer one.  With its ring
 * it makes a view, which never changes; workers hold a reference and look for
 * a newer one once a turn.
 *
 *      source --cluster_adopt--> cluster --cluster_view--> workers
 *      link   ----------'
 */
#ifndef CLUSTER_CLUSTER_H
#define CLUSTER_CLUSTER_H

#include "cluster/map.h"
#include "ring/ring.h"

struct cluster;

struct view {
    int refs;                   /* atomic */
    const struct map *map;      /* owned */
    struct ring *ring;          /* owned */
    uint64_t digest;            /* map_digest(map) */
    int self;                   /* this process's index in the map, -1: not in it */
};

/* `name`: of this member; kept.  Ends the process when memory is short. */
struct cluster *cluster_new(const char *cluster_name, const char *name);
void cluster_free(struct cluster *c);

const char *cluster_name(const struct cluster *c);
const char *cluster_self(const struct cluster *c);

enum adopted { ADOPTED, ADOPTED_OLD, ADOPTED_NO_MEMORY };

/*
 * Goes by `map` from now on if its epoch is greater than the present one's;
 * takes the map over in any case.  Builds the ring on the caller's time.
 */
enum adopted cluster_adopt(struct cluster *c, struct map *map);

/* The epoch gone by now, 0 before the first map.  Any thread, no lock. */
uint64_t cluster_epoch(const struct cluster *c);

/* The present view, with a reference; NULL before the first map. */
struct view *cluster_view(struct cluster *c);
struct view *view_ref(struct view *v);
void view_unref(struct view *v);        /* copes with NULL */

#endif
