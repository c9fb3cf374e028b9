/*
 * num - decimal numbers, checked
 *
 * The one place where digits of a wire or of an option become a number.  All
 * parsers take (pointer, length), look at nothing beyond, want at least one
 * digit and nothing but digits (a '-' first where the type is signed), and
 * leave *out alone when they answer false.
 */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NUM_U64_MAX_LEN 20      /* digits of 2^64 - 1 */

bool num_parse_u32(const char *s, size_t len, uint32_t *out);
bool num_parse_u64(const char *s, size_t len, uint64_t *out);
bool num_parse_i64(const char *s, size_t len, int64_t *out);

/* "64", "64m", "1.5g" is not one: a whole number and k, m, g or t (2^10...). */
bool num_parse_size(const char *s, size_t len, uint64_t *out);

/* "250ms", "1s", "5" (seconds), "2m", "1h" in milliseconds. */
bool num_parse_duration_ms(const char *s, size_t len, int64_t *out);

/* For num_put_u64(): any number; worth a call from two digits on. */
char *num_put_long(char *out, uint64_t v);

/* Writes the digits, no terminator; returns the end.  At most 20 bytes. */
static inline char *num_put_u64(char *out, uint64_t v)
{
    if (v >= 10)
        return num_put_long(out, v);
    *out = (char)('0' + v);     /* most flags are 0 */
    return out + 1;
}

#endif
