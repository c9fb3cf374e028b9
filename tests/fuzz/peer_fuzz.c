/*
 * peer_fuzz - a hostile front: bytes into a shard's peer, on a real store
 *
 *      input: | how | bytes, sent in pieces ... |
 *
 * Beside the sanitizers: the shard says frames of its own kind and nothing
 * else, one for each that has an answer; another front's link works on, unless
 * the map that was sent leaves this shard out; all memory comes back.
 */
#include <stdlib.h>
#include <string.h>

#include "../lib/stage.h"
#include "shard/keeper.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Bits of `how`. */
enum { GREETED = 1, WITH_MAP = 2, READS_LITTLE = 4, SMALL_GULPS = 8, PIECE_SHIFT = 4 };

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void greet(struct stage *st, int peer, const struct map *map, bool with_map)
{
    struct hello h = stage_hello(st, "front", map);
    struct frame f;

    stage_send_hello(st, peer, &h);
    if (with_map)
        stage_send_map(st, peer, FRAME_MAP, map);
    stage_run(st, 0);
    check(stage_take_frame(st, peer, &f) && f.op == FRAME_HELLO);
    if (with_map)
        check(stage_take_frame(st, peer, &f) && f.op == FRAME_DONE);
}

static struct keeper *keeper;

static void on_turn_end(struct worker *w)
{
    (void)w;
    if (keeper != NULL)
        keeper_turn_end(keeper);
}

static const struct handler handler = { .turn_end = on_turn_end };

/* How many frames in it are to be answered. */
static size_t count_frames(const uint8_t *data, size_t size)
{
    struct frame f;
    size_t n = 0;

    while (frame_read((const char *)data, size, &f) == FRAME_WHOLE) {
        data += f.len;
        size -= f.len;
        n += f.op != FRAME_USED && f.op != FRAME_CONFIRM && f.op != FRAME_EVENTS;
    }
    return n;
}

static size_t take_answers(struct stage *st, int peer)
{
    struct frame f;
    struct answer a;
    size_t n = 0;

    while (stage_take_frame(st, peer, &f)) {
        check(f.op == FRAME_HELLO || f.op == FRAME_ANSWER || f.op == FRAME_DONE ||
              f.op == FRAME_REFUSED || f.op == FRAME_APPLIED || f.op == FRAME_TOLD ||
              f.op == FRAME_WATCHED);
        check(f.op != FRAME_ANSWER || frame_to_answer(&f, &a));
        /* one goes before an answer, the other comes unasked */
        n += f.op != FRAME_TOLD && f.op != FRAME_WATCHED;
    }
    return n;
}

static void attack(struct stage *st, int peer, uint8_t how, const uint8_t *data, size_t size)
{
    size_t piece = how >> PIECE_SHIFT == 0 ? size : (size_t)(how >> PIECE_SHIFT) * 5;
    size_t n_sent = count_frames(data, size), n_answered = 0;

    if (how & SMALL_GULPS)
        fake_set_gulp(st->world, peer, 3);
    if (how & READS_LITTLE)
        fake_set_room(st->world, peer, 100);
    for (size_t at = 0; at < size && !fake_is_closed(st->world, peer); at += piece) {
        fake_write(st->world, peer, data + at, size - at < piece ? size - at : piece);
        stage_run(st, 0);
        n_answered += take_answers(st, peer);
    }
    fake_set_room(st->world, peer, SIZE_MAX);
    stage_run(st, 1000);
    n_answered += take_answers(st, peer);
    check(n_answered <= n_sent);
    check(fake_is_closed(st->world, peer) || n_answered == n_sent);
}

/* By the map, which may be the attacker's. */
static bool may_serve(const struct stage *st, const struct view *v)
{
    return v == NULL || (shard_is_member(&st->shard, v) && v->map->phase == MAP_STABLE &&
                         !map_wants_lease(v->map, "s1"));
}

/* Somebody else's link, under whatever map there is now. */
static void check_alive(struct stage *st)
{
    struct view *v = cluster_view(st->cluster);
    struct map *map = stage_map(1, 1);
    int peer = stage_peer(st);
    struct frame f;

    greet(st, peer, v != NULL ? v->map : map, true);
    stage_send_frame(st, peer, &(struct frame){ .op = FRAME_COMMAND + VERB_GET, .key = "k",
                                                .key_len = 1 });
    stage_run(st, 0);
    check(stage_take_frame(st, peer, &f));
    check(f.op == FRAME_ANSWER || (f.op == FRAME_REFUSED && !may_serve(st, v)));
    free(map);
    view_unref(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stage st;
    struct map *map = stage_map(1, 1);
    int peer;

    if (size > 0) {
        stage_init(&st, &handler);
        stage_add_shard(&st);
        keeper = keeper_new(&st.shard, &st.worker, &(struct keeper_config){ .timeout_ms = 1000 });
        check(keeper != NULL);
        peer = stage_peer(&st);
        if (data[0] & GREETED)
            greet(&st, peer, map, data[0] & WITH_MAP);
        attack(&st, peer, data[0], data + 1, size - 1);
        check_alive(&st);
        keeper_free(keeper);
        keeper = NULL;
        stage_fini(&st);
    }
    free(map);
    return 0;
}
