#include "cluster/ping.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"

#define PING_FORMAT 1

/* format, role, marks, number, the numbers of eight bytes, two lengths */
#define N_LONG 14
#define PING_FIXED (1 + 1 + 1 + 2 + N_LONG * 8 + 2)

static_assert(PING_FIXED + MAP_NAME_MAX + ADDRESS_MAX <= PING_LEN_MAX, "a ping fits");

size_t ping_put(char *out, const struct ping *p)
{
    const uint64_t longs[N_LONG] = {
        p->incarnation, p->seen, p->adopted, p->digest, p->ended, p->purged, p->go,
        (uint64_t)p->wall_ms, p->flush_version, p->move_epoch,
        p->items_sent, p->bytes_sent, p->items_left, p->bytes_left,
    };
    char *at = out;

    *at++ = PING_FORMAT;
    *at++ = (char)p->role;
    *at++ = (char)p->marks;
    at = bytes_put_u16(at, p->number);
    for (size_t i = 0; i < N_LONG; i++)
        at = bytes_put_u64(at, longs[i]);
    *at++ = (char)strlen(p->name);
    *at++ = (char)strlen(p->address);
    at = bytes_put_text(at, p->name);
    at = bytes_put_text(at, p->address);
    return (size_t)(at - out);
}

/* From `least` on: an address may be a path with blanks, as in a map. */
static bool take_text(char *to, size_t size, const char *from, size_t len, char least)
{
    if (len >= size)
        return false;
    for (size_t i = 0; i < len; i++)
        if (from[i] < least || from[i] > '~')
            return false;
    memcpy(to, from, len);
    to[len] = '\0';
    return true;
}

bool ping_read(const char *data, size_t len, struct ping *p)
{
    uint64_t longs[N_LONG];
    size_t name_len, address_len;
    const char *at = data + 5;

    if (len < PING_FIXED || data[0] != PING_FORMAT)
        return false;
    for (size_t i = 0; i < N_LONG; i++, at += 8)
        longs[i] = bytes_get_u64(at);
    name_len = (uint8_t)at[0];
    address_len = (uint8_t)at[1];
    at += 2;
    if (len < PING_FIXED + name_len + address_len || name_len == 0)
        return false;
    *p = (struct ping){
        .role = (uint8_t)data[1], .marks = (uint8_t)data[2], .number = bytes_get_u16(data + 3),
        .incarnation = longs[0], .seen = longs[1], .adopted = longs[2], .digest = longs[3],
        .ended = longs[4], .purged = longs[5], .go = longs[6],
        .wall_ms = (int64_t)longs[7], .flush_version = longs[8], .move_epoch = longs[9],
        .items_sent = longs[10], .bytes_sent = longs[11],
        .items_left = longs[12], .bytes_left = longs[13],
    };
    if (!take_text(p->name, sizeof(p->name), at, name_len, '!') ||
        !take_text(p->address, sizeof(p->address), at + name_len, address_len, ' '))
        return false;
    at += name_len + address_len;
    p->map_len = (size_t)(data + len - at);
    p->map = p->map_len > 0 ? at : NULL;
    return p->number <= MAP_MAX_MEMBERS;
}
