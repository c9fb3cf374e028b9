#include "front/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "front/dump.h"

#define LINE_BYTES (3 * KEY_MAX + 256)

struct report *report_new(void)
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

void report_add(struct report *r, struct front_worker *fw, enum stream stream,
                const char *format, ...)
{
    const int64_t wall_ms = worker_wall(fw->worker);
    const uint64_t gid = __atomic_add_fetch(&fw->front->n_events, 1, __ATOMIC_RELAXED);
    char *line = r->lines + r->len + EVENT_HEAD;
    va_list args;
    size_t len;

    if (r->len + EVENT_HEAD + LINE_BYTES > REPORT_BYTES) {
        r->missed++;
        return;
    }
    len = (size_t)snprintf(line, LINE_BYTES, "ts=%" PRId64 ".%06d gid=%" PRIu64 " type=",
                           wall_ms / 1000, (int)(wall_ms % 1000) * 1000, gid);
    va_start(args, format);
    len += (size_t)vsnprintf(line + len, LINE_BYTES - len, format, args);
    va_end(args);
    (void)events_put_head(r->lines + r->len, stream, len);
    r->len += EVENT_HEAD + len;
    r->streams |= 1u << stream;
}

void report_copy(struct report *to, const char *events, size_t len, unsigned streams,
                 const char *behind)
{
    const size_t more = strlen(behind);
    struct event e;

    for (size_t pos = 0; events_next(events, len, &pos, &e);) {
        char *out = to->lines + to->len;

        if ((streams >> e.stream & 1) == 0)
            continue;
        if (to->len + EVENT_HEAD + e.len + more > REPORT_BYTES) {
            to->missed++;
            continue;
        }
        out = bytes_put(events_put_head(out, e.stream, e.len + more), e.line, e.len - 1);
        *bytes_put(out, behind, more) = '\n';
        to->len += EVENT_HEAD + e.len + more;
        to->streams |= 1u << e.stream;
    }
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

void report_note(struct front_worker *fw, int fd, const struct asked *asked,
                 const struct answer *a)
{
    char key[3 * KEY_MAX + 1];
    struct report *r = report_of_turn(fw);
    const bool found = a->status == STATUS_HIT || a->status == STATUS_HEAD;

    if (r == NULL)
        return;
    *dump_put_key(key, asked->key, asked->key_len) = '\0';
    if (verb_is_get(asked->verb) && is_watched(fw, STREAM_FETCHERS))
        report_add(r, fw, STREAM_FETCHERS,
                   "item_get key=%s status=%s clsid=%d cfd=%d size=%zu\n", key,
                   found ? "found" : "not_found", found ? 1 : 0, fd,
                   a->status == STATUS_HIT ? a->value_len : found ? (size_t)a->number : 0);
    else if (verb_has_value(asked->verb) && is_watched(fw, STREAM_MUTATIONS))
        report_add(r, fw, STREAM_MUTATIONS,
                   "item_store key=%s status=%s cmd=%s ttl=%" PRId64 " clsid=1 cfd=%d size=%zu\n",
                   key, store_status(a->status), verb_word(asked->verb),
                   asked->form->ttl_ms > 0 ? ttl_seconds(asked->form->ttl_ms) : 0, fd,
                   asked->form->value_len);
    else if (a->status == STATUS_DELETED && is_watched(fw, STREAM_DELETIONS))
        report_add(r, fw, STREAM_DELETIONS, "deleted key=%s cmd=%s clsid=1\n", key,
                   asked->form->protocol == PROTOCOL_META ? "md" : "delete");
}

/* "127.0.0.1:1234" apart; a Unix socket has neither. */
void report_client(struct session *s, const char *what, const char *reason)
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
    report_add(r, fw, STREAM_CONNEVENTS, "%s rip=%s rport=%s transport=%s%s cfd=%d\n", what, name,
               port != NULL ? port : "0", port != NULL ? "tcp" : "local", reason, s->fd);
}
