#include "loop_parts.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

static struct loop_parts *parts_of(struct loop *l)
{
    return (struct loop_parts *)l;
}

void loop_parts_fini(struct loop_parts *p)
{
    assert(p->n_watches == 0 && p->timers == NULL);
    free(p->watches);
}

struct watch *loop_parts_watch(struct loop *l, int fd, watch_fn *fn, void *arg)
{
    struct loop_parts *p = parts_of(l);
    struct watch *watch = xzalloc(sizeof(*watch));

    *watch = (struct watch){ .loop = l, .fd = fd, .fn = fn, .arg = arg };
    p->watches = xrealloc(p->watches, (p->n_watches + 1) * sizeof(struct watch *));
    p->watches[p->n_watches++] = watch;
    return watch;
}

void loop_parts_unwatch(struct watch *watch)
{
    struct loop_parts *p = parts_of(watch->loop);

    watch->set = 0;
    watch->dead = true;
    if (!p->running)
        loop_parts_sweep(p);
}

void loop_parts_sweep(struct loop_parts *p)
{
    size_t kept = 0;

    for (size_t i = 0; i < p->n_watches; i++) {
        if (p->watches[i]->dead)
            free(p->watches[i]);
        else
            p->watches[kept++] = p->watches[i];
    }
    p->n_watches = kept;
}

struct timer *loop_parts_timer(struct loop *l, timer_fn *fn, void *arg)
{
    struct loop_parts *p = parts_of(l);
    struct timer *t = xzalloc(sizeof(*t));

    *t = (struct timer){ .loop = l, .next = p->timers, .due_ns = -1, .fn = fn, .arg = arg };
    p->timers = t;
    return t;
}

void loop_parts_set(struct timer *t, int64_t due_ns)
{
    t->due_ns = due_ns;
    t->order = ++parts_of(t->loop)->order;
}

void loop_parts_untimer(struct timer *t)
{
    struct timer **at;

    for (at = &parts_of(t->loop)->timers; *at != t; at = &(*at)->next)
        continue;
    *at = t->next;
    free(t);
}

struct timer *loop_parts_next(const struct loop_parts *p)
{
    struct timer *first = NULL;

    for (struct timer *t = p->timers; t != NULL; t = t->next)
        if (t->due_ns >= 0 && (first == NULL || t->due_ns < first->due_ns ||
                               (t->due_ns == first->due_ns && t->order < first->order)))
            first = t;
    return first;
}

bool loop_parts_ring(struct loop_parts *p, int64_t now_ns)
{
    const uint64_t before = p->order;
    struct timer *t;
    bool any = false;

    while ((t = loop_parts_next(p)) != NULL && t->due_ns <= now_ns && t->order <= before) {
        any = true;
        t->due_ns = -1;
        t->fn(t->arg);
    }
    return any;
}
