/*
 * node_dump - the state of a node, written to the log (SIGUSR2)
 *
 *      state: map epoch=7 phase=stable ...
 *      state: members shards=s1:up/weight-1/silent-20ms,...    as many as a line takes
 *      state: links shards=s1:4/4-open/0-bytes,...         of all workers together
 */
#ifndef NODE_DUMP_H
#define NODE_DUMP_H

#include "node.h"

/* In the control worker.  The links' part follows when all workers have told. */
void node_dump(struct node *n);

#endif
