#include "front/front.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/unset.h"
#include "front/answer.h"
#include "front/control.h"
#include "front/link.h"
#include "front/watchers.h"

#define TICK_MS 100             /* between two looks for silent shards */

/* executed here */

struct reading {
    struct session *s;
    struct sendq *q;
    struct asked asked;
    struct chunk *loan;         /* of a large value, or NULL */
};

static struct asked asked_by(const struct cmd *cmd)
{
    return (struct asked){ cmd->verb, &cmd->form, cmd->key, cmd->key_len };
}

/* -C: clients are told of no tokens. */
static void hide_token(const struct front *front, struct answer *a)
{
    if (front->config.cas)
        return;
    a->version = 0;
    a->marks &= ~(unsigned)MARK_TOKEN;
}

static bool put_hit_without_token(struct reading *r, const struct front *front,
                                  const struct answer *a)
{
    struct answer hidden = *a;

    hide_token(front, &hidden);
    return answer_put(r->q, &r->asked, &hidden, r->loan);
}

static void on_hit(void *arg, const struct answer *a)
{
    struct reading *r = arg;
    struct front_worker *fw = r->s->worker->front;
    const struct front *front = fw->front;

    r->loan = store_lend(a, &r->s->worker->pool);
    if (!(front->config.cas ? answer_put(r->q, &r->asked, a, r->loan)
                            : put_hit_without_token(r, front, a)))
        r->s->broken = true;
}

/* What is counted, and told to those who watch. */
static void note(struct front_worker *fw, int fd, const struct asked *asked,
                 const struct answer *a)
{
    answer_count(&fw->worker->stats, asked->verb, a->status);
    watchers_answered(fw, fd, asked, a);
    if (__builtin_expect(__atomic_load_n(&fw->front->prefixes.on, __ATOMIC_RELAXED), 0))
        prefixes_count(&fw->front->prefixes, asked, a->status);
}

static void execute_here(struct front *front, struct session *s, struct cmd *cmd)
{
    struct reading r = { s, session_reply(s), asked_by(cmd), NULL };
    struct worker *w = s->worker;
    UNSET struct answer a;      /* store_execute() fills it */

    if (r.q == NULL)
        return;
    if (cmd->hash == 0)
        cmd->hash = store_hash(front->store, cmd->key, cmd->key_len);
    store_execute(front->store, cmd, cmd->hash, worker_now(w), &a, on_hit, &r);
    chunk_unref(r.loan);
    note(w->front, s->fd, &r.asked, &a);
    if (a.status == STATUS_HIT)
        return;
    hide_token(front, &a);
    if (!answer_put(r.q, &r.asked, &a, NULL))
        s->broken = true;
}

/* executed by another member */

static struct front_worker *front_of(struct session *s)
{
    return s->worker->front;
}

static void say_unreached(struct session *s, const struct request *r)
{
    char line[256];
    struct form form = r->form;

    snprintf(line, sizeof(line), "SERVER_ERROR shard %s: %s%s\r\n", link_name(r->link),
             r->reason, r->outcome == LOST ? ", outcome unknown" : "");
    form.quiet &= form.protocol == PROTOCOL_TEXT;       /* meta tells all errors */
    if (!answer_say(&s->out, &form, line, PACKET_TRY_AGAIN, NULL))
        s->broken = true;
}

static struct asked asked_for(const struct request *r)
{
    return (struct asked){ r->verb, &r->form, r->key, r->key_len };
}

/* A missing shard's keys are misses: a cache may miss.  A write must say so. */
static void emit_unreached(struct session *s, struct request *r)
{
    struct answer miss = { .status = STATUS_NOT_FOUND };
    struct asked asked = asked_for(r);

    if (verb_is_get(r->verb)) {
        if (!answer_put(&s->out, &asked, &miss, NULL))
            s->broken = true;
    } else {
        say_unreached(s, r);
    }
}

/* Of an answer that was dropped, what the asking itself has changed. */
static void recall(struct answer *a, const struct request *r)
{
    const unsigned of_item = MARK_STALE | MARK_KEY_ENCODED | MARK_TOKEN;

    a->marks = (a->marks & of_item) | (r->first_marks & ~of_item);
    a->ttl_ms = r->first_ttl_ms;
    a->idle_s = r->first_idle_s;
}

static void emit_answer(struct session *s, struct request *r)
{
    struct asked asked = asked_for(r);
    struct answer a;

    if (!frame_to_answer(&r->reply, &a))
        a.status = STATUS_NOT_FOUND;    /* the link has let no such thing pass */
    if (r->too_large)
        a.status = STATUS_TOO_LARGE;
    if (r->asked_again)
        recall(&a, r);
    hide_token(front_of(s)->front, &a);
    if (!answer_put(&s->out, &asked, &a, r->reply_chunk))
        s->broken = true;
}

/* The answer was too much to hold while others were waited for: asked again. */
static void ask_again(struct request *r)
{
    struct frame f = {
        .op = (uint8_t)(FRAME_COMMAND + (r->verb == VERB_GAT || r->verb == VERB_GET ? VERB_GET
                                                                                   : VERB_GETS)),
        .key = r->key,
        .key_len = r->key_len,
        .options = OPTION_NO_USE,       /* what it was to do it has done */
    };
    struct chunk *old = r->frame_chunk;

    r->ask_again = false;
    r->slot.session->n_again--;
    r->asked_again = true;
    r->frame_chunk = NULL;
    link_send(r->link, r, &f, NULL);
    chunk_unref(old);
}

static bool command_emit(struct slot *slot, struct session *s)
{
    struct request *r = (struct request *)slot;

    if (r->ask_again) {
        ask_again(r);
        return false;
    }
    s->held_bytes -= r->held;
    if (r->outcome == ANSWERED)
        emit_answer(s, r);
    else
        emit_unreached(s, r);
    request_free(r);
    return true;
}

static void command_drop(struct slot *slot)
{
    request_free((struct request *)slot);
}

static const struct slot_ops command_ops = { command_emit, command_drop };

static void count_unreached(struct worker *w, const struct request *r)
{
    if (verb_is_get(r->verb)) {
        answer_count(&w->stats, r->verb, STATUS_NOT_FOUND);
        STAT_ADD(&w->stats, shard_misses, 1);
        return;
    }
    STAT_ADD(&w->stats, shard_errors, 1);
    if (r->outcome == LOST)
        STAT_ADD(&w->stats, unknown_outcomes, 1);
}

/* Its turn has come, and the client reads. */
static bool can_leave(const struct session *s, const struct request *r)
{
    return s->first == &r->slot && s->out.bytes < SESSION_OUTPUT_PAUSE;
}

/* From its command to its answer: what the session is charged for. */
static void hold_answer(struct session *s, struct request *r)
{
    s->held_bytes -= r->held;
    r->held = r->reply.value_len;
    if (verb_is_get(r->verb))
        session_expect_bytes(s, r->held);
    else
        s->n_writes--;
    /* not past a write that was sent behind it: it would show that one's value */
    if (!can_leave(s, r) && r->held > 0 && s->n_writes == 0 && !s->barrier &&
        s->held_bytes + r->held > SESSION_OUTPUT_PAUSE) {
        r->held = 0;
        chunk_unref(r->reply_chunk);
        r->reply_chunk = NULL;
        r->first_marks = r->reply.marks;
        r->first_ttl_ms = r->reply.ttl_ms;
        r->first_idle_s = r->reply.idle_s;
        r->ask_again = true;
        s->n_again++;
    }
    s->held_bytes += r->held;
}

static void note_answer(const struct request *r)
{
    const struct asked asked = asked_for(r);
    const struct session *s = r->slot.session;
    struct answer a;

    if (!frame_to_answer(&r->reply, &a))
        return;
    if (r->too_large)
        a.status = STATUS_TOO_LARGE;
    note(r->fw, s != NULL ? s->fd : -1, &asked, &a);
}

static void count_outcome(struct worker *w, const struct request *r)
{
    if (r->asked_again)
        return;                 /* it was, when it was answered first */
    if (r->outcome == ANSWERED)
        note_answer(r);
    else
        count_unreached(w, r);
}

static void on_command_done(struct request *r)
{
    struct session *s = r->slot.session;

    count_outcome(r->fw->worker, r);
    if (r->outcome != ANSWERED) {
        r->reply.value_len = 0;
    } else {
        chunk_unref(r->value_chunk);
        r->value_chunk = NULL;
    }
    if (s != NULL)
        hold_answer(s, r);
    slot_ready(&r->slot);
}

static void send_to(struct link *l, struct session *s, const struct cmd *cmd, bool too_large)
{
    struct request *r = request_new(front_of(s));
    struct frame f;

    if (r == NULL) {
        s->broken = true;
        return;
    }
    frame_from_cmd(&f, cmd);
    if (too_large) {
        f.op = FRAME_COMMAND + VERB_DELETE;
        f.value_len = 0;
    }
    r->slot.ops = &command_ops;
    r->done = on_command_done;
    r->verb = cmd->verb;
    form_copy(&r->form, &cmd->form);
    r->too_large = too_large;
    r->held = frame_head_len(&f) + f.value_len;
    if (verb_is_get(cmd->verb))
        r->held += s->answer_bytes;
    else
        s->n_writes++;
    s->held_bytes += r->held;
    session_expect(s, &r->slot);
    link_send(l, r, &f, session_chunk(s));
}

/*
 * Larger than any item may be, so its block was not even collected.  The old
 * value of a set must not outlive that: the owner is sent a delete.
 */
static void refuse_too_large(struct link *l, struct session *s, const struct cmd *cmd)
{
    struct answer a = { .status = STATUS_TOO_LARGE };
    struct asked asked = asked_by(cmd);
    struct sendq *q;

    if (cmd->verb == VERB_SET) {
        send_to(l, s, cmd, true);
        return;
    }
    answer_count(&s->worker->stats, cmd->verb, a.status);
    q = session_reply(s);
    if (q != NULL && !answer_put(q, &asked, &a, NULL))
        s->broken = true;
}

static void route(struct session *s, struct cmd *cmd)
{
    struct front_worker *fw = front_of(s);
    unsigned owner = 0;

    if (fw->n_links > 1)
        owner = ring_owner(fw->view->ring, ring_hash(cmd->key, cmd->key_len));
    if (fw->links[owner] == NULL)
        execute_here(fw->front, s, cmd);
    else if (verb_has_value(cmd->verb) && cmd->value_len > s->worker->config->max_item_bytes)
        refuse_too_large(fw->links[owner], s, cmd);
    else
        send_to(fw->links[owner], s, cmd, false);
}

static void handle(struct session *s, struct cmd *cmd)
{
    if (verb_is_keyed(cmd->verb))
        route(s, cmd);
    else
        control_handle(s, cmd);
}

/* All of a batch is on its way from memory before the first of it is needed. */
static void foresee(struct worker *w, struct lookup *keys, unsigned n)
{
    const struct front_worker *fw = w->front;
    struct store *store = fw->front->store;

    if (fw->n_links > 1 || fw->links[0] != NULL)
        return;
    for (unsigned i = 0; i < n; i++) {
        keys[i].hash = store_hash(store, keys[i].key, keys[i].key_len);
        store_prefetch(store, keys[i].hash);
    }
    for (unsigned i = 0; i < n && n > 1; i++)
        store_prefetch_item(store, keys[i].hash);
}

static void turn_end(struct worker *w)
{
    struct front_worker *fw = w->front;
    struct link *l = fw->dirty, *next;

    watchers_turn_end(fw);
    fw->dirty = NULL;
    for (; l != NULL; l = next) {
        next = link_next_dirty(l);
        link_flush(l);
    }
}

const struct handler front_handler = {
    .handle = handle, .foresee = foresee, .turn_end = turn_end,
    .opened = watchers_opened, .closed = watchers_closed,
};

/* its life */

void front_init(struct front *front, struct world *world)
{
    uint64_t hash_key[2];

    world->ops->random(world, hash_key, sizeof(hash_key));
    prefixes_init(&front->prefixes, front->config.stat_delimiter, hash_key);
    pthread_mutex_init(&front->reset_lock, NULL);
    pthread_mutex_init(&front->streams_lock, NULL);
}

void front_fini(struct front *front)
{
    prefixes_fini(&front->prefixes);
    pthread_mutex_destroy(&front->reset_lock);
    pthread_mutex_destroy(&front->streams_lock);
}

static void free_links(struct link **links, size_t n)
{
    for (size_t i = 0; links != NULL && i < n; i++)
        link_free(links[i]);
    free(links);
}

/* A link to each member but this process.  NULL when memory is short. */
static struct link **make_links(struct front_worker *fw, const struct view *v)
{
    struct link **links = calloc(v->map->n, sizeof(struct link *));

    for (size_t i = 0; links != NULL && i < v->map->n; i++) {
        if ((int)i == v->self && fw->front->store != NULL)
            continue;
        links[i] = link_new(fw, &v->map->members[i]);
        if (links[i] == NULL) {
            free_links(links, i);
            return NULL;
        }
    }
    return links;
}

/* Goes by the present map; false, and by the old one, when memory is short. */
static bool take_view(struct front_worker *fw)
{
    struct view *v = cluster_view(fw->front->cluster);
    struct link **links = v != NULL ? make_links(fw, v) : NULL;
    struct front_worker old;

    if (links == NULL) {
        view_unref(v);
        return false;
    }
    old = *fw;
    fw->view = v;
    fw->links = links;
    fw->n_links = v->map->n;
    /* last: what fails with the old links must find the new ones */
    free_links(old.links, old.n_links);
    watchers_forget_links(fw);
    view_unref(old.view);
    return true;
}

static void on_tick(void *arg)
{
    struct front_worker *fw = arg;

    if (cluster_epoch(fw->front->cluster) != fw->view->map->epoch)
        (void)take_view(fw);    /* what could not be made is made at the next tick */
    for (size_t i = 0; i < fw->n_links; i++)
        if (fw->links[i] != NULL)
            link_tick(fw->links[i]);
    watchers_tick(fw);
    fw->worker->world->ops->timer_set(fw->tick, TICK_MS);
}

bool front_worker_init(struct worker *w, struct front *front)
{
    struct front_worker *fw = calloc(1, sizeof(*fw));

    if (fw == NULL)
        return false;
    w->front = fw;
    fw->front = front;
    fw->worker = w;
    fw->tick = w->world->ops->timer_new(w->loop, on_tick, fw);
    if (fw->tick == NULL || !take_view(fw))
        return false;
    w->world->ops->timer_set(fw->tick, TICK_MS);
    return true;
}

void front_worker_fini(struct worker *w)
{
    struct front_worker *fw = w->front;
    struct view *v;
    struct request *r;

    if (fw == NULL)
        return;
    while (w->sessions != NULL)         /* they hold answers that are ours */
        session_free(w->sessions);
    v = fw->view;
    fw->view = NULL;            /* a gather that goes on asks no link that is gone */
    free_links(fw->links, fw->n_links);
    while ((r = fw->free_requests) != NULL) {
        fw->free_requests = r->next;
        free(r);
    }
    if (fw->tick != NULL)
        w->world->ops->timer_free(fw->tick);
    view_unref(v);
    watchers_fini(fw);
    free(fw);
    w->front = NULL;
}
