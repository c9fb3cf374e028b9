#include "front/local_shards.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"

#define RESTART_FIRST_MS 10
#define RESTART_LAST_MS 5000
/* One that lived this long has not been crashing in a loop. */
#define GOOD_LIFE_MS 1000
#define STOP_MS 5000
#define BACKLOG 128
/* Of a child's argv, those that are made here. */
#define CHILD_ARGS 8

struct child {
    struct local_shards *ls;
    char *name, *address;
    int listen_fd;
    pid_t pid;                  /* 0: not running */
    int64_t started_ms;
    int64_t wait_ms;            /* before the next start */
    struct timer *restart;
    char **argv;                /* made once: a fork must not call malloc */
};

struct local_shards {
    struct local_shards_config config;
    char *folder;
    char *coordinator;          /* NAME@ADDRESS of this process, for the children */
    int self_fd;                /* our own program */
    pid_t parent;
    bool hung_up;               /* children are told these when they start: */
    int log_settings;
    char **envp;
    char listen_pid[sizeof("LISTEN_PID=") + NUM_U64_MAX_LEN];
    struct child *children;
};

static int64_t now_ms(const struct local_shards *ls)
{
    return ls->config.world->ops->mono_ns(ls->config.world) / 1000000;
}

/* the child's side */

/* Between fork and exec: only what is safe while other threads held locks. */
static void become(struct child *c)
{
    struct local_shards *ls = c->ls;
    sigset_t hangup;

    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != ls->parent)
        _exit(0);               /* it died before we could ask to be told */
    setpgid(0, 0);              /* a terminal's Ctrl-C is the parent's business */
    sigemptyset(&hangup);
    sigaddset(&hangup, SIGHUP);         /* it waits until it is looked for */
    sigprocmask(SIG_SETMASK, &hangup, NULL);
    *num_put_u64(ls->listen_pid + sizeof("LISTEN_PID=") - 1, (uint64_t)getpid()) = '\0';
    if (c->listen_fd == 3)
        fcntl(3, F_SETFD, 0);
    else
        dup2(c->listen_fd, 3);
    fexecve(ls->self_fd, c->argv, ls->envp);
    _exit(71);
}

/* the parent's side */

/* It opens its log again, with these settings, which may not be those it was given. */
static void hang_up(const struct child *c)
{
    const union sigval value = { .sival_int = c->ls->log_settings };

    if (c->pid > 0)
        (void)sigqueue(c->pid, SIGHUP, value);
}

static bool start_child(struct child *c)
{
    c->pid = fork();
    if (c->pid == 0)
        become(c);
    if (c->pid < 0) {
        c->pid = 0;
        return false;
    }
    c->started_ms = now_ms(c->ls);
    if (c->ls->hung_up)
        hang_up(c);
    log_debug("front", "started a shard shard=%s pid=%d", c->name, (int)c->pid);
    return true;
}

static void start_later(struct child *c)
{
    struct world *w = c->ls->config.world;

    w->ops->timer_set(c->restart, c->wait_ms);
}

static void on_restart(void *arg)
{
    struct child *c = arg;

    if (!start_child(c)) {
        log_error("front", "cannot start a shard, trying again in %d ms: %s shard=%s",
                  RESTART_LAST_MS, strerror(errno), c->name);
        c->wait_ms = RESTART_LAST_MS;
        start_later(c);
    }
}

static void on_child_end(struct child *c, int status)
{
    int64_t lived_ms = now_ms(c->ls) - c->started_ms;
    const char *how = WIFSIGNALED(status) ? "signal" : "status";
    int what = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);

    c->pid = 0;
    if (lived_ms >= GOOD_LIFE_MS || c->wait_ms == 0)
        c->wait_ms = RESTART_FIRST_MS;
    else
        c->wait_ms = c->wait_ms * 2 < RESTART_LAST_MS ? c->wait_ms * 2 : RESTART_LAST_MS;
    log_warn("front", "a shard ended, starting it again in %d ms shard=%s by=%s code=%d",
             (int)c->wait_ms, c->name, how, what);
    start_later(c);
    c->ls->config.ended(c->ls->config.arg, c->name);
}

void local_shards_reap(struct local_shards *ls)
{
    int status;

    for (unsigned i = 0; i < ls->config.n; i++) {
        struct child *c = &ls->children[i];

        if (c->pid > 0 && waitpid(c->pid, &status, WNOHANG) == c->pid)
            on_child_end(c, status);
    }
}

bool local_shards_start(struct local_shards *ls)
{
    for (unsigned i = 0; i < ls->config.n; i++)
        if (!start_child(&ls->children[i]))
            return false;
    return true;
}

void local_shards_hang_up(struct local_shards *ls, int log_settings)
{
    ls->hung_up = true;
    ls->log_settings = log_settings;
    for (unsigned i = 0; i < ls->config.n; i++)
        hang_up(&ls->children[i]);
}

/* making them */

/* Named by the port, which nobody else has; without one a fresh one. */
static char *make_folder(unsigned port)
{
    const char *systemd = getenv("RUNTIME_DIRECTORY"), *xdg = getenv("XDG_RUNTIME_DIR");
    const bool has_xdg = xdg != NULL && xdg[0] == '/';
    char *folder;

    if (systemd != NULL && systemd[0] == '/')
        return xstrdup(systemd);
    if (has_xdg && port != 0) {
        folder = xasprintf("%s/chcached-%u", xdg, port);
        if (mkdir(folder, 0700) == 0 || errno == EEXIST)
            return folder;
        free(folder);
    }
    folder = xasprintf("%s/chcached-XXXXXX", has_xdg ? xdg : "/tmp");
    if (mkdtemp(folder) == NULL) {
        free(folder);
        return NULL;
    }
    return folder;
}

/* Ours without what is meant for us alone, and with the descriptor's name. */
static char **make_environment(struct local_shards *ls)
{
    static const char *const not_theirs[] = { "LISTEN_", "NOTIFY_SOCKET=", "WATCHDOG_" };
    extern char **environ;
    size_t n = 0, kept = 0;
    char **envp;

    while (environ[n] != NULL)
        n++;
    envp = xzalloc((n + 4) * sizeof(*envp));
    for (size_t i = 0; i < n; i++) {
        bool keep = true;

        for (size_t j = 0; j < sizeof(not_theirs) / sizeof(not_theirs[0]); j++)
            keep = keep && strncmp(environ[i], not_theirs[j], strlen(not_theirs[j])) != 0;
        if (keep)
            envp[kept++] = environ[i];
    }
    memcpy(ls->listen_pid, "LISTEN_PID=", sizeof("LISTEN_PID="));
    envp[kept++] = ls->listen_pid;
    envp[kept++] = "LISTEN_FDS=1";
    envp[kept++] = "LISTEN_FDNAMES=" LOCAL_SHARDS_FD_NAME;
    return envp;
}

static void make_arguments(struct child *c, char *const *args)
{
    size_t n = 0;

    while (args[n] != NULL)
        n++;
    c->argv = xzalloc((CHILD_ARGS + n + 1) * sizeof(*c->argv));
    c->argv[0] = "chcached";
    c->argv[1] = "--role=shard";
    c->argv[2] = "--name";
    c->argv[3] = c->name;
    c->argv[4] = "--peer";
    c->argv[5] = c->address;
    c->argv[6] = "--coordinator";
    c->argv[7] = c->ls->coordinator;
    for (size_t i = 0; i < n; i++)
        c->argv[CHILD_ARGS + i] = xstrdup(args[i]);
}

static bool make_child(struct child *c, struct local_shards *ls, unsigned i)
{
    struct world *w = ls->config.world;

    c->ls = ls;
    c->name = xasprintf("%s-%u", ls->config.name, i + 1);
    c->address = xasprintf("%s/%s.sock", ls->folder, c->name);
    make_arguments(c, ls->config.args);
    c->listen_fd = w->ops->listen(w, c->address, BACKLOG, 0700);
    if (c->listen_fd < 0)
        return false;
    c->restart = w->ops->timer_new(ls->config.loop, on_restart, c);
    return c->restart != NULL;
}

struct local_shards *local_shards_new(const struct local_shards_config *config)
{
    struct local_shards *ls = xzalloc(sizeof(*ls));
    int saved;

    ls->config = *config;
    ls->parent = getpid();
    ls->children = xzalloc(config->n * sizeof(*ls->children));
    for (unsigned i = 0; i < config->n; i++)
        ls->children[i].listen_fd = -1;
    ls->self_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    ls->folder = make_folder(config->port);
    ls->envp = make_environment(ls);
    if (ls->folder != NULL)
        ls->coordinator = xasprintf("%s@%s/%s.sock", config->name, ls->folder, config->name);
    if (ls->self_fd < 0 || ls->folder == NULL)
        goto fail;
    for (unsigned i = 0; i < config->n; i++)
        if (!make_child(&ls->children[i], ls, i))
            goto fail;
    return ls;
fail:
    saved = errno;
    local_shards_free(ls);
    errno = saved;
    return NULL;
}

const char *local_shards_own_address(const struct local_shards *ls)
{
    return strchr(ls->coordinator, '@') + 1;
}

const char *local_shards_name(const struct local_shards *ls, unsigned i)
{
    return ls->children[i].name;
}

bool local_shards_is_child(const char *front, unsigned n, const char *member)
{
    const size_t len = strlen(front);
    uint32_t i;

    return strncmp(member, front, len) == 0 && member[len] == '-' &&
           num_parse_u32(member + len + 1, strlen(member + len + 1), &i) && i >= 1 && i <= n;
}

const char *local_shards_address(const struct local_shards *ls, unsigned i)
{
    return ls->children[i].address;
}

/* ending them */

static unsigned still_running(struct local_shards *ls)
{
    unsigned n = 0;

    for (unsigned i = 0; i < ls->config.n; i++) {
        struct child *c = &ls->children[i];

        if (c->pid > 0 && waitpid(c->pid, NULL, WNOHANG) != 0)
            c->pid = 0;
        n += c->pid > 0;
    }
    return n;
}

static void signal_all(struct local_shards *ls, int signal)
{
    for (unsigned i = 0; i < ls->config.n; i++)
        if (ls->children[i].pid > 0)
            kill(ls->children[i].pid, signal);
}

static void end_all(struct local_shards *ls)
{
    struct timespec nap = { .tv_nsec = 5000000 };
    int64_t until = now_ms(ls) + STOP_MS;

    signal_all(ls, SIGTERM);
    while (still_running(ls) > 0 && now_ms(ls) < until)
        nanosleep(&nap, NULL);
    signal_all(ls, SIGKILL);
    for (unsigned i = 0; i < ls->config.n; i++)
        if (ls->children[i].pid > 0)
            (void)waitpid(ls->children[i].pid, NULL, 0);
}

void local_shards_stop(struct local_shards *ls)
{
    struct world *w = ls->config.world;

    end_all(ls);
    for (unsigned i = 0; i < ls->config.n; i++) {
        struct child *c = &ls->children[i];

        if (c->restart != NULL)
            w->ops->timer_free(c->restart);
        c->restart = NULL;
    }
}

static void free_child(struct child *c)
{
    struct world *w = c->ls->config.world;

    if (c->listen_fd >= 0) {
        w->ops->close(w, c->listen_fd);
        unlink(c->address);
    }
    for (size_t i = CHILD_ARGS; c->argv[i] != NULL; i++)
        free(c->argv[i]);
    free(c->argv);
    free(c->address);
    free(c->name);
}

void local_shards_free(struct local_shards *ls)
{
    if (ls == NULL)
        return;
    local_shards_stop(ls);
    for (unsigned i = 0; i < ls->config.n; i++)
        if (ls->children[i].ls != NULL)
            free_child(&ls->children[i]);
    if (ls->folder != NULL) {
        (void)unlink(local_shards_own_address(ls));
        (void)rmdir(ls->folder);        /* systemd's is not empty or not ours: it stays */
    }
    if (ls->self_fd >= 0)
        close(ls->self_fd);
    free(ls->coordinator);
    free(ls->folder);
    free(ls->envp);
    free(ls->children);
    free(ls);
}
