#include "wire/hello.h"

#include <string.h>

#include "base/bytes.h"

/* magic, least, most, role, three lengths, number, epoch, digest, clock, flush,
 * incarnation */
#define HELLO_FIXED (4 + 2 + 2 + 1 + 3 + 4 + 8 + 8 + 8 + 8 + 8)

size_t hello_put(char *out, const struct hello *h)
{
    size_t cluster_len = strlen(h->cluster), name_len = strlen(h->name);
    char *p = out;

    p = bytes_put_u32(p, HELLO_MAGIC);
    p = bytes_put_u16(p, h->least);
    p = bytes_put_u16(p, h->most);
    *p++ = (char)h->role;
    *p++ = (char)cluster_len;
    *p++ = (char)name_len;
    *p++ = (char)h->proof_len;
    p = bytes_put_u32(p, h->number);
    p = bytes_put_u64(p, h->epoch);
    p = bytes_put_u64(p, h->digest);
    p = bytes_put_u64(p, (uint64_t)h->wall_ms);
    p = bytes_put_u64(p, h->flush_version);
    p = bytes_put_u64(p, h->incarnation);
    memcpy(p, h->cluster, cluster_len);
    p += cluster_len;
    memcpy(p, h->name, name_len);
    p += name_len;
    memcpy(p, h->proof, h->proof_len);
    return (size_t)(p + h->proof_len - out);
}

static bool take_name(char *to, const char *from, size_t len)
{
    if (memchr(from, '\0', len) != NULL)
        return false;
    memcpy(to, from, len);
    to[len] = '\0';
    return true;
}

bool hello_read(const char *data, size_t len, struct hello *h)
{
    size_t cluster_len, name_len;
    const char *p = data;

    if (len < HELLO_FIXED || bytes_get_u32(p) != HELLO_MAGIC)
        return false;
    h->least = bytes_get_u16(p + 4);
    h->most = bytes_get_u16(p + 6);
    h->role = (uint8_t)p[8];
    cluster_len = (uint8_t)p[9];
    name_len = (uint8_t)p[10];
    h->proof_len = (uint8_t)p[11];
    if (cluster_len > HELLO_NAME_MAX || name_len > HELLO_NAME_MAX ||
        h->proof_len > HELLO_PROOF_MAX ||
        len != HELLO_FIXED + cluster_len + name_len + h->proof_len)
        return false;
    h->number = bytes_get_u32(p + 12);
    h->epoch = bytes_get_u64(p + 16);
    h->digest = bytes_get_u64(p + 24);
    h->wall_ms = (int64_t)bytes_get_u64(p + 32);
    h->flush_version = bytes_get_u64(p + 40);
    h->incarnation = bytes_get_u64(p + 48);
    p += HELLO_FIXED;
    memcpy(h->proof, p + cluster_len + name_len, h->proof_len);
    return take_name(h->cluster, p, cluster_len) &&
           take_name(h->name, p + cluster_len, name_len);
}

uint16_t hello_spoken(const struct hello *h)
{
    const uint16_t spoken = h->most < HELLO_MOST ? h->most : HELLO_MOST;

    return spoken >= HELLO_LEAST && spoken >= h->least ? spoken : 0;
}
