/*
 * model - what a cache of some keys is, as plainly as it can be said
 *
 * A second opinion on what memcached's commands do: items in an array.  It
 * shares no code with the store.
 *
 * Tokens that the server makes up are not known before it tells them: an item
 * has a cell, which is filled when its token is seen first and then holds.
 */
#ifndef TESTS_FUZZ_MODEL_H
#define TESTS_FUZZ_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_CELLS 2048        /* beside one for each key */

struct cell {
    uint64_t token;             /* 0: not seen yet */
};

struct model_item {
    bool there, stale, won, encoded, fetched;
    char *value;                /* owned */
    size_t len, room;
    uint32_t flags;
    int64_t gone_at_ms;         /* 0: never */
    int64_t used_at_ms;
    struct cell *cell;
    uint64_t last_token;        /* one that it had before, or 0 */
};

struct model {
    int64_t now_ms, wall_ms;
    size_t max_item_bytes;      /* no item is larger, its header counted in */
    struct model_item *items;   /* owned */
    size_t n_items;
    struct cell *cells;         /* owned */
    size_t n_cells;
};

enum verb_of_op { OP_GET, OP_SET, OP_ADD, OP_REPLACE, OP_APPEND, OP_PREPEND, OP_DELETE, OP_INCR,
                  OP_DECR, OP_TOUCH };

/* One command on one key, whatever protocol it is sent by. */
struct op {
    enum verb_of_op verb;
    unsigned key;
    size_t key_len;
    bool encoded;               /* b */
    bool may_win;               /* mg */
    bool no_use;                /* u */
    bool has_cas, has_ttl, has_vivify, has_recache, ttl_before_recache, ttl_after_vivify;
    bool cas_is_another_verb;   /* a wrong token is EXISTS for set and the like, too */
    bool zero_is_a_token;       /* of a delete: C0 matches nothing, else it is no condition */
    bool invalidate, remove_value;
    uint64_t cas, token;        /* token 0: none given */
    int64_t exptime, vivify_exptime, recache_exptime;
    uint32_t flags;
    uint64_t delta, initial;
    const char *value;
    size_t len;
};

enum status_of_op { SAYS_HIT, SAYS_MISS, SAYS_STORED, SAYS_NOT_STORED, SAYS_EXISTS, SAYS_DONE,
                    SAYS_NUMBER, SAYS_NO_NUMBER, SAYS_TOO_LARGE };

struct outcome {
    enum status_of_op status;
    bool win, won, stale, encoded, fetched, created, same_token;
    const char *value;          /* SAYS_HIT: the model's, until it is asked again */
    size_t len;                         /* also SAYS_STORED: of all of it */
    uint32_t flags;
    int64_t left_ms;                    /* 0: for ever; before the command changed it */
    int64_t idle_ms;
    uint64_t number;
    struct cell *cell;
};

void model_init(struct model *m, size_t n_items, size_t max_item_bytes);
void model_fini(struct model *m);
void model_do(struct model *m, const struct op *op, struct outcome *o);
void model_flush(struct model *m);

/* The live item of a key, or NULL. */
struct model_item *model_find(struct model *m, unsigned key);

/* A value that another judged takes the place of what is there. */
void model_put(struct model *m, unsigned key, const char *value, size_t len, uint64_t token);

/* Nobody waits for an answer: the cells of tokens that are gone are free again. */
void model_settle(struct model *m);

/* The token of the item as far as it is known, else 0. */
uint64_t model_token(struct model *m, unsigned key);

/* Time left of an exptime as clients send it: 0 for ever, negative over. */
int64_t model_left_ms(const struct model *m, int64_t exptime);

#endif
