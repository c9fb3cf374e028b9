/*
 * view - a map with its rings: who has to do with a key
 *
 * Shared by count between workers; never changes.
 */
#ifndef CLUSTER_VIEW_H
#define CLUSTER_VIEW_H

#include "cluster/map.h"
#include "ring/ring.h"

struct view {
    int refs;                   /* atomic */
    const struct map *map;      /* owned */
    struct ring *ring;          /* owned; by weight */
    struct ring *next;          /* owned; by next_weight; `ring` itself where equal */
    uint16_t *members;          /* owned; of `ring`: index in the map; NULL: the same */
    uint16_t *next_members;     /* the same of `next` */
    uint64_t digest;            /* map_digest(map) */
    int self;                   /* this process's index in the map, -1: not in it */
    uint64_t end_epoch;         /* map_end_epoch(map) */
    bool lost_one;              /* SWITCHED: a member was ejected in this phase */
    bool simple;                /* one copy, all up, nothing changes, all have weight:
                                   ring_owner(ring, position) is the owner */
};

/*
 * Who has to do with a key, as indexes in the map.  JOINT: writes go to the
 * copies and the pending ones.  SWITCHED: the owner serves from when
 * cluster_has_taken_over() says so.
 */
struct placing {
    int owner;                  /* -1: no live member */
    int old_owner;              /* SWITCHED, the one before, if another; ejected only if
                                   in this phase; else -1 */
    unsigned n_copies, n_pending;
    int copies[MAP_MAX_REPLICAS - 1];   /* live, in the chain's order, owner not among them */
    int pending[MAP_MAX_REPLICAS];
};

/* Takes the map over in any case; NULL when memory is short.  `self`: the name
 * of this process.  A reference; give it back with view_unref(). */
struct view *view_new(struct map *map, const char *self);
struct view *view_ref(struct view *v);
void view_unref(struct view *v);        /* copes with NULL */

/* All without a lock or an allocation. */
void view_place(const struct view *v, uint32_t position, struct placing *p);
/* Its owner alone: sooner. */
int view_owner(const struct view *v, uint32_t position);
/* Whether member `i` may hold the key at all, in whatever role: else it drops it. */
bool view_keeps(const struct view *v, int i, uint32_t position);
/* Whether member `i`, not the owner, may answer reads: a live copy that stays. */
bool view_reads(const struct view *v, int i, uint32_t position);

#endif
