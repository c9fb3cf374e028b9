/*
 * stats_text - what `stats` says, with memcached's names
 */
#ifndef FRONT_STATS_TEXT_H
#define FRONT_STATS_TEXT_H

#include "front/gather.h"

/* "STAT name value\r\n" or a packet; a queue without memory is noticed by its owner. */
void stats_line(struct sendq *q, const struct form *form, const char *name,
                const char *format, ...) __attribute__((format(printf, 4, 5)));

/* A binary packet with all that is in `value`.  False: no memory. */
bool stats_packet(struct sendq *q, const struct form *form, const char *name,
                  struct sendq *value);

/* What ends them: "END\r\n" or an empty packet. */
void stats_end(struct sendq *q, const struct form *form);

/* The parts of `stats`, each into g->out, without an end. */
void stats_put_general(struct gather *g);
void stats_put_items(struct gather *g);
void stats_put_segments(struct gather *g);
void stats_put_slabs(struct gather *g);
void stats_put_shards(struct gather *g);
void stats_put_settings(struct sendq *q, const struct form *form, struct front *front);

/* What all workers have counted since the start.  Any thread. */
void stats_sum(struct front *front, struct stats *sum);

/* Counters begin again at 0. */
void stats_reset(struct front *front);

#endif
