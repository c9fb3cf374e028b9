#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "front_help.h"
#include "store/version.h"

#define TIMEOUT_MS 1000         /* of the stage's front */

/* Too much to hold while an older answer is waited for. */
static char big[300000];
#define BIG .value = big, .value_len = sizeof(big)

static int no_shard_there(void **state)
{
    (void)state;
    begin(1, false);
    return 0;
}

/* The members are others, which is to say the same ones under a new epoch. */
static void change_map(void)
{
    assert_int_equal(cluster_adopt(stage.cluster, moved_map(2)), ADOPTED);
    stage_run(&stage, 200);
}

/* the handshake */

static void equal_maps_open_the_link(void **state)
{
    int c = stage_client(&stage), shard = opened(1);
    struct frame f;

    (void)state;
    assert_string_equal(stage_ask(&stage, c, "set k 7 0 5\r\nhello\r\n"), "");
    f = heard(shard);
    assert_int_equal(f.op, FRAME_COMMAND + VERB_SET);
    assert_memory_equal(f.key, "k", 1);
    assert_memory_equal(f.value, "hello", 5);
    assert_int_equal(f.client_flags, 7);
    say(shard, (struct frame){ ANSWER(STORED) });
    expect(c, "STORED\r\n");
}

static void a_shard_with_an_older_map_is_sent_ours(void **state)
{
    int c, shard = greeted(1);
    struct hello h = stage_hello(&stage, "s1", NULL);
    struct map *sent;
    struct frame f;

    (void)state;
    stage_send_hello(&stage, shard, &h);
    stage_run(&stage, 0);
    f = heard(shard);
    assert_int_equal(f.op, FRAME_MAP);
    sent = map_read(f.value, f.value_len);
    assert_non_null(sent);
    assert_int_equal(sent->epoch, 1);
    free(sent);
    c = stage_client(&stage);
    assert_string_equal(stage_ask(&stage, c, "get k\r\n"), "");
    assert_false(stage_take_frame(&stage, shard, &f));  /* not before it has answered */
    stage_send_map(&stage, shard, FRAME_DONE, map);
    stage_run(&stage, 0);
    assert_int_equal(heard(shard).op, FRAME_COMMAND + VERB_GET);
    say(shard, (struct frame){ ANSWER(NOT_FOUND) });
    expect(c, "END\r\n");
}

static void a_newer_map_is_asked_for_and_gone_by(void **state)
{
    struct map *newer = stage_map(5, 2);
    struct hello h = stage_hello(&stage, "s1", newer);
    int c, shard = greeted(1);
    struct frame f;

    (void)state;
    stage.world->ops->listen(stage.world, "shard:2", 10, 0);
    stage_send_hello(&stage, shard, &h);
    stage_run(&stage, 0);
    f = heard(shard);
    assert_int_equal(f.op, FRAME_MAP);
    assert_int_equal(f.value_len, 0);
    stage_send_map(&stage, shard, FRAME_DONE, newer);
    stage_run(&stage, 200);
    assert_int_equal(cluster_epoch(stage.cluster), 5);
    while ((shard = fake_accept(stage.world, "shard:1")) >= 0 &&
           fake_is_closed(stage.world, shard))
        close_far(shard);       /* tries of the link that is gone */
    assert_true(shard >= 0);
    assert_int_equal(heard(shard).op, FRAME_HELLO);
    stage_send_hello(&stage, shard, &h);
    c = stage_client(&stage);
    stage_say(&stage, c, "get ");
    stage_say(&stage, c, key_of(1, "k"));
    assert_string_equal(stage_ask(&stage, c, "\r\n"), "");
    say(shard, (struct frame){ ANSWER(HIT), VALUE("v") });
    assert_memory_equal(stage_heard(&stage, c), "VALUE k", 7);
    free(newer);
}

static void a_refusal_is_told_to_clients_in_its_words(void **state)
{
    int c = stage_client(&stage), shard = greeted(1);

    (void)state;
    say(shard, (struct frame){ .op = FRAME_REFUSED, .st = REFUSED_HELLO, VALUE("not you\r\nOK") });
    assert_true(fake_is_closed(stage.world, shard));
    assert_string_equal(stage_ask(&stage, c, "delete k\r\n"),
                        "SERVER_ERROR shard s1: not you??OK\r\n");
    stage_run(&stage, 900);     /* it will not change its mind soon */
    assert_int_equal(fake_accept(stage.world, "shard:1"), -1);
    stage_run(&stage, 200);
    assert_true(fake_accept(stage.world, "shard:1") >= 0);
}

static void a_newer_map_is_a_reason_to_try_again_at_once(void **state)
{
    int shard = greeted(1);

    (void)state;
    say(shard, (struct frame){ .op = FRAME_REFUSED, .st = REFUSED_HELLO, VALUE("not you") });
    assert_int_equal(cluster_adopt(stage.cluster, stage_map(2, 1)), ADOPTED);
    stage_run(&stage, 120);
    (void)greeted(1);
}

static void another_shard_at_the_address_is_not_taken(void **state)
{
    int c = stage_client(&stage), shard = greeted(1);
    struct hello h = stage_hello(&stage, "s2", map);

    (void)state;
    stage_send_hello(&stage, shard, &h);
    stage_run(&stage, 0);
    assert_true(fake_is_closed(stage.world, shard));
    assert_string_equal(stage_ask(&stage, c, "delete k\r\n"),
                        "SERVER_ERROR shard s1: another shard lives at its address\r\n");
}

static void who_speaks_something_else_is_left(void **state)
{
    static const char *const said[] = {
        "ERROR\r\nERROR\r\nERROR\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 400 Bad\r\n\r\n",
    };
    static const struct frame frames[] = {
        { .op = FRAME_HELLO, VALUE("hello?") }, { .op = FRAME_PING }, { ANSWER(STORED) },
        { .op = FRAME_HELLO },
    };
    int c = stage_client(&stage);

    (void)state;
    for (size_t i = 0; i < N_OF(said) + N_OF(frames); i++) {
        int shard = greeted(1);

        if (i < N_OF(said))
            stage_say(&stage, shard, said[i]);
        else
            stage_send_frame(&stage, shard, &frames[i - N_OF(said)]);
        assert_string_equal(stage_ask(&stage, c, "delete k\r\n"),
                            "SERVER_ERROR shard s1: it speaks another protocol\r\n");
        assert_true(fake_is_closed(stage.world, shard));
        stage_run(&stage, 100);
    }
}

static void a_shard_that_does_not_greet_is_given_up(void **state)
{
    int shard = greeted(1);

    (void)state;
    stage_run(&stage, TIMEOUT_MS - 1);
    assert_false(fake_is_closed(stage.world, shard));
    stage_run(&stage, 2);
    assert_true(fake_is_closed(stage.world, shard));
}

/* who waits, who does not */

static void requests_wait_for_the_first_connect_only(void **state)
{
    int c = stage_client(&stage), shard;
    struct frame f;

    (void)state;
    assert_string_equal(stage_ask(&stage, c, "delete k\r\nget k\r\n"), "");
    shard = opened(1);
    assert_int_equal(heard(shard).op, FRAME_COMMAND + VERB_DELETE);
    say(shard, (struct frame){ ANSWER(DELETED) });
    say(shard, (struct frame){ ANSWER(NOT_FOUND) });
    expect(c, "DELETED\r\nEND\r\n");

    close_far(shard);
    stage_run(&stage, 20);      /* connecting again, and for the second time */
    shard = greeted(1);
    assert_string_equal(stage_ask(&stage, c, "delete k\r\nget k\r\n"),
                        "SERVER_ERROR shard s1: connection lost\r\nEND\r\n");
    assert_false(stage_take_frame(&stage, shard, &f));
    assert_int_equal(stage.worker.stats.shard_misses, 1);
    assert_int_equal(stage.worker.stats.shard_errors, 1);
    assert_int_equal(stage.worker.stats.unknown_outcomes, 0);
}

static void the_first_connect_is_not_waited_for_for_ever(void **state)
{
    int c = stage_client(&stage);

    (void)state;
    (void)greeted(1);
    stage_say(&stage, c, "delete k\r\n");
    stage_run(&stage, TIMEOUT_MS + 200);
    expect(c, "SERVER_ERROR shard s1: it does not answer\r\n");
}

static void nobody_there_is_said_at_once(void **state)
{
    int c = stage_client(&stage);

    (void)state;
    assert_string_equal(stage_ask(&stage, c, "delete k\r\nget k\r\nincr k 1 noreply\r\n"
                                             "set k 0 0 1\r\n1\r\n"),
                        "SERVER_ERROR shard s1: connection refused\r\nEND\r\n"
                        "SERVER_ERROR shard s1: connection refused\r\n");
}

/* Refused at once or after a while: less and less often, never seldom. */
static void it_tries_again_less_and_less_often(void **state)
{
    unsigned tries = 0;

    (void)state;
    stage.world->ops->listen(stage.world, "shard:1", 10, 0);
    fake_fail_connects(stage.world, ECONNREFUSED);
    for (int ms = 0; ms < 1000; ms++) {
        int shard;

        stage_run(&stage, 1);
        while ((shard = fake_accept(stage.world, "shard:1")) >= 0) {
            close_far(shard);
            tries++;
        }
    }
    assert_in_range(tries, 10, 13);     /* 20, 40, 80, then every 100 ms */
    fake_fail_connects(stage.world, 0);
    stage_run(&stage, 100);
    assert_true(opened(1) >= 0);
}

static void a_local_shard_is_reached_by_its_unix_socket(void **state)
{
    int shard;

    (void)state;
    stage.world->ops->listen(stage.world, MEMBER_LOCAL_PREFIX "shard:1", 10, 0);
    stage.world->ops->listen(stage.world, "shard:1", 10, 0);
    stage_run(&stage, 100);
    shard = fake_accept(stage.world, MEMBER_LOCAL_PREFIX "shard:1");
    assert_true(shard >= 0);
    assert_int_equal(fake_accept(stage.world, "shard:1"), -1);
    fake_unlisten(stage.world, MEMBER_LOCAL_PREFIX "shard:1");
    close_far(shard);
    stage_run(&stage, 100);
    assert_true(fake_accept(stage.world, "shard:1") >= 0);
}

/* pipelining */

static void many_requests_leave_with_one_send(void **state)
{
    int c = stage_client(&stage), d = stage_client(&stage), shard = opened(1);
    unsigned before = fake_counts(stage.world, shard).sends;
    struct frame f;

    (void)state;
    stage_say(&stage, c, "get a\r\nget b\r\nset k 0 0 1\r\n1\r\nget a b k\r\n");
    stage_say(&stage, d, "delete a\r\nincr k 1\r\ntouch k 9\r\n");
    stage_run(&stage, 0);
    assert_int_equal(fake_counts(stage.world, shard).sends, before + 1);
    for (unsigned i = 0; i < 9; i++)
        (void)heard(shard);
    assert_false(stage_take_frame(&stage, shard, &f));
    for (unsigned i = 0; i < 2; i++)
        stage_send_frame(&stage, shard, &(struct frame){ ANSWER(NOT_FOUND) });
    stage_send_frame(&stage, shard, &(struct frame){ ANSWER(STORED) });
    stage_send_frame(&stage, shard, &(struct frame){ ANSWER(NOT_FOUND) });
    stage_send_frame(&stage, shard, &(struct frame){ ANSWER(HIT), VALUE("v") });
    stage_send_frame(&stage, shard, &(struct frame){ ANSWER(HIT), .client_flags = 3, VALUE("1") });
    stage_send_frame(&stage, shard, &(struct frame){ ANSWER(DELETED) });
    stage_send_frame(&stage, shard, &(struct frame){ ANSWER(NUMBER), .number = 2 });
    stage_send_frame(&stage, shard, &(struct frame){ ANSWER(TOUCHED) });
    stage_run(&stage, 0);
    assert_int_equal(fake_counts(stage.world, c).sends, 1);
    assert_int_equal(fake_counts(stage.world, d).sends, 1);
    expect(c, "END\r\nEND\r\nSTORED\r\nVALUE b 0 1\r\nv\r\nVALUE k 3 1\r\n1\r\nEND\r\n");
    expect(d, "DELETED\r\n2\r\nTOUCHED\r\n");
    assert_int_equal(stage.worker.pool.bytes_out, 0);
}

static void answers_of_two_shards_leave_in_the_order_asked(void **state)
{
    int c = stage_client(&stage), first = opened(1), second = opened(2);
    char want[200];

    (void)state;
    snprintf(want, sizeof(want), "VALUE %s 0 1\r\n1\r\nVALUE %s 0 1\r\n2\r\nVALUE %s 0 1\r\n3\r\n"
             "END\r\nDELETED\r\n", key_of(1, "a"), key_of(2, "b"), key_of(1, "c"));
    ask(c, "get %s %s %s\r\ndelete %s\r\n", key_of(1, "a"), key_of(2, "b"), key_of(1, "c"),
        key_of(2, "d"));
    say(second, (struct frame){ ANSWER(HIT), VALUE("2") });
    say(second, (struct frame){ ANSWER(DELETED) });
    expect(c, "");
    say(first, (struct frame){ ANSWER(HIT), VALUE("1") });
    say(first, (struct frame){ ANSWER(HIT), VALUE("3") });
    expect(c, want);
}

static void answers_may_be_cut_anywhere(void **state)
{
    int c = stage_client(&stage), shard = opened(1), scratch;
    int writer = fake_pair(stage.world, &scratch);
    const char want[] = "VALUE a 9 5\r\nhello\r\nEND\r\nSTORED\r\n18446744073709551615\r\n";
    size_t len;
    char *all;

    (void)state;
    stage_send_frame(&stage, writer, &(struct frame){ ANSWER(HIT), .client_flags = 9,
                                                      VALUE("hello") });
    stage_send_frame(&stage, writer, &(struct frame){ ANSWER(STORED) });
    stage_send_frame(&stage, writer, &(struct frame){ ANSWER(NUMBER), .number = UINT64_MAX });
    (void)fake_peek(stage.world, scratch, &len);
    all = malloc(len);
    assert_non_null(all);
    memcpy(all, fake_peek(stage.world, scratch, &len), len);
    for (size_t cut = 1; cut < len; cut++) {
        assert_string_equal(stage_ask(&stage, c, "get a\r\nadd a 0 0 1\r\n1\r\ndecr a 1\r\n"), "");
        fake_write(stage.world, shard, all, cut);
        stage_run(&stage, 0);
        fake_write(stage.world, shard, all + cut, len - cut);
        stage_run(&stage, 0);
        expect(c, want);
    }
    free(all);
}

static void a_client_that_is_gone_disturbs_nobody(void **state)
{
    int c = stage_client(&stage), d = stage_client(&stage), shard = opened(1);

    (void)state;
    (void)stage_ask(&stage, c, "get a\r\n");
    (void)stage_ask(&stage, d, "get b\r\n");
    fake_reset(stage.world, c);
    stage_run(&stage, 0);
    say(shard, (struct frame){ ANSWER(HIT), VALUE("for c") });
    say(shard, (struct frame){ ANSWER(HIT), VALUE("for d") });
    expect(d, "VALUE b 0 5\r\nfor d\r\nEND\r\n");
}

/* failures */

/* Whether it may have happened depends on whether a byte of it had left. */
static void a_lost_link_tells_what_may_have_happened(void **state)
{
    int c = stage_client(&stage), shard = opened(1);

    (void)state;
    (void)stage_ask(&stage, c, "delete a\r\n");
    fake_set_room(stage.world, shard, 0);       /* from here on nothing leaves */
    (void)stage_ask(&stage, c, "delete b\r\nget c\r\ndelete d noreply\r\nget e e\r\n");
    fake_reset(stage.world, shard);
    stage_run(&stage, 0);
    expect(c, "SERVER_ERROR shard s1: connection lost, outcome unknown\r\n"
              "SERVER_ERROR shard s1: connection lost\r\nEND\r\nEND\r\n");
    assert_int_equal(stage.worker.stats.unknown_outcomes, 1);
}

/* The first byte of a frame that is cut has left. */
static void a_frame_that_left_in_part_is_unknown(void **state)
{
    int c = stage_client(&stage), shard = opened(1);

    (void)state;
    fake_set_room(stage.world, shard, FRAME_HEAD + 1 + 1);      /* and a byte of the second */
    (void)stage_ask(&stage, c, "delete a\r\ndelete b\r\ndelete c\r\n");
    close_far(shard);
    stage_run(&stage, 0);
    expect(c, "SERVER_ERROR shard s1: connection lost, outcome unknown\r\n"
              "SERVER_ERROR shard s1: connection lost, outcome unknown\r\n"
              "SERVER_ERROR shard s1: connection lost\r\n");
}

static void a_silent_shard_is_given_up(void **state)
{
    int c = stage_client(&stage), shard = opened(1);

    (void)state;
    (void)stage_ask(&stage, c, "delete a\r\n");
    stage_run(&stage, TIMEOUT_MS);
    expect(c, "");
    stage_run(&stage, 110);     /* a look is taken every 100 ms */
    expect(c, "SERVER_ERROR shard s1: it does not answer, outcome unknown\r\n");
    assert_true(fake_is_closed(stage.world, shard));
    say(opened(1), (struct frame){ ANSWER(DELETED) });  /* to nobody: not taken for another's */
    expect(c, "");
}

static void a_shard_that_answers_slowly_but_does_is_kept(void **state)
{
    int c = stage_client(&stage), shard = opened(1);

    (void)state;
    for (int i = 0; i < 10; i++) {
        (void)stage_ask(&stage, c, "delete a\r\n");
        stage_run(&stage, TIMEOUT_MS - 200);
        say(shard, (struct frame){ ANSWER(DELETED) });
        expect(c, "DELETED\r\n");
    }
}

/* An answer of 38 bytes, one every `pause_ms`. */
static void answer_in_drops(int shard, int64_t pause_ms)
{
    int scratch, writer = fake_pair(stage.world, &scratch);
    const char *all;
    size_t len;

    stage_send_frame(&stage, writer, &(struct frame){ ANSWER(HIT), VALUE("slowly") });
    all = fake_take(stage.world, scratch, &len);
    assert_int_equal(len, 38);
    for (size_t i = 0; i < len; i++) {
        fake_write(stage.world, shard, all + i, 1);
        stage_run(&stage, pause_ms);
    }
}

/* A large answer takes its time: as long as bytes come, nobody is silent. */
static void a_shard_that_is_still_sending_is_not_silent(void **state)
{
    int c = stage_client(&stage), shard = opened(1);

    (void)state;
    (void)stage_ask(&stage, c, "get k\r\n");
    answer_in_drops(shard, TIMEOUT_MS / 4);
    expect(c, "VALUE k 0 6\r\nslowly\r\nEND\r\n");
}

static void a_shard_that_sends_for_ever_is_given_up(void **state)
{
    int c = stage_client(&stage), shard = opened(1);

    (void)state;
    (void)stage_ask(&stage, c, "get k\r\n");
    answer_in_drops(shard, TIMEOUT_MS / 2);
    expect(c, "END\r\n");
}

/* A shard that takes a command of more than its socket holds, bit by bit. */
static void a_shard_that_is_still_taking_a_value_is_not_silent(void **state)
{
    int c = stage_client(&stage), shard = opened(1);
    struct frame f = { .value_len = 0 };

    (void)state;
    fake_set_room(stage.world, shard, 10);
    (void)stage_ask(&stage, c, "set k 0 0 40\r\n"
                               "0123456789012345678901234567890123456789\r\n");
    for (size_t room = 10; room < 80; room += 10) {
        stage_run(&stage, TIMEOUT_MS / 2);
        fake_set_room(stage.world, shard, room);
    }
    stage_run(&stage, 0);
    assert_true(stage_take_frame(&stage, shard, &f));
    assert_int_equal(f.value_len, 40);
    say(shard, (struct frame){ ANSWER(STORED) });
    expect(c, "STORED\r\n");
}

/* The kernel takes commands for a shard that is frozen: that is not its doing. */
static void commands_behind_the_oldest_are_no_sign_of_life(void **state)
{
    int c = stage_client(&stage), shard = opened(1);

    (void)state;
    for (int i = 0; i < 3; i++) {
        (void)stage_ask(&stage, c, "get a\r\n");
        stage_run(&stage, TIMEOUT_MS / 2);
    }
    assert_true(fake_is_closed(stage.world, shard));
    expect(c, "END\r\nEND\r\nEND\r\n");
}

static void a_full_queue_is_said_at_once(void **state)
{
    int c = stage_client(&stage), shard = opened(1);
    unsigned stored = 0, full = 0;
    const char *p;
    char *value = malloc(100001);

    (void)state;
    assert_non_null(value);
    memset(value, 'v', 100000);
    value[100000] = '\0';
    fake_set_room(stage.world, shard, 0);
    stage.front.links_config.queue_bytes = 250000;
    for (int i = 0; i < 5; i++) {
        int d = stage_client(&stage);

        stage_say(&stage, d, "set k 0 0 100000\r\n");
        stage_say(&stage, d, value);
        p = stage_ask(&stage, d, "\r\n");
        if (strcmp(p, "SERVER_ERROR shard s1: too much is waiting for it\r\n") == 0)
            full++;
        else
            assert_string_equal(p, "");
    }
    assert_int_equal(full, 3);
    fake_set_room(stage.world, shard, SIZE_MAX);
    stage_run(&stage, 0);
    for (struct frame f; stage_take_frame(&stage, shard, &f); stored++)
        assert_int_equal(f.value_len, 100000);
    assert_int_equal(stored, 2);
    say(shard, (struct frame){ ANSWER(STORED) });
    say(shard, (struct frame){ ANSWER(STORED) });
    (void)stage_ask(&stage, c, "delete k\r\n");         /* room again */
    say(shard, (struct frame){ ANSWER(DELETED) });
    expect(c, "DELETED\r\n");
    stage.front.links_config.queue_bytes = 65536;        /* alone it may be larger */
    stage_say(&stage, c, "set k 0 0 100000\r\n");
    stage_say(&stage, c, value);
    (void)stage_ask(&stage, c, "\r\n");
    say(shard, (struct frame){ ANSWER(STORED) });
    expect(c, "STORED\r\n");
    free(value);
}

static void a_newer_map_is_said_however_full_the_queue_is(void **state)
{
    int shard = opened(1);

    (void)state;
    fake_set_room(stage.world, shard, 0);
    stage.front.links_config.queue_bytes = 30;
    ask(stage_client(&stage), "get k\r\n");
    assert_string_equal(stage_ask(&stage, stage_client(&stage), "get a_longer_key\r\n"), "END\r\n");
    assert_int_equal(cluster_adopt(stage.cluster, stage_map(2, 1)), ADOPTED);
    stage_run(&stage, 0);
    fake_set_room(stage.world, shard, SIZE_MAX);
    stage_run(&stage, 0);
    assert_int_equal(heard(shard).op, FRAME_COMMAND + VERB_GET);
    assert_int_equal(heard(shard).op, FRAME_MAP);
}

static void nonsense_closes_the_link_and_harms_no_client(void **state)
{
    static const struct { const char *command; struct frame answer; const char *reply; } cases[] = {
#define LOST ": it answered nonsense, outcome unknown\r\n"
        { "get k\r\n", { ANSWER(STORED) }, "END\r\n" },
        { "get k\r\n", { ANSWER(NUMBER), .number = 3 }, "END\r\n" },
        { "get k\r\n", { .op = FRAME_DONE, VALUE("hello") }, "END\r\n" },
        { "get k\r\n", { .op = FRAME_HELLO, VALUE("hello") }, "END\r\n" },
        { "get k\r\n", { .op = FRAME_ANSWER, .st = N_STATUSES }, "END\r\n" },
        { "get k\r\n", { .op = FRAME_ANSWER, .st = 255 }, "END\r\n" },
        { "delete k\r\n", { ANSWER(HIT), VALUE("v") }, "SERVER_ERROR shard s1" LOST },
        { "delete k\r\n", { ANSWER(STORED) }, "SERVER_ERROR shard s1" LOST },
        { "incr k 1\r\n", { ANSWER(STORED) }, "SERVER_ERROR shard s1" LOST },
        { "touch k 1\r\n", { ANSWER(DELETED) }, "SERVER_ERROR shard s1" LOST },
        { "set k 0 0 1\r\n1\r\n", { ANSWER(EXISTS) }, "SERVER_ERROR shard s1" LOST },
        { "set k 0 0 1\r\n1\r\n", { ANSWER(NOT_FOUND) }, "SERVER_ERROR shard s1" LOST },
        /* what only options make possible, without them and of other commands */
        { "get k\r\n", { ANSWER(HEAD) }, "END\r\n" },
        { "get k\r\n", { ANSWER(EXISTS) }, "END\r\n" },
        { "mg k v\r\n", { ANSWER(HEAD) }, "EN\r\n" },
        { "mg k C7\r\n", { ANSWER(EXISTS) }, "EN\r\n" },
        { "mg k x I\r\n", { ANSWER(NO_MEMORY) }, "EN\r\n" },
        { "delete k\r\n", { ANSWER(EXISTS) }, "SERVER_ERROR shard s1" LOST },
        { "delete k\r\n", { ANSWER(NO_MEMORY) }, "SERVER_ERROR shard s1" LOST },
        { "md k\r\n", { ANSWER(EXISTS) }, "SERVER_ERROR shard s1" LOST },
        { "md k q\r\n", { ANSWER(NO_MEMORY) }, "SERVER_ERROR shard s1" LOST },
        { "md k C7\r\n", { ANSWER(HEAD) }, "SERVER_ERROR shard s1" LOST },
        { "ma k\r\n", { ANSWER(EXISTS) }, "SERVER_ERROR shard s1" LOST },
        { "ma k v\r\n", { ANSWER(HEAD) }, "SERVER_ERROR shard s1" LOST },
        { "ma k C7\r\n", { ANSWER(STORED) }, "SERVER_ERROR shard s1" LOST },
        { "ms k 1\r\n1\r\n", { ANSWER(EXISTS) }, "SERVER_ERROR shard s1" LOST },
        { "ms k 1 MA\r\n1\r\n", { ANSWER(EXISTS) }, "SERVER_ERROR shard s1" LOST },
        { "ms k 1 MA C7\r\n1\r\n", { ANSWER(HEAD) }, "SERVER_ERROR shard s1" LOST },
        { "ms k 1 ME C7\r\n1\r\n", { ANSWER(EXISTS) }, "SERVER_ERROR shard s1" LOST },
#undef LOST
    };
    int c = stage_client(&stage);

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        int shard = opened(1);

        assert_string_equal(stage_ask(&stage, c, cases[i].command), "");
        say(shard, cases[i].answer);
        expect(c, cases[i].reply);
        assert_true(fake_is_closed(stage.world, shard));
        stage_run(&stage, 200);
    }
}

static void is_not_asked(struct request *r)
{
    (void)r;
}

/* Links that only ping go by no map: nobody may refuse for one, or answer it. */
static void nonsense_closes_a_link_that_goes_by_no_map(void **state)
{
    static const struct frame greeting = { .op = FRAME_DONE, .version = 7 };
    static const struct frame refusal = { .op = FRAME_REFUSED, .st = REFUSED_NO_LEASE };
    const struct links_config config = { .role = HELLO_AGENT, .timeout_ms = TIMEOUT_MS,
                                         .queue_bytes = 1000,
                                         .request_bytes = sizeof(struct request) };
    const struct hello hello = stage_hello(&stage, "s1", map);
    const struct frame ping = { .op = FRAME_PING };
    struct request *r;
    struct links links;
    struct link *link;
    int shard;

    (void)state;
    (void)opened(1);            /* the front's own */
    links_init(&links, &config, &stage.worker, stage.cluster);
    for (int greets = 0; greets < 2; greets++) {
        link = link_new(&links, &map->members[0]);
        stage_run(&stage, 0);
        shard = fake_accept(stage.world, "shard:1");
        assert_int_equal(heard(shard).op, FRAME_HELLO);
        if (greets)
            stage_send_hello(&stage, shard, &hello);
        stage_run(&stage, 0);
        r = request_new(&links);
        r->done = is_not_asked;
        r->answer_op = FRAME_DONE;
        link_send(link, r, &ping, NULL);
        links_flush(&links);
        say(shard, greets ? refusal : greeting);
        links_flush(&links);
        assert_true(fake_is_closed(stage.world, shard));
        assert_false(link_is_open(link));
        request_free(&links, r);
        link_free(link);
    }
    links_fini(&links);
}

static void options_make_other_answers_possible(void **state)
{
    static const struct { const char *command; struct frame answer; const char *reply; } cases[] = {
        { "mg k\r\n", { ANSWER(HEAD) }, "HD\r\n" },
        { "mg k s\r\n", { ANSWER(HEAD), .number = 5 }, "HD s5\r\n" },
        { "mg k v\r\n", { ANSWER(HIT), VALUE("v") }, "VA 1\r\nv\r\n" },
        { "mg k v C7\r\n", { ANSWER(HEAD) }, "HD\r\n" },
        { "mg k v C7\r\n", { ANSWER(HIT), VALUE("v") }, "VA 1\r\nv\r\n" },
        { "mg k c\r\n", { ANSWER(HEAD), .marks = MARK_TOKEN | MARK_WIN, .token = 8 },
          "HD c8 W\r\n" },
        { "mg k q\r\nmn\r\n", { ANSWER(NOT_FOUND) }, "MN\r\n" },
        { "me k\r\n", { ANSWER(HEAD), .number = 5 },
          "ME k exp=-1 la=0 cas=0 fetch=no cls=1 size=70\r\n" },
        { "md k C7\r\n", { ANSWER(EXISTS) }, "EX\r\n" },
        { "md k x\r\n", { ANSWER(NO_MEMORY) }, "SERVER_ERROR out of memory\r\n" },
        { "md k I\r\n", { ANSWER(NO_MEMORY) }, "SERVER_ERROR out of memory\r\n" },
        { "ma k C7\r\n", { ANSWER(EXISTS) }, "EX\r\n" },
        { "ms k 1 C7\r\n1\r\n", { ANSWER(EXISTS) }, "EX\r\n" },
        { "ms k 1 C7\r\n1\r\n", { ANSWER(NOT_FOUND) }, "NF\r\n" },
        { "ms k 1 MA C7\r\n1\r\n", { ANSWER(EXISTS) }, "EX\r\n" },
        { "ms k 1 MP C7 k c s\r\n1\r\n", { ANSWER(STORED), .version = 9, .number = 3 },
          "HD kk c9 s3\r\n" },
    };
    int c = stage_client(&stage), shard = opened(1);

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        assert_string_equal(stage_ask(&stage, c, cases[i].command), "");
        say(shard, cases[i].answer);
        expect(c, cases[i].reply);
    }
}

/* What the owner of a key is asked, and what stays here. */
static void a_meta_command_travels_with_its_options(void **state)
{
    int c = stage_client(&stage), shard = opened(1);
    struct frame f;

    (void)state;
    (void)stage_ask(&stage, c, "mg aw== b k v T30 R20 N10 E5 C7 Oo\r\n"
                               "ms k 1 F9 C7 I T30 q\r\n1\r\n"
                               "md k x F9 q\r\n"
                               "ma k MD D3 N30 J11 T40\r\n"
                               "me k\r\n");
    f = heard(shard);
    assert_int_equal(f.op, FRAME_COMMAND + VERB_GAT);
    assert_int_equal(f.key_len, 1);
    assert_memory_equal(f.key, "k", 1);
    assert_int_equal(f.options, OPTION_WIN | OPTION_COMPARE | OPTION_KEY_ENCODED | OPTION_TOKEN
                                | OPTION_VIVIFY | OPTION_RECACHE | OPTION_TTL_FIRST);
    assert_int_equal(f.version, 7);
    assert_int_equal(f.token, 5);
    assert_int_equal(f.ttl_ms, 30000);
    assert_int_equal(f.vivify_ttl_ms, 10000);
    assert_int_equal(f.recache_ttl_ms, 20000);
    f = heard(shard);
    assert_int_equal(f.op, FRAME_COMMAND + VERB_CAS);
    assert_int_equal(f.options, OPTION_INVALIDATE);
    assert_int_equal(f.version, 7);
    assert_int_equal(f.client_flags, 9);
    assert_int_equal(f.ttl_ms, 30000);
    f = heard(shard);
    assert_int_equal(f.op, FRAME_COMMAND + VERB_DELETE);
    assert_int_equal(f.options, OPTION_REMOVE_VALUE);
    assert_int_equal(f.client_flags, 9);
    f = heard(shard);
    assert_int_equal(f.op, FRAME_COMMAND + VERB_DECR);
    assert_int_equal(f.options, OPTION_VIVIFY | OPTION_TTL);
    assert_int_equal(f.number, 3);
    assert_int_equal(f.initial, 11);
    assert_int_equal(f.vivify_ttl_ms, 40000);
    assert_int_equal(f.ttl_ms, 40000);
    f = heard(shard);
    assert_int_equal(f.op, FRAME_COMMAND + VERB_GET);
    assert_int_equal(f.options, OPTION_NO_VALUE | OPTION_NO_USE);
    say(shard, (struct frame){ ANSWER(HIT), .marks = MARK_KEY_ENCODED, VALUE("v") });
    say(shard, (struct frame){ ANSWER(STORED) });
    say(shard, (struct frame){ ANSWER(DELETED) });
    say(shard, (struct frame){ ANSWER(NUMBER), .number = 11 });
    say(shard, (struct frame){ ANSWER(NOT_FOUND) });
    expect(c, "VA 1 kaw== b Oo\r\nv\r\nHD\r\nEN\r\n");
}

/* A miss is what a cache may always have; a write is told, asked to or not. */
static void a_meta_command_that_reaches_nobody_says_so(void **state)
{
    int c = stage_client(&stage);

    (void)state;
    assert_string_equal(stage_ask(&stage, c, "mg k k v\r\nmg k q\r\nme k\r\n"
                                             "md k q\r\nms k 1 q\r\n1\r\nmn\r\n"),
                        "EN kk\r\nEN\r\n"
                        "SERVER_ERROR shard s1: connection refused\r\n"
                        "SERVER_ERROR shard s1: connection refused\r\nMN\r\n");
}

static void an_answer_nobody_asked_for_closes_the_link(void **state)
{
    int shard = opened(1);

    (void)state;
    say(shard, (struct frame){ ANSWER(STORED) });
    assert_true(fake_is_closed(stage.world, shard));
}

/* memory */

/* Held while an older one is waited for, it would be too much: asked again. */
static void an_answer_too_big_to_hold_is_asked_for_again(void **state)
{
    int c = stage_client(&stage), first = opened(1), second = opened(2);
    char want[200];
    const char *all;

    (void)state;
    memset(big, 'v', sizeof(big));
    ask(c, "get %s %s %s\r\n", key_of(1, "a"), key_of(2, "b"), key_of(2, "c"));
    (void)heard(second);
    (void)heard(second);
    say(second, (struct frame){ ANSWER(HIT), BIG });
    say(second, (struct frame){ ANSWER(NOT_FOUND) });
    assert_in_range(stage.worker.pool.bytes_out, 0, SESSION_OUTPUT_PAUSE);
    say(first, (struct frame){ ANSWER(HIT), VALUE("small") });
    assert_int_equal(heard(second).op, FRAME_COMMAND + VERB_GET);
    say(second, (struct frame){ ANSWER(HIT), BIG });
    snprintf(want, sizeof(want), "VALUE %s 0 5\r\nsmall\r\nVALUE %s 0 %zu\r\n", key_of(1, "a"),
             key_of(2, "b"), sizeof(big));
    all = stage_heard(&stage, c);
    assert_memory_equal(all, want, strlen(want));
    assert_memory_equal(all + strlen(want), big, sizeof(big));
    assert_string_equal(all + strlen(want) + sizeof(big), "\r\nEND\r\n");
    assert_int_equal(stage.worker.stats.cmd_get, 3);
    assert_int_equal(stage.worker.stats.get_hits, 2);
}

/* What the first asking has changed is not changed again, and told as it was. */
static void an_mg_that_is_asked_again_tells_what_it_found_first(void **state)
{
    int c = stage_client(&stage), first = opened(1), second = opened(2);
    char want[200];
    const char *all;
    struct frame f;
    size_t len;

    (void)state;
    ask(c, "mg %s\r\nmg %s v t T60 R30 N20 h l c f Oo\r\n", key_of(1, "a"), key_of(2, "b"));
    assert_int_equal(heard(second).op, FRAME_COMMAND + VERB_GAT);
    say(second, (struct frame){ ANSWER(HIT), BIG, .marks = MARK_STALE | MARK_WIN,
                                .ttl_ms = 5000, .idle_s = 9, .version = 3 });
    say(first, (struct frame){ ANSWER(HEAD) });
    f = heard(second);
    assert_int_equal(f.op, FRAME_COMMAND + VERB_GET);
    assert_int_equal(f.options, OPTION_NO_USE);
    say(second, (struct frame){ ANSWER(HIT), BIG,
                                .marks = MARK_STALE | MARK_WON | MARK_FETCHED | MARK_TOKEN,
                                .ttl_ms = 60000, .version = 4, .token = 77, .client_flags = 2 });
    all = fake_take(stage.world, c, &len);
    snprintf(want, sizeof(want), "HD\r\nVA %zu t5 h0 l9 c77 f2 Oo X W\r\n", sizeof(big));
    assert_memory_equal(all, want, strlen(want));
    assert_int_equal(len, strlen(want) + sizeof(big) + 2);
    assert_int_equal(stage.worker.stats.cmd_touch, 1);
}

/* ... but not past a write behind it: that would show the value written later. */
static void a_big_answer_is_kept_when_a_write_follows_it(void **state)
{
    int c = stage_client(&stage), first = opened(1), second = opened(2);
    struct frame f;
    size_t len;

    (void)state;
    ask(c, "get %s %s\r\ndelete %s\r\n", key_of(1, "a"), key_of(2, "b"), key_of(2, "b"));
    (void)heard(second);
    (void)heard(second);
    say(second, (struct frame){ ANSWER(HIT), BIG });
    say(second, (struct frame){ ANSWER(DELETED) });
    say(first, (struct frame){ ANSWER(NOT_FOUND) });
    assert_false(stage_take_frame(&stage, second, &f));
    (void)fake_peek(stage.world, c, &len);
    assert_true(len > sizeof(big));
}

static void a_large_value_passes_without_a_copy(void **state)
{
    enum { LEN = 1000000 };
    int c = stage_client(&stage), shard = opened(1);
    char *value = malloc(LEN);
    struct frame f;
    size_t len;
    const char *all;

    (void)state;
    assert_non_null(value);
    memset(value, 'v', LEN);
    stage_say(&stage, c, "set k 0 0 1000000\r\n");
    fake_write(stage.world, c, value, LEN);
    fake_set_room(stage.world, shard, 100);
    (void)stage_ask(&stage, c, "\r\n");
    assert_in_range(stage.worker.pool.bytes_out, LEN, 2 * LEN + 2 * CHUNK_SIZE);
    fake_set_room(stage.world, shard, SIZE_MAX);
    stage_run(&stage, 0);
    f = heard(shard);
    assert_int_equal(f.value_len, LEN);
    assert_memory_equal(f.value, value, LEN);
    say(shard, (struct frame){ ANSWER(STORED) });
    expect(c, "STORED\r\n");
    assert_int_equal(stage.worker.pool.bytes_out, 0);
    (void)stage_ask(&stage, c, "get k\r\n");
    say(shard, (struct frame){ ANSWER(HIT), .value = value, .value_len = LEN });
    all = fake_take(stage.world, c, &len);
    assert_int_equal(len, 19 + LEN + 7);        /* VALUE line, value, END */
    assert_memory_equal(all + 19, value, LEN);
    assert_int_equal(stage.worker.pool.bytes_out, 0);
    free(value);
}

static void a_value_that_is_too_large_removes_the_old_one(void **state)
{
    int c = stage_client(&stage), shard = opened(1);

    (void)state;
    stage.config.max_item_bytes = 10;
    assert_string_equal(stage_ask(&stage, c, "set k 0 0 11\r\nhello world\r\n"), "");
    assert_int_equal(heard(shard).op, FRAME_COMMAND + VERB_DELETE);
    say(shard, (struct frame){ ANSWER(NOT_FOUND) });
    expect(c, "SERVER_ERROR object too large for cache\r\n");
    assert_string_equal(stage_ask(&stage, c, "add k 0 0 11\r\nhello world\r\n"),
                        "SERVER_ERROR object too large for cache\r\n");
}

/* the whole cluster */

static void a_flush_asks_all_for_the_time_and_then_goes(void **state)
{
    int c = stage_client(&stage), first = opened(1), second = opened(2);
    struct frame f;

    (void)state;
    assert_string_equal(stage_ask(&stage, c, "flush_all\r\nversion\r\n"), "");
    assert_int_equal(heard(first).op, FRAME_CLOCK);
    assert_int_equal(heard(second).op, FRAME_CLOCK);
    say(first, (struct frame){ .op = FRAME_DONE, .version = 700 });
    assert_false(stage_take_frame(&stage, first, &f));
    say(second, (struct frame){ .op = FRAME_DONE, .version = 500 });
    f = heard(first);
    assert_int_equal(f.op, FRAME_FLUSH);
    /* ahead of all, as what is changed meanwhile grows out of old values */
    assert_int_equal(f.version, version_after(700, 300));
    assert_int_equal(heard(second).version, f.version);
    say(first, (struct frame){ .op = FRAME_DONE });
    expect(c, "");
    say(second, (struct frame){ .op = FRAME_DONE });
    assert_memory_equal(stage_heard(&stage, c), "OK\r\nVERSION ", 12);
}

/* Copies refuse what is far ahead of them. */
static void flushes_in_a_row_do_not_run_away_from_the_wall(void **state)
{
    int c = stage_client(&stage), first = opened(1), second = opened(2);
    const int64_t wall_ms = worker_wall(&stage.worker);
    uint64_t latest = version_after(0, wall_ms - version_wall_ms(0));

    (void)state;
    for (int i = 0; i < 100; i++) {
        assert_string_equal(stage_ask(&stage, c, "flush_all\r\n"), "");
        say(first, (struct frame){ .op = FRAME_DONE, .version = latest });
        say(second, (struct frame){ .op = FRAME_DONE, .version = latest });
        assert_int_equal(heard(first).op, FRAME_CLOCK);
        assert_int_equal(heard(second).op, FRAME_CLOCK);
        latest = heard(first).version;
        assert_int_equal(heard(second).version, latest);
        say(first, (struct frame){ .op = FRAME_DONE });
        say(second, (struct frame){ .op = FRAME_DONE });
        expect(c, "OK\r\n");
    }
    assert_in_range(version_wall_ms(latest), wall_ms + 300, wall_ms + 2000);
}

static void a_flush_that_a_shard_did_not_hear_of_says_so(void **state)
{
    int c = stage_client(&stage), first = opened(1), second = opened(2);

    (void)state;
    (void)stage_ask(&stage, c, "flush_all\r\n");
    say(first, (struct frame){ .op = FRAME_DONE, .version = 700 });
    close_far(second);
    stage_run(&stage, 0);
    say(first, (struct frame){ .op = FRAME_DONE });
    expect(c, "SERVER_ERROR shard s2: connection lost\r\n");
}

/* What is open while the members change is told, and nothing else is touched. */
static void a_map_that_moves_members_fails_what_is_open_on_the_old_links(void **state)
{
    int c = stage_client(&stage), d = stage_client(&stage), first = opened(1);

    (void)state;
    (void)opened(2);
    ask(c, "delete %s\r\ndelete %s\r\n", key_of(1, "a"), key_of(2, "b"));
    ask(d, "flush_all\r\n");
    (void)heard(first);
    say(first, (struct frame){ ANSWER(DELETED) });
    expect(c, "DELETED\r\n");
    say(first, (struct frame){ .op = FRAME_DONE, .version = 700 });     /* one of two clocks */
    change_map();
    expect(c, "SERVER_ERROR shard s2: the map has changed, outcome unknown\r\n");
    expect(d, "SERVER_ERROR shard s1: the map has changed\r\n");
}

/* The answer was there, but too big; when its turn comes its link is another's. */
static void an_answer_to_be_asked_again_under_a_new_map_is_a_miss(void **state)
{
    int c = stage_client(&stage), second;

    (void)state;
    (void)opened(1);
    second = opened(2);
    ask(c, "get %s %s\r\n", key_of(1, "a"), key_of(2, "b"));
    say(second, (struct frame){ ANSWER(HIT), BIG });
    change_map();
    expect(c, "END\r\n");
}

/* Its first frame is given back by then, and its key with it. */
static void an_mg_that_nobody_can_be_asked_again_still_has_its_key(void **state)
{
    int c = stage_client(&stage), second;
    char want[50];

    (void)state;
    (void)opened(1);
    second = opened(2);
    ask(c, "mg %s\r\nmg %s v k\r\n", key_of(1, "a"), key_of(2, "b"));
    say(second, (struct frame){ ANSWER(HIT), BIG });
    change_map();
    snprintf(want, sizeof(want), "EN\r\nEN k%s\r\n", key_of(2, "b"));
    expect(c, want);
}

/* What is sent after the answer was thrown away must wait for the second one. */
static void nothing_overtakes_a_get_that_is_asked_again(void **state)
{
    int c = stage_client(&stage), first = opened(1), second = opened(2);
    struct frame f;

    (void)state;
    ask(c, "get %s %s\r\n", key_of(1, "a"), key_of(2, "b"));
    (void)heard(second);
    say(second, (struct frame){ ANSWER(HIT), BIG });
    ask(c, "delete %s\r\nflush_all\r\n", key_of(2, "b"));
    assert_false(stage_take_frame(&stage, second, &f));
    say(first, (struct frame){ ANSWER(NOT_FOUND) });
    assert_int_equal(heard(second).op, FRAME_COMMAND + VERB_GET);
    assert_int_equal(heard(second).op, FRAME_COMMAND + VERB_DELETE);
    say(second, (struct frame){ ANSWER(HIT), BIG });
}

static void it_ends_with_a_flush_between_its_rounds(void **state)
{
    int c = stage_client(&stage), first = opened(1);

    (void)state;
    (void)opened(2);
    (void)stage_ask(&stage, c, "flush_all\r\n");
    say(first, (struct frame){ .op = FRAME_DONE, .version = 700 });
    /* tear_down() fails the second shard's link, and so begins the second round */
}

static void it_ends_with_requests_in_flight(void **state)
{
    int c = stage_client(&stage), d = stage_client(&stage), first = opened(1);

    (void)state;
    (void)opened(2);
    ask(c, "get %s %s\r\n", key_of(2, "b"), key_of(1, "a"));
    ask(d, "stats\r\n");
    say(first, (struct frame){ ANSWER(HIT), VALUE("held") });
    /* tear_down() sees whether all is given back */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(equal_maps_open_the_link, one_shard),
        TEST(a_shard_with_an_older_map_is_sent_ours, one_shard),
        TEST(a_newer_map_is_asked_for_and_gone_by, one_shard),
        TEST(a_refusal_is_told_to_clients_in_its_words, one_shard),
        TEST(a_newer_map_is_a_reason_to_try_again_at_once, one_shard),
        TEST(another_shard_at_the_address_is_not_taken, one_shard),
        TEST(who_speaks_something_else_is_left, one_shard),
        TEST(a_shard_that_does_not_greet_is_given_up, one_shard),
        TEST(requests_wait_for_the_first_connect_only, one_shard),
        TEST(the_first_connect_is_not_waited_for_for_ever, one_shard),
        TEST(nobody_there_is_said_at_once, no_shard_there),
        TEST(it_tries_again_less_and_less_often, no_shard_there),
        TEST(a_local_shard_is_reached_by_its_unix_socket, no_shard_there),
        TEST(many_requests_leave_with_one_send, one_shard),
        TEST(answers_of_two_shards_leave_in_the_order_asked, two_shards),
        TEST(answers_may_be_cut_anywhere, one_shard),
        TEST(a_client_that_is_gone_disturbs_nobody, one_shard),
        TEST(a_lost_link_tells_what_may_have_happened, one_shard),
        TEST(a_frame_that_left_in_part_is_unknown, one_shard),
        TEST(a_silent_shard_is_given_up, one_shard),
        TEST(a_shard_that_answers_slowly_but_does_is_kept, one_shard),
        TEST(a_shard_that_is_still_sending_is_not_silent, one_shard),
        TEST(a_shard_that_sends_for_ever_is_given_up, one_shard),
        TEST(a_shard_that_is_still_taking_a_value_is_not_silent, one_shard),
        TEST(commands_behind_the_oldest_are_no_sign_of_life, one_shard),
        TEST(a_full_queue_is_said_at_once, one_shard),
        TEST(a_newer_map_is_said_however_full_the_queue_is, one_shard),
        TEST(nonsense_closes_the_link_and_harms_no_client, one_shard),
        TEST(nonsense_closes_a_link_that_goes_by_no_map, one_shard),
        TEST(options_make_other_answers_possible, one_shard),
        TEST(a_meta_command_travels_with_its_options, one_shard),
        TEST(a_meta_command_that_reaches_nobody_says_so, no_shard_there),
        TEST(an_answer_nobody_asked_for_closes_the_link, one_shard),
        TEST(an_answer_too_big_to_hold_is_asked_for_again, two_shards),
        TEST(an_mg_that_is_asked_again_tells_what_it_found_first, two_shards),
        TEST(a_big_answer_is_kept_when_a_write_follows_it, two_shards),
        TEST(a_large_value_passes_without_a_copy, one_shard),
        TEST(a_value_that_is_too_large_removes_the_old_one, one_shard),
        TEST(a_flush_asks_all_for_the_time_and_then_goes, two_shards),
        TEST(flushes_in_a_row_do_not_run_away_from_the_wall, two_shards),
        TEST(a_flush_that_a_shard_did_not_hear_of_says_so, two_shards),
        TEST(a_map_that_moves_members_fails_what_is_open_on_the_old_links, two_shards),
        TEST(an_answer_to_be_asked_again_under_a_new_map_is_a_miss, two_shards),
        TEST(an_mg_that_nobody_can_be_asked_again_still_has_its_key, two_shards),
        TEST(nothing_overtakes_a_get_that_is_asked_again, two_shards),
        TEST(it_ends_with_requests_in_flight, two_shards),
        TEST(it_ends_with_a_flush_between_its_rounds, two_shards),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
