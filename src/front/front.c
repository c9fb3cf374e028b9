#include "front/front.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "front/call.h"
#include "front/control.h"
#include "front/elsewhere.h"
#include "front/here.h"
#include "front/multiget.h"
#include "front/watchers.h"
#include "wire/hello.h"

#define TICK_MS 100             /* between two looks for silent shards */

void front_hide_token(const struct front *front, struct answer *a)
{
    if (front->config.cas)
        return;
    a->version = 0;
    a->marks &= ~(unsigned)MARK_TOKEN;
}

void front_note(struct front_worker *fw, int fd, const struct asked *asked,
                const struct answer *a)
{
    answer_count(&fw->worker->stats, asked->verb, a->status);
    report_answered(fw, fd, asked, a);
    if (__builtin_expect(__atomic_load_n(&fw->front->prefixes.on, __ATOMIC_RELAXED), 0))
        prefixes_count(&fw->front->prefixes, asked, a->status);
}

bool front_notes_each(const struct front_worker *fw)
{
    return __atomic_load_n(&fw->front->streams, __ATOMIC_RELAXED) != 0 ||
           __atomic_load_n(&fw->front->prefixes.on, __ATOMIC_RELAXED);
}

/* which way */

/* Larger than any item may be, so its block was not even collected. */
static bool is_too_large(const struct session *s, const struct cmd *cmd)
{
    return verb_has_value(cmd->verb) && cmd->value_len > s->worker->config->max_item_bytes;
}

static void say_too_large(struct session *s, const struct cmd *cmd)
{
    const struct answer a = { .status = STATUS_TOO_LARGE };
    const struct asked asked = { cmd->verb, &cmd->form, cmd->key, cmd->key_len };
    struct sendq *q;

    answer_count(&s->worker->stats, cmd->verb, a.status);
    q = session_reply(s);
    if (q != NULL && !answer_put(q, &asked, &a, NULL))
        s->broken = true;
}

/* Reads what this process has of it, as owner or as copy; false: others are asked. */
static bool read_here(struct front_worker *fw, struct session *s, struct cmd *cmd)
{
    const struct view *v = fw->links.view;

    if (cmd->verb > VERB_GETS || (cmd->options & OPTION_VIVIFY) != 0 ||
        v->map->phase == MAP_SWITCHED)
        return false;
    if (view_owner(v, cmd->position) != fw->self)
        return here_read_copy(fw, s, cmd);
    if (!here_serves(fw, NULL))
        return false;
    here_get(fw, s, cmd);
    return true;
}

/* By the map: there are copies, or not all is as it was, or it is asked of others. */
static void route(struct front_worker *fw, struct session *s, struct cmd *cmd)
{
    const struct links *ls = &fw->links;
    const bool simple = ls->view->simple, too_large = is_too_large(s, cmd);
    unsigned owner;

    cmd->position = ring_hash(cmd->key, cmd->key_len);
    owner = simple && ls->n > 1 ? ring_owner(ls->view->ring, cmd->position) : 0;
    if (simple && (int)owner == fw->self && (!fw->is_led || here_serves(fw, NULL)))
        here_execute(fw, s, cmd);
    else if (too_large && cmd->verb != VERB_SET)
        say_too_large(s, cmd);
    else if (simple && ls->link[owner] != NULL)     /* the old value of a set must go */
        call_make(ls->link[owner], s, cmd, too_large);
    else if (simple || fw->self < 0 || !read_here(fw, s, cmd))
        call_route(s, cmd, too_large);
}

/* Nobody else could have it. */
static bool is_alone(const struct front_worker *fw)
{
    return fw->self == 0 && fw->links.n == 1 && fw->links.view->simple && !fw->is_led;
}

static void handle(struct session *s, struct cmd *cmd)
{
    struct front_worker *fw = s->worker->front;

    if (!verb_is_keyed(cmd->verb)) {
        control_handle(s, cmd);
        return;
    }
    hotkeys_count(&fw->hotkeys, cmd->verb, cmd->key, cmd->key_len);
    if (is_alone(fw))
        here_execute(fw, s, cmd);
    else
        route(fw, s, cmd);
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

/* A row for each member; for those of the present map as well, which may stay. */
static bool make_parts(struct front_worker *fw, size_t n)
{
    uint8_t *part_of = calloc(n > fw->links.n ? n : fw->links.n, sizeof(*part_of));

    if (part_of == NULL)
        return false;
    free(fw->part_of);
    fw->part_of = part_of;
    return true;
}

/* Goes by the present map; false, and by the old one, when memory is short. */
static bool take_view(struct front_worker *fw)
{
    struct view *v;
    bool taken;
    int self;

    if (fw->front->note != NULL)
        fw->front->note(fw->worker);
    v = cluster_note(fw->front->cluster, fw->worker->id);
    if (v != NULL && !make_parts(fw, v->map->n))
        return false;
    self = v != NULL && fw->front->store != NULL ? v->self : -1;
    elsewhere_forget_links(fw); /* first: what fails now finds no place */
    pthread_mutex_lock(&fw->links_lock);
    taken = links_take_view(&fw->links, v != NULL ? view_ref(v) : NULL, self);
    pthread_mutex_unlock(&fw->links_lock);
    if (!taken)
        return false;
    fw->self = self;
    fw->has_copies = !v->simple && v->map->replicas > 1;
    fw->is_led = v->map->leader[0] != '\0';
    fw->worker->order++;
    fw->worker->gathers_gets = fw->links.n > 1 || (fw->links.n == 1 && fw->links.link[0] != NULL);
    fw->parked.due = true;
    return true;
}

/* The turn's end does what is to be done. */
static void on_wake(struct worker *w, struct mail *m)
{
    struct front_worker *fw = w->front;

    (void)m;
    __atomic_store_n(&fw->woken, false, __ATOMIC_RELEASE);
    fw->parked.due = true;
}

void front_seen(struct front *front)
{
    for (unsigned i = 0; i < front->n_workers; i++) {
        struct front_worker *fw = front->workers[i].front;

        if (fw != NULL && !__atomic_exchange_n(&fw->woken, true, __ATOMIC_ACQ_REL))
            worker_post(fw->worker, &fw->wake);
    }
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
    fw->lease_known = false;
}

/* Asked for answers that were made here under a lease. */
static bool serves(struct worker *w)
{
    const struct front_worker *fw = w->front;

    return cluster_has_lease(fw->front->cluster, w->world->ops->mono_ns(w->world));
}

const struct handler front_handler = {
    .handle = handle, .handle_gets = multiget_make, .foresee = foresee,
    .turn_end = turn_end, .serves = serves,
    .opened = watchers_opened, .closed = watchers_closed,
};

/* its life */

static void on_links_changed(struct links *ls)
{
    struct front_worker *fw = ls->owner;

    fw->parked.due = true;
}

void front_configure(struct front *front, const struct front_config *config)
{
    front->config = *config;
    front->links_config = (struct links_config){
        .role = HELLO_FRONT,
        .timeout_ms = config->shard_timeout_ms,
        .queue_bytes = config->link_queue_bytes,
        .request_bytes = sizeof(struct call),
        .timed = true,
        .changed = on_links_changed,
    };
    front->slow.limit_ns = config->slow_request_ms > 0 ? config->slow_request_ms * 1000000
                                                       : INT64_MAX;
}

void front_init(struct front *front, const struct front_config *config, struct world *world)
{
    uint64_t hash_key[2];

    front_configure(front, config);
    world->ops->random(world, hash_key, sizeof(hash_key));
    prefixes_init(&front->prefixes, front->config.stat_delimiter, hash_key);
    front->took_at_reset = xzalloc(N_LATENCIES * sizeof(*front->took_at_reset));
    pthread_mutex_init(&front->reset_lock, NULL);
    pthread_mutex_init(&front->streams_lock, NULL);
}

void front_fini(struct front *front)
{
    prefixes_fini(&front->prefixes);
    free(front->took_at_reset);
    pthread_mutex_destroy(&front->reset_lock);
    pthread_mutex_destroy(&front->streams_lock);
}

static void on_tick(void *arg)
{
    struct front_worker *fw = arg;

    links_tick(&fw->links);
    elsewhere_tick(fw);
    hotkeys_tick(&fw->hotkeys, worker_now(fw->worker));
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
    fw->wake.read = on_wake;
    pthread_mutex_init(&fw->links_lock, NULL);
    links_init(&fw->links, &front->links_config, w, front->cluster);
    fw->links.owner = fw;
    fw->tick = w->world->ops->timer_new(w->loop, on_tick, fw);
    if (fw->tick == NULL || !parked_init(fw) ||
        !hotkeys_init(&fw->hotkeys, front->prefixes.hash_key, worker_now(w)) ||
        (has_newer(fw) && !take_view(fw)))
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
    pthread_mutex_destroy(&fw->links_lock);
    confirms_fini(&fw->here);
    if (fw->tick != NULL)
        w->world->ops->timer_free(fw->tick);
    elsewhere_fini(fw);
    free(fw->report);
    multigets_fini(fw);
    hotkeys_fini(&fw->hotkeys);
    free(fw);
    w->front = NULL;
}
