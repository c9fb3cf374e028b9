#include "net/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define ACCEPTS_A_TURN 64
#define PAUSE_MS 50             /* while there are no descriptors to be had */

struct listener {
    struct listener_config config;
    int fd;
    struct watch *watch;
    struct timer *pause;
    unsigned turn;              /* whose turn it is among the workers */
};

struct handover {
    struct mail mail;
    listener_open *open;
    int fd;
};

static void on_handover(struct worker *w, struct mail *m)
{
    struct handover *h = (struct handover *)m;

    h->open(w, h->fd);
    free(h);
}

static void turn_away(struct listener *l, int fd)
{
    static const char text[] = "ERROR Too many open connections\r\n";
    struct iovec iov = { (void *)text, sizeof(text) - 1 };
    struct world *w = l->config.world;
    size_t sent;

    STAT_ADD(l->config.stats, rejected_connections, 1);    /* who is told can see it */
    (void)w->ops->sendv(w, fd, &iov, 1, &sent);
    w->ops->close(w, fd);
}

static void hand_over(struct listener *l, int fd)
{
    struct listener_config *c = &l->config;
    struct handover *h = malloc(sizeof(*h));

    if (h == NULL) {
        c->world->ops->close(c->world, fd);
        return;
    }
    if (c->n_clients != NULL)
        __atomic_add_fetch(c->n_clients, 1, __ATOMIC_RELAXED);
    *h = (struct handover){ .mail.read = on_handover, .open = c->open, .fd = fd };
    worker_post(&c->workers[l->turn++ % c->n_workers], &h->mail);
}

static bool is_full(const struct listener *l)
{
    const struct listener_config *c = &l->config;

    return c->limit != NULL && __atomic_load_n(c->n_clients, __ATOMIC_RELAXED) >= *c->limit;
}

/* No descriptors: the backlog keeps the clients until some are back. */
static void on_accept_failure(struct listener *l)
{
    if (errno != EMFILE && errno != ENFILE && errno != ENOMEM && errno != ENOBUFS)
        return;
    log_warn("net", "cannot accept connections for now, raise LimitNOFILE (ulimit -n) or lower "
             "--conn-limit: %s", strerror(errno));
    STAT_ADD(l->config.stats, listen_disabled_num, 1);
    l->config.world->ops->watch_set(l->watch, 0);
    l->config.world->ops->timer_set(l->pause, PAUSE_MS);
}

static void on_readable(void *arg, int what)
{
    struct listener *l = arg;
    struct world *w = l->config.world;
    int fd;

    (void)what;
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        fd = w->ops->accept(w, l->fd);
        if (fd < 0) {
            on_accept_failure(l);
            return;
        }
        if (is_full(l))
            turn_away(l, fd);
        else
            hand_over(l, fd);
    }
}

static void on_pause_over(void *arg)
{
    struct listener *l = arg;

    l->config.world->ops->watch_set(l->watch, WATCH_READ);
}

struct listener *listener_new(int fd, const struct listener_config *config)
{
    struct listener *l = calloc(1, sizeof(*l));
    struct world *w = config->world;

    if (l == NULL) {
        w->ops->close(w, fd);
        return NULL;
    }
    l->config = *config;
    l->fd = fd;
    l->watch = w->ops->watch_new(config->loop, fd, on_readable, l);
    l->pause = w->ops->timer_new(config->loop, on_pause_over, l);
    if (l->watch == NULL || l->pause == NULL) {
        listener_free(l);
        return NULL;
    }
    w->ops->watch_set(l->watch, WATCH_READ);
    return l;
}

void listener_accept(struct listener *l)
{
    on_readable(l, WATCH_READ);
}

void listener_pause(struct listener *l)
{
    l->config.world->ops->timer_set(l->pause, -1);
    l->config.world->ops->watch_set(l->watch, 0);
}

void listener_resume(struct listener *l)
{
    l->config.world->ops->watch_set(l->watch, WATCH_READ);
}

int listener_fd(const struct listener *l)
{
    return l->fd;
}

void listener_free(struct listener *l)
{
    struct world *w;

    if (l == NULL)
        return;
    w = l->config.world;
    if (l->watch != NULL)
        w->ops->watch_free(l->watch);
    if (l->pause != NULL)
        w->ops->timer_free(l->pause);
    w->ops->close(w, l->fd);
    free(l);
}
