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
#include "ring/ring.h"
#include "shard/keeper.h"

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

/* With a keeper, in a cluster of three: all but s1 is the test. */
static struct keeper *keeper;

static inline void on_turn_end(struct worker *w)
{
    (void)w;
    if (keeper != NULL)
        keeper_turn_end(keeper);
}

static const struct handler keeper_handler = { .turn_end = on_turn_end };

static inline void add_keeper(uint16_t replicas, uint64_t move_rate)
{
    const struct keeper_config config = { .timeout_ms = 1000, .move_rate = move_rate };

    stage_init(&stage, &keeper_handler);
    stage_add_shard(&stage);
    keeper = keeper_new(&stage.shard, &stage.worker, &config);
    assert_non_null(keeper);
    map = stage_map(1, 3);
    map->replicas = replicas;
    stage.world->ops->listen(stage.world, "shard:2", 10, 0);
    stage.world->ops->listen(stage.world, "shard:3", 10, 0);
}

static inline int set_up_two_copies(void **state)
{
    (void)state;
    add_keeper(2, 0);
    return 0;
}

static inline int set_up_three_copies(void **state)
{
    (void)state;
    add_keeper(3, 0);
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    keeper_free(keeper);
    keeper = NULL;
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

/* The test's map with its rings: unref it. */
static inline struct view *view_of_map(void)
{
    struct view *v = view_new(map_copy(map, 0), "s1");

    assert_non_null(v);
    return v;
}

/* The `nth` key with that owner and first copy (-1: whichever), by index in the map. */
static inline const char *key_at(int owner, int copy, unsigned nth)
{
    static char keys[8][20];
    static unsigned next;
    char *key = keys[next++ % 8];
    struct view *v = view_of_map();
    struct placing place;

    for (unsigned i = 0;; i++) {
        snprintf(key, sizeof(keys[0]), "key%u", i);
        view_place(v, ring_hash(key, strlen(key)), &place);
        if (place.owner == owner && (copy < 0 || (place.n_copies > 0 && place.copies[0] == copy)) &&
            nth-- == 0)
            break;
    }
    view_unref(v);
    return key;
}

/* The shard's own connection to s`i`, opened under the test's map. */
static inline int opened(unsigned i)
{
    char address[20], name[4];
    struct hello h;
    struct frame f;
    int fd;

    snprintf(address, sizeof(address), "shard:%u", i);
    snprintf(name, sizeof(name), "s%u", i);
    stage_run(&stage, 0);
    fd = fake_accept(stage.world, address);
    assert_true(fd >= 0);
    assert_true(stage_take_frame(&stage, fd, &f));
    assert_true(hello_read(f.value, f.value_len, &h));
    assert_int_equal(h.role, HELLO_SHARD);
    h = stage_hello(&stage, name, map);
    stage_send_hello(&stage, fd, &h);
    stage_run(&stage, 0);
    return fd;
}

static inline struct frame heard(int fd)
{
    struct frame f = { .op = 0 };

    if (!stage_take_frame(&stage, fd, &f))
        fail_msg("no frame came");
    return f;
}

static inline bool is_silent(int fd)
{
    struct frame f;

    return !stage_take_frame(&stage, fd, &f);
}

static inline void say(int fd, struct frame f)
{
    stage_send_frame(&stage, fd, &f);
    stage_run(&stage, 0);
}

static inline struct keeper_state state_now(void)
{
    struct keeper_state state;

    keeper_state(keeper, &state);
    return state;
}

/* The process learns of the test's map, from whom does not matter. */
static inline void go_by_map(void)
{
    cluster_adopt(stage.cluster, map_copy(map, 0));
    shard_seen(&stage.shard);
    stage_run(&stage, 0);
}

/* At the other end of the shard's own link. */
static inline void know_map(int fd)
{
    assert_int_equal(heard(fd).op, FRAME_MAP);
    say(fd, (struct frame){ .op = FRAME_DONE, .version = map->epoch });
}

static inline struct frame command(enum verb verb, const char *key, const char *value)
{
    return (struct frame){ .op = (uint8_t)(FRAME_COMMAND + verb), .key = key,
                           .key_len = (uint16_t)strlen(key), .flags = FRAME_COPIES,
                           .value = value, .value_len = value != NULL ? strlen(value) : 0 };
}

static inline uint64_t set(int peer, const char *key, const char *value)
{
    struct frame f = ask(peer, command(VERB_SET, key, value));

    assert_int_equal(f.op, FRAME_ANSWER);
    assert_int_equal(f.st, STATUS_STORED);
    assert_true(f.marks & MARK_OPEN);
    return f.version;
}

/* What is read while open is one more to be confirmed. */
static inline bool is_open(int peer, const char *key)
{
    struct frame f = ask(peer, command(VERB_GET, key, NULL));

    if (f.op != FRAME_TOLD)
        return false;
    f = heard(peer);
    assert_int_equal(f.op, FRAME_ANSWER);
    assert_true(f.marks & MARK_OPEN);
    return true;
}

/* The copy of `key` that came, answered. */
static inline void expect_copy(int fd, const char *key, const char *value, uint64_t version)
{
    struct frame f = heard(fd);
    struct copy copy;

    assert_int_equal(f.op, FRAME_APPLY);
    frame_to_copy(&f, &copy);
    assert_int_equal(copy.key_len, strlen(key));
    assert_memory_equal(copy.key, key, copy.key_len);
    assert_int_equal(copy.kind, value != NULL ? COPY_VALUE : COPY_DELETED);
    assert_true(copy.any_age);
    assert_int_equal(copy.version, version);
    if (value != NULL)
        assert_true(is_value(&f, value));
    say(fd, (struct frame){ .op = FRAME_APPLIED, .st = APPLIED });
}

#define COPIES(f) cmocka_unit_test_setup_teardown(f, set_up_two_copies, tear_down)
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

#endif
