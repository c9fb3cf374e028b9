/*
 * ring - which shard owns a key
 *
 * A ring is a sorted array of points; each member places `weight` groups of
 * RING_POINTS points on it and owns the arcs that end at them.  A ring never
 * changes: a new membership makes a new ring, old requests finish on the old.
 *
 *      bytes of a key --ring_hash--> position --first point at or after--> member
 *
 * Pure: no I/O, no clock, no state.  After libketama, Richard Jones 2007, with
 * MurmurHash3 in the place of MD5.
 */
#ifndef RING_RING_H
#define RING_RING_H

#include <stddef.h>
#include <stdint.h>

/* Points per unit of weight: 4,096 keep ten equal members within 6 % of the
 * mean.  Absolute, never scaled by the total: a change of one weight moves
 * only that member's keys. */
#define RING_POINTS 4096
#define RING_MAX_MEMBERS 1024

/* Most that the weights of a ring may sum to: 2^26 points, which take 1 GiB
 * while they are sorted.  More is refused by count, the same everywhere, and
 * not by the luck of each machine's memory. */
#define RING_MAX_WEIGHT 16384

struct ring;

struct ring_member {
    const char *name;           /* its identity: never an address */
    const char *zone;           /* "" when it names none: a zone of its own */
    unsigned weight;            /* 1 .. 100 */
};

/*
 * Builds the ring of `n` members (1 .. RING_MAX_MEMBERS, names distinct).
 * Members are known by their index in `members` from here on; the array is
 * not kept.  NULL when memory is short or RING_MAX_WEIGHT exceeded.  Takes
 * about 50 ns a point and 16 bytes, of which about 12 stay.  Free with
 * ring_free(), which copes with NULL.
 *
 * Points: MurmurHash3_x86_32, seed 0, of "name-index" (from 0, in decimal);
 * equal points are ordered by name, as bytes, so that everybody agrees
 * whatever the order of the list.
 */
struct ring *ring_new(const struct ring_member *members, size_t n);
void ring_free(struct ring *ring);

/* The position of a key (`len` bytes, any bytes): MurmurHash3_x86_32, seed 0. */
uint32_t ring_hash(const char *key, size_t len);

/* Index of the member that owns position `hash`.  O(1) on average. */
unsigned ring_owner(const struct ring *ring, uint32_t hash);

/*
 * The chain of a position: up to `max` distinct members, owner first, then
 * clockwise; members of zones not yet in the chain before others.  Writes
 * their indexes to `out`, returns how many.
 */
size_t ring_chain(const struct ring *ring, uint32_t hash, unsigned *out, size_t max);

/* The share of the whole circle that member `index` owns, 0 .. 1.  Exact: the
 * shares of all members sum to 1.0. */
double ring_share(const struct ring *ring, unsigned index);

size_t ring_n_members(const struct ring *ring);
/* All that were placed, equal ones too: RING_POINTS times the sum of weights. */
size_t ring_n_points(const struct ring *ring);

#endif
