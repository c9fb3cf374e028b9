/*
 * stats_table - counters of several things side by side
 */
#ifndef CTL_STATS_TABLE_H
#define CTL_STATS_TABLE_H

#include <jansson.h>

/*
 * Writes an object of counters to stdout.  Where each is called "thing:counter",
 * as those of shards and of latencies are, things are rows and counters columns,
 * or the other way round where that is narrower; else a line for each.
 */
void stats_table_print(const json_t *object);

#endif
