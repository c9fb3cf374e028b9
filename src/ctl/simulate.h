/*
 * simulate - what a ring would do: no server is asked
 */
#ifndef CTL_SIMULATE_H
#define CTL_SIMULATE_H

#include "ctl/say.h"

/* Share and keys of each shard, and what a change would move. */
int simulate(const struct ctl *ctl, char **argv);

#endif
