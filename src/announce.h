/*
 * announce - the four lines of the log that say what has started
 *
 *      what it is, its addresses, the map, its memory
 */
#ifndef ANNOUNCE_H
#define ANNOUNCE_H

#include "node.h"

/* In the control worker; the map may not be there yet. */
void announce_start(struct node *n);

#endif
