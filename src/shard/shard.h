/*
 * shard - peer frames to the store
 *
 * Listens on the peer address only.  A member says hello, the two agree on the
 * map, then its commands are executed under exactly that epoch and answered in
 * order.
 *
 *      link of a member ==frames==> peer --struct cmd--> store
 *
 * One struct shard a process; each worker has its own peers.  A process without
 * a store answers hellos, maps and pings.
 */
#ifndef SHARD_SHARD_H
#define SHARD_SHARD_H

#include "cluster/cluster.h"
#include "net/worker.h"
#include "store/store.h"

struct keeper;
struct shard_worker;

struct shard {
    struct store *store;        /* borrowed; NULL: keeps no items */
    struct cluster *cluster;    /* borrowed */
    struct relay *relay;        /* borrowed: events of fronts; where there is a store */
    /* A ping that says something: writes the answer, at most SHARD_PING_MAX bytes.
     * In any worker's thread; NULL: nobody listens. */
    size_t (*on_ping)(void *arg, const char *value, size_t len, char *out);
    void *ping_arg;
    struct keeper *keeper;      /* its own doings, see keeper.h; or NULL */
    unsigned n_looking;         /* atomic: workers that were asked by shard_is_quiet() */
    bool found;                 /* atomic: one of them has found something */
    unsigned n_looks;           /* in a row that found nothing, */
    uint64_t look_epoch;        /* by that map */
    struct shard_worker *workers[CLUSTER_MAX_WORKERS];  /* by id; filled before they run */
};

#define SHARD_PING_MAX (1u << 19)

/*
 * The shard's part of a worker, which is one of those that cluster_note() maps:
 * housekeeping starts.  False: no memory.
 */
bool shard_worker_init(struct worker *w, struct shard *shard);
void shard_worker_fini(struct worker *w);

/* There is a newer map: all workers are woken to go by it.  Any thread. */
void shard_seen(struct shard *shard);
/* For peers: the worker is between two frames and goes by the newest map. */
void shard_note(struct shard_worker *sw);

/* What the map asks of the store is done: by the keeper, before it notes the map. */
void shard_prepare(struct shard *shard, const struct view *v);
/* It means this very process, and has not ejected it. */
bool shard_is_member(const struct shard *shard, const struct view *v);
/* All workers go by that map, or a newer one, and have handed over to the keeper
 * what they had open before.  Any thread. */
bool shard_has_noted(const struct shard *shard, uint64_t epoch);

/*
 * For a front in this process: it has executed a command that is open, with the
 * worker's own store; and the oldest `n` of these are confirmed, or given up.
 */
void shard_opened(struct worker *w, uint64_t hash, uint64_t version);
void shard_settled(struct worker *w, size_t n, bool confirmed);

/*
 * What was executed here is on its copies, and who has a link to here goes by the map
 * of `epoch`, or a newer one: nobody found otherwise, twice in a row, as a worker may
 * have been in the middle of a turn.  In the control worker, again and again, once
 * nothing is executed any more: each call has the workers look.
 */
bool shard_is_quiet(struct shard *shard, uint64_t epoch);

/* Takes over `fd`, a member's connection; closed when memory is short. */
void shard_open(struct worker *w, int fd);

/* The same as shard_prepare() by the present map: at the start. */
void shard_take_number(struct shard *shard);

#endif
