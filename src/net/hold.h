/*
 * hold - workers stand still while another thread changes what they all read
 *
 * Settings are read without a lock, thousands of times a turn; whoever changes
 * one waits until each worker has come to the end of a batch and stays there.
 */
#ifndef NET_HOLD_H
#define NET_HOLD_H

#include "net/worker.h"

struct hold;

/* Returns when all `n` stand: after their present turns.  Not from one of them,
 * and by one thread at a time. */
struct hold *hold_workers(struct worker *workers, unsigned n);
/* They go on. */
void hold_release(struct hold *h);

#endif
