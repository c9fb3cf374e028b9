#include "front/gather.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front/parked.h"

#define AGAIN_MS 50             /* between two tries */

static void gather_free(struct gather *g)
{
    sendq_fini(&g->out);
    view_unref(g->view);
    free(g->parts);
    free(g);
}

static bool gather_emit(struct slot *slot, struct session *s)
{
    struct gather *g = (struct gather *)slot;

    if (!sendq_move(&s->out, &g->out))
        s->broken = true;
    gather_free(g);
    return true;
}

static void gather_forget(struct slot *slot)
{
    gather_free((struct gather *)slot);
}

static const struct slot_ops gather_ops = { gather_emit, gather_forget };

/* The members of the present map.  False when memory is short. */
static bool take_members(struct gather *g)
{
    struct front_worker *fw = g->fw;
    struct gather_part *parts = calloc(fw->links.n, sizeof(*parts));

    if (parts == NULL)
        return false;
    free(g->parts);
    view_unref(g->view);
    g->parts = parts;
    g->view = view_ref(fw->links.view);
    g->n = fw->links.n;
    g->n_asked = 0;
    for (size_t i = 0; i < g->n; i++) {
        parts[i].member = &g->view->map->members[i];
        parts[i].here = (int)i == fw->self;
        parts[i].absent = parts[i].member->state == MEMBER_EJECTED;
        g->n_asked += !parts[i].absent;
    }
    return true;
}

struct gather *gather_new(struct session *s, const struct cmd *cmd)
{
    struct front_worker *fw = s->worker->front;
    struct gather *g = calloc(1, sizeof(*g));

    if (g != NULL)
        g->fw = fw;
    if (g == NULL || !take_members(g)) {
        free(g);
        s->broken = true;
        return NULL;
    }
    g->form = cmd->form;
    g->began_ms = worker_now(s->worker);
    sendq_init(&g->out, &s->worker->pool);
    g->slot.ops = &gather_ops;
    session_expect(s, &g->slot);
    session_hold(s);
    return g;
}

static void ask_here(struct gather *g, struct gather_part *part, const struct frame *f)
{
    struct store *store = g->fw->front->store;
    int64_t now_ms = worker_now(g->fw->worker);

    switch (f->op) {
    case FRAME_CLOCK:
        part->version = store_clock(store, now_ms);
        break;
    case FRAME_FLUSH:
        store_flush(store, f->version, now_ms, (enum flush_when)f->st);
        break;
    case FRAME_LIMIT:
        part->version = store_set_limit(store, f->number, now_ms);
        break;
    case FRAME_STATS:
        usage_numbers(store, now_ms, part->usage);
        if (f->key_len > 0)     /* "reset" */
            store_reset_counters(store);
        break;
    }
}

/* once more */

static bool has_time(const struct gather *g)
{
    return worker_now(g->fw->worker) - g->began_ms <=
           g->fw->front->config.shard_timeout_ms + PARKED_MS;
}

/* All have been asked by the present map, and have answered? */
static bool is_complete(const struct gather *g)
{
    for (size_t i = 0; i < g->n; i++)
        if (g->parts[i].reason != NULL)
            return false;
    return g->view == g->fw->links.view;
}

static void one_answered(struct gather *g)
{
    if (--g->open > 0)
        return;
    if (g->again == NULL || g->fw->links.view == NULL || !g->fw->is_led || is_complete(g) ||
        !has_time(g)) {
        g->next(g);
        return;
    }
    g->again_ms = worker_now(g->fw->worker) + AGAIN_MS;
    parked_add_gather(g->fw, g);
}

void gather_insist(struct gather *g, void (*again)(struct gather *g))
{
    g->again = again;
    if (g->fw->is_led && g->slot.session->first != &g->slot)
        parked_add_gather(g->fw, g);
    else
        again(g);
}

bool gather_go_again(struct gather *g)
{
    if (g->slot.session->first != &g->slot ||
        (worker_now(g->fw->worker) < g->again_ms && g->view == g->fw->links.view))
        return false;
    if (!take_members(g))
        return false;
    g->again(g);
    return true;
}

void gather_drop(struct gather *g)
{
    slot_ready(&g->slot);
}

static void on_done(struct request *r)
{
    struct gather *g = r->owner;
    struct gather_part *part = &g->parts[r->part];

    if (r->outcome != ANSWERED) {
        snprintf(part->words, sizeof(part->words), "%s", r->reason);
        part->reason = part->words;
    } else {
        part->version = r->reply.version;
        usage_read(r->reply.value, r->reply.value_len, part->usage);
    }
    request_free(&g->fw->links, r);
    one_answered(g);
}

static void ask_there(struct gather *g, unsigned i, const struct frame *f)
{
    struct link *l = g->fw->links.link[i];
    struct request *r = l != NULL ? request_new(&g->fw->links) : NULL;

    if (r == NULL) {
        g->parts[i].reason = "out of memory here";
        return;
    }
    r->owner = g;
    r->part = i;
    r->answer_op = FRAME_DONE;
    r->done = on_done;
    g->open++;
    link_send(l, r, f, NULL);
}

void gather_ask(struct gather *g, const struct frame *f, void (*next)(struct gather *g))
{
    g->next = next;
    g->open = 1;                /* this function: nothing ends before it does */
    for (size_t i = 0; i < g->n; i++) {
        struct gather_part *part = &g->parts[i];

        if (part->reason != NULL || part->absent)
            continue;           /* failed in an earlier round */
        if (g->view != g->fw->links.view)
            part->reason = "the map has changed";
        else if (part->here)
            ask_here(g, part, f);
        else
            ask_there(g, (unsigned)i, f);
    }
    one_answered(g);
}

void gather_end(struct gather *g)
{
    struct session *s = g->slot.session;

    if (s != NULL)
        session_resume(s);
    slot_ready(&g->slot);
}

void gather_say(struct gather *g, const char *line, enum packet_status status, const char *body)
{
    struct session *s = g->slot.session;

    if (!answer_say(&g->out, &g->form, line, status, body) && s != NULL)
        s->broken = true;
    gather_end(g);
}

const char *gather_failure(const struct gather *g, char *line)
{
    for (size_t i = 0; i < g->n; i++) {
        const struct gather_part *part = &g->parts[i];

        if (part->reason == NULL)
            continue;
        snprintf(line, 256, "SERVER_ERROR shard %s: %s\r\n",
                 part->member->name, part->reason);
        return line;
    }
    return NULL;
}

uint64_t gather_max(const struct gather *g, enum usage usage)
{
    uint64_t max = 0;

    for (size_t i = 0; i < g->n; i++)
        if (g->parts[i].usage[usage] > max)
            max = g->parts[i].usage[usage];
    return max;
}

uint64_t gather_sum(const struct gather *g, enum usage usage)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < g->n; i++)
        sum += g->parts[i].usage[usage];
    return sum;
}
