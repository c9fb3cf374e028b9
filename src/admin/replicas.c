/*
 * replicas - are all copies there, and equal?
 *
 * Each member is walked whole, a page at a time.  Its items are counted by who
 * is to have them: the groups "owner, copies" of the map.  Of a group each of
 * its members must have the same number and the same digest, as far as nothing
 * is written meanwhile.
 *
 *      member --pages--> items --owner and copies of the key--> group --> {items, digest}
 */
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/parts.h"
#include "base/hash.h"
#include "base/mem.h"
#include "wire/listing.h"

#define GROUPS_MAX 16384        /* a power of two; more than this are not told apart */

struct count { uint64_t items, digest; };

/* Who is to have an item; members of no group have none of it. */
struct group {
    int owner;                  /* index in the map */
    unsigned n_copies;
    int copies[MAP_MAX_REPLICAS - 1];
    struct count *counts;       /* owned; by index in the map */
};

struct walker {
    struct replicas *replicas;
    unsigned member;
    bool ready;                 /* the next page is to be asked for */
    bool over;
    uint64_t cursor;
    uint64_t strays;            /* items that it is not to have */
    char reason[80];            /* it could not be walked; "" */
};

struct replicas {
    struct admin *admin;
    struct http_call *call;     /* answered by the end */
    struct view *view;          /* a reference */
    struct event *next;         /* pages are asked for between other things */
    size_t n_groups;
    uint16_t slots[2 * GROUPS_MAX];     /* index in `groups` + 1; 0: free */
    struct group groups[GROUPS_MAX];
    unsigned n_open;            /* walkers that are not over */
    struct walker walkers[];    /* by index in the map */
};

/* ---- groups --------------------------------------------------------------- */

static bool is_of(const struct group *g, const struct placing *p)
{
    return g->owner == p->owner && g->n_copies == p->n_copies
        && memcmp(g->copies, p->copies, p->n_copies * sizeof(p->copies[0])) == 0;
}

static uint32_t slot_of(const struct placing *p)
{
    uint32_t h = (uint32_t)p->owner;

    for (unsigned i = 0; i < p->n_copies; i++)
        h = h * 1031 + (uint32_t)p->copies[i] + 1;
    return h * 2654435761u >> 8 & (2 * GROUPS_MAX - 1);
}

/* NULL: nobody is to have it, or there are too many groups. */
static struct group *group_of(struct replicas *r, const struct placing *p)
{
    struct group *g;
    uint32_t slot = slot_of(p);

    for (; r->slots[slot] != 0; slot = (slot + 1) & (2 * GROUPS_MAX - 1))
        if (is_of(&r->groups[r->slots[slot] - 1], p))
            return &r->groups[r->slots[slot] - 1];
    if (p->owner < 0 || r->n_groups == GROUPS_MAX)
        return NULL;
    g = &r->groups[r->n_groups++];
    r->slots[slot] = (uint16_t)r->n_groups;
    g->owner = p->owner;
    g->n_copies = p->n_copies;
    memcpy(g->copies, p->copies, sizeof(g->copies));
    g->counts = xzalloc(r->view->map->n * sizeof(*g->counts));
    return g;
}

static bool is_member(const struct group *g, int member)
{
    for (unsigned i = 0; i < g->n_copies; i++)
        if (g->copies[i] == member)
            return true;
    return g->owner == member;
}

static void count_item(struct walker *w, const struct listed *item)
{
    static const uint64_t no_secret[2];        /* all members are to agree */
    const uint32_t position = ring_hash(item->key, item->key_len);
    struct replicas *r = w->replicas;
    struct placing p;
    struct group *g;

    view_place(r->view, position, &p);
    g = group_of(r, &p);
    if (g == NULL || !is_member(g, (int)w->member)) {
        w->strays++;
        return;
    }
    g->counts[w->member].items++;
    g->counts[w->member].digest += hash_sip13(no_secret, item->key, item->key_len)
                                 ^ item->token * 0x9e3779b97f4a7c15u;
}

/* ---- the answer ----------------------------------------------------------- */

static const char *name_of(const struct replicas *r, int member)
{
    return r->view->map->members[member].name;
}

static json_t *count_json(const struct replicas *r, const struct group *g, int member)
{
    char digest[20];

    snprintf(digest, sizeof(digest), "%016" PRIx64, g->counts[member].digest);
    return json_pack("{s:s, s:I, s:s}", "name", name_of(r, member), "items",
                     (json_int_t)g->counts[member].items, "digest", digest);
}

static bool is_equal(const struct replicas *r, const struct group *g)
{
    const struct count *owners = &g->counts[g->owner];
    bool equal = r->walkers[g->owner].reason[0] == '\0';

    for (unsigned i = 0; i < g->n_copies; i++) {
        const struct count *c = &g->counts[g->copies[i]];

        equal = equal && r->walkers[g->copies[i]].reason[0] == '\0'
             && c->items == owners->items && c->digest == owners->digest;
    }
    return equal;
}

static json_t *group_json(const struct replicas *r, const struct group *g)
{
    json_t *members = json_array();

    (void)json_array_append_new(members, count_json(r, g, g->owner));
    for (unsigned i = 0; i < g->n_copies; i++)
        (void)json_array_append_new(members, count_json(r, g, g->copies[i]));
    return json_pack("{s:b, s:o}", "equal", is_equal(r, g), "members", members);
}

static json_t *walker_json(const struct replicas *r, const struct walker *w)
{
    json_t *o = json_pack("{s:s, s:b, s:I}", "name", name_of(r, (int)w->member), "answers",
                          w->reason[0] == '\0', "strays", (json_int_t)w->strays);

    if (w->reason[0] != '\0')
        (void)json_object_set_new(o, "reason", json_string(w->reason));
    return o;
}

static json_t *replicas_json(const struct replicas *r)
{
    json_t *groups = json_array(), *nodes = json_array();
    bool equal = true;

    for (size_t i = 0; i < r->n_groups; i++) {
        equal = equal && is_equal(r, &r->groups[i]);
        (void)json_array_append_new(groups, group_json(r, &r->groups[i]));
    }
    for (size_t i = 0; i < r->view->map->n; i++) {
        equal = equal && r->walkers[i].reason[0] == '\0';
        (void)json_array_append_new(nodes, walker_json(r, &r->walkers[i]));
    }
    return json_pack("{s:I, s:I, s:b, s:o, s:o}", "epoch", (json_int_t)r->view->map->epoch,
                     "replicas", (json_int_t)r->view->map->replicas, "equal", equal, "groups",
                     groups, "nodes", nodes);
}

/* ---- walking -------------------------------------------------------------- */

void replicas_free(struct replicas *r)
{
    if (r == NULL)
        return;
    r->admin->replicas = NULL;
    for (size_t i = 0; i < r->n_groups; i++)
        free(r->groups[i].counts);
    if (r->next != NULL)
        event_free(r->next);
    view_unref(r->view);
    free(r);
}

static void go_on(struct replicas *r)
{
    const struct timeval now = { 0, 0 };

    (void)event_add(r->next, &now);
}

static void on_walked(void *arg, const char *page, size_t len, uint64_t next,
                      const char *reason)
{
    struct walker *w = arg;
    struct listed item;
    size_t pos = 0;

    if (reason != NULL)
        snprintf(w->reason, sizeof(w->reason), "%s", reason);
    while (listing_next(page, len, &pos, &item))
        count_item(w, &item);
    w->cursor = next;
    w->over = reason != NULL || next == 0 || !http_call_waits(w->replicas->call);
    w->ready = !w->over;
    w->replicas->n_open -= w->over;
    go_on(w->replicas);
}

static void on_next(evutil_socket_t fd, short what, void *arg)
{
    struct replicas *r = arg;
    const struct admin *a = r->admin;

    (void)fd;
    (void)what;
    for (size_t i = 0; i < r->view->map->n; i++) {
        struct walker *w = &r->walkers[i];

        if (!w->ready)
            continue;
        w->ready = false;
        a->ops->walk(a->arg, r->view, w->member, w->cursor, on_walked, w);
    }
    if (r->n_open > 0)
        return;
    http_answer(r->call, 200, replicas_json(r));
    replicas_free(r);
}

void replicas_get(struct admin *a, struct http_call *call)
{
    struct view *v = a->ops->view(a->arg);
    const size_t n = v != NULL ? v->map->n : 0;
    struct replicas *r;

    if (v == NULL || a->replicas != NULL) {
        http_refuse(call, 503, v == NULL ? "there is no map yet"
                                         : "they are being counted already, ask again later");
        view_unref(v);
        return;
    }
    r = a->replicas = xzalloc(sizeof(*r) + n * sizeof(r->walkers[0]));
    r->admin = a;
    r->call = call;
    r->view = v;
    r->n_open = (unsigned)n;
    for (unsigned i = 0; i < n; i++)
        r->walkers[i] = (struct walker){ .replicas = r, .member = i, .ready = true };
    r->next = event_new(a->base, -1, 0, on_next, r);
    if (r->next == NULL) {
        replicas_free(r);
        http_refuse(call, 503, "out of memory here");
        return;
    }
    go_on(r);
}
