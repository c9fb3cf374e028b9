/*
 * inner - commands for keys that come from inside this process
 *
 *      inner_ask --struct cmd--> call -> way -> owner, copies (see call.h)
 *      inner_told <------------- its answer, when the copies have it
 *
 * They go the way of any client's, wait for members and newer maps as those do,
 * and are counted and watched with them.  There is no session: each is on its own,
 * and nothing keeps the order of two but to ask the second when the first is told.
 */
#ifndef FRONT_INNER_H
#define FRONT_INNER_H

#include "front/front.h"

/*
 * The answer, gone when it returns; or NULL, and why it was not executed in words.
 * `unknown`: it may have been, all the same.
 */
typedef void inner_told(void *arg, const struct answer *a, const char *why, bool unknown);

/*
 * In the worker's thread.  `cmd` is of a keyed verb, with ttl_ms settled, and a value
 * no larger than --max-item-size; its form is filled here.  It is borrowed until this
 * returns.  `told` is called once, in this thread, now or later, but no later than
 * front_worker_fini().
 */
void inner_ask(struct front_worker *fw, struct cmd *cmd, inner_told *told, void *arg);

#endif
