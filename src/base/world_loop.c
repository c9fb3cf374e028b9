#include "base/world_loop.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct loop {
    struct event_base *base;
    int wake_fd;                /* an eventfd, written by loop_wake() */
    struct event wake;
};

/* Reading and writing are two events, so that arming one leaves the other. */
struct watch {
    struct event read, write;
    int set;
    watch_fn *fn;
    void *arg;
};

struct timer {
    struct event event;
    timer_fn *fn;
    void *arg;
};

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    uint64_t n;

    (void)what;
    (void)arg;
    (void)!read(fd, &n, sizeof(n));     /* only to make it quiet again */
}

struct loop *world_loop_new(struct world *w)
{
    struct event_config *config = event_config_new();
    struct loop *l = calloc(1, sizeof(*l));

    (void)w;
    if (l != NULL)
        l->wake_fd = -1;
    if (config == NULL || l == NULL)
        goto fail;
    l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    l->base = event_base_new_with_config(config);
    if (l->wake_fd < 0 || l->base == NULL)
        goto fail;
    event_assign(&l->wake, l->base, l->wake_fd, EV_READ | EV_PERSIST, on_wake, NULL);
    if (event_add(&l->wake, NULL) != 0)
        goto fail;
    event_config_free(config);
    return l;
fail:
    if (config != NULL)
        event_config_free(config);
    world_loop_free(l);
    return NULL;
}

void world_loop_free(struct loop *l)
{
    if (l == NULL)
        return;
    if (l->base != NULL)
        event_base_free(l->base);
    if (l->wake_fd >= 0)
        close(l->wake_fd);
    free(l);
}

void world_loop_turn(struct loop *l, bool poll)
{
    event_base_loop(l->base, EVLOOP_ONCE | (poll ? EVLOOP_NONBLOCK : 0));
}

void world_loop_wake(struct loop *l)
{
    uint64_t one = 1;

    (void)!write(l->wake_fd, &one, sizeof(one));    /* full means already awake */
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    struct watch *w = arg;

    (void)fd;
    w->fn(w->arg, what & EV_WRITE ? WATCH_WRITE : WATCH_READ);
}

struct watch *world_watch_new(struct loop *l, int fd, watch_fn *fn, void *arg)
{
    struct watch *w = calloc(1, sizeof(*w));

    if (w == NULL)
        return NULL;
    w->fn = fn;
    w->arg = arg;
    event_assign(&w->read, l->base, fd, EV_READ | EV_PERSIST, on_event, w);
    event_assign(&w->write, l->base, fd, EV_WRITE | EV_PERSIST, on_event, w);
    return w;
}

static void arm(struct event *event, bool was, bool wanted)
{
    if (wanted && !was)
        event_add(event, NULL);
    else if (was && !wanted)
        event_del(event);
}

void world_watch_set(struct watch *w, int what)
{
    arm(&w->read, w->set & WATCH_READ, what & WATCH_READ);
    arm(&w->write, w->set & WATCH_WRITE, what & WATCH_WRITE);
    w->set = what;
}

void world_watch_free(struct watch *w)
{
    if (w == NULL)
        return;
    world_watch_set(w, 0);
    free(w);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct timer *t = arg;

    (void)fd;
    (void)what;
    t->fn(t->arg);
}

struct timer *world_timer_new(struct loop *l, timer_fn *fn, void *arg)
{
    struct timer *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return NULL;
    t->fn = fn;
    t->arg = arg;
    event_assign(&t->event, l->base, -1, 0, on_timer, t);
    return t;
}

void world_timer_set(struct timer *t, int64_t after_ms)
{
    struct timeval after = {
        .tv_sec = (time_t)(after_ms / 1000),
        .tv_usec = (suseconds_t)(after_ms % 1000 * 1000),
    };

    if (after_ms < 0)
        event_del(&t->event);
    else
        event_add(&t->event, &after);
}

void world_timer_free(struct timer *t)
{
    if (t == NULL)
        return;
    event_del(&t->event);
    free(t);
}
