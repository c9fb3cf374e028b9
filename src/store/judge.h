/*
 * judge - what a command does to the item it finds
 *
 *      command, item or none --judge--> status, deeds, the new value
 *
 * memcached's rules and nothing else: no lock, no memory, no clock.  The
 * partition does the deeds.
 */
#ifndef STORE_JUDGE_H
#define STORE_JUDGE_H

#include "base/num.h"
#include "store/item.h"

enum deed {
    DEED_SHOW = 1,              /* the item is told, as it was before a touch */
    DEED_TOUCH = 2,             /* the command's time to live is the item's */
    DEED_USE = 4,               /* it counts as used */
    DEED_WRITE = 8,             /* the pieces are the new value */
    DEED_REMOVE = 16,           /* with DEED_WRITE: when that fails */
    DEED_WIN = 32               /* the item remembers that one has won */
};

struct verdict {
    enum status status;
    unsigned deeds;             /* enum deed, together */
    unsigned told;              /* enum mark: WIN, CREATED */
    uint64_t number;            /* STATUS_NUMBER */

    /* DEED_WRITE */
    uint32_t client_flags;
    unsigned marks;             /* ITEM_*, of the new item */
    uint64_t token;             /* 0: none beside the version */
    bool keep_ttl;              /* it expires when the old one would have, */
    int64_t ttl_ms;             /* else after this */
    struct piece piece[2];      /* borrowed: from command, item, and `digits` */
    size_t value_len;           /* more than the pieces: blanks follow */
    char digits[NUM_U64_MAX_LEN];
};

struct judge_rules {
    size_t max_item_bytes;
    bool cas;                   /* false: no version ever matches */
};

/*
 * Judges a keyed command on `it`, the live item of its key that has `ttl_ms`
 * left, or NULL.  The verdict points into all three: it holds until one of them
 * changes, and is not to be copied.
 */
void judge(struct verdict *v, const struct cmd *cmd, const struct item *it,
           int64_t ttl_ms, const struct judge_rules *rules);

#endif
