/*
 * open_writes - what was answered as open on one link, oldest first
 *
 *      answer --add--> [ w w w w w w ] --confirm n--> confirmed in the store
 *                        \___/
 *                        handed over to the keeper: a second old, of an older
 *                        map, or the link has ended
 *
 * The other side confirms by count, so what was handed over keeps its place.
 */
#ifndef SHARD_OPEN_WRITES_H
#define SHARD_OPEN_WRITES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct keeper;
struct store;

struct open_write {
    uint64_t hash, version;     /* the store's, of the item */
    int64_t since_ms;
};

struct open_writes {
    struct open_write *ring;    /* of `cap`, a power of two; or NULL */
    size_t head, n, cap;
    size_t n_handed;            /* of the oldest ones */
};

/* Nobody leaves more of them open on one link. */
#define OPEN_WRITES_MAX ((size_t)1 << 20)

/* All zero is an empty one.  Forgets: hand over first. */
void open_writes_fini(struct open_writes *o);

/* False when memory is short, or there are too many. */
bool open_writes_add(struct open_writes *o, const struct open_write *w);

/* There are some that are not the keeper's. */
static inline bool open_writes_are_open(const struct open_writes *o)
{
    return o->n > o->n_handed;
}

/* The oldest `n` are on their copies; false: so many there are not. */
bool open_writes_confirm(struct open_writes *o, struct store *store, size_t n);

/* The same, but they are not: the keeper's, unless it has them already.  They
 * were judged under `epoch` or before. */
bool open_writes_give_up(struct open_writes *o, struct keeper *keeper, uint64_t epoch, size_t n);

/* Those that are not younger than that are the keeper's, who copes with NULL. */
void open_writes_hand_over(struct open_writes *o, struct keeper *keeper, uint64_t epoch,
                           int64_t until_ms);

#endif
