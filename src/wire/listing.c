#include "wire/listing.h"

#include <string.h>

#include "base/bytes.h"

char *listing_put(char *out, const struct listed *l)
{
    *out++ = (char)l->key_len;
    *out++ = (char)l->marks;
    out = bytes_put_u32(out, l->client_flags);
    out = bytes_put_u64(out, (uint64_t)l->ttl_ms);
    out = bytes_put_u32(out, l->idle_s);
    out = bytes_put_u64(out, l->token);
    out = bytes_put_u32(out, (uint32_t)l->value_len);
    memcpy(out, l->key, l->key_len);
    return out + l->key_len;
}

bool listing_next(const char *data, size_t len, size_t *pos, struct listed *l)
{
    const char *p = data + *pos;

    if (len - *pos < LISTED_HEAD)
        return false;
    l->key_len = (unsigned char)p[0];
    if (l->key_len == 0 || l->key_len > KEY_MAX || len - *pos < LISTED_HEAD + l->key_len)
        return false;
    l->marks = (unsigned char)p[1];
    l->client_flags = bytes_get_u32(p + 2);
    l->ttl_ms = (int64_t)bytes_get_u64(p + 6);
    l->idle_s = bytes_get_u32(p + 14);
    l->token = bytes_get_u64(p + 18);
    l->value_len = bytes_get_u32(p + 26);
    l->key = p + LISTED_HEAD;
    *pos += LISTED_HEAD + l->key_len;
    return true;
}
