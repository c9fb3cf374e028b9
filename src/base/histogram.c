#include "base/histogram.h"

static unsigned shift_of(unsigned bucket)
{
    return bucket < 2u << HISTOGRAM_BITS ? 0 : (bucket >> HISTOGRAM_BITS) - 1;
}

/* The least value of a bucket, and how many different ones it has. */
static uint64_t least_of(unsigned bucket)
{
    const unsigned shift = shift_of(bucket);

    return (uint64_t)(bucket - (shift << HISTOGRAM_BITS)) << shift;
}

static uint64_t width_of(unsigned bucket)
{
    return (uint64_t)1 << shift_of(bucket);
}

void histogram_merge(struct histogram *sum, const struct histogram *from)
{
    sum->sum += __atomic_load_n(&from->sum, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        sum->n[i] += __atomic_load_n(&from->n[i], __ATOMIC_RELAXED);
}

void histogram_since(struct histogram *h, const struct histogram *before)
{
    h->sum -= before->sum;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        h->n[i] -= before->n[i];
}

/* Of the buckets before `end`. */
static uint64_t n_before(const struct histogram *h, unsigned end)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < end; i++)
        n += h->n[i];
    return n;
}

uint64_t histogram_n(const struct histogram *h)
{
    return n_before(h, HISTOGRAM_BUCKETS);
}

uint64_t histogram_n_below(const struct histogram *h, uint64_t value)
{
    return n_before(h, value > HISTOGRAM_MOST ? HISTOGRAM_BUCKETS : histogram_bucket(value));
}

uint64_t histogram_percentile(const struct histogram *h, double percent)
{
    const uint64_t all = histogram_n(h);
    const double share = (double)all * percent / 100;
    uint64_t seen = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->n[i];
        if (seen > 0 && (double)seen >= share)
            return least_of(i) + width_of(i) / 2;
    }
    return 0;
}

uint64_t histogram_max(const struct histogram *h)
{
    for (unsigned i = HISTOGRAM_BUCKETS; i-- > 0;)
        if (h->n[i] > 0)
            return least_of(i) + width_of(i) - 1;
    return 0;
}
