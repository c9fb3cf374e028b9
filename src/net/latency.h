/*
 * latency - how long commands took, by class, in each worker
 *
 *      turn:  [clock] parse ... execute ... send [clock]    [clock] answers ... send [clock]
 *               '------ answered at once ----------'           |                       |
 *               '------ answered by a shard ---------------------------------------------'
 *
 * A command begins in the turn in which it was parsed, by that turn's clock.  It
 * ends in the turn in which its answer is complete, by a clock that is read once
 * more when that turn has sent what it had.  So no command costs a clock, and
 * those that begin and end together are counted in one step.
 */
#ifndef NET_LATENCY_H
#define NET_LATENCY_H

#include <stdbool.h>

#include "base/histogram.h"
#include "base/world.h"
#include "wire/cmd.h"

/* A get of several keys is one command, from its line to its END. */
#define LATENCIES(X) \
    X(GET, "get", "get, gets and mg of one key") \
    X(MULTIGET, "multiget", "get and gets of several keys, together") \
    X(SET, "set", "set, add, replace, append, prepend, cas and ms") \
    X(DELETE, "delete", "delete and md") \
    X(INCR, "incr", "incr, decr and ma") \
    X(TOUCH, "touch", "touch, gat and gats")

enum latency_class {
#define X(name, word, help) LATENCY_##name,
    LATENCIES(X)
#undef X
    N_LATENCIES
};

struct latency {
    struct world *world;        /* borrowed */
    struct histogram *took;     /* owned: nanoseconds, by class; others may read them */
    struct {
        int64_t began_ns;
        uint64_t n;             /* ended in this turn, not in `took` yet */
    } ended[N_LATENCIES];
};

/* False: no memory; latency_fini() copes. */
bool latency_init(struct latency *l, struct world *world);
void latency_fini(struct latency *l);

/* "get"... */
const char *latency_word(enum latency_class class);

/* Of a command with one key. */
static inline enum latency_class latency_of(enum verb verb)
{
    static const uint8_t classes[N_KEYED_VERBS] = {
        [VERB_GET] = LATENCY_GET, [VERB_GETS] = LATENCY_GET,
        [VERB_GAT] = LATENCY_TOUCH, [VERB_GATS] = LATENCY_TOUCH, [VERB_TOUCH] = LATENCY_TOUCH,
        [VERB_SET] = LATENCY_SET, [VERB_ADD] = LATENCY_SET, [VERB_REPLACE] = LATENCY_SET,
        [VERB_APPEND] = LATENCY_SET, [VERB_PREPEND] = LATENCY_SET, [VERB_CAS] = LATENCY_SET,
        [VERB_DELETE] = LATENCY_DELETE, [VERB_INCR] = LATENCY_INCR, [VERB_DECR] = LATENCY_INCR,
    };

    return (enum latency_class)classes[verb];
}

/* Of one whose keys follow its line. */
static inline enum latency_class latency_of_many(enum verb verb)
{
    return verb <= VERB_GETS ? LATENCY_MULTIGET : LATENCY_TOUCH;
}

/* What ended so far is counted, by a clock that is read now. */
void latency_count(struct latency *l, enum latency_class class);

/* The answers to `n` commands are complete, which began in the turn at `began_ns`. */
static inline void latency_end(struct latency *l, enum latency_class class, int64_t began_ns,
                               unsigned n)
{
    if (l->ended[class].began_ns != began_ns) {
        if (l->ended[class].n > 0)
            latency_count(l, class);
        l->ended[class].began_ns = began_ns;
    }
    l->ended[class].n += n;
}

/* The turn has sent what it had. */
void latency_turn_end(struct latency *l);

#endif
