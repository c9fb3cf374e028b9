#include "admin/metrics.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "admin/coverage.h"
#include "admin/report.h"
#include "admin/verdict.h"
#include "base/mem.h"

/* ---- text ------------------------------------------------------------------ */

/* Series of one family stand together, below what is said of it. */
struct text {
    struct evbuffer *out;
    const struct admin_counts *counts;
    char family[64];            /* the last one */
    bool failed;
};

static void __attribute__((format(printf, 2, 3)))
put(struct text *t, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    t->failed |= evbuffer_add_vprintf(t->out, format, args) < 0;
    va_end(args);
}

static bool ends_with(const char *name, size_t len, const char *end)
{
    const size_t n = strlen(end);

    return len >= n && memcmp(name + len - n, end, n) == 0;
}

static void head(struct text *t, const char *name, size_t len, const char *type, const char *help)
{
    put(t, "# HELP %.*s %s\n# TYPE %.*s %s\n", (int)len, name, help, (int)len, name, type);
    snprintf(t->family, sizeof(t->family), "%.*s", (int)len, name);
}

static void one_float(struct text *t, const char *name, const char *help, double value)
{
    const bool counts = ends_with(name, strlen(name), "_total");

    head(t, name, strlen(name), counts ? "counter" : "gauge", help);
    put(t, "%s %.6f\n", name, value);
}

static void one(struct text *t, const char *name, const char *help, uint64_t value)
{
    const bool counts = ends_with(name, strlen(name), "_total");

    head(t, name, strlen(name), counts ? "counter" : "gauge", help);
    put(t, "%s %" PRIu64 "\n", name, value);
}

/* ---- rows of stats.def ------------------------------------------------------ */

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* memcached counts a cas as a set as well. */
static void put_sets(struct text *t)
{
    const struct stats *s = &t->counts->stats;

    put(t, "memcached_commands_total{command=\"set\",status=\"hit\"} %" PRIu64 "\n",
        less(s->cmd_set, s->cas_hits + s->cas_misses + s->cas_badval));
}

/* Families of more than one row; `more`: series that are of none. */
static const struct family {
    const char *name, *help;
    void (*more)(struct text *t);
} families[] = {
    { "memcached_commands_total", "commands by what came of them; keys, where one has many",
      put_sets },
    { "chcached_items_by_ttl", "items by how long they are written to live, about", NULL },
    { "chcached_segments_reclaimed_total", "segments taken back, by what made them empty", NULL },
    { "chcached_shard_reads_total", "gets that shards were asked, by whether they found something",
      NULL },
    { "chcached_copies_received_total", "copies from other members, by what became of them",
      NULL },
};

static void open_family(struct text *t, const char *name, size_t len, const char *help)
{
    const char *type = ends_with(name, len, "_total") ? "counter" : "gauge";
    void (*more)(struct text *t) = NULL;

    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        if (strlen(families[i].name) != len || memcmp(families[i].name, name, len) != 0)
            continue;
        help = families[i].help;
        more = families[i].more;
    }
    head(t, name, len, type, help);
    if (more != NULL)
        more(t);
}

static void put_row(struct text *t, const char *metric, const char *help, uint64_t value)
{
    const size_t len = strcspn(metric, "{");

    if (len == 0)
        return;
    if (strlen(t->family) != len || memcmp(t->family, metric, len) != 0)
        open_family(t, metric, len, help);
    if (ends_with(metric, len, "_seconds"))
        put(t, "%s %.3f\n", metric, (double)value / 1000);
    else
        put(t, "%s %" PRIu64 "\n", metric, value);
}

static void put_stats(struct text *t)
{
#define STAT(name, kind, help, metric) put_row(t, metric, help, t->counts->stats.name);
#define USAGE(name, field, help, metric)
#include "stats.def"
#undef STAT
#undef USAGE
}

static void put_usage(struct text *t, const uint64_t usage[N_USAGES])
{
#define STAT(name, kind, help, metric)
#define USAGE(name, field, help, metric) put_row(t, metric, help, usage[USAGE_##name]);
#include "stats.def"
#undef STAT
#undef USAGE
    one(t, "memcached_direct_reclaims_total", "times memory was taken back for what is written",
        usage[USAGE_dropped_segments] + usage[USAGE_squeezed_segments] +
        usage[USAGE_evicted_segments]);
}

/* ---- what is kept ----------------------------------------------------------- */

struct metrics_kept {
    struct metrics_kept *next;
    char name[MAP_NAME_MAX + 1];
    uint64_t last[N_USAGES];    /* that it told */
    uint64_t before[N_USAGES];  /* what its earlier lives had come to */
};

void metrics_kept_free(struct metrics_kept *k)
{
    struct metrics_kept *next;

    for (; k != NULL; k = next) {
        next = k->next;
        free(k);
    }
}

static struct metrics_kept *kept_of(struct metrics_kept **list, const char *name)
{
    struct metrics_kept *k = *list;

    while (k != NULL && strcmp(k->name, name) != 0)
        k = k->next;
    if (k != NULL)
        return k;
    k = xzalloc(sizeof(*k));
    snprintf(k->name, sizeof(k->name), "%s", name);
    k->next = *list;
    return *list = k;
}

/* Whether a row counts up, and whether parts of it add up. */
static const struct row { const char *metric; bool is_max; } rows[N_USAGES] = {
#define STAT(name, kind, help, metric)
#define USAGE(name, field, help, metric) [USAGE_##name] = { metric, false },
#define how_sum false
#define how_max true
#define INSIDE(name, field, how, help, metric) [USAGE_##name] = { metric, how_##how },
#include "stats.def"
#undef STAT
#undef USAGE
#undef how_sum
#undef how_max
};

static bool counts_up(unsigned usage)
{
    const size_t len = strcspn(rows[usage].metric, "{");

    return ends_with(rows[usage].metric, len, "_total");
}

/* `told` is NULL where the member did not answer: what it had counted stays. */
static void add_kept(struct metrics_kept *k, const uint64_t *told, uint64_t sum[N_USAGES])
{
    for (unsigned i = 0; i < N_USAGES; i++) {
        uint64_t value = told != NULL ? told[i] : 0;

        if (counts_up(i)) {
            if (told != NULL && value < k->last[i])
                k->before[i] += k->last[i];
            if (told != NULL)
                k->last[i] = value;
            value = k->before[i] + k->last[i];
        }
        if (!rows[i].is_max)
            sum[i] += value;
        else if (value > sum[i])
            sum[i] = value;
    }
}

static void put_kept(struct text *t, const struct metrics *m)
{
    uint64_t sum[N_USAGES] = { 0 };
    bool any = t->counts->keeps_items;

    if (any)
        add_kept(kept_of(m->kept, ""), t->counts->usage, sum);
    for (size_t i = 0; m->answers != NULL && i < m->view->map->n; i++) {
        const char *name = m->view->map->members[i].name;

        if (!m->ops->keeps(m->arg, name))
            continue;
        any = true;
        add_kept(kept_of(m->kept, name), m->answers[i].known ? m->answers[i].usage : NULL, sum);
    }
    if (any)
        put_usage(t, sum);
}

/* ---- histograms ------------------------------------------------------------- */

/* Microseconds. */
static const unsigned bounds_us[] = {
    25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000,
    1000000, 2500000, 5000000,
};

static void put_histogram(struct text *t, const char *label, const char *of,
                          const struct histogram *h)
{
    for (size_t i = 0; i < sizeof(bounds_us) / sizeof(bounds_us[0]); i++)
        put(t, "%s_bucket{%s=\"%s\",le=\"%g\"} %" PRIu64 "\n", t->family, label, of,
            bounds_us[i] / 1e6, histogram_n_below(h, (uint64_t)bounds_us[i] * 1000));
    put(t, "%s_bucket{%s=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", t->family, label, of,
        histogram_n(h));
    put(t, "%s_sum{%s=\"%s\"} %.9f\n", t->family, label, of, (double)h->sum / 1e9);
    put(t, "%s_count{%s=\"%s\"} %" PRIu64 "\n", t->family, label, of, histogram_n(h));
}

static void put_latencies(struct text *t, const struct metrics *m)
{
    static const char name[] = "chcached_request_duration_seconds";

    head(t, name, strlen(name), "histogram",
         "time from when a command was understood to when its answer was complete");
    for (unsigned i = 0; i < N_LATENCIES; i++) {
        struct histogram h = { 0 };

        m->ops->took(m->arg, (enum latency_class)i, &h);
        put_histogram(t, "command", latency_word((enum latency_class)i), &h);
    }
}

/* ---- the cluster, as seen from here ----------------------------------------- */

/* As it stands between quotes. */
static const char *label_of(const struct member *m, char label[2 * MAP_NAME_MAX + 1])
{
    char *out = label;

    for (const char *p = m->name; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\')
            *out++ = '\\';
        *out++ = *p;
    }
    *out = '\0';
    return label;
}

/* A series for each member, of what `value` says. */
static void each_member(struct text *t, const struct metrics *m, const char *name,
                        const char *help, double (*value)(const struct metrics *m, size_t i))
{
    char label[2 * MAP_NAME_MAX + 1];

    head(t, name, strlen(name), "gauge", help);
    for (size_t i = 0; i < m->view->map->n; i++)
        put(t, "%s{shard=\"%s\"} %.10g\n", name, label_of(&m->view->map->members[i], label),
            value(m, i));
}

static double is_up(const struct metrics *m, size_t i)
{
    return verdict_trouble(&m->view->map->members[i], &m->answers[i]) == NULL;
}

static double share(const struct metrics *m, size_t i)
{
    return report_share(m->view, i);
}

static double queued(const struct metrics *m, size_t i)
{
    return (double)m->ops->open_bytes(m->arg, m->view->map->members[i].name);
}

static void put_shard_latencies(struct text *t, const struct metrics *m)
{
    static const char name[] = "chcached_shard_request_duration_seconds";

    head(t, name, strlen(name), "histogram",
         "time from when a request was queued for a shard to when its answer came");
    for (size_t i = 0; i < m->view->map->n; i++) {
        const struct member *member = &m->view->map->members[i];
        char label[2 * MAP_NAME_MAX + 1];
        struct histogram h = { 0 };

        m->ops->shard_took(m->arg, member->name, &h);
        put_histogram(t, "shard", label_of(member, label), &h);
    }
}

static void put_shards(struct text *t, const struct metrics *m)
{
    each_member(t, m, "chcached_shard_up", "1: it answers and serves its keys", is_up);
    each_member(t, m, "chcached_ring_share_ratio", "share of the keys that it owns", share);
    each_member(t, m, "chcached_link_queue_bytes", "bytes of requests that it has not answered",
                queued);
    one(t, "chcached_link_queue_limit_bytes", "the most of them before commands are refused, for each thread",
        t->counts->link_queue_bytes);
    put_shard_latencies(t, m);
}

static void put_states(struct text *t, const struct map *map)
{
    static const char name[] = "chcached_members";
    unsigned n[MEMBER_STATES] = { 0 }, filling = 0;

    for (size_t i = 0; i < map->n; i++) {
        n[map->members[i].state]++;
        filling += map->members[i].filling;
    }
    head(t, name, strlen(name), "gauge", "members by state; those being filled are up as well");
    put(t, "%s{state=\"up\"} %u\n%s{state=\"suspended\"} %u\n%s{state=\"ejected\"} %u\n"
        "%s{state=\"filling\"} %u\n", name, n[MEMBER_UP], name, n[MEMBER_SUSPENDED], name,
        n[MEMBER_EJECTED], name, filling);
}

static void put_map(struct text *t, const struct view *v)
{
    one(t, "chcached_map_epoch", "epoch of the map that it goes by; 0: there is none yet",
        v != NULL ? v->map->epoch : 0);
    if (v == NULL)
        return;
    one(t, "chcached_replicas", "copies of each key that are wanted", v->map->replicas);
    put_states(t, v->map);
    one_float(t, "chcached_copies_missing_ratio",
              "share of the keys that have fewer copies than wanted", coverage_missing(v));
}

static void put_moves(struct text *t, const struct metrics *m)
{
    uint64_t left = 0, done = 0;
    const struct job *jobs;
    size_t n;

    jobs = m->ops->jobs(m->arg, &n);
    for (size_t i = 0; i < n; i++) {
        if (jobs[i].status != JOB_RUNNING && jobs[i].status != JOB_ABORTING)
            continue;
        left += jobs[i].items_left;
        done += jobs[i].items_done;
    }
    one(t, "chcached_move_remaining_items", "items that the change of members under way has still to move",
        left);
    one(t, "chcached_move_done_items", "items that it has moved", done);
}

/* ---- the process ------------------------------------------------------------ */

static double seconds_of(const struct timeval *tv)
{
    return (double)tv->tv_sec + (double)tv->tv_usec / 1e6;
}

static void put_process(struct text *t)
{
    const struct admin_counts *c = t->counts;
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    head(t, "chcached_build_info", strlen("chcached_build_info"), "gauge", "always 1; the version and the role of the process");
    put(t, "chcached_build_info{version=\"%s\",role=\"%s\"} 1\n", c->version, c->role);
    one(t, "memcached_up", "always 1: it has answered", 1);
    one_float(t, "memcached_uptime_seconds", "seconds since it was started", (double)c->uptime_ms / 1000);
    one_float(t, "memcached_time_seconds", "seconds since 1970, by its clock", (double)c->wall_ms / 1000);
    head(t, "memcached_version", strlen("memcached_version"), "gauge",
         "always 1; the memcached whose commands these are");
    put(t, "memcached_version{version=\"%s\"} 1\n", c->memcached_version);
    one_float(t, "memcached_process_user_cpu_seconds_total", "CPU time of the process, user",
              seconds_of(&usage.ru_utime));
    one_float(t, "memcached_process_system_cpu_seconds_total", "CPU time of the process, system",
              seconds_of(&usage.ru_stime));
    one(t, "chcached_ready", "1: it serves, as GET /readyz says", c->not_ready == NULL);
}

static void put_front(struct text *t, const struct metrics *m)
{
    one(t, "memcached_max_connections", "client connections that may be open",
        t->counts->max_connections);
    one(t, "memcached_accepting_connections", "1: clients are let in", t->counts->accepts);
    put_stats(t);
    put_latencies(t, m);
}

bool metrics_text(const struct metrics *m, struct evbuffer *out)
{
    struct admin_counts counts;
    struct text t = { .out = out, .counts = &counts };

    m->ops->count(m->arg, &counts);
    put_process(&t);
    if (counts.is_front)
        put_front(&t, m);
    put_kept(&t, m);
    if (counts.is_front && m->answers != NULL)
        put_shards(&t, m);
    put_map(&t, m->view);
    if (counts.has_lease >= 0)
        one(&t, "chcached_lease_held", "1: its shard may serve keys", counts.has_lease > 0);
    one(&t, "chcached_leader", "1: it makes the maps", m->ops->leads(m->arg));
    if (m->ops->leads(m->arg))
        put_moves(&t, m);
    return !t.failed;
}
