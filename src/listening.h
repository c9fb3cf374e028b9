/*
 * listening - the addresses of a process are opened, or it says why not
 *
 *      for clients, peers    it cannot do without
 *      for operators         nor without one that was asked for
 *
 * Each answers 0, or the exit code of a process that has said what is in the way and
 * what to do about it.
 */
#ifndef LISTENING_H
#define LISTENING_H

#include "node.h"

int listening_for_clients(struct node *n);
int listening_for_operators(struct node *n);
/* `fd` is a descriptor that listens already, or -1. */
int listening_for_peers(struct node *n, int fd);

#endif
