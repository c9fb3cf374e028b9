/*
 * monitor - what a server does, as it does it; as the commands of memcached.h
 */
#ifndef CTL_MONITOR_H
#define CTL_MONITOR_H

#include "ctl/conn.h"
#include "ctl/say.h"

int monitor(const struct ctl *ctl, struct conn *c, char **argv);

#endif
