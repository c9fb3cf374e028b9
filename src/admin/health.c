/* What balancers, containers and Prometheus ask for. */
#include <event2/buffer.h>

#include "admin/metrics.h"
#include "admin/parts.h"

void health_alive(struct admin *a, struct http_call *call)
{
    (void)a;
    http_answer(call, 200, json_pack("{s:b}", "alive", 1));
}

void health_ready(struct admin *a, struct http_call *call)
{
    const char *why = a->ops->not_ready(a->arg);

    if (why == NULL)
        http_answer(call, 200, json_pack("{s:b}", "ready", 1));
    else
        http_refuse(call, 503, "%s", why);
}

void health_heartbeat(struct admin *a, struct http_call *call)
{
    const bool ready = a->ops->not_ready(a->arg) == NULL;
    struct view *v = a->ops->view(a->arg);

    http_answer(call, 200, json_pack("{s:s, s:b, s:I}", "cluster", a->ops->cluster_name(a->arg),
                                     "ready", (int)ready,
                                     "epoch", (json_int_t)(v != NULL ? v->map->epoch : 0)));
    view_unref(v);
}

static void answer_metrics(struct admin *a, struct http_call *call, const struct view *v,
                           const struct admin_answer *answers)
{
    const struct metrics m = { a->ops, a->arg, v, answers, &a->kept };
    struct evbuffer *out = evbuffer_new();

    if (out != NULL && metrics_text(&m, out))
        http_answer_text(call, METRICS_TYPE, out);
    else
        http_refuse(call, 500, "out of memory");
    if (out != NULL)
        evbuffer_free(out);
}

static void metrics_told(struct question *q, const struct admin_answer *answers)
{
    answer_metrics(q->admin, q->call, q->view, answers);
}

/* Who serves clients tells how members are; others tell of themselves alone. */
void health_metrics(struct admin *a, struct http_call *call)
{
    struct view *v = a->ops->view(a->arg);
    struct admin_counts counts;

    a->ops->count(a->arg, &counts);
    if (counts.is_front) {
        admin_ask(&(struct question){ .admin = a, .call = call, .view = v,
                                      .told = metrics_told }, NULL, 0);
        return;
    }
    answer_metrics(a, call, v, NULL);
    view_unref(v);
}
