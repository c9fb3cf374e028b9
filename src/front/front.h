/*
 * front - commands to where they are executed, answers back in order
 *
 *      session --- command ---+ -- key's owner is this process --> store
 *                              +-- another member --> link (see link.h)
 *                              +-- the whole cluster --> gather (see gather.h)
 *
 * A front keeps no data.  One struct front a process, one front_worker in each
 * worker: its view of the cluster and its links.
 */
#ifndef FRONT_FRONT_H
#define FRONT_FRONT_H

#include "cluster/confirms.h"
#include "cluster/links.h"
#include "front/hotkeys.h"
#include "front/parked.h"
#include "front/prefixes.h"
#include "net/session.h"
#include "net/worker.h"
#include "store/store.h"

/* What VERSION says: clients decide by it which commands they may use. */
#define FRONT_MEMCACHED_VERSION "1.6.45"

struct front_config {
    int64_t shard_timeout_ms;
    int64_t slow_request_ms;    /* 0: none is slow */
    size_t link_queue_bytes;    /* of commands on one link, unanswered */
    bool ack_all;               /* a write is answered when all copies have it */
    bool cas, flush_all, shutdown, dumps, watch;
    char stat_delimiter;        /* '\0': none was set */
    unsigned conn_limit, backlog, n_threads, port, max_requests;
    size_t max_item_bytes;
    bool evict;
    const char *listen, *unix_socket, *protocol;        /* for `stats settings` */
};

/* See slow.h. */
struct slow {
    int64_t limit_ns;           /* INT64_MAX: none is slow */
    int64_t next_ms;            /* atomic: before that none is logged */
    uint64_t n_hidden;          /* atomic: since the last that was */
};

struct front {
    struct front_config config;
    struct links_config links_config;   /* from it */
    struct cluster *cluster;    /* borrowed */
    struct store *store;        /* borrowed; NULL: keeps no items */
    struct relay *relay;        /* borrowed: its own shard's; NULL: the same */
    /* For the shard of this process, NULL where there is none, or nobody cares: the
     * worker is to go by the newest map; it has executed a command that is open;
     * the oldest n of these are confirmed, or given up. */
    void (*note)(struct worker *w);
    void (*opened)(struct worker *w, uint64_t hash, uint64_t version);
    void (*settled)(struct worker *w, size_t n, bool confirmed);
    void (*shut_down)(void);    /* the command: asks the process to end */
    struct worker *workers;     /* borrowed; with sessions, or asked inside: see inner.h */
    unsigned n_workers;
    struct stats accept_stats;  /* written by the thread that accepts */
    int64_t started_ms;         /* monotonic */
    unsigned verbosity;         /* atomic: how many -v, or as the command says */
    struct slow slow;
    size_t memory_bytes;        /* atomic: of all shards, cache_memlimit sets it */
    struct prefixes prefixes;
    unsigned streams;           /* atomic: what is watched, here or at another front */
    pthread_mutex_t streams_lock;       /* for what it is made of, */
    unsigned n_watching[8];     /* by stream */
    uint64_t n_events;          /* atomic: noted so far */
    pthread_mutex_t reset_lock;
    struct stats reset_at;      /* counters at the last `stats reset`, */
    struct histogram *took_at_reset;    /* owned: and latencies, by class */
};

struct front_worker {
    struct front *front;
    struct worker *worker;
    struct links links;         /* none to this process, where it keeps items */
    pthread_mutex_t links_lock; /* held while links are made or given up: others read them */
    int self;                   /* index in the map of this process, as a shard; -1 */
    bool is_led;                /* somebody makes maps: who is not reached is waited for */
    bool has_copies;            /* some keys may be on more than one shard */
    bool lease_known, has_lease;        /* this turn */
    struct confirms here;       /* of open answers of the own store */
    struct parked parked;
    struct hotkeys hotkeys;     /* what its clients ask for */
    unsigned n_hits;            /* of keys that have copies: see call.c */
    struct multiget *free_multigets;    /* owned */
    uint8_t *part_of;           /* owned: by member, all 0: for multiget.c */
    struct mail wake;
    bool woken;                 /* atomic: it is on its way */
    struct timer *tick;
    struct watcher *watchers;   /* owned: sessions of this worker that watch */
    unsigned n_watchers;        /* atomic */
    struct report *report;      /* owned: what happened this turn, or NULL */
    struct place *places;       /* owned: by link, or NULL; this and the rest: elsewhere.c */
    struct follower *follower;  /* at the own shard, or NULL */
    unsigned wanted;            /* streams, by watchers of other fronts */
    uint64_t unsent;            /* events that they have missed and do not know of */
    size_t sent_events;         /* bytes of them, since the last tick */
};

struct answer;
struct asked;

/* -C: clients are told of no tokens. */
void front_hide_token(const struct front *front, struct answer *a);

/* A command that was answered: it is counted, and told to those who watch. */
void front_note(struct front_worker *fw, int fd, const struct asked *asked,
                const struct answer *a);

/* Is somebody told of each command, beyond its being counted? */
bool front_notes_each(const struct front_worker *fw);

/* Once the cluster and what is borrowed are filled in. */
void front_init(struct front *front, const struct front_config *config, struct world *world);
void front_fini(struct front *front);
/* Another config, while no worker runs. */
void front_configure(struct front *front, const struct front_config *config);

/* There is a newer map: all workers are woken to go by it.  Any thread, while they
 * may run. */
void front_seen(struct front *front);

/* The part of a worker: links are made, the first connects begin. */
bool front_worker_init(struct worker *w, struct front *front);
void front_worker_fini(struct worker *w);

/* What a front's sessions are handled by. */
extern const struct handler front_handler;

#endif
