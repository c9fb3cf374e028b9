/*
 * jobs - what an operator asked the leader for, and what it does by itself
 *
 * A list in the leader's state: asked for, begun, ended.  An operator's job sets
 * what a member's weight is wanted to be; the leader gets it there, however
 * often the change has to begin again.
 */
#ifndef CLUSTER_JOBS_H
#define CLUSTER_JOBS_H

#include "cluster/state.h"

/* One more, queued; of those that ended the oldest makes room.  NULL when all
 * are still to be done. */
struct job *jobs_new(struct state *s, enum job_kind kind, const char *member, int64_t wall_ms);

struct job *jobs_find(struct state *s, uint64_t id);

bool job_is_over(const struct job *job);
/* Asked for by an operator: these run one at a time. */
bool job_is_asked(const struct job *job);

/* The operator's that runs, or is the next to; NULL: none. */
struct job *jobs_current(struct state *s);

/* An unfinished one of the operator's about this member; NULL: none. */
struct job *jobs_about(struct state *s, const char *member);

void job_begin(struct job *job, int64_t wall_ms);
/* `words`: how it ended, borrowed for the call; "" for done. */
void job_end(struct job *job, enum job_status status, const char *words, int64_t wall_ms);
/* Why it waits, or what goes on; true when that is new. */
bool job_say(struct job *job, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
