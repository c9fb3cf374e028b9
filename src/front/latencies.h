/*
 * latencies - how long commands took, of all workers together
 *
 *      by class:  in each worker, see net/latency.h
 *      by shard:  in each worker's link to it, see link_add_took()
 *
 * Any thread may ask; workers go on counting meanwhile.
 */
#ifndef FRONT_LATENCIES_H
#define FRONT_LATENCIES_H

#include "front/front.h"
#include "net/sendq.h"

/* Since the start, in nanoseconds: added to `sum`. */
void latencies_add(struct front *front, enum latency_class class, struct histogram *sum);
/* Of the links that lead to a member now; one without a link adds nothing. */
void latencies_add_shard(struct front *front, const char *name, struct histogram *sum);
/* The bytes of requests that it has not answered. */
size_t latencies_open_bytes(struct front *front, const char *name);

/* The lines of `stats latency`, without an end. */
void latencies_put(struct sendq *q, const struct form *form, struct front_worker *fw);
/* These begin again: what was counted so far is left out of them. */
void latencies_reset(struct front *front);

#endif
