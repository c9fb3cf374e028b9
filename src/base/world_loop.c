#include "base/world_loop.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/*
 * libevent needs memory to add an event.  What could not be added is owed: it
 * is tried again in each turn, or a connection would never be heard again.
 */
struct owed {
    struct owed *next, **link;  /* link: NULL when nothing is owed */
    bool (*add)(struct owed *o);
};

#define OWED_PAUSE_MS 5         /* between two tries */

struct loop {
    struct event_base *base;
    struct owed *owed;
    int wake_fd;                /* an eventfd, written by loop_wake() */
    struct event wake;
};

/* Reading and writing are two events, so that arming one leaves the other. */
struct watch {
    struct owed owed;
    struct loop *loop;
    struct event read, write;
    int set;                    /* what it waits for, */
    int wanted;                 /* and what it is to wait for */
    watch_fn *fn;
    void *arg;
};

struct timer {
    struct owed owed;
    struct loop *loop;
    struct event event;
    int64_t after_ms;
    timer_fn *fn;
    void *arg;
};

static void owed_leave(struct owed *o)
{
    if (o->link == NULL)
        return;
    *o->link = o->next;
    if (o->next != NULL)
        o->next->link = o->link;
    o->link = NULL;
}

/* Adds now, or is owed. */
static void owed_try(struct loop *l, struct owed *o)
{
    owed_leave(o);
    if (o->add(o))
        return;
    o->next = l->owed;
    if (o->next != NULL)
        o->next->link = &o->next;
    l->owed = o;
    o->link = &l->owed;
}

static void pay_owed(struct loop *l)
{
    struct owed *o = l->owed, *next;

    for (; o != NULL; o = next) {
        next = o->next;
        owed_try(l, o);
    }
    if (l->owed != NULL)
        usleep(OWED_PAUSE_MS * 1000);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    uint64_t n;

    (void)what;
    (void)arg;
    (void)!read(fd, &n, sizeof(n));     /* only to make it quiet again */
}

/*
 * What a turn changes twice costs no call then.  The kernel may hear that a socket is
 * no longer watched after another thread has got its number anew, for another epoll:
 * it does nothing, but the sanitizer takes both for one socket.
 */
#ifdef __SANITIZE_THREAD__
#define CHANGES_WAIT false
#else
#define CHANGES_WAIT true
#endif

struct loop *world_loop_new(struct world *w, bool restless)
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
    if (restless && CHANGES_WAIT)
        event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
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
    if (l->owed != NULL)
        pay_owed(l);
    poll |= l->owed != NULL;
    event_base_loop(l->base, EVLOOP_ONCE | (poll ? EVLOOP_NONBLOCK : 0));
}

void world_loop_wake(struct loop *l)
{
    uint64_t one = 1;

    (void)!write(l->wake_fd, &one, sizeof(one));    /* full means already awake */
}

struct event_base *world_loop_base(struct loop *l)
{
    return l->base;
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    struct watch *w = arg;

    (void)fd;
    w->fn(w->arg, what & EV_WRITE ? WATCH_WRITE : WATCH_READ);
}

/* Brings one of the two events of a watch to what is wanted. */
static void arm(struct watch *w, struct event *event, int bit)
{
    const bool was = (w->set & bit) != 0, wanted = (w->wanted & bit) != 0;

    if (wanted && !was && event_add(event, NULL) == 0)
        w->set |= bit;
    else if (was && !wanted && event_del(event) == 0)
        w->set &= ~bit;
}

static bool add_watch(struct owed *o)
{
    struct watch *w = (struct watch *)o;

    arm(w, &w->read, WATCH_READ);
    arm(w, &w->write, WATCH_WRITE);
    return w->set == w->wanted;
}

struct watch *world_watch_new(struct loop *l, int fd, watch_fn *fn, void *arg)
{
    struct watch *w = calloc(1, sizeof(*w));

    if (w == NULL)
        return NULL;
    w->owed.add = add_watch;
    w->loop = l;
    w->fn = fn;
    w->arg = arg;
    event_assign(&w->read, l->base, fd, EV_READ | EV_PERSIST, on_event, w);
    event_assign(&w->write, l->base, fd, EV_WRITE | EV_PERSIST, on_event, w);
    return w;
}

void world_watch_set(struct watch *w, int what)
{
    if (w->set == what && w->wanted == what)
        return;
    w->wanted = what;
    owed_try(w->loop, &w->owed);
}

void world_watch_free(struct watch *w)
{
    if (w == NULL)
        return;
    world_watch_set(w, 0);
    owed_leave(&w->owed);
    free(w);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct timer *t = arg;

    (void)fd;
    (void)what;
    t->fn(t->arg);
}

static bool add_timer(struct owed *o)
{
    struct timer *t = (struct timer *)o;
    const struct timeval after = {
        .tv_sec = (time_t)(t->after_ms / 1000),
        .tv_usec = (suseconds_t)(t->after_ms % 1000 * 1000),
    };

    return event_add(&t->event, &after) == 0;
}

struct timer *world_timer_new(struct loop *l, timer_fn *fn, void *arg)
{
    struct timer *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return NULL;
    t->owed.add = add_timer;
    t->loop = l;
    t->fn = fn;
    t->arg = arg;
    event_assign(&t->event, l->base, -1, 0, on_timer, t);
    return t;
}

void world_timer_set(struct timer *t, int64_t after_ms)
{
    t->after_ms = after_ms;
    if (after_ms >= 0) {
        owed_try(t->loop, &t->owed);
    } else {
        owed_leave(&t->owed);
        event_del(&t->event);
    }
}

void world_timer_free(struct timer *t)
{
    if (t == NULL)
        return;
    owed_leave(&t->owed);
    event_del(&t->event);
    free(t);
}
