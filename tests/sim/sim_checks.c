#include "sim_checks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "ring/ring.h"
#include "sim_crowd.h"

#define LOOK_MS 5
#define LOOK_KEYS 6             /* at each look, others each time */

static uint32_t position_of(unsigned key)
{
    char name[24];
    const int len = snprintf(name, sizeof(name), CROWD_PREFIX "%u", key);

    return ring_hash(name, (size_t)len);
}

/* ---- one owner ---- */

static bool may_serve(struct sim_node *n, const struct view *v, uint32_t position)
{
    struct cluster *c = n->node.cluster;
    struct placing p;

    if (v == NULL || v->self < 0 || cluster_adopted(c) != v->map->epoch)
        return false;
    view_place(v, position, &p);
    if (p.owner != v->self)
        return false;
    return p.old_owner < 0 ||
           cluster_has_ended(c, v->map->members[p.old_owner].number, v->map->phase_since);
}

static bool serves_anything(struct sim_node *n)
{
    return n->is_up && n->node.store != NULL &&
           cluster_serves(n->node.cluster, n->world->ops->mono_ns(n->world));
}

static void look_at_epoch(struct checks *c, struct sim_node *n)
{
    const uint64_t epoch = cluster_epoch(n->node.cluster);

    if (epoch < n->epoch)
        complain(c->fleet->complaints, "%s went back from epoch %llu to %llu", n->name,
                 (unsigned long long)n->epoch, (unsigned long long)epoch);
    n->epoch = epoch;
}

static void look_at_owners(struct checks *c, struct sim_node **servers, struct view **views,
                           unsigned n)
{
    for (unsigned i = 0; i < LOOK_KEYS; i++) {
        const unsigned key = (unsigned)sim_pick(c->fleet->sim, c->n_keys);
        const uint32_t position = position_of(key);
        const struct sim_node *owner = NULL;

        for (unsigned j = 0; j < n; j++) {
            if (!may_serve(servers[j], views[j], position))
                continue;
            if (owner != NULL)
                complain(c->fleet->complaints, "both %s and %s own k%u", owner->name,
                         servers[j]->name, key);
            owner = servers[j];
        }
    }
}

static void on_look(void *arg)
{
    struct checks *c = arg;
    struct sim_node *servers[FLEET_MAX];
    struct view *views[FLEET_MAX];
    unsigned n = 0;

    if (c->stopped)
        return;
    for (unsigned i = 0; i < c->fleet->n; i++) {
        struct sim_node *node = &c->fleet->nodes[i];

        if (node->is_up)
            look_at_epoch(c, node);
        if (serves_anything(node)) {
            servers[n] = node;
            views[n++] = cluster_view(node->node.cluster);
        }
    }
    look_at_owners(c, servers, views, n);
    for (unsigned i = 0; i < n; i++)
        view_unref(views[i]);
    sim_call(c->fleet->sim, LOOK_MS, on_look, c);
}

void checks_begin(struct checks *c, struct fleet *fleet, unsigned n_keys)
{
    *c = (struct checks){ .fleet = fleet, .n_keys = n_keys };
    on_look(c);
}

void checks_end(struct checks *c)
{
    c->stopped = true;
}

/* ---- equal copies ---- */

/* What a node has of a key. */
struct held {
    uint64_t version;           /* 0: nothing */
    uint64_t value;             /* a hash of it */
    uint32_t flags;
    bool open;
};

struct table {
    unsigned n_keys;
    struct held *held;          /* of one node, by key */
};

static uint64_t hash_of(const char *bytes, size_t len)
{
    uint64_t hash = len + 1;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3u;
    return hash;
}

static void on_item(void *arg, const struct copy *copy)
{
    const size_t prefix = strlen(CROWD_PREFIX);
    struct table *t = arg;
    uint64_t key;

    if (copy->kind == COPY_DELETED || copy->key_len <= prefix ||
        !num_parse_u64(copy->key + prefix, copy->key_len - prefix, &key) || key >= t->n_keys)
        return;
    t->held[key] = (struct held){ copy->version, hash_of(copy->value, copy->value_len),
                                  copy->client_flags, copy->open };
}

static void read_store(struct sim_node *n, struct table *t)
{
    const struct arc all = { 0, UINT32_MAX };
    uint64_t cursor = 0;

    memset(t->held, 0, t->n_keys * sizeof(*t->held));
    if (!n->is_up || n->node.store == NULL)
        return;
    do {
        store_walk(n->node.store, all, &cursor, 1000,
                   n->world->ops->mono_ns(n->world) / 1000000, on_item, t);
    } while (cursor != 0);
}

static bool is_equal(const struct held *a, const struct held *b)
{
    return a->version == b->version && a->value == b->value && a->flags == b->flags;
}

/* Index of the member that this node is, -1: none. */
static int member_of(const struct view *v, const struct sim_node *n)
{
    return map_find(v->map, n->name);
}

static bool is_in_chain(const struct placing *p, int member)
{
    for (unsigned i = 0; i < p->n_copies; i++)
        if (p->copies[i] == member)
            return true;
    return member >= 0 && p->owner == member;
}

static bool check_key(struct checks *c, const struct view *v, const struct table *tables,
                      unsigned key, char *why, size_t size)
{
    const struct held *first = NULL;
    const char *first_name = "";
    struct placing p;

    view_place(v, position_of(key), &p);
    for (unsigned i = 0; i < c->fleet->n; i++) {
        const struct sim_node *n = &c->fleet->nodes[i];
        const struct held *h = &tables[i].held[key];

        if (!is_in_chain(&p, member_of(v, n))) {
            if (h->version == 0)
                continue;
            snprintf(why, size, "%s holds k%u, which is not its own", n->name, key);
            return false;
        }
        if (h->open) {
            snprintf(why, size, "k%u is not confirmed at %s", key, n->name);
            return false;
        }
        if (first != NULL && !is_equal(first, h)) {
            snprintf(why, size, "k%u is %llx at %s and %llx at %s", key,
                     (unsigned long long)first->version, first_name,
                     (unsigned long long)h->version, n->name);
            return false;
        }
        first = h;
        first_name = n->name;
    }
    return true;
}

bool checks_copies(struct checks *c, char *why, size_t size)
{
    struct fleet *f = c->fleet;
    struct view *v = cluster_view(fleet_leader_node(f)->node.cluster);
    struct table tables[FLEET_MAX];
    bool ok = true;

    for (unsigned i = 0; i < f->n; i++) {
        tables[i] = (struct table){ c->n_keys, xzalloc(c->n_keys * sizeof(struct held)) };
        read_store(&f->nodes[i], &tables[i]);
    }
    for (unsigned key = 0; key < c->n_keys && ok; key++)
        ok = check_key(c, v, tables, key, why, size);
    for (unsigned i = 0; i < f->n; i++)
        free(tables[i].held);
    view_unref(v);
    return ok;
}

static const char *name_of(const struct view *v, int member)
{
    return member < 0 ? "nobody" : v->map->members[member].name;
}

static void tell_node(struct sim_node *n, const struct held *h, unsigned key)
{
    struct view *v = n->is_up ? cluster_view(n->node.cluster) : NULL;
    char copies[100] = "", pending[100] = "";
    struct placing p;

    if (v == NULL)
        return;
    view_place(v, position_of(key), &p);
    for (unsigned i = 0; i < p.n_copies; i++)
        snprintf(copies + strlen(copies), sizeof(copies) - strlen(copies), " %s",
                 name_of(v, p.copies[i]));
    for (unsigned i = 0; i < p.n_pending; i++)
        snprintf(pending + strlen(pending), sizeof(pending) - strlen(pending), " %s",
                 name_of(v, p.pending[i]));
    sim_note(n->sim, "%s: k%u owner %s (old %s) copies%s pending%s; epoch %llu adopted %llu; "
             "holds %llx%s", n->name, key, name_of(v, p.owner), name_of(v, p.old_owner), copies,
             pending, (unsigned long long)v->map->epoch,
             (unsigned long long)cluster_adopted(n->node.cluster),
             (unsigned long long)h->version, h->open ? " open" : "");
    view_unref(v);
}

void checks_tell(struct checks *c, unsigned key)
{
    struct table t = { c->n_keys, xzalloc(c->n_keys * sizeof(struct held)) };

    for (unsigned i = 0; i < c->fleet->n; i++) {
        read_store(&c->fleet->nodes[i], &t);
        tell_node(&c->fleet->nodes[i], &t.held[key], key);
    }
    free(t.held);
}
