/*
 * report - what is known of the cluster, as JSON
 *
 * All may answer NULL when memory is short.  `answers`: one for each member of
 * the view's map; the view may be NULL where there is no map yet.
 */
#ifndef ADMIN_REPORT_H
#define ADMIN_REPORT_H

#include <jansson.h>

#include "admin/admin.h"

json_t *report_cluster(const char *name, bool leads, const struct view *v,
                       const struct admin_answer *answers);
/* `recent`: of recent_look(), which may be NULL, as may `silence_ms`. */
json_t *report_nodes(const struct view *v, const struct admin_answer *answers,
                     const json_t *recent,
                     int64_t (*silence_ms)(void *arg, const char *member), void *arg);
json_t *report_ring(const struct view *v);
json_t *report_where(const struct view *v, uint32_t position,
                     const struct admin_answer *answers);
json_t *report_job(const struct job *j);
json_t *report_jobs(const struct job *jobs, size_t n);

/* Of the keys, what a member owns, by its index in the map. */
double report_share(const struct view *v, size_t i);

/* "add", "drain"...; "queued", "running"... */
const char *report_kind(enum job_kind kind);

#endif
