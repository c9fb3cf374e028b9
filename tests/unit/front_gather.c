#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "front_copies.h"

static void open_all(int *shards)
{
    for (unsigned i = 0; i < 3; i++)
        shards[i] = opened(i + 1);
}

/* A round of a flush at the shards that are there (not -1). */
static void round_of(const int *shards, uint8_t op, uint64_t version)
{
    for (unsigned i = 0; i < 3; i++) {
        if (shards[i] < 0)
            continue;
        assert_int_equal(heard(shards[i]).op, op);
        stage_send_frame(&stage, shards[i], &(struct frame){ .op = FRAME_DONE,
                                                             .version = version });
    }
    stage_run(&stage, 0);
}

static void who_is_ejected_is_not_asked(void **state)
{
    struct map *m = copies_map(2, 2);
    int c = stage_client(&stage), shards[3];

    (void)state;
    open_all(shards);
    m->members[1].state = MEMBER_EJECTED;
    change_map(m, shards);
    shards[1] = -1;
    ask(c, "flush_all\r\n");
    round_of(shards, FRAME_CLOCK, 100);
    round_of(shards, FRAME_FLUSH, 100);
    expect(c, "OK\r\n");
    ask(c, "stats shards\r\n");
    round_of(shards, FRAME_STATS, 0);
    assert_non_null(strstr(stage_heard(&stage, c), "STAT s2:state ejected\r\n"));
}

static void a_flush_waits_until_it_is_known_who_is_there(void **state)
{
    struct map *m = copies_map(2, 2);
    int c = stage_client(&stage), shards[3];

    (void)state;
    open_all(shards);
    close_far(shards[1]);
    shards[1] = -1;
    stage_run(&stage, 0);
    ask(c, "flush_all\r\nversion\r\n");
    round_of(shards, FRAME_CLOCK, 100);
    expect(c, "");
    m->members[1].state = MEMBER_EJECTED;
    change_map(m, shards);
    round_of(shards, FRAME_CLOCK, 100);
    round_of(shards, FRAME_FLUSH, 100);
    expect(c, "OK\r\nVERSION 1.6.45\r\n");
}

static void a_flush_does_not_wait_for_ever(void **state)
{
    int c = stage_client(&stage), shards[3];
    struct frame f;

    (void)state;
    open_all(shards);
    close_far(shards[1]);
    stage_run(&stage, 0);
    ask(c, "flush_all\r\n");
    for (int ms = 0; ms < 3400; ms += 10) {
        for (unsigned i = 0; i < 3; i += 2)
            while (stage_take_frame(&stage, shards[i], &f))
                stage_send_frame(&stage, shards[i], &(struct frame){ .op = FRAME_DONE });
        stage_run(&stage, 10);
    }
    expect(c, "");
    for (int ms = 0; ms < 300; ms += 10) {
        for (unsigned i = 0; i < 3; i += 2)
            while (stage_take_frame(&stage, shards[i], &f))
                stage_send_frame(&stage, shards[i], &(struct frame){ .op = FRAME_DONE });
        stage_run(&stage, 10);
    }
    assert_memory_equal(stage_heard(&stage, c), "SERVER_ERROR shard s2: ", 23);
}

/* In the round that asks for a version, and in the one that flushes. */
static void a_flush_goes_to_whoever_the_newer_map_has(void **state)
{
    int c = stage_client(&stage), shards[3];

    (void)state;
    open_all(shards);
    for (uint64_t epoch = 2; epoch <= 3; epoch++) {
        ask(c, "flush_all\r\n");
        if (epoch == 3)
            round_of(shards, FRAME_CLOCK, 100);
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(heard(shards[i]).op, epoch == 2 ? FRAME_CLOCK : FRAME_FLUSH);
        change_map(copies_map(epoch, 2), shards);
        for (unsigned i = 0; i < 3; i++)
            stage_send_frame(&stage, shards[i], &(struct frame){ .op = FRAME_DONE });
        stage_run(&stage, 100);
        round_of(shards, FRAME_CLOCK, 100);
        round_of(shards, FRAME_FLUSH, 100);
        expect(c, "OK\r\n");
    }
}

static void a_flush_begins_when_what_was_sent_before_is_answered(void **state)
{
    int c = stage_client(&stage), shards[3];
    const char *key = key_on(1, 2, "k");

    (void)state;
    open_all(shards);
    ask(c, "get %s\r\nflush_all\r\n", key);
    assert_int_equal(heard(shards[0]).op, FRAME_COMMAND + VERB_GET);
    stage_run(&stage, 50);
    expect_nothing(shards[1]);
    say(shards[0], (struct frame){ ANSWER(NOT_FOUND) });
    stage_run(&stage, 20);
    round_of(shards, FRAME_CLOCK, 100);
    round_of(shards, FRAME_FLUSH, 100);
    expect(c, "END\r\nOK\r\n");
}

static void what_waits_is_let_go_at_the_end(void **state)
{
    int c = stage_client(&stage), d = stage_client(&stage), shards[3];

    (void)state;
    open_all(shards);
    close_far(shards[1]);
    stage_run(&stage, 0);
    ask(c, "flush_all\r\n");
    ask(d, "set %s 0 0 1\r\n1\r\n", key_on(2, 1, "k"));
    close_far(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_is_ejected_is_not_asked, two_copies),
        TEST(a_flush_waits_until_it_is_known_who_is_there, two_copies),
        TEST(a_flush_does_not_wait_for_ever, two_copies),
        TEST(a_flush_goes_to_whoever_the_newer_map_has, two_copies),
        TEST(a_flush_begins_when_what_was_sent_before_is_answered, two_copies),
        TEST(what_waits_is_let_go_at_the_end, two_copies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
