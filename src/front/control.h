/*
 * control - the commands that have no key
 *
 * version, verbosity, quit, shutdown are answered on the spot; flush_all,
 * stats and cache_memlimit ask every shard (see gather.h).
 */
#ifndef FRONT_CONTROL_H
#define FRONT_CONTROL_H

#include "front/front.h"

void control_handle(struct session *s, struct cmd *cmd);

#endif
