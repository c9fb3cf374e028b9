#include "sim_crowd.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../history/talk.h"
#include "../history/value.h"
#include "../lib/chance.h"
#include "base/mem.h"

#define DEPTH_MAX 32
#define AGAIN_MS 20             /* what failed is tried again after this */
#define LATE_MS 100             /* what waits for so long is asked by others too */
#define HOT_MS 200              /* a key is liked for so long */
#define MOST_PIECES 12
#define RECV_BYTES 65536

/* An operation in flight. */
struct flight {
    struct said said;
    int64_t begun_ms;
    int64_t late_ms;            /* then others are to try, and again after LATE_MS */
    bool in_window;             /* begun while a miss was allowed */
};

struct player {
    struct crowd *crowd;
    unsigned number;
    unsigned front;             /* it is connected to, or tries next */
    int fd;                     /* -1: not connected */
    struct watch *watch;
    bool connected;
    struct flight flight[DEPTH_MAX];
    unsigned n_begun, n_ended;
    struct bytes in, out;
    int64_t due_us;             /* its next operation, or attempt to connect */
    struct history_op cas;      /* does this next, if its kind is CAS */
    uint64_t token;
};

/* What has failed: this key, to be read or written, from then on. */
struct retry {
    uint32_t key;
    bool read;
    int64_t due_us;
};

struct key_state {
    unsigned n_pieces;
    bool is_done;               /* in this pass */
    bool is_kept;               /* was filled, and nobody may take it away */
};

struct crowd {
    struct crowd_config config;
    struct world *world;
    struct loop *loop;
    struct timer *timer;
    struct chance chance;
    struct history *history;
    struct player *players;
    struct key_state *keys;
    struct retry *retries;
    size_t n_retries, max_retries;
    enum crowd_does does;
    unsigned front;             /* CROWD_READS: through this */
    uint32_t next_key;          /* CROWD_FILLS, CROWD_READS */
    uint32_t n_left;
    int64_t window_until_ms;
    bool in_window;
    uint64_t n_ended;
    int64_t slowest_ms;
};

static uint64_t pick(struct crowd *c, uint64_t n)
{
    return chance_below(&c->chance, n);
}

/* By the true time: it only measures. */
static int64_t now_ms(const struct crowd *c)
{
    return sim_now_ms(c->config.sim);
}

static int64_t now_us(const struct crowd *c)
{
    return sim_now_ns(c->config.sim) / 1000;
}

static unsigned in_flight(const struct player *p)
{
    return p->n_begun - p->n_ended;
}

/* ---- what to do ---- */

static bool is_counted(uint32_t key)
{
    return key % 8 == 7;
}

static bool is_deleted(uint32_t key)
{
    return key % 8 == 5;
}

static bool is_read(enum history_kind kind)
{
    return kind == HISTORY_GET || kind == HISTORY_GAT;
}

static enum history_kind kind_for(struct crowd *c, uint32_t key)
{
    const uint64_t dice = pick(c, 100);
    const unsigned n_pieces = c->keys[key].n_pieces;

    switch (key % 8) {
    default:
        return dice < 45 ? HISTORY_GET : dice < 50 ? HISTORY_GAT : dice < 55 ? HISTORY_TOUCH :
               dice < 60 ? HISTORY_ADD : dice < 70 ? HISTORY_REPLACE : HISTORY_SET;
    case 5:
        return dice < 40 ? HISTORY_GET : dice < 58 ? HISTORY_SET : dice < 75 ? HISTORY_ADD :
               dice < 80 ? HISTORY_DROP : dice < 85 ? HISTORY_TOUCH : HISTORY_DELETE;
    case 6:
        return dice < 35 ? HISTORY_GET : n_pieces > MOST_PIECES ? HISTORY_SET :
               dice < 80 ? HISTORY_APPEND : dice < 95 ? HISTORY_PREPEND : HISTORY_SET;
    case 7:
        return dice < 30 ? HISTORY_GET :
               dice < 60 && key / 8 % 2 == 1 ? HISTORY_DECR : HISTORY_INCR;
    }
}

static uint32_t some_bytes(struct crowd *c)
{
    const uint64_t most = pick(c, 8) == 0 ? c->config.most_bytes : 200;

    return VALUE_MIN_BYTES + (uint32_t)pick(c, most);
}

static uint32_t len_of(struct crowd *c, const struct history_op *op)
{
    switch (op->kind) {
    case HISTORY_DROP:
        return c->config.too_large;
    case HISTORY_APPEND:
    case HISTORY_PREPEND:
        return VALUE_MIN_BYTES + (uint32_t)pick(c, 30);
    default:
        return some_bytes(c);
    }
}

static void begin(struct player *p, const struct history_op *op)
{
    struct crowd *c = p->crowd;
    struct flight *f = &p->flight[p->n_begun++ % DEPTH_MAX];
    struct said *said = &f->said;

    *said = (struct said){ .op = *op, .meta = pick(c, 2) == 0 };
    said->op.client = p->number;
    if (op->kind == HISTORY_SET && is_counted(op->key))
        said->op.counter = true;
    if (op->kind == HISTORY_INCR || op->kind == HISTORY_DECR)
        said->op.delta = 1 + (uint32_t)pick(c, 9);
    said->token = is_read(op->kind) && op->key % 8 <= 5 && pick(c, 3) == 0;
    f->begun_ms = now_ms(c);
    f->late_ms = f->begun_ms + LATE_MS;
    f->in_window = c->in_window;
    said->handle = history_begin(c->history, &said->op, f->begun_ms);
    talk_say(&p->out, said, c->history, CROWD_PREFIX, len_of(c, &said->op), p->token);
}

/* What failed goes first, the oldest of it. */
static bool take_retry(struct crowd *c, struct history_op *op)
{
    for (size_t i = 0; i < c->n_retries; i++) {
        const struct retry r = c->retries[i];

        if (r.due_us > now_us(c))
            continue;
        memmove(&c->retries[i], &c->retries[i + 1],
                (--c->n_retries - i) * sizeof(*c->retries));
        op->key = r.key;
        do {
            op->kind = kind_for(c, r.key);
        } while (is_read(op->kind) != r.read);
        return true;
    }
    return false;
}

/* For a while all like one more than the others. */
static uint32_t some_key(struct crowd *c)
{
    if (pick(c, 3) == 0)
        return (uint32_t)(now_ms(c) / HOT_MS % c->config.n_keys);
    return (uint32_t)pick(c, c->config.n_keys);
}

static void mix(struct player *p)
{
    struct crowd *c = p->crowd;
    struct history_op op = { .kind = HISTORY_GET };

    if (p->cas.kind == HISTORY_CAS) {
        op = p->cas;
        p->cas.kind = HISTORY_GET;
    } else if (!take_retry(c, &op)) {
        op.key = some_key(c);
        op.kind = kind_for(c, op.key);
        if (c->config.flushes && pick(c, 1500) == 0)
            op.kind = HISTORY_FLUSH;
    }
    begin(p, &op);
    if (pick(c, c->config.depth) == 0)      /* else more at once */
        p->due_us = now_us(c) +
                    (int64_t)pick(c, 2 * (uint64_t)c->config.think_us * c->config.depth);
}

/* The next key of a pass that was not answered. */
static void next_of_pass(struct player *p)
{
    struct crowd *c = p->crowd;
    struct history_op op = { .kind = c->does == CROWD_FILLS ? HISTORY_SET : HISTORY_GET };

    for (uint32_t i = 0; i < c->config.n_keys && c->keys[c->next_key % c->config.n_keys].is_done;
         i++)
        c->next_key++;
    op.key = c->next_key++ % c->config.n_keys;
    begin(p, &op);
    p->due_us = now_us(c) + (int64_t)pick(c, AGAIN_MS * 1000);
}

/* ---- what came of it ---- */

static void retry_later(struct crowd *c, uint32_t key, bool read)
{
    for (size_t i = 0; i < c->n_retries; i++)
        if (c->retries[i].key == key && c->retries[i].read == read)
            return;
    if (c->n_retries == c->max_retries) {
        c->max_retries = 2 * c->max_retries + 64;
        c->retries = xrealloc(c->retries, c->max_retries * sizeof(*c->retries));
    }
    c->retries[c->n_retries++] =
        (struct retry){ key, read, now_us(c) + AGAIN_MS * 1000 };
}

static bool has_failed(const struct history_answer *answer)
{
    return answer->outcome == HISTORY_REFUSED || answer->outcome == HISTORY_UNKNOWN;
}

static void plan(struct player *p, const struct said *said, const struct history_answer *answer,
                 uint64_t seen)
{
    struct crowd *c = p->crowd;
    const enum history_kind kind = said->op.kind;
    struct key_state *key = &c->keys[said->op.key];
    const bool is_gone = answer->outcome == HISTORY_ABSENT && !is_deleted(said->op.key);

    if (kind == HISTORY_FLUSH)
        return;
    if (is_gone && (c->config.may_vanish || c->config.flushes)) {
        key->n_pieces = MOST_PIECES + 1;        /* it must not stay away: a SET comes */
        begin(p, &(struct history_op){ .kind = HISTORY_SET, .key = said->op.key });
    } else if (has_failed(answer) || is_gone) {
        retry_later(c, said->op.key, is_read(kind));
    } else if (said->token && seen != 0 && pick(c, 2) == 0) {
        p->cas = (struct history_op){ .kind = HISTORY_CAS, .key = said->op.key, .expects = seen };
        p->token = answer->token;
    }
    if (kind == HISTORY_APPEND || kind == HISTORY_PREPEND)
        key->n_pieces++;
    else if (kind == HISTORY_SET && answer->outcome == HISTORY_DONE)
        key->n_pieces = 0;
}

/* Nobody deletes these, so they are there, but where a fault excuses a miss. */
static void look_for_loss(struct crowd *c, const struct flight *f,
                          const struct history_answer *answer)
{
    const uint32_t key = f->said.op.key;

    if (f->said.op.kind == HISTORY_FLUSH || c->config.may_vanish || c->config.flushes)
        return;
    if (answer->outcome != HISTORY_ABSENT || !c->keys[key].is_kept || f->in_window ||
        c->in_window)
        return;
    complain(c->config.complaints, "k%" PRIu32 " is gone, says a %s of client %u", key,
             history_kind_name(f->said.op.kind), f->said.op.client);
    c->config.gone(c->config.arg, key);
}

static void end_oldest(struct player *p, const struct history_answer *answer)
{
    struct crowd *c = p->crowd;
    const struct flight f = p->flight[p->n_ended++ % DEPTH_MAX];
    const struct said *said = &f.said;
    const uint64_t seen = history_end(c->history, said->handle, answer, now_ms(c));
    struct key_state *key = &c->keys[said->op.key];

    sim_note(c->config.sim, "client %u: %s k%" PRIu32 " -> %d seq %" PRIu64 "%s", p->number,
             history_kind_name(said->op.kind), said->op.key, (int)answer->outcome,
             is_read(said->op.kind) ? seen : history_seq(c->history, said->handle),
             now_ms(c) - f.begun_ms > 500 ? " late" : "");
    c->n_ended++;
    if (now_ms(c) - f.begun_ms > c->slowest_ms)
        c->slowest_ms = now_ms(c) - f.begun_ms;
    look_for_loss(c, &f, answer);
    if (c->does == CROWD_MIXES) {
        plan(p, said, answer, seen);
    } else if (c->does != CROWD_RESTS && !key->is_done && !has_failed(answer)) {
        key->is_done = true;
        key->is_kept |= c->does == CROWD_FILLS && !is_deleted(said->op.key);
        c->n_left--;
    }
}

/* ---- connections ---- */

static void drop(struct player *p)
{
    struct crowd *c = p->crowd;
    const struct history_answer unknown = { .outcome = HISTORY_UNKNOWN };

    if (p->fd < 0)
        return;
    c->world->ops->watch_free(p->watch);
    c->world->ops->close(c->world, p->fd);
    p->fd = -1;
    p->connected = false;
    p->in.at = p->in.end = p->out.at = p->out.end = 0;
    p->cas.kind = HISTORY_GET;
    p->due_us = now_us(c) + AGAIN_MS * 1000;
    while (in_flight(p) > 0)
        end_oldest(p, &unknown);
}

static void read_answers(struct player *p)
{
    struct complaints *complaints = p->crowd->config.complaints;

    while (p->fd >= 0 && p->in.at < p->in.end) {
        const struct flight *f = &p->flight[p->n_ended % DEPTH_MAX];
        const char *data = p->in.data + p->in.at;
        const size_t len = p->in.end - p->in.at;
        struct history_answer answer;
        size_t used;

        if (in_flight(p) == 0 || !talk_hear(&f->said, data, len, &used, &answer)) {
            complain(complaints, "client %u was answered \"%.*s\"", p->number,
                     (int)(len < 100 ? len : 100), data);
            drop(p);
            return;
        }
        if (used == 0)
            return;
        p->in.at += used;
        end_oldest(p, &answer);
    }
}

static void receive(struct player *p)
{
    struct world *w = p->crowd->world;
    enum io io;
    size_t got;

    if (p->in.at > 0) {
        memmove(p->in.data, p->in.data + p->in.at, p->in.end - p->in.at);
        p->in.end -= p->in.at;
        p->in.at = 0;
    }
    io = w->ops->recv(w, p->fd, bytes_room(&p->in, RECV_BYTES), RECV_BYTES, &got);
    if (io == IO_OK) {
        p->in.end += got;
        read_answers(p);
    } else if (io != IO_AGAIN) {
        drop(p);
    }
}

static void send_queued(struct player *p)
{
    struct world *w = p->crowd->world;
    enum io io = IO_OK;
    size_t sent = 0;

    if (p->fd < 0 || !p->connected)
        return;
    if (p->out.at < p->out.end) {
        const struct iovec iov = { p->out.data + p->out.at, p->out.end - p->out.at };

        io = w->ops->sendv(w, p->fd, &iov, 1, &sent);
    }
    if (io == IO_OK)
        p->out.at += sent;
    else if (io != IO_AGAIN)
        drop(p);
    if (p->fd >= 0)
        w->ops->watch_set(p->watch,
                          p->out.at < p->out.end ? WATCH_READ | WATCH_WRITE : WATCH_READ);
}

static void on_watch(void *arg, int what)
{
    struct player *p = arg;
    struct world *w = p->crowd->world;

    if (!p->connected) {
        if (w->ops->connect_result(w, p->fd) != 0) {
            drop(p);
            return;
        }
        p->connected = true;
        w->ops->watch_set(p->watch, WATCH_READ);
    }
    if ((what & WATCH_READ) != 0)
        receive(p);
}

static void connect_to(struct player *p, unsigned front)
{
    struct crowd *c = p->crowd;
    struct world *w = c->world;

    p->due_us = now_us(c) + AGAIN_MS * 1000;
    p->fd = w->ops->connect(w, c->config.fronts[front]);
    if (p->fd < 0)
        return;
    p->watch = w->ops->watch_new(c->loop, p->fd, on_watch, p);
    w->ops->watch_set(p->watch, WATCH_WRITE);
}

static void reconnect(struct player *p)
{
    struct crowd *c = p->crowd;

    if (c->does == CROWD_READS)
        p->front = c->front;
    connect_to(p, p->front);
    p->front = (p->front + 1) % c->config.n_fronts;     /* if this one fails */
}

/* ---- turns ---- */

static bool may_begin(const struct player *p)
{
    const struct crowd *c = p->crowd;

    return p->connected && in_flight(p) < c->config.depth && p->due_us <= now_us(c) &&
           c->does != CROWD_RESTS && (c->does == CROWD_MIXES || c->n_left > 0);
}

/* A client that waits for one front must not keep others from asking another. */
static void look_for_late(struct player *p)
{
    struct crowd *c = p->crowd;

    for (unsigned i = p->n_ended; i != p->n_begun && c->does == CROWD_MIXES; i++) {
        struct flight *f = &p->flight[i % DEPTH_MAX];

        if (now_ms(c) < f->late_ms || f->said.op.kind == HISTORY_FLUSH)
            continue;
        f->late_ms = now_ms(c) + LATE_MS;
        retry_later(c, f->said.op.key, is_read(f->said.op.kind));
    }
}

static void step(struct player *p)
{
    struct crowd *c = p->crowd;

    if (p->fd < 0 && p->due_us <= now_us(c) && c->does != CROWD_RESTS)
        reconnect(p);
    while (may_begin(p)) {
        if (c->does == CROWD_MIXES)
            mix(p);
        else
            next_of_pass(p);
    }
    send_queued(p);
    if (in_flight(p) > 0 &&
        now_ms(c) - p->flight[p->n_ended % DEPTH_MAX].begun_ms > CROWD_TIMEOUT_MS)
        drop(p);
    look_for_late(p);
}

static bool turn(void *arg)
{
    struct crowd *c = arg;

    c->world->ops->loop_turn(c->loop, true);
    for (unsigned i = 0; i < c->config.n_clients; i++)
        step(&c->players[i]);
    return false;
}

static void on_timer(void *arg)
{
    struct crowd *c = arg;
    int64_t due_us = now_us(c) + 20000, wait_us;

    for (unsigned i = 0; i < c->config.n_clients; i++)
        if (c->players[i].due_us > now_us(c) && c->players[i].due_us < due_us)
            due_us = c->players[i].due_us;
    wait_us = due_us - now_us(c);
    c->world->ops->timer_set(c->timer, 1 + wait_us / 1000);
}

/* ---- the whole ---- */

struct crowd *crowd_new(const struct crowd_config *config)
{
    struct crowd *c = xzalloc(sizeof(*c));

    assert(config->depth <= DEPTH_MAX);
    c->config = *config;
    c->world = sim_add_node(config->sim, "clients");
    c->loop = c->world->ops->loop_new(c->world, false);
    c->timer = c->world->ops->timer_new(c->loop, on_timer, c);
    c->chance.state = sim_pick(config->sim, UINT64_MAX);
    c->history = history_new(config->n_keys, 0);
    c->players = xzalloc(config->n_clients * sizeof(*c->players));
    c->keys = xzalloc(config->n_keys * sizeof(*c->keys));
    for (unsigned i = 0; i < config->n_clients; i++)
        c->players[i] = (struct player){ .crowd = c, .number = i, .fd = -1,
                                         .front = i % config->n_fronts };
    sim_set_turn(c->loop, turn, c);
    c->world->ops->timer_set(c->timer, 1);
    return c;
}

void crowd_free(struct crowd *c)
{
    for (unsigned i = 0; i < c->config.n_clients; i++) {
        struct player *p = &c->players[i];

        if (p->fd >= 0) {
            c->world->ops->watch_free(p->watch);
            c->world->ops->close(c->world, p->fd);
        }
        free(p->in.data);
        free(p->out.data);
    }
    c->world->ops->timer_free(c->timer);
    c->world->ops->loop_free(c->loop);
    history_free(c->history);
    free(c->retries);
    free(c->players);
    free(c->keys);
    free(c);
}

void crowd_do(struct crowd *c, enum crowd_does does, unsigned front)
{
    c->does = does;
    c->front = front;
    c->next_key = 0;
    c->n_retries = 0;
    c->n_left = does == CROWD_FILLS || does == CROWD_READS ? c->config.n_keys : 0;
    for (uint32_t i = 0; i < c->config.n_keys; i++)
        c->keys[i].is_done = false;
    for (unsigned i = 0; i < c->config.n_clients && does == CROWD_READS; i++)
        drop(&c->players[i]);
}

bool crowd_is_done(const struct crowd *c)
{
    for (unsigned i = 0; i < c->config.n_clients; i++)
        if (in_flight(&c->players[i]) > 0)
            return false;
    return c->n_left == 0;
}

static void close_window(void *arg)
{
    struct crowd *c = arg;

    if (!c->in_window || now_ms(c) < c->window_until_ms)
        return;
    c->in_window = false;
    history_window_end(c->history, HISTORY_ALL_KEYS);
}

void crowd_window(struct crowd *c, int64_t ms)
{
    if (!c->in_window)
        history_window_begin(c->history, HISTORY_ALL_KEYS);
    c->in_window = true;
    if (now_ms(c) + ms > c->window_until_ms)
        c->window_until_ms = now_ms(c) + ms;
    sim_call(c->config.sim, ms, close_window, c);
}

struct history *crowd_history(struct crowd *c)
{
    return c->history;
}

uint64_t crowd_n_ended(const struct crowd *c)
{
    return c->n_ended;
}

int64_t crowd_slowest_ms(struct crowd *c)
{
    const int64_t slowest_ms = c->slowest_ms;

    c->slowest_ms = 0;
    return slowest_ms;
}

struct world *crowd_world(struct crowd *c)
{
    return c->world;
}
