#include "shard/keeper.h"

#include <stddef.h>
#include <stdlib.h>

#include "wire/hello.h"

#define TICK_MS 100             /* between two looks for silent members */
#define PURGE_MS 1              /* between two steps of a purge */
#define QUEUE_BYTES ((size_t)256 << 20)     /* repairs and mover keep to less */

/* the map */

/* What others may have to be sent: nothing where each key has one owner, for good. */
static bool needs_links(const struct map *map)
{
    return map->replicas > 1 || map->phase != MAP_STABLE;
}

static void drop_links(struct keeper *k)
{
    links_fini(&k->links);
    links_init(&k->links, &k->links_config, k->worker, k->shard->cluster);
    k->links.owner = k;
}

/* Without memory for them there are none: what would go by an older map must
 * not count. */
static void take_links(struct keeper *k)
{
    if (!needs_links(k->view->map) ||
        !links_take_view(&k->links, view_ref(k->view), k->view->self))
        drop_links(k);
}

static void prepare(struct keeper *k, const struct view *v)
{
    shard_prepare(k->shard, v);
    if (shard_is_member(k->shard, v))
        repairs_prepare(&k->repairs, k->view, v);
}

static bool is_covered(const struct keeper *k, const struct view *v)
{
    return k->view != NULL && k->is_member == shard_is_member(k->shard, v) &&
           purge_is_covered(k->view->map, v->map);
}

static void note(struct keeper *k)
{
    struct cluster *c = k->shard->cluster;
    struct view *v, *noted;
    bool covered;

    if (cluster_epoch(c) == k->epoch)
        return;
    v = cluster_view(c);
    prepare(k, v);              /* before anything is served under it */
    noted = cluster_note(c, k->worker->id);
    if (noted != v) {
        view_unref(v);
        v = view_ref(noted);
        prepare(k, v);
    }
    covered = is_covered(k, v);
    view_unref(k->view);
    k->view = v;
    k->epoch = v->map->epoch;
    k->is_member = shard_is_member(k->shard, v);
    take_links(k);
    purge_take_view(&k->purge, covered);
    repairs_take_view(&k->repairs);
    mover_take_view(&k->mover);
    keeper_stir(k);
}

bool keeper_is_settled(const struct keeper *k)
{
    return k->view != NULL && cluster_epoch(k->shard->cluster) == k->epoch &&
           cluster_adopted(k->shard->cluster) == k->epoch;
}

/* steps */

static void tell_changed(struct keeper *k)
{
    if (k->config.changed != NULL)
        k->config.changed(k->config.arg);
}

/* The end mark: nothing judged before this map is left for this member to do. */
static void look_at_end(struct keeper *k)
{
    const struct member *m;

    if (k->ended == k->epoch || !k->is_member || !keeper_is_settled(k) ||
        !shard_has_noted(k->shard, k->epoch) || !repairs_are_current(&k->repairs))
        return;
    m = &k->view->map->members[k->view->self];
    k->ended = k->epoch;
    cluster_set_ended(k->shard->cluster, m->number, m->incarnation, k->epoch);
    tell_changed(k);
}

static void look_at_purge(struct keeper *k)
{
    const uint64_t epoch = k->purge.epoch;

    purge_step(&k->purge);
    if (k->purge.epoch != epoch)
        tell_changed(k);
}

static void arm(struct keeper *k)
{
    const int64_t waits[] = {
        repairs_wait_ms(&k->repairs), mover_wait_ms(&k->mover), k->purge.walking ? PURGE_MS : -1,
    };
    int64_t after_ms = TICK_MS;

    for (unsigned i = 0; i < sizeof(waits) / sizeof(waits[0]); i++)
        if (waits[i] >= 0 && waits[i] < after_ms)
            after_ms = waits[i];
    /* only ever sooner: there may be a step at every turn */
    if (k->due_ms >= 0 && keeper_now(k) + after_ms >= k->due_ms)
        return;
    k->due_ms = keeper_now(k) + after_ms;
    k->worker->world->ops->timer_set(k->timer, after_ms);
}

static void step(struct keeper *k)
{
    k->stirred = false;
    note(k);
    if (k->view != NULL) {
        repairs_step(&k->repairs);
        mover_step(&k->mover);
        look_at_end(k);
    }
    arm(k);
}

void keeper_turn_end(struct keeper *k)
{
    if (k->stirred || cluster_epoch(k->shard->cluster) != k->epoch)
        step(k);
    links_flush(&k->links);
}

static void note_who_is_heard(struct keeper *k)
{
    for (size_t i = 0; i < k->links.n; i++)
        if (k->links.link[i] != NULL && link_is_open(k->links.link[i]))
            k->heard_ms[k->links.view->map->members[i].number] = keeper_now(k);
}

static void on_timer(void *arg)
{
    struct keeper *k = arg;

    k->due_ms = -1;
    note(k);
    if (k->view != NULL) {
        if (k->links.view == NULL && needs_links(k->view->map))
            take_links(k);
        look_at_purge(k);
    }
    links_tick(&k->links);
    note_who_is_heard(k);
    keeper_stir(k);
}

/* for others */

void keeper_stir(struct keeper *k)
{
    k->stirred = true;
}

int64_t keeper_now(const struct keeper *k)
{
    return worker_now(k->worker);
}

static void on_wake(struct worker *w, struct mail *m)
{
    struct keeper *k = (struct keeper *)((char *)m - offsetof(struct keeper, wake));

    (void)w;
    __atomic_store_n(&k->woken, false, __ATOMIC_RELEASE);
    keeper_stir(k);
}

void keeper_poke(struct keeper *k)
{
    if (k != NULL && !__atomic_exchange_n(&k->woken, true, __ATOMIC_ACQ_REL))
        worker_post(k->worker, &k->wake);
}

void keeper_repair(struct keeper *k, uint64_t hash, uint64_t version, uint64_t epoch)
{
    const struct repair what = { .hash = hash, .version = version, .epoch = epoch };

    if (k == NULL)
        return;
    repairs_add(&k->repairs, &what);
    keeper_poke(k);
}

void keeper_go(struct keeper *k, uint64_t phase_since)
{
    mover_go(&k->mover, phase_since);
}

bool keeper_is_idle(struct keeper *k)
{
    return repairs_are_done(&k->repairs);
}

void keeper_state(const struct keeper *k, struct keeper_state *state)
{
    state->ended = k->ended;
    state->purged = k->purge.epoch;
    mover_state(&k->mover, &state->move);
}

/* its life */

static void on_links_changed(struct links *ls)
{
    keeper_stir(ls->owner);
}

void keeper_set(struct keeper *k, int64_t timeout_ms, uint64_t move_rate)
{
    k->config.timeout_ms = k->links_config.timeout_ms = timeout_ms;
    k->config.move_rate = move_rate;
}

struct keeper *keeper_new(struct shard *shard, struct worker *control,
                          const struct keeper_config *config)
{
    struct keeper *k = calloc(1, sizeof(*k));

    if (k == NULL)
        return NULL;
    k->shard = shard;
    k->worker = control;
    k->config = *config;
    k->links_config = (struct links_config){
        .role = HELLO_SHARD,
        .timeout_ms = config->timeout_ms,
        .queue_bytes = QUEUE_BYTES,
        .request_bytes = sizeof(struct request),
        .changed = on_links_changed,
    };
    k->wake.read = on_wake;
    k->purge.keeper = k->mover.keeper = k;
    repairs_init(&k->repairs, k);
    links_init(&k->links, &k->links_config, control, shard->cluster);
    k->links.owner = k;
    k->timer = control->world->ops->timer_new(control->loop, on_timer, k);
    if (k->timer == NULL) {
        keeper_free(k);
        return NULL;
    }
    k->due_ms = keeper_now(k);
    control->world->ops->timer_set(k->timer, 0);
    for (unsigned i = 0; i <= MAP_MAX_MEMBERS; i++)
        k->heard_ms[i] = keeper_now(k);         /* as if, so that nothing is too long ago */
    shard->keeper = k;
    return k;
}

void keeper_free(struct keeper *k)
{
    if (k == NULL)
        return;
    k->shard->keeper = NULL;
    links_fini(&k->links);
    repairs_fini(&k->repairs);
    mover_fini(&k->mover);
    if (k->timer != NULL)
        k->worker->world->ops->timer_free(k->timer);
    view_unref(k->view);
    free(k);
}
