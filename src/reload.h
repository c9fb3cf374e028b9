/*
 * reload - settings read once more, while the process serves
 *
 *      SIGHUP --> the command line and its file --> what is new and LIVE is applied
 *                                              \--> what is new and START is told of
 *
 * All or nothing: of a file with an error nothing is taken.
 */
#ifndef RELOAD_H
#define RELOAD_H

#include "node.h"
#include "options.h"

/*
 * `argv` is that of the start.  What becomes of each setting is logged; those
 * that are applied are in `o` then, which is the node's.  In the control worker,
 * while the others run.
 */
void reload(struct options *o, struct node *n, int argc, char **argv);

#endif
