/*
 * metrics - what a process has counted, as Prometheus reads it
 *
 *      stats.def, latencies, map, what members say ---> metrics_text ---> GET /metrics
 *
 * A series is told by one process only: clients, commands and their bytes by the
 * front that serves them, items and memory by the process that keeps them or, for its
 * children, by their parent.  What is said of shards is how this process sees them.
 * No label has a key in it.
 */
#ifndef ADMIN_METRICS_H
#define ADMIN_METRICS_H

#include <event2/buffer.h>

#include "admin/admin.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* What kept members have told so far: sums over them must not fall when one of them
 * starts again. */
struct metrics_kept;
void metrics_kept_free(struct metrics_kept *k);         /* the list; copes with NULL */

/* What the text is made of. */
struct metrics {
    const struct admin_ops *ops;        /* borrowed, as all here */
    void *arg;
    const struct view *view;            /* NULL: no map yet */
    const struct admin_answer *answers; /* NULL: nobody was asked */
    struct metrics_kept **kept;
};

/* False: memory is short. */
bool metrics_text(const struct metrics *m, struct evbuffer *out);

#endif
