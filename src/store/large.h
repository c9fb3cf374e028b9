/*
 * large - of a partition: items too large for the log, each in pages of its own
 *
 *      pages   |  item  |      | item       |  item |
 *      queue   newest <-> ... <-> oldest, by when they were written
 *
 * Only these can be lent: an item that is being sent stays where it is, and
 * its pages are free when the last loan is back.
 */
#ifndef STORE_LARGE_H
#define STORE_LARGE_H

#include <stdbool.h>
#include <stdint.h>

#include "store/region.h"

#define LARGES_MAX ((size_t)1 << 23)    /* their places are few, see segments.h */
#define LARGE_LOANS_MAX 31      /* of one item at a time */

struct partition;

struct large {
    struct partition *partition;        /* whose it is */
    struct large *newer, *older;
    char *at;                   /* the item */
    size_t n_pages;
    uint64_t stamp;             /* written, or passed over by an eviction, then */
    uint32_t id;
    unsigned loans;
    bool gone;                  /* removed, and freed when the last loan is back */
};

struct larges {
    struct region region;
    uint64_t *taken;            /* a bit for each page; owned */
    size_t n_words;
    size_t first_free;          /* a word below which no page is free */
    size_t n;                   /* items */
    size_t n_pages;             /* in use, by items that are lent and gone too */
    size_t n_lent_pages;        /* of them, of items that are lent */
    struct large *newest, *oldest;
    struct large **by_id;       /* owned; NULL: free */
    uint32_t n_ids, free_id;    /* below free_id none is free */
};

/* False when memory is short: then there is nothing to _fini(). */
bool larges_init(struct larges *ls, size_t reserve);
/* All must be back.  Frees what is left. */
void larges_fini(struct larges *ls);

/* Pages for `bytes`, newest of the queue; NULL when memory is short. */
struct large *large_new(struct larges *ls, size_t bytes, uint64_t stamp);

/* It leaves the queue and, now or when it is back, its pages. */
void large_remove(struct larges *ls, struct large *lg);
/* It is the newest once more. */
void large_to_front(struct larges *ls, struct large *lg, uint64_t stamp);
/* One loan more, and one less. */
void large_lend(struct larges *ls, struct large *lg);
void large_back(struct larges *ls, struct large *lg);

static inline size_t large_bytes(const struct large *lg)
{
    return lg->n_pages * REGION_PAGE;
}

/* What no eviction can free. */
static inline size_t larges_lent_bytes(const struct larges *ls)
{
    return ls->n_lent_pages * REGION_PAGE;
}

static inline size_t larges_bytes(const struct larges *ls)
{
    return ls->n_pages * REGION_PAGE;
}

#endif
