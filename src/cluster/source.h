/*
 * source - where maps come from
 *
 * The members named on the command line are one map, for ever, where nobody
 * leads.  Else a leader makes maps, and a source keeps them for the next one:
 * a file of the process that is named as coordinator.  ZooKeeper takes the same
 * place.
 */
#ifndef CLUSTER_SOURCE_H
#define CLUSTER_SOURCE_H

#include "cluster/cluster.h"
#include "cluster/leader.h"

/* The map of a list that everybody is given, in whatever order; false when it
 * makes none, or memory is short. */
bool source_static(struct cluster *c, const struct leader_member *members, size_t n);

struct source {
    /* What was kept last, malloc'd; *len 0 where nothing ever was.  False, with
     * words, when it cannot be told. */
    bool (*load)(struct source *s, char **data, size_t *len, const char **why);
    /* True once no crash can lose it. */
    bool (*save)(struct source *s, const char *data, size_t len);
    void (*free)(struct source *s);
};

/* In a file of that folder.  NULL when memory is short. */
struct source *source_file_new(struct world *w, const char *folder);

#endif
