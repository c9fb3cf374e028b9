/*
 * item - a key and its value, packed
 *
 *       8         4                     1      1     0 2 4    4?      6?
 *      | version | used, uses, marks | key  | value | more | client | expires |
 *      |         |                   | len  | len   | len  | flags  |         |
 *      | key ... | value ... | token 8? |
 *
 * In memory an item is these bytes, wherever they lie: nothing in it is an
 * address.  What is seldom there takes no room: flags of 0, no time to live,
 * a token.  A struct item is what was read of it; it holds while the
 * partition is locked and nothing is put or removed there.
 *
 * `version` 0 says that the item is gone and only its room is left; its top
 * bit that the item is open: not confirmed yet.
 */
#ifndef STORE_ITEM_H
#define STORE_ITEM_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "store/store.h"

/* Those that are told have the values of enum mark. */
enum {
    ITEM_FETCHED = MARK_FETCHED,        /* a get found it since it was stored */
    ITEM_STALE = MARK_STALE,            /* invalidated, shown until a new value is stored */
    ITEM_WON = MARK_WON,                /* a reader was told to store a new value */
    ITEM_FLAGS = MARK_WIN,              /* client flags are there */
    ITEM_KEY_ENCODED = MARK_KEY_ENCODED,    /* its key was sent in base64 */
    ITEM_TTL = MARK_CREATED,            /* it expires */
    ITEM_TOKEN = MARK_TOKEN,            /* behind the value is what clients see as token */
    ITEM_DELETED = 0x80                 /* a tombstone: its key was deleted at its version */
};
#define ITEM_TOLD MARKS_OF_COPY

#define ITEM_OPEN (UINT64_C(1) << 63)   /* in the version as it lies */
#define ITEM_HEAD 14            /* bytes that every item has before its key */
#define ITEM_EXPIRES_MAX ((UINT64_C(1) << 48) - 1)      /* ms: 8925 years */
/* Uses of late, as evictions count them: each takes one off when it looks. */
#define ITEM_USES_MAX 15
#define ITEM_USES_NEW 8         /* of a new item; more: it was read */

/*
 * Seconds of last access are kept modulo this, 12 days; whoever looks after
 * the items sees to it that none seems younger than it is: item_limit_idle().
 */
#define ITEM_USED_SPAN ((uint32_t)1 << 20)

struct item {
    char *at;                   /* its bytes */
    const char *key;
    char *value;
    size_t key_len, value_len;
    uint64_t version;
    uint64_t expires_at;        /* ms since the store began; 0: never */
    uint32_t client_flags;
    uint32_t used_at_s;         /* last access, modulo ITEM_USED_SPAN */
    unsigned uses;              /* ITEM_USES_* */
    unsigned marks;             /* ITEM_* */
    bool open;
};

/* A value in the making: two pieces, then blanks up to value_len. */
struct draft {
    const char *key;                    /* not of an item of the store */
    size_t key_len;
    uint64_t version;
    bool open;
    uint64_t expires_at;                /* as in struct item */
    uint32_t client_flags;
    unsigned marks;                     /* told ones and ITEM_DELETED; ITEM_TOKEN: by `token` */
    uint32_t used_at_s;
    unsigned uses;
    uint64_t token;                     /* 0: none */
    struct piece {
        const char *data;               /* may lie in the item that is replaced */
        size_t len;
    } piece[2];
    size_t value_len;
};

/* Reads what lies at `at`. */
static inline void item_read(struct item *it, char *at);

static inline uint64_t item_version(const char *at)
{
    return bytes_get_u64(at) & ~ITEM_OPEN;
}

/* What clients take for its CAS unique. */
static inline uint64_t item_token(const struct item *it)
{
    return (it->marks & ITEM_TOKEN) != 0 ? bytes_get_u64(it->value + it->value_len)
                                         : it->version;
}

static inline int64_t item_ttl(const struct item *it, int64_t at_ms)
{
    return it->expires_at == 0 ? TTL_NEVER : (int64_t)it->expires_at - at_ms;
}

/* Seconds since its last access; another thread's clock may run a little ahead. */
static inline uint32_t item_idle_s(const struct item *it, int64_t at_ms)
{
    const uint32_t idle = ((uint32_t)(at_ms / 1000) - it->used_at_s) & (ITEM_USED_SPAN - 1);

    return idle < ITEM_USED_SPAN - ITEM_USED_SPAN / 16 ? idle : 0;
}

/* What its uses are after one more. */
static inline unsigned item_more_uses(const struct item *it)
{
    return it->uses < ITEM_USES_MAX ? it->uses + 1 : ITEM_USES_MAX;
}

static inline bool item_is_deleted(const struct item *it)
{
    return (it->marks & ITEM_DELETED) != 0;
}

/* What another member is told of an item or tombstone, as it is at the moment. */
struct copy item_copy(const struct item *it, int64_t at_ms);

/* What is told of its marks (enum mark), and the way back. */
static inline unsigned item_told(const struct item *it)
{
    return it->marks & ITEM_TOLD;
}

static inline unsigned item_marks(unsigned told)
{
    return told & ITEM_TOLD;
}

/* False when key and value are more than one item may be. */
static inline bool item_fits(size_t key_len, size_t value_len, size_t max_item_bytes)
{
    return value_len <= max_item_bytes
        && key_len + value_len + ITEM_OVERHEAD <= max_item_bytes;
}

/* Bytes that a draft, and an item, take. */
size_t draft_bytes(const struct draft *d);
size_t item_bytes(const struct item *it);

/*
 * Writes the draft to `at`: new room, or the room of an item of its key for
 * which item_can_become().  Pieces may lie in the value that is overwritten.
 */
void item_write(char *at, const struct draft *d);

/* Its value begins in the same place, so it can be written over. */
bool item_can_become(const struct item *it, const struct draft *d);

/* Changes an item where it is. */
void item_set_expiry(struct item *it, uint64_t expires_at);     /* has ITEM_TTL */
void item_set_used(struct item *it, uint32_t used_at_s, unsigned uses, unsigned marks);
void item_set_open(struct item *it, bool open);
/* Its room is nobody's. */
static inline void item_end(char *at)
{
    bytes_put_u64(at, 0);
}

/* ---- in the header for speed ---- */

#define ITEM_AT_WORD 8
#define ITEM_AT_KEY_LEN 12
#define ITEM_AT_VALUE_LEN 13

#define ITEM_LEN_16 253         /* a byte of length above what it can say: */
#define ITEM_LEN_32 254         /* two or four bytes more have it */

static inline void item_read(struct item *it, char *at)
{
    const uint64_t version = bytes_get_u64(at);
    const uint32_t word = bytes_get_u32(at + ITEM_AT_WORD);
    char *p = at + ITEM_HEAD;

    it->at = at;
    it->version = version & ~ITEM_OPEN;
    it->open = (version & ITEM_OPEN) != 0;
    it->used_at_s = word & (ITEM_USED_SPAN - 1);
    it->uses = word >> 20 & ITEM_USES_MAX;
    it->marks = word >> 24;
    it->key_len = (unsigned char)at[ITEM_AT_KEY_LEN];
    it->value_len = (unsigned char)at[ITEM_AT_VALUE_LEN];
    if (it->value_len == ITEM_LEN_16) {
        it->value_len = bytes_get_u16(p);
        p += 2;
    } else if (it->value_len == ITEM_LEN_32) {
        it->value_len = bytes_get_u32(p);
        p += 4;
    }
    it->client_flags = 0;
    if ((it->marks & ITEM_FLAGS) != 0) {
        it->client_flags = bytes_get_u32(p);
        p += 4;
    }
    it->expires_at = 0;
    if ((it->marks & ITEM_TTL) != 0) {
        it->expires_at = bytes_get_u32(p) | (uint64_t)bytes_get_u16(p + 4) << 32;
        p += 6;
    }
    it->key = p;
    it->value = p + it->key_len;
}

#endif
