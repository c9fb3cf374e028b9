#include "shard/peer.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/unset.h"
#include "shard/greet.h"
#include "shard/keeper.h"
#include "shard/serve.h"
#include "shard/watching.h"
#include "store/usage.h"

/* Unsent answers at which a peer's frames are left where they are. */
#define OUTPUT_PAUSE (1u << 20)

/* No map is longer. */
#define MAP_VALUE_MAX (1u << 20)

/* Looked at for one answer to a FRAME_DIGEST. */
#define DIGEST_ITEMS 1000

#define HOLD_MS 1               /* until a look whether the map is gone by now */

/* From the connection to the hello. */
#define GREETING_MS 5000

/* answers */

static bool put_frame(struct peer *p, const struct frame *f)
{
    char *to = sendq_room(&p->out, f->value_len + f->key_len + FRAME_HEAD + FRAME_FIELDS_MAX);

    if (to == NULL)
        return false;
    return sendq_commit(&p->out,
                        (size_t)(bytes_put(frame_put(to, f), f->value, f->value_len) - to));
}

void peer_send(struct peer *p, const struct frame *f)
{
    if (!put_frame(p, f))
        p->closing = true;
}

/* Head and value in one piece, but for a value that p->loan holds. */
void peer_answer(struct peer *p, const struct answer *a)
{
    const size_t value = a->status == STATUS_HIT ? a->value_len : 0;
    const size_t copied = p->loan == NULL ? value : 0;
    char *to = sendq_room(&p->out, FRAME_HEAD + FRAME_FIELDS_MAX + copied), *end;

    if (to == NULL) {
        p->closing = true;
        return;
    }
    end = bytes_put(frame_put_answer(to, a), a->value, copied);
    if (!sendq_commit(&p->out, (size_t)(end - to)) ||
        (p->loan != NULL && !sendq_add_ref(&p->out, p->loan, a->value, value)))
        p->closing = true;
}

void peer_applied(struct peer *p, uint64_t version, enum applied applied)
{
    char *to = sendq_room(&p->out, FRAME_HEAD);

    if (to == NULL ||
        !sendq_commit(&p->out, (size_t)(frame_put_applied(to, version, applied) - to)))
        p->closing = true;
}

void peer_done(struct peer *p, uint64_t version, const char *value, size_t len)
{
    struct frame f = { .op = FRAME_DONE, .version = version, .value = value, .value_len = len };

    peer_send(p, &f);
}

void peer_refuse(struct peer *p, enum refusal why, const char *value, size_t len)
{
    struct frame f = { .op = FRAME_REFUSED, .st = (uint8_t)why, .value = value, .value_len = len };

    peer_send(p, &f);
}

/* what needs no map */

static void on_stats(struct peer *p, const struct frame *f)
{
    struct store *store = p->sw->shard->store;
    uint64_t numbers[N_USAGES];
    char text[USAGE_TEXT_MAX];
    size_t len;

    usage_numbers(store, worker_now(p->sw->worker), numbers);
    len = usage_put(numbers, text);
    if (f->key_len == 5 && memcmp(f->key, "reset", 5) == 0)
        store_reset_counters(store);
    peer_done(p, 0, text, len);
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
    peer_done(p, cursor, page, len);
    free(page);
}

static void on_evictions(struct peer *p, const struct frame *f)
{
    char page[EVICTIONS_PAGE];
    uint64_t cursor = f->number;
    size_t len = store_evictions(p->sw->shard->store, &cursor, worker_now(p->sw->worker), page);

    peer_done(p, cursor, page, len);
}

/* What is here of an arc: equal copies say equal numbers. */
static void on_digest(struct peer *p, const struct frame *f)
{
    const struct arc arc = { (uint32_t)(f->version >> 32), (uint32_t)f->version };
    struct digest digest = { .items = 0 };
    uint64_t cursor = f->number;
    char value[16];

    store_digest(p->sw->shard->store, arc, &cursor, DIGEST_ITEMS, worker_now(p->sw->worker),
                 &digest);
    bytes_put_u64(bytes_put_u64(value, digest.items), digest.sum);
    peer_done(p, cursor, value, sizeof(value));
}

static void on_ping(struct peer *p, const struct frame *f)
{
    struct shard_worker *sw = p->sw;
    struct shard *shard = sw->shard;
    const uint64_t clock = shard->store != NULL ? store_clock(shard->store, worker_now(sw->worker))
                                                : 0;
    size_t len = 0;

    if (shard->store != NULL && f->version != 0)
        (void)store_see(shard->store, f->version, worker_now(sw->worker));
    if (f->value_len > 0 && shard->on_ping != NULL) {
        if (sw->ping == NULL && (sw->ping = malloc(SHARD_PING_MAX)) == NULL) {
            p->closing = true;
            return;
        }
        len = shard->on_ping(shard->ping_arg, f->value, f->value_len, sw->ping);
    }
    peer_done(p, clock, sw->ping, len);
}

/* frames */

/* What a member is asked that need not keep items. */
static bool on_member_frame(struct peer *p, const struct frame *f)
{
    switch (f->op) {
    case FRAME_HELLO:
        greet_hello(p, f);
        return true;
    case FRAME_MAP:
        greet_map(p, f);
        return true;
    case FRAME_PING:
        on_ping(p, f);
        return true;
    default:
        return false;
    }
}

static void on_store_frame(struct peer *p, const struct frame *f, uint64_t hash)
{
    struct store *store = p->sw->shard->store;
    int64_t now_ms = worker_now(p->sw->worker);

    switch (f->op) {
    case FRAME_STATS:
        on_stats(p, f);
        break;
    case FRAME_CLOCK:
        peer_done(p, store_clock(store, now_ms), NULL, 0);
        break;
    case FRAME_FLUSH:
        serve_flush(p, f);
        break;
    case FRAME_LIMIT:
        peer_done(p, store_set_limit(store, f->number, now_ms), NULL, 0);
        break;
    case FRAME_WALK:
        on_walk(p, f);
        break;
    case FRAME_EVICTIONS:
        on_evictions(p, f);
        break;
    case FRAME_DIGEST:
        on_digest(p, f);
        break;
    case FRAME_WATCH:
        watching_ask(p, f);
        break;
    case FRAME_EVENTS:
        watching_hear(p, f);
        break;
    case FRAME_APPLY:
        serve_apply(p, f, hash);
        break;
    case FRAME_USED:
        serve_used(p, f);
        break;
    case FRAME_CONFIRM:
        serve_confirm(p, f);
        break;
    default:
        serve_command(p, f, hash);
        break;
    }
}

static void on_frame(struct peer *p, const struct frame *f, uint64_t hash)
{
    if ((!p->greeted && f->op != FRAME_HELLO) || f->op >= FRAME_ANSWER)
        p->closing = true;      /* answers are ours to send */
    else if (on_member_frame(p, f))
        return;
    else if (p->sw->shard->store != NULL)
        on_store_frame(p, f, hash);
    else
        peer_refuse(p, REFUSED_NOT_OWNER, NULL, 0);
}

/* Judged by the head: nothing is collected for a frame that would be refused. */
static bool is_too_much(const struct peer *p, const struct frame *f)
{
    size_t item = p->sw->worker->config->max_item_bytes;

    if (!p->greeted)
        return f->op != FRAME_HELLO || f->len > FRAME_HEAD + HELLO_LEN_MAX;
    return f->value_len > (f->op == FRAME_MAP || item < MAP_VALUE_MAX ? MAP_VALUE_MAX : item);
}

/* Does it go by the link's map?  All do but these. */
static bool goes_by_map(const struct frame *f)
{
    return f->op == FRAME_APPLY || f->op == FRAME_USED || f->op == FRAME_CONFIRM ||
           f->op == FRAME_FLUSH ||
           (f->op >= FRAME_COMMAND && f->op < FRAME_COMMAND + N_KEYED_VERBS);
}

static void hold(struct peer *p)
{
    p->held = true;
    p->sw->worker->world->ops->timer_set(p->sw->resume, HOLD_MS);
}

/* False: this one has to wait, and so has all behind it. */
static bool run_one(struct peer *p, const struct frame *f, uint64_t hash)
{
    if (!p->judged && goes_by_map(f) && serve_must_wait(p)) {
        hold(p);
        return false;
    }
    on_frame(p, f, hash);
    recvq_consume(&p->in, f->len);
    return true;
}

/* Takes apart what was received; behind a hello all may be another matter. */
static void read_ahead(const struct peer *p, struct ahead *ahead)
{
    const char *data = recvq_data(&p->in);
    const unsigned most = p->greeted ? AHEAD_MAX : 1;
    size_t len = recvq_len(&p->in);

    ahead->want = 0;
    ahead->bad = false;
    for (ahead->n = 0; ahead->n < most; ahead->n++) {
        struct frame *f = &ahead->frames[ahead->n];
        const enum frame_status status = frame_read(data, len, f);

        ahead->bad = status == FRAME_BAD || (len >= FRAME_HEAD && is_too_much(p, f));
        ahead->want = f->len;
        if (status != FRAME_WHOLE || ahead->bad)
            return;
        data += f->len;
        len -= f->len;
    }
    ahead->want = 0;
}

/* Ends before its time where no more can be sent: what is left is read again. */
static void run(struct peer *p)
{
    UNSET struct ahead ahead;
    unsigned i;

    shard_note(p->sw);
    p->judged = false;
    do {
        read_ahead(p, &ahead);
        serve_foresee(p, &ahead);
        for (i = 0; i < ahead.n && !p->closing && p->out.bytes < OUTPUT_PAUSE; i++)
            if (!run_one(p, &ahead.frames[i], ahead.hashes[i]))
                break;
    } while (i == ahead.n && ahead.want == 0 && !p->closing && p->out.bytes < OUTPUT_PAUSE);
    p->want = i == ahead.n ? ahead.want : 0;
    p->closing |= i == ahead.n && ahead.bad;
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
        io = serve_may_leave(p) ? sendq_flush(&p->out, w, p->fd, &sent) : IO_FAILED;
    } while (io == IO_OK && !p->closing && p->want == 0 && !p->held);
    p->full = io == IO_AGAIN;
    if (io == IO_FAILED || p->closing)
        peer_free(p);
    else
        w->ops->watch_set(p->watch, p->full ? WATCH_WRITE : p->held ? 0 : WATCH_READ);
}

void peer_resume(struct shard_worker *sw)
{
    struct peer *next;

    for (struct peer *p = sw->peers; p != NULL; p = next) {
        next = p->next;
        if (p->held) {
            p->held = false;
            step(p);
        }
    }
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

static void look(struct peer *p)
{
    const struct shard_worker *sw = p->sw;

    open_writes_hand_over(&p->open, sw->shard->keeper, sw->epoch,
                          worker_now(sw->worker) - OPEN_MS);
    if (watching_look(p))
        step(p);
}

void peer_look(struct shard_worker *sw)
{
    struct peer *next;

    for (struct peer *p = sw->peers; p != NULL; p = next) {
        next = p->next;
        if (!p->greeted && worker_now(sw->worker) - p->since_ms > GREETING_MS)
            peer_free(p);
        else
            look(p);
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
    open_writes_hand_over(&p->open, p->sw->shard->keeper, p->sw->epoch, INT64_MAX);
    open_writes_fini(&p->open);
    watching_fini(p);
    free(p);
}
