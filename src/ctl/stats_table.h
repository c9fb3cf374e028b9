/*
 * stats_table - counters of several things side by side
 */
#ifndef CTL_STATS_TABLE_H
#define CTL_STATS_TABLE_H

#include <jansson.h>

/*
 * Writes an object of counters to stdout, a line for each.  Those that are called
 * "thing:counter", as of shards and latencies, come last and side by side: things
 * are rows and counters columns, or the other way round if that is too wide.
 * `title` is that of the column of names.
 */
void stats_table_print(const json_t *object, const char *title);

#endif
