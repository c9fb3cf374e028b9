/*
 * conns - `stats conns`: every worker tells of its own sessions
 */
#ifndef FRONT_CONNS_H
#define FRONT_CONNS_H

#include "net/session.h"

/* Asks the workers one after the other, by mail; the session is held meanwhile. */
void conns_list(struct session *s, const struct cmd *cmd);

#endif
