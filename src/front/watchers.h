/*
 * watchers - clients that `watch` what happens, a line for each event
 *
 *      event --> the worker's report of this turn --mail--> workers with watchers
 *                                                               |
 *                                            each watcher's lines <--
 *
 * As long as nobody watches, an event costs one load.  A watcher that does not
 * keep up misses lines and is told how many.  Evictions happen in stores: each
 * worker with watchers of them asks all shards a few times a second.
 */
#ifndef FRONT_WATCHERS_H
#define FRONT_WATCHERS_H

#include "front/answer.h"
#include "front/front.h"

/* The streams a watcher may ask for; the words are memcached's. */
#define STREAMS(X) \
    X(FETCHERS, "fetchers") X(MUTATIONS, "mutations") X(DELETIONS, "deletions") \
    X(CONNEVENTS, "connevents") X(EVICTIONS, "evictions")

/* Makes a watcher of the session, or answers why not. */
void watchers_join(struct session *s, const struct cmd *cmd);

/* For struct handler. */
void watchers_opened(struct session *s);
void watchers_closed(struct session *s);

/* The end of a turn: what was noted goes to the watchers. */
void watchers_turn_end(struct front_worker *fw);
/* Now and then: asks for evictions. */
void watchers_tick(struct front_worker *fw);
/* The links will be others: cursors into the stores behind them are void. */
void watchers_forget_links(struct front_worker *fw);
void watchers_fini(struct front_worker *fw);

void watchers_note(struct front_worker *fw, int fd, const struct asked *asked,
                   const struct answer *a);

/* A command was answered with `a`.  `fd` is its client's, -1: gone. */
static inline void watchers_answered(struct front_worker *fw, int fd, const struct asked *asked,
                                     const struct answer *a)
{
    if (__builtin_expect(__atomic_load_n(&fw->front->streams, __ATOMIC_RELAXED) != 0, 0))
        watchers_note(fw, fd, asked, a);
}

#endif
