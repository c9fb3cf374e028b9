#include "cluster/cluster.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"

struct cluster {
    char *name, *self;
    pthread_mutex_t lock;       /* of `view` */
    struct view *view;          /* a reference, or NULL */
    uint64_t epoch;             /* atomic: view->map->epoch */
};

struct cluster *cluster_new(const char *name, const char *self)
{
    struct cluster *c = xzalloc(sizeof(*c));

    c->name = xstrdup(name);
    c->self = xstrdup(self);
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

void cluster_free(struct cluster *c)
{
    if (c == NULL)
        return;
    view_unref(c->view);
    pthread_mutex_destroy(&c->lock);
    free(c->name);
    free(c->self);
    free(c);
}

const char *cluster_name(const struct cluster *c)
{
    return c->name;
}

const char *cluster_self(const struct cluster *c)
{
    return c->self;
}

static struct ring *ring_of(const struct map *map)
{
    struct ring_member *members = calloc(map->n, sizeof(*members));
    struct ring *ring = NULL;

    if (members == NULL)
        return NULL;
    for (size_t i = 0; i < map->n; i++) {
        members[i].name = map->members[i].name;
        members[i].zone = map->members[i].zone;
        members[i].weight = map->members[i].weight;
    }
    ring = ring_new(members, map->n);
    free(members);
    return ring;
}

static struct view *view_new(struct map *map, const char *self)
{
    struct view *v = calloc(1, sizeof(*v));

    if (v != NULL)
        v->ring = ring_of(map);
    if (v == NULL || v->ring == NULL) {
        free(v);
        free(map);
        return NULL;
    }
    v->refs = 1;
    v->map = map;
    v->digest = map_digest(map);
    v->self = map_find(map, self);
    return v;
}

struct view *view_ref(struct view *v)
{
    __atomic_add_fetch(&v->refs, 1, __ATOMIC_RELAXED);
    return v;
}

void view_unref(struct view *v)
{
    if (v == NULL || __atomic_sub_fetch(&v->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    ring_free(v->ring);
    free((struct map *)v->map);
    free(v);
}

enum adopted cluster_adopt(struct cluster *c, struct map *map)
{
    struct view *v, *old = NULL;

    if (map->epoch <= cluster_epoch(c)) {
        free(map);
        return ADOPTED_OLD;
    }
    v = view_new(map, c->self);
    if (v == NULL)
        return ADOPTED_NO_MEMORY;
    pthread_mutex_lock(&c->lock);
    if (c->view == NULL || c->view->map->epoch < v->map->epoch) {
        old = c->view;
        c->view = v;
        __atomic_store_n(&c->epoch, v->map->epoch, __ATOMIC_RELEASE);
        v = NULL;
    }
    pthread_mutex_unlock(&c->lock);
    view_unref(old);
    if (v == NULL)
        return ADOPTED;
    view_unref(v);              /* another thread was quicker with a newer one */
    return ADOPTED_OLD;
}

uint64_t cluster_epoch(const struct cluster *c)
{
    return __atomic_load_n(&c->epoch, __ATOMIC_ACQUIRE);
}

struct view *cluster_view(struct cluster *c)
{
    struct view *v;

    pthread_mutex_lock(&c->lock);
    v = c->view;
    if (v != NULL)
        view_ref(v);
    pthread_mutex_unlock(&c->lock);
    return v;
}
