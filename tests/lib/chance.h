/*
 * chance - numbers that one seed decides, for tests
 */
#ifndef TESTS_LIB_CHANCE_H
#define TESTS_LIB_CHANCE_H

#include <stddef.h>
#include <stdint.h>

struct chance { uint64_t state; };      /* any number is a seed */

/* splitmix64, Steele, Lea and Flood 2014 */
static inline uint64_t chance_next(struct chance *c)
{
    uint64_t z = c->state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* From 0 to n - 1; n > 0. */
static inline uint64_t chance_below(struct chance *c, uint64_t n)
{
    return chance_next(c) % n;
}

static inline void chance_fill(struct chance *c, void *out, size_t len)
{
    for (char *p = out; len > 0; len--)
        *p++ = (char)chance_next(c);
}

#endif
