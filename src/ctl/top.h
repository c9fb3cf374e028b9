/*
 * top - what a cache does now, once or again and again; as those of memcached.h
 */
#ifndef CTL_TOP_H
#define CTL_TOP_H

#include "ctl/conn.h"
#include "ctl/say.h"

int top(const struct ctl *ctl, struct conn *c, char **argv);

#endif
