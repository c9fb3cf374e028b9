/*
 * item - a key and its value in memory
 *
 * One allocation: this header, the key, the value.  An item belongs to the
 * partition that made it, and is read and written under that one's lock.
 */
#ifndef STORE_ITEM_H
#define STORE_ITEM_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "store/store.h"

enum {
    ITEM_FETCHED = 1,           /* a get found it since it was stored */
    ITEM_ACTIVE = 2,            /* was used since it got its place in the queue */
    ITEM_GONE = 4               /* removed, and freed when its value comes back */
};

#define ITEM_LOANS_MAX 31       /* of one value at a time */

#define ITEM_EXPIRES_MAX ((UINT64_C(1) << 48) - 1)      /* 8,900 years */

struct item {
    struct item *next;                  /* in its bucket */
    struct item *newer, *older;         /* in the queue for eviction */
    uint64_t version;
    uint64_t expires_at : 48;           /* ms since the store began; 0: never */
    uint64_t key_len : 8;
    uint64_t marks : 3;                 /* ITEM_FETCHED, ITEM_ACTIVE, ITEM_GONE */
    uint64_t loans : 5;                 /* who is sending its value, see store_lend() */
    uint32_t client_flags;
    uint32_t value_len;
    uint32_t used_at_s;                 /* last access, seconds since the store began */
};

static_assert(sizeof(struct item) + sizeof(size_t) <= ITEM_OVERHEAD,
              "the header and malloc's word before it are what -I counts");

/* A value in the making: two pieces, then blanks up to value_len. */
struct draft {
    const char *key;
    size_t key_len;
    uint64_t version;
    uint64_t expires_at;                /* as in struct item */
    uint32_t client_flags;
    unsigned marks;
    struct piece {
        const char *data;               /* may lie in the item that is replaced */
        size_t len;
    } piece[2];
    size_t value_len;
};

static inline char *item_key(const struct item *it)
{
    return (char *)(uintptr_t)(it + 1);
}

static inline char *item_value(const struct item *it)
{
    return item_key(it) + it->key_len;
}

static inline bool item_has_key(const struct item *it, const char *key, size_t len)
{
    return it->key_len == len && memcmp(item_key(it), key, len) == 0;
}

/* False when key and value are more than one item may be. */
static inline bool item_fits(size_t key_len, size_t value_len, size_t max_item_bytes)
{
    return value_len <= max_item_bytes
        && key_len + value_len + ITEM_OVERHEAD <= max_item_bytes;
}

/* Bytes that an item costs, malloc's share and rounding included. */
size_t item_bytes(size_t key_len, size_t value_len);

/*
 * Memory for an item of these lengths, not filled; NULL when there is none.
 * Free with free().
 */
struct item *item_new(size_t key_len, size_t value_len);

/*
 * Writes the draft over `it`: a new item, or one of the same key and cost.
 * Links stay; pieces may lie in the value that is overwritten.  `at_ms` is now.
 */
void item_fill(struct item *it, const struct draft *d, int64_t at_ms);

/*
 * Where all memory of items and indexes comes from.  Weak, so that a test can
 * put its own in this place and run out of memory when it likes.
 */
void *store_memory(size_t size, bool zeroed) __attribute__((weak));

#endif
