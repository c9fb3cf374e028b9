/*
 * store_steps - commands drawn by chance, to a store and to a dictionary
 *
 *      chance --> a step --> store.h -----> its answer
 *                    '-----> model.h -----> the answer it must be
 *
 * For store_fuzz, whose bytes are the chances, and for the unit test
 * store_model, which draws them.  A wrong answer ends the process, with a line
 * that says where.
 *
 * The dictionary forgets a key only where the store may have: what is missing
 * must have been evicted, or refused for want of memory, and both are counted.
 */
#ifndef TESTS_FUZZ_STORE_STEPS_H
#define TESTS_FUZZ_STORE_STEPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct steps_config {
    size_t memory_bytes, max_item_bytes;
    bool evict;
    bool is_ample;              /* there is room for all: nothing may go */
    unsigned n_keys;            /* at most STEPS_KEYS */
    int64_t tombstone_ms;       /* 0: none are kept */
    bool copies;                /* a second store is told, and must be the same */
};

#define STEPS_KEYS 4096

/* Where chances come from: the bytes, then 0; or a seed, if `at` is NULL. */
struct chances {
    const uint8_t *at, *end;
    uint64_t seed;
};

struct steps;

/* Never NULL: without memory the process ends. */
struct steps *steps_new(const struct steps_config *config, const struct chances *chances);

void steps_do(struct steps *t);

/* To stderr: the seed, how many steps were done, the last command. */
void steps_tell(const struct steps *t);

/* No chance is left: a fuzzer's input is at its end. */
bool steps_over(const struct steps *t);

/* What is there is looked at whole, and all memory must come back. */
void steps_free(struct steps *t);

#endif
