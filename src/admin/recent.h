/*
 * recent - how commands went lately, for people
 *
 *      start ... older --------- newer -------- now
 *                  '------- what is told -------'
 *
 * Each RECENT_MS all counts are kept.  So whoever looks, and be it once, is told of
 * the last 10 to 20 seconds; and of all since the start where that is less.
 */
#ifndef ADMIN_RECENT_H
#define ADMIN_RECENT_H

#include <jansson.h>

#include "admin/admin.h"

#define RECENT_MS 10000

struct recent;

/* All three are borrowed. */
struct recent *recent_new(struct event_base *base, const struct admin_ops *ops, void *arg);
void recent_free(struct recent *r);     /* copes with NULL */

/* Another RECENT_MS are over: what its timer calls. */
void recent_keep(struct recent *r);

/*
 * {"ms": how long that was, "since_start": whether it is all, "hits", "misses",
 *  "bytes_read", "bytes_written": from and to clients,
 *  "commands": [{"command", "n", "p50_ns", "p99_ns", "max_ns"}], "all": the same of all,
 *  "shards": {NAME: {"n", "p99_ns", "max_ns", "open_bytes"}}}
 * NULL: this process serves no clients.  `v` may be NULL.
 */
json_t *recent_look(struct recent *r, const struct view *v);

#endif
