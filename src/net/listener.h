/*
 * listener - accepts connections and hands them to workers in turn
 *
 * Lives in the loop of the thread that makes it, which is no worker's: an
 * accept storm delays no client that is served.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "net/worker.h"

struct listener;

/* How a worker takes a connection over: session_open, or a shard's. */
typedef void listener_open(struct worker *w, int fd);

struct listener_config {
    struct world *world;
    struct loop *loop;
    struct worker *workers;     /* borrowed */
    unsigned n_workers;
    listener_open *open;
    unsigned *n_clients;        /* atomic, counted up here; NULL: not counted */
    const unsigned *limit;      /* of *n_clients, which is then there; NULL: none */
    struct stats *stats;        /* of this thread */
};

/* Accepts from `fd`, which listens and is taken over.  The config is copied.
 * NULL when memory is short. */
struct listener *listener_new(int fd, const struct listener_config *config);
void listener_free(struct listener *l);         /* closes fd; copes with NULL */

/* Those that wait already are accepted; before it is closed for good. */
void listener_accept(struct listener *l);

/* Connections wait in the kernel from here on; and no longer. */
void listener_pause(struct listener *l);
void listener_resume(struct listener *l);

int listener_fd(const struct listener *l);      /* borrowed */

#endif
