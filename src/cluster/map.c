#include "cluster/map.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "ring/ring.h"

/* What the bytes of a map begin with; another format gets another number. */
#define MAP_MAGIC 'M'
#define MAP_FORMAT 1

/* magic, format, epoch, phase_since, replicas, phase, n, two lengths */
#define MAP_FIXED (1 + 1 + 8 + 8 + 2 + 1 + 2 + 2)
/* number, three weights, state, flags, incarnation, since, three lengths */
#define MEMBER_FIXED (2 + 3 * 2 + 1 + 1 + 8 + 8 + 3)

enum { FLAG_FILLING = 1, FLAG_VOTER = 2, FLAGS = 3 };

struct map *map_new(size_t n)
{
    struct map *map = calloc(1, sizeof(*map) + n * sizeof(map->members[0]));

    if (map != NULL)
        map->n = n;
    return map;
}

struct map *map_copy(const struct map *map, size_t more)
{
    struct map *copy = map_new(map->n + more);

    if (copy != NULL) {
        memcpy(copy, map, sizeof(*map) + map->n * sizeof(map->members[0]));
        copy->n = map->n + more;
    }
    return copy;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct member *)a)->name, ((const struct member *)b)->name);
}

void map_sort(struct map *map)
{
    qsort(map->members, map->n, sizeof(map->members[0]), by_name);
}

void map_number(struct map *map)
{
    map_sort(map);
    map->phase = MAP_STABLE;
    map->phase_since = map->epoch;
    for (size_t i = 0; i < map->n; i++) {
        struct member *m = &map->members[i];

        m->number = (uint16_t)(i + 1);
        m->next_weight = m->weight;
        m->wanted_weight = m->weight;
    }
}

/* From `least` on: these texts stand in the lines that clients are answered. */
static bool is_printable(const char *text, char least)
{
    for (; *text != '\0'; text++)
        if (*text < least || *text > '~')
            return false;
    return true;
}

/* What of a member can be said without the others. */
static bool is_sound_alone(const struct member *m)
{
    if (m->number == 0 || m->number > MAP_MAX_MEMBERS || m->name[0] == '\0' ||
        m->state < MEMBER_UP || m->state >= MEMBER_STATES)
        return false;
    if (m->weight > MAP_MAX_WEIGHT || m->next_weight > MAP_MAX_WEIGHT ||
        m->wanted_weight > MAP_MAX_WEIGHT)
        return false;
    if (m->filling && (m->voter || m->state == MEMBER_EJECTED))
        return false;
    return is_printable(m->name, '!') && is_printable(m->zone, '!') &&
           is_printable(m->address, ' ');
}

static bool is_ring(size_t weights)
{
    return weights > 0 && weights <= RING_MAX_WEIGHT;
}

bool map_is_sound(const struct map *map)
{
    bool taken[MAP_MAX_MEMBERS + 1] = { false };
    size_t weights = 0, next_weights = 0;

    if (map->epoch == 0 || map->epoch > MAP_MAX_EPOCH || map->phase_since > map->epoch || map->replicas == 0 ||
        map->replicas > MAP_MAX_REPLICAS || map->phase >= MAP_PHASES || map->n == 0 ||
        map->n > MAP_MAX_MEMBERS || !is_printable(map->leader, '!') ||
        !is_printable(map->leader_address, ' '))
        return false;
    for (size_t i = 0; i < map->n; i++) {
        const struct member *m = &map->members[i];

        if (!is_sound_alone(m) || taken[m->number] || m->since > map->epoch)
            return false;
        if (map->phase == MAP_STABLE && (m->filling || m->weight != m->next_weight))
            return false;
        if (i > 0 && strcmp(map->members[i - 1].name, m->name) >= 0)
            return false;
        taken[m->number] = true;
        weights += m->weight;
        next_weights += m->next_weight;
    }
    return is_ring(weights) && is_ring(next_weights) && map_n_voters(map) <= MAP_MAX_VOTERS;
}

int map_find(const struct map *map, const char *name)
{
    for (size_t i = 0; i < map->n; i++)
        if (strcmp(map->members[i].name, name) == 0)
            return (int)i;
    return -1;
}

int map_find_number(const struct map *map, uint16_t number)
{
    for (size_t i = 0; i < map->n; i++)
        if (map->members[i].number == number)
            return (int)i;
    return -1;
}

size_t map_n_voters(const struct map *map)
{
    size_t n = map->leader[0] != '\0';

    for (size_t i = 0; i < map->n; i++)
        if (map->members[i].voter && strcmp(map->members[i].name, map->leader) != 0)
            n++;
    return n;
}

bool map_is_voter(const struct map *map, const char *name)
{
    int i = map_find(map, name);

    return (i >= 0 && map->members[i].voter) ||
           (name[0] != '\0' && strcmp(name, map->leader) == 0);
}

bool map_wants_lease(const struct map *map, const char *name)
{
    return map->leader[0] != '\0' &&
           (strcmp(name, map->leader) != 0 || map_n_voters(map) > 1);
}

/* All of a map that stands at fixed places, from the epoch on; the same of a member. */
#define MAP_NUMBERS (8 + 8 + 2 + 1 + 2)
#define MEMBER_NUMBERS (MEMBER_FIXED - 3)

static char *put_map_numbers(char *out, const struct map *map)
{
    out = bytes_put_u64(out, map->epoch);
    out = bytes_put_u64(out, map->phase_since);
    out = bytes_put_u16(out, map->replicas);
    *out++ = (char)map->phase;
    return bytes_put_u16(out, (uint16_t)map->n);
}

static char *put_member_numbers(char *out, const struct member *m)
{
    out = bytes_put_u16(out, m->number);
    out = bytes_put_u16(out, m->weight);
    out = bytes_put_u16(out, m->next_weight);
    out = bytes_put_u16(out, m->wanted_weight);
    *out++ = (char)m->state;
    *out++ = (char)((m->filling ? FLAG_FILLING : 0) | (m->voter ? FLAG_VOTER : 0));
    out = bytes_put_u64(out, m->incarnation);
    return bytes_put_u64(out, m->since);
}

uint64_t map_end_epoch(const struct map *map)
{
    uint64_t epoch = map->phase_since;

    for (size_t i = 0; i < map->n; i++)
        if (map->members[i].state == MEMBER_EJECTED && map->members[i].since > epoch)
            epoch = map->members[i].since;
    return epoch;
}

uint64_t map_digest(const struct map *map)
{
    static const uint64_t nobody_attacks_this[2] = { 0, 0 };
    char first[MAP_NUMBERS + MAP_NAME_MAX + 1] = { 0 };
    uint64_t sum;

    bytes_put_text(put_map_numbers(first, map), map->leader);
    sum = hash_sip13(nobody_attacks_this, first, sizeof(first));
    for (size_t i = 0; i < map->n; i++) {
        const struct member *m = &map->members[i];
        char row[8 + MEMBER_NUMBERS + 2 * (MAP_NAME_MAX + 1)] = { 0 };
        char *p = put_member_numbers(bytes_put_u64(row, sum), m);

        bytes_put_text(p, m->name);
        bytes_put_text(p + MAP_NAME_MAX + 1, m->zone);
        sum = hash_sip13(nobody_attacks_this, row, sizeof(row));
    }
    return sum;
}

size_t map_len(const struct map *map)
{
    size_t len = MAP_FIXED + strlen(map->leader) + strlen(map->leader_address);

    for (size_t i = 0; i < map->n; i++) {
        const struct member *m = &map->members[i];

        len += MEMBER_FIXED + strlen(m->name) + strlen(m->zone) + strlen(m->address);
    }
    return len;
}

void map_put(char *out, const struct map *map)
{
    *out++ = MAP_MAGIC;
    *out++ = MAP_FORMAT;
    out = put_map_numbers(out, map);
    *out++ = (char)strlen(map->leader);
    *out++ = (char)strlen(map->leader_address);
    out = bytes_put_text(out, map->leader);
    out = bytes_put_text(out, map->leader_address);
    for (size_t i = 0; i < map->n; i++) {
        const struct member *m = &map->members[i];

        out = put_member_numbers(out, m);
        *out++ = (char)strlen(m->name);
        *out++ = (char)strlen(m->zone);
        *out++ = (char)strlen(m->address);
        out = bytes_put_text(out, m->name);
        out = bytes_put_text(out, m->zone);
        out = bytes_put_text(out, m->address);
    }
}

/* Takes `len` bytes of text; false when they do not fit or hold a NUL. */
static bool take_text(char *to, size_t size, const char **p, size_t len)
{
    if (len >= size || memchr(*p, '\0', len) != NULL)
        return false;
    memcpy(to, *p, len);
    *p += len;
    return true;
}

/* Takes what leads the map; false when the bytes end or do not fit. */
static bool take_leader(struct map *map, const char **p, const char *end)
{
    size_t name_len = (uint8_t)(*p)[0], address_len = (uint8_t)(*p)[1];

    *p += 2;
    return (size_t)(end - *p) >= name_len + address_len &&
           take_text(map->leader, sizeof(map->leader), p, name_len) &&
           take_text(map->leader_address, sizeof(map->leader_address), p, address_len);
}

/* Takes one member; false when the bytes end or do not fit. */
static bool take_member(struct member *m, const char **p, const char *end)
{
    size_t name_len, zone_len, address_len;
    uint8_t flags;

    if (end - *p < MEMBER_FIXED)
        return false;
    m->number = bytes_get_u16(*p);
    m->weight = bytes_get_u16(*p + 2);
    m->next_weight = bytes_get_u16(*p + 4);
    m->wanted_weight = bytes_get_u16(*p + 6);
    m->state = (enum member_state)(uint8_t)(*p)[8];
    flags = (uint8_t)(*p)[9];
    m->filling = flags & FLAG_FILLING;
    m->voter = flags & FLAG_VOTER;
    m->incarnation = bytes_get_u64(*p + 10);
    m->since = bytes_get_u64(*p + 18);
    name_len = (uint8_t)(*p)[26];
    zone_len = (uint8_t)(*p)[27];
    address_len = (uint8_t)(*p)[28];
    *p += MEMBER_FIXED;
    if (flags > FLAGS || (size_t)(end - *p) < name_len + zone_len + address_len)
        return false;
    return take_text(m->name, sizeof(m->name), p, name_len) &&
           take_text(m->zone, sizeof(m->zone), p, zone_len) &&
           take_text(m->address, sizeof(m->address), p, address_len);
}

struct map *map_read(const char *data, size_t len)
{
    const char *p = data + 2, *end = data + len;
    struct map *map;
    size_t n;

    if (len < MAP_FIXED || data[0] != MAP_MAGIC || data[1] != MAP_FORMAT)
        return NULL;
    n = bytes_get_u16(p + 19);
    if (n > MAP_MAX_MEMBERS || len < MAP_FIXED + n * MEMBER_FIXED)
        return NULL;
    map = map_new(n);
    if (map == NULL)
        return NULL;
    map->epoch = bytes_get_u64(p);
    map->phase_since = bytes_get_u64(p + 8);
    map->replicas = bytes_get_u16(p + 16);
    map->phase = (enum map_phase)(uint8_t)p[18];
    p += MAP_NUMBERS;
    if (!take_leader(map, &p, end))
        goto bad;
    for (size_t i = 0; i < n; i++)
        if (!take_member(&map->members[i], &p, end))
            goto bad;
    if (p == end && map_is_sound(map))
        return map;
bad:
    free(map);
    return NULL;
}
