#include "front/link.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "net/recvq.h"
#include "net/sendq.h"
#include "wire/hello.h"

/* The first retry comes at once, more or less: a restarted child is back soon. */
#define RETRY_FIRST_MS 10
#define RETRY_LAST_MS 100
/* A link that was open for so long was no flicker. */
#define GOOD_LIFE_MS 1000
/* Time-outs that one answer may take while bytes keep coming. */
#define PATIENCES 10
/* A shard that refuses us will not change its mind soon. */
#define RETRY_REFUSED_MS 1000

enum link_state { LINK_DOWN, LINK_CONNECTING, LINK_GREETING, LINK_OPEN };

struct link {
    struct front_worker *fw;
    unsigned refs;              /* its owner's, and one of each request */
    struct link *next_dirty;
    bool dirty;
    enum link_state state;
    bool tried;                 /* and came to an end: who asks now is not kept waiting */
    bool full;                  /* the socket takes no more for now */
    int64_t opened_ms;
    bool logged;                /* that it is down */
    char name[MAP_NAME_MAX + 1];
    char address[ADDRESS_MAX];
    char local[ADDRESS_MAX];    /* the Unix socket tried first, or "" */

    int fd;                     /* -1 unless CONNECTING or more */
    struct watch *watch;
    struct timer *timer;        /* retry, or the deadline of the handshake */
    int64_t retry_ms;
    const char *reason;         /* why it is DOWN; static */
    char refusal[80];           /* what a shard said; `reason` may point here */

    struct recvq in;
    struct sendq greeting;      /* the handshake's frames, before any of `out` */
    struct sendq out;
    size_t want;                /* length of the answer that is not whole yet */
    int64_t moved_ms;           /* when bytes last came, or of l->first last went */
    uint64_t queued, sent;      /* bytes of `out` since the link was opened */
    size_t open_bytes;          /* of frames not answered yet */
    struct request *first, **last;      /* unanswered, oldest first */
};

/* requests */

struct request *request_new(struct front_worker *fw)
{
    struct request *r = fw->free_requests;

    if (r != NULL)
        fw->free_requests = r->next;
    else if ((r = malloc(sizeof(*r))) == NULL)
        return NULL;
    memset(r, 0, offsetof(struct request, reply));
    r->reply_chunk = NULL;
    r->fw = fw;
    return r;
}

static void link_unref(struct link *l)
{
    if (l != NULL && --l->refs == 0)
        free(l);
}

void request_free(struct request *r)
{
    link_unref(r->link);
    chunk_unref(r->frame_chunk);
    chunk_unref(r->value_chunk);
    chunk_unref(r->reply_chunk);
    free(r->own_key);
    r->next = r->fw->free_requests;
    r->fw->free_requests = r;
}

static struct world *world_of(const struct link *l)
{
    return l->fw->worker->world;
}

static void finish(struct request *r, enum outcome outcome, const char *reason)
{
    r->link->open_bytes -= r->bytes;
    r->outcome = outcome;
    r->reason = reason;
    r->done(r);
}

/* down */

static void fail_requests(struct link *l)
{
    struct request *r = l->first, *next;

    l->first = NULL;
    l->last = &l->first;
    for (; r != NULL; r = next) {
        next = r->next;
        finish(r, r->at >= l->sent ? NOT_SENT : LOST, l->reason);
    }
}

static void close_socket(struct link *l)
{
    if (l->fd >= 0) {
        world_of(l)->ops->watch_free(l->watch);
        world_of(l)->ops->close(world_of(l), l->fd);
    }
    l->watch = NULL;
    l->fd = -1;
    recvq_fini(&l->in);
    sendq_fini(&l->greeting);
    sendq_fini(&l->out);
    l->want = 0;
}

static void go_down(struct link *l, const char *reason, int64_t retry_ms)
{
    if (l->state == LINK_OPEN || !l->logged)
        log_warn("front", "shard is not reached: %s shard=%s addr=%s", reason, l->name,
                 l->address);
    l->logged = l->tried = true;
    l->full = false;
    l->reason = reason;
    l->state = LINK_DOWN;
    close_socket(l);
    fail_requests(l);
    l->queued = l->sent = 0;
    world_of(l)->ops->timer_set(l->timer, retry_ms);
}

static void fail(struct link *l, const char *reason)
{
    bool was_good = l->state == LINK_OPEN &&
                    worker_now(l->fw->worker) - l->opened_ms >= GOOD_LIFE_MS;
    int64_t retry_ms = was_good ? RETRY_FIRST_MS : l->retry_ms * 2;

    l->retry_ms = retry_ms > RETRY_LAST_MS ? RETRY_LAST_MS : retry_ms;
    go_down(l, reason, l->retry_ms);
}

static const char *words_of(int error)
{
    switch (error) {
    case ECONNREFUSED:
    case ENOENT:
        return "connection refused";
    case ECONNRESET:
    case EPIPE:
        return "connection lost";
    case ETIMEDOUT:
        return "connection timed out";
    case EHOSTUNREACH:
    case ENETUNREACH:
        return "no route to it";
    case EMFILE:
    case ENFILE:
        return "too many open files here";
    case ENOMEM:
        return "out of memory here";
    default:
        return "connection failed";
    }
}

/* the handshake */

static bool greet(struct link *l)
{
    struct cluster *c = l->fw->front->cluster;
    const struct view *v = l->fw->view;
    struct hello h = {
        .least = HELLO_PROTOCOL,
        .most = HELLO_PROTOCOL,
        .role = HELLO_FRONT,
        .epoch = v->map->epoch,
        .digest = v->digest,
        .wall_ms = worker_wall(l->fw->worker),
    };
    char frame[FRAME_HEAD + HELLO_LEN_MAX], value[HELLO_LEN_MAX];
    struct frame f = { .op = FRAME_HELLO, .value = value };
    char *end;

    snprintf(h.cluster, sizeof(h.cluster), "%s", cluster_name(c));
    snprintf(h.name, sizeof(h.name), "%s", cluster_self(c));
    f.value_len = hello_put(value, &h);
    end = frame_put(frame, &f);
    memcpy(end, value, f.value_len);
    return sendq_add(&l->greeting, frame, FRAME_HEAD + f.value_len);
}

static bool send_map(struct link *l, bool ours)
{
    const struct map *map = l->fw->view->map;
    struct frame f = { .op = FRAME_MAP, .value_len = ours ? map_len(map) : 0 };
    char *to = sendq_room(&l->greeting, FRAME_HEAD + f.value_len);

    if (to == NULL)
        return false;
    to = frame_put(to, &f);
    if (ours)
        map_put(to, map);
    return sendq_commit(&l->greeting, FRAME_HEAD + f.value_len);
}

static void flush_out(struct link *l);

static void now_open(struct link *l)
{
    if (l->logged)
        log_info("front", "shard is reached again shard=%s addr=%s", l->name, l->address);
    l->state = LINK_OPEN;
    l->opened_ms = worker_now(l->fw->worker);
    l->logged = false;
    world_of(l)->ops->timer_set(l->timer, -1);
    flush_out(l);
}

static void on_hello(struct link *l, const struct frame *f)
{
    const struct view *v = l->fw->view;
    struct hello h;

    if (!hello_read(f->value, f->value_len, &h)) {
        fail(l, "it speaks another protocol");
    } else if (strcmp(h.name, l->name) != 0) {
        log_warn("front", "another shard lives there addr=%s expected=%s found=%s", l->address,
                 l->name, h.name);
        go_down(l, "another shard lives at its address", RETRY_REFUSED_MS);
    } else if (h.epoch == v->map->epoch) {
        now_open(l);
    } else if (!send_map(l, h.epoch < v->map->epoch)) {
        fail(l, words_of(ENOMEM));
    } else {
        flush_out(l);
    }
}

/* The answer to our map, or to our wish for theirs: the one both go by. */
static void on_map(struct link *l, const struct frame *f)
{
    struct cluster *c = l->fw->front->cluster;

    if (f->version > l->fw->view->map->epoch) {
        struct map *map = map_read(f->value, f->value_len);

        if (map == NULL) {
            fail(l, "it sent no map");
            return;
        }
        (void)cluster_adopt(c, map);
        fail(l, "the map has changed");     /* links are made anew for the new map */
    } else {
        now_open(l);
    }
}

static void on_refusal(struct link *l, const struct frame *f)
{
    if (f->st != REFUSED_HELLO) {
        fail(l, "the map has changed");
        return;
    }
    snprintf(l->refusal, sizeof(l->refusal), "%.*s",
             (int)(f->value_len < 79 ? f->value_len : 79), f->value);
    for (char *p = l->refusal; *p != '\0'; p++)
        if (*p < ' ' || *p > '~')
            *p = '?';           /* it goes into an answer to a client */
    go_down(l, l->refusal, RETRY_REFUSED_MS);
}

/* answers */

/* What else a command may be answered for its options. */
static uint16_t statuses_of_options(enum verb verb, unsigned options)
{
    const bool reads = verb_is_get(verb);
    uint16_t statuses = 0;

    if (reads && (options & (OPTION_NO_VALUE | OPTION_COMPARE)) != 0)
        statuses |= 1u << STATUS_HEAD;
    if (!reads && (options & OPTION_COMPARE) != 0)
        statuses |= 1u << STATUS_EXISTS;
    if ((options & (OPTION_INVALIDATE | OPTION_REMOVE_VALUE)) != 0)
        statuses |= 1u << STATUS_NO_MEMORY;
    return statuses;
}

/* A status that the verb can have: a hostile shard must not make us say nonsense. */
static bool answer_fits(const struct request *r, uint8_t st)
{
    const enum verb verb = r->too_large ? VERB_DELETE : r->verb;
    static const uint16_t allowed[N_KEYED_VERBS] = {
#define GETS (1u << STATUS_HIT | 1u << STATUS_NOT_FOUND)
#define STORES (1u << STATUS_STORED | 1u << STATUS_NOT_STORED | 1u << STATUS_TOO_LARGE | \
                1u << STATUS_NO_MEMORY)
#define COUNTS (1u << STATUS_NUMBER | 1u << STATUS_NOT_FOUND | 1u << STATUS_NON_NUMERIC | \
                1u << STATUS_NO_MEMORY)
        [VERB_GET] = GETS, [VERB_GETS] = GETS, [VERB_GAT] = GETS, [VERB_GATS] = GETS,
        [VERB_SET] = STORES, [VERB_ADD] = STORES, [VERB_REPLACE] = STORES,
        [VERB_APPEND] = STORES, [VERB_PREPEND] = STORES,
        [VERB_CAS] = STORES | 1u << STATUS_EXISTS | 1u << STATUS_NOT_FOUND,
        [VERB_DELETE] = 1u << STATUS_DELETED | 1u << STATUS_NOT_FOUND,
        [VERB_INCR] = COUNTS, [VERB_DECR] = COUNTS,
        [VERB_TOUCH] = 1u << STATUS_TOUCHED | 1u << STATUS_NOT_FOUND,
#undef GETS
#undef STORES
#undef COUNTS
    };

    return st < N_STATUSES && ((allowed[verb] | r->more_statuses) & 1u << st);
}

static void on_answer(struct link *l, const struct frame *f)
{
    struct request *r = l->first;

    if (r == NULL) {
        fail(l, "it answered what nobody asked");
        return;
    }
    if (r->owner != NULL ? f->op != FRAME_DONE
                         : f->op != FRAME_ANSWER || !answer_fits(r, f->st)) {
        fail(l, "it answered nonsense");
        return;
    }
    l->first = r->next;
    if (l->first == NULL)
        l->last = &l->first;
    r->reply = *f;
    if (f->value_len > 0)
        r->reply_chunk = chunk_ref(l->in.chunk);
    finish(r, ANSWERED, NULL);
}

static void on_frame(struct link *l, const struct frame *f)
{
    if (f->op == FRAME_REFUSED)
        on_refusal(l, f);
    else if (l->state == LINK_OPEN)
        on_answer(l, f);
    else if (f->op == FRAME_HELLO)
        on_hello(l, f);
    else if (f->op == FRAME_DONE)
        on_map(l, f);
    else
        fail(l, "it speaks another protocol");
}

static void read_frames(struct link *l)
{
    struct frame f;

    l->want = 0;
    while (l->state > LINK_CONNECTING) {
        enum frame_status status = frame_read(recvq_data(&l->in), recvq_len(&l->in), &f);

        if (status == FRAME_BAD) {
            fail(l, "it speaks another protocol");
            return;
        }
        if (status == FRAME_MORE) {
            l->want = f.len;
            break;
        }
        /* before it is acted upon: a link that fails lets its buffer go */
        recvq_consume(&l->in, f.len);
        on_frame(l, &f);
    }
    recvq_settle(&l->in);
}

/* sockets */

static void set_watch(struct link *l, bool full)
{
    world_of(l)->ops->watch_set(l->watch, full ? WATCH_READ | WATCH_WRITE : WATCH_READ);
}

/* What goes behind the frame that is to be answered next is no sign of life. */
static enum io flush_requests(struct link *l)
{
    const uint64_t before = l->sent;
    enum io io = sendq_flush(&l->out, world_of(l), l->fd, &l->sent);

    if (l->sent > before && l->first != NULL && before < l->first->at + l->first->bytes)
        l->moved_ms = worker_now(l->fw->worker);
    return io;
}

static void flush_out(struct link *l)
{
    struct world *w = world_of(l);
    uint64_t greeted = 0;
    enum io io = sendq_flush(&l->greeting, w, l->fd, &greeted);

    if (io == IO_OK && l->state == LINK_OPEN)
        io = flush_requests(l);
    l->full = io == IO_AGAIN;
    if (io == IO_FAILED)
        fail(l, words_of(errno));
    else
        set_watch(l, l->full);
}

static void on_connected(struct link *l)
{
    int error = world_of(l)->ops->connect_result(world_of(l), l->fd);

    if (error != 0) {
        fail(l, words_of(error));
        return;
    }
    l->state = LINK_GREETING;
    if (greet(l))
        flush_out(l);
    else
        fail(l, words_of(ENOMEM));
}

static void on_bytes(struct link *l)
{
    l->moved_ms = worker_now(l->fw->worker);
    read_frames(l);
}

static void on_event(void *arg, int what)
{
    struct link *l = arg;
    enum io io;

    if (l->state == LINK_CONNECTING) {
        on_connected(l);
    } else if (what & WATCH_WRITE) {
        flush_out(l);
    } else {
        io = recvq_fill(&l->in, world_of(l), l->fd, l->want);
        if (io == IO_EOF)
            fail(l, words_of(ECONNRESET));
        else if (io == IO_FAILED)
            fail(l, words_of(errno));
        else if (io == IO_OK)
            on_bytes(l);
    }
}

static void begin_connect(struct link *l)
{
    struct world *w = world_of(l);

    l->state = LINK_CONNECTING;
    if (l->local[0] != '\0')
        l->fd = w->ops->connect(w, l->local);
    if (l->fd < 0)
        l->fd = w->ops->connect(w, l->address);
    if (l->fd < 0) {
        fail(l, words_of(errno));
        return;
    }
    l->watch = w->ops->watch_new(l->fw->worker->loop, l->fd, on_event, l);
    if (l->watch == NULL) {
        w->ops->close(w, l->fd);
        l->fd = -1;
        fail(l, words_of(ENOMEM));
        return;
    }
    w->ops->watch_set(l->watch, WATCH_WRITE);
    w->ops->timer_set(l->timer, l->fw->front->config.shard_timeout_ms);
}

static void on_timer(void *arg)
{
    struct link *l = arg;

    if (l->state == LINK_DOWN)
        begin_connect(l);
    else if (l->state != LINK_OPEN)
        fail(l, "it does not answer");
}

/* for the front */

struct link *link_new(struct front_worker *fw, const struct member *m)
{
    struct worker *w = fw->worker;
    struct link *l = calloc(1, sizeof(*l));

    if (l == NULL)
        return NULL;
    l->fw = fw;
    l->refs = 1;
    l->fd = -1;
    l->last = &l->first;
    snprintf(l->name, sizeof(l->name), "%s", m->name);
    snprintf(l->address, sizeof(l->address), "%s", m->address);
    if (m->address[0] != '/' && m->address[0] != '@' &&
        snprintf(l->local, sizeof(l->local), MEMBER_LOCAL_PREFIX "%s", m->address) >=
            (int)sizeof(l->local))
        l->local[0] = '\0';
    recvq_init(&l->in, &w->pool);
    sendq_init(&l->greeting, &w->pool);
    sendq_init(&l->out, &w->pool);
    l->retry_ms = RETRY_FIRST_MS;
    l->timer = w->world->ops->timer_new(w->loop, on_timer, l);
    if (l->timer == NULL) {
        free(l);
        return NULL;
    }
    begin_connect(l);
    return l;
}

static void leave_dirty(struct link *l)
{
    struct link **at = &l->fw->dirty;

    while (*at != NULL && *at != l)
        at = &(*at)->next_dirty;
    if (*at == l)
        *at = l->next_dirty;
}

void link_free(struct link *l)
{
    if (l == NULL)
        return;
    l->reason = "the map has changed";
    l->state = LINK_DOWN;       /* for those whose answer still needs it */
    close_socket(l);
    fail_requests(l);
    leave_dirty(l);
    world_of(l)->ops->timer_free(l->timer);
    link_unref(l);
}

/* NULL, or why nothing can be sent now. */
static const char *why_not(const struct link *l)
{
    if (l->state == LINK_DOWN || (l->state != LINK_OPEN && l->tried))
        return l->reason;
    /* one that is larger than the limit may go alone */
    if (l->first != NULL && l->open_bytes > l->fw->front->config.link_queue_bytes)
        return "too much is waiting for it";
    return NULL;
}

/* Queues head and value; false when memory is short and nothing was queued. */
static bool queue_frame(struct link *l, struct request *r, const struct frame *f,
                        struct chunk *chunk)
{
    bool by_ref = chunk != NULL && f->value_len >= SENDQ_REF_BYTES;
    size_t head = r->bytes - f->value_len, len = by_ref ? head : head + f->value_len;
    char *at = sendq_room(&l->out, len), *to;

    if (at == NULL)
        return false;
    to = frame_put(at, f);
    if (!by_ref && f->value_len > 0)
        memcpy(to, f->value, f->value_len);
    r->frame_chunk = chunk_ref(l->out.tail);
    r->key = at + FRAME_HEAD;
    if (!sendq_commit(&l->out, len))
        return false;
    if (by_ref) {
        r->value_chunk = chunk_ref(chunk);
        /* a head without its value would be the end of the link: see link_send() */
        return sendq_add_ref(&l->out, chunk, f->value, f->value_len);
    }
    return true;
}

/* For answers that repeat the key; an empty one when memory is short. */
static void keep_key(struct request *r, const struct frame *f)
{
    if (r->owner != NULL || r->form.protocol == PROTOCOL_TEXT)
        return;
    r->own_key = malloc(f->key_len);
    if (r->own_key != NULL)
        memcpy(r->own_key, f->key, f->key_len);
    else
        r->key_len = 0;
    r->key = r->own_key != NULL ? r->own_key : "";
}

void link_send(struct link *l, struct request *r, const struct frame *f, struct chunk *chunk)
{
    const char *reason;

    if (r->link != l) {         /* not one that is asked again */
        link_unref(r->link);
        r->link = l;
        l->refs++;
    }
    r->next = NULL;
    r->outcome = WAITING;
    r->key_len = (uint8_t)f->key_len;
    r->more_statuses = statuses_of_options(r->verb, f->options);
    r->bytes = frame_head_len(f) + f->value_len;
    r->at = l->queued;
    r->sent_ms = worker_now(l->fw->worker);
    l->open_bytes += r->bytes;
    reason = why_not(l);
    if (reason != NULL) {
        keep_key(r, f);
        finish(r, NOT_SENT, reason);
        return;
    }
    *l->last = r;
    l->last = &r->next;
    l->queued += r->bytes;
    if (!queue_frame(l, r, f, chunk)) {
        if (r->frame_chunk == NULL)
            keep_key(r, f);
        fail(l, words_of(ENOMEM));
        return;
    }
    if (!l->dirty) {
        l->dirty = true;
        l->next_dirty = l->fw->dirty;
        l->fw->dirty = l;
    }
}

void link_flush(struct link *l)
{
    l->dirty = false;
    if (l->state == LINK_OPEN && !l->full)
        flush_out(l);
}

struct link *link_next_dirty(struct link *l)
{
    return l->next_dirty;
}

/* A shard that is busy with a lot of bytes is not silent; for ever it may not be. */
void link_tick(struct link *l)
{
    int64_t patience_ms = l->fw->front->config.shard_timeout_ms;
    int64_t now_ms = worker_now(l->fw->worker), since_ms;

    if (l->first == NULL)
        return;
    since_ms = l->first->sent_ms > l->moved_ms ? l->first->sent_ms : l->moved_ms;
    if (now_ms - since_ms > patience_ms || now_ms - l->first->sent_ms > PATIENCES * patience_ms)
        fail(l, "it does not answer");
}

const char *link_name(const struct link *l)
{
    return l->name;
}
