#include "shard/shard.h"

#include <stdlib.h>

#include "cluster/times.h"
#include "shard/keeper.h"
#include "shard/peer.h"

#define SWEEP_MS 100            /* between two rounds of housekeeping */
#define SWEEP_ITEMS 2000        /* looked at in one */

/* the map */

bool shard_is_member(const struct shard *shard, const struct view *v)
{
    const uint64_t incarnation = cluster_incarnation(shard->cluster);
    const struct member *m;

    if (shard->store == NULL || v->self < 0)
        return false;
    m = &v->map->members[v->self];
    return m->state != MEMBER_EJECTED &&
           (m->incarnation == incarnation || m->incarnation == 0);
}

void shard_prepare(struct shard *shard, const struct view *v)
{
    const struct map *map = v->map;
    const bool changes = map->phase != MAP_STABLE;

    if (shard->store == NULL || v->self < 0)
        return;
    store_set_number(shard->store, map->members[v->self].number);
    store_set_copies(shard->store, changes || map->replicas > 1 ? TOMBSTONE_MS : 0, changes);
}

/* What was judged under the map before is the keeper's. */
static void hand_over(struct shard_worker *sw)
{
    struct keeper *keeper = sw->shard->keeper;

    for (struct peer *p = sw->peers; p != NULL; p = p->next)
        open_writes_hand_over(&p->open, keeper, sw->epoch, INT64_MAX);
    open_writes_hand_over(&sw->own, keeper, sw->epoch, INT64_MAX);
}

void shard_note(struct shard_worker *sw)
{
    struct shard *shard = sw->shard;
    struct view *v;

    if (cluster_epoch(shard->cluster) == sw->epoch)
        return;
    hand_over(sw);
    v = view_ref(cluster_note(shard->cluster, sw->worker->id));
    view_unref(sw->view);
    sw->view = v;
    sw->epoch = v->map->epoch;
    sw->noted_ms = worker_now(sw->worker);
    sw->is_member = shard_is_member(shard, v);
    __atomic_store_n(&sw->noted, sw->epoch, __ATOMIC_RELEASE);
    keeper_poke(shard->keeper);
}

bool shard_has_noted(const struct shard *shard, uint64_t epoch)
{
    for (unsigned i = 0; i < CLUSTER_MAX_WORKERS; i++) {
        const struct shard_worker *sw = shard->workers[i];

        if (sw != NULL && __atomic_load_n(&sw->noted, __ATOMIC_ACQUIRE) < epoch)
            return false;
    }
    return true;
}

static void on_wake(struct worker *w, struct mail *m)
{
    struct shard_worker *sw = w->shard;

    (void)m;
    __atomic_store_n(&sw->woken, false, __ATOMIC_RELEASE);
    shard_note(sw);
}

void shard_seen(struct shard *shard)
{
    for (unsigned i = 0; i < CLUSTER_MAX_WORKERS; i++) {
        struct shard_worker *sw = shard->workers[i];

        if (sw != NULL && !__atomic_exchange_n(&sw->woken, true, __ATOMIC_ACQ_REL))
            worker_post(sw->worker, &sw->wake);
    }
    keeper_poke(shard->keeper);
}

/* a front's own */

void shard_opened(struct worker *w, uint64_t hash, uint64_t version)
{
    struct shard_worker *sw = w->shard;
    const struct open_write open = { hash, version, worker_now(w) };

    if (!open_writes_add(&sw->own, &open))
        keeper_repair(sw->shard->keeper, hash, version, sw->epoch);
}

void shard_settled(struct worker *w, size_t n, bool confirmed)
{
    struct shard_worker *sw = w->shard;

    if (confirmed)
        (void)open_writes_confirm(&sw->own, sw->shard->store, n);
    else
        (void)open_writes_give_up(&sw->own, sw->shard->keeper, sw->epoch, n);
}

/* its end */

/* Agents go by no map. */
static bool is_behind(const struct peer *p, uint64_t epoch)
{
    return p->greeted && p->role != HELLO_AGENT && p->epoch < epoch;
}

static bool is_quiet(const struct shard_worker *sw)
{
    bool quiet = !open_writes_are_open(&sw->own);

    for (const struct peer *p = sw->peers; p != NULL && quiet; p = p->next)
        quiet = !open_writes_are_open(&p->open) && !is_behind(p, sw->shard->look_epoch);
    return quiet;
}

static void on_look(struct worker *w, struct mail *m)
{
    struct shard_worker *sw = w->shard;

    (void)m;
    if (!is_quiet(sw))
        __atomic_store_n(&sw->shard->found, true, __ATOMIC_RELAXED);
    __atomic_sub_fetch(&sw->shard->n_looking, 1, __ATOMIC_ACQ_REL);
}

static void look(struct shard *shard)
{
    unsigned n = 0;

    for (unsigned i = 0; i < CLUSTER_MAX_WORKERS; i++)
        n += shard->workers[i] != NULL;
    shard->found = false;
    __atomic_store_n(&shard->n_looking, n, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < CLUSTER_MAX_WORKERS; i++) {
        struct shard_worker *sw = shard->workers[i];

        if (sw == NULL)
            continue;
        sw->look.read = on_look;
        worker_post(sw->worker, &sw->look);
    }
}

bool shard_is_quiet(struct shard *shard, uint64_t epoch)
{
    if (__atomic_load_n(&shard->n_looking, __ATOMIC_ACQUIRE) > 0)
        return false;
    if (shard->found || shard->look_epoch != epoch)
        shard->n_looks = 0;
    shard->look_epoch = epoch;
    if (shard->n_looks++ < 2) {
        look(shard);
        return false;
    }
    return shard->keeper == NULL || keeper_is_idle(shard->keeper);
}

/* its life */

static void on_sweep(void *arg)
{
    struct shard_worker *sw = arg;
    struct worker *w = sw->worker;

    shard_note(sw);
    peer_look(sw);
    open_writes_hand_over(&sw->own, sw->shard->keeper, sw->epoch, worker_now(w) - OPEN_MS);
    if (sw->shard->store != NULL)
        store_sweep(sw->shard->store, SWEEP_ITEMS, worker_now(w));
    w->world->ops->timer_set(sw->sweep, SWEEP_MS);
}

static void on_resume(void *arg)
{
    peer_resume(arg);
}

bool shard_worker_init(struct worker *w, struct shard *shard)
{
    struct shard_worker *sw = calloc(1, sizeof(*sw));

    if (sw == NULL)
        return false;
    w->shard = sw;
    sw->worker = w;
    sw->shard = shard;
    sw->wake.read = on_wake;
    sw->sweep = w->world->ops->timer_new(w->loop, on_sweep, sw);
    sw->resume = w->world->ops->timer_new(w->loop, on_resume, sw);
    if (sw->sweep == NULL || sw->resume == NULL)
        return false;
    w->world->ops->timer_set(sw->sweep, SWEEP_MS);
    shard->workers[w->id] = sw;
    return true;
}

void shard_worker_fini(struct worker *w)
{
    struct shard_worker *sw = w->shard;

    if (sw == NULL)
        return;
    sw->shard->workers[w->id] = NULL;
    while (sw->peers != NULL)
        peer_free(sw->peers);
    if (sw->sweep != NULL)
        w->world->ops->timer_free(sw->sweep);
    if (sw->resume != NULL)
        w->world->ops->timer_free(sw->resume);
    open_writes_fini(&sw->own);
    view_unref(sw->view);
    free(sw->ping);
    free(sw);
    w->shard = NULL;
}

void shard_open(struct worker *w, int fd)
{
    if (!peer_new(w->shard, fd))
        w->world->ops->close(w->world, fd);
}

void shard_take_number(struct shard *shard)
{
    struct view *v = cluster_view(shard->cluster);

    if (v != NULL)
        shard_prepare(shard, v);
    view_unref(v);
}
