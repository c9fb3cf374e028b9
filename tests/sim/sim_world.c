#include "sim_world.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sim_parts.h"

#define LINE_MAX_BYTES 512
#define LOOK_NS 20              /* at the clock */

/* history */

void sim_mix(struct sim *s, uint64_t value)
{
    s->digest = (s->digest ^ value) * 0x9e3779b97f4a7c15u;
    s->digest ^= s->digest >> 29;
}

void sim_mix_bytes(struct sim *s, const void *data, size_t len)
{
    const char *p = data;
    uint64_t word;

    for (; len >= sizeof(word); p += sizeof(word), len -= sizeof(word)) {
        memcpy(&word, p, sizeof(word));
        sim_mix(s, word);
    }
    word = len;
    memcpy((char *)&word + 1, p, len);
    sim_mix(s, word);
}

uint64_t sim_digest(const struct sim *s)
{
    return s->digest;
}

uint64_t sim_n_events(const struct sim *s)
{
    return s->n_events;
}

void sim_trace(struct sim *s, FILE *to)
{
    s->trace = to;
}

void sim_note(struct sim *s, const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    sim_mix(s, (uint64_t)s->now_ns);
    sim_mix_bytes(s, line, strlen(line));
    if (s->trace != NULL)
        fprintf(s->trace, "%.6f %s\n", (double)s->now_ns / 1e9, line);
}

/* time */

void sim_add_event(struct sim *s, int64_t at_ns, void (*fn)(void *what, int64_t at_ns), void *what)
{
    const uint64_t tie = chance_next(&s->order);

    sim_events_add(&s->events, (struct event){ .at_ns = at_ns, .tie = tie, .fn = fn,
                                               .what = what });
}

int64_t sim_now_ns(const struct sim *s)
{
    return s->now_ns;
}

int64_t sim_now_ms(const struct sim *s)
{
    return s->now_ns / MS;
}

bool sim_run_until(struct sim *s, int64_t ms, bool (*done)(void *arg), void *arg)
{
    const int64_t until_ns = s->now_ns + ms * MS;
    struct event e;

    while (sim_events_take(&s->events, until_ns, &e)) {
        s->now_ns = e.at_ns;
        s->n_events++;
        e.fn(e.what, e.at_ns);
        if (done != NULL && done(arg))
            return true;
    }
    s->now_ns = until_ns;
    return false;
}

void sim_run(struct sim *s, int64_t ms)
{
    sim_run_until(s, ms, NULL, NULL);
}

struct call {
    void (*fn)(void *arg);
    void *arg;
};

static void on_call(void *what, int64_t at_ns)
{
    struct call c = *(struct call *)what;

    (void)at_ns;
    free(what);
    c.fn(c.arg);
}

void sim_call(struct sim *s, int64_t after_ms, void (*fn)(void *arg), void *arg)
{
    struct call *c = xmalloc(sizeof(*c));

    *c = (struct call){ fn, arg };
    sim_add_event(s, s->now_ns + after_ms * MS, on_call, c);
}

uint64_t sim_pick(struct sim *s, uint64_t n)
{
    return chance_below(&s->picks, n);
}

/* a node's clocks and chance */

static int64_t clock_at(const struct host *h, int64_t at_ns)
{
    const int64_t passed_ns = at_ns - h->clock_at_ns;

    return h->clock_ns + passed_ns + passed_ns / 1000 * h->ppm / 1000;
}

int64_t host_clock_in(const struct host *h, int64_t from_ns, int64_t after_ns)
{
    const int64_t rate = 1000000 + h->ppm, shown_ns = clock_at(h, from_ns) + after_ns;
    int64_t at_ns = from_ns + after_ns / rate * 1000000 + after_ns % rate * 1000000 / rate;

    while (clock_at(h, at_ns) < shown_ns)
        at_ns += US;
    return at_ns;
}

static int64_t mono_ns(struct world *w)
{
    struct host *h = host_of(w);

    if (h->in_turn) {
        host_spend(h, LOOK_NS);
        if (h->stall_one_in > 0 && chance_below(&h->sim->order, h->stall_one_in) == 0)
            host_spend(h, (int64_t)chance_below(&h->sim->order,
                                                (uint64_t)(h->stall_max_ms * MS)));
    }
    return clock_at(h, host_now(h));
}

static int64_t wall_ms(struct world *w)
{
    struct host *h = host_of(w);
    const int64_t passed_ns = clock_at(h, host_now(h)) - clock_at(h, 0);

    return WALL_START_MS + h->wall_ahead_ms + passed_ns / MS;
}

static void random_bytes(struct world *w, void *out, size_t len)
{
    chance_fill(&host_of(w)->chance, out, len);
}

static const struct world_ops sim_ops = {
    mono_ns, wall_ms, random_bytes,
    sim_listen, sim_accept, sim_connect, sim_connect_result, sim_recv, sim_sendv, sim_shut, sim_close,
    sim_peer_name, sim_load, sim_save,
    sim_loop_new, sim_loop_free, sim_loop_turn, sim_loop_wake,
    sim_watch_new, sim_watch_set, sim_watch_free,
    sim_timer_new, sim_timer_set, sim_timer_free,
};

/* the simulation and its nodes */

struct sim *sim_new(uint64_t seed)
{
    struct sim *s = xzalloc(sizeof(*s));
    struct chance seeds = { seed };

    s->order.state = chance_next(&seeds);
    s->net.state = chance_next(&seeds);
    s->picks.state = chance_next(&seeds);
    s->digest = seed;
    s->conns_end = &s->conns;
    return s;
}

static void host_free(struct host *h)
{
    sim_files_free(h);
    free(h->socks);
    free(h);
}

void sim_free(struct sim *s)
{
    struct event e;

    for (unsigned i = 0; i < s->n_hosts; i++)
        assert(s->hosts[i]->n_loops == 0);
    while (sim_events_take(&s->events, NEVER, &e)) {
        if (e.fn == on_call)
            free(e.what);
        else if (e.fn == sim_loop_on_turn)
            e.fn(e.what, e.at_ns);
    }
    sim_net_free(s);
    for (unsigned i = 0; i < s->n_hosts; i++)
        host_free(s->hosts[i]);
    sim_events_fini(&s->events);
    free(s);
}

struct world *sim_add_node(struct sim *s, const char *name)
{
    struct host *h = xzalloc(sizeof(*h));

    assert(s->n_hosts < SIM_NODES_MAX);
    *h = (struct host){ .world.ops = &sim_ops, .sim = s, .name = name, .id = s->n_hosts,
                        .up = true };
    h->chance.state = chance_next(&s->order);
    h->clock_ns = MS * (int64_t)(1000 + chance_below(&s->order, 1000000000));
    s->hosts[s->n_hosts++] = h;
    for (unsigned i = 0; i < s->n_hosts; i++) {
        sim_set_delay(&h->world, &s->hosts[i]->world, 20, i == h->id ? 40 : 200);
        sim_set_delay(&s->hosts[i]->world, &h->world, 20, i == h->id ? 40 : 200);
    }
    return &h->world;
}

void sim_crash(struct world *node, enum crash how)
{
    struct host *h = host_of(node);

    assert(h->up && !h->in_turn);
    sim_note(h->sim, "%s crashes%s", h->name, how == CRASH_MACHINE ? ", the machine too" : "");
    h->up = false;
    h->silent = how == CRASH_MACHINE;
    sim_net_crash(h);
    sim_files_crash(h);
    h->busy_until_ns = h->frozen_until_ns = 0;
}

void sim_start(struct world *node)
{
    struct host *h = host_of(node);

    assert(!h->up && h->n_loops == 0);
    for (int fd = 0; fd < h->n_socks; fd++)
        assert(!h->socks[fd].open);
    sim_note(h->sim, "%s starts", h->name);
    h->up = true;
    h->silent = false;
    sim_net_release(h->sim);
}

bool sim_is_up(const struct world *node)
{
    return ((const struct host *)node)->up;
}

void sim_freeze(struct world *node, int64_t ms)
{
    struct host *h = host_of(node);
    const int64_t until_ns = h->sim->now_ns + ms * MS;

    sim_note(h->sim, "%s freezes for %lld ms", h->name, (long long)ms);
    if (h->frozen_until_ns < until_ns)
        h->frozen_until_ns = until_ns;
}

void sim_set_stalls(struct world *node, unsigned one_in, int64_t max_ms)
{
    assert(one_in == 0 || max_ms > 0);
    host_of(node)->stall_one_in = one_in;
    host_of(node)->stall_max_ms = max_ms;
}

void sim_set_clock(struct world *node, int64_t wall_ahead_ms, int ppm)
{
    struct host *h = host_of(node);
    const int64_t now_ns = host_now(h);

    assert(ppm >= -1000 && ppm <= 1000);
    h->clock_ns = clock_at(h, now_ns);
    h->clock_at_ns = now_ns;
    h->wall_ahead_ms = wall_ahead_ms;
    h->ppm = ppm;
}

void sim_set_disk(struct world *node, int64_t min_ms, int64_t max_ms, int error)
{
    struct host *h = host_of(node);

    assert(min_ms <= max_ms);
    h->disk_min_ms = min_ms;
    h->disk_max_ms = max_ms;
    h->disk_error = error;
}
