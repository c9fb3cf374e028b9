#include "ctl/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/human.h"
#include "base/mem.h"
#include "ctl/bench_load.h"
#include "ctl/table.h"

static const struct { const char *title, *name; double percent; } percentiles[] = {
    { ">P50 MS", "p50_ms", 50 }, { ">P90", "p90_ms", 90 }, { ">P99", "p99_ms", 99 },
    { ">P99.9", "p999_ms", 99.9 },
};

#define N_PERCENTILES (sizeof(percentiles) / sizeof(percentiles[0]))

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

static double per_second(const struct bench_result *r, uint64_t n)
{
    return r->seconds > 0 ? (double)n / r->seconds : 0;
}

static double hit_ratio(const struct bench_result *r)
{
    return r->n[BENCH_GET] > 0 ? (double)r->hits / (double)r->n[BENCH_GET] : 0;
}

static uint64_t n_errors(const struct bench_result *r)
{
    return r->refused + r->wrong + r->lost + r->unanswered;
}

static void sum(const struct bench_result *r, struct histogram *h)
{
    *h = r->took[BENCH_GET];
    histogram_merge(h, &r->took[BENCH_SET]);
}

/* ---- meanwhile ------------------------------------------------------------ */

struct live {
    const char *what;
    uint64_t told;              /* requests, at the last second */
};

static void show_second(const struct bench_result *r, void *arg)
{
    struct live *live = arg;
    struct histogram *h = xzalloc(sizeof(*h));
    const uint64_t n = r->n[BENCH_GET] + r->n[BENCH_SET];
    char count[HUMAN_MAX], hits[HUMAN_MAX], p99[HUMAN_MAX];

    sum(r, h);
    fprintf(stderr, "\r\033[K%s  %.0f s  %s requests/s  hits %s  p99 %s ms  %llu errors",
            live->what, r->seconds, human_count(count, (long long)(n - live->told)),
            human_share(hits, hit_ratio(r)), table_ms(p99, ms(histogram_percentile(h, 99))),
            (unsigned long long)n_errors(r));
    live->told = n;
    free(h);
}

/* One load with a line about it, if there is a terminal. */
static int run(const struct ctl *ctl, struct bench_plan *p, bool fill, struct bench_result *r)
{
    struct live live = { fill ? "filling" : "running", 0 };
    const bool terminal = isatty(STDERR_FILENO);
    int rc = bench_load_run(p, ctl->server, fill, terminal ? show_second : NULL, &live, r);

    if (terminal && live.told > 0)
        fputs("\r\033[K", stderr);
    return rc;
}

/* ---- what came of it ------------------------------------------------------ */

static void add_row(struct table *t, const char *name, const struct bench_result *r, uint64_t n,
                    const char *hits, const struct histogram *h)
{
    char count[HUMAN_MAX], rate[HUMAN_MAX], text[N_PERCENTILES + 1][HUMAN_MAX];

    for (size_t i = 0; i < N_PERCENTILES; i++)
        table_ms(text[i], ms(histogram_percentile(h, percentiles[i].percent)));
    table_ms(text[N_PERCENTILES], ms(histogram_max(h)));
    table_add(t, (const char *const[]){ name, human_count(count, (long long)n),
                                        human_count(rate, (long long)per_second(r, n)), hits,
                                        text[0], text[1], text[2], text[3], text[4] });
}

static void tell_errors(const struct bench_result *r)
{
    if (n_errors(r) > 0)
        (void)say(NO, "errors: %llu refused, %llu of another length or key, %llu of lost "
                  "connections, %llu without an answer%s%s", (unsigned long long)r->refused,
                  (unsigned long long)r->wrong, (unsigned long long)r->lost,
                  (unsigned long long)r->unanswered, *r->refusal != '\0' ? "; the first: " : "",
                  r->refusal);
    if (r->unsent > 0)
        (void)say(YES, "%llu requests were due and not sent: the server did not keep up; they "
                  "count with the time they waited", (unsigned long long)r->unsent);
}

static void print(const struct bench_result *r, const struct histogram *all)
{
    const char *titles[5 + N_PERCENTILES] = { "REQUEST", ">COUNT", ">PER SECOND", ">HITS" };
    char hits[HUMAN_MAX];
    struct table *t;

    for (size_t i = 0; i < N_PERCENTILES; i++)
        titles[4 + i] = percentiles[i].title;
    titles[4 + N_PERCENTILES] = ">MAX";
    t = table_new(titles, 5 + N_PERCENTILES);
    human_share(hits, hit_ratio(r));
    if (r->n[BENCH_GET] > 0)
        add_row(t, "get", r, r->n[BENCH_GET], hits, &r->took[BENCH_GET]);
    if (r->n[BENCH_SET] > 0)
        add_row(t, "set", r, r->n[BENCH_SET], "-", &r->took[BENCH_SET]);
    add_row(t, "all", r, r->n[BENCH_GET] + r->n[BENCH_SET], r->n[BENCH_GET] > 0 ? hits : "-", all);
    table_end(t);
}

static json_t *part_json(const struct bench_result *r, uint64_t n, const struct histogram *h)
{
    json_t *o = json_pack("{s:I, s:f}", "count", (json_int_t)n, "per_second", per_second(r, n));

    for (size_t i = 0; i < N_PERCENTILES; i++)
        (void)json_object_set_new(o, percentiles[i].name, json_real(
            ms(histogram_percentile(h, percentiles[i].percent))));
    (void)json_object_set_new(o, "max_ms", json_real(ms(histogram_max(h))));
    return o;
}

static int print_json(int rc, const struct ctl *ctl, const struct bench_plan *p,
                      const struct bench_result *r, const struct histogram *all)
{
    return say_json(rc, json_pack(
        "{s:s, s:I, s:I, s:I, s:f, s:o, s:o, s:o, s:f, s:{s:I, s:I, s:I, s:I}, s:s*, s:I}",
        "server", ctl->server, "clients", (json_int_t)p->clients, "depth", (json_int_t)p->depth,
        "rate", (json_int_t)p->rate, "seconds", r->seconds,
        "get", part_json(r, r->n[BENCH_GET], &r->took[BENCH_GET]),
        "set", part_json(r, r->n[BENCH_SET], &r->took[BENCH_SET]),
        "all", part_json(r, r->n[BENCH_GET] + r->n[BENCH_SET], all), "hit_ratio", hit_ratio(r),
        "errors", "refused", (json_int_t)r->refused, "wrong", (json_int_t)r->wrong,
        "lost", (json_int_t)r->lost, "unanswered", (json_int_t)r->unanswered,
        "first_error", *r->refusal != '\0' ? r->refusal : NULL,
        "unsent", (json_int_t)r->unsent));
}

static int show(const struct ctl *ctl, const struct bench_plan *p, const struct bench_result *r)
{
    struct histogram *all = xzalloc(sizeof(*all));
    const int rc = n_errors(r) > 0 ? NO : YES;

    sum(r, all);
    if (ctl->json)
        (void)print_json(rc, ctl, p, r, all);
    else
        print(r, all);
    free(all);
    tell_errors(r);
    return rc;
}

int bench(const struct ctl *ctl, char **argv)
{
    struct bench_result *filled = xzalloc(sizeof(*filled)), *result = xzalloc(sizeof(*result));
    struct bench_plan plan;
    int rc = bench_plan_read(&plan, ctl);

    (void)argv;
    bench_load_catch();
    if (rc == YES && plan.fill && (rc = run(ctl, &plan, true, filled)) == YES
        && n_errors(filled) > 0) {
        (void)say(NO, "not all keys could be set before:");
        tell_errors(filled);
    }
    if (rc == YES && (rc = run(ctl, &plan, false, result)) == YES)
        rc = show(ctl, &plan, result);
    free(filled);
    free(result);
    return rc;
}
