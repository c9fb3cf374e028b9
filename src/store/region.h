/*
 * region - a piece of address space, memory of which is taken as it is needed
 *
 *      base [ in use ......... | reserved ..................... ] bytes
 *
 * What is reserved costs nothing, so nothing ever has to move for want of
 * room behind it.  Memory that is discarded goes back to the system at once,
 * and may be used again.
 */
#ifndef STORE_REGION_H
#define STORE_REGION_H

#include <stdbool.h>
#include <stddef.h>

#define REGION_PAGE ((size_t)4096)

struct region {
    char *base;                 /* at a multiple of a huge page */
    size_t bytes;               /* reserved */
    void *mapped;               /* as the system gave it, */
    size_t mapped_bytes;
    size_t in_use;              /* from the base on: may be read and written */
};

/* False when the address space cannot be had. */
bool region_init(struct region *r, size_t bytes);
void region_fini(struct region *r);

/*
 * The first `bytes` may be used from now on; what they hold is not said.
 * False when memory is short, or they are more than was reserved.
 */
bool region_use(struct region *r, size_t bytes);

/* Gives the whole pages in here back; they may be used again without asking. */
void region_discard(struct region *r, size_t at, size_t bytes);

/*
 * All of this is in use and will be: huge pages take the place of small ones
 * where there is one's worth of it, so that a look costs fewer cache misses.
 * What is not in use is never taken for that.
 */
void region_settle(struct region *r, size_t at, size_t bytes);

static inline size_t region_round(size_t bytes)
{
    return (bytes + REGION_PAGE - 1) & ~(REGION_PAGE - 1);
}

/*
 * Where all memory of a store comes from: true, unless it is short.  Weak, so
 * that a test can put its own in this place and run out when it likes.
 */
bool store_may_take(size_t bytes) __attribute__((weak));

#endif
