#include "sim_node.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

/* ---- what it logs ---- */

static FILE *log_to;
static int log_fd = -1;         /* a file in the place of stderr */

/* Equal lines are of different nodes: none is ever a repetition. */
static int64_t hasty_clock(void)
{
    static int64_t now_ms;

    return now_ms += 60000;
}

void sim_node_log(FILE *to)
{
    log_to = to;
    if (to == NULL)
        return;
    log_fd = memfd_create("log", 0);
    if (log_fd < 0 || dup2(log_fd, 2) < 0)
        abort();
    log_set_clock(hasty_clock);
    log_init(LOG_DEBUG);
}

/* Lines go without the time that they begin with: it is not the simulated one. */
static void pass_on_log(const struct sim_node *n)
{
    char lines[1 << 16];
    const off_t len = log_to == NULL ? 0 : lseek(log_fd, 0, SEEK_CUR);
    const ssize_t got = len == 0 ? 0 : pread(log_fd, lines, sizeof(lines) - 1, 0);
    char *rest = lines, *line;

    if (got <= 0)
        return;
    lines[got] = '\0';
    while ((line = strsep(&rest, "\n")) != NULL) {
        const char *text = strchr(line, ' ');

        if (text != NULL)
            fprintf(log_to, "%.6f %s:%s\n", (double)sim_now_ns(n->sim) / 1e9, n->name, text);
    }
    if (ftruncate(log_fd, 0) != 0 || lseek(log_fd, 0, SEEK_SET) != 0)
        abort();
}

/* ---- turns ---- */

static bool wants_more(const struct worker *w)
{
    return w->run.first != NULL || w->flush.first != NULL;
}

static bool turn(void *arg)
{
    struct sim_turns *t = arg;

    worker_turn(t->worker, true);
    pass_on_log(t->node);
    return wants_more(t->worker);
}

/* What the main thread does between two turns. */
static bool control_turn(void *arg)
{
    struct sim_turns *t = arg;
    struct sim_node *n = t->node;
    const bool more = turn(arg);

    if (!n->open_to_clients && node_has_map(&n->node)) {
        n->open_to_clients = true;
        if (!node_open_to_clients(&n->node))
            abort();
    }
    return more;
}

static void set_turns(struct sim_node *n)
{
    const unsigned n_workers = n->options.threads;

    n->turns = xzalloc((n_workers + 1) * sizeof(*n->turns));
    n->turns[0] = (struct sim_turns){ n, &n->node.control };
    sim_set_turn(n->node.control.loop, control_turn, &n->turns[0]);
    for (unsigned i = 0; i < n_workers; i++) {
        n->turns[i + 1] = (struct sim_turns){ n, &n->node.workers[i] };
        sim_set_turn(n->node.workers[i].loop, turn, &n->turns[i + 1]);
    }
}

/* ---- its life ---- */

void sim_node_init(struct sim_node *n, struct sim *sim, const char *name)
{
    memset(n, 0, sizeof(*n));
    n->sim = sim;
    snprintf(n->name, sizeof(n->name), "%s", name);
    n->world = sim_add_node(sim, n->name);
    sim_crash(n->world, CRASH_PROCESS);
    sim_node_arg(n, "chcached");
}

void sim_node_arg(struct sim_node *n, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (n->argc == SIM_ARGS_MAX - 1)
        abort();
    n->argv[n->argc++] = xstrdup(text);
}

static void end_process(struct sim_node *n, enum crash how)
{
    sim_crash(n->world, how);
    node_fini(&n->node);
    pass_on_log(n);
    options_fini(&n->options);
    free(n->turns);
    n->turns = NULL;
    n->is_up = false;
}

void sim_node_fini(struct sim_node *n)
{
    if (n->is_up)
        end_process(n, CRASH_PROCESS);
    for (int i = 0; i < n->argc; i++)
        free(n->argv[i]);
}

void sim_node_crash(struct sim_node *n, enum crash how)
{
    if (n->is_up)
        end_process(n, how);
}

void sim_node_stop(struct sim_node *n)
{
    node_say_goodbye(&n->node);
    node_drain(&n->node);
}

bool sim_node_is_stopped(struct sim_node *n)
{
    return node_is_drained(&n->node);
}

static bool set_up(struct sim_node *n, const char **why)
{
    struct node *node = &n->node;

    *why = "cannot listen";
    if (node_listen_to_clients(node) != NULL || !node_make_control(node) ||
        node_listen_to_peers(node, -1) != NULL)
        return false;
    if (!node_join_cluster(node, NULL, 0, why))
        return false;
    *why = "out of memory";
    return node_make_rooms(node, NULL) && node_open(node);
}

bool sim_node_start(struct sim_node *n, const char **why)
{
    sim_start(n->world);
    n->is_up = true;
    n->open_to_clients = false;
    n->epoch = 0;
    *why = "bad options";
    memset(&n->node, 0, sizeof(n->node));
    if (options_parse(&n->options, n->argc, n->argv) >= 0)
        abort();                /* the tests give bad ones to nobody */
    node_init(&n->node, n->world, &n->options);
    if (!set_up(n, why)) {
        end_process(n, CRASH_PROCESS);
        return false;
    }
    set_turns(n);
    pass_on_log(n);
    return true;
}
