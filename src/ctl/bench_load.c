#include "ctl/bench_load.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "ctl/bench_client.h"
#include "ctl/table.h"

#define SECOND ((int64_t)1000000000)
#define LOOK_MS 100             /* nobody has to be asked for longer */
#define DRAIN_NS (2 * SECOND)   /* for what is in flight at the end */
#define PATIENCE_NS (10 * SECOND)       /* without any answer */
#define EVENTS 256

struct load {
    struct bench_plan *plan;
    const char *server;
    struct bench_client *clients;       /* owned */
    struct bench_result *result;
    int epoll, timer;
    bool fill, stopped;
    uint64_t n_begun;           /* requests, unsent ones too */
    uint64_t n_all;             /* 0: no end */
    uint32_t n_in_flight, n_lost, turn;
    int64_t begun_ns, end_ns, now_ns;
    int64_t answered_ns, alive_ns;      /* the last answer; nothing in flight, or that */
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

void bench_load_catch(void)
{
    struct sigaction action = { .sa_handler = on_interrupt };

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static int64_t clock_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

/* ---- connections ---------------------------------------------------------- */

static int connect_client(struct load *l, struct bench_client *c)
{
    struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
    int rc = bench_client_open(c, l->plan, l->server);

    if (rc != YES || epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->conn.fd, &e) == 0)
        return rc;
    rc = conn_lost(&c->conn);
    bench_client_close(c);
    return rc;
}

static void note(struct load *l, const char *words)
{
    char *clean;

    if (l->result->refusal[0] != '\0')
        return;
    clean = table_clean(words);
    snprintf(l->result->refusal, sizeof(l->result->refusal), "%s", clean);
    free(clean);
}

static void lose(struct load *l, struct bench_client *c)
{
    note(l, say_why());
    l->result->lost += c->n > 0 ? c->n : 1;
    l->n_in_flight -= c->n;
    l->n_lost++;
    bench_client_close(c);
    c->retry_at_ns = l->now_ns + SECOND;
}

/* One at a time: to connect may take long where nobody answers. */
static void retry_one(struct load *l)
{
    for (uint32_t i = 0; l->n_lost > 0 && i < l->plan->clients; i++) {
        struct bench_client *c = &l->clients[i];

        if (c->conn.fd >= 0 || l->now_ns < c->retry_at_ns)
            continue;
        say_hush(UNREACHED);
        l->n_lost -= connect_client(l, c) == YES;
        say_hush(-1);
        c->retry_at_ns = clock_ns() + SECOND;
        return;
    }
}

/* ---- requests ------------------------------------------------------------- */

static bool may_begin(struct load *l)
{
    if (!l->stopped && (interrupted || l->now_ns >= l->end_ns
                        || (l->n_all > 0 && l->n_begun >= l->n_all))) {
        l->stopped = true;
        if (l->end_ns > l->now_ns)
            l->end_ns = l->now_ns;
    }
    return !l->stopped;
}

static bool is_free(const struct load *l, const struct bench_client *c)
{
    return c->conn.fd >= 0 && c->n < l->plan->depth;
}

static void begin(struct load *l, struct bench_client *c, int64_t due_ns)
{
    struct bench_request r = { .due_ns = due_ns };

    if (l->fill) {
        r.key = (uint32_t)l->n_begun;
    } else {
        r.is_get = bench_plan_is_get(l->plan);
        r.key = bench_plan_key(l->plan);
    }
    bench_client_put(c, l->plan, &r);
    if (l->n_in_flight == 0)
        l->alive_ns = l->now_ns;
    l->n_begun++;
    l->n_in_flight++;
}

/* Closed loop: as many as it may have. */
static void top_up(struct load *l, struct bench_client *c)
{
    if (l->plan->rate > 0 && !l->fill)
        return;
    while (is_free(l, c) && may_begin(l))
        begin(l, c, l->now_ns);
}

/* Open loop: when the next is due. */
static int64_t next_due(const struct load *l)
{
    return l->begun_ns + (int64_t)((double)l->n_begun * (double)SECOND / l->plan->rate);
}

/* Those that are due, each to the next client that is free. */
static void begin_due(struct load *l)
{
    const uint32_t most = l->plan->clients;
    uint32_t busy = 0;

    while (busy < most && may_begin(l) && next_due(l) <= l->now_ns) {
        struct bench_client *c = &l->clients[l->turn++ % most];

        busy = is_free(l, c) ? 0 : busy + 1;
        if (busy == 0)
            begin(l, c, next_due(l));
    }
}

static void arm_timer(struct load *l)
{
    const int64_t at = next_due(l);
    struct itimerspec when = { .it_value = { at / SECOND, at % SECOND } };

    (void)timerfd_settime(l->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

/* What a socket does not take now is sent when it says that it would. */
static void flush(struct load *l, struct bench_client *c)
{
    struct epoll_event e = { .data.ptr = c };
    bool waits;

    if (!bench_client_flush(c)) {
        lose(l, c);
        return;
    }
    waits = c->out_at < c->out_end;
    if (waits == c->waits)
        return;
    e.events = waits ? EPOLLIN | EPOLLOUT : EPOLLIN;
    (void)epoll_ctl(l->epoll, EPOLL_CTL_MOD, c->conn.fd, &e);
    c->waits = waits;
}

static void flush_all(struct load *l)
{
    for (uint32_t i = 0; i < l->plan->clients; i++)
        if (l->clients[i].conn.fd >= 0)
            flush(l, &l->clients[i]);
}

/* ---- answers -------------------------------------------------------------- */

static void told(void *arg, const struct bench_request *r, enum bench_outcome outcome, char *line)
{
    struct load *l = arg;
    struct bench_result *result = l->result;

    l->n_in_flight--;
    l->answered_ns = l->alive_ns = l->now_ns;
    if (outcome == BENCH_REFUSED) {
        result->refused++;
        note(l, line);
        return;
    }
    result->wrong += outcome == BENCH_WRONG;
    result->hits += r->is_hit;
    result->n[r->is_get ? BENCH_GET : BENCH_SET]++;
    histogram_add(&result->took[r->is_get ? BENCH_GET : BENCH_SET],
                  (uint64_t)(l->now_ns - r->due_ns), 1);
}

static void serve(struct load *l, struct bench_client *c)
{
    l->now_ns = clock_ns();
    if (!bench_client_read(c, l->plan, told, l)) {
        lose(l, c);
        return;
    }
    top_up(l, c);
}

/* Those that nobody was free for; each has waited at least that long.  What was due
 * in the last millisecond may just not have been looked at. */
static void count_unsent(struct load *l)
{
    if (l->plan->rate == 0 || l->fill)
        return;
    while (next_due(l) < l->end_ns - SECOND / 1000 && (l->n_all == 0 || l->n_begun < l->n_all)) {
        const int kind = bench_plan_is_get(l->plan) ? BENCH_GET : BENCH_SET;

        histogram_add(&l->result->took[kind], (uint64_t)(l->end_ns - next_due(l)), 1);
        l->result->unsent++;
        l->n_begun++;
    }
}

/* ---- the loop ------------------------------------------------------------- */

static void turn(struct load *l)
{
    struct epoll_event events[EVENTS];
    uint64_t times;
    int n;

    l->now_ns = clock_ns();
    retry_one(l);
    for (uint32_t i = 0; i < l->plan->clients; i++)
        top_up(l, &l->clients[i]);
    if (l->plan->rate > 0 && !l->fill) {
        begin_due(l);
        arm_timer(l);
    }
    flush_all(l);
    n = epoll_wait(l->epoll, events, EVENTS, l->n_in_flight == 0 && l->stopped ? 0 : LOOK_MS);
    for (int i = 0; i < n; i++) {
        struct bench_client *c = events[i].data.ptr;

        if (c == NULL)
            (void)!read(l->timer, &times, sizeof(times));
        else if (c->conn.fd >= 0 && (events[i].events & ~(uint32_t)EPOLLOUT) != 0)
            serve(l, c);
    }
    l->now_ns = clock_ns();
}

/* How it ends, in *rc. */
static bool goes_on(struct load *l, int *rc)
{
    *rc = YES;
    if (!may_begin(l))
        return l->n_in_flight > 0 && l->now_ns < l->end_ns + DRAIN_NS;
    if (l->now_ns - l->alive_ns < PATIENCE_NS || (l->n_in_flight == 0 && l->n_lost == 0))
        return true;
    *rc = say(UNREACHED, "%s: no answer for 10 s", l->server);
    return false;
}

static int run(struct load *l, void (*each_second)(const struct bench_result *, void *arg),
               void *arg)
{
    int64_t second = SECOND;
    int rc = YES;

    l->now_ns = l->begun_ns = l->answered_ns = l->alive_ns = clock_ns();
    l->end_ns = l->begun_ns + l->plan->duration_ms * (SECOND / 1000);
    if (l->fill)
        l->end_ns = INT64_MAX - DRAIN_NS;
    while (goes_on(l, &rc)) {
        turn(l);
        l->result->seconds = (double)((l->stopped ? l->answered_ns : l->now_ns) - l->begun_ns)
                             / (double)SECOND;
        if (each_second != NULL && l->now_ns - l->begun_ns >= second) {
            each_second(l->result, arg);
            second += SECOND;
        }
    }
    l->result->unanswered += l->n_in_flight;
    count_unsent(l);
    return rc;
}

static int prepare(struct load *l)
{
    struct epoll_event e = { .events = EPOLLIN };
    int rc = YES;

    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (l->epoll < 0 || l->timer < 0
        || epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->timer, &e) != 0)
        return say(NO, "a load cannot be made: %s", strerror(errno));
    for (uint32_t i = 0; i < l->plan->clients && rc == YES; i++)
        rc = connect_client(l, &l->clients[i]);
    return rc;
}

int bench_load_run(struct bench_plan *p, const char *server, bool fill,
                   void (*each_second)(const struct bench_result *, void *arg), void *arg,
                   struct bench_result *result)
{
    struct load l = { .plan = p, .server = server, .fill = fill, .result = result,
                      .n_all = fill ? p->n_keys : p->requests,
                      .clients = xzalloc(p->clients * sizeof(*l.clients)) };
    int rc;

    for (uint32_t i = 0; i < p->clients; i++)
        l.clients[i].conn.fd = -1;
    rc = prepare(&l);
    if (rc == YES)
        rc = run(&l, each_second, arg);
    for (uint32_t i = 0; i < p->clients; i++)
        bench_client_free(&l.clients[i]);
    free(l.clients);
    if (l.timer >= 0)
        close(l.timer);
    if (l.epoll >= 0)
        close(l.epoll);
    return rc;
}
