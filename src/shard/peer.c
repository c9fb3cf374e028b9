#include "shard/peer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "net/recvq.h"
#include "net/sendq.h"
#include "wire/frame.h"
#include "wire/hello.h"

/* Unsent answers at which a peer's frames are left where they are. */
#define OUTPUT_PAUSE (1u << 20)

/* No map is longer. */
#define MAP_VALUE_MAX (1u << 20)

/* From the connection to the hello. */
#define GREETING_MS 5000

/* A clock that is further ahead than this must not poison the versions here. */
#define CLOCK_AHEAD_MS 10000

struct peer {
    struct shard_worker *sw;
    struct peer *prev, *next;   /* sw->peers */
    int fd;
    struct watch *watch;
    struct recvq in;
    struct sendq out;
    size_t want;                /* length of the frame that is not whole yet */
    struct chunk *loan;         /* of the hit at hand, or NULL */
    uint64_t epoch;             /* of the map that the front routes by */
    int64_t since_ms;           /* it is connected */
    bool greeted;
    bool full;                  /* the socket takes no more: nothing is executed */
    bool closing;
    char name[HELLO_NAME_MAX + 1];      /* the front's, for the log */
};

/* answers */

/* Head and value in one piece, but for a value that p->loan holds. */
static bool put_frame(struct peer *p, const struct frame *f)
{
    size_t copied = p->loan == NULL ? f->value_len : 0, len = frame_head_len(f) + copied;
    char *to = sendq_room(&p->out, len);

    if (to == NULL)
        return false;
    to = frame_put(to, f);
    if (copied > 0)
        memcpy(to, f->value, copied);
    return sendq_commit(&p->out, len) &&
           (p->loan == NULL || sendq_add_ref(&p->out, p->loan, f->value, f->value_len));
}

/* A peer that memory fails is closed. */
static void send_frame(struct peer *p, const struct frame *f)
{
    if (!put_frame(p, f))
        p->closing = true;
}

static void send_done(struct peer *p, uint64_t version, const char *value, size_t len)
{
    struct frame f = { .op = FRAME_DONE, .version = version, .value = value, .value_len = len };

    send_frame(p, &f);
}

static void send_refusal(struct peer *p, enum refusal why, const char *value, size_t len)
{
    struct frame f = { .op = FRAME_REFUSED, .st = (uint8_t)why, .value = value, .value_len = len };

    send_frame(p, &f);
}

static void send_answer(struct peer *p, const struct answer *a)
{
    struct frame f;

    frame_from_answer(&f, a);
    send_frame(p, &f);
}

/* commands */

static void on_hit(void *arg, const struct answer *a)
{
    struct peer *p = arg;
    struct worker *w = p->sw->worker;

    p->loan = store_lend(a, &w->pool);
    send_answer(p, a);
}

static void execute(struct peer *p, const struct frame *f)
{
    struct shard *shard = p->sw->shard;
    struct cmd cmd;
    struct answer a;

    if (p->epoch == 0 || p->epoch != cluster_epoch(shard->cluster)) {
        send_refusal(p, p->epoch == 0 ? REFUSED_NO_MAP : REFUSED_EPOCH, NULL, 0);
        return;
    }
    frame_to_cmd(f, &cmd);
    store_execute(shard->store, &cmd, store_hash(shard->store, cmd.key, cmd.key_len),
                  worker_now(p->sw->worker), &a, on_hit, p);
    chunk_unref(p->loan);
    p->loan = NULL;
    if (a.status != STATUS_HIT)
        send_answer(p, &a);
}

/* hello and map */

static void refuse_hello(struct peer *p, const char *why)
{
    log_warn("shard", "refused a front: %s name=%s", why, p->name);
    send_refusal(p, REFUSED_HELLO, why, strlen(why));
    p->closing = true;
}

/* NULL, or what is wrong with it. */
static const char *judge_hello(struct peer *p, const struct hello *h, const struct view *v)
{
    struct shard *shard = p->sw->shard;

    if (h->least > HELLO_PROTOCOL || h->most < HELLO_PROTOCOL)
        return "it speaks another version of the peer protocol";
    if (strcmp(h->cluster, cluster_name(shard->cluster)) != 0)
        return "it belongs to another cluster";
    if (h->wall_ms > worker_wall(p->sw->worker) + CLOCK_AHEAD_MS)
        return "its clock is more than 10 s ahead of this shard's";
    if (v != NULL && h->epoch == v->map->epoch && h->digest != v->digest)
        return "it has another map of the same epoch: compare the lists of shards";
    return NULL;
}

static void greet(struct peer *p, const struct view *v)
{
    struct shard *shard = p->sw->shard;
    struct hello h = {
        .least = HELLO_PROTOCOL,
        .most = HELLO_PROTOCOL,
        .role = HELLO_SHARD,
        .wall_ms = worker_wall(p->sw->worker),
        .flush_version = store_flush_version(shard->store),
        .incarnation = cluster_incarnation(shard->cluster),
    };
    char value[HELLO_LEN_MAX];
    struct frame f = { .op = FRAME_HELLO, .value = value };

    snprintf(h.cluster, sizeof(h.cluster), "%s", cluster_name(shard->cluster));
    snprintf(h.name, sizeof(h.name), "%s", cluster_self(shard->cluster));
    if (v != NULL) {
        h.epoch = v->map->epoch;
        h.digest = v->digest;
        if (v->self >= 0)
            h.number = v->map->members[v->self].number;
    }
    f.value_len = hello_put(value, &h);
    send_frame(p, &f);
}

static void on_hello(struct peer *p, const struct frame *f)
{
    struct view *v = cluster_view(p->sw->shard->cluster);
    const char *why = "that is no hello";
    struct hello h;

    if (hello_read(f->value, f->value_len, &h)) {
        memcpy(p->name, h.name, sizeof(p->name));
        why = judge_hello(p, &h, v);
    }
    if (why != NULL) {
        refuse_hello(p, why);
    } else {
        greet(p, v);
        p->greeted = true;
        /* equal epochs: both go by it from here on; else a map follows */
        p->epoch = v != NULL && v->map->epoch == h.epoch ? h.epoch : 0;
    }
    view_unref(v);
}

/* The front's map, or (empty) its wish for ours; both go by the newer then. */
static void on_map(struct peer *p, const struct frame *f)
{
    struct shard *shard = p->sw->shard;
    struct map *map = map_read(f->value, f->value_len);
    struct view *v;
    char *value;
    size_t len;

    if (map == NULL && f->value_len > 0) {
        p->closing = true;
        return;
    }
    if (map != NULL && map_find(map, cluster_self(shard->cluster)) < 0) {
        free(map);
        refuse_hello(p, "its map has no member of this shard's name");
        return;
    }
    if (map != NULL && cluster_adopt(shard->cluster, map) == ADOPTED) {
        shard_take_number(shard);
        log_info("shard", "goes by a new map epoch=%llu from=%s",
                 (unsigned long long)cluster_epoch(shard->cluster), p->name);
    }
    v = cluster_view(shard->cluster);
    len = v != NULL ? map_len(v->map) : 0;
    value = malloc(len + 1);
    if (v == NULL || value == NULL) {
        p->closing = true;
    } else {
        map_put(value, v->map);
        p->epoch = v->map->epoch;
        send_done(p, v->map->epoch, value, len);
    }
    free(value);
    view_unref(v);
}

static void on_stats(struct peer *p, const struct frame *f)
{
    struct store *store = p->sw->shard->store;
    char text[SHARD_USAGE_MAX];
    size_t len = shard_put_usage(store, worker_now(p->sw->worker), text);

    if (f->key_len == 5 && memcmp(f->key, "reset", 5) == 0)
        store_reset_counters(store);
    send_done(p, 0, text, len);
}

static void on_walk(struct peer *p, const struct frame *f)
{
    uint64_t cursor = f->number;
    char *page;
    size_t len;

    if (!store_list(p->sw->shard->store, &cursor, worker_now(p->sw->worker), &page, &len)) {
        p->closing = true;
        return;
    }
    send_done(p, cursor, page, len);
    free(page);
}

static void on_evictions(struct peer *p, const struct frame *f)
{
    char page[EVICTIONS_PAGE];
    uint64_t cursor = f->number;
    size_t len = store_evictions(p->sw->shard->store, &cursor, worker_now(p->sw->worker), page);

    send_done(p, cursor, page, len);
}

/* frames */

static void on_frame(struct peer *p, const struct frame *f)
{
    struct store *store = p->sw->shard->store;
    int64_t now_ms = worker_now(p->sw->worker);

    if (!p->greeted && f->op != FRAME_HELLO) {
        p->closing = true;
        return;
    }
    switch (f->op) {
    case FRAME_HELLO:
        on_hello(p, f);
        break;
    case FRAME_MAP:
        on_map(p, f);
        break;
    case FRAME_PING:
        send_done(p, store_clock(store, now_ms), NULL, 0);
        break;
    case FRAME_STATS:
        on_stats(p, f);
        break;
    case FRAME_CLOCK:
        send_done(p, store_clock(store, now_ms), NULL, 0);
        break;
    case FRAME_FLUSH:
        store_flush(store, f->version, now_ms, (enum flush_when)f->st);
        send_done(p, f->version, NULL, 0);
        break;
    case FRAME_LIMIT:
        send_done(p, store_set_limit(store, f->number, now_ms), NULL, 0);
        break;
    case FRAME_WALK:
        on_walk(p, f);
        break;
    case FRAME_EVICTIONS:
        on_evictions(p, f);
        break;
    case FRAME_ANSWER:
    case FRAME_DONE:
    case FRAME_REFUSED:
    case FRAME_APPLY:
    case FRAME_USED:
    case FRAME_CONFIRM:
    case FRAME_APPLIED:
    case FRAME_TOLD:
        p->closing = true;      /* these are ours to send */
        break;
    default:
        execute(p, f);
        break;
    }
}

/* Judged by the head: nothing is collected for a frame that would be refused. */
static bool is_too_much(const struct peer *p, const struct frame *f)
{
    size_t item = p->sw->worker->config->max_item_bytes;

    if (!p->greeted)
        return f->op != FRAME_HELLO || f->len > FRAME_HEAD + HELLO_LEN_MAX;
    return f->value_len > (f->op == FRAME_MAP || item < MAP_VALUE_MAX ? MAP_VALUE_MAX : item);
}

static void run(struct peer *p)
{
    struct frame f = { .len = 0 };

    p->want = 0;
    while (!p->closing && p->out.bytes < OUTPUT_PAUSE) {
        enum frame_status status = frame_read(recvq_data(&p->in), recvq_len(&p->in), &f);

        if (status == FRAME_BAD || (recvq_len(&p->in) >= FRAME_HEAD && is_too_much(p, &f)))
            p->closing = true;
        if (status == FRAME_MORE)
            p->want = f.len;
        if (status != FRAME_WHOLE || p->closing)
            break;
        on_frame(p, &f);
        recvq_consume(&p->in, f.len);
    }
    recvq_settle(&p->in);
}

/* Executes and sends in turns until there is nothing to do or no room. */
static void step(struct peer *p)
{
    struct world *w = p->sw->worker->world;
    uint64_t sent = 0;
    enum io io;

    do {
        run(p);
        io = sendq_flush(&p->out, w, p->fd, &sent);
    } while (io == IO_OK && !p->closing && p->want == 0);
    p->full = io == IO_AGAIN;
    if (io == IO_FAILED || p->closing)
        peer_free(p);
    else
        w->ops->watch_set(p->watch, p->full ? WATCH_WRITE : WATCH_READ);
}

static void on_event(void *arg, int what)
{
    struct peer *p = arg;
    struct world *w = p->sw->worker->world;
    enum io io = IO_OK;

    if (what & WATCH_READ)
        io = recvq_fill(&p->in, w, p->fd, p->want);
    if (io == IO_EOF || io == IO_FAILED)
        peer_free(p);
    else if (io == IO_OK)
        step(p);
}

bool peer_new(struct shard_worker *sw, int fd)
{
    struct worker *w = sw->worker;
    struct peer *p = sw->n_peers < PEERS_MAX ? calloc(1, sizeof(*p)) : NULL;

    if (p == NULL)
        return false;
    p->watch = w->world->ops->watch_new(w->loop, fd, on_event, p);
    if (p->watch == NULL) {
        free(p);
        return false;
    }
    p->sw = sw;
    p->fd = fd;
    recvq_init(&p->in, &w->pool);
    sendq_init(&p->out, &w->pool);
    p->since_ms = worker_now(w);
    sw->n_peers++;
    p->next = sw->peers;
    if (p->next != NULL)
        p->next->prev = p;
    sw->peers = p;
    w->world->ops->watch_set(p->watch, WATCH_READ);
    return true;
}

void peer_look(struct shard_worker *sw)
{
    struct peer *next;

    for (struct peer *p = sw->peers; p != NULL; p = next) {
        next = p->next;
        if (!p->greeted && worker_now(sw->worker) - p->since_ms > GREETING_MS)
            peer_free(p);
    }
}

void peer_free(struct peer *p)
{
    struct worker *w = p->sw->worker;

    if (p->prev != NULL)
        p->prev->next = p->next;
    else
        p->sw->peers = p->next;
    if (p->next != NULL)
        p->next->prev = p->prev;
    p->sw->n_peers--;
    w->world->ops->watch_free(p->watch);
    w->world->ops->close(w->world, p->fd);
    recvq_fini(&p->in);
    sendq_fini(&p->out);
    free(p);
}
