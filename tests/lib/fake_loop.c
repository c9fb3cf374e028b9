#include <stdlib.h>

#include "base/mem.h"
#include "fake_parts.h"
#include "loop_parts.h"

struct loop {
    struct loop_parts parts;
    struct fake *fake;
    bool woken;
};

struct loop *fake_loop_new(struct world *w, bool restless)
{
    struct loop *l = xzalloc(sizeof(*l));

    (void)restless;
    l->fake = fake_of(w);
    l->fake->n_loops++;
    return l;
}

void fake_loop_free(struct loop *l)
{
    if (l == NULL)
        return;
    loop_parts_fini(&l->parts);
    l->fake->n_loops--;
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
    size_t n = l->parts.n_watches;
    bool any = false;

    for (size_t i = 0; i < n; i++) {
        struct watch *watch = l->parts.watches[i];
        int what = watch->dead || watch->set == 0 ? 0 : ready(l->fake, watch->fd, watch->set);

        if (what == 0)
            continue;
        any = true;
        watch->fn(watch->arg, what);
    }
    return any;
}

static void wait_for_time(struct loop *l)
{
    struct fake *f = l->fake;
    struct timer *t = loop_parts_next(&l->parts);

    if (t != NULL && t->due_ns <= f->until_ns) {
        f->now_ns = t->due_ns;
        loop_parts_ring(&l->parts, f->now_ns);
        return;
    }
    if (f->now_ns < f->until_ns)
        f->now_ns = f->until_ns;
    assert(f->idle != NULL && "a loop waits for ever");
    f->idle(f->idle_arg);
}

void fake_loop_turn(struct loop *l, bool poll)
{
    bool woken = l->woken, any;

    l->woken = false;
    l->parts.running = true;
    any = run_watches(l);
    any |= loop_parts_ring(&l->parts, l->fake->now_ns);
    if (!any && !poll && !woken)
        wait_for_time(l);
    l->parts.running = false;
    loop_parts_sweep(&l->parts);
}

void fake_loop_wake(struct loop *l)
{
    l->woken = true;
}

struct watch *fake_watch_new(struct loop *l, int fd, watch_fn *fn, void *arg)
{
    l->fake->n_watches++;
    return loop_parts_watch(l, fd, fn, arg);
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
    watch->loop->fake->n_watches--;
    loop_parts_unwatch(watch);
}

struct timer *fake_timer_new(struct loop *l, timer_fn *fn, void *arg)
{
    l->fake->n_timers++;
    return loop_parts_timer(l, fn, arg);
}

void fake_timer_set(struct timer *t, int64_t after_ms)
{
    const int64_t now_ns = t->loop->fake->now_ns;

    loop_parts_set(t, after_ms < 0 ? -1 : now_ns + after_ms * 1000000);
}

void fake_timer_free(struct timer *t)
{
    if (t == NULL)
        return;
    t->loop->fake->n_timers--;
    loop_parts_untimer(t);
}
