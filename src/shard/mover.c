#include "shard/mover.h"

#include <stdlib.h>

#include "base/log.h"
#include "ring/ring.h"
#include "shard/keeper.h"

#define BYTES_OUT ((size_t)1 << 20)     /* that nobody has answered for */
#define RETRY_MS 20
#define WAIT_MS 5               /* for the rate to allow more */
#define STEPS 16                /* of the walk in one turn */
#define STEP_BYTES 65536        /* that one is to find, about */
#define STEP_ITEMS 256
#define ITEM_BYTES 64           /* that a frame is longer than key and value, about */

void mover_fini(struct mover *m)
{
    free(m->flushed);
    m->flushed = NULL;
}

static void stop(struct mover *m)
{
    m->walking = m->again = false;
    m->round++;
    m->n_out = m->bytes_out = 0;
}

/* From the start, under the present map. */
static void begin(struct mover *m)
{
    const struct map *map = m->keeper->view->map;

    stop(m);
    free(m->flushed);
    m->flushed = calloc(map->n, sizeof(*m->flushed));
    m->move = (struct move){ .epoch = map->phase_since };
    m->cursor = 0;
    m->n_shown = 0;
    m->walking = m->flushed != NULL;
    m->again = !m->walking;
    m->filled_at_ms = keeper_now(m->keeper);
    m->tokens = 0;
}

void mover_take_view(struct mover *m)
{
    const struct map *map = m->keeper->view->map;

    if (m->move.epoch == 0 || (map->phase == MAP_JOINT && map->phase_since == m->move.epoch &&
                               m->move.done && m->keeper->is_member))
        return;
    stop(m);
    if (map->phase == MAP_JOINT && map->phase_since == m->move.epoch && m->keeper->is_member)
        begin(m);
    else
        m->move = (struct move){ .epoch = 0 };
}

void mover_go(struct mover *m, uint64_t phase_since)
{
    const struct view *v = m->keeper->view;

    if (v == NULL || !m->keeper->is_member || v->map->phase != MAP_JOINT ||
        v->map->phase_since != phase_since || m->move.epoch == phase_since)
        return;
    begin(m);
    keeper_stir(m->keeper);
}

/* sending */

/* A request's part: its round, so that what is over does not count. */
static void on_answer(struct request *request)
{
    struct keeper *k = request->owner;
    struct mover *m = &k->mover;

    if (request->part == m->round) {
        if (request->outcome != ANSWERED) {
            m->again = true;
            m->retry_at_ms = keeper_now(k) + RETRY_MS;
        }
        m->n_out--;
        m->bytes_out -= request->bytes;
        keeper_stir(k);
    }
    request_free(&k->links, request);
}

/* False when it cannot be sent now. */
static bool send(struct mover *m, int target, const struct frame *f, uint8_t answer_op)
{
    struct keeper *k = m->keeper;
    struct link *l = k->links.n > (size_t)target ? k->links.link[target] : NULL;
    struct request *request = l != NULL && link_is_open(l) ? request_new(&k->links) : NULL;
    const size_t bytes = frame_head_len(f) + f->value_len;

    if (request == NULL)
        return false;
    request->done = on_answer;
    request->owner = k;
    request->part = m->round;
    request->answer_op = answer_op;
    m->n_out++;
    m->bytes_out += bytes;
    m->tokens -= (int64_t)bytes;
    link_send(l, request, f, NULL);
    return true;
}

/* What was flushed here must be dead there, before anything else comes. */
static bool send_flush(struct mover *m, int target)
{
    const uint64_t version = store_flush_version(m->keeper->shard->store);
    const struct frame f = { .op = FRAME_FLUSH, .version = version, .st = FLUSH_WHEN_DUE };

    if (!m->flushed[target] && version > 0 && !send(m, target, &f, FRAME_DONE))
        return false;
    m->flushed[target] = true;
    return true;
}

static void on_item(void *arg, const struct copy *copy)
{
    struct mover *m = arg;
    const struct view *v = m->keeper->view;
    struct placing place;
    struct frame f;

    m->n_shown++;
    view_place(v, ring_hash(copy->key, copy->key_len), &place);
    if (place.owner != v->self || place.n_pending == 0)
        return;
    frame_from_copy(&f, FRAME_APPLY, copy);
    for (unsigned i = 0; i < place.n_pending && !m->blocked; i++)
        m->blocked = !send(m, place.pending[i], &f, FRAME_APPLIED);
    if (m->blocked)
        return;                 /* this step is gone again */
    m->move.items_sent++;
    m->move.bytes_sent += copy->key_len + copy->value_len + ITEM_BYTES;
}

/* All that may be pending somewhere hear of our flush; false: one is not reached. */
static bool tell_flush(struct mover *m)
{
    const struct view *v = m->keeper->view;

    for (size_t i = 0; i < v->map->n; i++) {
        const struct member *member = &v->map->members[i];

        if ((int)i == v->self || member->state == MEMBER_EJECTED || member->next_weight == 0)
            continue;
        if (!send_flush(m, (int)i))
            return false;
    }
    return true;
}

/* the walk */

/* So few that one step finds about STEP_BYTES. */
static unsigned step_items(const struct mover *m)
{
    const uint64_t n = m->move.items_sent > 0
                     ? STEP_BYTES * m->move.items_sent / m->move.bytes_sent : 16;

    return n > STEP_ITEMS ? STEP_ITEMS : n > 0 ? (unsigned)n : 1;
}

static void fill_tokens(struct mover *m)
{
    const int64_t now_ms = keeper_now(m->keeper), rate = (int64_t)m->keeper->config.move_rate;
    const int64_t most = rate / 10 + 1;

    m->tokens += (now_ms - m->filled_at_ms) * rate / 1000;
    if (m->tokens > most)
        m->tokens = most;
    m->filled_at_ms = now_ms;
}

static bool may_send(const struct mover *m)
{
    return m->bytes_out < BYTES_OUT && (m->keeper->config.move_rate == 0 || m->tokens > 0);
}

static void walk(struct mover *m)
{
    const struct arc all = { 0, UINT32_MAX };
    struct keeper *k = m->keeper;

    for (unsigned i = 0; i < STEPS && m->walking && !m->again && may_send(m); i++) {
        const uint64_t from = m->cursor;

        store_walk(k->shard->store, all, &m->cursor, step_items(m), keeper_now(k), on_item, m);
        if (m->blocked) {
            m->cursor = from;
            m->retry_at_ms = keeper_now(k) + RETRY_MS;
            return;
        }
        m->walking = m->cursor != 0;
    }
}

static void go_on(struct mover *m)
{
    fill_tokens(m);
    m->blocked = !tell_flush(m);
    if (m->blocked)
        m->retry_at_ms = keeper_now(m->keeper) + RETRY_MS;
    else
        walk(m);
}

void mover_step(struct mover *m)
{
    struct keeper *k = m->keeper;
    const bool waits = keeper_now(k) < m->retry_at_ms;

    if (m->move.epoch == 0 || m->move.done || !keeper_is_settled(k))
        return;
    if (m->again && m->n_out == 0 && !waits)
        begin(m);
    if (!m->again && m->walking && !waits)
        go_on(m);
    if (!m->again && !m->walking && m->n_out == 0) {
        m->move.done = true;
        log_info("shard", "moved what others are to keep items=%llu bytes=%llu epoch=%llu",
                 (unsigned long long)m->move.items_sent, (unsigned long long)m->move.bytes_sent,
                 (unsigned long long)k->epoch);
        if (k->config.changed != NULL)
            k->config.changed(k->config.arg);
    }
}

/* What is left looks like what was seen. */
void mover_state(const struct mover *m, struct move *move)
{
    struct store_usage u;
    uint64_t left;

    *move = m->move;
    if (!m->walking || m->n_shown == 0)
        return;
    store_usage(m->keeper->shard->store, keeper_now(m->keeper), &u);
    left = u.items > m->n_shown ? u.items - m->n_shown : 0;
    move->items_left = left * move->items_sent / m->n_shown;
    if (move->items_sent > 0)
        move->bytes_left = move->items_left * (move->bytes_sent / move->items_sent);
}

int64_t mover_wait_ms(const struct mover *m)
{
    if (m->move.epoch == 0 || m->move.done || (!m->walking && !m->again))
        return -1;
    if (m->again || m->blocked)
        return RETRY_MS;
    return may_send(m) ? 1 : WAIT_MS;
}
