#include "cluster/link_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "wire/events.h"
#include "wire/hello.h"

/* A link that was open for so long was no flicker. */
#define GOOD_LIFE_MS 1000
/* Time-outs that one answer may take while bytes keep coming. */
#define PATIENCES 10

void link_ref(struct link *l)
{
    l->refs++;
}

void link_unref(struct link *l)
{
    if (l == NULL || --l->refs > 0)
        return;
    confirms_fini(&l->confirms);
    free(l->took);
    free(l);
}

static void add_open_bytes(struct link *l, size_t bytes)
{
    __atomic_store_n(&l->open_bytes, l->open_bytes + bytes, __ATOMIC_RELAXED);
}

static void finish(struct request *r, enum request_outcome outcome, const char *reason)
{
    add_open_bytes(r->link, -r->bytes);
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
        link_world(l)->ops->watch_free(l->watch);
        link_world(l)->ops->close(link_world(l), l->fd);
    }
    l->watch = NULL;
    l->fd = -1;
    recvq_fini(&l->in);
    sendq_fini(&l->greeting);
    sendq_fini(&l->out);
    l->want = 0;
}

const char *link_words_of(int error)
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

void link_go_down(struct link *l, const char *reason, int64_t retry_ms)
{
    if (l->state == LINK_OPEN || !l->logged)
        log_warn("cluster", "shard is not reached: %s shard=%s addr=%s", reason, l->name,
                 l->address);
    l->logged = l->tried = true;
    l->full = l->refusing = false;
    l->reason = reason;
    l->refused = reason == link_words_of(ECONNREFUSED) || reason == link_words_of(ECONNRESET);
    l->state = LINK_DOWN;
    l->watched = 0;
    close_socket(l);
    confirms_forget(&l->confirms);
    fail_requests(l);
    l->queued = l->sent = 0;
    link_world(l)->ops->timer_set(l->timer, retry_ms);
    links_changed(l->ls);
}

void link_fail(struct link *l, const char *reason)
{
    bool was_good = l->state == LINK_OPEN &&
                    worker_now(l->ls->worker) - l->opened_ms >= GOOD_LIFE_MS;
    int64_t retry_ms = was_good ? LINK_RETRY_FIRST_MS : l->retry_ms * 2;

    l->retry_ms = retry_ms > LINK_RETRY_LAST_MS ? LINK_RETRY_LAST_MS : retry_ms;
    link_go_down(l, reason, l->retry_ms);
}

/* answers */

/* A hostile member must not make us say nonsense. */
static bool answer_fits(const struct request *r, const struct frame *f)
{
    if (f->op != FRAME_ANSWER)
        return f->op == r->answer_op;
    return r->answer_op == FRAME_ANSWER && f->st < N_STATUSES && (r->statuses & 1u << f->st) != 0
        && (r->told == NULL || (f->marks & MARK_OPEN) != 0);
}

static void join_dirty(struct link *l)
{
    if (l->dirty)
        return;
    l->dirty = true;
    l->next_dirty = l->ls->dirty;
    l->ls->dirty = l;
}

/* Those that were sent in one turn and answered in one are counted together. */
static void count_took(struct link *l)
{
    if (l->n_answered > 0)
        histogram_add(l->took, (uint64_t)(worker_now_ns(l->ls->worker) - l->answered_ns),
                      l->n_answered);
    l->n_answered = 0;
}

static inline void note_took(struct link *l, const struct request *r)
{
    if (l->took == NULL || r->answer_op == FRAME_DONE)
        return;
    if (l->answered_ns != r->sent_ns) {
        count_took(l);
        l->answered_ns = r->sent_ns;
    }
    l->n_answered++;
}

/* The oldest request is no longer the link's.  With the last of those that were sent
 * before a refusal was seen all of them are known: that can be said. */
static struct request *take_first(struct link *l)
{
    struct request *r = l->first;

    l->first = r->next;
    if (l->first == NULL) {
        l->last = &l->first;
        if (l->refusing)
            join_dirty(l);
    }
    return r;
}

/* One command of several has its answer, or NULL: it was refused. */
static void on_one_of_several(struct link *l, struct request *r, const struct frame *f)
{
    r->each(r, f, l->in.chunk);
    if (--r->n_open > 0)
        return;
    take_first(l);
    note_took(l, r);
    finish(r, r->outcome == REFUSED ? REFUSED : ANSWERED, r->reason);
}

static void on_answer(struct link *l, const struct frame *f)
{
    struct request *r = l->first;

    if (r == NULL) {
        link_fail(l, "it answered what nobody asked");
        return;
    }
    if (!answer_fits(r, f)) {
        link_fail(l, "it answered nonsense");
        return;
    }
    if (f->op == FRAME_ANSWER && (f->marks & MARK_OPEN) != 0 &&
        (r->open = confirms_add(&l->confirms)) == 0) {
        link_fail(l, link_words_of(ENOMEM));
        return;
    }
    if (r->each != NULL) {
        on_one_of_several(l, r, f);
        return;
    }
    take_first(l);
    note_took(l, r);
    r->reply = *f;
    if (f->value_len > 0)
        r->reply_chunk = chunk_ref(l->in.chunk);
    finish(r, ANSWERED, NULL);
}

/* Unasked, to fronts. */
static void on_watched(struct link *l, const struct frame *f)
{
    if (l->protocol < HELLO_EVENTS || l->ls->config->role != HELLO_FRONT)
        link_fail(l, "it answered nonsense");
    else
        l->watched = f->st & STREAMS_OF_FRONTS;
}

/* It goes before the answer that it belongs to. */
static void on_told(struct link *l, const struct frame *f)
{
    struct request *r = l->first;

    if (r == NULL || r->answer_op != FRAME_ANSWER || r->told != NULL) {
        link_fail(l, "it answered nonsense");
        return;
    }
    r->told_chunk = chunk_ref(l->in.chunk);
    r->told = f->value + f->value_len - f->len;
}

static const char *words_of_refusal(enum refusal why)
{
    static const char *const words[] = {
        [REFUSED_EPOCH] = "the map has changed",
        [REFUSED_NO_MAP] = "it has no map",
        [REFUSED_HELLO] = "it refuses this member",
        [REFUSED_NOT_READY] = "it is not ready",
        [REFUSED_NO_LEASE] = "it holds no lease",
        [REFUSED_AGAIN] = "the map has changed",
        [REFUSED_NOT_OWNER] = "it does not own the key",
    };

    return words[why];
}

/* What lies behind it is refused too, until the link says that it has seen this. */
static void on_refused(struct link *l, const struct frame *f)
{
    struct request *r = l->first;

    if (r == NULL || r->told != NULL || l->ls->view == NULL || f->st >= N_REFUSALS ||
        f->st == REFUSED_HELLO) {
        link_fail(l, "it refused what nobody asked");
        return;
    }
    if (f->st != REFUSED_AGAIN) {
        l->refusing = true;
        link_take_map(l, f);
        links_changed(l->ls);
    }
    r->refusal = (enum refusal)f->st;
    r->reason = words_of_refusal(r->refusal);
    if (r->each != NULL) {
        r->outcome = REFUSED;
        on_one_of_several(l, r, NULL);
    } else {
        take_first(l);
        finish(r, REFUSED, r->reason);
    }
}

static void on_frame(struct link *l, const struct frame *f)
{
    if (f->op == FRAME_REFUSED && (l->state != LINK_OPEN || f->st == REFUSED_HELLO))
        link_on_hello_refused(l, f);
    else if (f->op == FRAME_REFUSED)
        on_refused(l, f);
    else if (l->state == LINK_OPEN && f->op == FRAME_TOLD)
        on_told(l, f);
    else if (l->state == LINK_OPEN && f->op == FRAME_WATCHED)
        on_watched(l, f);
    else if (l->state == LINK_OPEN)
        on_answer(l, f);
    else if (f->op == FRAME_HELLO)
        link_on_hello(l, f);
    else if (f->op == FRAME_DONE && l->ls->view != NULL)
        link_on_map(l, f);
    else
        link_fail(l, "it speaks another protocol");
}

static void read_frames(struct link *l)
{
    struct frame f;

    l->want = 0;
    while (l->state > LINK_CONNECTING) {
        enum frame_status status = frame_read(recvq_data(&l->in), recvq_len(&l->in), &f);

        if (status == FRAME_BAD) {
            link_fail(l, "it speaks another protocol");
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
    link_world(l)->ops->watch_set(l->watch, full ? WATCH_READ | WATCH_WRITE : WATCH_READ);
}

/* With what goes before them.  What goes behind the frame that is to be answered
 * next is no sign of life. */
static enum io flush_requests(struct link *l)
{
    const uint64_t before = l->sent;
    enum io io = sendq_flush_both(&l->greeting, &l->out, link_world(l), l->fd, &l->sent);

    if (l->sent > before && l->first != NULL && before < l->first->at + l->first->bytes)
        l->moved_ms = worker_now(l->ls->worker);
    return io;
}

void link_flush_out(struct link *l)
{
    uint64_t greeted = 0;
    enum io io = l->state == LINK_OPEN
               ? flush_requests(l)
               : sendq_flush(&l->greeting, link_world(l), l->fd, &greeted);

    l->full = io == IO_AGAIN;
    if (io == IO_FAILED)
        link_fail(l, link_words_of(errno));
    else
        set_watch(l, l->full);
}

static void on_connected(struct link *l)
{
    int error = link_world(l)->ops->connect_result(link_world(l), l->fd);

    if (error != 0) {
        link_fail(l, link_words_of(error));
        return;
    }
    l->state = LINK_GREETING;
    if (link_greet(l))
        link_flush_out(l);
    else
        link_fail(l, link_words_of(ENOMEM));
}

static void on_bytes(struct link *l)
{
    l->moved_ms = worker_now(l->ls->worker);
    read_frames(l);
    count_took(l);
}

static void on_event(void *arg, int what)
{
    struct link *l = arg;
    enum io io;

    if (l->state == LINK_CONNECTING) {
        on_connected(l);
    } else if (what & WATCH_WRITE) {
        link_flush_out(l);
        join_dirty(l);          /* for what could not be said meanwhile */
    } else {
        io = recvq_fill(&l->in, link_world(l), l->fd, l->want);
        if (io == IO_EOF)
            link_fail(l, link_words_of(ECONNRESET));
        else if (io == IO_FAILED)
            link_fail(l, link_words_of(errno));
        else if (io == IO_OK)
            on_bytes(l);
    }
}

static void begin_connect(struct link *l)
{
    struct world *w = link_world(l);

    l->state = LINK_CONNECTING;
    if (l->local[0] != '\0')
        l->fd = w->ops->connect(w, l->local);
    if (l->fd < 0)
        l->fd = w->ops->connect(w, l->address);
    if (l->fd < 0) {
        link_fail(l, link_words_of(errno));
        return;
    }
    l->watch = w->ops->watch_new(l->ls->worker->loop, l->fd, on_event, l);
    if (l->watch == NULL) {
        w->ops->close(w, l->fd);
        l->fd = -1;
        link_fail(l, link_words_of(ENOMEM));
        return;
    }
    w->ops->watch_set(l->watch, WATCH_WRITE);
    w->ops->timer_set(l->timer, l->ls->config->timeout_ms);
}

static void on_timer(void *arg)
{
    struct link *l = arg;

    if (l->state == LINK_DOWN)
        begin_connect(l);
    else if (l->state != LINK_OPEN)
        link_fail(l, "it does not answer");
}

/* for its owner */

void link_try_again(struct link *l)
{
    if (l->state != LINK_DOWN || !l->refused)
        return;
    l->tried = false;
    begin_connect(l);
}

struct link *link_new(struct links *ls, const struct member *m)
{
    struct worker *w = ls->worker;
    struct link *l = calloc(1, sizeof(*l));

    if (l == NULL)
        return NULL;
    l->ls = ls;
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
    l->retry_ms = LINK_RETRY_FIRST_MS;
    l->timer = w->world->ops->timer_new(w->loop, on_timer, l);
    if (ls->config->timed)
        l->took = calloc(2, sizeof(*l->took));
    if (l->timer == NULL) {
        free(l->took);
        free(l);
        return NULL;
    }
    begin_connect(l);
    return l;
}

static void leave_dirty(struct link *l)
{
    struct link **at = &l->ls->dirty;

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
    confirms_forget(&l->confirms);
    fail_requests(l);
    leave_dirty(l);
    link_world(l)->ops->timer_free(l->timer);
    link_unref(l);
}

const char *link_why_closed(const struct link *l)
{
    if (l->state == LINK_DOWN || (l->state != LINK_OPEN && l->tried))
        return l->reason;
    return l->refusing ? "the map has changed" : NULL;
}

/* The same, or why no `bytes` more can. */
static const char *why_not(const struct link *l, size_t bytes)
{
    const char *reason = link_why_closed(l);

    if (reason != NULL)
        return reason;
    /* one that is larger than the limit may go alone */
    if (l->first != NULL && l->open_bytes + bytes > l->ls->config->queue_bytes)
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
    r->value = by_ref ? f->value : to;
    if (!sendq_commit(&l->out, len))
        return false;
    if (by_ref) {
        r->value_chunk = chunk_ref(chunk);
        /* a head without its value would be the end of the link: see link_send() */
        return sendq_add_ref(&l->out, chunk, f->value, f->value_len);
    }
    return true;
}

/* For those who need it afterwards; an empty one when memory is short. */
static void keep_key(struct request *r, const struct frame *f)
{
    r->key_len = (uint8_t)f->key_len;
    if (!r->needs_key)
        return;
    r->own_key = malloc(f->key_len);
    if (r->own_key != NULL)
        memcpy(r->own_key, f->key, f->key_len);
    else
        r->key_len = 0;
    r->key = r->own_key != NULL ? r->own_key : "";
}

static void add_last(struct link *l, struct request *r)
{
    r->next = NULL;
    r->at = l->queued;
    r->sent_ns = worker_now_ns(l->ls->worker);
    *l->last = r;
    l->last = &r->next;
    l->queued += r->bytes;
    add_open_bytes(l, r->bytes);
    join_dirty(l);
}

/* `r` is to be sent here, if nothing speaks against it. */
static void begin_request(struct link *l, struct request *r)
{
    if (r->link != l) {         /* as request_set_link(), on the way of every command */
        link_unref(r->link);
        r->link = l;
        l->refs++;
    }
    r->outcome = WAITING;
    r->bytes = 0;
}

void link_send(struct link *l, struct request *r, const struct frame *f, struct chunk *chunk)
{
    const size_t bytes = frame_head_len(f) + f->value_len;
    /* what goes by a map must find it said: there is always room for it */
    const char *reason = f->op == FRAME_MAP ? link_why_closed(l) : why_not(l, bytes);

    begin_request(l, r);
    if (reason != NULL) {
        if (!r->needs_frame || !request_keep(l->ls, r, f, chunk))
            keep_key(r, f);
        finish(r, NOT_SENT, reason);
        return;
    }
    r->key_len = (uint8_t)f->key_len;
    r->bytes = bytes;
    add_last(l, r);
    if (!queue_frame(l, r, f, chunk)) {
        if (r->frame_chunk == NULL)
            keep_key(r, f);
        link_fail(l, link_words_of(ENOMEM));
    }
}

static char *queue_all(struct link *l, struct request *r, const char *frames)
{
    char *at = sendq_room(&l->out, r->bytes);

    if (at == NULL)
        return NULL;
    r->frame_chunk = chunk_ref(l->out.tail);
    r->value = memcpy(at, frames, r->bytes);
    return sendq_commit(&l->out, r->bytes) ? at : NULL;
}

char *link_send_all(struct link *l, struct request *r, const char *frames, size_t len,
                    unsigned n)
{
    const char *reason = why_not(l, len);
    char *at;

    begin_request(l, r);
    r->n_open = n;
    r->reason = NULL;
    if (reason != NULL) {
        (void)request_keep_all(l->ls, r, frames, len);
        finish(r, NOT_SENT, reason);
        return NULL;
    }
    r->bytes = len;
    add_last(l, r);
    at = queue_all(l, r, frames);
    if (at == NULL)
        link_fail(l, link_words_of(ENOMEM));
    return at;
}

bool link_post(struct link *l, const struct frame *f)
{
    const size_t len = frame_head_len(f) + f->value_len;
    char *at;

    if (l->state != LINK_OPEN || link_why_closed(l) != NULL ||
        l->out.bytes > l->ls->config->queue_bytes || (at = sendq_room(&l->out, len)) == NULL)
        return false;
    bytes_put(frame_put(at, f), f->value, f->value_len);
    if (!sendq_commit(&l->out, len))
        return false;
    l->queued += len;
    return true;
}

bool link_tells_events(const struct link *l)
{
    return l->state == LINK_OPEN && l->protocol >= HELLO_EVENTS;
}

unsigned link_watched(const struct link *l)
{
    return l->watched;
}

void link_confirm(struct link *l, uint64_t open, bool given_up)
{
    if (l->state != LINK_OPEN || !confirms_settle(&l->confirms, open, given_up))
        return;
    l->owes = true;
    links_confirm_soon(l->ls);
}

void link_hurry(struct link *l)
{
    if (l->owes)
        join_dirty(l);
}

/* Nothing of `out` is half sent: this goes before it.  False: the link is down. */
static bool say_confirmed(struct link *l)
{
    struct frame f = { .op = FRAME_CONFIRM };
    char frame[FRAME_HEAD];
    bool given_up = false;

    l->owes = false;
    while ((f.version = confirms_take(&l->confirms, &given_up)) > 0) {
        f.st = given_up;
        frame_put(frame, &f);
        if (!sendq_add(&l->greeting, frame, sizeof(frame))) {
            link_fail(l, link_words_of(ENOMEM));
            return false;
        }
    }
    return true;
}

void link_flush(struct link *l)
{
    l->dirty = false;
    /* with a newer map it is the new view that says it */
    if (l->refusing && l->first == NULL && l->ls->view->map->epoch == cluster_epoch(l->ls->cluster))
        link_take_view(l);
    if (l->state == LINK_OPEN && !l->full && say_confirmed(l))
        link_flush_out(l);
}

struct link *link_next_dirty(struct link *l)
{
    return l->next_dirty;
}

/* A shard that is busy with a lot of bytes is not silent; for ever it may not be. */
void link_tick(struct link *l)
{
    int64_t patience_ms = l->ls->config->timeout_ms;
    int64_t now_ms = worker_now(l->ls->worker), sent_ms, since_ms;

    if (l->out.bytes > 0)
        join_dirty(l);          /* what was posted, and nothing took along */
    if (l->first == NULL)
        return;
    sent_ms = l->first->sent_ns / 1000000;
    since_ms = sent_ms > l->moved_ms ? sent_ms : l->moved_ms;
    if (now_ms - since_ms > patience_ms || now_ms - sent_ms > PATIENCES * patience_ms)
        link_fail(l, "it does not answer");
}

const char *link_name(const struct link *l)
{
    return l->name;
}

void link_add_took(const struct link *l, struct histogram *sum)
{
    if (l->took != NULL)
        histogram_merge(sum, &l->took[0]);
}

void link_add_took_since(const struct link *l, struct histogram *sum)
{
    if (l->took == NULL)
        return;
    histogram_merge(sum, &l->took[0]);
    histogram_since(sum, &l->took[1]);
}

void link_reset_took(struct link *l)
{
    if (l->took == NULL)
        return;
    memset(&l->took[1], 0, sizeof(l->took[1]));
    histogram_merge(&l->took[1], &l->took[0]);
}

size_t link_open_bytes(const struct link *l)
{
    return __atomic_load_n(&l->open_bytes, __ATOMIC_RELAXED);
}

bool link_is_open(const struct link *l)
{
    return link_why_closed(l) == NULL;
}

bool link_is_refusing(const struct link *l)
{
    return l->state == LINK_OPEN && l->refusing;
}

bool link_is_refused(const struct link *l)
{
    return l->refused;
}

bool link_leads_to(const struct link *l, const struct member *m)
{
    return strcmp(l->name, m->name) == 0 && strcmp(l->address, m->address) == 0;
}
