/*
 * map - who is a member, and since when: small, immutable, replaced whole
 *
 * A map has an epoch; links say the epoch they route by, and a shard executes
 * only what comes under its own.  A member is its name, for ever; its number
 * (1 .. MAP_MAX_MEMBERS) stands in the versions it gives; its address may change.
 */
#ifndef CLUSTER_MAP_H
#define CLUSTER_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/world.h"

#define MAP_MAX_MEMBERS 1023    /* numbers take ten bits, 0 is nobody's */
#define MAP_NAME_MAX 64

/* A shard that listens on a TCP address opens this Unix socket beside it, for
 * fronts of the same host: "@chcached/10.0.0.1:11301". */
#define MEMBER_LOCAL_PREFIX "@chcached/"

enum member_state { MEMBER_UP = 1, MEMBER_STATES };

struct member {
    uint16_t number;
    uint16_t weight;
    enum member_state state;
    uint64_t incarnation;       /* drawn at each start of the process; 0: not known */
    uint64_t since;             /* epoch from which it serves */
    char name[MAP_NAME_MAX + 1];
    char zone[MAP_NAME_MAX + 1];
    char address[ADDRESS_MAX];  /* of its peer port; "" where nobody calls it */
};

struct map {
    uint64_t epoch;             /* 0 is no map */
    uint16_t replicas;
    size_t n;
    struct member members[];    /* by name */
};

/* Room for `n` members, all zero.  NULL when memory is short.  free() it. */
struct map *map_new(size_t n);

/* Sorts members by name and numbers them in that order; what a source without
 * a memory does, so that all who are given the same list agree. */
void map_number(struct map *map);

/* Two members of one name or number, a name of no length, a text with anything
 * but printable ASCII (in names and zones no blank either): false. */
bool map_is_sound(const struct map *map);

/* Index of the member of that name, -1 when there is none. */
int map_find(const struct map *map, const char *name);

/*
 * What two maps of one epoch must agree on: names, numbers, weights, zones,
 * copies.  Addresses are left out: one shard may have several.
 */
uint64_t map_digest(const struct map *map);

/* Bytes of map_put(). */
size_t map_len(const struct map *map);
void map_put(char *out, const struct map *map);

/* NULL when it is none, or memory is short.  free() it. */
struct map *map_read(const char *data, size_t len);

#endif
