/*
 * front_help - what the tests of the front share: the front is a stage's, the
 * test is its shards s1 and s2 ("shard:1" ...)
 */
#ifndef FRONT_HELP_H
#define FRONT_HELP_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/stage.h"
#include "ring/ring.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

#define VALUE(v) .value = (v), .value_len = sizeof(v) - 1
#define ANSWER(status) .op = FRAME_ANSWER, .st = STATUS_##status

static struct stage stage;
static struct map *map;

static inline void begin(size_t n, bool listening)
{
    char address[ADDRESS_MAX];

    stage_init(&stage, &front_handler);
    map = stage_map(1, n);
    for (size_t i = 0; listening && i < n; i++) {
        snprintf(address, sizeof(address), "shard:%zu", i + 1);
        stage.world->ops->listen(stage.world, address, 10, 0);
    }
    stage_add_front(&stage, n);
}

static inline int one_shard(void **state)
{
    (void)state;
    begin(1, true);
    return 0;
}

static inline int two_shards(void **state)
{
    (void)state;
    begin(2, true);
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    free(map);
    stage_fini(&stage);
    return 0;
}

/* The next frame that came to the test as a shard. */
static inline struct frame heard(int shard)
{
    struct frame f = { .op = 0 };

    if (!stage_take_frame(&stage, shard, &f))
        fail_msg("the front sent no frame");
    return f;
}

/* The connection of the front `name` to shard s`i`, its hello taken. */
static inline int greeted_as(unsigned i, const char *name)
{
    char address[ADDRESS_MAX];
    struct hello h;
    struct frame f;
    int shard;

    snprintf(address, sizeof(address), "shard:%u", i);
    stage_run(&stage, 0);
    shard = fake_accept(stage.world, address);
    assert_true(shard >= 0);
    f = heard(shard);
    assert_int_equal(f.op, FRAME_HELLO);
    assert_true(hello_read(f.value, f.value_len, &h));
    assert_string_equal(h.name, name);
    assert_int_equal(h.role, HELLO_FRONT);
    assert_int_equal(h.epoch, cluster_epoch(stage.cluster));
    return shard;
}

static inline int greeted(unsigned i)
{
    return greeted_as(i, "front");
}

/* The same, and maps agree: what is asked now is sent. */
static inline int opened(unsigned i)
{
    int shard = greeted(i);
    struct hello h;
    char name[8];

    snprintf(name, sizeof(name), "s%u", i);
    h = stage_hello(&stage, name, map);
    stage_send_hello(&stage, shard, &h);
    stage_run(&stage, 0);
    return shard;
}

static inline void say(int shard, struct frame f)
{
    stage_send_frame(&stage, shard, &f);
    stage_run(&stage, 0);
}

static inline void expect(int client, const char *text)
{
    assert_string_equal(stage_heard(&stage, client), text);
}

/* The client sends a line with keys in it; nothing comes back yet. */
__attribute__((format(printf, 2, 3)))
static inline void ask(int client, const char *format, ...)
{
    char line[200];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    assert_string_equal(stage_ask(&stage, client, line), "");
}

/* Map 2: all shards have other addresses, so no link outlives the first map. */
static inline struct map *moved_map(size_t n)
{
    struct map *moved = stage_map(2, n);

    for (size_t i = 0; i < n; i++)
        snprintf(moved->members[i].address, sizeof(moved->members[i].address), "moved:%zu", i + 1);
    return moved;
}

static inline void close_far(int far)
{
    stage.world->ops->close(stage.world, far);
}

/* "NAME0", "NAME1"...: the first that shard `i` owns. */
static inline const char *key_of(unsigned i, const char *name)
{
    static char keys[4][32];
    static unsigned at;
    struct view *v = cluster_view(stage.cluster);
    char *key = keys[at++ % N_OF(keys)];

    for (unsigned n = 0;; n++) {
        snprintf(key, sizeof(keys[0]), "%s%u", name, n);
        if (ring_owner(v->ring, ring_hash(key, strlen(key))) == i - 1)
            break;
    }
    view_unref(v);
    return key;
}

#define TEST(f, setup) cmocka_unit_test_setup_teardown(f, setup, tear_down)

#endif
