#include "sim_events.h"

#include <stdlib.h>

#include "base/mem.h"

static bool is_before(const struct event *a, const struct event *b)
{
    if (a->at_ns != b->at_ns)
        return a->at_ns < b->at_ns;
    if (a->tie != b->tie)
        return a->tie < b->tie;
    return a->order < b->order;
}

void sim_events_fini(struct sim_events *q)
{
    free(q->heap);
}

void sim_events_add(struct sim_events *q, struct event e)
{
    size_t i = q->n++;

    if (q->n > q->cap) {
        q->cap = 2 * q->n + 64;
        q->heap = xrealloc(q->heap, q->cap * sizeof(*q->heap));
    }
    e.order = q->n_added++;
    for (; i > 0 && is_before(&e, &q->heap[(i - 1) / 2]); i = (i - 1) / 2)
        q->heap[i] = q->heap[(i - 1) / 2];
    q->heap[i] = e;
}

bool sim_events_take(struct sim_events *q, int64_t until_ns, struct event *e)
{
    struct event last;
    size_t i = 0, child;

    if (q->n == 0 || q->heap[0].at_ns > until_ns)
        return false;
    *e = q->heap[0];
    last = q->heap[--q->n];
    while ((child = 2 * i + 1) < q->n) {
        if (child + 1 < q->n && is_before(&q->heap[child + 1], &q->heap[child]))
            child++;
        if (!is_before(&q->heap[child], &last))
            break;
        q->heap[i] = q->heap[child];
        i = child;
    }
    q->heap[i] = last;
    return true;
}
