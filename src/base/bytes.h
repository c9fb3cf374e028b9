/*
 * bytes - numbers and text at any address: u is little-endian, be big-endian
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define BYTES_OF(bits) \
    static inline char *bytes_put_u##bits(char *out, uint##bits##_t v) \
    { \
        v = htole##bits(v); \
        memcpy(out, &v, sizeof(v)); \
        return out + sizeof(v); \
    } \
    static inline uint##bits##_t bytes_get_u##bits(const char *p) \
    { \
        uint##bits##_t v; \
        memcpy(&v, p, sizeof(v)); \
        return le##bits##toh(v); \
    } \
    static inline char *bytes_put_be##bits(char *out, uint##bits##_t v) \
    { \
        v = htobe##bits(v); \
        memcpy(out, &v, sizeof(v)); \
        return out + sizeof(v); \
    } \
    static inline uint##bits##_t bytes_get_be##bits(const char *p) \
    { \
        uint##bits##_t v; \
        memcpy(&v, p, sizeof(v)); \
        return be##bits##toh(v); \
    }

BYTES_OF(16)
BYTES_OF(32)
BYTES_OF(64)

#undef BYTES_OF

/* Copies; returns the end. */
static inline char *bytes_put(char *out, const void *data, size_t len)
{
    if (len > 0)
        memcpy(out, data, len);
    return out + len;
}

/* The same of a string, without its NUL.  Inlined, so that the length of a
 * constant is one. */
static inline __attribute__((always_inline)) char *bytes_put_text(char *out, const char *text)
{
    return bytes_put(out, text, strlen(text));
}

#endif
