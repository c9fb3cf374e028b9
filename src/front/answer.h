/*
 * answer - answers to clients, and what is counted of them
 */
#ifndef FRONT_ANSWER_H
#define FRONT_ANSWER_H

#include "base/stats.h"
#include "net/sendq.h"
#include "wire/cmd.h"

/* Whom an answer answers.  The key is borrowed. */
struct asked {
    enum verb verb;
    const struct form *form;
    const char *key;
    size_t key_len;
};

/*
 * The answer as its protocol writes it; nothing where the client wants none.
 * `chunk` holds the value of a hit, or is NULL when it must be copied.  False:
 * no memory.
 */
bool answer_put(struct sendq *q, const struct asked *asked, const struct answer *a,
                struct chunk *chunk);

/* Moves the counters that memcached moves. */
void answer_count(struct stats *stats, enum verb verb, enum status status);

#endif
