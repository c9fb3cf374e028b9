/*
 * node - one member of a cluster: its rooms put together by the options
 *
 *      control worker: agent, accepting, the caller's timers
 *      workers:        sessions, links, peers; the store is shared
 *
 * Nothing here knows of processes: main runs each worker in a thread of its
 * own, a simulator runs many nodes in one.
 */
#ifndef NODE_H
#define NODE_H

#include "base/secret.h"
#include "cluster/agent.h"
#include "cluster/source.h"
#include "admin/leading.h"
#include "cluster/cluster.h"
#include "front/front.h"
#include "net/listener.h"
#include "options.h"
#include "shard/keeper.h"
#include "shard/shard.h"

/* For clients, and for the members' frames: an address, and a Unix socket beside it. */
#define NODE_CLIENT_LISTENERS_MAX (OPTION_LISTEN_MAX + 1)       /* and a Unix socket */
#define NODE_LISTENERS_MAX (NODE_CLIENT_LISTENERS_MAX + 2)

struct node {
    const struct options *options;      /* borrowed */
    const char *peer;           /* borrowed: the option's, or another of the caller's */
    struct world *world;                /* borrowed */
    struct cluster *cluster;
    struct source *source;      /* what the leader keeps; NULL: nothing, or another leads */
    struct leader *leader;      /* this process makes the maps; or NULL */
    bool leaves;                /* it has said goodbye */
    bool draining;              /* node_drain() was called */
    bool has_led;               /* an earlier process of this name did */
    struct agent *agent;        /* NULL: one map for ever */
    char coordinator[OPTION_NAME_MAX + 1];      /* its name */
    struct leader_member *first_members;        /* owned; of the first map */
    size_t n_first_members;
    struct store *store;        /* NULL: a front */
    struct relay *relay;        /* NULL: the same */
    struct shard shard;
    struct front front;
    struct net_config net;
    struct keeper *keeper;      /* of what a store needs looked after; or NULL */
    pthread_mutex_t state_lock; /* of `state`: what the keeper has come to */
    struct keeper_state state;
    struct handler handler, shard_handler, control_handler;
    struct worker control;      /* the caller's thread */
    /* options->threads of them, and a guest of the control worker where operators
     * and programs ask over HTTP: it has no clients, and executes what they want. */
    struct worker *workers;
    unsigned n_workers;
    unsigned n_clients;         /* atomic */
    struct leading leading;     /* what operators may have done; its leader is NULL: nothing */
    struct admin *admin;        /* NULL: no admin address, or not open yet */
    struct asker *asker;        /* its own */
    struct hot_asked *hot_asked;        /* owned: see node_hotkeys.c */
    int admin_fd;               /* listens until it is open; -1 */
    int admin_socket;           /* the same, and after that: the admin's; -1 */
    unsigned n_taken;           /* connections that another program had */
    char admin_token[SECRET_MAX + 1];   /* that has to be shown there; "": none */
    int client_fds[NODE_CLIENT_LISTENERS_MAX], peer_fds[2];
    size_t n_client_fds, n_peer_fds;
    struct listener *listeners[NODE_LISTENERS_MAX];
    size_t n_listeners;
};

/*
 * In this order; each answers whether it was done.  What was begun is taken
 * back by node_fini() in any case.
 */
void node_init(struct node *n, struct world *world, const struct options *o);

/*
 * NULL, or the address that cannot be listened on, errno set.  Borrowed.
 * Sockets that were put into client_fds or admin_fd before, and listen already,
 * take the place of what the options say.
 */
const char *node_listen_to_clients(struct node *n);
/* The same, for operators: it may be done without. */
const char *node_listen_to_operators(struct node *n);
/* The same as the first; `fd` is a descriptor that listens already, or -1. */
const char *node_listen_to_peers(struct node *n, int fd);

/* The control worker, which may take its turns from here on. */
bool node_make_control(struct node *n);

/* The map's first members: those of the options where `n_members` is 0.  False,
 * with words, when there can be no map.  What is given is borrowed. */
bool node_join_cluster(struct node *n, const struct leader_member *members, size_t n_members,
                       const char **why);

/* The store and the workers, which may run from here on. */
bool node_make_rooms(struct node *n, void (*shut_down)(void));

/* Members that connect are served; clients from when there is a map. */
bool node_open(struct node *n);
bool node_open_to_clients(struct node *n);

/* There is a map: clients can be served.  Its own shard serves as well, if it is
 * to: one that no map knows waits for an operator. */
bool node_has_map(const struct node *n);
bool node_is_ready(struct node *n);
/* NULL, or why not, or that it is being drained; static words. */
const char *node_not_ready(struct node *n);

/* The options have changed, in what takes effect LIVE (options.def), while the workers
 * run: they go by them now.  Memory and shards apart: */
void node_reconfigure(struct node *n);
/* False, and all as it was, when the store cannot. */
bool node_set_memory(struct node *n, uint64_t bytes);
/* An operator's wish.  A job's id; or 0, and words.  To who makes the maps only. */
uint64_t node_change(struct node *n, const struct admin_change *change, const char **why);

/* The shard here leaves its keys to others: they are told, and it serves nothing
 * any more.  Before node_drain(). */
void node_say_goodbye(struct node *n);

/*
 * Another program is to go on with the clients' connections: new ones wait in the
 * kernel, commands that came are not executed any more, those that were are
 * answered.  When no worker runs any more node_still() reads what they have posted
 * to each other; node_stay() takes all back before they run again.
 */
void node_leave(struct node *n);
bool node_is_settled(struct node *n);
/* Before that, as clients need not wait for it: the same of who asks over HTTP, whose
 * connections end with the answer.  node_stay() takes it back as well. */
void node_leave_operators(struct node *n);
bool node_has_left_operators(const struct node *n);
void node_still(struct node *n);
void node_stay(struct node *n);

/* The sockets that listen, at most NODE_LISTENERS_MAX + 1: returns how many. */
size_t node_listening(const struct node *n, int *fds);

/* A connection that another program had, see session_open_moved(); taken over.
 * After node_open_to_clients(). */
bool node_take_client(struct node *n, int fd, const char *in, size_t in_len, const char *out,
                      size_t out_len);

/* No longer; and what is begun is finished. */
void node_drain(struct node *n);
bool node_is_drained(struct node *n);

/* The workers must not run any more. */
void node_fini(struct node *n);

#endif
