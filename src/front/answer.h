/*
 * answer - answers to clients, and what is counted of them
 */
#ifndef FRONT_ANSWER_H
#define FRONT_ANSWER_H

#include "base/stats.h"
#include "net/sendq.h"
#include "wire/packet.h"
#include "wire/reply.h"

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

/*
 * A hit of text, written to `out`, where room for its value and ANSWER_ROOM bytes
 * more is; returns its end.
 */
#define ANSWER_ROOM (REPLY_HEAD_MAX + 8)
char *answer_write_hit(char *out, const struct asked *asked, const struct answer *a);

/*
 * The answer to a command without a key: `line` in text, \r\n and all.  In the
 * binary protocol `status` is told, and `body` (NULL: what the line says).
 * Nothing where the client wants none.  False: no memory.
 */
bool answer_say(struct sendq *q, const struct form *form, const char *line,
                enum packet_status status, const char *body);

/* Moves the counters that memcached moves. */
void answer_count(struct stats *stats, enum verb verb, enum status status);

#endif
