#include <stdlib.h>

#include "base/mem.h"
#include "fake_parts.h"

struct loop {
    struct fake *fake;
    struct watch **watches;     /* in the order they were made */
    size_t n_watches;
    struct timer *timers;       /* newest first */
    bool running, woken;
};

struct watch {
    struct loop *loop;
    int fd, set;
    bool dead;                  /* freed in a callback: gone at the end of the turn */
    watch_fn *fn;
    void *arg;
};

struct timer {
    struct loop *loop;
    struct timer *next;
    int64_t due_ns;             /* -1: not set */
    uint64_t order;             /* of timer_set() */
    timer_fn *fn;
    void *arg;
};

struct loop *fake_loop_new(struct world *w)
{
    struct loop *l = xzalloc(sizeof(*l));

    l->fake = fake_of(w);
    l->fake->n_loops++;
    return l;
}

void fake_loop_free(struct loop *l)
{
    if (l == NULL)
        return;
    assert(l->n_watches == 0 && l->timers == NULL);
    l->fake->n_loops--;
    free(l->watches);
    free(l);
}

/* What of `watched` would happen now. */
static int ready(struct fake *f, int fd, int watched)
{
    struct end *e = end_of(&f->world, fd), *far = far_of(&f->world, fd);
    bool readable = e->len > 0 || e->eof || e->reset || e->n_queued > 0;
    bool writable = far == NULL || e->reset || far->len < far->room;

    if (e->connecting) {
        readable = false;
        writable = !e->hangs;
    }
    return watched & ((readable ? WATCH_READ : 0) | (writable ? WATCH_WRITE : 0));
}

/* Those made by a callback wait for the next turn. */
static bool run_watches(struct loop *l)
{
    size_t n = l->n_watches;
    bool any = false;

    for (size_t i = 0; i < n; i++) {
        struct watch *watch = l->watches[i];
        int what = watch->dead || watch->set == 0 ? 0 : ready(l->fake, watch->fd, watch->set);

        if (what == 0)
            continue;
        any = true;
        watch->fn(watch->arg, what);
    }
    return any;
}

static struct timer *next_timer(struct loop *l)
{
    struct timer *first = NULL;

    for (struct timer *t = l->timers; t != NULL; t = t->next)
        if (t->due_ns >= 0 && (first == NULL || t->due_ns < first->due_ns ||
                               (t->due_ns == first->due_ns && t->order < first->order)))
            first = t;
    return first;
}

/* Those set by a callback wait for the next turn, even at 0 ms. */
static bool run_timers(struct loop *l)
{
    uint64_t before = l->fake->order;
    struct timer *t;
    bool any = false;

    while ((t = next_timer(l)) != NULL && t->due_ns <= l->fake->now_ns && t->order <= before) {
        any = true;
        t->due_ns = -1;
        t->fn(t->arg);
    }
    return any;
}

static void wait_for_time(struct loop *l)
{
    struct fake *f = l->fake;
    struct timer *t = next_timer(l);

    if (t != NULL && t->due_ns <= f->until_ns) {
        f->now_ns = t->due_ns;
        run_timers(l);
        return;
    }
    if (f->now_ns < f->until_ns)
        f->now_ns = f->until_ns;
    assert(f->idle != NULL && "a loop waits for ever");
    f->idle(f->idle_arg);
}

static void sweep_watches(struct loop *l)
{
    size_t kept = 0;

    for (size_t i = 0; i < l->n_watches; i++) {
        if (l->watches[i]->dead)
            free(l->watches[i]);
        else
            l->watches[kept++] = l->watches[i];
    }
    l->n_watches = kept;
}

void fake_loop_turn(struct loop *l, bool poll)
{
    bool woken = l->woken, any;

    l->woken = false;
    l->running = true;
    any = run_watches(l);
    any |= run_timers(l);
    if (!any && !poll && !woken)
        wait_for_time(l);
    l->running = false;
    sweep_watches(l);
}

void fake_loop_wake(struct loop *l)
{
    l->woken = true;
}

struct watch *fake_watch_new(struct loop *l, int fd, watch_fn *fn, void *arg)
{
    struct watch *watch = xzalloc(sizeof(*watch));

    *watch = (struct watch){ .loop = l, .fd = fd, .fn = fn, .arg = arg };
    l->watches = xrealloc(l->watches, (l->n_watches + 1) * sizeof(struct watch *));
    l->watches[l->n_watches++] = watch;
    l->fake->n_watches++;
    return watch;
}

void fake_watch_set(struct watch *watch, int what)
{
    struct fake *f = watch->loop->fake;
    struct end *e = end_of(&f->world, watch->fd);

    if (what != watch->set) {
        e->counts.watch_sets++;
        f->counts.watch_sets++;
    }
    watch->set = e->watched = what;
}

void fake_watch_free(struct watch *watch)
{
    if (watch == NULL)
        return;
    fake_watch_set(watch, 0);
    watch->dead = true;
    watch->loop->fake->n_watches--;
    if (!watch->loop->running)
        sweep_watches(watch->loop);
}

struct timer *fake_timer_new(struct loop *l, timer_fn *fn, void *arg)
{
    struct timer *t = xzalloc(sizeof(*t));

    *t = (struct timer){ .loop = l, .next = l->timers, .due_ns = -1, .fn = fn, .arg = arg };
    l->timers = t;
    l->fake->n_timers++;
    return t;
}

void fake_timer_set(struct timer *t, int64_t after_ms)
{
    struct fake *f = t->loop->fake;

    t->due_ns = after_ms < 0 ? -1 : f->now_ns + after_ms * 1000000;
    t->order = ++f->order;
}

void fake_timer_free(struct timer *t)
{
    struct timer **at;

    if (t == NULL)
        return;
    for (at = &t->loop->timers; *at != t; at = &(*at)->next)
        continue;
    *at = t->next;
    t->loop->fake->n_timers--;
    free(t);
}

