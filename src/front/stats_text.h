/*
 * stats_text - what `stats` says, with memcached's names
 */
#ifndef FRONT_STATS_TEXT_H
#define FRONT_STATS_TEXT_H

#include "front/gather.h"

/* "STAT name value\r\n"; a queue without memory is noticed by its owner. */
void stats_line(struct sendq *q, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The parts of `stats`, each into g->out, without END. */
void stats_put_general(struct gather *g);
void stats_put_items(struct gather *g);
void stats_put_slabs(struct gather *g);
void stats_put_shards(struct gather *g);
void stats_put_settings(struct sendq *q, struct front *front);

/* Counters begin again at 0. */
void stats_reset(struct front *front);

#endif
