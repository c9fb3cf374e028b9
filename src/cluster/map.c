#include "cluster/map.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"

/* epoch, replicas, n; then each: number, weight, state, incarnation, since,
 * three lengths, name, zone, address */
#define MAP_FIXED (8 + 2 + 2)
#define MEMBER_FIXED (2 + 2 + 1 + 8 + 8 + 3)

struct map *map_new(size_t n)
{
    struct map *map = calloc(1, sizeof(*map) + n * sizeof(map->members[0]));

    if (map != NULL)
        map->n = n;
    return map;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct member *)a)->name, ((const struct member *)b)->name);
}

void map_number(struct map *map)
{
    qsort(map->members, map->n, sizeof(map->members[0]), by_name);
    for (size_t i = 0; i < map->n; i++)
        map->members[i].number = (uint16_t)(i + 1);
}

/* From `least` on: these texts stand in the lines that clients are answered. */
static bool is_printable(const char *text, char least)
{
    for (; *text != '\0'; text++)
        if (*text < least || *text > '~')
            return false;
    return true;
}

bool map_is_sound(const struct map *map)
{
    bool taken[MAP_MAX_MEMBERS + 1] = { false };

    if (map->epoch == 0 || map->replicas == 0 || map->n == 0 || map->n > MAP_MAX_MEMBERS)
        return false;
    for (size_t i = 0; i < map->n; i++) {
        const struct member *m = &map->members[i];

        if (m->number == 0 || m->number > MAP_MAX_MEMBERS || taken[m->number] ||
            m->weight == 0 || m->weight > 100 || m->name[0] == '\0' ||
            m->state < MEMBER_UP || m->state >= MEMBER_STATES)
            return false;
        if (!is_printable(m->name, '!') || !is_printable(m->zone, '!') ||
            !is_printable(m->address, ' '))
            return false;
        if (i > 0 && strcmp(map->members[i - 1].name, m->name) >= 0)
            return false;
        taken[m->number] = true;
    }
    return true;
}

int map_find(const struct map *map, const char *name)
{
    for (size_t i = 0; i < map->n; i++)
        if (strcmp(map->members[i].name, name) == 0)
            return (int)i;
    return -1;
}

uint64_t map_digest(const struct map *map)
{
    static const uint64_t nobody_attacks_this[2] = { 0, 0 };
    uint64_t sum = map->replicas;

    for (size_t i = 0; i < map->n; i++) {
        const struct member *m = &map->members[i];
        char row[8 + 2 + 2 + 2 * (MAP_NAME_MAX + 1)] = { 0 };
        char *p = bytes_put_u64(row, sum);

        p = bytes_put_u16(p, m->number);
        p = bytes_put_u16(p, m->weight);
        memcpy(p, m->name, strlen(m->name));
        memcpy(p + MAP_NAME_MAX + 1, m->zone, strlen(m->zone));
        sum = hash_sip13(nobody_attacks_this, row, sizeof(row));
    }
    return sum;
}

size_t map_len(const struct map *map)
{
    size_t len = MAP_FIXED;

    for (size_t i = 0; i < map->n; i++) {
        const struct member *m = &map->members[i];

        len += MEMBER_FIXED + strlen(m->name) + strlen(m->zone) + strlen(m->address);
    }
    return len;
}

void map_put(char *out, const struct map *map)
{
    out = bytes_put_u64(out, map->epoch);
    out = bytes_put_u16(out, map->replicas);
    out = bytes_put_u16(out, (uint16_t)map->n);
    for (size_t i = 0; i < map->n; i++) {
        const struct member *m = &map->members[i];

        out = bytes_put_u16(out, m->number);
        out = bytes_put_u16(out, m->weight);
        *out++ = (char)m->state;
        out = bytes_put_u64(out, m->incarnation);
        out = bytes_put_u64(out, m->since);
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

/* Takes one member; false when the bytes end or do not fit. */
static bool take_member(struct member *m, const char **p, const char *end)
{
    size_t name_len, zone_len, address_len;

    if (end - *p < MEMBER_FIXED)
        return false;
    m->number = bytes_get_u16(*p);
    m->weight = bytes_get_u16(*p + 2);
    m->state = (enum member_state)(uint8_t)(*p)[4];
    m->incarnation = bytes_get_u64(*p + 5);
    m->since = bytes_get_u64(*p + 13);
    name_len = (uint8_t)(*p)[21];
    zone_len = (uint8_t)(*p)[22];
    address_len = (uint8_t)(*p)[23];
    *p += MEMBER_FIXED;
    if ((size_t)(end - *p) < name_len + zone_len + address_len)
        return false;
    return take_text(m->name, sizeof(m->name), p, name_len) &&
           take_text(m->zone, sizeof(m->zone), p, zone_len) &&
           take_text(m->address, sizeof(m->address), p, address_len);
}

struct map *map_read(const char *data, size_t len)
{
    const char *p = data, *end = data + len;
    struct map *map;
    size_t n;

    if (len < MAP_FIXED)
        return NULL;
    n = bytes_get_u16(p + 10);
    if (n > MAP_MAX_MEMBERS || len < MAP_FIXED + n * MEMBER_FIXED)
        return NULL;
    map = map_new(n);
    if (map == NULL)
        return NULL;
    map->epoch = bytes_get_u64(p);
    map->replicas = bytes_get_u16(p + 8);
    p += MAP_FIXED;
    for (size_t i = 0; i < n; i++)
        if (!take_member(&map->members[i], &p, end))
            goto bad;
    if (p == end && map_is_sound(map))
        return map;
bad:
    free(map);
    return NULL;
}
