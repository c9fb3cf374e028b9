/*
 * cluster - the commands that ask about a cluster
 *
 * Each takes its own arguments, NULL behind the last, and returns the exit
 * status, having said what there was to say.
 */
#ifndef CTL_CLUSTER_H
#define CTL_CLUSTER_H

#include "ctl/say.h"

int cluster_status(const struct ctl *ctl, char **argv);
int cluster_where(const struct ctl *ctl, char **argv);
int cluster_replicas(const struct ctl *ctl, char **argv);

#endif
