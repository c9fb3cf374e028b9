#include "shard/repairs.h"

#include <stdlib.h>
#include <string.h>

#include "ring/ring.h"
#include "shard/keeper.h"
#include "store/version.h"

#define BYTES_OUT ((size_t)1 << 20)     /* of copies that nobody has answered for */
#define RETRY_MS 20
#define VERSION_MS_SHIFT (VERSION_NUMBER_BITS + VERSION_COUNTER_BITS)
#define STARTS 1000             /* of errands in one step, */
#define STUCK 64                /* of these, such that find nobody: then it waits */
#define WALK_ITEMS 500          /* looked at in one step */
#define WALK_TODO 1000          /* enough is known to be done */

/* Before it was last heard, or now: what an owner left open for a second it would
 * have repaired; then it was not heard, suspended and ejected. */
#define UNSETTLED_MS 5000

/* lists */

static size_t list_left(const struct repair_list *l)
{
    return l->n - l->at;
}

#define KEEP_CAP 4096           /* a burst of more is given back */

static void list_forget(struct repair_list *l)
{
    if (l->at < l->n)
        return;
    l->at = l->n = 0;
    if (l->cap > KEEP_CAP) {
        free(l->items);
        *l = (struct repair_list){ .items = NULL };
    }
}

static bool list_add(struct repair_list *l, const struct repair *what)
{
    list_forget(l);
    if (l->n == l->cap) {
        const size_t cap = l->cap > 0 ? l->cap * 2 : 64;
        struct repair *items = realloc(l->items, cap * sizeof(*items));

        if (items == NULL)
            return false;
        l->items = items;
        l->cap = cap;
    }
    l->items[l->n++] = *what;
    return true;
}

/* What there is no memory for is found by a walk: false. */
static bool add_to(struct repairs *r, struct repair_list *l, const struct repair *what)
{
    if (list_add(l, what))
        return true;
    __atomic_store_n(&r->lost, true, __ATOMIC_RELEASE);
    return false;
}

/* its life */

void repairs_init(struct repairs *r, struct keeper *keeper)
{
    memset(r, 0, sizeof(*r));
    r->keeper = keeper;
    pthread_mutex_init(&r->lock, NULL);
    for (unsigned i = 0; i < ERRANDS; i++) {
        r->errands[i].keeper = keeper;
        r->errands[i].next = r->free;
        r->free = &r->errands[i];
    }
}

void repairs_fini(struct repairs *r)
{
    free(r->inbox.items);
    free(r->todo.items);
    free(r->later.items);
    pthread_mutex_destroy(&r->lock);
}

void repairs_add(struct repairs *r, const struct repair *what)
{
    pthread_mutex_lock(&r->lock);
    (void)add_to(r, &r->inbox, what);
    pthread_mutex_unlock(&r->lock);
}

static bool is_old(const struct repairs *r, const struct repair *what)
{
    return what->epoch < r->keeper->epoch;
}

static void take_inbox(struct repairs *r)
{
    pthread_mutex_lock(&r->lock);
    for (; r->inbox.at < r->inbox.n; r->inbox.at++) {
        const struct repair *what = &r->inbox.items[r->inbox.at];

        if (add_to(r, &r->todo, what))
            r->n_old += is_old(r, what);
    }
    pthread_mutex_unlock(&r->lock);
    if (!r->walking && __atomic_exchange_n(&r->lost, false, __ATOMIC_ACQ_REL)) {
        r->walking = r->for_others = true;
        r->cursor = 0;
    }
}

static void is_over(struct repairs *r, const struct repair *what)
{
    r->n_old -= is_old(r, what);
    r->n_walked -= what->walked;
}

/* maps */

/* One that held what we may have to answer for does so no more. */
static bool is_gone(const struct member *m, const struct map *map)
{
    const int i = map_find(map, m->name);

    if (m->state == MEMBER_EJECTED || m->filling || m->weight == 0)
        return false;
    return i < 0 || map->members[i].state == MEMBER_EJECTED || map->members[i].filling ||
           map->members[i].incarnation != m->incarnation;
}

/* When the first of those that are gone was last heard; INT64_MAX: none is gone. */
static int64_t gone_since(const struct keeper *k, const struct map *old, const struct map *map)
{
    int64_t since_ms = INT64_MAX;

    for (size_t i = 0; i < old->n; i++) {
        const struct member *m = &old->members[i];

        if (is_gone(m, map) && k->heard_ms[m->number] < since_ms)
            since_ms = k->heard_ms[m->number];
    }
    return since_ms;
}

/* A member was lost while others took over from it: they may have its last writes
 * between them, and all hand on what they hold. */
static bool has_to_hand_on(const struct view *old, const struct view *v)
{
    return v->lost_one && (old == NULL || old->end_epoch != v->end_epoch);
}

/* The same of those that were lost in the phase, whoever judged there. */
static int64_t lost_since(const struct keeper *k, const struct map *map)
{
    int64_t since_ms = INT64_MAX;

    for (size_t i = 0; i < map->n; i++) {
        const struct member *m = &map->members[i];

        if (m->state == MEMBER_EJECTED && m->since > map->phase_since &&
            k->heard_ms[m->number] < since_ms)
            since_ms = k->heard_ms[m->number];
    }
    return since_ms;
}

/*
 * An owner that is gone may have left its last writes on some of several
 * copies.  Before anybody is served under the newer map they count as open.
 */
void repairs_prepare(struct repairs *r, const struct view *old, const struct view *v)
{
    struct keeper *k = r->keeper;
    struct store *store = k->shard->store;
    const int64_t now_ms = keeper_now(k);
    const bool begins = has_to_hand_on(old, v);
    int64_t since_ms;
    uint64_t from;

    r->hands_on = begins || (r->hands_on && v->lost_one);
    if (!begins && v->map->replicas < 3)
        return;
    since_ms = begins ? lost_since(k, v->map)
             : old != NULL ? gone_since(k, old->map, v->map) : INT64_MAX;
    if (since_ms == INT64_MAX)
        return;
    from = store_clock(store, now_ms)
         - ((uint64_t)(now_ms - since_ms + UNSETTLED_MS) << VERSION_MS_SHIFT);
    if (!r->unsettled || from < r->unsettled_from)
        r->unsettled_from = from;
    store_unsettle(store, r->unsettled_from, now_ms);
    r->unsettled = r->walking = true;
    r->cursor = 0;
}

static size_t count_old(const struct repairs *r, const struct repair_list *l)
{
    size_t n = 0;

    for (size_t i = l->at; i < l->n; i++)
        n += is_old(r, &l->items[i]);
    return n;
}

void repairs_take_view(struct repairs *r)
{
    r->n_old = count_old(r, &r->todo) + count_old(r, &r->later);
    for (unsigned i = 0; i < ERRANDS; i++)
        r->n_old += r->errands[i].is_out && is_old(r, &r->errands[i].what);
    r->later_at_ms = r->stuck_until_ms = 0;
}

/* errands */

static void on_answer(struct request *request)
{
    struct errand *e = request->owner;
    struct repairs *r = &e->keeper->repairs;

    if (request->outcome != ANSWERED)
        e->failed = true;
    request_free(&e->keeper->links, request);
    /* not done with here: the store may be locked */
    if (--e->n_out == 0 && !e->starting) {
        e->next = r->back;
        r->back = e;
        keeper_stir(e->keeper);
    }
}

static void send_copy(struct errand *e, int target, const struct copy *copy)
{
    struct keeper *k = e->keeper;
    struct link *l = k->links.n > (size_t)target ? k->links.link[target] : NULL;
    struct request *request = l != NULL && link_is_open(l) ? request_new(&k->links) : NULL;
    struct frame f;

    if (request == NULL) {
        e->failed = true;
        return;
    }
    frame_from_copy(&f, FRAME_APPLY, copy);
    request->done = on_answer;
    request->owner = e;
    request->answer_op = FRAME_APPLIED;
    e->n_out++;
    e->bytes += f.value_len;
    link_send(l, request, &f, NULL);
}

/* All that have to do with the key, but us. */
static void on_open(void *arg, const struct copy *copy)
{
    struct errand *e = arg;
    const struct view *v = e->keeper->view;
    struct placing place;

    view_place(v, ring_hash(copy->key, copy->key_len), &place);
    if (place.owner >= 0 && place.owner != v->self)
        send_copy(e, place.owner, copy);
    for (unsigned i = 0; i < place.n_copies; i++)
        if (place.copies[i] != v->self)
            send_copy(e, place.copies[i], copy);
    for (unsigned i = 0; i < place.n_pending; i++)
        if (place.pending[i] != v->self)
            send_copy(e, place.pending[i], copy);
}

/* False when somebody who is to have it is not reached. */
static bool start(struct repairs *r, const struct repair *what)
{
    struct keeper *k = r->keeper;
    struct errand *e = r->free;

    r->free = e->next;
    e->what = *what;
    e->under = k->epoch;
    e->n_out = 0;
    e->bytes = 0;
    e->failed = false;
    e->starting = e->is_out = true;
    r->n_out++;
    store_show_open(k->shard->store, what->hash, what->version, keeper_now(k), on_open, e);
    e->starting = false;
    r->bytes_out += e->bytes;
    if (e->n_out == 0) {
        e->next = r->back;
        r->back = e;
    }
    return !e->failed;
}

static void take_back(struct repairs *r)
{
    struct keeper *k = r->keeper;
    struct errand *e;

    while ((e = r->back) != NULL) {
        r->back = e->next;
        e->is_out = false;
        r->n_out--;
        r->bytes_out -= e->bytes;
        if (e->failed || e->under != k->epoch) {
            if (!add_to(r, &r->later, &e->what))
                is_over(r, &e->what);
            r->later_at_ms = keeper_now(k) + (e->under == k->epoch ? RETRY_MS : 0);
        } else {
            (void)store_confirm(k->shard->store, e->what.hash, e->what.version);
            is_over(r, &e->what);
        }
        e->next = r->free;
        r->free = e;
    }
}

/* the walk */

static void on_item(void *arg, const struct copy *copy)
{
    struct repairs *r = arg;
    struct keeper *k = r->keeper;
    struct repair what = {
        .hash = store_hash(k->shard->store, copy->key, copy->key_len),
        .version = copy->version,
        .epoch = k->epoch,
        .walked = true,
    };

    if (!copy->open || (!r->for_others && !r->hands_on &&
                        view_owner(k->view, ring_hash(copy->key, copy->key_len)) != k->view->self))
        return;
    r->n_walked += add_to(r, &r->todo, &what);
}

static void walk(struct repairs *r)
{
    const struct arc all = { 0, UINT32_MAX };

    if (!r->walking || list_left(&r->todo) >= WALK_TODO)
        return;
    store_walk(r->keeper->shard->store, all, &r->cursor, WALK_ITEMS, keeper_now(r->keeper),
               on_item, r);
    r->walking = r->cursor != 0;
    r->for_others = r->for_others && r->walking;
}

static void settle(struct repairs *r)
{
    if (!r->unsettled || r->walking || r->n_walked > 0)
        return;
    store_settle(r->keeper->shard->store);
    r->unsettled = r->hands_on = false;
}

/* steps */

static void move_later(struct repairs *r)
{
    if (list_left(&r->later) == 0 || keeper_now(r->keeper) < r->later_at_ms)
        return;
    for (; r->later.at < r->later.n; r->later.at++)
        if (!add_to(r, &r->todo, &r->later.items[r->later.at]))
            is_over(r, &r->later.items[r->later.at]);
}

static bool may_start(const struct repairs *r)
{
    return list_left(&r->todo) > 0 && r->free != NULL && r->bytes_out < BYTES_OUT;
}

/* While a copy is not reached and not ejected all that it has a part in waits;
 * asking for each again and again would be all that is done here. */
static void start_some(struct repairs *r)
{
    const int64_t now_ms = keeper_now(r->keeper);
    unsigned n_stuck = 0;

    for (unsigned i = 0; i < STARTS && may_start(r) && now_ms >= r->stuck_until_ms; i++) {
        const struct repair what = r->todo.items[r->todo.at++];

        if (!start(r, &what) && ++n_stuck == STUCK)
            r->stuck_until_ms = now_ms + RETRY_MS;
        take_back(r);
    }
}

/* Who is no member any more has nothing to tell. */
static void forget(struct repairs *r)
{
    r->todo.at = r->todo.n;
    r->later.at = r->later.n;
    r->n_old = 0;
    r->n_walked = 0;
    r->walking = false;
}

void repairs_step(struct repairs *r)
{
    struct keeper *k = r->keeper;

    take_inbox(r);
    take_back(r);
    if (!k->is_member && r->n_out == 0)
        forget(r);
    if (!k->is_member || !keeper_is_settled(k))
        return;
    move_later(r);
    walk(r);
    start_some(r);
    settle(r);
}

bool repairs_are_done(struct repairs *r)
{
    return repairs_are_current(r) && r->n_out == 0 && list_left(&r->todo) == 0 &&
           list_left(&r->later) == 0;
}

bool repairs_are_current(struct repairs *r)
{
    bool empty;

    pthread_mutex_lock(&r->lock);
    empty = list_left(&r->inbox) == 0;
    pthread_mutex_unlock(&r->lock);
    return empty && !__atomic_load_n(&r->lost, __ATOMIC_ACQUIRE) && !r->walking &&
           r->n_old == 0 && r->n_walked == 0 && !r->hands_on;
}

int64_t repairs_wait_ms(const struct repairs *r)
{
    const bool stuck = keeper_now(r->keeper) < r->stuck_until_ms;

    if (r->walking || (may_start(r) && !stuck))
        return 1;
    return list_left(&r->later) > 0 || stuck ? RETRY_MS : -1;
}
