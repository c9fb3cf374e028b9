#include "admin/recent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct member_shot {
    char name[MAP_NAME_MAX + 1];
    struct histogram took;
};

/* All that was counted up to then. */
struct shot {
    int64_t at_ms;              /* since the start */
    uint64_t hits, misses, bytes_read, bytes_written;
    struct histogram classes[N_LATENCIES];
    size_t n;
    struct member_shot members[];
};

struct recent {
    const struct admin_ops *ops;
    void *arg;                  /* of ops */
    struct event *timer;        /* owned; NULL: memory was short, all is since the start */
    struct shot *older, *newer; /* owned; newer is NULL before the first is kept */
};

static void on_time(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    recent_keep(arg);
}

struct recent *recent_new(struct event_base *base, const struct admin_ops *ops, void *arg)
{
    static const struct timeval each = { RECENT_MS / 1000, 0 };
    struct recent *r = xzalloc(sizeof(*r));

    r->ops = ops;
    r->arg = arg;
    r->older = xzalloc(sizeof(*r->older));
    r->timer = event_new(base, -1, EV_PERSIST, on_time, r);
    if (r->timer != NULL)
        event_add(r->timer, &each);
    return r;
}

void recent_free(struct recent *r)
{
    if (r == NULL)
        return;
    if (r->timer != NULL)
        event_free(r->timer);
    free(r->older);
    free(r->newer);
    free(r);
}

/* NULL: this process serves no clients. */
static struct shot *take(const struct recent *r, const struct view *v)
{
    struct admin_counts c;
    struct shot *s;
    const size_t n = v != NULL ? v->map->n : 0;

    r->ops->count(r->arg, &c);
    if (!c.is_front)
        return NULL;
    s = xzalloc(sizeof(*s) + n * sizeof(s->members[0]));
    s->at_ms = c.uptime_ms;
    s->hits = c.stats.get_hits;
    s->misses = c.stats.get_misses;
    s->bytes_read = c.stats.bytes_read;
    s->bytes_written = c.stats.bytes_written;
    for (unsigned i = 0; i < N_LATENCIES; i++)
        r->ops->took(r->arg, (enum latency_class)i, &s->classes[i]);
    for (s->n = 0; s->n < n; s->n++) {
        struct member_shot *m = &s->members[s->n];

        snprintf(m->name, sizeof(m->name), "%s", v->map->members[s->n].name);
        r->ops->shard_took(r->arg, m->name, &m->took);
    }
    return s;
}

/* A count that fell began again meanwhile. */
static uint64_t more(uint64_t now, uint64_t before)
{
    return now >= before ? now - before : now;
}

static void since(struct histogram *h, const struct histogram *before)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        if (h->n[i] < before->n[i])
            return;
    histogram_since(h, before);
}

static json_t *times_json(const char *word, const struct histogram *h)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:I}", "command", word,
                     "n", (json_int_t)histogram_n(h),
                     "p50_ns", (json_int_t)histogram_percentile(h, 50),
                     "p99_ns", (json_int_t)histogram_percentile(h, 99),
                     "max_ns", (json_int_t)histogram_max(h));
}

static json_t *member_json(const struct member_shot *now, const struct shot *before,
                           size_t open_bytes)
{
    struct histogram h = now->took;

    for (size_t i = 0; i < before->n; i++)
        if (strcmp(before->members[i].name, now->name) == 0)
            since(&h, &before->members[i].took);
    return json_pack("{s:I, s:I, s:I, s:I}", "n", (json_int_t)histogram_n(&h),
                     "p99_ns", (json_int_t)histogram_percentile(&h, 99),
                     "max_ns", (json_int_t)histogram_max(&h),
                     "open_bytes", (json_int_t)open_bytes);
}

/* Of each class, and in *all of all of them. */
static json_t *commands_json(const struct shot *now, const struct shot *before,
                             struct histogram *all)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < N_LATENCIES; i++) {
        struct histogram h = now->classes[i];

        since(&h, &before->classes[i]);
        histogram_merge(all, &h);
        (void)json_array_append_new(list, times_json(latency_word((enum latency_class)i), &h));
    }
    return list;
}

static json_t *tell(const struct recent *r, const struct shot *now)
{
    const struct shot *before = r->older;
    struct histogram all = { 0 };
    json_t *commands = commands_json(now, before, &all), *shards = json_object();

    for (size_t i = 0; i < now->n; i++) {
        const char *name = now->members[i].name;

        (void)json_object_set_new(shards, name, member_json(&now->members[i], before,
                                                            r->ops->open_bytes(r->arg, name)));
    }
    return json_pack("{s:I, s:b, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "ms",
                     (json_int_t)(now->at_ms - before->at_ms),
                     "since_start", before->at_ms == 0,
                     "hits", (json_int_t)more(now->hits, before->hits),
                     "misses", (json_int_t)more(now->misses, before->misses),
                     "bytes_read", (json_int_t)more(now->bytes_read, before->bytes_read),
                     "bytes_written", (json_int_t)more(now->bytes_written, before->bytes_written),
                     "commands", commands, "all", times_json("all", &all), "shards", shards);
}

void recent_keep(struct recent *r)
{
    struct view *v = r->ops->view(r->arg);
    struct shot *now = take(r, v);

    view_unref(v);
    if (now == NULL)
        return;
    if (r->newer != NULL) {
        free(r->older);
        r->older = r->newer;
    }
    r->newer = now;
}

json_t *recent_look(struct recent *r, const struct view *v)
{
    struct shot *now = take(r, v);
    json_t *told;

    if (now == NULL)
        return NULL;
    told = tell(r, now);
    free(now);
    return told;
}
