/*
 * kept - what one program hands to the one that takes its place (see upgrade.h)
 *
 * A file without a name (kept_file.h), whose descriptor $CHCACHED_KEPT says.  Its
 * descriptors are those that an exec leaves open.
 */
#ifndef KEPT_H
#define KEPT_H

#include <stdio.h>

#include "passed.h"

/* ---- writing --------------------------------------------------------------- */

struct kept_writer;

/* NULL, errno set, when there can be no such file. */
struct kept_writer *kept_write(void);
/* Sockets first, then the map, of a cluster that another process leads. */
void kept_put_socket(struct kept_writer *k, const char *name, int fd);
void kept_put_map(struct kept_writer *k, const char *cluster, const struct map *map);
/* False: it is in the middle of something, or there is too much: it is left out. */
bool kept_put_client(struct kept_writer *k, const struct session *s);
/* The next exec leaves all of it open.  False, errno set, when not all was written. */
bool kept_publish(struct kept_writer *k);
/* There was none: all is as it was. */
void kept_withdraw(struct kept_writer *k);

/* ---- reading --------------------------------------------------------------- */

/* All zero at the start. */
struct kept {
    FILE *file;                 /* NULL: nothing was kept */
    int sockets[NODE_LISTENERS_MAX + 1];        /* opened by an earlier program */
    size_t n_sockets;           /* and not listened on yet by this one */
};

/* What the environment speaks of, if it does.  Named sockets go to `p`.  What cannot
 * be understood is left, with a warning, and so are all sockets that nobody passed.
 * Before there is another thread. */
void kept_read(struct kept *k, struct passed *p);

/* The real world, but that who listens on the address of a kept socket goes on
 * with that. */
struct world *kept_world(struct kept *k);

/* The map, if it is of this node's cluster, which another leads: clients need not
 * wait until that is heard. */
void kept_give_map(struct kept *k, struct node *n);

/* The clients go to the node, which is open to them; what is left over is closed. */
void kept_give(struct kept *k, struct node *n);

#endif
