#include <stdlib.h>

#include "base/mem.h"
#include "sim_parts.h"

#define WAKE_MAX_NS (20 * US)   /* from a cause to the turn */
#define TURN_MAX_NS (20 * US)   /* what a turn costs by itself */
#define TIMER_MAX_NS (100 * US) /* how late a timer rings */

static int64_t some_ns(struct sim *s, int64_t max_ns)
{
    return 1 + (int64_t)chance_below(&s->order, (uint64_t)max_ns);
}

static void schedule(struct loop *l, int64_t at_ns)
{
    if (at_ns >= l->turn_at_ns)
        return;
    l->turn_at_ns = at_ns;
    l->n_events++;
    sim_add_event(l->host->sim, at_ns, sim_loop_on_turn, l);
}

/* Something of this loop is to be done: soon. */
static void schedule_soon(struct loop *l)
{
    const int64_t now_ns = host_now(l->host);

    if (now_ns + WAKE_MAX_NS < l->turn_at_ns)
        schedule(l, now_ns + some_ns(l->host->sim, WAKE_MAX_NS));
}

static int watch_ready(const struct watch *watch)
{
    if (watch->dead || watch->set == 0)
        return 0;
    return watch->set & sim_ready(watch->loop->host, watch->fd);
}

static bool has_ready(const struct loop *l)
{
    for (size_t i = 0; i < l->parts.n_watches; i++)
        if (watch_ready(l->parts.watches[i]) != 0)
            return true;
    return false;
}

static int64_t next_due(const struct loop *l)
{
    const struct timer *t = loop_parts_next(&l->parts);

    return t != NULL ? t->due_ns : NEVER;
}

static bool has_work(const struct loop *l)
{
    return l->woken || l->more || next_due(l) <= l->host->sim->now_ns || has_ready(l);
}

static void take_turn(struct loop *l)
{
    struct host *h = l->host;
    struct sim *s = h->sim;

    sim_mix(s, (uint64_t)s->now_ns);
    sim_mix(s, h->id * 256u + l->id);
    host_spend(h, some_ns(s, TURN_MAX_NS));
    h->in_turn = true;
    if (l->turn != NULL)
        l->more = l->turn(l->arg);
    else
        sim_loop_turn(l, true);
    h->in_turn = false;
}

void sim_loop_on_turn(void *what, int64_t at_ns)
{
    struct loop *l = what;
    struct host *h = l->host;
    int64_t may_ns;

    if (--l->n_events == 0 && l->dead) {
        free(l);
        return;
    }
    if (l->dead || !h->up || at_ns != l->turn_at_ns)
        return;
    l->turn_at_ns = NEVER;
    may_ns = h->frozen_until_ns > h->busy_until_ns ? h->frozen_until_ns : h->busy_until_ns;
    if (may_ns > at_ns) {
        schedule(l, may_ns);
        return;
    }
    if (has_work(l))
        take_turn(l);
    if (has_work(l))
        schedule(l, host_now(h));
    else if (next_due(l) < NEVER)
        schedule(l, next_due(l));
}

void sim_loop_poke(struct watch *watch)
{
    if (watch != NULL && watch->set != 0)
        schedule_soon(watch->loop);
}

void sim_set_turn(struct loop *l, bool (*turn)(void *arg), void *arg)
{
    l->turn = turn;
    l->arg = arg;
    l->more = true;             /* a first turn, whatever there is */
    schedule_soon(l);
}

struct loop *sim_loop_new(struct world *w, bool restless)
{
    struct loop *l = xzalloc(sizeof(*l));

    (void)restless;
    l->host = host_of(w);
    l->id = l->host->n_loops_made++;
    l->turn_at_ns = NEVER;
    l->host->n_loops++;
    return l;
}

void sim_loop_free(struct loop *l)
{
    if (l == NULL)
        return;
    loop_parts_fini(&l->parts);
    free(l->called);
    l->host->n_loops--;
    l->dead = true;
    if (l->n_events == 0)
        free(l);
}

static void swap(struct watch **a, struct watch **b)
{
    struct watch *kept = *a;

    *a = *b;
    *b = kept;
}

/* One callback for both directions or one each: a loop may do either. */
static void call(struct watch *watch, bool together)
{
    const int ready = watch_ready(watch);

    if (together && ready != 0) {
        watch->fn(watch->arg, ready);
        return;
    }
    for (int bit = WATCH_READ; bit <= WATCH_WRITE; bit <<= 1)
        if ((ready & watch->set & bit) != 0)
            watch->fn(watch->arg, bit);
}

/* Those that are ready as it begins, in any order. */
static void call_watches(struct loop *l)
{
    struct chance *order = &l->host->sim->order;
    const bool together = chance_below(order, 2) == 0;
    size_t n = 0;

    l->called = xrealloc(l->called, (l->parts.n_watches + 1) * sizeof(struct watch *));
    for (size_t i = 0; i < l->parts.n_watches; i++)
        if (watch_ready(l->parts.watches[i]) != 0)
            l->called[n++] = l->parts.watches[i];
    for (size_t i = 0; i < n; i++) {
        swap(&l->called[i], &l->called[i + chance_below(order, n - i)]);
        call(l->called[i], together);
    }
}

void sim_loop_turn(struct loop *l, bool poll)
{
    (void)poll;                 /* who waits is not run */
    assert(l->host->in_turn);
    l->woken = l->more = false;
    l->parts.running = true;
    call_watches(l);
    loop_parts_ring(&l->parts, l->host->sim->now_ns);
    l->parts.running = false;
    loop_parts_sweep(&l->parts);
}

void sim_loop_wake(struct loop *l)
{
    l->woken = true;
    schedule_soon(l);
}

struct watch *sim_watch_new(struct loop *l, int fd, watch_fn *fn, void *arg)
{
    struct sock *sock = sock_of(l->host, fd);

    assert(sock->watch == NULL);
    sock->watch = loop_parts_watch(l, fd, fn, arg);
    return sock->watch;
}

void sim_watch_set(struct watch *watch, int what)
{
    watch->set = what;
    if (!watch->loop->host->in_turn)        /* else it is looked at after the turn */
        sim_loop_poke(watch);
}

void sim_watch_free(struct watch *watch)
{
    if (watch == NULL)
        return;
    sock_of(watch->loop->host, watch->fd)->watch = NULL;
    loop_parts_unwatch(watch);
}

struct timer *sim_timer_new(struct loop *l, timer_fn *fn, void *arg)
{
    return loop_parts_timer(l, fn, arg);
}

void sim_timer_set(struct timer *t, int64_t after_ms)
{
    struct host *h = t->loop->host;
    int64_t due_ns = -1;

    if (after_ms >= 0) {
        due_ns = host_clock_in(h, host_now(h), after_ms * MS);
        due_ns += some_ns(h->sim, TIMER_MAX_NS);
        if (!h->in_turn)
            schedule(t->loop, due_ns);
    }
    loop_parts_set(t, due_ns);
}

void sim_timer_free(struct timer *t)
{
    if (t != NULL)
        loop_parts_untimer(t);
}
