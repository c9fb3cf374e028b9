/*
 * local_shards - shards as children of a front, on Unix sockets
 *
 * The front listens on each child's socket itself and hands the listening
 * descriptor down, so a connect never finds the door shut while a child is
 * started again.  A child that ends is started at once; one that keeps ending
 * is started less and less often.  Children end with their parent.
 */
#ifndef FRONT_LOCAL_SHARDS_H
#define FRONT_LOCAL_SHARDS_H

#include "base/world.h"

/* A process that was handed a descriptor of this name is such a child. */
#define LOCAL_SHARDS_FD_NAME "local-shard"

struct local_shards;

struct local_shards_config {
    struct world *world;
    struct loop *loop;          /* of the thread that starts and reaps */
    const char *name;           /* children are NAME-1 .. NAME-n */
    unsigned n;
    unsigned port;              /* names the folder of the sockets */
    char *const *args;          /* options that each child is given, NULL at the end;
                                   copied */
    void (*ended)(void *arg, const char *name);     /* its process has; it is restarted */
    void *arg;
};

/* Makes the folder and the sockets.  NULL, errno set, when that fails. */
struct local_shards *local_shards_new(const struct local_shards_config *config);

/* Where this process is to listen for its children; until local_shards_free(). */
const char *local_shards_own_address(const struct local_shards *ls);

/* Name and peer address of child `i`; valid until local_shards_free(). */
const char *local_shards_name(const struct local_shards *ls, unsigned i);
/* Whether a member is one of the `n` children of the front of that name. */
bool local_shards_is_child(const char *front, unsigned n, const char *member);
const char *local_shards_address(const struct local_shards *ls, unsigned i);

/* Starts all.  False, errno set, when the first fork fails. */
bool local_shards_start(struct local_shards *ls);

/* After a SIGHUP: they get one as well, with log_settings(), and so do those that
 * are started later. */
void local_shards_hang_up(struct local_shards *ls, int log_settings);

/* After SIGCHLD. */
void local_shards_reap(struct local_shards *ls);

/* Ends the children, and waits for them (5 s, then they are killed): while there is a
 * loop still.  Names and addresses stay. */
void local_shards_stop(struct local_shards *ls);
/* The same, and removes the sockets.  Copes with NULL. */
void local_shards_free(struct local_shards *ls);

#endif
