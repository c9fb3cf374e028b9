/*
 * node_hotkeys - struct admin_ops, hotkeys: asked of the node's workers
 */
#ifndef NODE_HOTKEYS_H
#define NODE_HOTKEYS_H

#include "admin/admin.h"

struct node;

const char *node_hotkeys(struct node *n, admin_hot_told *told, void *arg);
/* Whoever waits is told that there are none. */
void node_hotkeys_end(struct node *n);

#endif
