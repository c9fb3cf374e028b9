#include "front/front.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/unset.h"
#include "front/call.h"
#include "front/control.h"
#include "front/watchers.h"
#include "wire/hello.h"

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

void front_hide_token(const struct front *front, struct answer *a)
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

    front_hide_token(front, &hidden);
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

void front_note(struct front_worker *fw, int fd, const struct asked *asked,
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
    const struct store_reader reader = { .hit = on_hit, .arg = &r };
    struct worker *w = s->worker;
    UNSET struct answer a;      /* store_execute() fills it */

    if (r.q == NULL)
        return;
    if (cmd->hash == 0)
        cmd->hash = store_hash(front->store, cmd->key, cmd->key_len);
    store_execute(front->store, cmd, cmd->hash, worker_now(w), &a, &reader);
    chunk_unref(r.loan);
    front_note(w->front, s->fd, &r.asked, &a);
    if (a.status == STATUS_HIT)
        return;
    front_hide_token(front, &a);
    if (!answer_put(r.q, &r.asked, &a, NULL))
        s->broken = true;
}

/* which way */

/* Larger than any item may be, so its block was not even collected. */
static bool is_too_large(const struct session *s, const struct cmd *cmd)
{
    return verb_has_value(cmd->verb) && cmd->value_len > s->worker->config->max_item_bytes;
}

static void say_too_large(struct session *s, const struct cmd *cmd)
{
    struct answer a = { .status = STATUS_TOO_LARGE };
    struct asked asked = asked_by(cmd);
    struct sendq *q;

    answer_count(&s->worker->stats, cmd->verb, a.status);
    q = session_reply(s);
    if (q != NULL && !answer_put(q, &asked, &a, NULL))
        s->broken = true;
}

static void route(struct session *s, struct cmd *cmd)
{
    struct front_worker *fw = s->worker->front;
    struct links *ls = &fw->links;
    const bool simple = ls->view->simple, too_large = is_too_large(s, cmd);
    unsigned owner = 0;

    if (simple && ls->n > 1)
        owner = ring_owner(ls->view->ring, ring_hash(cmd->key, cmd->key_len));
    if (simple && ls->link[owner] == NULL)
        execute_here(fw->front, s, cmd);
    else if (too_large && cmd->verb != VERB_SET)
        say_too_large(s, cmd);
    else if (simple)            /* the old value of a set must not outlive it */
        call_make(ls->link[owner], s, cmd, too_large);
    else
        call_route(s, cmd, too_large);
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

    if (fw->links.n > 1 || fw->links.link[0] != NULL)
        return;
    for (unsigned i = 0; i < n; i++) {
        keys[i].hash = store_hash(store, keys[i].key, keys[i].key_len);
        store_prefetch(store, keys[i].hash);
    }
    for (unsigned i = 0; i < n && n > 1; i++)
        store_prefetch_item(store, keys[i].hash);
}

/* Goes by the present map; false, and by the old one, when memory is short. */
static bool take_view(struct front_worker *fw)
{
    struct view *v = cluster_note(fw->front->cluster, fw->worker->id);
    const int self = v != NULL && fw->front->store != NULL ? v->self : -1;

    if (!links_take_view(&fw->links, v != NULL ? view_ref(v) : NULL, self))
        return false;
    fw->worker->order++;
    fw->parked.due = true;
    watchers_forget_links(fw);
    return true;
}

static bool has_newer(const struct front_worker *fw)
{
    const struct view *v = fw->links.view;

    return cluster_epoch(fw->front->cluster) != (v != NULL ? v->map->epoch : 0);
}

static void turn_end(struct worker *w)
{
    struct front_worker *fw = w->front;

    if (has_newer(fw))
        (void)take_view(fw);    /* what could not be made is made at the next turn */
    if (fw->parked.due)
        parked_run(fw);
    watchers_turn_end(fw);
    links_flush(&fw->links);
}

const struct handler front_handler = {
    .handle = handle, .foresee = foresee, .turn_end = turn_end,
    .opened = watchers_opened, .closed = watchers_closed,
};

/* its life */

static void on_links_changed(struct links *ls)
{
    struct front_worker *fw = ls->owner;

    fw->parked.due = true;
}

void front_init(struct front *front, struct world *world)
{
    uint64_t hash_key[2];

    front->links_config = (struct links_config){
        .role = HELLO_FRONT,
        .timeout_ms = front->config.shard_timeout_ms,
        .queue_bytes = front->config.link_queue_bytes,
        .request_bytes = sizeof(struct call),
        .changed = on_links_changed,
    };
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

static void on_tick(void *arg)
{
    struct front_worker *fw = arg;

    links_tick(&fw->links);
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
    links_init(&fw->links, &front->links_config, w, front->cluster);
    fw->links.owner = fw;
    fw->tick = w->world->ops->timer_new(w->loop, on_tick, fw);
    if (fw->tick == NULL || !parked_init(fw) || (has_newer(fw) && !take_view(fw)))
        return false;
    w->world->ops->timer_set(fw->tick, TICK_MS);
    return true;
}

void front_worker_fini(struct worker *w)
{
    struct front_worker *fw = w->front;

    if (fw == NULL)
        return;
    while (w->sessions != NULL)         /* they hold answers that are ours */
        session_free(w->sessions);
    parked_fini(fw);
    links_fini(&fw->links);
    if (fw->tick != NULL)
        w->world->ops->timer_free(fw->tick);
    watchers_fini(fw);
    free(fw);
    w->front = NULL;
}
