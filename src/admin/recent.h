/*
 * recent - how commands went lately, for people
 *
 *      older --------- newer -------- now
 *        '------- what is told -------'
 *
 * When somebody looks and the newer look that was kept is RECENT_MS old, it becomes
 * the older one.  So who goes on looking is told of the last 10 to 20 seconds, and
 * the first who looks, of all since the start.
 */
#ifndef ADMIN_RECENT_H
#define ADMIN_RECENT_H

#include <jansson.h>

#include "admin/admin.h"

#define RECENT_MS 10000

struct recent;

struct recent *recent_new(void);
void recent_free(struct recent *r);     /* copes with NULL */

/*
 * {"ms": how long that was, "since_start": whether it is all, "hits", "misses",
 *  "commands": [{"command", "n", "p50_ns", "p99_ns", "max_ns"}],
 *  "shards": {NAME: {"n", "p99_ns", "open_bytes"}}}
 * NULL: this process serves no clients.  `v` may be NULL.
 */
json_t *recent_look(struct recent *r, const struct admin_ops *ops, void *arg,
                    const struct view *v);

#endif
