/*
 * shard - peer frames to the store
 *
 * Listens on the peer address only.  A front says hello, the two agree on the
 * map, then its commands are executed under exactly that epoch and answered in
 * order.
 *
 *      link of a front ==frames==> peer --struct cmd--> store
 *
 * One struct shard a process; each worker has its own peers.
 */
#ifndef SHARD_SHARD_H
#define SHARD_SHARD_H

#include "cluster/cluster.h"
#include "net/worker.h"
#include "store/store.h"

struct shard {
    struct store *store;        /* borrowed, both live as long as the daemon */
    struct cluster *cluster;
};

/* The shard's part of a worker: housekeeping starts.  False: no memory. */
bool shard_worker_init(struct worker *w, struct shard *shard);
void shard_worker_fini(struct worker *w);

/* Takes over `fd`, a front's connection; closed when memory is short. */
void shard_open(struct worker *w, int fd);

/* The present map gives this shard its number; call after each adoption. */
void shard_take_number(struct shard *shard);

/* "name value\n" for every USAGE row of stats.def; returns the length. */
#define SHARD_USAGE_MAX 4096
size_t shard_put_usage(struct store *store, int64_t now_ms, char *out);

#endif
