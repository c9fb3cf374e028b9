#include "ctl/bench_plan.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "ctl/options.h"

#define SIZE_MOST (1u << 20)
#define IN_FLIGHT_MOST (1u << 30)       /* bytes of all clients */
#define DURATION_MOST_MS ((int64_t)24 * 3600 * 1000)

/* ---- what was asked ------------------------------------------------------- */

/* "100", "100-2000", "1k" */
static int read_size(struct bench_plan *p, const char *text)
{
    const size_t len = text != NULL ? strcspn(text, "-") : 0;
    uint64_t least, most;

    if (text == NULL)
        return YES;
    if (!num_parse_size(text, len, &least)
        || !num_parse_size(text[len] == '-' ? text + len + 1 : text, strlen(text)
                           - (text[len] == '-' ? len + 1 : 0), &most)
        || least > most || most > SIZE_MOST)
        return say(EX_USAGE, "read the size \"%s\", expected bytes like 100, 1k or 10-500, up to "
                   "1m", text);
    p->least = (uint32_t)least;
    p->most = (uint32_t)most;
    return YES;
}

/* "9:1" */
static int read_ratio(struct bench_plan *p, const char *text)
{
    const size_t len = text != NULL ? strcspn(text, ":") : 0;

    if (text == NULL)
        return YES;
    if (text[len] != ':' || !num_parse_u32(text, len, &p->gets)
        || !num_parse_u32(text + len + 1, strlen(text + len + 1), &p->sets)
        || p->gets > 1000000 || p->sets > 1000000 || p->gets + p->sets == 0)
        return say(EX_USAGE, "read the ratio \"%s\", expected gets and sets, like 9:1", text);
    return YES;
}

static int read_amounts(struct bench_plan *p, const struct ctl *ctl)
{
    uint32_t requests = 0;
    int rc;

    if ((rc = options_number(ctl->clients, "clients", 1, 1000, &p->clients)) != YES
        || (rc = options_number(ctl->depth, "depth", 1, 1000, &p->depth)) != YES
        || (rc = options_number(ctl->keys, "keys", 1, 1000000000, &p->n_keys)) != YES
        || (rc = options_number(ctl->rate, "rate", 1, 10000000, &p->rate)) != YES
        || (rc = options_number(ctl->requests, "requests", 1, UINT32_MAX, &requests)) != YES)
        return rc;
    p->requests = requests;
    return YES;
}

static void prepare_zipf(struct bench_plan *p);

int bench_plan_read(struct bench_plan *p, const struct ctl *ctl)
{
    int rc;

    *p = (struct bench_plan){ .clients = 10, .depth = 1, .least = 100, .most = 100, .gets = 9,
                              .sets = 1, .n_keys = 10000, .ttl = 600, .fill = !ctl->no_fill,
                              .duration_ms = ctl->requests != NULL ? DURATION_MOST_MS : 10000,
                              .chance = 1 };
    if ((rc = read_amounts(p, ctl)) != YES || (rc = read_size(p, ctl->size)) != YES
        || (rc = read_ratio(p, ctl->ratio)) != YES
        || (rc = options_decimal(ctl->zipf, "exponent", 10, &p->zipf)) != YES
        || (rc = options_duration(ctl->duration, "duration", DURATION_MOST_MS,
                                  &p->duration_ms)) != YES
        || (p->duration_ms == 0 && (rc = say(EX_USAGE, "read the duration \"%s\", expected more than "
                                             "none", ctl->duration)) != YES)
        || (rc = options_ttl(ctl->ttl, &p->ttl)) != YES)
        return rc;
    if ((uint64_t)p->clients * p->depth * p->most > IN_FLIGHT_MOST)
        return say(EX_USAGE, "%u clients with %u requests of %u bytes each are more than 1 GiB in "
                   "flight", p->clients, p->depth, p->most);
    prepare_zipf(p);
    return YES;
}

/* ---- what comes next ------------------------------------------------------ */

/* SplitMix64 (Steele, Lea and Flood, 2014): the same load each time. */
static uint64_t mix(uint64_t v)
{
    v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9;
    v = (v ^ v >> 27) * 0x94d049bb133111eb;
    return v ^ v >> 31;
}

static double draw(struct bench_plan *p)
{
    return (double)(mix(p->chance += 0x9e3779b97f4a7c15) >> 11) / 9007199254740992.0;
}

/*
 * Zipf by rejection-inversion (Hörmann and Derflinger, 1996): the k-th key comes
 * up in proportion to h(k) = k^-s.  H is an integral of h; a point under its
 * curve is drawn, and taken if it lies in the bar of the key next to it.
 */
static double integral(const struct bench_plan *p, double x)
{
    const double e = 1 - p->zipf, log_x = log(x);

    return fabs(e) < 1e-9 ? log_x : expm1(e * log_x) / e;
}

static double inverse(const struct bench_plan *p, double y)
{
    const double e = 1 - p->zipf;

    return fabs(e) < 1e-9 ? exp(y) : exp(log1p(e * y) / e);
}

static double height(const struct bench_plan *p, double k)
{
    return exp(-p->zipf * log(k));
}

static void prepare_zipf(struct bench_plan *p)
{
    p->h_first = integral(p, 1.5) - 1;
    p->h_last = integral(p, p->n_keys + 0.5);
    p->cut = 2 - inverse(p, integral(p, 2.5) - height(p, 2));
}

static uint32_t draw_zipf(struct bench_plan *p)
{
    for (;;) {
        const double u = p->h_last + draw(p) * (p->h_first - p->h_last);
        const double x = inverse(p, u);
        double k = floor(x + 0.5);

        if (k < 1)
            k = 1;
        if (k > p->n_keys)
            k = p->n_keys;
        if (k - x <= p->cut || u >= integral(p, k + 0.5) - height(p, k))
            return (uint32_t)k - 1;
    }
}

uint32_t bench_plan_key(struct bench_plan *p)
{
    return p->zipf > 0 ? draw_zipf(p) : (uint32_t)(draw(p) * p->n_keys);
}

bool bench_plan_is_get(struct bench_plan *p)
{
    return draw(p) * (p->gets + p->sets) < p->gets;
}

uint32_t bench_plan_bytes(const struct bench_plan *p, uint32_t key)
{
    return p->least + (uint32_t)(mix(key + 1) % (p->most - p->least + 1));
}

size_t bench_plan_name(const struct bench_plan *p, uint32_t key, char *out)
{
    return (size_t)snprintf(out, BENCH_KEY_MAX, "bench:%u-%u:%u", p->least, p->most, key);
}
