#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "front_copies.h"

#define DEADLINE_MS (1000 + 2500)

static char large[20000];

/* writes */

static void a_write_is_answered_when_its_copy_has_it(void **state)
{
    int c = stage_client(&stage), s1 = opened(1), s2 = opened(2), s3 = opened(3);
    const char *key = key_on(1, 2, "k");
    struct copy copy;
    struct frame f;

    (void)state;
    ask(c, "set %s 7 100 5\r\nhello\r\n", key);
    f = heard(s1);
    assert_int_equal(f.op, FRAME_COMMAND + VERB_SET);
    assert_int_equal(f.flags, FRAME_COPIES);
    say(s1, (struct frame){ OPEN(STORED, 77) });
    copy = applied(s2, key);
    assert_int_equal(copy.kind, COPY_VALUE);
    assert_int_equal(copy.version, 77);
    assert_int_equal(copy.client_flags, 7);
    assert_in_range(copy.ttl_ms, 99000, 100000);
    assert_memory_equal(copy.value, "hello", 5);
    expect_nothing(s1);
    expect(c, "");
    say(s2, (struct frame){ APPLIED_FRAME });
    expect(c, "STORED\r\n");
    expect_confirm(s1, 1, false);
    expect_nothing(s3);
    assert_int_equal(stage.worker.stats.replays, 1);
    assert_int_equal(stage.worker.pool.bytes_out, 0);
}

static void a_delete_and_what_changed_nothing_are_told_apart(void **state)
{
    int c = stage_client(&stage), s1 = opened(1), s2 = opened(2);
    const char *key = key_on(1, 2, "k");

    (void)state;
    (void)opened(3);
    ask(c, "delete %s\r\nadd %s 0 0 1\r\n1\r\n", key, key);
    (void)heard(s1);
    (void)heard(s1);
    say(s1, (struct frame){ OPEN(DELETED, 5) });
    say(s1, (struct frame){ ANSWER(NOT_STORED) });
    assert_int_equal(applied(s2, key).kind, COPY_DELETED);
    expect_nothing(s2);
    say(s2, (struct frame){ APPLIED_FRAME });
    expect(c, "DELETED\r\nNOT_STORED\r\n");
    expect_confirm(s1, 1, false);
}

static void copies_are_told_what_only_the_owner_knows(void **state)
{
    int c = stage_client(&stage), s1 = opened(1), s2 = opened(2);
    const char *key = key_on(1, 2, "k");
    const struct copy told = {
        .kind = COPY_VALUE, .version = 9, .client_flags = 3, .ttl_ms = 5000, VALUE("42"),
    };
    struct copy copy;
    struct frame f;

    (void)state;
    (void)opened(3);
    ask(c, "incr %s 2\r\n", key);
    (void)heard(s1);
    frame_from_copy(&f, FRAME_TOLD, &told);
    stage_send_frame(&stage, s1, &f);
    say(s1, (struct frame){ OPEN(NUMBER, 9), .number = 42 });
    copy = applied(s2, key);
    assert_int_equal(copy.kind, COPY_VALUE);
    assert_int_equal(copy.version, 9);
    assert_int_equal(copy.client_flags, 3);
    assert_int_equal(copy.ttl_ms, 5000);
    assert_int_equal(copy.value_len, 2);
    assert_memory_equal(copy.value, "42", 2);
    expect(c, "");
    say(s2, (struct frame){ APPLIED_FRAME });
    expect(c, "42\r\n");
}

static void a_large_value_reaches_the_copy_whole(void **state)
{
    int c = stage_client(&stage), s1 = opened(1), s2 = opened(2);
    const char *key = key_on(1, 2, "k");
    struct copy copy;

    (void)state;
    (void)opened(3);
    for (size_t i = 0; i < sizeof(large); i++)
        large[i] = (char)('a' + i % 26);
    ask(c, "set %s 0 0 %zu\r\n", key, sizeof(large));
    fake_write(stage.world, c, large, sizeof(large));
    stage_say(&stage, c, "\r\n");
    stage_run(&stage, 0);
    assert_int_equal(heard(s1).value_len, sizeof(large));
    say(s1, (struct frame){ OPEN(STORED, 77) });
    copy = applied(s2, key);
    assert_int_equal(copy.value_len, sizeof(large));
    assert_memory_equal(copy.value, large, sizeof(large));
    say(s2, (struct frame){ APPLIED_FRAME });
    expect(c, "STORED\r\n");
    assert_int_equal(stage.worker.pool.bytes_out, 0);
}

static void of_three_the_next_of_the_chain_is_told_first(void **state)
{
    int c = stage_client(&stage), shards[3];
    const char *key = key_on(1, 3, "k");

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        shards[i] = opened(i + 1);
    ask(c, "set %s 0 0 1\r\n1\r\n", key);
    (void)heard(shards[0]);
    say(shards[0], (struct frame){ OPEN(STORED, 77) });
    (void)applied(shards[2], key);
    expect_nothing(shards[1]);
    say(shards[2], (struct frame){ APPLIED_FRAME });
    (void)applied(shards[1], key);
    expect(c, "");
    say(shards[1], (struct frame){ .op = FRAME_APPLIED, .st = APPLIED_OLDER });
    expect(c, "STORED\r\n");
    expect_confirm(shards[0], 1, false);
}

static void who_is_pending_is_told_too(void **state)
{
    struct map *joint = copies_map(2, 1);
    int c, shards[3];
    const char *key;
    struct frame f;

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        shards[i] = opened(i + 1);
    joint->phase = MAP_JOINT;
    joint->members[2].weight = 0;
    joint->members[2].filling = true;
    change_map(joint, shards);
    c = stage_client(&stage);
    for (unsigned n = 0;; n++) {        /* one that moves from s1 to s3 */
        struct view *v = cluster_view(stage.cluster);
        static char name[20];
        struct placing p;

        snprintf(name, sizeof(name), "k%u", n);
        view_place(v, ring_hash(name, strlen(name)), &p);
        view_unref(v);
        key = name;
        if (p.owner == 0 && p.n_pending == 1)
            break;
    }
    ask(c, "set %s 0 0 1\r\n1\r\n", key);
    f = heard(shards[0]);
    assert_int_equal(f.flags, FRAME_COPIES | FRAME_PENDING);
    say(shards[0], (struct frame){ OPEN(STORED, 77) });
    (void)applied(shards[2], key);
    say(shards[2], (struct frame){ APPLIED_FRAME });
    expect(c, "STORED\r\n");
}

/* s3 has been given it, may have deleted it since, and keeps no tombstones now. */
static void where_there_is_one_copy_nobody_is_told_when_a_change_is_over(void **state)
{
    struct map *joint = copies_map(2, 1), *stable = copies_map(3, 1);
    int shards[] = { opened(1), opened(2), opened(3) }, c;
    static char key[20];

    (void)state;
    joint->phase = MAP_JOINT;
    joint->members[2].weight = 0;
    joint->members[2].filling = true;
    change_map(joint, shards);
    c = stage_client(&stage);
    for (unsigned n = 0;; n++) {        /* one that moves from s1 to s3 */
        struct view *v = cluster_view(stage.cluster);
        struct placing p;

        snprintf(key, sizeof(key), "k%u", n);
        view_place(v, ring_hash(key, strlen(key)), &p);
        view_unref(v);
        if (p.owner == 0 && p.n_pending == 1)
            break;
    }
    ask(c, "set %s 0 0 1\r\n1\r\n", key);
    assert_int_equal(heard(shards[0]).flags, FRAME_COPIES | FRAME_PENDING);
    free(map);
    map = map_copy(stable, 0);
    assert_int_equal(cluster_adopt(stage.cluster, stable), ADOPTED);
    stage_run(&stage, 100);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(heard(shards[i]).op, FRAME_MAP);
    say(shards[0], (struct frame){ OPEN(STORED, 77) });
    for (unsigned i = 0; i < 3; i++)
        say(shards[i], (struct frame){ .op = FRAME_DONE, .version = 3 });
    expect(c, "STORED\r\n");
    expect_nothing(shards[2]);
    expect_confirm(shards[0], 1, false);
}

static void confirms_of_a_turn_are_one_frame_in_the_order_of_judging(void **state)
{
    int c = stage_client(&stage), d = stage_client(&stage);
    int s1 = opened(1), s2 = opened(2), s3 = opened(3);
    const char *slow = key_on(1, 2, "a"), *quick = key_on(1, 3, "b");

    (void)state;
    ask(c, "set %s 0 0 1\r\n1\r\n", slow);
    ask(d, "set %s 0 0 1\r\n1\r\n", quick);
    (void)heard(s1);
    (void)heard(s1);
    stage_send_frame(&stage, s1, &(struct frame){ OPEN(STORED, 1) });
    say(s1, (struct frame){ OPEN(STORED, 2) });
    (void)applied(s3, quick);
    say(s3, (struct frame){ APPLIED_FRAME });
    expect(d, "STORED\r\n");
    expect_nothing(s1);
    (void)applied(s2, slow);
    say(s2, (struct frame){ APPLIED_FRAME });
    expect(c, "STORED\r\n");
    expect_confirm(s1, 2, false);
}

static void a_confirm_goes_before_what_is_asked_in_its_turn(void **state)
{
    int c = stage_client(&stage), s1 = opened(1), s2 = opened(2);
    const char *key = key_on(1, 2, "k");

    (void)state;
    (void)opened(3);
    ask(c, "set %s 0 0 1\r\n1\r\n", key);
    (void)heard(s1);
    say(s1, (struct frame){ OPEN(STORED, 1) });
    (void)applied(s2, key);
    stage_say(&stage, c, "get ");
    stage_say(&stage, c, key);
    stage_say(&stage, c, "\r\n");
    say(s2, (struct frame){ APPLIED_FRAME });
    expect_confirm(s1, 1, false);
    assert_int_equal(heard(s1).op, FRAME_COMMAND + VERB_GET);
}

static void with_ack_owner_copies_are_told_behind_the_answer(void **state)
{
    int c = stage_client(&stage), s1 = opened(1), s2 = opened(2);
    const char *key = key_on(1, 2, "k");

    (void)state;
    (void)opened(3);
    stage.front.config.ack_all = false;
    ask(c, "set %s 0 0 5\r\nhello\r\n", key);
    (void)heard(s1);
    say(s1, (struct frame){ OPEN(STORED, 1) });
    expect(c, "STORED\r\n");
    close_far(c);
    stage_run(&stage, 0);
    assert_memory_equal(applied(s2, key).value, "hello", 5);
    expect_nothing(s1);
    say(s2, (struct frame){ APPLIED_FRAME });
    expect_confirm(s1, 1, false);
    assert_int_equal(stage.worker.pool.bytes_out, 0);
}

static void a_copy_that_refuses_makes_the_outcome_unknown(void **state)
{
    int c = stage_client(&stage), s1 = opened(1), s2 = opened(2);
    const char *key = key_on(1, 2, "k");

    (void)state;
    (void)opened(3);
    ask(c, "set %s 0 0 1\r\n1\r\n", key);
    (void)heard(s1);
    say(s1, (struct frame){ OPEN(STORED, 1) });
    (void)applied(s2, key);
    say(s2, (struct frame){ .op = FRAME_APPLIED, .st = APPLIED_REFUSED });
    expect(c, "SERVER_ERROR shard s1: a copy refused it, outcome unknown\r\n");
    expect_confirm(s1, 1, true);
    assert_int_equal(stage.worker.stats.replays_failed, 1);
    assert_int_equal(stage.worker.stats.unknown_outcomes, 1);
}

static void what_a_gone_client_wrote_is_replayed(void **state)
{
    int c = stage_client(&stage), s1 = opened(1), s2 = opened(2);
    const char *key = key_on(1, 2, "k");

    (void)state;
    (void)opened(3);
    ask(c, "set %s 0 0 1\r\n1\r\n", key);
    (void)heard(s1);
    fake_reset(stage.world, c);
    say(s1, (struct frame){ OPEN(STORED, 1) });
    (void)applied(s2, key);
    say(s2, (struct frame){ APPLIED_FRAME });
    expect_confirm(s1, 1, false);
}

static void who_tells_of_copies_and_answers_otherwise_is_left(void **state)
{
    const struct copy told = { .kind = COPY_DELETED, .version = 9 };
    int c = stage_client(&stage), s1 = opened(1);
    const char *key = key_on(1, 2, "k");
    struct frame f;

    (void)state;
    (void)opened(2);
    (void)opened(3);
    ask(c, "incr %s 2\r\n", key);
    (void)heard(s1);
    frame_from_copy(&f, FRAME_TOLD, &told);
    stage_send_frame(&stage, s1, &f);
    say(s1, (struct frame){ ANSWER(NUMBER), .number = 42 });
    assert_true(fake_is_closed(stage.world, s1));
    expect(c, "SERVER_ERROR shard s1: it answered nonsense, outcome unknown\r\n");
}

/* reads */

static void a_read_of_what_is_open_is_answered_after_its_replay(void **state)
{
    int c = stage_client(&stage), s1 = opened(1), s2 = opened(2);
    const char *key = key_on(1, 2, "k");
    const struct copy told = {
        .kind = COPY_VALUE, .any_age = true, .version = 9, VALUE("open"),
    };
    struct copy copy;
    struct frame f;
    char want[100];

    (void)state;
    (void)opened(3);
    ask(c, "get %s\r\n", key);
    assert_int_equal(heard(s1).flags, 0);
    frame_from_copy(&f, FRAME_TOLD, &told);
    stage_send_frame(&stage, s1, &f);
    say(s1, (struct frame){ OPEN(HIT, 9), VALUE("open") });
    copy = applied(s2, key);
    assert_true(copy.any_age);
    assert_memory_equal(copy.value, "open", 4);
    expect(c, "");
    say(s2, (struct frame){ APPLIED_FRAME });
    snprintf(want, sizeof(want), "VALUE %s 0 4\r\nopen\r\nEND\r\n", key);
    expect(c, want);
    expect_confirm(s1, 1, false);
    assert_int_equal(stage.worker.stats.repairs, 1);
}

static void copies_hear_of_one_read_in_sixteen(void **state)
{
    int c = stage_client(&stage), s1 = opened(1), s2 = opened(2), s3 = opened(3);
    const char *key = key_on(1, 2, "k");
    struct frame f;

    (void)state;
    for (unsigned i = 1; i <= 32; i++) {
        ask(c, "get %s\r\n", key);
        (void)heard(s1);
        say(s1, (struct frame){ ANSWER(HIT), VALUE("v") });
        (void)stage_heard(&stage, c);
        if (i % 16 != 0)
            continue;
        expect_nothing(s2);
        stage_run(&stage, 200);     /* no send of its own: a tick takes it along */
        f = heard(s2);
        assert_int_equal(f.op, FRAME_USED);
        assert_memory_equal(f.key, key, strlen(key));
    }
    expect_nothing(s2);
    expect_nothing(s3);
}

static void a_get_goes_to_a_copy_when_its_owner_is_gone(void **state)
{
    int c = stage_client(&stage), s1 = opened(1), s2 = opened(2);
    const char *key = key_on(1, 2, "k");
    struct frame f;
    char want[100];

    (void)state;
    (void)opened(3);
    ask(c, "get %s\r\n", key);
    (void)heard(s1);
    close_far(s1);              /* it was asked, and may have answered */
    stage_run(&stage, 0);
    f = heard(s2);
    assert_int_equal(f.op, FRAME_COMMAND + VERB_GET);
    assert_int_equal(f.flags, FRAME_AS_COPY);
    say(s2, (struct frame){ ANSWER(HIT), VALUE("v") });
    snprintf(want, sizeof(want), "VALUE %s 0 1\r\nv\r\nEND\r\n", key);
    expect(c, want);
    ask(c, "mg %s v\r\n", key); /* the owner is known to be gone */
    f = heard(s2);
    assert_int_equal(f.flags, FRAME_AS_COPY);
    assert_int_equal(f.options, 0);     /* or it would refuse */
    say(s2, (struct frame){ ANSWER(NOT_FOUND) });
    expect(c, "EN\r\n");
    assert_int_equal(stage.worker.stats.failover_reads, 2);
    assert_int_equal(stage.worker.stats.shard_misses, 0);
}

static void a_get_that_only_the_owner_may_answer_waits(void **state)
{
    int c = stage_client(&stage), s1 = opened(1), s2 = opened(2);
    const char *key = key_on(1, 2, "k");

    (void)state;
    (void)opened(3);
    close_far(s1);
    stage_run(&stage, 0);
    ask(c, "mg %s v h\r\n", key);
    stage_run(&stage, 1000);
    expect_nothing(s2);
    s1 = opened(1);
    assert_int_equal(heard(s1).op, FRAME_COMMAND + VERB_GET);
    say(s1, (struct frame){ ANSWER(HIT), VALUE("v") });
    expect(c, "VA 1 h0\r\nv\r\n");
}

static void a_get_that_a_copy_refuses_goes_to_the_next(void **state)
{
    int c = stage_client(&stage), s1 = opened(1), s2 = opened(2), s3 = opened(3);
    const char *key = key_on(1, 2, "k");

    (void)state;
    close_far(s1);
    stage_run(&stage, 0);
    ask(c, "get %s\r\n", key);
    assert_int_equal(heard(s2).flags, FRAME_AS_COPY);
    say(s2, (struct frame){ .op = FRAME_REFUSED, .st = REFUSED_NO_LEASE });
    stage_run(&stage, 20);
    assert_int_equal(heard(s3).flags, FRAME_AS_COPY);
    say(s3, (struct frame){ ANSWER(NOT_FOUND) });
    expect(c, "END\r\n");
}

static void a_get_that_waited_for_a_write_before_it_is_tried_in_the_end(void **state)
{
    int c = stage_client(&stage), s1 = opened(1), s2 = opened(2), s3 = opened(3);
    const char *written = key_on(3, 1, "w"), *read = key_on(1, 2, "r");
    char want[200];

    (void)state;
    ask(c, "set %s 0 0 1\r\n1\r\n", written);
    (void)heard(s3);
    say(s3, (struct frame){ OPEN(STORED, 1) });
    (void)applied(s1, written);
    ask(c, "get %s\r\n", read);
    assert_int_equal(heard(s1).op, FRAME_COMMAND + VERB_GET);
    close_far(s1);
    stage_run(&stage, DEADLINE_MS - 100);
    expect(c, "");
    expect_nothing(s2);
    stage_run(&stage, 200);
    assert_int_equal(heard(s2).flags, FRAME_AS_COPY);
    say(s2, (struct frame){ ANSWER(HIT), VALUE("v") });
    snprintf(want, sizeof(want), "SERVER_ERROR shard s3: a copy is not reached, outcome unknown\r\n"
             "VALUE %s 0 1\r\nv\r\nEND\r\n", read);
    expect(c, want);
}

static void a_lost_get_that_touches_is_an_error_in_meta(void **state)
{
    int c = stage_client(&stage), d = stage_client(&stage), s1 = opened(1);
    const char *key = key_on(1, 2, "k");

    (void)state;
    (void)opened(2);
    (void)opened(3);
    ask(c, "mg %s v T30\r\n", key);
    ask(d, "gat 30 %s\r\n", key);
    assert_int_equal(heard(s1).flags, FRAME_COPIES);
    close_far(s1);
    stage_run(&stage, 0);
    expect(c, "SERVER_ERROR shard s1: connection lost, outcome unknown\r\n");
    expect(d, "END\r\n");
}

static void a_read_whose_replay_is_overtaken_by_a_map_is_asked_again(void **state)
{
    const struct copy told = { .kind = COPY_DELETED, .any_age = true, .version = 9 };
    int c = stage_client(&stage), shards[3];
    const char *key = key_on(1, 2, "k");
    struct map *m = copies_map(2, 2);
    struct frame f;

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        shards[i] = opened(i + 1);
    ask(c, "get %s\r\n", key);
    (void)heard(shards[0]);
    frame_from_copy(&f, FRAME_TOLD, &told);
    stage_send_frame(&stage, shards[0], &f);
    say(shards[0], (struct frame){ OPEN(NOT_FOUND, 9) });
    (void)applied(shards[1], key);
    close_far(shards[0]);
    shards[0] = -1;
    stage_run(&stage, 0);
    say(shards[1], (struct frame){ .op = FRAME_REFUSED, .st = REFUSED_NOT_READY });
    (void)heard(shards[1]);
    say(shards[1], (struct frame){ .op = FRAME_DONE, .version = 1 });
    m->members[0].state = MEMBER_EJECTED;
    assert_int_equal(cluster_adopt(stage.cluster, m), ADOPTED);
    stage_run(&stage, 20);
    assert_int_equal(heard(shards[1]).op, FRAME_MAP);
    f = heard(shards[1]);
    assert_int_equal(f.op, FRAME_COMMAND + VERB_GET);
    assert_int_equal(f.flags, 0);
    stage_send_frame(&stage, shards[1], &(struct frame){ .op = FRAME_DONE, .version = 2 });
    say(shards[1], (struct frame){ ANSWER(NOT_FOUND) });
    expect(c, "END\r\n");
}

/* who is not reached */

static void a_write_waits_for_a_copy_that_is_not_reached(void **state)
{
    int c = stage_client(&stage), s1 = opened(1), s2 = opened(2);
    const char *key = key_on(1, 2, "k");
    struct frame f;

    (void)state;
    (void)opened(3);
    close_far(s2);
    stage_run(&stage, 0);
    ask(c, "set %s 0 100 5\r\nhello\r\nget %s\r\n", key, key);
    stage_run(&stage, 1000);
    expect_nothing(s1);         /* nor does what comes behind it overtake it */
    s2 = opened(2);
    f = heard(s1);
    assert_int_equal(f.op, FRAME_COMMAND + VERB_SET);
    assert_in_range(f.ttl_ms, 98000, 99000);
    assert_memory_equal(f.value, "hello", 5);
    expect_nothing(s1);
    say(s1, (struct frame){ OPEN(STORED, 1) });
    (void)applied(s2, key);
    say(s2, (struct frame){ APPLIED_FRAME });
    expect(c, "STORED\r\n");
    expect_confirm(s1, 1, false);
    assert_int_equal(heard(s1).op, FRAME_COMMAND + VERB_GET);
    assert_int_equal(stage.worker.stats.parked, 1);
    assert_int_equal(stage.worker.stats.retries, 1);
}

static void a_write_does_not_wait_for_ever(void **state)
{
    int c = stage_client(&stage);
    const char *key = key_on(1, 2, "k");

    (void)state;
    (void)opened(1);
    close_far(opened(2));
    (void)opened(3);
    stage_run(&stage, 0);
    ask(c, "set %s 0 0 1\r\n1\r\n", key);
    stage_run(&stage, DEADLINE_MS - 100);
    expect(c, "");
    stage_run(&stage, 200);
    expect(c, "SERVER_ERROR shard s1: a copy of it is not reached\r\n");
    assert_int_equal(stage.worker.stats.unknown_outcomes, 0);
}

static void a_replay_waits_for_a_copy_that_comes_back(void **state)
{
    int c = stage_client(&stage), s1 = opened(1), s2 = opened(2);
    const char *key = key_on(1, 2, "k");
    struct copy copy;

    (void)state;
    (void)opened(3);
    ask(c, "set %s 0 100 5\r\nhello\r\n", key);
    (void)heard(s1);
    say(s1, (struct frame){ OPEN(STORED, 1) });
    (void)applied(s2, key);
    close_far(s2);
    stage_run(&stage, 500);
    expect(c, "");
    s2 = opened(2);
    copy = applied(s2, key);
    assert_int_equal(copy.version, 1);
    assert_in_range(copy.ttl_ms, 98000, 99900);
    assert_memory_equal(copy.value, "hello", 5);
    say(s2, (struct frame){ APPLIED_FRAME });
    expect(c, "STORED\r\n");
    expect_confirm(s1, 1, false);
}

static void a_replay_does_not_wait_for_what_its_client_asked_before(void **state)
{
    int c = stage_client(&stage), s1 = opened(1), s2 = opened(2), s3 = opened(3);
    const char *read = key_on(2, 3, "r"), *written = key_on(3, 1, "w");

    (void)state;
    ask(c, "get %s\r\nset %s 0 0 1\r\n1\r\n", read, written);
    (void)heard(s2);
    (void)heard(s3);
    say(s3, (struct frame){ OPEN(STORED, 1) });
    (void)applied(s1, written);
    close_far(s1);
    stage_run(&stage, 100);
    s1 = opened(1);
    (void)applied(s1, written);
    say(s1, (struct frame){ APPLIED_FRAME });
    expect_confirm(s3, 1, false);
    expect(c, "");
    say(s2, (struct frame){ ANSWER(NOT_FOUND) });
    expect(c, "END\r\nSTORED\r\n");
}

static void a_sent_write_whose_owner_is_lost_is_not_sent_again(void **state)
{
    int c = stage_client(&stage), s1 = opened(1);
    const char *key = key_on(1, 2, "k");

    (void)state;
    (void)opened(2);
    (void)opened(3);
    ask(c, "set %s 0 0 1\r\n1\r\n", key);
    (void)heard(s1);
    close_far(s1);
    stage_run(&stage, 0);
    expect(c, "SERVER_ERROR shard s1: connection lost, outcome unknown\r\n");
    stage_run(&stage, 100);
    s1 = opened(1);
    expect_nothing(s1);
}

/* newer maps */

static struct map *ejecting(uint64_t epoch, unsigned i)
{
    struct map *m = copies_map(epoch, 2);

    m->members[i - 1].state = MEMBER_EJECTED;
    return m;
}

static void a_write_to_a_dead_owner_waits_for_the_next_one(void **state)
{
    int c = stage_client(&stage), shards[3];
    const char *key = key_on(1, 2, "k");
    struct frame f;

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        shards[i] = opened(i + 1);
    close_far(shards[0]);
    stage_run(&stage, 0);
    shards[0] = -1;
    ask(c, "set %s 0 0 1\r\n1\r\n", key);
    change_map(ejecting(2, 1), shards);
    f = heard(shards[1]);
    assert_int_equal(f.op, FRAME_COMMAND + VERB_SET);
    assert_int_equal(f.flags, 0);       /* nobody is left to have a copy */
    say(shards[1], (struct frame){ ANSWER(STORED) });
    expect(c, "STORED\r\n");
}

static void a_suspended_owner_is_asked_nothing(void **state)
{
    struct map *m = copies_map(2, 2);
    int c = stage_client(&stage), shards[3];
    const char *key = key_on(1, 2, "k");

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        shards[i] = opened(i + 1);
    m->members[0].state = MEMBER_SUSPENDED;
    change_map(m, shards);
    ask(c, "set %s 0 0 1\r\n1\r\n", key);
    expect_nothing(shards[0]);
    change_map(copies_map(3, 2), shards);
    assert_int_equal(heard(shards[0]).op, FRAME_COMMAND + VERB_SET);
}

static void a_replay_goes_to_nobody_when_the_copy_was_ejected(void **state)
{
    int c = stage_client(&stage), shards[3];
    const char *key = key_on(1, 2, "k");

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        shards[i] = opened(i + 1);
    ask(c, "set %s 0 0 1\r\n1\r\n", key);
    (void)heard(shards[0]);
    say(shards[0], (struct frame){ OPEN(STORED, 1) });
    close_far(shards[1]);
    stage_run(&stage, 0);
    expect(c, "");
    shards[1] = -1;
    free(map);
    map = ejecting(2, 2);
    assert_int_equal(cluster_adopt(stage.cluster, ejecting(2, 2)), ADOPTED);
    stage_run(&stage, 0);
    expect(c, "STORED\r\n");
    expect_confirm(shards[0], 1, false);
}

/* s1 has judged something, and is gone; s2, its copy, goes by a newer map already. */
static void lose_the_judge(int *shards)
{
    close_far(shards[0]);
    stage_run(&stage, 0);
    say(shards[1], (struct frame){ .op = FRAME_REFUSED, .st = REFUSED_NOT_READY });
    assert_int_equal(heard(shards[1]).op, FRAME_MAP);
    say(shards[1], (struct frame){ .op = FRAME_DONE, .version = 1 });
    shards[0] = -1;
}

static void what_an_ejected_owner_judged_is_replayed_no_more(void **state)
{
    int c = stage_client(&stage), shards[3];
    const char *key = key_on(1, 2, "k");

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        shards[i] = opened(i + 1);
    ask(c, "set %s 0 0 1\r\n1\r\n", key);
    (void)heard(shards[0]);
    say(shards[0], (struct frame){ OPEN(STORED, 1) });
    (void)applied(shards[1], key);
    lose_the_judge(shards);
    assert_int_equal(cluster_adopt(stage.cluster, ejecting(2, 1)), ADOPTED);
    stage_run(&stage, 0);
    expect(c, "SERVER_ERROR shard s1: the map has changed, outcome unknown\r\n");
}

static void a_touch_that_an_ejected_owner_judged_is_asked_of_the_next(void **state)
{
    int c = stage_client(&stage), shards[3];
    const char *key = key_on(1, 2, "k");
    struct frame f;

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        shards[i] = opened(i + 1);
    ask(c, "touch %s 100\r\n", key);
    (void)heard(shards[0]);
    frame_from_copy(&f, FRAME_TOLD, &(struct copy){ .kind = COPY_TOUCHED, .version = 1,
                                                    .ttl_ms = 100000 });
    stage_send_frame(&stage, shards[0], &f);
    say(shards[0], (struct frame){ OPEN(TOUCHED, 1) });
    (void)applied(shards[1], key);
    lose_the_judge(shards);
    change_map(ejecting(2, 1), shards);
    assert_int_equal(heard(shards[1]).op, FRAME_COMMAND + VERB_TOUCH);
    say(shards[1], (struct frame){ ANSWER(TOUCHED), .version = 1 });
    expect(c, "TOUCHED\r\n");
}

/* Until it is told that its refusal was seen; that is all there is to wait for. */
static void what_comes_while_a_shard_refuses_waits_without_copies_too(void **state)
{
    int c = stage_client(&stage), d = stage_client(&stage), e = stage_client(&stage);
    int s1 = opened(1);
    char key[32], line[100];

    (void)state;
    snprintf(key, sizeof(key), "%s", key_of(1, "k"));
    ask(c, "get %s\r\n", key);
    (void)heard(s1);
    snprintf(line, sizeof(line), "set %s 0 0 1\r\n1\r\n", key);
    stage_say(&stage, d, line);
    snprintf(line, sizeof(line), "get %s\r\nget %s\r\n", key, key);
    stage_say(&stage, e, line);
    say(s1, (struct frame){ .op = FRAME_REFUSED, .st = REFUSED_NOT_READY });
    stage_run(&stage, 50);
    expect(d, "");
    expect(e, "");
    assert_int_equal(heard(s1).op, FRAME_MAP);
    stage_send_frame(&stage, s1, &(struct frame){ .op = FRAME_DONE, .version = 1 });
    for (unsigned i = 0; i < 4; i++) {
        const bool set = heard(s1).op == FRAME_COMMAND + VERB_SET;

        stage_send_frame(&stage, s1, set ? &(struct frame){ ANSWER(STORED) }
                                         : &(struct frame){ ANSWER(NOT_FOUND) });
    }
    stage_run(&stage, 0);
    expect(c, "END\r\n");
    expect(d, "STORED\r\n");
    expect(e, "END\r\nEND\r\n");
    assert_int_equal(stage.worker.stats.shard_misses, 0);
}

/* A refusal that is still on its way is of a write that must not be overtaken. */
static void nothing_passes_a_write_whose_refusal_is_not_here_yet(void **state)
{
    int c = stage_client(&stage), d = stage_client(&stage), s1 = opened(1);
    char key[32];

    (void)state;
    snprintf(key, sizeof(key), "%s", key_of(1, "k"));
    ask(c, "get %s\r\n", key);
    ask(d, "set %s 0 0 1\r\n1\r\n", key);
    (void)heard(s1);
    (void)heard(s1);
    say(s1, (struct frame){ .op = FRAME_REFUSED, .st = REFUSED_NO_LEASE });
    ask(d, "get %s\r\n", key);
    stage_run(&stage, 50);
    expect_nothing(s1);
    say(s1, (struct frame){ .op = FRAME_REFUSED, .st = REFUSED_AGAIN });
    assert_int_equal(heard(s1).op, FRAME_MAP);
    say(s1, (struct frame){ .op = FRAME_DONE, .version = 1 });
    stage_run(&stage, 20);
    assert_int_equal(heard(s1).op, FRAME_COMMAND + VERB_GET);
    assert_int_equal(heard(s1).op, FRAME_COMMAND + VERB_SET);
    assert_int_equal(heard(s1).op, FRAME_COMMAND + VERB_GET);
}

static void what_was_refused_is_sent_again_in_order(void **state)
{
    int c = stage_client(&stage), d = stage_client(&stage), shards[3];
    const char *key = key_on(1, 2, "k");
    struct frame f;
    char *value;

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        shards[i] = opened(i + 1);
    ask(c, "set %s 0 0 1\r\n1\r\nset %s 0 0 1\r\n2\r\n", key, key);
    (void)heard(shards[0]);
    (void)heard(shards[0]);
    free(map);
    map = copies_map(2, 2);
    value = calloc(1, map_len(map));
    map_put(value, map);
    f = (struct frame){
        .op = FRAME_REFUSED, .st = REFUSED_EPOCH, .value = value, .value_len = map_len(map),
    };
    stage_send_frame(&stage, shards[0], &f);
    say(shards[0], (struct frame){ .op = FRAME_REFUSED, .st = REFUSED_AGAIN });
    free(value);
    assert_int_equal(cluster_epoch(stage.cluster), 2);
    assert_string_equal(stage_ask(&stage, c, "version\r\n"), "");
    assert_string_equal(stage_ask(&stage, d, "version\r\n"), "VERSION 1.6.45\r\n");
    assert_int_equal(heard(shards[0]).op, FRAME_MAP);
    assert_memory_equal(heard(shards[0]).value, "1", 1);
    assert_memory_equal(heard(shards[0]).value, "2", 1);
    stage_send_frame(&stage, shards[0], &(struct frame){ .op = FRAME_DONE, .version = 2 });
    stage_send_frame(&stage, shards[0], &(struct frame){ ANSWER(NOT_STORED) });
    say(shards[0], (struct frame){ ANSWER(STORED) });
    expect(c, "NOT_STORED\r\nSTORED\r\nVERSION 1.6.45\r\n");
}

static void without_any_copy_gets_miss_and_writes_fail(void **state)
{
    struct map *m = ejecting(2, 1);
    int c = stage_client(&stage), shards[3];
    const char *key = key_on(1, 2, "k");
    char line[200];

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        shards[i] = opened(i + 1);
    m->members[1].state = MEMBER_EJECTED;
    change_map(m, shards);
    snprintf(line, sizeof(line), "get %s\r\ndelete %s\r\n", key, key);
    assert_string_equal(stage_ask(&stage, c, line),
                        "END\r\nSERVER_ERROR shard s1: it is down, and so are all copies\r\n");
    assert_int_equal(stage.worker.stats.shard_misses, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_write_is_answered_when_its_copy_has_it, two_copies),
        TEST(a_delete_and_what_changed_nothing_are_told_apart, two_copies),
        TEST(copies_are_told_what_only_the_owner_knows, two_copies),
        TEST(a_large_value_reaches_the_copy_whole, two_copies),
        TEST(of_three_the_next_of_the_chain_is_told_first, three_copies),
        TEST(where_there_is_one_copy_nobody_is_told_when_a_change_is_over, one_copy),
        TEST(who_is_pending_is_told_too, two_copies),
        TEST(confirms_of_a_turn_are_one_frame_in_the_order_of_judging, two_copies),
        TEST(a_confirm_goes_before_what_is_asked_in_its_turn, two_copies),
        TEST(with_ack_owner_copies_are_told_behind_the_answer, two_copies),
        TEST(a_copy_that_refuses_makes_the_outcome_unknown, two_copies),
        TEST(what_a_gone_client_wrote_is_replayed, two_copies),
        TEST(who_tells_of_copies_and_answers_otherwise_is_left, two_copies),
        TEST(a_read_of_what_is_open_is_answered_after_its_replay, two_copies),
        TEST(copies_hear_of_one_read_in_sixteen, two_copies),
        TEST(a_get_goes_to_a_copy_when_its_owner_is_gone, two_copies),
        TEST(a_get_that_a_copy_refuses_goes_to_the_next, three_copies),
        TEST(a_get_that_waited_for_a_write_before_it_is_tried_in_the_end, two_copies),
        TEST(a_lost_get_that_touches_is_an_error_in_meta, two_copies),
        TEST(a_read_whose_replay_is_overtaken_by_a_map_is_asked_again, two_copies),
        TEST(a_get_that_only_the_owner_may_answer_waits, two_copies),
        TEST(a_write_waits_for_a_copy_that_is_not_reached, two_copies),
        TEST(a_write_does_not_wait_for_ever, two_copies),
        TEST(a_replay_waits_for_a_copy_that_comes_back, two_copies),
        TEST(a_replay_does_not_wait_for_what_its_client_asked_before, two_copies),
        TEST(a_sent_write_whose_owner_is_lost_is_not_sent_again, two_copies),
        TEST(a_write_to_a_dead_owner_waits_for_the_next_one, two_copies),
        TEST(a_suspended_owner_is_asked_nothing, two_copies),
        TEST(a_replay_goes_to_nobody_when_the_copy_was_ejected, two_copies),
        TEST(what_an_ejected_owner_judged_is_replayed_no_more, two_copies),
        TEST(a_touch_that_an_ejected_owner_judged_is_asked_of_the_next, two_copies),
        TEST(what_was_refused_is_sent_again_in_order, two_copies),
        TEST(what_comes_while_a_shard_refuses_waits_without_copies_too, one_copy),
        TEST(nothing_passes_a_write_whose_refusal_is_not_here_yet, one_copy),
        TEST(without_any_copy_gets_miss_and_writes_fail, two_copies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
