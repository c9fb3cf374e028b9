#include "ctl/top_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ctl/ask.h"

static const struct { const char *word, *field; } columns[] = {
    { "shard", "name" }, { "items", "items" }, { "memory", "bytes" },
    { "sent", "sent_per_second" }, { "evictions", "evictions_per_second" },
    { "p99", "p99_ms" },
};

#define N_COLUMNS (sizeof(columns) / sizeof(columns[0]))

static const char *field_of(const char *sort)
{
    for (size_t i = 0; i < N_COLUMNS; i++)
        if (strcmp(columns[i].word, sort) == 0)
            return columns[i].field;
    return NULL;
}

bool top_view_sorts(const char *sort)
{
    return field_of(sort) != NULL;
}

static void set(json_t *o, const char *name, json_t *value)
{
    (void)json_object_set_new(o, name, value);
}

/* ---- rates ---------------------------------------------------------------- */

/* What was counted between the samples, and in how many seconds. */
struct span {
    const struct top_sample *before, *now;
    double seconds;
};

static double grown(const json_t *before, const json_t *now, const char *name)
{
    const double n = ask_real(now, name), then = ask_real(before, name);

    return n >= then ? n - then : n;    /* somebody reset it */
}

static double stat(const struct span *s, const char *name)
{
    return grown(s->before->stats, s->now->stats, name);
}

static double requests(const struct span *s)
{
    static const char *const names[] = { "cmd_get", "cmd_set", "cmd_touch", "cmd_flush",
                                         "delete_hits", "delete_misses", "incr_hits",
                                         "incr_misses", "decr_hits", "decr_misses" };
    double sum = 0;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        sum += stat(s, names[i]);
    return sum;
}

static json_t *per_second(const struct span *s, double n)
{
    return s->seconds > 0 ? json_real(n / s->seconds) : json_null();
}

/* "get:p99" in microseconds, since the start; null where it is not counted. */
static json_t *latency_ms(const json_t *latency, const char *name)
{
    const json_t *us = json_object_get(latency, name);

    return json_is_number(us) ? json_real(json_number_value(us) / 1000) : json_null();
}

/* Of the last seconds; null where there was nothing. */
static json_t *recent_ms(const json_t *row)
{
    return ask_number(row, "n") > 0 ? json_real(ask_real(row, "p99_ns") / 1e6) : json_null();
}

/* ---- shards --------------------------------------------------------------- */

static const json_t *of_shard(const json_t *shards, const char *name, const char *what)
{
    char *key = xasprintf("%s:%s", name, what);
    const json_t *value = json_object_get(shards, key);

    free(key);
    return value;
}

static double shard_grown(const struct span *s, const char *name, const char *what)
{
    char *key = xasprintf("%s:%s", name, what);
    double n = grown(s->before->shards, s->now->shards, key);

    free(key);
    return n;
}

static json_t *shard_number(const struct span *s, const char *name, const char *what)
{
    const json_t *v = of_shard(s->now->shards, name, what);

    return json_is_integer(v) ? json_integer(json_integer_value(v)) : json_null();
}

/* What the server sent there; null for the shard in its own process. */
static void set_latency(json_t *o, const struct span *s, const char *name)
{
    char *count = xasprintf("shard:%s:count", name), *p99 = xasprintf("shard:%s:p99", name);

    set(o, "sent_per_second", json_object_get(s->now->latency, count) == NULL ? json_null()
        : per_second(s, grown(s->before->latency, s->now->latency, count)));
    set(o, "p99_ms", s->now->recent == NULL ? latency_ms(s->now->latency, p99)
        : recent_ms(json_object_get(json_object_get(s->now->recent, "shards"), name)));
    free(count);
    free(p99);
}

static json_t *shard_json(const struct span *s, const char *name)
{
    json_t *o = json_object();
    const char *state = json_string_value(of_shard(s->now->shards, name, "state"));

    set(o, "name", json_string(name));
    set(o, "state", json_string(state != NULL ? state : "?"));
    set(o, "items", shard_number(s, name, "curr_items"));
    set(o, "bytes", shard_number(s, name, "bytes"));
    set(o, "limit_bytes", shard_number(s, name, "limit_maxbytes"));
    set(o, "evictions_per_second", per_second(s, shard_grown(s, name, "evictions")));
    set_latency(o, s, name);
    return o;
}

static const char *sort_by;

static int compare(const void *a, const void *b)
{
    const json_t *x = json_object_get(*(json_t *const *)a, sort_by);
    const json_t *y = json_object_get(*(json_t *const *)b, sort_by);
    const double more = json_number_value(y) - json_number_value(x);

    if (more != 0)
        return more > 0 ? 1 : -1;
    return strcmp(ask_text(*(json_t *const *)a, "name"), ask_text(*(json_t *const *)b, "name"));
}

static json_t *shards_json(const struct span *s, const char *sort)
{
    const size_t most = json_object_size(s->now->shards);
    json_t **rows = xzalloc((most + 1) * sizeof(json_t *)), *list = json_array();
    const char *key;
    json_t *value;
    size_t n = 0;

    json_object_foreach(s->now->shards, key, value) {
        const char *colon = strrchr(key, ':');

        if (colon != NULL && strcmp(colon, ":state") == 0) {
            char *name = xasprintf("%.*s", (int)(colon - key), key);

            rows[n++] = shard_json(s, name);
            free(name);
        }
    }
    sort_by = field_of(sort);
    qsort(rows, n, sizeof(json_t *), compare);
    for (size_t i = 0; i < n; i++)
        (void)json_array_append_new(list, rows[i]);
    free(rows);
    return list;
}

/* ---- the verdict ---------------------------------------------------------- */

/* By the states that the server tells, where no admin address is asked. */
static void judge_by_states(json_t *o, const json_t *shards)
{
    char *words, *down = xstrdup("");
    size_t i, up = 0, n = json_array_size(shards);
    const json_t *shard;

    json_array_foreach(shards, i, shard) {
        const char *state = ask_text(shard, "state");
        char *more;

        if (strcmp(state, "up") == 0) {
            up++;
            continue;
        }
        more = xasprintf("%s%s %s is %s", down, *down == '\0' ? ":" : ",",
                         ask_text(shard, "name"), state);
        free(down);
        down = more;
    }
    words = n > 0 ? xasprintf("%zu/%zu shards up%s", up, n, down) : xstrdup("it answers");
    set(o, "verdict", json_string(up == n ? "ok" : up > 0 ? "degraded" : "down"));
    set(o, "words", json_string(words));
    free(words);
    free(down);
}

static const json_t *running_job(const json_t *jobs)
{
    const json_t *job;
    size_t i;

    json_array_foreach(json_object_get(jobs, "jobs"), i, job)
        if (strcmp(ask_text(job, "status"), "running") == 0)
            return job;
    return NULL;
}

/* Whether somebody is lost, and whether what he held is with the others again. */
static void look_for_lost(const json_t *nodes, bool *lost, bool *missed)
{
    const json_t *node;
    size_t i;

    json_array_foreach(json_object_get(nodes, "nodes"), i, node) {
        if (ask_number(node, "wanted_weight") == 0
            || (strcmp(ask_text(node, "state"), "up") == 0 && ask_flag(node, "answers")))
            continue;
        *lost = true;
        *missed |= ask_number(node, "weight") > 0;      /* its place is still its own */
    }
}

static json_t *copies_json(const struct top_sample *s)
{
    const json_t *job = running_job(s->jobs);
    const long long done = ask_number(job, "items_done"), left = ask_number(job, "items_left");
    bool lost = false, missed = false;

    if (s->cluster == NULL || ask_number(s->cluster, "replicas") < 2)
        return json_null();
    look_for_lost(s->nodes, &lost, &missed);
    if (job != NULL && done + left > 0)
        return json_sprintf("copies are being made: %lld %%", 100 * done / (done + left));
    if (job != NULL || strcmp(ask_text(s->cluster, "phase"), "stable") != 0)
        return json_string("copies are being made");
    if (missed)
        return json_string("copies are missing");
    return json_string(lost ? "copies are restored" : "all copies there");
}

static void judge(json_t *o, const struct top_sample *s, const json_t *shards)
{
    if (s->cluster != NULL) {
        set(o, "verdict", json_string(ask_text(s->cluster, "verdict")));
        set(o, "words", json_string(ask_text(s->cluster, "words")));
    } else {
        judge_by_states(o, shards);
    }
    set(o, "copies", copies_json(s));
}

/* ---- all ------------------------------------------------------------------ */

json_t *top_view(const struct top_sample *before, const struct top_sample *now,
                 const char *server, const char *sort)
{
    const struct span s = { before, now, now->at_s - before->at_s };
    const double hits = stat(&s, "get_hits"), all = hits + stat(&s, "get_misses");
    json_t *o = json_object(), *shards = shards_json(&s, sort);

    set(o, "server", json_string(server));
    judge(o, now, shards);
    set(o, "requests_per_second", per_second(&s, requests(&s)));
    set(o, "hit_ratio", all > 0 ? json_real(hits / all) : json_null());
    set(o, "evictions_per_second", per_second(&s, stat(&s, "evictions")));
    set(o, "p99_ms", now->recent != NULL ? recent_ms(json_object_get(now->recent, "all"))
                                         : latency_ms(now->latency, "get:p99"));
    set(o, "p99_seconds", now->recent != NULL ? json_real(ask_real(now->recent, "ms") / 1000)
                                              : json_null());
    set(o, "connections", json_integer(ask_number(now->stats, "curr_connections")));
    set(o, "items", json_integer(ask_number(now->stats, "curr_items")));
    set(o, "bytes", json_integer(ask_number(now->stats, "bytes")));
    set(o, "limit_bytes", json_integer(ask_number(now->stats, "limit_maxbytes")));
    set(o, "shards", shards);
    return o;
}
