/*
 * watchers - clients that `watch` what happens, a line for each event
 *
 *      report of a turn --mail--> workers with watchers
 *                                       |
 *      elsewhere.h ---------------------+--> each watcher's lines
 *
 * A watcher that does not keep up misses lines and is told how many.
 */
#ifndef FRONT_WATCHERS_H
#define FRONT_WATCHERS_H

#include "front/report.h"

/* Makes a watcher of the session, or answers why not. */
void watchers_join(struct session *s, const struct cmd *cmd);

/* For struct handler. */
void watchers_opened(struct session *s);
void watchers_closed(struct session *s);

/* The end of a turn: what was noted goes to the watchers, here and elsewhere. */
void watchers_turn_end(struct front_worker *fw);

/* To those of this worker. */
void watchers_tell(struct front_worker *fw, const struct report *r);

/* What those of this worker want: 1 << enum stream, together. */
unsigned watchers_streams(const struct front_worker *fw);

/* One more (or less, -1) wants these streams; front->streams is what somebody does.
 * Any thread. */
void watchers_count(struct front *front, unsigned streams, int change);

#endif
