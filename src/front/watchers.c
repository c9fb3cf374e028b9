#include "front/watchers.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front/elsewhere.h"

#define OUTPUT_BYTES (256u << 10)       /* a watcher's unsent lines */

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

void watchers_opened(struct session *s)
{
    report_client(s, "conn_new", "");
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

        if ((w->streams >> head[0] & 1) != 0 && !put_line(w, r->lines + at + EVENT_HEAD, len))
            w->missed++;
        at += EVENT_HEAD + len;
    }
    w->missed += r->missed;
    session_join_flush(w->session);
}

void watchers_tell(struct front_worker *fw, const struct report *r)
{
    for (struct watcher *w = fw->watchers; w != NULL; w = w->next)
        tell(w, r);
}

static void on_report(struct worker *worker, struct mail *m)
{
    struct report *r = (struct report *)((char *)m - offsetof(struct report, mail));

    if (worker->front != NULL)
        watchers_tell(worker->front, r);
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
    watchers_tell(fw, r);
    elsewhere_send(fw, r);
    free(r);
}

/* ---- who watches ---- */

void watchers_count(struct front *front, unsigned streams, int change)
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

unsigned watchers_streams(const struct front_worker *fw)
{
    unsigned streams = 0;

    for (const struct watcher *w = fw->watchers; w != NULL; w = w->next)
        streams |= w->streams;
    return streams;
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
        watchers_count(fw->front, streams, 1);
        elsewhere_tick(fw);     /* what happens there counts from now on */
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
    watchers_count(fw->front, w->streams, -1);
    free(w);
    if ((watchers_streams(fw) >> STREAM_EVICTIONS & 1) == 0)
        elsewhere_forget_evictions(fw);
}

void watchers_closed(struct session *s)
{
    struct front_worker *fw = s->worker->front;

    if (fw == NULL)
        return;
    leave(fw, s);
    report_client(s, "conn_close",
                  s->state == FINISH && !s->faulty ? " reason=normal" : " reason=error");
}
