/*
 * top_sample - all that a server and its cluster tell of themselves at a moment
 */
#ifndef CTL_TOP_SAMPLE_H
#define CTL_TOP_SAMPLE_H

#include "ctl/conn.h"
#include "ctl/say.h"

/* All owned; NULL: nobody told.  memcached knows `stats` only. */
struct top_sample {
    double at_s;
    json_t *stats, *shards, *latency;   /* of the server: name to value */
    json_t *cluster, *nodes, *jobs;     /* of the admin address, see chcached-http(7) */
    json_t *recent;             /* its /v1/latency, where it is of the server's process */
};

/* YES, or what was said: without `stats` there is nothing. */
int top_sample_take(struct top_sample *s, const struct ctl *ctl, struct conn *c);
void top_sample_drop(struct top_sample *s);

#endif
