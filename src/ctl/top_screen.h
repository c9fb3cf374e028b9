/*
 * top_screen - a view on a whole terminal, again each second
 *
 * q ends it, or Ctrl-C; s i m t e p order the shards.
 */
#ifndef CTL_TOP_SCREEN_H
#define CTL_TOP_SCREEN_H

#include "ctl/conn.h"
#include "ctl/say.h"

/* YES; or what was said: the terminal can do too little, or the server never answered. */
int top_screen_run(const struct ctl *ctl, struct conn *c, const char *sort);

#endif
