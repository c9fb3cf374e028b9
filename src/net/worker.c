#include "net/worker.h"

#include <malloc.h>
#include <string.h>

#include "base/log.h"
#include "net/session.h"

#define AHEAD_ENOUGH 24         /* commands: less room is not worth a look */
#define LOOK_MS 1000            /* between two looks for slow clients */
#define TRIM_BYTES ((size_t)16 << 20)   /* a burst of so much is given back to the kernel */

/*
 * A burst has passed: malloc keeps what it was given back unless it is told.
 * Where items are kept that would take long.
 */
static void trim(struct worker *w)
{
    const size_t peak = w->pool.peak_bytes;

    if (w->config->keeps_items || peak < TRIM_BYTES || w->pool.bytes_out > peak / 4)
        return;
    malloc_trim(0);
    w->pool.peak_bytes = w->pool.bytes_out;
}

static void on_look(void *arg)
{
    struct worker *w = arg;

    for (struct session *s = w->sessions; s != NULL; s = s->next)
        session_look(s);
    trim(w);
    w->world->ops->timer_set(w->look, LOOK_MS);
}

static void init(struct worker *w, unsigned id, struct world *world,
                 const struct net_config *config, const struct handler *handler)
{
    memset(w, 0, sizeof(*w));
    w->id = id;
    w->world = world;
    w->config = config;
    w->handler = handler;
    w->wall_offset_ms = world->ops->wall_ms(world) - world->ops->mono_ns(world) / 1000000;
    w->mail_last = &w->mail_first;
    chunk_pool_init(&w->pool);
    pthread_mutex_init(&w->mail_lock, NULL);
}

bool worker_init(struct worker *w, unsigned id, struct world *world,
                 const struct net_config *config, const struct handler *handler)
{
    init(w, id, world, config, handler);
    w->loop = world->ops->loop_new(world, handler->restless);
    if (!latency_init(&w->latency, world) || w->loop == NULL)
        return false;
    w->look = world->ops->timer_new(w->loop, on_look, w);
    if (w->look == NULL)
        return false;
    world->ops->timer_set(w->look, LOOK_MS);
    return true;
}

/* Nobody is slow there: it needs no look. */
bool worker_init_guest(struct worker *w, unsigned id, struct worker *host,
                       const struct handler *handler)
{
    init(w, id, host->world, host->config, handler);
    w->loop = host->loop;
    w->is_guest = true;
    host->guest = w;
    return latency_init(&w->latency, w->world);
}

void worker_fini(struct worker *w)
{
    struct session *s;

    while ((s = w->sessions) != NULL)
        session_free(s);
    slots_free_texts(w);
    chunk_pool_fini(&w->pool);
    latency_fini(&w->latency);
    if (w->look != NULL)
        w->world->ops->timer_free(w->look);
    if (w->loop != NULL && !w->is_guest)
        w->world->ops->loop_free(w->loop);
    pthread_mutex_destroy(&w->mail_lock);
}

void worker_post(struct worker *w, struct mail *m)
{
    m->next = NULL;
    pthread_mutex_lock(&w->mail_lock);
    *w->mail_last = m;
    w->mail_last = &m->next;
    pthread_mutex_unlock(&w->mail_lock);
    __atomic_store_n(&w->has_mail, true, __ATOMIC_RELEASE);
    w->world->ops->loop_wake(w->loop);
}

void worker_read_mail(struct worker *w)
{
    struct mail *m, *next;

    if (!__atomic_exchange_n(&w->has_mail, false, __ATOMIC_ACQUIRE))
        return;
    pthread_mutex_lock(&w->mail_lock);
    m = w->mail_first;
    w->mail_first = NULL;
    w->mail_last = &w->mail_first;
    pthread_mutex_unlock(&w->mail_lock);
    for (; m != NULL; m = next) {
        next = m->next;
        m->read(w, m);
    }
}

/* Some sessions, as many as have room ahead; `*at` moves behind them. */
static void run_some(struct worker *w, unsigned *at, unsigned n)
{
    unsigned end = *at;

    for (w->ahead.n = 0; end < n && w->ahead.n < AHEAD_ENOUGH; end++)
        session_look_ahead(w->ready[end]);
    worker_foresee(w, &w->ahead);
    for (; *at < end; ++*at) {
        w->ready[*at]->in_run = false;
        if (!w->ready[*at]->closed)
            session_run(w->ready[*at]);
    }
}

static void run_ready(struct worker *w)
{
    const unsigned n = w->n_ready;

    w->n_ready = 0;
    for (unsigned at = 0; at < n;)
        run_some(w, &at, n);
    for (unsigned i = 0; i < n; i++)
        if (!w->ready[i]->closed)
            session_send(w->ready[i]);
}

void worker_add_ready(struct worker *w, struct session *s)
{
    w->ready[w->n_ready++] = s;
    if (w->n_ready == READY_MAX)
        run_ready(w);
}

static void run_sessions(struct worker *w)
{
    struct session *s = w->run.first, *next;

    w->run = (struct session_list){ NULL, NULL };
    for (; s != NULL; s = next) {
        next = s->run_next;
        s->in_run = false;
        if (!s->closed) {
            session_run(s);
            session_send(s);
        }
    }
}

static void flush_sessions(struct worker *w)
{
    struct session *s;

    /* flushing one may make others ready: they join the end of the list */
    while ((s = w->flush.first) != NULL) {
        w->flush.first = s->flush_next;
        if (w->flush.first == NULL)
            w->flush.last = NULL;
        s->in_flush = false;
        if (!s->closed)
            session_flush(s);
    }
}

/* The pool knows of more than answers: a reason to count, not to act. */
static size_t count_unsent(const struct worker *w)
{
    size_t unsent = 0;

    if (w->pool.bytes_out <= w->config->output_limit_bytes)
        return 0;
    for (const struct session *s = w->sessions; s != NULL; s = s->next)
        unsent += s->closed ? 0 : s->out.bytes;
    return unsent;
}

static struct session *greediest(struct worker *w)
{
    struct session *worst = NULL;

    for (struct session *s = w->sessions; s != NULL; s = s->next)
        if (!s->closed && s->output_full && (worst == NULL || s->out.bytes > worst->out.bytes))
            worst = s;
    return worst;
}

/* Too many answers wait for clients that do not read: the greediest go. */
static void keep_output_limit(struct worker *w)
{
    struct session *worst;

    w->unsent_bytes = count_unsent(w);
    while (worker_is_over(w) && (worst = greediest(w)) != NULL) {
        STAT_ADD(&w->stats, idle_kicks, 1);
        log_warn("net", "closing a client that does not read its answers, they are over "
                 "--output-limit fd=%d unsent=%zu", worst->fd, worst->out.bytes);
        w->unsent_bytes -= worst->out.bytes;
        session_close(worst);
    }
}

static void reap(struct worker *w)
{
    struct session *s, *next, *keep = NULL;

    for (s = w->closed; s != NULL; s = next) {
        next = s->closed_next;
        if (s->in_run || s->in_flush) {     /* the lists let go of it first */
            s->closed_next = keep;
            keep = s;
        } else {
            session_free(s);
        }
    }
    w->closed = keep;
}

static void end_turn(struct worker *w)
{
    w->handler->turn_end(w);
    flush_sessions(w);
    w->handler->turn_end(w);    /* what an answer that was flushed asked for anew */
    latency_turn_end(&w->latency);
    keep_output_limit(w);
    reap(w);
    chunk_unref(w->kept);
    w->kept = NULL;
}

static void look_settled(struct worker *w)
{
    const struct session *s = w->sessions;

    while (s != NULL && session_can_move(s))
        s = s->next;
    __atomic_store_n(&w->settled, s == NULL, __ATOMIC_RELEASE);
}

static void guest_turn(struct worker *w)
{
    worker_read_mail(w);
    end_turn(w);
    w->now_known = false;       /* it wakes in the next one */
}

void worker_turn(struct worker *w, bool poll)
{
    w->now_known = false;
    w->world->ops->loop_turn(w->loop, poll || w->run.first != NULL || w->flush.first != NULL);
    run_ready(w);
    worker_read_mail(w);
    run_sessions(w);
    end_turn(w);
    if (w->guest != NULL)
        guest_turn(w->guest);
    if (w->stopping && w->sessions == NULL)
        __atomic_store_n(&w->drained, true, __ATOMIC_RELEASE);
    if (w->leaving)
        look_settled(w);
}

void worker_run(struct worker *w)
{
    while (!w->stopped)
        worker_turn(w, false);
    w->stopped = false;         /* it may run once more */
}

bool worker_is_drained(struct worker *w)
{
    return __atomic_load_n(&w->drained, __ATOMIC_ACQUIRE);
}

static void on_drain(struct worker *w, struct mail *m)
{
    (void)m;
    w->stopping = true;
    w->leaving = false;
    for (struct session *s = w->sessions; s != NULL; s = s->next)
        session_drain(s);
}

static void on_stop(struct worker *w, struct mail *m)
{
    (void)m;
    w->stopped = true;
}

void worker_drain(struct worker *w)
{
    w->drain.read = on_drain;
    worker_post(w, &w->drain);
}

void worker_stop(struct worker *w)
{
    w->stop.read = on_stop;
    worker_post(w, &w->stop);
}

static void on_leave(struct worker *w, struct mail *m)
{
    (void)m;
    w->leaving = true;
    for (struct session *s = w->sessions; s != NULL; s = s->next)
        session_leave(s);
}

void worker_leave(struct worker *w)
{
    w->leave.read = on_leave;
    worker_post(w, &w->leave);
}

bool worker_is_settled(struct worker *w)
{
    return __atomic_load_n(&w->settled, __ATOMIC_ACQUIRE);
}

void worker_stay(struct worker *w)
{
    w->leaving = w->settled = false;
    for (struct session *s = w->sessions; s != NULL; s = s->next)
        session_stay(s);
}

static void on_pulse(struct worker *w, struct mail *m)
{
    (void)m;
    __atomic_store_n(&w->asked, false, __ATOMIC_RELEASE);
}

void worker_ask_pulse(struct worker *w)
{
    if (__atomic_exchange_n(&w->asked, true, __ATOMIC_ACQ_REL))
        return;
    w->pulse.read = on_pulse;
    worker_post(w, &w->pulse);
}

bool worker_has_pulse(struct worker *w)
{
    return !__atomic_load_n(&w->asked, __ATOMIC_ACQUIRE);
}
