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
    uint64_t hits, misses;
    struct histogram classes[N_LATENCIES];
    size_t n;
    struct member_shot members[];
};

struct recent {
    struct shot *older, *newer; /* owned */
};

struct recent *recent_new(void)
{
    struct recent *r = xzalloc(sizeof(*r));

    r->older = xzalloc(sizeof(*r->older));
    return r;
}

void recent_free(struct recent *r)
{
    if (r == NULL)
        return;
    free(r->older);
    free(r->newer);
    free(r);
}

static struct shot *take(const struct admin_ops *ops, void *arg, const struct admin_counts *c,
                         const struct view *v)
{
    const size_t n = v != NULL ? v->map->n : 0;
    struct shot *s = xzalloc(sizeof(*s) + n * sizeof(s->members[0]));

    s->at_ms = c->uptime_ms;
    s->hits = c->stats.get_hits;
    s->misses = c->stats.get_misses;
    for (unsigned i = 0; i < N_LATENCIES; i++)
        ops->took(arg, (enum latency_class)i, &s->classes[i]);
    for (s->n = 0; s->n < n; s->n++) {
        struct member_shot *m = &s->members[s->n];

        snprintf(m->name, sizeof(m->name), "%s", v->map->members[s->n].name);
        ops->shard_took(arg, m->name, &m->took);
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

static json_t *class_json(enum latency_class class, const struct shot *now,
                          const struct shot *before)
{
    struct histogram h = now->classes[class];

    since(&h, &before->classes[class]);
    return json_pack("{s:s, s:I, s:I, s:I, s:I}", "command", latency_word(class),
                     "n", (json_int_t)histogram_n(&h),
                     "p50_ns", (json_int_t)histogram_percentile(&h, 50),
                     "p99_ns", (json_int_t)histogram_percentile(&h, 99),
                     "max_ns", (json_int_t)histogram_max(&h));
}

static json_t *member_json(const struct member_shot *now, const struct shot *before,
                           size_t open_bytes)
{
    struct histogram h = now->took;

    for (size_t i = 0; i < before->n; i++)
        if (strcmp(before->members[i].name, now->name) == 0)
            since(&h, &before->members[i].took);
    return json_pack("{s:I, s:I, s:I}", "n", (json_int_t)histogram_n(&h),
                     "p99_ns", (json_int_t)histogram_percentile(&h, 99),
                     "open_bytes", (json_int_t)open_bytes);
}

static json_t *tell(const struct admin_ops *ops, void *arg, const struct shot *now,
                    const struct shot *before)
{
    json_t *commands = json_array(), *shards = json_object();

    for (unsigned i = 0; i < N_LATENCIES; i++)
        (void)json_array_append_new(commands, class_json((enum latency_class)i, now, before));
    for (size_t i = 0; i < now->n; i++) {
        const char *name = now->members[i].name;

        (void)json_object_set_new(shards, name, member_json(&now->members[i], before,
                                                            ops->open_bytes(arg, name)));
    }
    return json_pack("{s:I, s:b, s:I, s:I, s:o, s:o}", "ms",
                     (json_int_t)(now->at_ms - before->at_ms),
                     "since_start", before->at_ms == 0,
                     "hits", (json_int_t)more(now->hits, before->hits),
                     "misses", (json_int_t)more(now->misses, before->misses),
                     "commands", commands, "shards", shards);
}

json_t *recent_look(struct recent *r, const struct admin_ops *ops, void *arg,
                    const struct view *v)
{
    struct admin_counts counts;
    struct shot *now;
    json_t *told;

    ops->count(arg, &counts);
    if (!counts.is_front)
        return NULL;
    now = take(ops, arg, &counts, v);
    if (r->newer != NULL && now->at_ms - r->newer->at_ms >= RECENT_MS) {
        free(r->older);
        r->older = r->newer;
        r->newer = NULL;
    }
    told = tell(ops, arg, now, r->older);
    if (r->newer == NULL)
        r->newer = now;
    else
        free(now);
    return told;
}
