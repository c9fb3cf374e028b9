/*
 * histogram - how often a value was seen, any value, in fixed memory
 *
 *      0 1 2 ... 63 | 64 66 ... 126 | 128 132 ... 252 | 256 264 ...    2^36
 *      each its own   32 buckets      32 buckets        each power of two
 *
 * What is told of a value is off by at most 1/64 of it: two digits can be
 * trusted.  Values may be of any unit; of nanoseconds it holds up to a minute.
 * Nothing is allocated, and histograms can be added up.
 *
 * One thread writes, others may read meanwhile.  All zero is an empty one.
 */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BITS 5        /* buckets for each power of two, as a power of two */
#define HISTOGRAM_MOST (((uint64_t)1 << 36) - 1)        /* larger values count as this */
#define HISTOGRAM_BUCKETS 1024

struct histogram {
    uint64_t sum;
    uint64_t n[HISTOGRAM_BUCKETS];
};

static inline unsigned histogram_bucket(uint64_t value)
{
    const unsigned shift = 63 - HISTOGRAM_BITS -
                           (unsigned)__builtin_clzll(value | 1u << HISTOGRAM_BITS);

    return (shift << HISTOGRAM_BITS) + (unsigned)(value >> shift);
}

/* A plain add, published so that readers see whole numbers. */
static inline void histogram_count(uint64_t *where, uint64_t n)
{
    __atomic_store_n(where, *where + n, __ATOMIC_RELAXED);
}

/* `value` was seen `n` times. */
static inline void histogram_add(struct histogram *h, uint64_t value, uint64_t n)
{
    if (value > HISTOGRAM_MOST)
        value = HISTOGRAM_MOST;
    histogram_count(&h->n[histogram_bucket(value)], n);
    histogram_count(&h->sum, n * value);
}

/* Adds `from`, which another thread may be writing, to `sum`. */
void histogram_merge(struct histogram *sum, const struct histogram *from);
/* h -= before: what was added since `before` was a copy of it. */
void histogram_since(struct histogram *h, const struct histogram *before);

/* How many values. */
uint64_t histogram_n(const struct histogram *h);
/* Of them, those below `value`, or as near to it as can be told. */
uint64_t histogram_n_below(const struct histogram *h, uint64_t value);

/* The value that `percent` of all (0 to 100) do not exceed; 0 of none. */
uint64_t histogram_percentile(const struct histogram *h, double percent);
/* No value is larger; 0 of none. */
uint64_t histogram_max(const struct histogram *h);

#endif
