/*
 * answer - answers to clients, in text, and what is counted of them
 */
#ifndef FRONT_ANSWER_H
#define FRONT_ANSWER_H

#include "base/stats.h"
#include "net/sendq.h"
#include "wire/cmd.h"

/*
 * A hit: VALUE line, value, and END unless `more` keys follow.  `chunk` holds
 * the value, or is NULL when it must be copied.  False: no memory.
 */
bool answer_put_hit(struct sendq *q, const char *key, size_t key_len, enum verb verb, bool more,
                    const struct answer *a, struct chunk *chunk);

/* Any other outcome of `verb`.  False: no memory. */
bool answer_put(struct sendq *q, enum verb verb, bool more, const struct answer *a);

/* Moves the counters that memcached moves. */
void answer_count(struct stats *stats, enum verb verb, enum status status);

#endif
