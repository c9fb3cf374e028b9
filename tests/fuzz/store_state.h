/*
 * store_state - what the parts of the steps share
 *
 *      store_steps.c   chooses steps, and does those that are no commands
 *      store_command.c a command, and what its answer must be
 *      store_second.c  a store that has the copies
 *      store_chance.c  values, times and tokens by chance
 *      model.c         what commands do
 */
#ifndef TESTS_FUZZ_STORE_STATE_H
#define TESTS_FUZZ_STORE_STATE_H

#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "net/chunk.h"
#include "store/store.h"
#include "store/version.h"
#include "store_steps.h"

#define LOANS 4
#define LEND_BYTES 16384        /* the store lends none that is smaller */
#define OWED 8
#define SURE_BYTES 1024         /* an evicting store has room for a value of this */

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

#define CHECK(holds) \
    do { \
        if (!(holds)) \
            steps_fail(__FILE__, __LINE__, #holds); \
    } while (0)

/* What is known of a key beside the model's item. */
struct known {
    char name[KEY_MAX];
    size_t len;
    uint64_t version;           /* of the item; the greatest there was, if there is none */
    int64_t buried_until_ms;    /* what is not newer cannot come back */
    unsigned seen;              /* t->losses when it was certainly there */
    unsigned shown;             /* in the walk of this number */
};

/* A value that the store lends, and what it must be until it goes back. */
struct loan {
    struct chunk *chunk;
    const char *value;
    char *copy;                 /* owned */
    size_t len;
};

/* A copy, with memory of its own. */
struct owed {
    struct copy copy;           /* no key: none */
    char key[KEY_MAX];
    char *value;                /* owned */
    int64_t since_ms;
    bool is_lost;               /* only its owner can mend that */
};

struct second {
    struct store *store;        /* NULL: there is none */
    struct owed owed[OWED];     /* replays that are late */
    struct owed told;           /* the last one, */
    unsigned n_told;            /* and how often, by the command that runs */
    struct owed shown;          /* by store_show_open() */
    struct owed *seen;          /* owned: items of the first, by key */
};

struct steps {
    struct steps_config config;
    struct chances chances;
    uint64_t first_seed, n_steps;
    struct store *store;
    struct model m;
    int64_t now_ms;
    struct known keys[STEPS_KEYS];
    uint64_t floor;             /* versions at or below are flushed */
    uint64_t flush_version;     /* one that waits, */
    int64_t flush_at_ms;        /* INT64_MAX when there is none */
    uint64_t evictions;         /* of the store's counters */
    unsigned losses;            /* goes up when items may have gone */
    unsigned n_walks;
    size_t n_live;              /* shown by this walk */
    struct arc arc;             /* of it */
    uint64_t evictions_cursor;
    unsigned number;            /* of this member: in the versions that it gives */
    struct chunk_pool pool;
    struct loan loans[LOANS];

    /* of the command that runs */
    struct cmd cmd;
    struct answer answer;
    struct op op;
    struct outcome outcome;
    char *value;                /* owned: of a hit */
    unsigned n_shown;
    bool borrows;
    struct second second;
};

/* Ends the process. */
_Noreturn void steps_fail(const char *file, int line, const char *what);

/* ---- chance ---- */

static inline unsigned take(struct steps *t)
{
    struct chances *c = &t->chances;

    if (c->at != NULL)
        return c->at < c->end ? *c->at++ : 0;
    c->seed = c->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(c->seed >> 56);
}

static inline unsigned pick(struct steps *t, size_t n)
{
    unsigned chance = take(t);

    if (n > 256)
        chance = chance << 8 | take(t);
    if (n > 65536)
        chance = chance << 8 | take(t);
    return chance % (unsigned)n;
}

static inline bool one_in(struct steps *t, unsigned n)
{
    return pick(t, n) == n - 1;
}

/* What ends many items at once: seldom enough that as many come to be. */
static inline bool seldom(struct steps *t, unsigned n)
{
    return one_in(t, n) && one_in(t, 1 + t->config.n_keys / 32);
}

/* The value of t->cmd, whose key is known; a number, a long one, anything. */
void steps_value(struct steps *t);
int64_t steps_exptime(struct steps *t);
uint64_t steps_number(struct steps *t);
/* A token that the item has, or had, or another. */
uint64_t steps_cas(struct steps *t, unsigned key);

void steps_make_noise(void);

/* ---- what the parts do for each other ---- */

void steps_command(struct steps *t);

/* The number of a key's name. */
unsigned steps_key_of(struct steps *t, const char *name, size_t len);

void steps_second_new(struct steps *t, const struct store_config *config);
void steps_second_free(struct steps *t);
/* For the next command of the first. */
struct store_reader steps_reader(struct steps *t, void (*hit)(void *, const struct answer *));
/* What the command means for the copies: at once, or some time. */
void steps_second_learns(struct steps *t, const struct cmd *cmd, const struct answer *a);
/* Some time is now. */
void steps_second_pays(struct steps *t);
/* When all is told, each has what the other has. */
void steps_second_is_same(struct steps *t);

/* What the model has, the store must have, unless it had to let it go. */
void steps_look_for(struct steps *t, unsigned key);

/* After a key was written or deleted; `had` an item before. */
void steps_bury(struct steps *t, unsigned key, bool had);

/* The store has let go of a key: it must have had to. */
void steps_forget(struct steps *t, unsigned key);

/* The limit is kept; when items may have gone since the last look, t->losses goes up. */
void steps_look_at_usage(struct steps *t, bool may_evict);

/* The value is still what it was when it was lent; it goes back. */
void steps_give_back(struct loan *loan);

/* Whole seconds, whenever one began; of days it may be told in less detail. */
bool steps_is_idle_for(uint32_t told_s, int64_t idle_ms);

#endif
