/*
 * memcached - the commands that speak the text protocol, to memcached too
 *
 * Each takes an open connection and its own arguments, and returns the exit
 * status, having said what there was to say.
 */
#ifndef CTL_MEMCACHED_H
#define CTL_MEMCACHED_H

#include "ctl/conn.h"

int memcached_get(struct conn *c, char **argv);
int memcached_set(struct conn *c, char **argv);
int memcached_delete(struct conn *c, char **argv);
int memcached_ping(struct conn *c, char **argv);
int memcached_version(struct conn *c, char **argv);

/* YES, or what was said: it has no length that can be, or a blank. */
int memcached_check_key(const char *key);

#endif
