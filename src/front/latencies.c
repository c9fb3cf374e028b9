#include "front/latencies.h"

#include <inttypes.h>
#include <stdio.h>

#include "front/stats_text.h"

void latencies_add(struct front *front, enum latency_class class, struct histogram *sum)
{
    for (unsigned i = 0; i < front->n_workers; i++)
        histogram_merge(sum, &front->workers[i].latency.took[class]);
}

/* Calls `each` with all links that lead to the member; to any, with NULL. */
static void each_link(struct front *front, const char *name,
                      void (*each)(struct link *l, void *arg), void *arg)
{
    for (unsigned i = 0; i < front->n_workers; i++) {
        struct front_worker *fw = front->workers[i].front;

        pthread_mutex_lock(&fw->links_lock);
        for (size_t j = 0; j < fw->links.n; j++) {
            struct link *l = fw->links.link[j];

            if (l != NULL && (name == NULL || strcmp(link_name(l), name) == 0))
                each(l, arg);
        }
        pthread_mutex_unlock(&fw->links_lock);
    }
}

static void add(struct link *l, void *arg)
{
    link_add_took(l, arg);
}

static void add_open_bytes(struct link *l, void *arg)
{
    *(size_t *)arg += link_open_bytes(l);
}

static void add_since(struct link *l, void *arg)
{
    link_add_took_since(l, arg);
}

static void begin_again(struct link *l, void *arg)
{
    (void)arg;
    link_reset_took(l);
}

void latencies_add_shard(struct front *front, const char *name, struct histogram *sum)
{
    each_link(front, name, add, sum);
}

size_t latencies_open_bytes(struct front *front, const char *name)
{
    size_t bytes = 0;

    each_link(front, name, add_open_bytes, &bytes);
    return bytes;
}

/* `stats latency` */

static void put_us(struct sendq *q, const struct form *form, const char *of, const char *what,
                   uint64_t ns)
{
    char name[MAP_NAME_MAX + 40];

    snprintf(name, sizeof(name), "%s:%s", of, what);
    stats_line(q, form, name, "%.1f", (double)ns / 1000);
}

/* Of none there is nothing to tell but that. */
static void put(struct sendq *q, const struct form *form, const char *of,
                const struct histogram *h)
{
    static const struct { const char *name; double percent; } rows[] = {
        { "p50", 50 }, { "p90", 90 }, { "p99", 99 }, { "p99.9", 99.9 },
    };
    char name[MAP_NAME_MAX + 40];

    snprintf(name, sizeof(name), "%s:count", of);
    stats_line(q, form, name, "%" PRIu64, histogram_n(h));
    if (histogram_n(h) == 0)
        return;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        put_us(q, form, of, rows[i].name, histogram_percentile(h, rows[i].percent));
    put_us(q, form, of, "max", histogram_max(h));
}

static void put_class(struct sendq *q, const struct form *form, struct front *front,
                      enum latency_class class)
{
    struct histogram h = { 0 };

    latencies_add(front, class, &h);
    pthread_mutex_lock(&front->reset_lock);
    histogram_since(&h, &front->took_at_reset[class]);
    pthread_mutex_unlock(&front->reset_lock);
    put(q, form, latency_word(class), &h);
}

void latencies_put(struct sendq *q, const struct form *form, struct front_worker *fw)
{
    const struct links *ls = &fw->links;
    char of[MAP_NAME_MAX + 8];

    for (unsigned i = 0; i < N_LATENCIES; i++)
        put_class(q, form, fw->front, (enum latency_class)i);
    for (size_t i = 0; i < ls->n; i++) {
        struct histogram h = { 0 };

        if (ls->link[i] == NULL)
            continue;
        each_link(fw->front, link_name(ls->link[i]), add_since, &h);
        snprintf(of, sizeof(of), "shard:%s", link_name(ls->link[i]));
        put(q, form, of, &h);
    }
}

void latencies_reset(struct front *front)
{
    pthread_mutex_lock(&front->reset_lock);
    for (unsigned i = 0; i < N_LATENCIES; i++) {
        front->took_at_reset[i] = (struct histogram){ 0 };
        latencies_add(front, (enum latency_class)i, &front->took_at_reset[i]);
    }
    pthread_mutex_unlock(&front->reset_lock);
    each_link(front, NULL, begin_again, NULL);
}
