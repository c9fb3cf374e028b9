/*
 * sim_parts - what the files of the simulated world share
 *
 * Two ways to say now: sim->now_ns is when the event is that is handled, which
 * is when kernels act; host_now() is how far the node's process has come.
 */
#ifndef TESTS_SIM_SIM_PARTS_H
#define TESTS_SIM_SIM_PARTS_H

#include <assert.h>

#include "../lib/chance.h"
#include "../lib/loop_parts.h"
#include "sim_events.h"
#include "sim_world.h"

#define US INT64_C(1000)
#define MS INT64_C(1000000)
#define NEVER INT64_MAX

struct conn;
struct listener;

struct loop {
    struct loop_parts parts;
    struct host *host;
    unsigned id;                /* of the node's */
    bool (*turn)(void *arg);
    void *arg;
    int64_t turn_at_ns;         /* NEVER: nothing to do */
    unsigned n_events;          /* that name it: it is freed after the last */
    bool woken, more, dead;
    struct watch **called;      /* whose turn it is, in a turn */
};

/* A number that a process holds. */
struct sock {
    bool open;
    struct watch *watch;
    struct conn *conn;          /* and which end of it; or a listener; neither: */
    int side;                   /* its node has crashed */
    struct listener *listener;
};

struct save {
    char *path, *data;
    size_t len;
    int64_t at_ns;              /* when it is on disk */
};

/* A node: the machine, whatever process runs on it. */
struct host {
    struct world world;
    struct sim *sim;
    const char *name;
    unsigned id;                /* in sim->hosts */
    struct chance chance;
    bool up, silent;            /* silent: not up, and its kernel neither */
    bool in_turn;

    int64_t busy_until_ns, frozen_until_ns;
    int64_t clock_at_ns, clock_ns;      /* at the first its clock showed the second */
    int64_t wall_ahead_ms;
    int ppm;
    unsigned stall_one_in;
    int64_t stall_max_ms;

    struct sock *socks;         /* by number, from FIRST_FD on */
    int n_socks;
    unsigned n_loops, n_loops_made;

    struct save *saves;         /* oldest first */
    size_t n_saves;
    int64_t disk_min_ms, disk_max_ms;
    int disk_error;
};

/* The way from one node to another. */
struct path {
    bool cut;
    int64_t min_ns, max_ns;
    unsigned loss_per_mille;
};

struct sim {
    int64_t now_ns;
    struct sim_events events;
    struct chance order, net, picks;
    uint64_t digest, n_events;
    FILE *trace;
    struct host *hosts[SIM_NODES_MAX];
    unsigned n_hosts;
    struct path paths[SIM_NODES_MAX][SIM_NODES_MAX];
    struct address *addresses;
    struct conn *conns, **conns_end;    /* oldest first */
    uint64_t n_conns;
};

static inline struct host *host_of(struct world *w)
{
    return (struct host *)w;
}

static inline int64_t host_now(const struct host *h)
{
    return h->busy_until_ns > h->sim->now_ns ? h->busy_until_ns : h->sim->now_ns;
}

/* Its process has done something that takes so long. */
static inline void host_spend(struct host *h, int64_t ns)
{
    h->busy_until_ns = host_now(h) + ns;
}

static inline struct path *path_of(const struct host *from, const struct host *to)
{
    return &from->sim->paths[from->id][to->id];
}

/* sim_world.c */
void sim_add_event(struct sim *s, int64_t at_ns, void (*fn)(void *what, int64_t at_ns), void *what);
void sim_mix(struct sim *s, uint64_t value);
void sim_mix_bytes(struct sim *s, const void *data, size_t len);
/* Its clock shows `after_ns` more than at `from_ns`: when is that? */
int64_t host_clock_in(const struct host *h, int64_t from_ns, int64_t after_ns);

/* sim_loop.c */
struct loop *sim_loop_new(struct world *w, bool restless);
void sim_loop_free(struct loop *l);
void sim_loop_turn(struct loop *l, bool poll);
void sim_loop_wake(struct loop *l);
struct watch *sim_watch_new(struct loop *l, int fd, watch_fn *fn, void *arg);
void sim_watch_set(struct watch *watch, int what);
void sim_watch_free(struct watch *watch);
struct timer *sim_timer_new(struct loop *l, timer_fn *fn, void *arg);
void sim_timer_set(struct timer *t, int64_t after_ms);
void sim_timer_free(struct timer *t);
void sim_loop_on_turn(void *what, int64_t at_ns);       /* an event */
/* Something may be ready for the watch, or NULL. */
void sim_loop_poke(struct watch *watch);

/* sim_socks.c: what a process sees of the network */
int sim_listen(struct world *w, const char *address, int backlog, unsigned unix_mask);
int sim_accept(struct world *w, int fd);
int sim_connect(struct world *w, const char *address);
int sim_connect_result(struct world *w, int fd);
enum io sim_recv(struct world *w, int fd, void *to, size_t size, size_t *got);
enum io sim_sendv(struct world *w, int fd, const struct iovec *iov, int n, size_t *sent);
void sim_shut(struct world *w, int fd);
void sim_close(struct world *w, int fd);
void sim_peer_name(struct world *w, int fd, char *out, size_t size);
/* Which of WATCH_READ and WATCH_WRITE the socket would do now. */
int sim_ready(struct host *h, int fd);
struct sock *sock_of(struct host *h, int fd);

/* sim_net.c */
void sim_net_crash(struct host *h);
/* What no cut holds any longer goes on. */
void sim_net_release(struct sim *s);
void sim_net_free(struct sim *s);

/* sim_files.c */
int sim_load(struct world *w, const char *path, char **data, size_t *len);
int sim_save(struct world *w, const char *path, const char *data, size_t len);
void sim_files_crash(struct host *h);
void sim_files_free(struct host *h);

#endif
