/*
 * chcached - a distributed cache that looks like one memcached
 *
 * What a process has to do with its host: signals, children, threads.  The
 * rest is a node (node.h).
 *
 *      main thread: the node's control worker       a thread for each other worker
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "announce.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/world.h"
#include "child_options.h"
#include "daemon.h"
#include "front/local_shards.h"
#include "kept.h"
#include "listening.h"
#include "node.h"
#include "node_dump.h"
#include "passed.h"
#include "reload.h"
#include "service.h"
#include "upgrade.h"

#define EXIT_OS 71
#define DRAIN_MS 5000           /* what clients have to finish after a TERM */
#define DRAIN_LOOK_MS 5

/* All that lives as long as the daemon. */
struct chcached {
    int argc;
    char **argv;
    struct options options;
    struct world *world;
    struct node node;
    struct local_shards *children;
    struct passed passed;
    struct kept kept;           /* what the program before this one left */
    struct upgrade *upgrade;
    struct service service;
    unsigned n_threads;         /* of workers, that run */
    int signal_fd;
    struct watch *signals;
    struct timer *timer;        /* watchdog, then the drain */
    bool owns_unix_socket;      /* it is ours to remove */
    bool owns_pidfile;          /* the same */
    int parent_fd;              /* of --daemon: who waits to hear that we run */
    bool open_to_clients;
    bool stopping, stopped;
    bool failed;                /* stopped, as its threads could not be started again */
    int64_t stop_at_ms;
};

static int64_t now_ms(struct chcached *c)
{
    return c->world->ops->mono_ns(c->world) / 1000000;
}

/* listening */

static int listen_for_clients(struct chcached *c)
{
    const int rc = listening_for_clients(&c->node);

    c->owns_unix_socket = rc == 0 && !c->passed.clients && c->options.role != ROLE_SHARD &&
                          c->options.unix_socket[0] != '\0';
    return rc;
}

/* What operators of other hosts have to show. */
static int read_token(struct chcached *c)
{
    const struct options *o = &c->options;
    const char *why;

    if (o->http[0] == '\0' || o->admin_token_file[0] == '\0')
        return 0;
    why = secret_read(o->admin_token_file, c->node.admin_token);
    if (why != NULL) {
        log_fail("--admin-token-file: %s: %s", o->admin_token_file, why);
        return EX_CONFIG;
    }
    if (!options_http_is_loopback(o))
        log_warn("main", "what is asked from other hosts, and the token, are not encrypted on "
                 "their way addr=%s", o->http);
    return 0;
}

/* children */

static void on_child_end(void *arg, const char *name)
{
    struct chcached *c = arg;

    agent_dead(c->node.agent, name);
}

/* They ask this process for leases, so it has an address beside theirs. */
static int make_children(struct chcached *c)
{
    const struct options *o = &c->options;
    char **words;
    struct local_shards_config config = {
        .world = c->world,
        .loop = c->node.control.loop,
        .name = o->name,
        .n = o->local_shards,
        .port = o->unix_socket[0] == '\0' ? o->port : 0,
        .ended = on_child_end,
        .arg = c,
    };

    if (o->local_shards == 0)
        return 0;
    words = child_options(o);
    config.args = words;
    c->children = local_shards_new(&config);
    child_options_free(words);
    if (c->children == NULL)
        log_fail("cannot make the sockets of local shards: %s. The first of $RUNTIME_DIRECTORY, "
                 "$XDG_RUNTIME_DIR and /tmp must be a folder that may be written.",
                 strerror(errno));
    if (c->children == NULL)
        return EXIT_OS;
    c->node.peer = local_shards_own_address(c->children);
    return 0;
}

/* the node */

static int join_cluster(struct chcached *c)
{
    const unsigned n = c->options.local_shards;
    struct leader_member *members = xzalloc((n + 1) * sizeof(*members));
    const char *why = "";
    bool ok;

    for (unsigned i = 0; i < n; i++)
        members[i] = (struct leader_member){ local_shards_name(c->children, i), "",
                                             local_shards_address(c->children, i), 1 };
    ok = node_join_cluster(&c->node, members, n, &why);
    if (ok)
        kept_give_map(&c->kept, &c->node);
    free(members);
    if (!ok && c->options.state_dir[0] != '\0')
        log_fail("no map can be made of what is in %s: %s. Put its map.state back, or name "
                 "another --state-dir.", c->options.state_dir, why);
    else if (!ok)
        log_fail("%s. See what --shard says.", why);
    return ok ? 0 : 78;
}

/* As if an operator had: the main thread hears of it like of any signal. */
static void shut_down(void)
{
    kill(getpid(), SIGTERM);
}

static void *worker_thread(void *arg)
{
    worker_run(arg);
    return NULL;
}

static bool start_threads(struct chcached *c)
{
    for (; c->n_threads < c->options.threads; c->n_threads++) {
        struct worker *w = &c->node.workers[c->n_threads];

        errno = pthread_create(&w->thread, NULL, worker_thread, w);
        if (errno != 0)
            return false;
    }
    return true;
}

/* Who would wait for a worker that does not run waits for ever, so nothing more is
 * done where one does not. */
static void start_threads_again(void *arg)
{
    struct chcached *c = arg;

    if (start_threads(c))
        return;
    log_error("main", "ending, as threads cannot be started again: %s", strerror(errno));
    c->failed = c->stopped = true;
}

/* the log */

/*
 * Whoever is to write the file later opens it: a process that becomes another
 * user after that, so that it can open it again.
 */
static int open_log(struct chcached *c)
{
    const char *path = c->options.log_file;

    if (log_open(path))
        return 0;
    log_fail("cannot open the log file %s: %s. User %u must be able to write it, or name another "
             "with --log-file.", path, strerror(errno), (unsigned)geteuid());
    return EXIT_OS;
}

static void read_again(struct chcached *c)
{
    service_begin_reload(&c->service);
    reload(&c->options, &c->node, c->argc, c->argv);
    service_end_reload(&c->service);
}

/* The log file may have been moved away; settings may have changed.  Children open
 * the file again as well, and are told what holds of the log. */
static void on_hangup(struct chcached *c, const struct signalfd_siginfo *info)
{
    if (c->passed.is_child && info->ssi_code == SI_QUEUE)
        log_set_settings(info->ssi_int);
    if (!log_reopen())
        log_error("main", "the log file cannot be opened again, lines go to the old one: %s "
                  "file=%s", strerror(errno), c->options.log_file);
    if (!c->passed.is_child)
        read_again(c);
    if (c->children != NULL)
        local_shards_hang_up(c->children, log_settings());
}

/* signals, and the end */

static void begin_stop(struct chcached *c, int signal)
{
    if (!c->passed.is_child)
        log_info("main", "stopping signal=%d", signal);
    service_stop(&c->service);
    upgrade_give_up(c->upgrade);
    c->stopping = true;
    c->stop_at_ms = now_ms(c) + DRAIN_MS;
    if (!c->passed.is_child)
        node_say_goodbye(&c->node);     /* of a child its parent knows at once */
    node_drain(&c->node);
    c->world->ops->timer_set(c->timer, DRAIN_LOOK_MS);
}

static void on_signal(void *arg, int what)
{
    struct chcached *c = arg;
    struct signalfd_siginfo info;

    (void)what;
    if (c->stopped || read(c->signal_fd, &info, sizeof(info)) != sizeof(info))
        return;
    if (info.ssi_signo == SIGCHLD && c->children != NULL && !c->stopping)
        local_shards_reap(c->children);
    else if (info.ssi_signo == SIGHUP && !c->stopping)
        on_hangup(c, &info);
    else if (info.ssi_signo == SIGCHLD)
        upgrade_reap(c->upgrade);
    else if (info.ssi_signo == SIGUSR2)
        node_dump(&c->node);
    else if (info.ssi_signo == SIGUSR1 && !c->stopping)
        upgrade_begin(c->upgrade);
    else if ((info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) && c->stopping)
        c->stopped = true;
    else if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
        begin_stop(c, (int)info.ssi_signo);
}

static void on_timer(void *arg)
{
    struct chcached *c = arg;

    if (c->stopping) {
        if (node_is_drained(&c->node) || now_ms(c) >= c->stop_at_ms)
            c->stopped = true;
        c->world->ops->timer_set(c->timer, DRAIN_LOOK_MS);
        return;
    }
    log_flush();
    c->world->ops->timer_set(c->timer, service_beat(&c->service, &c->node));
}

/* Blocked in all threads, read by this one. */
static void block_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGCHLD);
    sigaddset(set, SIGUSR1);
    sigaddset(set, SIGUSR2);
    sigprocmask(SIG_BLOCK, set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static bool watch_signals(struct chcached *c, const sigset_t *set)
{
    c->signal_fd = signalfd(-1, set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (c->signal_fd < 0)
        return false;
    c->signals = c->world->ops->watch_new(c->node.control.loop, c->signal_fd, on_signal, c);
    c->timer = c->world->ops->timer_new(c->node.control.loop, on_timer, c);
    if (c->signals == NULL || c->timer == NULL)
        return false;
    c->world->ops->watch_set(c->signals, WATCH_READ);
    return true;
}

/* Clients are let in when there is a map; others are told when all serves. */
static int look_at_readiness(struct chcached *c)
{
    if (c->stopping)
        return 0;
    if (!c->open_to_clients &&
        (node_has_map(&c->node) || c->options.role == ROLE_SHARD)) {
        c->open_to_clients = true;
        if (!c->passed.is_child)
            announce_start(&c->node);
        if (!node_open_to_clients(&c->node))
            return EXIT_OS;
        kept_give(&c->kept, &c->node);
    }
    service_look(&c->service, &c->node);
    return 0;
}

/* life */

static int write_pidfile(struct chcached *c)
{
    int rc = daemon_write_pidfile(&c->options);

    c->owns_pidfile = rc == 0;
    return rc;
}

static void stop_threads(void *arg)
{
    struct chcached *c = arg;

    for (unsigned i = 0; i < c->n_threads; i++)
        worker_stop(&c->node.workers[i]);
    for (unsigned i = 0; i < c->n_threads; i++)
        pthread_join(c->node.workers[i].thread, NULL);
    c->n_threads = 0;
}

static bool make_upgrade(struct chcached *c)
{
    const struct upgrade_config config = {
        .node = &c->node, .passed = &c->passed, .service = &c->service, .argv = c->argv,
        .stop_threads = stop_threads, .start_threads = start_threads_again, .arg = c,
    };

    c->upgrade = upgrade_new(&config);
    return c->upgrade != NULL;
}

static int set_up(struct chcached *c)
{
    sigset_t set;
    int rc;

    c->signal_fd = c->parent_fd = -1;
    passed_take(&c->passed);
    kept_read(&c->kept, &c->passed);
    if (c->kept.file != NULL)
        c->world = kept_world(&c->kept);
    block_signals(&set);
    node_init(&c->node, c->world, &c->options);
    if ((geteuid() != 0 && (rc = open_log(c)) != 0) ||
        (rc = daemon_limits(&c->options)) != 0 ||
        (rc = passed_place(&c->passed, &c->node, &c->options)) != 0 ||
        (rc = listen_for_clients(c)) != 0 || (rc = read_token(c)) != 0 ||
        (rc = listening_for_operators(&c->node)) != 0 ||
        (c->kept.file == NULL && (rc = daemon_detach(&c->options, &c->parent_fd)) != 0) ||
        (rc = write_pidfile(c)) != 0 ||
        (!c->passed.is_child && (rc = daemon_drop_privileges(&c->options)) != 0) ||
        (rc = open_log(c)) != 0)
        return rc;
    daemon_lock_memory(&c->options);
    if (!node_make_control(&c->node) || !watch_signals(c, &set) || !make_upgrade(c))
        goto no_memory;
    if ((rc = make_children(c)) != 0 || (rc = listening_for_peers(&c->node, c->passed.peer_fd)) != 0 ||
        (rc = daemon_check_state_dir(&c->options)) != 0 || (rc = join_cluster(c)) != 0)
        return rc;
    if (c->children != NULL && !local_shards_start(c->children))
        goto no_memory;
    if (!node_make_rooms(&c->node, shut_down) || !start_threads(c) || !node_open(&c->node))
        goto no_memory;
    return 0;
no_memory:
    log_fail("cannot start: %s. Lower --memory-limit and --threads, or raise the limits of this "
             "process.", strerror(errno != 0 ? errno : ENOMEM));
    return EXIT_OS;
}

static void tear_down(struct chcached *c)
{
    struct world *w = c->world;

    stop_threads(c);
    upgrade_free(c->upgrade);
    if (c->children != NULL)
        local_shards_stop(c->children);
    if (c->signals != NULL)
        w->ops->watch_free(c->signals);
    if (c->timer != NULL)
        w->ops->timer_free(c->timer);
    if (c->signal_fd >= 0)
        close(c->signal_fd);
    node_fini(&c->node);        /* it speaks by names that are the children's until then */
    local_shards_free(c->children);
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

    c->argc = argc;
    c->argv = argv;

    if (rc < 0) {
        log_init(LOG_INFO);
        daemon_set_log(&c->options);
        c->world = world_os();
        rc = set_up(c);
        if (rc == 0) {
            daemon_tell_parent(c->parent_fd);
            log_take_stderr();
            on_timer(c);
            while (!c->stopped && (rc = look_at_readiness(c)) == 0)
                worker_turn(&c->node.control, false);
            rc = c->failed ? EXIT_OS : rc;
        }
        tear_down(c);
        log_flush();
    } else if (rc == 0 && c->options.test_config) {
        upgrade_answer_check();
    }
    options_fini(&c->options);
    return rc;
}
