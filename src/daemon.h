/*
 * daemon - what a process owes its host: user, limits, background, pid file
 *
 * Each answers 0, or the exit code of a process that has said why.
 */
#ifndef DAEMON_H
#define DAEMON_H

#include "options.h"

/* So many as --conn-limit needs, or a warning. */
void daemon_raise_descriptors(const struct options *o);

/* Descriptors for all clients, core files or none, memory that may be locked. */
int daemon_limits(const struct options *o);

/* --lock-memory, or a warning.  In the process that stays, as who it stays: a fork
 * loses the locks, another user the right to them. */
void daemon_lock_memory(const struct options *o);

/*
 * Into the background (-d), before any thread is started.  The parent stays
 * until daemon_tell_parent(*parent_fd), then ends with 0; if the daemon ends
 * first, with its failure: what it had to say was said on the same stderr.
 * *parent_fd is left alone without -d.
 */
int daemon_detach(const struct options *o, int *parent_fd);

/* All runs.  Does nothing with -1. */
void daemon_tell_parent(int parent_fd);

/* Becomes --user, or "chcached" where there is such a user, when root. */
int daemon_drop_privileges(const struct options *o);

/* Can the coordinator keep its map in --state-dir?  As who it is by now. */
int daemon_check_state_dir(const struct options *o);

/* Level and form of the log, as the options say. */
void daemon_set_log(const struct options *o);

int daemon_write_pidfile(const struct options *o);
void daemon_remove_pidfile(const struct options *o);

#endif
