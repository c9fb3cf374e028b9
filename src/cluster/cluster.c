#include "cluster/cluster.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cluster/times.h"

struct cluster {
    char *name, *self;
    uint64_t incarnation;
    struct cluster_hooks hooks;
    pthread_mutex_t lock;       /* of `view`, `noted`, and writing what is atomic */
    struct view *view;          /* a reference, or NULL */
    unsigned n_workers;
    struct view *noted[CLUSTER_MAX_WORKERS];    /* references: what each goes by, or NULL */
    uint64_t epoch;             /* atomic: view->map->epoch */
    uint64_t adopted;           /* atomic: the least of what is noted */
    int64_t lease_ns;           /* atomic */
    bool gone;                  /* atomic: no more commands, and no longer lease */
    uint64_t ended[MAP_MAX_MEMBERS + 1];        /* atomic, by number */
};

struct cluster *cluster_new(const char *name, const char *self)
{
    struct cluster *c = xzalloc(sizeof(*c));

    c->name = xstrdup(name);
    c->self = xstrdup(self);
    c->lease_ns = INT64_MAX;
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

void cluster_free(struct cluster *c)
{
    if (c == NULL)
        return;
    for (unsigned i = 0; i < c->n_workers; i++)
        view_unref(c->noted[i]);
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

void cluster_set_incarnation(struct cluster *c, uint64_t incarnation)
{
    c->incarnation = incarnation;
}

uint64_t cluster_incarnation(const struct cluster *c)
{
    return c->incarnation;
}

void cluster_set_hooks(struct cluster *c, const struct cluster_hooks *hooks)
{
    c->hooks = *hooks;
}

void cluster_set_workers(struct cluster *c, unsigned n)
{
    assert(n <= CLUSTER_MAX_WORKERS && c->n_workers == 0);
    c->n_workers = n;
    if (n > 0)
        __atomic_store_n(&c->adopted, 0, __ATOMIC_RELEASE);
}

/* ---- maps ------------------------------------------------------------------ */

/* What all workers have noted is adopted; 0, or the epoch that is so now.  Locked. */
static uint64_t settle(struct cluster *c)
{
    uint64_t least = c->epoch;

    for (unsigned i = 0; i < c->n_workers; i++) {
        uint64_t noted = c->noted[i] != NULL ? c->noted[i]->map->epoch : 0;

        if (noted < least)
            least = noted;
    }
    if (least == c->adopted)
        return 0;
    __atomic_store_n(&c->adopted, least, __ATOMIC_RELEASE);
    return least;
}

/* Whether the map has this very process serve, as far as it serves anything. */
static bool is_trusted(const struct cluster *c, const struct view *v)
{
    const struct member *m;

    if (v->self < 0)
        return true;
    m = &v->map->members[v->self];
    return m->state == MEMBER_UP &&
           (m->incarnation == c->incarnation || m->incarnation == 0);
}

/* Its only voter was the leader's process, this one, and gave itself a lease until now:
 * that lasts as any other does. */
static int64_t last_of_own(const struct cluster *c, const struct view *old)
{
    if (old == NULL || strcmp(old->map->leader, c->self) != 0 || c->hooks.now_ns == NULL)
        return 0;
    return c->hooks.now_ns(c->hooks.arg) + LEASE_MS * INT64_C(1000000);
}

/* A lease goes on under a newer map, which cannot have taken anything away while
 * it lasts.  Locked. */
static void settle_lease(struct cluster *c, const struct view *old)
{
    const struct view *v = c->view;
    int64_t lease_ns = c->lease_ns;

    if (!is_trusted(c, v))
        lease_ns = 0;
    else if (!map_wants_lease(v->map, c->self))
        lease_ns = INT64_MAX;
    else if (lease_ns == INT64_MAX)
        lease_ns = last_of_own(c, old);
    __atomic_store_n(&c->lease_ns, lease_ns, __ATOMIC_RELEASE);
}

static void tell(const struct cluster *c, void (*hook)(void *, uint64_t), uint64_t epoch)
{
    if (hook != NULL && epoch > 0)
        hook(c->hooks.arg, epoch);
}

enum adopted cluster_adopt(struct cluster *c, struct map *map)
{
    struct view *v, *old = NULL;
    uint64_t epoch = map->epoch, adopted = 0;

    if (epoch <= cluster_epoch(c)) {
        free(map);
        return ADOPTED_OLD;
    }
    v = view_new(map, c->self);
    if (v == NULL)
        return ADOPTED_NO_MEMORY;
    pthread_mutex_lock(&c->lock);
    if (epoch > c->epoch) {
        old = c->view;
        c->view = v;
        v = NULL;
        settle_lease(c, old);   /* before anybody sees the epoch */
        __atomic_store_n(&c->epoch, epoch, __ATOMIC_RELEASE);
        adopted = settle(c);
    }
    pthread_mutex_unlock(&c->lock);
    view_unref(old);
    if (v != NULL) {
        view_unref(v);          /* another thread was quicker with a newer one */
        return ADOPTED_OLD;
    }
    tell(c, c->hooks.seen, epoch);
    tell(c, c->hooks.adopted, adopted);
    return ADOPTED;
}

uint64_t cluster_epoch(const struct cluster *c)
{
    return __atomic_load_n(&c->epoch, __ATOMIC_ACQUIRE);
}

uint64_t cluster_adopted(const struct cluster *c)
{
    return __atomic_load_n(&c->adopted, __ATOMIC_ACQUIRE);
}

struct view *cluster_note(struct cluster *c, unsigned worker)
{
    struct view *v, *old;
    uint64_t adopted;

    assert(worker < c->n_workers);
    pthread_mutex_lock(&c->lock);
    old = c->noted[worker];
    v = c->view;
    c->noted[worker] = v != NULL ? view_ref(v) : NULL;
    adopted = settle(c);
    pthread_mutex_unlock(&c->lock);
    view_unref(old);
    tell(c, c->hooks.adopted, adopted);
    return v;
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

/* ---- leases ---------------------------------------------------------------- */

int64_t cluster_lease_ns(const struct cluster *c)
{
    return __atomic_load_n(&c->lease_ns, __ATOMIC_ACQUIRE);
}

void cluster_set_lease(struct cluster *c, uint64_t epoch, int64_t until_ns)
{
    pthread_mutex_lock(&c->lock);
    if (!__atomic_load_n(&c->gone, __ATOMIC_RELAXED) && epoch == c->epoch && c->view != NULL &&
        map_wants_lease(c->view->map, c->self) && is_trusted(c, c->view) &&
        until_ns > c->lease_ns)
        __atomic_store_n(&c->lease_ns, until_ns, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&c->lock);
}

void cluster_give_up(struct cluster *c)
{
    __atomic_store_n(&c->gone, true, __ATOMIC_RELEASE);
}

bool cluster_has_lease(const struct cluster *c, int64_t now_ns)
{
    return now_ns < cluster_lease_ns(c);
}

bool cluster_serves(const struct cluster *c, int64_t now_ns)
{
    return cluster_has_lease(c, now_ns) && !__atomic_load_n(&c->gone, __ATOMIC_ACQUIRE);
}

/* ---- end marks ------------------------------------------------------------- */

void cluster_set_ended(struct cluster *c, uint16_t number, uint64_t incarnation,
                       uint64_t epoch)
{
    int i;

    pthread_mutex_lock(&c->lock);
    i = c->view != NULL ? map_find_number(c->view->map, number) : -1;
    if (i >= 0 && c->view->map->members[i].incarnation == incarnation &&
        epoch > c->ended[number])
        __atomic_store_n(&c->ended[number], epoch, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&c->lock);
}

bool cluster_has_ended(const struct cluster *c, uint16_t number, uint64_t epoch)
{
    assert(number <= MAP_MAX_MEMBERS);
    return __atomic_load_n(&c->ended[number], __ATOMIC_ACQUIRE) >= epoch;
}

static bool all_have_ended(const struct cluster *c, const struct view *v)
{
    for (size_t i = 0; i < v->map->n; i++) {
        const struct member *m = &v->map->members[i];

        if (m->state != MEMBER_EJECTED && !cluster_has_ended(c, m->number, v->end_epoch))
            return false;
    }
    return true;
}

bool cluster_has_taken_over(const struct cluster *c, const struct view *v,
                            const struct placing *p)
{
    if (p->old_owner < 0)
        return true;
    if (v->lost_one)
        return all_have_ended(c, v);
    return cluster_has_ended(c, v->map->members[p->old_owner].number, v->map->phase_since);
}
