/*
 * items - the commands about one item, as those of memcached.h
 */
#ifndef CTL_ITEMS_H
#define CTL_ITEMS_H

#include "ctl/conn.h"
#include "ctl/say.h"

int items_get(const struct ctl *ctl, struct conn *c, char **argv);
int items_set(const struct ctl *ctl, struct conn *c, char **argv);
int items_delete(const struct ctl *ctl, struct conn *c, char **argv);
int items_touch(const struct ctl *ctl, struct conn *c, char **argv);
int items_incr(const struct ctl *ctl, struct conn *c, char **argv);
int items_decr(const struct ctl *ctl, struct conn *c, char **argv);

#endif
