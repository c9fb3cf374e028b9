/*
 * change - the steps from one map to the next
 *
 * Each edits a map whose epoch is already the new one, and leaves it sound.
 * When to take which is the leader's business.
 */
#ifndef CLUSTER_CHANGE_H
#define CLUSTER_CHANGE_H

#include "cluster/map.h"

/* A phase begins with this epoch. */
void change_phase(struct map *map, enum map_phase phase);

/* Gives a JOINT phase up: the old ring stays, who was filling holds nothing. */
void change_give_up(struct map *map);

/* After SWITCHED: the new ring is the only one. */
void change_settle(struct map *map);

/*
 * No longer live; what it fell out of in a JOINT phase is given up.  It is a
 * voter no more, where those of the rest that `counts` names are a majority: the
 * next map could not take effect otherwise.
 */
void change_eject(struct map *map, size_t i, const bool *counts);

/* An ejected one is filled, by a process of that incarnation. */
void change_fill(struct map *map, size_t i, uint64_t incarnation);

/* Forgets it; it must be on no ring. */
void change_drop(struct map *map, size_t i);

/*
 * Of those who may vote an even number should, six at most: an odd one with the
 * leader's process, as one more would spare no more losses.  Where one is lost
 * the rest go on, but not a last one: the leader alone does better than two who
 * need each other.  One is added or taken away at a time, so that each majority
 * of one map meets each of the next, and never so that those who count are none.
 * Whether one was.
 */
bool change_voter(struct map *map, const bool *may_vote, const bool *counts);

/* The leader's process and those voters that `counts` names are a majority. */
bool change_has_majority(const struct map *map, const bool *counts);

#endif
