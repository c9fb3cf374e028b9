/*
 * keys - a walk over all keys, as the commands of memcached.h
 *
 * A front walks through all shards and shows each key once, whoever has copies.
 */
#ifndef CTL_KEYS_H
#define CTL_KEYS_H

#include "ctl/conn.h"
#include "ctl/say.h"

int keys_show(const struct ctl *ctl, struct conn *c, char **argv);

#endif
