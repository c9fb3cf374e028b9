/*
 * stats - a server's counters and settings, as the commands of memcached.h
 */
#ifndef CTL_STATS_H
#define CTL_STATS_H

#include "ctl/conn.h"
#include "ctl/say.h"

int stats_show(const struct ctl *ctl, struct conn *c, char **argv);
int stats_settings(const struct ctl *ctl, struct conn *c, char **argv);

/*
 * Sends `line` ("stats shards\r\n") and gives the answer as an object, name to
 * value, in the server's order; numbers are numbers.  YES and *object, to be
 * given back; NO for an answer that is none, which is said; UNREACHED.
 */
int stats_ask(struct conn *c, const char *line, json_t **object);

#endif
