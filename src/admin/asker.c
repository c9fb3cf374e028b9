#include "admin/asker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "wire/hello.h"

#define TICK_MS 20              /* while members are asked: what waited for a connect leaves */

struct asker {
    struct links_config config;
    struct links links;
    struct worker *worker;
    struct cluster *cluster;
    struct store *store;        /* NULL: no items here */
    struct timer *tick;
    unsigned open;              /* of all requests */
};

/* All that one asker_ask() asks. */
struct inquiry {
    struct asker *asker;
    unsigned open;              /* members that have not answered */
    bool of_key;
    char key[KEY_MAX];          /* links want it until they answer */
    admin_told *told;
    void *arg;
    struct admin_answer answers[];
};

static void fail(struct admin_answer *a, const char *reason)
{
    snprintf(a->reason, sizeof(a->reason), "%s", reason);
}

static void one_answered(struct inquiry *q)
{
    if (--q->open > 0)
        return;
    q->told(q->arg, q->answers);
    free(q);
}

/* ---- what is answered ----------------------------------------------------- */

static void take_answer(struct admin_answer *out, const struct answer *a)
{
    out->known = true;
    out->holds = a->status != STATUS_NOT_FOUND;
    out->open = (a->marks & MARK_OPEN) != 0;
    out->version = a->version;
    out->value_len = a->number;
    out->ttl_ms = a->ttl_ms;
}

static void on_done(struct request *r)
{
    struct inquiry *q = r->owner;
    struct admin_answer *a = &q->answers[r->part];
    struct answer answer;

    q->asker->open--;
    if (r->outcome != ANSWERED) {
        fail(a, r->reason);
    } else if (!q->of_key) {
        a->known = true;
        usage_read(r->reply.value, r->reply.value_len, a->usage);
    } else if (frame_to_answer(&r->reply, &answer)) {
        take_answer(a, &answer);
    }
    request_free(&q->asker->links, r);
    one_answered(q);
}

/* ---- what is asked -------------------------------------------------------- */

static void make_get(struct cmd *cmd, const char *key, size_t len, bool as_copy)
{
    cmd_clear(cmd);
    cmd->verb = VERB_GETS;
    cmd->options = OPTION_NO_VALUE | OPTION_NO_USE;
    cmd->key = key;
    cmd->key_len = len;
    cmd->as_copy = as_copy;
}

static void nobody_is_told(void *arg, const struct copy *copy)
{
    (void)arg;
    (void)copy;
}

static void ask_here(struct asker *k, struct admin_answer *out, const struct cmd *cmd)
{
    const int64_t now_ms = worker_now(k->worker);
    struct answer a;

    if (cmd != NULL) {
        store_execute(k->store, cmd, store_hash(k->store, cmd->key, cmd->key_len), now_ms, &a,
                      &(struct store_reader){ .told = nobody_is_told });
        take_answer(out, &a);
        return;
    }
    usage_numbers(k->store, now_ms, out->usage);
    out->known = true;
}

static void ask_there(struct inquiry *q, unsigned i, const struct cmd *cmd)
{
    struct asker *k = q->asker;
    struct request *r = request_new(&k->links);
    struct frame f = { .op = FRAME_STATS };

    if (r == NULL) {
        fail(&q->answers[i], "out of memory here");
        return;
    }
    if (cmd != NULL)
        frame_from_cmd(&f, cmd);
    r->owner = q;
    r->part = i;
    r->answer_op = cmd != NULL ? FRAME_ANSWER : FRAME_DONE;
    r->statuses = 1u << STATUS_HEAD | 1u << STATUS_NOT_FOUND;
    r->done = on_done;
    q->open++;
    k->open++;
    link_try_again(k->links.link[i]);   /* who is back may be so since a moment ago */
    link_send(k->links.link[i], r, &f, NULL);
}

static void ask_member(struct inquiry *q, struct view *v, unsigned i, const char *key,
                       size_t key_len)
{
    struct asker *k = q->asker;
    const uint32_t position = q->of_key ? ring_hash(key, key_len) : 0;
    const bool here = k->store != NULL && (int)i == v->self;
    struct cmd cmd;

    if (q->of_key && !view_keeps(v, (int)i, position))
        return;
    if (q->of_key)
        make_get(&cmd, key, key_len, view_owner(v, position) != (int)i);
    if (here)
        ask_here(k, &q->answers[i], q->of_key ? &cmd : NULL);
    else if (k->links.link[i] == NULL)
        fail(&q->answers[i], "nobody calls it");
    else
        ask_there(q, i, q->of_key ? &cmd : NULL);
}

static void tick_later(struct asker *k)
{
    if (k->open > 0)
        k->worker->world->ops->timer_set(k->tick, TICK_MS);
}

/* The links of that view. */
static bool go_by(struct asker *k, struct view *v)
{
    return k->links.view == v
        || links_take_view(&k->links, view_ref(v), k->store != NULL ? v->self : -1);
}

void asker_ask(struct asker *k, struct view *v, const char *key, size_t key_len,
               admin_told *told, void *arg)
{
    const size_t n = v->map->n;
    struct inquiry *q = xzalloc(sizeof(*q) + n * sizeof(q->answers[0]));
    const bool ready = go_by(k, v);

    q->asker = k;
    q->told = told;
    q->arg = arg;
    q->of_key = key != NULL;
    if (key != NULL)
        memcpy(q->key, key, key_len);
    q->open = 1;                /* this function: nothing ends before it does */
    for (unsigned i = 0; i < n; i++) {
        if (ready)
            ask_member(q, v, i, q->key, key_len);
        else
            fail(&q->answers[i], "out of memory here");
    }
    links_flush(&k->links);
    tick_later(k);
    one_answered(q);
}

/* ---- what is walked ------------------------------------------------------- */

struct walk {
    struct asker *asker;
    admin_walked *walked;
    void *arg;
};

static void on_walked(struct request *r)
{
    struct walk *walk = r->owner, w = *walk;

    w.asker->open--;
    if (r->outcome == ANSWERED)
        w.walked(w.arg, r->reply.value, r->reply.value_len, r->reply.version, NULL);
    else
        w.walked(w.arg, NULL, 0, 0, r->reason);
    request_free(&w.asker->links, r);
    free(walk);
}

static void walk_here(struct asker *k, uint64_t cursor, admin_walked *walked, void *arg)
{
    char *page;
    size_t len;

    if (!store_list(k->store, &cursor, worker_now(k->worker), &page, &len)) {
        walked(arg, NULL, 0, 0, "out of memory here");
        return;
    }
    walked(arg, page, len, cursor, NULL);
    free(page);
}

static void walk_there(struct asker *k, struct link *link, uint64_t cursor,
                       admin_walked *walked, void *arg)
{
    const struct frame f = { .op = FRAME_WALK, .number = cursor };
    struct request *r = request_new(&k->links);
    struct walk *w;

    if (r == NULL) {
        walked(arg, NULL, 0, 0, "out of memory here");
        return;
    }
    w = xzalloc(sizeof(*w));
    *w = (struct walk){ k, walked, arg };
    r->owner = w;
    r->answer_op = FRAME_DONE;
    r->done = on_walked;
    k->open++;
    link_send(link, r, &f, NULL);
    links_flush(&k->links);
    tick_later(k);
}

void asker_walk(struct asker *k, struct view *v, unsigned member, uint64_t cursor,
                admin_walked *walked, void *arg)
{
    const bool ready = go_by(k, v);

    if (k->store != NULL && (int)member == v->self)
        walk_here(k, cursor, walked, arg);
    else if (!ready || k->links.link[member] == NULL)
        walked(arg, NULL, 0, 0, ready ? "nobody calls it" : "out of memory here");
    else
        walk_there(k, k->links.link[member], cursor, walked, arg);
}

/* ---- life ----------------------------------------------------------------- */

static void on_tick(void *arg)
{
    struct asker *k = arg;

    links_tick(&k->links);
    links_flush(&k->links);
    tick_later(k);
}

struct asker *asker_new(struct worker *w, struct cluster *c, struct store *store,
                        int64_t timeout_ms)
{
    struct asker *k = xzalloc(sizeof(*k));

    k->worker = w;
    k->cluster = c;
    k->store = store;
    k->config = (struct links_config){
        .role = HELLO_FRONT,
        .timeout_ms = timeout_ms,
        .queue_bytes = 1 << 20,
        .request_bytes = sizeof(struct request),
    };
    links_init(&k->links, &k->config, w, c);
    k->tick = w->world->ops->timer_new(w->loop, on_tick, k);
    if (k->tick == NULL) {
        asker_free(k);
        return NULL;
    }
    return k;
}

void asker_set_timeout(struct asker *k, int64_t timeout_ms)
{
    k->config.timeout_ms = timeout_ms;
}

void asker_free(struct asker *k)
{
    if (k == NULL)
        return;
    links_fini(&k->links);
    if (k->tick != NULL)
        k->worker->world->ops->timer_free(k->tick);
    free(k);
}
