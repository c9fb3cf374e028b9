/*
 * chcached - a distributed cache that looks like one memcached
 *
 * This file puts the rooms together according to the options, and takes them
 * apart again in reverse.
 *
 *      main thread: signals, accepting, children        workers: everything else
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/sdnotify.h"
#include "base/world.h"
#include "cluster/source.h"
#include "config.h"
#include "daemon.h"
#include "front/front.h"
#include "front/local_shards.h"
#include "net/listener.h"
#include "options.h"
#include "shard/shard.h"
#include "store/store.h"

#define EXIT_OS 71
#define DRAIN_MS 5000           /* what clients have to finish after a TERM */
#define DRAIN_LOOK_MS 5

/* For clients and for the members' frames; two more for a Unix socket each. */
#define LISTENERS_MAX 64

/* All that lives as long as the daemon. */
struct chcached {
    struct options options;
    struct world *world;
    struct loop *loop;          /* the main thread's */
    struct local_shards *children;
    struct cluster *cluster;
    struct source *source;
    struct store *store;        /* NULL: a front */
    struct shard shard;
    struct front front;
    struct net_config net;
    struct handler handler;
    struct worker *workers;
    unsigned n_workers;         /* whose threads run */
    unsigned n_clients;         /* atomic */
    int client_fds[LISTENERS_MAX], peer_fds[2];
    size_t n_client_fds, n_peer_fds;
    struct listener *listeners[LISTENERS_MAX + 2];
    size_t n_listeners;
    int signal_fd;
    struct watch *signals;
    struct timer *timer;        /* watchdog, then the drain */
    bool owns_unix_socket;      /* it is ours to remove */
    bool owns_pidfile;          /* the same */
    int parent_fd;              /* of --daemon: who waits to hear that we run */
    bool is_child;              /* of a front: it has said all that is to say */
    bool stopping, stopped;
    int64_t stop_at_ms;
};

static int64_t now_ms(struct chcached *c)
{
    return c->world->ops->mono_ns(c->world) / 1000000;
}

/* listening */

static int say_cannot_listen(const char *address)
{
    char owner[128];
    int error = errno;

    if (error == EADDRINUSE && daemon_port_owner(address, owner, sizeof(owner)))
        fprintf(stderr, "chcached: %s is in use (%s). Stop it or use -p PORT.\n", address, owner);
    else if (error == EADDRINUSE)
        fprintf(stderr, "chcached: %s is in use. Stop who uses it or use -p PORT.\n", address);
    else
        fprintf(stderr, "chcached: cannot listen on %s: %s\n", address, strerror(error));
    return EXIT_OS;
}

static int listen_on(struct chcached *c, const char *address, unsigned mask)
{
    const struct options *o = &c->options;

    return c->world->ops->listen(c->world, address, (int)o->listen_backlog, mask);
}

static void warn_if_public(const char *address)
{
    if (address[0] != '/' && strncmp(address, "127.", 4) != 0 && strncmp(address, "[::1]", 5) != 0)
        log_warn("main", "everybody who reaches this address reads and writes all items addr=%s",
                 address);
}

static int listen_for_clients(struct chcached *c)
{
    const struct options *o = &c->options;
    int fd;

    if (o->role == ROLE_SHARD)
        return 0;
    if (o->unix_socket[0] != '\0') {
        fd = listen_on(c, o->unix_socket, o->unix_mask);
        if (fd < 0)
            return say_cannot_listen(o->unix_socket);
        c->owns_unix_socket = true;
        c->client_fds[c->n_client_fds++] = fd;
    }
    for (size_t i = 0; i < o->listen.n && c->n_client_fds < LISTENERS_MAX; i++) {
        fd = listen_on(c, o->listen.items[i], 0);
        if (fd < 0)
            return say_cannot_listen(o->listen.items[i]);
        c->client_fds[c->n_client_fds++] = fd;
        warn_if_public(o->listen.items[i]);
    }
    return 0;
}

/* The peer address, and beside a TCP one a Unix socket for fronts of this host. */
static int listen_for_peers(struct chcached *c)
{
    const struct options *o = &c->options;
    char local[ADDRESS_MAX];
    int fd = c->peer_fds[0];

    if (o->peer[0] == '\0')
        return 0;
    if (fd < 0)
        fd = listen_on(c, o->peer, 0700);
    if (fd < 0)
        return say_cannot_listen(o->peer);
    c->peer_fds[c->n_peer_fds++] = fd;
    if (o->peer[0] == '/' || o->peer[0] == '@')
        return 0;
    warn_if_public(o->peer);
    if (snprintf(local, sizeof(local), MEMBER_LOCAL_PREFIX "%s", o->peer) < (int)sizeof(local)) {
        fd = listen_on(c, local, 0);
        if (fd >= 0)
            c->peer_fds[c->n_peer_fds++] = fd;
        else
            log_warn("main", "fronts of this host will use TCP: %s addr=%s", strerror(errno),
                     local);
    }
    return 0;
}

static bool add_listener(struct chcached *c, int fd, bool for_clients)
{
    struct listener_config config = {
        .world = c->world,
        .loop = c->loop,
        .workers = c->workers,
        .n_workers = c->options.threads,
        .open = for_clients ? session_open : shard_open,
        .limit = c->options.conn_limit,
        .n_clients = for_clients ? &c->n_clients : NULL,
        .stats = &c->front.accept_stats,
    };

    c->listeners[c->n_listeners] = listener_new(fd, &config);
    return c->listeners[c->n_listeners++] != NULL;
}

static bool start_listening(struct chcached *c)
{
    bool ok = true;

    for (size_t i = 0; i < c->n_client_fds; i++)
        ok = add_listener(c, c->client_fds[i], true) && ok;
    for (size_t i = 0; i < c->n_peer_fds; i++)
        ok = add_listener(c, c->peer_fds[i], false) && ok;
    c->n_client_fds = c->n_peer_fds = 0;        /* they are the listeners' now */
    return ok;
}

/* children */

static int make_children(struct chcached *c)
{
    const struct options *o = &c->options;
    char memory[40], item[40], cluster[OPTION_NAME_MAX + 16], *args[8];
    size_t n = 0;
    struct local_shards_config config = {
        .world = c->world,
        .loop = c->loop,
        .name = o->name,
        .n = o->local_shards,
        .port = o->unix_socket[0] == '\0' ? o->port : 0,
        .args = args,
    };

    if (o->local_shards == 0)
        return 0;
    snprintf(memory, sizeof(memory), "--memory-limit=%lluk",
             (unsigned long long)(o->memory_limit / o->local_shards / 1024));
    snprintf(item, sizeof(item), "--max-item-size=%llu", (unsigned long long)o->max_item_size);
    snprintf(cluster, sizeof(cluster), "--cluster=%s", o->cluster);
    args[n++] = memory;
    args[n++] = item;
    args[n++] = cluster;
    args[n++] = "--threads=1";
    if (o->disable_evictions)
        args[n++] = "--disable-evictions";
    if (o->lock_memory)
        args[n++] = "--lock-memory";
    if (o->disable_cas)
        args[n++] = "--disable-cas";
    args[n] = NULL;
    c->children = local_shards_new(&config);
    if (c->children == NULL)
        fprintf(stderr, "chcached: cannot make the sockets of local shards: %s\n",
                strerror(errno));
    return c->children != NULL ? 0 : EXIT_OS;
}

/* the rooms */

static struct source *make_source(struct chcached *c)
{
    const struct options *o = &c->options;
    size_t n = c->children != NULL ? o->local_shards : o->shards.n;
    struct source_member *members = xzalloc((n + 1) * sizeof(*members));
    struct source *source;

    for (size_t i = 0; i < n; i++) {
        struct source_member *m = &members[i];

        if (c->children != NULL)
            *m = (struct source_member){ local_shards_name(c->children, (unsigned)i),
                                         local_shards_address(c->children, (unsigned)i), 1 };
        else
            *m = (struct source_member){ o->shards.items[i].name, o->shards.items[i].address,
                                         o->shards.items[i].weight };
    }
    if (n == 0) {
        members[0] = (struct source_member){ o->name, o->peer, 1 };
        n = 1;
    }
    source = source_static_new(members, n);
    if (source != NULL && !source->start(source, c->cluster)) {
        source->free(source);
        source = NULL;
    }
    free(members);
    return source;
}

/* A lone shard has no map of its own: the first front brings one. */
static bool make_cluster(struct chcached *c)
{
    const struct options *o = &c->options;

    c->cluster = cluster_new(o->cluster, o->name);
    if (o->role == ROLE_SHARD && o->shards.n == 0)
        return true;
    c->source = make_source(c);
    if (c->source == NULL)
        fprintf(stderr, "chcached: the list of shards makes no map\n");
    return c->source != NULL;
}

static bool make_store(struct chcached *c)
{
    const struct options *o = &c->options;
    struct store_config config = {
        .memory_bytes = o->memory_limit,
        .max_item_bytes = o->max_item_size,
        .evict = !o->disable_evictions,
        .cas = !o->disable_cas,
        .now_ms = now_ms(c),
        .wall_ms = c->world->ops->wall_ms(c->world),
    };

    if (o->role == ROLE_FRONT)
        return true;
    c->world->ops->random(c->world, config.hash_key, sizeof(config.hash_key));
    c->store = store_new(&config);
    if (c->store == NULL)
        return false;
    c->shard = (struct shard){ c->store, c->cluster };
    shard_take_number(&c->shard);
    return true;
}

/* As if an operator had: the main thread hears of it like of any signal. */
static void shut_down(void)
{
    kill(getpid(), SIGTERM);
}

static void make_front(struct chcached *c)
{
    const struct options *o = &c->options;

    c->front = (struct front){
        .config = {
            .shard_timeout_ms = o->shard_timeout,
            .link_queue_bytes = o->link_queue_limit,
            .cas = !o->disable_cas,
            .flush_all = !o->disable_flush_all,
            .dumps = !o->disable_dumping,
            .watch = !o->disable_watch,
            .stat_delimiter = o->stat_delimiter[0],
            .shutdown = o->enable_shutdown,
            .conn_limit = o->conn_limit,
            .backlog = o->listen_backlog,
            .n_threads = o->threads,
            .max_requests = o->max_reqs_per_event,
            .port = o->port,
            .max_item_bytes = o->max_item_size,
            .evict = !o->disable_evictions,
            .listen = o->listen.n > 0 ? o->listen.items[0] : "",
            .unix_socket = o->unix_socket,
            .protocol = o->protocol,
        },
        .cluster = c->cluster,
        .store = c->store,
        .workers = c->workers,
        .started_ms = now_ms(c),
        .verbosity = o->verbose,
        .memory_bytes = o->memory_limit,
    };
    c->front.shut_down = shut_down;
    front_init(&c->front, c->world);
}

static void nothing_to_send(struct worker *w)
{
    (void)w;
}

static bool make_worker(struct chcached *c, unsigned i)
{
    struct worker *w = &c->workers[i];

    if (!worker_init(w, i, c->world, &c->net, &c->handler))
        return false;
    if (c->store != NULL && !shard_worker_init(w, &c->shard))
        return false;
    return c->options.role == ROLE_SHARD || front_worker_init(w, &c->front);
}

static bool make_workers(struct chcached *c)
{
    const struct options *o = &c->options;

    c->net = (struct net_config){
        .max_requests = o->max_reqs_per_event,
        .binary = strcmp(o->protocol, "ascii") != 0,
        .max_item_bytes = o->max_item_size,
        .keeps_items = c->store != NULL,
        .first_answer_bytes = SESSION_OUTPUT_PAUSE,     /* it goes alone */
        .output_limit_bytes = o->output_limit / o->threads,
        .request_timeout_ms = o->request_timeout,
        .n_clients = &c->n_clients,
    };
    c->handler = o->role == ROLE_SHARD ? (struct handler){ .turn_end = nothing_to_send }
                                       : front_handler;
    c->workers = xzalloc(o->threads * sizeof(*c->workers));
    make_front(c);
    for (unsigned i = 0; i < o->threads; i++)
        if (!make_worker(c, i))
            return false;
    return true;
}

static void *worker_thread(void *arg)
{
    worker_run(arg);
    return NULL;
}

static bool start_threads(struct chcached *c)
{
    for (; c->n_workers < c->options.threads; c->n_workers++) {
        struct worker *w = &c->workers[c->n_workers];

        if (pthread_create(&w->thread, NULL, worker_thread, w) != 0)
            return false;
    }
    return true;
}

/* signals, and the end */

static void begin_stop(struct chcached *c, int signal)
{
    if (!c->is_child)
        log_info("main", "stopping signal=%d", signal);
    sdnotify("STOPPING=1");
    c->stopping = true;
    c->stop_at_ms = now_ms(c) + DRAIN_MS;
    while (c->n_listeners > 0)
        listener_free(c->listeners[--c->n_listeners]);
    for (unsigned i = 0; i < c->n_workers; i++)
        worker_drain(&c->workers[i]);
    c->world->ops->timer_set(c->timer, DRAIN_LOOK_MS);
}

static void on_signal(void *arg, int what)
{
    struct chcached *c = arg;
    struct signalfd_siginfo info;

    (void)what;
    if (read(c->signal_fd, &info, sizeof(info)) != sizeof(info))
        return;
    if (info.ssi_signo == SIGCHLD && c->children != NULL && !c->stopping)
        local_shards_reap(c->children);
    else if (info.ssi_signo == SIGHUP)
        log_info("main", "nothing to reload: all settings are on the command line");
    else if ((info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) && c->stopping)
        c->stopped = true;
    else if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
        begin_stop(c, (int)info.ssi_signo);
}

static bool all_drained(struct chcached *c)
{
    for (unsigned i = 0; i < c->n_workers; i++)
        if (!worker_is_drained(&c->workers[i]))
            return false;
    return true;
}

static void on_timer(void *arg)
{
    struct chcached *c = arg;
    int64_t watchdog_ms = sdnotify_watchdog_ms();

    log_flush();
    if (c->stopping) {
        if (all_drained(c) || now_ms(c) >= c->stop_at_ms)
            c->stopped = true;
        c->world->ops->timer_set(c->timer, DRAIN_LOOK_MS);
        return;
    }
    sdnotify("WATCHDOG=1");
    c->world->ops->timer_set(c->timer, watchdog_ms > 0 ? watchdog_ms : 10000);
}

/* Blocked in all threads, read by this one. */
static void block_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGCHLD);
    sigprocmask(SIG_BLOCK, set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
}

static bool watch_signals(struct chcached *c, const sigset_t *set)
{
    c->signal_fd = signalfd(-1, set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (c->signal_fd < 0)
        return false;
    c->signals = c->world->ops->watch_new(c->loop, c->signal_fd, on_signal, c);
    c->timer = c->world->ops->timer_new(c->loop, on_timer, c);
    if (c->signals == NULL || c->timer == NULL)
        return false;
    c->world->ops->watch_set(c->signals, WATCH_READ);
    return true;
}

static void tell_start(struct chcached *c)
{
    const struct options *o = &c->options;
    struct view *v;

    if (c->is_child)
        return;
    v = cluster_view(c->cluster);
    log_info("main", "chcached %s started role=%s name=%s cluster=%s", PACKAGE_VERSION,
             role_word(o->role), o->name, o->cluster);
    log_info("main", "addresses clients=%s peers=%s",
             o->unix_socket[0] != '\0' ? o->unix_socket
             : o->listen.n > 0         ? o->listen.items[0]
                                       : "none",
             o->peer[0] != '\0' ? o->peer : "none");
    log_info("main", "map shards=%zu copies=1 epoch=%llu", v != NULL ? v->map->n : 0,
             (unsigned long long)cluster_epoch(c->cluster));
    log_info("main", "memory limit=%lluM largest_item=%lluK threads=%u",
             (unsigned long long)(o->memory_limit >> 20),
             (unsigned long long)(o->max_item_size >> 10), o->threads);
    view_unref(v);
}

/* life */

static int write_pidfile(struct chcached *c)
{
    int rc = daemon_write_pidfile(&c->options);

    c->owns_pidfile = rc == 0;
    return rc;
}

static int set_up(struct chcached *c)
{
    sigset_t set;
    int rc;

    c->signal_fd = c->parent_fd = -1;
    c->peer_fds[0] = sdnotify_listen_fd(LOCAL_SHARDS_FD_NAME);
    c->is_child = c->peer_fds[0] >= 0;
    if (!c->is_child)
        c->peer_fds[0] = sdnotify_listen_fd("peer");
    block_signals(&set);
    if ((rc = daemon_limits(&c->options)) != 0 || (rc = listen_for_clients(c)) != 0 ||
        (rc = daemon_detach(&c->options, &c->parent_fd)) != 0 ||
        (rc = write_pidfile(c)) != 0 ||
        (!c->is_child && (rc = daemon_drop_privileges(&c->options)) != 0) ||
        (rc = listen_for_peers(c)) != 0)
        return rc;
    c->loop = c->world->ops->loop_new(c->world);
    if (c->loop == NULL || !watch_signals(c, &set))
        goto no_memory;
    if ((rc = make_children(c)) != 0)
        return rc;
    if (!make_cluster(c))
        return 78;
    if (c->children != NULL && !local_shards_start(c->children))
        goto no_memory;
    if (!make_store(c) || !make_workers(c) || !start_threads(c) || !start_listening(c))
        goto no_memory;
    return 0;
no_memory:
    fprintf(stderr, "chcached: cannot start: %s\n", strerror(errno != 0 ? errno : ENOMEM));
    return EXIT_OS;
}

static void stop_threads(struct chcached *c)
{
    for (unsigned i = 0; i < c->n_workers; i++)
        worker_stop(&c->workers[i]);
    for (unsigned i = 0; i < c->n_workers; i++)
        pthread_join(c->workers[i].thread, NULL);
    c->n_workers = 0;
    /* letters may cross from any worker to any other: as many rounds as there are */
    for (unsigned round = 0; c->workers != NULL && round <= c->options.threads; round++)
        for (unsigned i = 0; i < c->options.threads; i++)
            if (c->workers[i].loop != NULL)
                worker_read_mail(&c->workers[i]);
}

static void tear_down(struct chcached *c)
{
    struct world *w = c->world;

    while (c->n_listeners > 0)
        listener_free(c->listeners[--c->n_listeners]);
    for (size_t i = 0; i < c->n_client_fds; i++)
        w->ops->close(w, c->client_fds[i]);
    for (size_t i = 0; i < c->n_peer_fds; i++)
        w->ops->close(w, c->peer_fds[i]);
    stop_threads(c);
    for (unsigned i = 0; c->workers != NULL && i < c->options.threads; i++) {
        front_worker_fini(&c->workers[i]);
        shard_worker_fini(&c->workers[i]);
        if (c->workers[i].world != NULL)
            worker_fini(&c->workers[i]);
    }
    free(c->workers);
    front_fini(&c->front);
    local_shards_free(c->children);
    store_free(c->store);
    if (c->source != NULL)
        c->source->free(c->source);
    cluster_free(c->cluster);
    if (c->signals != NULL)
        w->ops->watch_free(c->signals);
    if (c->timer != NULL)
        w->ops->timer_free(c->timer);
    if (c->signal_fd >= 0)
        close(c->signal_fd);
    if (c->loop != NULL)
        w->ops->loop_free(c->loop);
    if (c->owns_unix_socket)
        (void)unlink(c->options.unix_socket);
    if (c->owns_pidfile)
        daemon_remove_pidfile(&c->options);
}

int main(int argc, char **argv)
{
    static struct chcached chcached;
    struct chcached *c = &chcached;
    int rc = options_parse(&c->options, argc, argv);

    if (rc < 0) {
        log_init(c->options.verbose > 0 ? LOG_DEBUG : LOG_INFO);
        c->world = world_os();
        rc = set_up(c);
        if (rc == 0) {
            tell_start(c);
            daemon_tell_parent(c->parent_fd);
            sdnotify("READY=1");
            on_timer(c);
            while (!c->stopped)
                c->world->ops->loop_turn(c->loop, false);
        }
        tear_down(c);
        log_flush();
    }
    options_fini(&c->options);
    return rc;
}
