/*
 * shares - who has how much of the ring: as a table or drawn
 *
 * As the commands of cluster.h.
 */
#ifndef CTL_SHARES_H
#define CTL_SHARES_H

#include "ctl/say.h"

int shares_show(const struct ctl *ctl, char **argv);

#endif
