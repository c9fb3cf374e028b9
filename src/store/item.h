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

/* Those that are told have the values of enum mark. */
enum {
    ITEM_FETCHED = MARK_FETCHED,        /* a get found it since it was stored */
    ITEM_STALE = MARK_STALE,            /* invalidated, shown until a new value is stored */
    ITEM_WON = MARK_WON,                /* a reader was told to store a new value */
    ITEM_ACTIVE = MARK_WIN,             /* was used since it got its place in the queue */
    ITEM_KEY_ENCODED = MARK_KEY_ENCODED,    /* its key was sent in base64 */
    ITEM_GONE = MARK_CREATED,           /* removed, and freed when its value comes back */
    ITEM_TOKEN = MARK_TOKEN             /* behind the value is what clients see as token */
};
#define ITEM_TOLD \
    ((unsigned)(ITEM_FETCHED | ITEM_STALE | ITEM_WON | ITEM_KEY_ENCODED | ITEM_TOKEN))
#define ITEM_MARKS 0x7fu

#define ITEM_LOANS_MAX 31       /* of one value at a time */

#define ITEM_EXPIRES_MAX ((UINT64_C(1) << 44) - 1)      /* 557 years */

struct item {
    struct item *next;                  /* in its bucket */
    struct item *newer, *older;         /* in the queue for eviction */
    uint64_t version;
    uint64_t expires_at : 44;           /* ms since the store began; 0: never */
    uint64_t key_len : 8;
    uint64_t marks : 7;                 /* ITEM_FETCHED and so on */
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
    unsigned marks;                     /* ITEM_TOKEN: by `token` */
    uint64_t token;                     /* 0: none */
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

/* What clients take for its CAS unique. */
static inline uint64_t item_token(const struct item *it)
{
    uint64_t token = it->version;

    if ((it->marks & ITEM_TOKEN) != 0)
        memcpy(&token, item_value(it) + it->value_len, sizeof(token));
    return token;
}

static inline int64_t item_ttl(const struct item *it, int64_t at_ms)
{
    return it->expires_at == 0 ? TTL_NEVER : (int64_t)it->expires_at - at_ms;
}

/* Seconds since its last access; another thread's clock may run a little ahead. */
static inline uint32_t item_idle_s(const struct item *it, int64_t at_ms)
{
    const uint32_t now_s = (uint32_t)(at_ms / 1000);

    return now_s > it->used_at_s ? now_s - it->used_at_s : 0;
}

/* What is told of its marks (enum mark), and the way back. */
static inline unsigned item_told(const struct item *it)
{
    return it->marks & ITEM_TOLD;
}

static inline unsigned item_marks(unsigned told)
{
    return told & ITEM_TOLD;
}

/* Bytes behind the value. */
static inline size_t item_tail(unsigned marks)
{
    return (marks & ITEM_TOKEN) != 0 ? sizeof(uint64_t) : 0;
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
size_t item_bytes(size_t key_len, size_t value_len, unsigned marks);

/*
 * Memory for an item of these lengths, not filled; NULL when there is none.
 * Free with free().
 */
struct item *item_new(size_t key_len, size_t value_len, unsigned marks);

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
