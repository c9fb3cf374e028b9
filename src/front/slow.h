/*
 * slow - requests that took too long, in the log and in a counter
 *
 * From the turn in which all of a request was read to that in which its answer was
 * there, by the clock that workers read once a turn: what this process answers
 * itself takes no time by it.  One a second is logged, with how many were not.
 */
#ifndef FRONT_SLOW_H
#define FRONT_SLOW_H

#include "front/front.h"

/* What is known of one.  All is borrowed. */
struct slow_request {
    enum verb verb;
    unsigned n_keys;            /* that were asked for together, and one of them: */
    const char *key;
    size_t key_len;
    const char *shard;          /* that answered last */
    const char *waited_for;
    const char *result;
    int64_t began_ns;
};

static inline bool slow_is(const struct front_worker *fw, int64_t began_ns)
{
    return __builtin_expect(worker_now_ns(fw->worker) - began_ns >= fw->front->slow.limit_ns, 0);
}

/* It is one: it counts, and is perhaps logged. */
void slow_note(struct front_worker *fw, const struct slow_request *r);

#endif
