/*
 * map - who is a member, and since when: small, immutable, replaced whole
 *
 * A map has an epoch; links say the epoch they route by, and a shard executes
 * only what comes under its own.  A member is its name, for ever; its number
 * (1 .. MAP_MAX_MEMBERS) stands in the versions it gives; its address may change.
 *
 * Members are placed on two rings, by `weight` and by `next_weight`.  A change
 * of members goes through three phases:
 *
 *      STABLE --> JOINT --> SWITCHED --> STABLE
 *                   '--------------------^        (given up: as before)
 *
 *      STABLE    both rings are one.
 *      JOINT     the old ring rules; what it writes goes to the new chains too.
 *                Filling members are in the new chains only.
 *      SWITCHED  the new ring rules; a new owner waits for the old one's end.
 *
 * The chain of a key has ejected members in it, which are not live.  A
 * suspended one is live: it may come back, so each write still needs it, but
 * nobody gives it a lease.
 */
#ifndef CLUSTER_MAP_H
#define CLUSTER_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/world.h"

#define MAP_MAX_MEMBERS 1023    /* numbers take ten bits, 0 is nobody's */
#define MAP_NAME_MAX 64
#define MAP_MAX_WEIGHT 100      /* of one member */
#define MAP_MAX_EPOCH (UINT64_MAX / 2)  /* there is always a next one */
#define MAP_MAX_REPLICAS 5
#define MAP_MAX_VOTERS 7        /* the leader's process and six shards */

/* A shard that listens on a TCP address opens this Unix socket beside it, for
 * fronts of the same host: "@chcached/10.0.0.1:11301". */
#define MEMBER_LOCAL_PREFIX "@chcached/"

enum map_phase { MAP_STABLE, MAP_JOINT, MAP_SWITCHED, MAP_PHASES };

enum member_state { MEMBER_UP = 1, MEMBER_SUSPENDED, MEMBER_EJECTED, MEMBER_STATES };

struct member {
    uint16_t number;
    uint16_t weight;            /* on the old ring; 0: not on it */
    uint16_t next_weight;       /* on the new ring; STABLE: the same */
    uint16_t wanted_weight;     /* what the operator gave it, whatever it has now */
    enum member_state state;
    bool filling;               /* holds nothing yet: live in the new chains only */
    bool voter;                 /* gives leases, while it is up, as the leader's process
                                   does; counts for a majority in any state */
    uint64_t incarnation;       /* drawn at each start of the process; 0: not known */
    uint64_t since;             /* epoch from which it serves without a break; of one
                                   who was ejected: with which it was */
    char name[MAP_NAME_MAX + 1];
    char zone[MAP_NAME_MAX + 1];
    char address[ADDRESS_MAX];  /* of its peer port; "" where nobody calls it */
};

struct map {
    uint64_t epoch;             /* 0 is no map */
    uint64_t phase_since;       /* epoch with which the phase began */
    uint16_t replicas;
    enum map_phase phase;
    char leader[MAP_NAME_MAX + 1];      /* "": nobody leads, nobody needs a lease */
    char leader_address[ADDRESS_MAX];
    size_t n;
    struct member members[];    /* by name */
};

/* Room for `n` members, all zero.  NULL when memory is short.  free() it. */
struct map *map_new(size_t n);

/* The same with `more` members behind, all zero. */
struct map *map_copy(const struct map *map, size_t more);

/* Sorts members by name; map_is_sound() wants that. */
void map_sort(struct map *map);

/* Sorts members, numbers them in that order and has nothing about to change;
 * what a source without a memory does, so that all who are given the same list
 * agree. */
void map_number(struct map *map);

/*
 * False for two members of one name or number, a name of no length, a text with
 * anything but printable ASCII (in names no blank either), nobody on a ring,
 * and what the phase does not allow: two weights or somebody filling in a
 * STABLE one; a member that fills and is ejected, or votes.
 */
bool map_is_sound(const struct map *map);

/* Index of the member of that name or number, -1 when there is none. */
int map_find(const struct map *map, const char *name);
int map_find_number(const struct map *map, uint16_t number);

/* Those who give leases under `map`: how many, and whether this name is one. */
size_t map_n_voters(const struct map *map);
bool map_is_voter(const struct map *map, const char *name);

/* Whether a process of that name serves under a lease only: there is a leader,
 * and it is not the leader without other voters. */
bool map_wants_lease(const struct map *map, const char *name);

/*
 * SWITCHED: the epoch that all must have ended before a new owner serves what
 * may be half-done.  Later than phase_since when one of the members was lost in
 * this phase: what it judged last may be on any of its copies.
 */
uint64_t map_end_epoch(const struct map *map);

/* What two maps of one epoch must agree on: all but addresses, as one shard
 * may have several. */
uint64_t map_digest(const struct map *map);

/* Bytes of map_put(). */
size_t map_len(const struct map *map);
void map_put(char *out, const struct map *map);

/* NULL when it is none, or memory is short.  free() it. */
struct map *map_read(const char *data, size_t len);

#endif
