#include "upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "kept.h"
#include "kept_file.h"

#define CHECK_MS 10000          /* that the new program may take to look at its settings */
#define LEAVE_MS 2000           /* that answers may take before their clients are closed */
#define LOOK_MS 2
#define SAID_MAX 4095           /* of what the check says, the last bytes */
#define READS_MAX 32            /* of it at a time: more than a pipe holds */

/* In the environment of the check: what this program would hand over. */
#define FORMAT_VARIABLE "CHCACHED_KEPT_FORMAT"

extern char **environ;

struct upgrade {
    struct upgrade_config config;
    enum { IDLE, CHECKING, LEAVING_OPERATORS, LEAVING } stage;
    char *program;              /* owned: its path, whatever lies there by then */
    char **check_argv;          /* owned; its strings are argv's */
    char *format;               /* owned: FORMAT_VARIABLE=... */
    struct timer *timer;        /* until CHECK_MS, or the next look */
    int64_t leave_until_ms;
    pid_t pid;                  /* CHECKING: of the child */
    int said_fd;                /* the same: what it says comes here */
    struct watch *watch;        /* of said_fd */
    char said[SAID_MAX + 1];    /* the last of it */
    size_t n_said;
};

static int64_t now_ms(const struct upgrade *u)
{
    struct world *w = u->config.node->world;

    return w->ops->mono_ns(w) / 1000000;
}

static void set_timer(struct upgrade *u, int64_t after_ms)
{
    u->config.node->world->ops->timer_set(u->timer, after_ms);
}

/* the check */

/* The last line of a program that takes what is kept in this form. */
static char *answer_of(const char *format)
{
    return xasprintf("upgrade from %s: OK", format);
}

void upgrade_answer_check(void)
{
    const char *format = getenv(FORMAT_VARIABLE);
    char *answer;

    if (format == NULL || strcmp(format, kept_file_format()) != 0)
        return;
    answer = answer_of(format);
    puts(answer);
    free(answer);
}

/* Nothing has been given up yet. */
static void refuse(struct upgrade *u, const char *why)
{
    log_error("main", "not upgraded, this program goes on: %s program=%s", why, u->program);
    set_timer(u, -1);
    u->stage = IDLE;
}

/* The environment with one variable more.  Free with free(). */
static char **make_check_env(struct upgrade *u)
{
    size_t n = 0;
    char **env;

    while (environ[n] != NULL)
        n++;
    env = xzalloc((n + 2) * sizeof(*env));
    env[0] = u->format;
    memcpy(env + 1, environ, n * sizeof(*env));
    return env;
}

static bool spawn_check(struct upgrade *u, int said_fd)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, broken_pipe;
    char **env = make_check_env(u);
    int rc;

    sigemptyset(&none);
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, said_fd, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, said_fd, STDERR_FILENO);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &broken_pipe);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    rc = posix_spawn(&u->pid, u->program, &files, &attr, u->check_argv, env);
    free(env);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    errno = rc;
    return rc == 0;
}

/* The first of it makes room for the last, which says what came of it. */
static void hear(struct upgrade *u, const char *bytes, size_t n)
{
    const size_t over = u->n_said + n > SAID_MAX ? u->n_said + n - SAID_MAX : 0;

    memmove(u->said, u->said + over, u->n_said - over);
    memcpy(u->said + u->n_said - over, bytes, n);
    u->n_said += n - over;
    u->said[u->n_said] = '\0';
}

/* What has come; false: there is no more to come. */
static bool listen_to_check(struct upgrade *u)
{
    char bytes[SAID_MAX / 2];
    ssize_t n = -1;

    for (unsigned i = 0; i < READS_MAX; i++) {
        n = read(u->said_fd, bytes, sizeof(bytes));
        if (n <= 0)
            break;
        hear(u, bytes, (size_t)n);
    }
    return n != 0;
}

static void on_said(void *arg, int what)
{
    struct upgrade *u = arg;

    (void)what;
    if (!listen_to_check(u))
        u->config.node->world->ops->watch_set(u->watch, 0);
}

static void stop_listening(struct upgrade *u)
{
    u->config.node->world->ops->watch_free(u->watch);
    close(u->said_fd);
    u->watch = NULL;
}

static bool start_listening(struct upgrade *u, int fd)
{
    struct node *n = u->config.node;

    u->n_said = 0;
    u->said[0] = '\0';
    u->watch = n->world->ops->watch_new(n->control.loop, fd, on_said, u);
    if (u->watch == NULL)
        return false;
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);       /* of this end: the child may wait */
    u->said_fd = fd;
    n->world->ops->watch_set(u->watch, WATCH_READ);
    return true;
}

static void check(struct upgrade *u)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) != 0) {
        refuse(u, strerror(errno));
        return;
    }
    if (!start_listening(u, fds[0])) {
        refuse(u, strerror(ENOMEM));
        close(fds[0]);
    } else if (!spawn_check(u, fds[1])) {
        refuse(u, strerror(errno));
        stop_listening(u);
    } else {
        u->stage = CHECKING;
        set_timer(u, CHECK_MS);
    }
    close(fds[1]);
}

void upgrade_begin(struct upgrade *u)
{
    const struct options *o = u->config.node->options;

    if (o->role != ROLE_FRONT || o->local_shards > 0)
        log_warn("main", "not upgraded: the items of this process would be lost.  Stop it and "
                 "start the new program, one process after the other: with two copies all items "
                 "stay");
    else if (u->stage != IDLE || u->config.node->n_client_fds > 0)
        log_info("main", "not upgraded: it is being tried, or the start is not over yet");
    else
        check(u);
}

/* The last line of what it said; "" if it said nothing. */
static const char *last_line(char *said)
{
    size_t len = strlen(said);
    char *newline;

    while (len > 0 && said[len - 1] == '\n')
        said[--len] = '\0';
    newline = strrchr(said, '\n');
    return newline != NULL ? newline + 1 : said;
}

/* "FILE: OK", as --test-config says of settings. */
static bool is_fine(const char *line)
{
    const size_t len = strlen(line);

    return len >= 4 && strcmp(line + len - 4, ": OK") == 0;
}

/* NULL: the program is to take our place. */
static const char *why_not(int status, const char *line)
{
    char *answer = answer_of(kept_file_format());
    const bool knows = strcmp(line, answer) == 0;

    free(answer);
    if (WIFSIGNALED(status))
        return strsignal(WTERMSIG(status));
    if (WEXITSTATUS(status) == 0 && knows)
        return NULL;
    if (WEXITSTATUS(status) == 0 && is_fine(line))
        return "it does not know how to take over the sockets and clients of this one.  Stop "
               "this one and start it";
    return line[0] != '\0' ? line : "it says nothing of its settings";
}

static void leave(struct upgrade *u)
{
    log_info("main", "upgrading program=%s", u->program);
    service_begin_reload(u->config.service);
    u->stage = LEAVING_OPERATORS;
    u->leave_until_ms = now_ms(u) + LEAVE_MS;
    node_leave_operators(u->config.node);
    set_timer(u, LOOK_MS);
}

static void leave_clients(struct upgrade *u)
{
    u->stage = LEAVING;
    u->leave_until_ms = now_ms(u) + LEAVE_MS;
    node_leave(u->config.node);
    set_timer(u, LOOK_MS);
}

static void on_checked(struct upgrade *u, int status)
{
    const char *why;

    (void)listen_to_check(u);   /* to what it said last */
    stop_listening(u);
    u->pid = 0;
    why = why_not(status, last_line(u->said));
    if (why == NULL)
        leave(u);
    else
        refuse(u, why);
}

void upgrade_reap(struct upgrade *u)
{
    int status;

    if (u != NULL && u->stage == CHECKING && waitpid(u->pid, &status, WNOHANG) == u->pid)
        on_checked(u, status);
}

static void end_check(struct upgrade *u)
{
    kill(u->pid, SIGKILL);
    (void)waitpid(u->pid, NULL, 0);
    stop_listening(u);
    u->pid = 0;
}

/* the exec */

static struct kept_writer *write_all(struct upgrade *u)
{
    struct node *n = u->config.node;
    int fds[NODE_LISTENERS_MAX + 1];
    const size_t n_fds = node_listening(n, fds);
    struct view *v = cluster_view(n->cluster);
    struct kept_writer *k = kept_write();
    unsigned lost = 0;

    if (k == NULL) {
        view_unref(v);
        return NULL;
    }
    for (size_t i = 0; i < n_fds; i++)
        kept_put_socket(k, passed_name(u->config.passed, fds[i]), fds[i]);
    if (v != NULL)
        kept_put_map(k, cluster_name(n->cluster), v->map);
    view_unref(v);
    for (unsigned i = 0; i < n->options->threads; i++)
        for (const struct session *s = n->workers[i].sessions; s != NULL; s = s->next)
            lost += !kept_put_client(k, s) && !s->closed;
    if (lost > 0)
        log_warn("main", "closing clients that were not done in time clients=%u", lost);
    return k;
}

/* Comes back only when it failed. */
static void become(struct upgrade *u)
{
    struct upgrade_config *c = &u->config;
    struct kept_writer *k;

    c->stop_threads(c->arg);
    node_still(c->node);
    k = write_all(u);
    log_flush();
    if (k != NULL && kept_publish(k)) {
        log_return_stderr();
        execve(u->program, c->argv, environ);
    }
    refuse(u, strerror(errno));
    log_take_stderr();
    if (k != NULL)
        kept_withdraw(k);
    node_stay(c->node);
    c->start_threads(c->arg);
    service_end_reload(c->service);
}

static void on_timer(void *arg)
{
    struct upgrade *u = arg;

    if (u->stage == CHECKING) {
        end_check(u);
        refuse(u, "it does not come to an end when it is to check its settings");
    } else if (u->stage == LEAVING_OPERATORS
               && (node_has_left_operators(u->config.node) || now_ms(u) >= u->leave_until_ms)) {
        leave_clients(u);
    } else if (u->stage == LEAVING
               && (node_is_settled(u->config.node) || now_ms(u) >= u->leave_until_ms)) {
        become(u);
    } else {
        set_timer(u, LOOK_MS);
    }
}

/* its life */

/* The path that this program was started by, so that the next start finds what is
 * there then: /proc/self/exe would lead to the old file. */
static char *find_program(void)
{
    const char *path = (const char *)(uintptr_t)getauxval(AT_EXECFN);
    char *folder, *whole;

    if (path == NULL)
        return xstrdup("/proc/self/exe");
    if (path[0] == '/')
        return xstrdup(path);
    folder = getcwd(NULL, 0);
    whole = xasprintf("%s/%s", folder != NULL ? folder : ".", path);
    free(folder);
    return whole;
}

static char **make_check_argv(char **argv)
{
    size_t n = 0;
    char **check;

    while (argv[n] != NULL)
        n++;
    check = xzalloc((n + 2) * sizeof(*check));
    check[0] = argv[0];
    check[1] = "--test-config";
    memcpy(check + 2, argv + 1, n * sizeof(*check));
    return check;
}

struct upgrade *upgrade_new(const struct upgrade_config *config)
{
    struct node *n = config->node;
    struct upgrade *u = xzalloc(sizeof(*u));

    u->config = *config;
    u->program = find_program();
    u->check_argv = make_check_argv(config->argv);
    u->format = xasprintf(FORMAT_VARIABLE "=%s", kept_file_format());
    u->timer = n->world->ops->timer_new(n->control.loop, on_timer, u);
    if (u->timer == NULL) {
        upgrade_free(u);
        return NULL;
    }
    return u;
}

void upgrade_give_up(struct upgrade *u)
{
    if (u->stage == CHECKING)
        end_check(u);
    set_timer(u, -1);
    u->stage = IDLE;
}

void upgrade_free(struct upgrade *u)
{
    if (u == NULL)
        return;
    if (u->timer != NULL) {
        upgrade_give_up(u);
        u->config.node->world->ops->timer_free(u->timer);
    }
    free(u->check_argv);
    free(u->format);
    free(u->program);
    free(u);
}
