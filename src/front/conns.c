#include "front/conns.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front/front.h"
#include "front/stats_text.h"

/*
 * A list that travels: worker 0 .. n-1 each add their lines, then it is mailed
 * home.  Lines are kept in plain memory, since chunks belong to one worker.
 */
struct conns {
    struct slot slot;
    struct mail mail;
    struct worker *home;
    struct front *front;
    unsigned at;                /* the worker whose turn it is */
    struct form form;
    char *text;                 /* names and values, a NUL behind each */
    size_t len, size;
};

static void conns_free(struct conns *c)
{
    free(c->text);
    free(c);
}

static bool conns_emit(struct slot *slot, struct session *s)
{
    struct conns *c = (struct conns *)slot;

    for (size_t at = 0; at < c->len; at += strlen(&c->text[at]) + 1) {
        const char *name = &c->text[at];

        at += strlen(name) + 1;
        stats_line(&s->out, &c->form, name, "%s", &c->text[at]);
    }
    stats_end(&s->out, &c->form);
    conns_free(c);
    return true;
}

static void conns_drop(struct slot *slot)
{
    conns_free((struct conns *)slot);
}

static const struct slot_ops conns_ops = { conns_emit, conns_drop };

static void add_line(struct conns *c, int fd, const char *key, const char *value)
{
    char line[256], *wider;
    size_t len = (size_t)snprintf(line, sizeof(line), "%d:%s%c%s", fd, key, '\0', value) + 1;

    if (c->len + len > c->size) {
        size_t size = (c->len + len) * 2;

        wider = realloc(c->text, size);
        if (wider == NULL)
            return;             /* the list is shorter then */
        c->text = wider;
        c->size = size;
    }
    for (size_t i = 0; i < len; i++)
        c->text[c->len++] = line[i];
}

static const char *state_word(const struct session *s)
{
    switch (s->state) {
    case READ_VALUE:
        return "conn_nread";
    case SWALLOW:
    case SWALLOW_LINE:
        return "conn_swallow";
    case DEAF:
        return "conn_watch";
    case FINISH:
        return "conn_closing";
    default:
        return s->output_full ? "conn_mwrite" : "conn_read";
    }
}

static void add_session(struct conns *c, const struct session *s)
{
    struct worker *w = s->worker;
    char name[ADDRESS_MAX], value[ADDRESS_MAX + 8];

    w->world->ops->peer_name(w->world, s->fd, name, sizeof(name));
    snprintf(value, sizeof(value), "%s%s", name[0] == 'u' ? "" : "tcp:", name);
    add_line(c, s->fd, "addr", value);
    add_line(c, s->fd, "state", state_word(s));
    snprintf(value, sizeof(value), "%" PRId64, (worker_now(w) - s->last_cmd_ms) / 1000);
    add_line(c, s->fd, "secs_since_last_cmd", value);
}

static struct conns *conns_of(struct mail *m)
{
    return (struct conns *)((char *)m - offsetof(struct conns, mail));
}

static void come_home(struct worker *w, struct mail *m)
{
    struct conns *c = conns_of(m);

    (void)w;
    if (c->slot.session != NULL)
        session_resume(c->slot.session);
    slot_ready(&c->slot);
}

static void visit(struct worker *w, struct mail *m)
{
    struct conns *c = conns_of(m);
    bool last = ++c->at == c->front->n_workers;

    for (struct session *s = w->sessions; s != NULL; s = s->next)
        if (!s->closed)
            add_session(c, s);
    c->mail.read = last ? come_home : visit;
    worker_post(last ? c->home : &c->front->workers[c->at], &c->mail);
}

void conns_list(struct session *s, const struct cmd *cmd)
{
    struct front_worker *fw = s->worker->front;
    struct conns *c = calloc(1, sizeof(*c));

    if (c == NULL) {
        s->broken = true;
        return;
    }
    c->home = s->worker;
    c->front = fw->front;
    c->form = cmd->form;
    c->slot.ops = &conns_ops;
    c->mail.read = visit;
    session_expect(s, &c->slot);
    session_hold(s);
    worker_post(&fw->front->workers[0], &c->mail);
}
