#include "shard/serve.h"

#include <stdlib.h>

#include "base/unset.h"
#include "ring/ring.h"
#include "shard/keeper.h"

#define PATIENCE_MS 100         /* with workers that are slow to go by a map */

static bool holds_lease(const struct shard_worker *sw)
{
    const struct cluster *c = sw->shard->cluster;
    struct world *w = sw->worker->world;

    return cluster_has_lease(c, cluster_lease_ns(c) == INT64_MAX ? 0 : w->ops->mono_ns(w));
}

static bool may_serve(const struct shard_worker *sw)
{
    struct world *w = sw->worker->world;

    return cluster_serves(sw->shard->cluster,
                          cluster_lease_ns(sw->shard->cluster) == INT64_MAX ? 0
                                                                            : w->ops->mono_ns(w));
}

/* Shards are taken for who the map says that they are: an older life of one, or
 * who was ejected, has nothing to tell. */
static bool is_known(const struct peer *p)
{
    const struct map *map = p->sw->view->map;
    const struct member *m;
    int i;

    if (p->role != HELLO_SHARD)
        return true;
    i = map_find(map, p->name);
    m = &map->members[i < 0 ? 0 : i];
    return i >= 0 && m->state != MEMBER_EJECTED &&
           (m->incarnation == p->incarnation || m->incarnation == 0);
}

static enum refusal judge_link(const struct peer *p)
{
    const struct shard_worker *sw = p->sw;

    if (p->refusing)
        return REFUSED_AGAIN;
    if (sw->view == NULL || p->epoch == 0)
        return REFUSED_NO_MAP;
    if (p->epoch < sw->epoch)
        return REFUSED_EPOCH;
    if (p->epoch > sw->epoch || cluster_adopted(sw->shard->cluster) != sw->epoch ||
        !sw->is_member || !is_known(p))
        return REFUSED_NOT_READY;
    return N_REFUSALS;
}

bool serve_must_wait(const struct peer *p)
{
    const struct shard_worker *sw = p->sw;

    return sw->view != NULL && p->epoch == sw->epoch && !p->refusing &&
           cluster_adopted(sw->shard->cluster) < sw->epoch &&
           worker_now(sw->worker) - sw->noted_ms < PATIENCE_MS;
}

/* Looked at once for all that was read with one event: it can only grow true. */
static enum refusal verdict(struct peer *p)
{
    if (!p->judged) {
        p->verdict = judge_link(p);
        p->leased = false;
        p->judged = true;
    }
    return p->verdict;
}

static void send_newer_map(struct peer *p)
{
    const struct map *map = p->sw->view->map;
    const size_t len = map_len(map);
    char *value = malloc(len);

    if (value != NULL) {
        map_put(value, map);
        peer_refuse(p, REFUSED_EPOCH, value, len);
    } else {
        p->closing = true;
    }
    free(value);
}

static void refuse(struct peer *p, enum refusal why)
{
    if (why == REFUSED_EPOCH)
        send_newer_map(p);
    else
        peer_refuse(p, why, NULL, 0);
    p->refusing = true;
    p->judged = false;
}

/* commands */

/* Only while members change: at other times the sender knows as well as we. */
static enum refusal judge_key(const struct shard_worker *sw, const struct cmd *cmd)
{
    const struct view *v = sw->view;
    const uint32_t position = ring_hash(cmd->key, cmd->key_len);
    struct placing place;

    if (cmd->as_copy)
        return view_reads(v, v->self, position) ? N_REFUSALS : REFUSED_NOT_OWNER;
    view_place(v, position, &place);
    if (place.owner != v->self)
        return REFUSED_NOT_OWNER;
    return cluster_has_taken_over(sw->shard->cluster, v, &place) ? N_REFUSALS
                                                                 : REFUSED_NOT_READY;
}

/* An operator asks without the value, and leaves no trace. */
static bool is_plain_get(const struct cmd *cmd)
{
    const unsigned harmless = OPTION_NO_VALUE | OPTION_NO_USE;

    return cmd->verb <= VERB_GETS && (cmd->options & ~harmless) == 0;
}

static enum refusal judge_command(struct peer *p, const struct cmd *cmd)
{
    enum refusal why = verdict(p);

    if (why != N_REFUSALS)
        return why;
    if (!p->leased && !may_serve(p->sw))
        return REFUSED_NO_LEASE;
    p->leased = true;
    if (cmd->as_copy && !is_plain_get(cmd))
        return REFUSED_NOT_OWNER;
    return p->sw->view->map->phase == MAP_STABLE ? N_REFUSALS : judge_key(p->sw, cmd);
}

/* What is open is the owner's to show. */
static bool is_not_to_be_shown(const struct peer *p, const struct answer *a)
{
    return p->as_copy && (a->marks & MARK_OPEN) != 0;
}

static void on_hit(void *arg, const struct answer *a)
{
    struct peer *p = arg;

    if (is_not_to_be_shown(p, a))
        return;
    p->loan = store_lend(a, &p->sw->worker->pool);
    peer_answer(p, a);
}

/* What the answer will not say, for the copies. */
static void on_told(void *arg, const struct copy *copy)
{
    struct peer *p = arg;
    struct frame f;

    if (p->as_copy)
        return;
    frame_from_copy(&f, FRAME_TOLD, copy);
    peer_send(p, &f);
    p->told = copy->version;
}

static void remember_open(struct peer *p, uint64_t hash, uint64_t version)
{
    const struct open_write open = { hash, version, worker_now(p->sw->worker) };

    if (open_writes_add(&p->open, &open))
        return;
    keeper_repair(p->sw->shard->keeper, hash, version, p->sw->epoch);
    p->closing = true;          /* it would count another way */
}

static void execute(struct peer *p, const struct cmd *cmd, uint64_t hash)
{
    struct store *store = p->sw->shard->store;
    const struct store_reader reader = { .hit = on_hit, .told = on_told, .arg = p };
    UNSET struct answer a;      /* store_execute() fills it */

    p->told = 0;
    p->as_copy = cmd->as_copy;
    store_execute(store, cmd, hash, worker_now(p->sw->worker), &a, &reader);
    chunk_unref(p->loan);
    p->loan = NULL;
    if (is_not_to_be_shown(p, &a)) {
        refuse(p, REFUSED_NOT_OWNER);
        return;
    }
    if (a.status != STATUS_HIT)
        peer_answer(p, &a);
    if ((a.marks & MARK_OPEN) != 0)
        remember_open(p, hash, p->told != 0 ? p->told : a.version);
    p->served = true;
}

void serve_command(struct peer *p, const struct frame *f, uint64_t hash)
{
    enum refusal why;
    UNSET struct cmd cmd;

    frame_to_cmd(f, &cmd);
    why = judge_command(p, &cmd);
    if (why != N_REFUSALS)
        refuse(p, why);
    else
        execute(p, &cmd, hash);
}

/* copies */

void serve_apply(struct peer *p, const struct frame *f, uint64_t hash)
{
    const enum refusal why = verdict(p);
    struct copy copy;

    if (why != N_REFUSALS) {
        refuse(p, why);
        return;
    }
    frame_to_copy(f, &copy);
    copy.hash = hash;
    peer_applied(p, f->version,
                 store_apply(p->sw->shard->store, &copy, worker_now(p->sw->worker)));
}

void serve_flush(struct peer *p, const struct frame *f)
{
    const enum refusal why = verdict(p);

    if (why != N_REFUSALS) {
        refuse(p, why);
        return;
    }
    store_flush(p->sw->shard->store, f->version, worker_now(p->sw->worker),
                (enum flush_when)f->st);
    peer_done(p, f->version, NULL, 0);
}

void serve_used(struct peer *p, const struct frame *f)
{
    if (verdict(p) == N_REFUSALS)
        store_use(p->sw->shard->store, f->key, f->key_len, worker_now(p->sw->worker));
}

/* Of an older map it says too little: those of a newer one may not have it. */
void serve_confirm(struct peer *p, const struct frame *f)
{
    const struct shard *shard = p->sw->shard;
    bool ok;

    if (verdict(p) == N_REFUSALS && f->st == 0)
        ok = open_writes_confirm(&p->open, shard->store, f->version);
    else
        ok = open_writes_give_up(&p->open, shard->keeper, p->sw->epoch, f->version);
    p->closing = p->closing || !ok;
}

bool serve_may_leave(struct peer *p)
{
    const bool may = !p->served || holds_lease(p->sw);

    p->served = false;
    return may;
}

static bool is_of_key(const struct frame *f)
{
    return f->op == FRAME_APPLY
        || (f->op >= FRAME_COMMAND && f->op < FRAME_COMMAND + N_KEYED_VERBS);
}

void serve_foresee(const struct peer *p, struct ahead *ahead)
{
    struct store *store = p->sw->shard->store;
    const unsigned n = store != NULL ? ahead->n : 0;

    for (unsigned i = 0; i < n; i++) {
        const struct frame *f = &ahead->frames[i];

        ahead->hashes[i] = is_of_key(f) ? store_hash(store, f->key, f->key_len) : 0;
        if (ahead->hashes[i] != 0)
            store_prefetch(store, ahead->hashes[i]);
    }
    for (unsigned i = 0; i < n && n > 1; i++)
        if (ahead->hashes[i] != 0)
            store_prefetch_item(store, ahead->hashes[i]);
}
