#include "shard_help.h"

#include "cluster/relay.h"
#include "wire/events.h"

#define LOOK_MS 100             /* so often fronts are told what is wanted */
#define FETCHERS (1u << STREAM_FETCHERS)
#define DELETIONS (1u << STREAM_DELETIONS)

/* One event, "LETTER\n". */
static void tell(int peer, enum stream stream, char letter)
{
    char value[EVENT_HEAD + 2], *end = events_put_head(value, stream, 2);

    end[0] = letter;
    end[1] = '\n';
    stage_send_frame(&stage, peer, &(struct frame){ .op = FRAME_EVENTS, VALUE("") });
    stage_send_frame(&stage, peer, &(struct frame){ .op = FRAME_EVENTS, .value = value,
                                                    .value_len = sizeof(value), .version = 1 });
    stage_run(&stage, 0);
}

/* What is answered: "LETTER LETTER...", and how many more there were. */
static void assert_told(int peer, unsigned streams, const char *letters, uint64_t missed)
{
    const struct frame f = ask(peer, (struct frame){ .op = FRAME_WATCH, .st = (uint8_t)streams });
    struct event e;
    size_t pos = 0;

    assert_int_equal(f.op, FRAME_DONE);
    assert_int_equal(f.version, missed);
    for (; *letters != '\0'; letters++) {
        assert_true(events_next(f.value, f.value_len, &pos, &e));
        assert_int_equal(e.line[0], *letters);
    }
    assert_int_equal(pos, f.value_len);
}

static void assert_silent(int peer)
{
    struct frame f;

    assert_false(stage_take_frame(&stage, peer, &f));
    assert_false(fake_is_closed(stage.world, peer));
}

static void assert_wanted(int peer, unsigned streams)
{
    struct frame f;

    stage_run(&stage, LOOK_MS);
    assert_true(stage_take_frame(&stage, peer, &f));
    assert_int_equal(f.op, FRAME_WATCHED);
    assert_int_equal(f.st, streams);
    assert_silent(peer);
}

static void what_one_front_tells_comes_to_the_other(void **state)
{
    int watcher = open_peer_of("f1", 1), other = open_peer_of("f2", 2);

    (void)state;
    tell(other, STREAM_FETCHERS, 'x');          /* nobody wants it yet */
    assert_told(watcher, FETCHERS, "", 0);
    tell(other, STREAM_FETCHERS, 'a');
    tell(other, STREAM_DELETIONS, 'b');
    tell(watcher, STREAM_FETCHERS, 'y');        /* its own */
    assert_told(watcher, FETCHERS, "a", 2);
    assert_silent(other);                       /* what it tells has no answer */
}

static void who_tells_more_than_can_be_kept_is_closed(void **state)
{
    static char value[RELAY_PAGE + 1];
    struct frame f = { .op = FRAME_EVENTS, .value = value, .value_len = RELAY_PAGE };
    int peer = open_peer();

    (void)state;
    stage_send_frame(&stage, peer, &f);
    stage_run(&stage, 0);
    assert_silent(peer);
    f.value_len++;
    stage_send_frame(&stage, peer, &f);
    stage_run(&stage, 0);
    assert_true(fake_is_closed(stage.world, peer));
}

static void fronts_are_told_what_others_want_when_that_changes(void **state)
{
    int watcher = open_peer_of("f1", 1), thread = open_peer_of("f1", 1);
    int other = open_peer_of("f2", 2), late;

    (void)state;
    stage_run(&stage, 3 * LOOK_MS);
    assert_silent(other);
    assert_told(watcher, FETCHERS, "", 0);
    assert_wanted(other, FETCHERS);
    assert_silent(watcher);                     /* what it wants it knows */
    assert_silent(thread);
    assert_told(watcher, FETCHERS | DELETIONS, "", 0);
    late = open_peer_of("f3", 3);
    assert_wanted(other, FETCHERS | DELETIONS);
    assert_wanted(late, FETCHERS | DELETIONS);
    stage_run(&stage, 3 * LOOK_MS);
    assert_silent(other);
    assert_told(watcher, 0, "", 0);
    assert_wanted(other, 0);
    assert_wanted(late, 0);
}

static void a_front_that_is_gone_or_silent_wants_nothing(void **state)
{
    int watcher = open_peer_of("f1", 1), frozen = open_peer_of("f2", 2);
    int other = open_peer_of("f3", 3);

    (void)state;
    assert_told(watcher, FETCHERS, "", 0);
    assert_told(frozen, DELETIONS, "", 0);
    assert_wanted(other, FETCHERS | DELETIONS);
    stage.world->ops->close(stage.world, watcher);
    assert_wanted(other, DELETIONS);
    stage_run(&stage, RELAY_MS);
    assert_wanted(other, 0);
}

/* Who would not know what that is: other kinds of members, older ones, and those that
 * have not agreed on a map yet. */
static void only_who_knows_of_it_is_told(void **state)
{
    int watcher = open_peer_of("f1", 1), old = stage_peer(&stage), young = stage_peer(&stage);
    int shard = open_peer_of("s2", 0);
    struct hello h = stage_hello(&stage, "f2", map);
    struct frame f;

    (void)state;
    h.most = HELLO_EVENTS - 1;
    assert_true(greet(old, &h, &f));
    (void)tell_map(old);
    h.most = HELLO_MOST;
    h.epoch = 0;
    assert_true(greet(young, &h, &f));
    assert_told(watcher, FETCHERS, "", 0);
    stage_run(&stage, 2 * LOOK_MS);
    assert_silent(old);
    assert_silent(shard);
    assert_silent(young);
    (void)tell_map(young);
    assert_wanted(young, FETCHERS);
}

/* It is told when it reads again, between two answers. */
static void a_front_that_does_not_read_is_told_later(void **state)
{
    int watcher = open_peer_of("f1", 1), slow = open_peer_of("f2", 2);
    struct frame f;

    (void)state;
    (void)ask(slow, (struct frame){ COMMAND(SET), KEY("k"), VALUE("0123456789") });
    fake_set_room(stage.world, slow, 5);
    for (unsigned i = 0; i < 3; i++)
        stage_send_frame(&stage, slow, &(struct frame){ COMMAND(GET), KEY("k") });
    stage_run(&stage, 0);
    assert_told(watcher, FETCHERS, "", 0);
    stage_run(&stage, LOOK_MS);
    assert_told(watcher, FETCHERS, "", 0);
    fake_set_room(stage.world, slow, SIZE_MAX);
    stage_run(&stage, 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(stage_take_frame(&stage, slow, &f));
        assert_int_equal(f.op, FRAME_ANSWER);
        assert_true(is_value(&f, "0123456789"));
    }
    assert_wanted(slow, FETCHERS);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_one_front_tells_comes_to_the_other),
        TEST(who_tells_more_than_can_be_kept_is_closed),
        TEST(fronts_are_told_what_others_want_when_that_changes),
        TEST(a_front_that_is_gone_or_silent_wants_nothing),
        TEST(only_who_knows_of_it_is_told),
        TEST(a_front_that_does_not_read_is_told_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
