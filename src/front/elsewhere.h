/*
 * elsewhere - what is watched here and happens elsewhere, and the other way round
 *
 *      shards --evictions, events of other fronts--> watchers of this worker
 *      report of this worker --events--> one shard --> fronts that ask it
 *
 * Each worker with watchers asks all shards a few times a second; while it has none
 * it asks nobody.  Shards say what others want, unasked: see cluster/relay.h.
 */
#ifndef FRONT_ELSEWHERE_H
#define FRONT_ELSEWHERE_H

#include "front/report.h"

/* Now and then, and when there is a new watcher. */
void elsewhere_tick(struct front_worker *fw);

/* The end of a turn: what others want of the report leaves. */
void elsewhere_send(struct front_worker *fw, const struct report *r);

/* Nobody watches evictions any more: the next one is told of them from its own first
 * moment on. */
void elsewhere_forget_evictions(struct front_worker *fw);
/* The links will be others: cursors into the stores behind them are void. */
void elsewhere_forget_links(struct front_worker *fw);
void elsewhere_fini(struct front_worker *fw);

#endif
