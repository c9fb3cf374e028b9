/*
 * top_lines - a view as lines of text, for a screen and for a pipe alike
 */
#ifndef CTL_TOP_LINES_H
#define CTL_TOP_LINES_H

#include <jansson.h>
#include <stddef.h>

#define TOP_LINE_MAX 512        /* bytes, with a terminator */
#define TOP_COLUMNS 79          /* what the rows of shards take, names cut */

/* Each writes a line into `out`, of TOP_LINE_MAX bytes; what is not printable is '?'. */
void top_lines_verdict(char *out, const json_t *view);  /* "OK  3/3 shards up; ..." */
void top_lines_totals(char *out, const json_t *view);
void top_lines_titles(char *out);
void top_lines_shard(char *out, const json_t *shard);

#endif
