#include "base/num.h"

#include <string.h>

/* Digits only, at least one, and no more than `max` in value. */
static bool parse_digits(const char *s, size_t len, uint64_t max, uint64_t *out)
{
    uint64_t v = 0;

    if (len == 0)
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned digit = (unsigned char)s[i] - (unsigned)'0';

        if (digit > 9 || digit > max || v > (max - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *out = v;
    return true;
}

bool num_parse_u32(const char *s, size_t len, uint32_t *out)
{
    uint64_t v;

    if (!parse_digits(s, len, UINT32_MAX, &v))
        return false;
    *out = (uint32_t)v;
    return true;
}

bool num_parse_u64(const char *s, size_t len, uint64_t *out)
{
    return parse_digits(s, len, UINT64_MAX, out);
}

bool num_parse_i64(const char *s, size_t len, int64_t *out)
{
    bool negative = len > 0 && s[0] == '-';
    uint64_t v;

    if (negative) {
        if (!parse_digits(s + 1, len - 1, (uint64_t)INT64_MAX + 1, &v))
            return false;
        /* -2^63 has no positive twin to negate */
        *out = v == 0 ? 0 : -(int64_t)(v - 1) - 1;
        return true;
    }
    if (!parse_digits(s, len, INT64_MAX, &v))
        return false;
    *out = (int64_t)v;
    return true;
}

bool num_parse_size(const char *s, size_t len, uint64_t *out)
{
    unsigned shift = 0;

    if (len > 0) {
        switch (s[len - 1]) {
        case 'k': case 'K': shift = 10; break;
        case 'm': case 'M': shift = 20; break;
        case 'g': case 'G': shift = 30; break;
        case 't': case 'T': shift = 40; break;
        }
    }
    if (shift > 0)
        len--;

    uint64_t v;

    if (!parse_digits(s, len, UINT64_MAX >> shift, &v))
        return false;
    *out = v << shift;
    return true;
}

bool num_parse_duration_ms(const char *s, size_t len, int64_t *out)
{
    static const struct {
        const char *word;
        uint64_t ms;
    } units[] = {           /* "ms" before "s", which it ends with */
        { "ms", 1 }, { "s", 1000 }, { "m", 60 * 1000 }, { "h", 3600 * 1000 },
        { "", 1000 },
    };
    size_t i, n;
    uint64_t v;

    for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        n = strlen(units[i].word);
        if (len >= n && (n == 0 || memcmp(s + len - n, units[i].word, n) == 0))
            break;
    }
    if (!parse_digits(s, len - n, INT64_MAX / units[i].ms, &v))
        return false;
    *out = (int64_t)(v * units[i].ms);
    return true;
}

static unsigned count_digits(uint64_t v)
{
    static const uint64_t powers[20] = {   /* the first one: 0 has a digit */
        0, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000,
        1000000000, 10000000000, 100000000000, 1000000000000, 10000000000000,
        100000000000000, 1000000000000000, 10000000000000000,
        100000000000000000, 1000000000000000000, 10000000000000000000u,
    };
    /* 1233 / 4096 is log10(2), near enough for 64 bits */
    unsigned bits = 64 - (unsigned)__builtin_clzll(v | 1);
    unsigned guess = bits * 1233 >> 12;

    return guess + (v >= powers[guess]);
}

char *num_put_long(char *out, uint64_t v)
{
    static const char pairs[] =
        "00010203040506070809101112131415161718192021222324"
        "25262728293031323334353637383940414243444546474849"
        "50515253545556575859606162636465666768697071727374"
        "75767778798081828384858687888990919293949596979899";
    char *end = out + count_digits(v);
    char *p = end;

    while (v >= 10) {
        p -= 2;
        memcpy(p, pairs + v % 100 * 2, 2);
        v /= 100;
    }
    if (p > out)
        *--p = (char)('0' + v);
    return end;
}
