/*
 * events - what the fuzz targets of parsers share
 *
 * What a parser makes of an input is noted as words; two runs over the same
 * bytes, cut otherwise, must note the same.
 */
#ifndef TESTS_FUZZ_EVENTS_H
#define TESTS_FUZZ_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was seen, as bytes: two runs over one input must give the same. */
struct events {
    uint64_t words[EVENTS_MAX];
    size_t n;
};

static inline void check(bool holds)
{
    if (!holds)
        abort();
}

static inline void note(struct events *e, uint64_t word)
{
    if (e->n < EVENTS_MAX)
        e->words[e->n++] = word;
}

static inline void note_bytes(struct events *e, const char *s, size_t len)
{
    uint64_t hash = 14695981039346656037u;      /* FNV-1a */

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)s[i]) * 1099511628211u;
    note(e, len);
    note(e, hash);
}

static inline char *block_of(const char *data, size_t len)
{
    char *block = malloc(len > 0 ? len : 1);

    check(block != NULL);
    if (len > 0)
        memcpy(block, data, len);
    return block;
}

/* A number that depends on the input and on how often one was asked for. */
static inline size_t chance(uint64_t *state, size_t below)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(*state >> 33) % below;
}

#endif
