#include "shard/shard.h"

#include <stdio.h>
#include <stdlib.h>

#include "shard/peer.h"

#define SWEEP_MS 100            /* between two rounds of housekeeping */
#define SWEEP_ITEMS 2000        /* looked at in one */

static void on_sweep(void *arg)
{
    struct shard_worker *sw = arg;
    struct worker *w = sw->worker;

    peer_look(sw);
    store_sweep(sw->shard->store, SWEEP_ITEMS, worker_now(w));
    w->world->ops->timer_set(sw->sweep, SWEEP_MS);
}

bool shard_worker_init(struct worker *w, struct shard *shard)
{
    struct shard_worker *sw = calloc(1, sizeof(*sw));

    if (sw == NULL)
        return false;
    w->shard = sw;
    sw->worker = w;
    sw->shard = shard;
    sw->sweep = w->world->ops->timer_new(w->loop, on_sweep, sw);
    if (sw->sweep == NULL)
        return false;
    w->world->ops->timer_set(sw->sweep, SWEEP_MS);
    return true;
}

void shard_worker_fini(struct worker *w)
{
    struct shard_worker *sw = w->shard;

    if (sw == NULL)
        return;
    while (sw->peers != NULL)
        peer_free(sw->peers);
    if (sw->sweep != NULL)
        w->world->ops->timer_free(sw->sweep);
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

    if (v != NULL && v->self >= 0)
        store_set_number(shard->store, v->map->members[v->self].number);
    view_unref(v);
}

size_t shard_put_usage(struct store *store, int64_t now_ms, char *out)
{
    struct store_usage u;
    size_t len = 0;

    store_usage(store, now_ms, &u);
#define STAT(name, kind, help)
#define USAGE(name, field, help) \
    len += (size_t)snprintf(out + len, SHARD_USAGE_MAX - len, "%s %llu\n", #name, \
                            (unsigned long long)u.field);
#include "stats.def"
#undef STAT
#undef USAGE
    return len;
}
