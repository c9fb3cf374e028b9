/*
 * top_view - what comes of samples: rates, ratios, a verdict
 */
#ifndef CTL_TOP_VIEW_H
#define CTL_TOP_VIEW_H

#include "ctl/top_sample.h"

/*
 * An object, to be given back: server, verdict (ok, degraded, down), words,
 * copies, requests_per_second, hit_ratio, evictions_per_second, connections,
 * items, bytes, limit_bytes, p99_ms; and shards, a list of name, state, items,
 * bytes, limit_bytes, sent_per_second, evictions_per_second, p99_ms.  What is
 * not known is null.  Rates are between the samples, null where these are the
 * same one; p99_ms is of the last p99_seconds, or, where that is null, of gets
 * since the server's start.  Shards are ordered by `sort`, "shard" or a column of
 * numbers, the largest first.
 */
json_t *top_view(const struct top_sample *before, const struct top_sample *now,
                 const char *server, const char *sort);

/* Whether it can be ordered by that. */
bool top_view_sorts(const char *sort);

#endif
