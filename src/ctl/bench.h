/*
 * bench - how many requests a server answers, and how soon
 *
 * As the commands of cluster.h; it speaks the text protocol, to memcached too.
 */
#ifndef CTL_BENCH_H
#define CTL_BENCH_H

#include "ctl/say.h"

int bench(const struct ctl *ctl, char **argv);

#endif
