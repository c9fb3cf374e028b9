#include "front/watchers.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front/dump.h"
#include "wire/listing.h"

#define EVENT_MAX (3 * KEY_MAX + 256)   /* bytes of a line */
#define REPORT_BYTES 65536      /* of one worker and turn; what is more is missed */
#define OUTPUT_BYTES (256u << 10)       /* a watcher's unsent lines */

enum stream {
#define X(name, word) STREAM_##name,
    STREAMS(X)
#undef X
    N_STREAMS
};

static const char *const stream_words[N_STREAMS] = {
#define X(name, word) [STREAM_##name] = word,
    STREAMS(X)
#undef X
};

struct watcher {
    struct watcher *next;       /* fw->watchers */
    struct session *session;
    unsigned streams;           /* 1 << enum stream, together */
    uint64_t missed;            /* lines, since the last one it got */
};

/* What happened in one turn: stream, length, line; again and again. */
struct report {
    struct mail mail;
    size_t len;
    unsigned streams;           /* that have a line in it */
    uint64_t missed;
    char lines[REPORT_BYTES];
};

/* ---- lines ---- */

/* "ts= gid= type=" and the rest. */
static void add_line(struct report *r, struct front_worker *fw, enum stream stream,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));

static void add_line(struct report *r, struct front_worker *fw, enum stream stream,
                     const char *format, ...)
{
    const int64_t wall_ms = worker_wall(fw->worker);
    const uint64_t gid = __atomic_add_fetch(&fw->front->n_events, 1, __ATOMIC_RELAXED);
    char *line = r->lines + r->len + 3;
    va_list args;
    size_t len;

    if (r->len + 3 + EVENT_MAX > REPORT_BYTES) {
        r->missed++;
        return;
    }
    len = (size_t)snprintf(line, EVENT_MAX, "ts=%" PRId64 ".%06d gid=%" PRIu64 " type=",
                           wall_ms / 1000, (int)(wall_ms % 1000) * 1000, gid);
    va_start(args, format);
    len += (size_t)vsnprintf(line + len, EVENT_MAX - len, format, args);
    va_end(args);
    line[-3] = (char)stream;
    line[-2] = (char)(len & 0xff);
    line[-1] = (char)(len >> 8);
    r->len += 3 + len;
    r->streams |= 1u << stream;
}

/* NULL when memory is short: nothing is told then. */
static struct report *report_new(void)
{
    struct report *r = malloc(sizeof(*r));

    if (r != NULL) {
        r->len = 0;
        r->streams = 0;
        r->missed = 0;
    }
    return r;
}

static struct report *report_of_turn(struct front_worker *fw)
{
    if (fw->report == NULL)
        fw->report = report_new();
    return fw->report;
}

static bool is_watched(const struct front_worker *fw, enum stream stream)
{
    return (__atomic_load_n(&fw->front->streams, __ATOMIC_RELAXED) >> stream & 1) != 0;
}

static const char *store_status(enum status status)
{
    switch (status) {
    case STATUS_STORED:
        return "stored";
    case STATUS_EXISTS:
        return "exists";
    case STATUS_NOT_FOUND:
        return "not_found";
    case STATUS_TOO_LARGE:
        return "too_large";
    case STATUS_NO_MEMORY:
        return "no_memory";
    default:
        return "not_stored";
    }
}

void watchers_note(struct front_worker *fw, int fd, const struct asked *asked,
                   const struct answer *a)
{
    char key[3 * KEY_MAX + 1];
    struct report *r = report_of_turn(fw);
    const bool found = a->status == STATUS_HIT || a->status == STATUS_HEAD;

    if (r == NULL)
        return;
    *dump_put_key(key, asked->key, asked->key_len) = '\0';
    if (verb_is_get(asked->verb) && is_watched(fw, STREAM_FETCHERS))
        add_line(r, fw, STREAM_FETCHERS, "item_get key=%s status=%s clsid=%d cfd=%d size=%zu\n",
                 key, found ? "found" : "not_found", found ? 1 : 0, fd,
                 a->status == STATUS_HIT ? a->value_len : found ? (size_t)a->number : 0);
    else if (verb_has_value(asked->verb) && is_watched(fw, STREAM_MUTATIONS))
        add_line(r, fw, STREAM_MUTATIONS,
                 "item_store key=%s status=%s cmd=%s ttl=%" PRId64 " clsid=1 cfd=%d size=%zu\n",
                 key, store_status(a->status), verb_word(asked->verb),
                 asked->form->ttl_ms > 0 ? ttl_seconds(asked->form->ttl_ms) : 0, fd,
                 asked->form->value_len);
    else if (a->status == STATUS_DELETED && is_watched(fw, STREAM_DELETIONS))
        add_line(r, fw, STREAM_DELETIONS, "deleted key=%s cmd=%s clsid=1\n", key,
                 asked->form->protocol == PROTOCOL_META ? "md" : "delete");
}

/* "127.0.0.1:1234" apart; a Unix socket has neither. */
static void note_connection(struct session *s, const char *what, const char *reason)
{
    struct front_worker *fw = s->worker->front;
    struct report *r;
    char name[ADDRESS_MAX], *port;

    if (fw == NULL || !is_watched(fw, STREAM_CONNEVENTS) || (r = report_of_turn(fw)) == NULL)
        return;
    s->worker->world->ops->peer_name(s->worker->world, s->fd, name, sizeof(name));
    port = strrchr(name, ':');
    if (port != NULL)
        *port++ = '\0';
    add_line(r, fw, STREAM_CONNEVENTS, "%s rip=%s rport=%s transport=%s%s cfd=%d\n", what, name,
             port != NULL ? port : "0", port != NULL ? "tcp" : "local", reason, s->fd);
}

void watchers_opened(struct session *s)
{
    note_connection(s, "conn_new", "");
}

/* ---- to the watchers ---- */

static bool put_line(struct watcher *w, const char *line, size_t len)
{
    struct sendq *q = &w->session->out;
    char missed[40];

    if (q->bytes + len > OUTPUT_BYTES)
        return false;
    if (w->missed > 0) {
        snprintf(missed, sizeof(missed), "skipped=%" PRIu64 "\n", w->missed);
        if (!sendq_add(q, missed, strlen(missed)))
            return false;
        w->missed = 0;
    }
    return sendq_add(q, line, len);
}

static void tell(struct watcher *w, const struct report *r)
{
    if (w->session->closed || (w->streams & r->streams) == 0)
        return;
    for (size_t at = 0; at < r->len;) {
        const unsigned char *head = (const unsigned char *)r->lines + at;
        const size_t len = head[1] | (size_t)head[2] << 8;

        if ((w->streams >> head[0] & 1) != 0 && !put_line(w, r->lines + at + 3, len))
            w->missed++;
        at += 3 + len;
    }
    w->missed += r->missed;
    session_join_flush(w->session);
}

static void tell_all(struct front_worker *fw, const struct report *r)
{
    for (struct watcher *w = fw->watchers; w != NULL; w = w->next)
        tell(w, r);
}

static void on_report(struct worker *worker, struct mail *m)
{
    struct report *r = (struct report *)((char *)m - offsetof(struct report, mail));

    if (worker->front != NULL)
        tell_all(worker->front, r);
    free(r);
}

static void post_copy(struct worker *worker, const struct report *r)
{
    struct report *copy = malloc(sizeof(*copy));

    if (copy == NULL)
        return;                 /* they miss a turn */
    memcpy(copy, r, offsetof(struct report, lines) + r->len);
    copy->mail.read = on_report;
    worker_post(worker, &copy->mail);
}

void watchers_turn_end(struct front_worker *fw)
{
    struct front *front = fw->front;
    struct report *r = fw->report;

    if (r == NULL)
        return;
    fw->report = NULL;
    for (unsigned i = 0; i < front->n_workers; i++) {
        struct front_worker *other = front->workers[i].front;

        if (other != NULL && other != fw &&
            __atomic_load_n(&other->n_watchers, __ATOMIC_RELAXED) > 0)
            post_copy(&front->workers[i], r);
    }
    tell_all(fw, r);
    free(r);
}

/* ---- evictions ---- */

/* `n`: so many there were; the page has the last of them. */
static void note_evictions(struct front_worker *fw, const char *page, size_t len, uint64_t n)
{
    struct report *r = report_new();
    char key[3 * KEY_MAX + 1];
    struct listed l;

    if (r == NULL)
        return;
    r->missed = n;
    for (size_t pos = 0; listing_next(page, len, &pos, &l) && r->missed > 0; r->missed--) {
        *dump_put_key(key, l.key, l.key_len) = '\0';
        add_line(r, fw, STREAM_EVICTIONS,
                 "eviction key=%s fetch=%s ttl=%" PRId64 " la=%" PRIu32 " clsid=1 size=%zu\n",
                 key, (l.marks & MARK_FETCHED) != 0 ? "yes" : "no", ttl_seconds(l.ttl_ms),
                 l.idle_s, l.value_len);
    }
    tell_all(fw, r);            /* every worker asks for its own watchers */
    free(r);
}

/* Links outlive maps, places do not: NULL where it was asked under an older one. */
static struct eviction_place *place_of(const struct request *r)
{
    const struct front_worker *fw = r->owner;

    if (fw->evictions == NULL || r->part >= fw->links.n || fw->links.link[r->part] != r->link)
        return NULL;
    return &fw->evictions[r->part];
}

static void on_evictions(struct request *r)
{
    struct front_worker *fw = r->owner;
    struct eviction_place *place = place_of(r);

    if (place != NULL && r->outcome == ANSWERED && !place->stale) {
        /* a version that falls is another life of the shard: it begins anew */
        if (place->cursor != 0 && r->reply.version > place->cursor &&
            r->reply.value_len <= EVICTIONS_PAGE)
            note_evictions(fw, r->reply.value, r->reply.value_len,
                           r->reply.version - place->cursor);
        place->cursor = r->reply.version;
    }
    if (place != NULL)
        place->asked = place->stale = false;
    request_free(&fw->links, r);
}

static void ask_there(struct front_worker *fw, unsigned i)
{
    struct frame f = { .op = FRAME_EVICTIONS, .number = fw->evictions[i].cursor };
    struct request *r = request_new(&fw->links);

    if (r == NULL)
        return;
    fw->evictions[i].asked = true;
    r->owner = fw;
    r->part = i;
    r->answer_op = FRAME_DONE;
    r->done = on_evictions;
    link_send(fw->links.link[i], r, &f, NULL);
}

static void ask_here(struct front_worker *fw, unsigned i)
{
    char page[EVICTIONS_PAGE];
    uint64_t *cursor = &fw->evictions[i].cursor, before = *cursor;
    const size_t len = store_evictions(fw->front->store, cursor, worker_now(fw->worker), page);

    if (len > 0)
        note_evictions(fw, page, len, *cursor - before);
}

static bool has_watchers_of(const struct front_worker *fw, enum stream stream)
{
    for (const struct watcher *w = fw->watchers; w != NULL; w = w->next)
        if ((w->streams >> stream & 1) != 0)
            return true;
    return false;
}

void watchers_tick(struct front_worker *fw)
{
    if (!has_watchers_of(fw, STREAM_EVICTIONS))
        return;
    if (fw->evictions == NULL)
        fw->evictions = calloc(fw->links.n, sizeof(*fw->evictions));
    for (unsigned i = 0; fw->evictions != NULL && i < fw->links.n; i++) {
        if ((int)i == fw->self)
            ask_here(fw, i);
        else if (fw->links.link[i] != NULL && !fw->evictions[i].asked)
            ask_there(fw, i);
    }
}

void watchers_forget_links(struct front_worker *fw)
{
    free(fw->evictions);
    fw->evictions = NULL;
}

/* ---- who watches ---- */

/* Counts one watcher more or less; front->streams is what somebody wants. */
static void count_streams(struct front *front, unsigned streams, int change)
{
    unsigned wanted = 0;

    pthread_mutex_lock(&front->streams_lock);
    for (unsigned i = 0; i < N_STREAMS; i++) {
        if ((streams >> i & 1) != 0)
            front->n_watching[i] += (unsigned)change;
        if (front->n_watching[i] > 0)
            wanted |= 1u << i;
    }
    __atomic_store_n(&front->streams, wanted, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&front->streams_lock);
}

/* The streams that the words name; 0 when one of them is none. */
static unsigned read_streams(const struct cmd *cmd)
{
    const char *at = cmd->args, *end = cmd->args + cmd->args_len;
    unsigned streams = cmd->args_len == 0 ? 1u << STREAM_FETCHERS : 0;

    while (at < end) {
        const char *space = memchr(at, ' ', (size_t)(end - at));
        const size_t len = (size_t)((space != NULL ? space : end) - at);
        unsigned i;

        for (i = 0; len > 0 && i < N_STREAMS; i++)
            if (strlen(stream_words[i]) == len && memcmp(stream_words[i], at, len) == 0)
                break;
        if (i == N_STREAMS)
            return 0;
        streams |= len > 0 ? 1u << i : 0;
        at += len + 1;
    }
    return streams;
}

static void say(struct session *s, const char *line)
{
    session_say(s, line, strlen(line));
}

void watchers_join(struct session *s, const struct cmd *cmd)
{
    struct front_worker *fw = s->worker->front;
    const unsigned streams = read_streams(cmd);
    struct watcher *w;

    if (!fw->front->config.watch) {
        say(s, "CLIENT_ERROR watch commands not allowed\r\n");
    } else if (s->first != NULL) {
        say(s, "ERROR cannot pipeline other commands before watch\r\n");
    } else if (streams == 0) {
        say(s, "ERROR\r\n");
    } else if ((w = calloc(1, sizeof(*w))) == NULL) {
        s->broken = true;
    } else {
        say(s, "OK\r\n");
        session_deafen(s);
        w->session = s;
        w->streams = streams;
        w->next = fw->watchers;
        fw->watchers = w;
        __atomic_add_fetch(&fw->n_watchers, 1, __ATOMIC_RELAXED);
        count_streams(fw->front, streams, 1);
        watchers_tick(fw);      /* evictions count from now on */
    }
}

/* The next watcher is told what is evicted from its own first moment on. */
static void forget_evictions(struct front_worker *fw)
{
    for (size_t i = 0; i < fw->links.n; i++) {
        fw->evictions[i].cursor = 0;
        fw->evictions[i].stale = fw->evictions[i].asked;
    }
}

static void leave(struct front_worker *fw, struct session *s)
{
    struct watcher **at = &fw->watchers, *w;

    while ((w = *at) != NULL && w->session != s)
        at = &w->next;
    if (w == NULL)
        return;
    *at = w->next;
    __atomic_sub_fetch(&fw->n_watchers, 1, __ATOMIC_RELAXED);
    count_streams(fw->front, w->streams, -1);
    free(w);
    if (fw->evictions != NULL && !has_watchers_of(fw, STREAM_EVICTIONS))
        forget_evictions(fw);
}

void watchers_closed(struct session *s)
{
    struct front_worker *fw = s->worker->front;

    if (fw == NULL)
        return;
    leave(fw, s);
    note_connection(s, "conn_close", s->state == FINISH && !s->faulty ? " reason=normal" : " reason=error");
}

void watchers_fini(struct front_worker *fw)
{
    free(fw->report);
    free(fw->evictions);
}
