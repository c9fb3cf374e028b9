#include "value.h"

#include <string.h>

#include "base/bytes.h"

static const char magic[7] = "chrec\r\n";

#define HEAD_BYTES 28

/* The finalizer of MurmurHash3, Austin Appleby 2011, public domain. */
static uint64_t mix(uint64_t v)
{
    v = (v ^ (v >> 33)) * 0xff51afd7ed558ccdu;
    v = (v ^ (v >> 33)) * 0xc4ceb9fe1a85ec53u;
    return v ^ (v >> 33);
}

static uint64_t filler_start(const struct value_record *record)
{
    uint64_t v = mix(record->seq);

    v = mix(v ^ ((uint64_t)record->key << 32 | record->writer));
    return mix(v ^ ((uint64_t)record->len << 1 | record->piece));
}

/* The next eight bytes of the filler: xorshift64*, Sebastiano Vigna 2014. */
static void filler_next(uint64_t *state, char out[8])
{
    *state |= *state == 0;
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    bytes_put_u64(out, *state * 2685821657736338717u);
}

void value_write(char *out, const struct value_record *record)
{
    char *end = out + record->len;
    uint64_t state = filler_start(record);
    char eight[8];

    out = bytes_put(out, magic, sizeof(magic));
    *out++ = (char)record->piece;
    out = bytes_put_u32(out, record->len);
    out = bytes_put_u32(out, record->key);
    out = bytes_put_u32(out, record->writer);
    out = bytes_put_u64(out, record->seq);
    while (out < end) {
        size_t n = end - out < 8 ? (size_t)(end - out) : 8;

        filler_next(&state, eight);
        out = bytes_put(out, eight, n);
    }
}

bool value_read(const char *bytes, size_t len, struct value_record *record)
{
    uint64_t state;
    char eight[8];

    if (len < VALUE_MIN_BYTES || memcmp(bytes, magic, sizeof(magic)) != 0 ||
        (bytes[7] & ~1) != 0)
        return false;
    record->piece = bytes[7];
    record->len = bytes_get_u32(bytes + 8);
    record->key = bytes_get_u32(bytes + 12);
    record->writer = bytes_get_u32(bytes + 16);
    record->seq = bytes_get_u64(bytes + 20);
    if (record->len < VALUE_MIN_BYTES || record->len > len)
        return false;

    state = filler_start(record);
    for (size_t at = HEAD_BYTES; at < record->len; at += 8) {
        size_t n = record->len - at < 8 ? record->len - at : 8;

        filler_next(&state, eight);
        if (memcmp(bytes + at, eight, n) != 0)
            return false;
    }
    return true;
}
