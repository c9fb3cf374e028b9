/*
 * batch - commands that were read ahead, to be executed in order
 *
 *      in:  [ get a | set b ... | get c | get d..         ]
 *             0       1           2       ^ not whole: left where it is
 *
 * The handler is shown the keys of all of them before the first is executed,
 * so that it can have fetched from memory what they will need.
 *
 * What is in it borrows from the sessions' inputs and lasts no longer than their
 * turn: what was not executed then is not consumed either, and is read again.
 */
#ifndef NET_BATCH_H
#define NET_BATCH_H

#include "wire/cmd.h"

#define BATCH_MAX 32

/* A key that will be asked for. */
struct lookup {
    const char *key;
    size_t key_len;
    uint64_t hash;              /* for the handler to fill; 0: it did not */
};

/* Plain gets of text that stand next to each other. */
struct gets {
    enum verb verb;             /* of all: VERB_GET or VERB_GETS */
    bool more;                  /* see struct form */
    unsigned n;
    const struct lookup *keys;
};

struct batch {
    unsigned n;
    struct lookup keys[BATCH_MAX];
    size_t end[BATCH_MAX];      /* where it ends, from where its session's first begins */
    struct cmd cmds[BATCH_MAX]; /* not for the keys of a get of many */
};

static inline void batch_add(struct batch *b, const char *key, size_t key_len, size_t end)
{
    b->keys[b->n] = (struct lookup){ key, key_len, 0 };
    b->end[b->n++] = end;
}

#endif
