/*
 * admin - what operators see and change, and programs read and write, over HTTP
 *
 *      GET, PUT, DELETE /v1/keys/KEY, POST /v1/keys:get
 *      GET  /v1/cluster  /v1/nodes  /v1/ring  /v1/ring/where/KEY  /v1/replicas  /v1/jobs
 *           /v1/hotkeys
 *      POST /v1/nodes  /v1/nodes/NAME/drain, PUT .../weight, DELETE /v1/nodes/NAME
 *      GET  /metrics  /healthz  /readyz  /v1/heartbeat
 *
 * Lives on the control worker's loop.  It knows the map, and reaches members,
 * items and leader through struct admin_ops alone.
 */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include <event2/event.h>

#include "base/stats.h"
#include "cluster/state.h"
#include "cluster/view.h"
#include "net/latency.h"
#include "store/usage.h"
#include "wire/cmd.h"

struct admin;

/* What a member said when it was asked. */
struct admin_answer {
    bool known;                 /* it has answered */
    char reason[80];            /* why not; "": it was not asked */
    uint64_t usage[N_USAGES];
    bool holds;                 /* of a key: it has it */
    bool open;                  /* and its copies may not yet */
    uint64_t version;
    uint64_t value_len;
    int64_t ttl_ms;             /* left, or TTL_NEVER */
};

/* One for each member of the view's map, in its order; gone when it returns. */
typedef void admin_told(void *arg, const struct admin_answer *answers);

/* A page of what a member holds (wire/listing.h), gone when it returns, and where
 * to go on, 0 at the end; or why there is none, else NULL. */
typedef void admin_walked(void *arg, const char *page, size_t len, uint64_t next,
                          const char *reason);

/* What a command was answered, gone when it returns; or NULL, and why it was not
 * executed.  `unknown`: it may have been, all the same. */
typedef void admin_executed(void *arg, const struct answer *a, const char *why, bool unknown);

/* What clients of this process ask for most. */
struct admin_hotkey {
    const char *key;            /* any bytes */
    size_t key_len;
    double rate, writes;        /* requests a second; of them, no reads */
};

/* The hottest first, gone when it returns.  `rate`: requests a second, of all keys. */
typedef void admin_hot_told(void *arg, const struct admin_hotkey *keys, size_t n, double rate);

/* What an operator wants of the leader. */
struct admin_change {
    enum job_kind kind;         /* JOB_ADD, JOB_REMOVE, JOB_DRAIN, JOB_WEIGHT */
    const char *name;
    const char *address, *zone; /* JOB_ADD */
    unsigned weight;            /* JOB_ADD, JOB_WEIGHT */
    bool force;                 /* JOB_REMOVE: what it held may be lost */
};

/* What this process has counted, for /metrics.  Strings are static. */
struct admin_counts {
    const char *version, *role, *memcached_version;
    int64_t uptime_ms, wall_ms;
    const char *not_ready;      /* see not_ready() */
    int has_lease;              /* -1: none is wanted */
    bool is_front;              /* it serves clients: */
    bool accepts;               /* they are let in */
    unsigned max_connections;
    size_t link_queue_bytes;    /* the most of requests that a shard has not answered */
    struct stats stats;         /* since the start */
    bool keeps_items;           /* it does itself: */
    uint64_t usage[N_USAGES];
};

struct admin_ops {
    const char *(*cluster_name)(void *arg);

    /* The map that this process goes by, a reference; NULL before the first. */
    struct view *(*view)(void *arg);

    /*
     * Asks all members of the view for their usage; with a key, those that may
     * hold it whether they do.  `told` is called once, in this thread, now or
     * later, but no later than admin_free().
     */
    void (*ask)(void *arg, struct view *v, const char *key, size_t key_len, admin_told *told,
                void *told_arg);

    /* The same of one page of a member, by its index in the map. */
    void (*walk)(void *arg, struct view *v, unsigned member, uint64_t cursor,
                 admin_walked *walked, void *walked_arg);

    /*
     * A command for a key, as a client's: in all but its form, with ttl_ms settled.  It
     * is borrowed until this returns.  `executed` is called as `told` is above.  Not
     * called unless config->has_keys is set.
     */
    void (*execute)(void *arg, struct cmd *cmd, admin_executed *executed, void *executed_arg);

    /* The keys of this process alone.  NULL, and `told` is called as above; or why
     * not, in words. */
    const char *(*hotkeys)(void *arg, admin_hot_told *told, void *told_arg);

    /* Milliseconds since a member was heard, -1: never; NULL: nobody listens. */
    int64_t (*silence_ms)(void *arg, const char *member);

    /* NULL: it serves what it is to serve; or why not, static words. */
    const char *(*not_ready)(void *arg);

    /* For /metrics. */
    void (*count)(void *arg, struct admin_counts *out);
    /* Whether items of that member are told by this process: it is its child. */
    bool (*keeps)(void *arg, const char *member);
    /* How long commands took, and what was sent to a member: added to `sum`. */
    void (*took)(void *arg, enum latency_class class, struct histogram *sum);
    void (*shard_took)(void *arg, const char *member, struct histogram *sum);
    /* Bytes of requests that it has not answered. */
    size_t (*open_bytes)(void *arg, const char *member);

    /* Whether this process makes the maps; if not, nothing below is called. */
    bool (*leads)(void *arg);
    /* A job's id, once it is on disk; or 0 and words in *why. */
    uint64_t (*change)(void *arg, const struct admin_change *change, const char **why);
    bool (*abort)(void *arg, uint64_t id, const char **why);
    /* Borrowed until the next call. */
    const struct job *(*jobs)(void *arg, size_t *n);

    void (*fini)(void *arg);    /* from admin_free(): what was asked fails now; or NULL */
};

struct admin_config {
    int fd;                     /* listens, and is taken over in any case */
    size_t max_item_bytes;
    bool has_keys;              /* there is a front, which can be asked for them */
    bool cas;                   /* items have tokens that clients may see */
    const char *token;          /* borrowed: what --admin-token-file has; or NULL */
    bool loopback;              /* only this host reaches the address */
};

/* `ops` is borrowed.  NULL when memory is short. */
struct admin *admin_new(struct event_base *base, const struct admin_config *config,
                        const struct admin_ops *ops, void *arg);
void admin_free(struct admin *a);       /* copes with NULL */

/* As those of http.h; NULL has nobody to answer. */
void admin_drain(struct admin *a);
bool admin_is_drained(const struct admin *a);
void admin_leave(struct admin *a);
bool admin_has_left(const struct admin *a);
void admin_stay(struct admin *a);

#endif
