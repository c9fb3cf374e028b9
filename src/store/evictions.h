/*
 * evictions - the last items that went to make room, while somebody looks
 *
 *      partition --evictions_add--> [ r | r | r | r ] --evictions_take--> records
 *
 * Nothing is kept, and nothing costs anything, until evictions_take() was
 * called, and for two seconds after each call.
 */
#ifndef STORE_EVICTIONS_H
#define STORE_EVICTIONS_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/item.h"

struct eviction_record;

struct evictions {
    pthread_mutex_t lock;       /* taken with a partition's held, never before one */
    _Atomic int64_t wanted_until_ms;    /* the store's time */
    struct eviction_record *ring;       /* owned; NULL until it is wanted */
    uint64_t next;              /* number of the record that comes next */
};

bool evictions_init(struct evictions *e);
void evictions_fini(struct evictions *e);

static inline bool evictions_wanted(struct evictions *e, int64_t at_ms)
{
    return at_ms < atomic_load_explicit(&e->wanted_until_ms, memory_order_relaxed);
}

void evictions_add(struct evictions *e, const struct item *it, int64_t at_ms);

/*
 * Writes to `out` (EVICTIONS_PAGE bytes) records of wire/listing.h that came
 * after *cursor, those that are still kept; moves *cursor on.  With a cursor
 * of 0 there are none: it begins now.  Returns their length.
 */
size_t evictions_take(struct evictions *e, uint64_t *cursor, int64_t at_ms, char *out);

#endif
