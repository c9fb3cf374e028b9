/*
 * nodes - the commands that change who is a member, and their jobs
 *
 * As those of cluster.h.
 */
#ifndef CTL_NODES_H
#define CTL_NODES_H

#include "ctl/say.h"

int nodes_list(const struct ctl *ctl, char **argv);
int nodes_add(const struct ctl *ctl, char **argv);
int nodes_remove(const struct ctl *ctl, char **argv);
int nodes_drain(const struct ctl *ctl, char **argv);
int nodes_weight(const struct ctl *ctl, char **argv);

int jobs_list(const struct ctl *ctl, char **argv);
int jobs_wait(const struct ctl *ctl, char **argv);
int jobs_abort(const struct ctl *ctl, char **argv);

#endif
