/*
 * source - where maps come from
 *
 * A source gives the cluster its maps, by cluster_adopt().  There is one: the
 * members named on the command line, one map, for ever.  A coordinator and
 * ZooKeeper take the same place.
 */
#ifndef CLUSTER_SOURCE_H
#define CLUSTER_SOURCE_H

#include "cluster/cluster.h"

struct source_member {
    const char *name, *address;
    unsigned weight;
};

struct source {
    /* Makes the first map, or begins to look for it.  False: it cannot. */
    bool (*start)(struct source *source, struct cluster *c);
    void (*free)(struct source *source);        /* copes with a half-made one */
};

/* The list of `n` members, borrowed until start() has returned.  NULL when
 * memory is short. */
struct source *source_static_new(const struct source_member *members, size_t n);

#endif
