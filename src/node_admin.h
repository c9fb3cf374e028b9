/*
 * node_admin - the admin room of a node: what it sees and may do there
 */
#ifndef NODE_ADMIN_H
#define NODE_ADMIN_H

#include <stdbool.h>

struct node;

/* Serves on n->admin_fd, which it takes over in any case; nothing with -1.
 * False when memory is short.  Once the rooms are made. */
bool node_admin_open(struct node *n);

/* Before what it asks goes; copes with one that was never opened. */
void node_admin_close(struct node *n);

#endif
