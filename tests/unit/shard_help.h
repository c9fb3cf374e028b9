/*
 * shard_help - the shard is s1; the test is a member that speaks to it
 */
#ifndef TESTS_UNIT_SHARD_HELP_H
#define TESTS_UNIT_SHARD_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/stage.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

#define KEY(k) .key = (k), .key_len = sizeof(k) - 1
#define VALUE(v) .value = (v), .value_len = sizeof(v) - 1
#define COMMAND(verb) .op = FRAME_COMMAND + VERB_##verb

/* The test goes by this map, stage_map(1, 2) at first. */
static struct stage stage;
static struct map *map;

static inline int set_up(void **state)
{
    (void)state;
    stage_init(&stage, &stage_shard_handler);
    stage_add_shard(&stage);
    map = stage_map(1, 2);
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    free(map);
    stage_fini(&stage);
    return 0;
}

/* What the shard answers; the link must not be closed by it. */
static inline struct frame ask(int peer, struct frame f)
{
    struct frame answer = { .op = 0 };

    stage_send_frame(&stage, peer, &f);
    stage_run(&stage, 0);
    if (!stage_take_frame(&stage, peer, &answer))
        fail_msg("no answer to op %#x", f.op);
    return answer;
}

static inline bool greet(int peer, const struct hello *h, struct frame *answer)
{
    stage_send_hello(&stage, peer, h);
    stage_run(&stage, 0);
    return stage_take_frame(&stage, peer, answer);
}

/* The answer to the test's map, sent in-band. */
static inline struct frame tell_map(int peer)
{
    struct frame f = { .op = 0 };

    stage_send_map(&stage, peer, FRAME_MAP, map);
    stage_run(&stage, 0);
    if (!stage_take_frame(&stage, peer, &f))
        fail_msg("no answer to a map");
    return f;
}

/* A link on which both sides go by the map, of a member of that name. */
static inline int open_peer_of(const char *name, uint64_t incarnation)
{
    int peer = stage_peer(&stage);
    struct hello h = stage_hello(&stage, name, map);
    struct frame f;

    h.incarnation = incarnation;
    assert_true(greet(peer, &h, &f));
    assert_int_equal(f.op, FRAME_HELLO);
    f = tell_map(peer);
    assert_int_equal(f.op, FRAME_DONE);
    assert_int_equal(f.version, map->epoch);
    return peer;
}

static inline int open_peer(void)
{
    return open_peer_of("front", 0);
}

static inline bool is_value(const struct frame *f, const char *value)
{
    return f->value_len == strlen(value) && memcmp(f->value, value, f->value_len) == 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

#endif
