/*
 * passed - sockets that somebody else opened for this process
 *
 * systemd, a front for its children, or the program that this one takes the place
 * of (see upgrade.h).  What a socket is for says its name:
 *
 *      memcache     for clients, one or several: in the place of --listen, --port
 *                   and --unix-socket
 *      admin        in the place of --http
 *      peer         in the place of the socket that --peer would open
 *      local-shard  the same, for a child: see local_shards.h
 */
#ifndef PASSED_H
#define PASSED_H

#include "base/sdnotify.h"
#include "node.h"

struct passed {
    struct sdnotify_fd fds[NODE_LISTENERS_MAX];
    size_t n;
    int peer_fd;                /* -1: none was passed */
    bool is_child;              /* of a front */
    bool clients;               /* some were for clients */
};

/* All that was handed over, by the environment.  Once, before any other thread. */
void passed_take(struct passed *p);

/* One more, of a name as above. */
void passed_add(struct passed *p, const char *name, int fd);

/*
 * Gives them to the node, before it listens, and has the options say where it is
 * reached.  What has no use here is closed with a warning.  Returns 0, or the exit
 * code of a process that has said why.
 */
int passed_place(struct passed *p, struct node *n, struct options *o);

/* The name that the socket came under; NULL: this process opened it. */
const char *passed_name(const struct passed *p, int fd);

#endif
