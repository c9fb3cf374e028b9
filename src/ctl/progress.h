/*
 * progress - waits for a job, and shows how far it is
 *
 *      draining s2  [##############........]  63 %  29 377 / 46 630 items  11 s left
 *
 * One line that is written again on a terminal, a line each ten percent else;
 * on stderr.
 */
#ifndef CTL_PROGRESS_H
#define CTL_PROGRESS_H

#include "ctl/say.h"

/* YES when the job is done, NO when it failed or was aborted, both told. */
int progress_wait(const struct ctl *ctl, long long job);

#endif
