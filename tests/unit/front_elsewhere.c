#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cluster/relay.h"
#include "front_help.h"
#include "wire/events.h"

#define TICK_MS 100             /* so often shards are asked */
#define FETCHERS (1u << STREAM_FETCHERS)
#define MUTATIONS (1u << STREAM_MUTATIONS)
#define CONNEVENTS (1u << STREAM_CONNEVENTS)

static int front_of_two(void **state)
{
    two_shards(state);
    cluster_set_incarnation(stage.cluster, 2);  /* whose first choice is s1 */
    stage.front.config.watch = true;
    return 0;
}

/* Front and shard in one, alone; the test is another front. */
static int both(void **state)
{
    (void)state;
    stage_init(&stage, &front_handler);
    map = stage_map(1, 1);
    stage_add_both(&stage);
    cluster_set_incarnation(stage.cluster, 2);
    stage.front.config.watch = true;
    return 0;
}

/* What a shard answers, or a front tells: one event. */
static struct frame event(enum frame_op op, enum stream stream, const char *line, uint64_t missed)
{
    static char value[200];
    char *end = events_put_head(value, stream, strlen(line));

    memcpy(end, line, strlen(line));
    return (struct frame){ .op = (uint8_t)op, .version = missed, .value = value,
                           .value_len = (size_t)(end - value) + strlen(line) };
}

static void assert_asked(int shard, unsigned streams)
{
    const struct frame f = heard(shard);

    assert_int_equal(f.op, FRAME_WATCH);
    assert_int_equal(f.st, streams);
}

static void assert_silent(int shard)
{
    struct frame f;

    assert_false(stage_take_frame(&stage, shard, &f));
    assert_false(fake_is_closed(stage.world, shard));
}

static void answer(int shard, const char *lines, uint64_t missed)
{
    say(shard, *lines != '\0' ? event(FRAME_DONE, STREAM_FETCHERS, lines, missed)
                              : (struct frame){ .op = FRAME_DONE, .version = missed });
}

/* A shard tells that other fronts want these. */
static void want(int shard, unsigned streams)
{
    say(shard, (struct frame){ .op = FRAME_WATCHED, .st = (uint8_t)streams });
    stage_run(&stage, TICK_MS);
}

/* A get that the shard answers as a miss. */
static void get(int client, int shard, unsigned i)
{
    struct frame f;

    ask(client, "get %s\r\n", key_of(i, "k"));
    f = heard(shard);
    assert_int_equal(f.op, FRAME_COMMAND + VERB_GET);
    say(shard, (struct frame){ ANSWER(NOT_FOUND) });
    expect(client, "END\r\n");
}

static void assert_event_of(const struct frame *f, const char *what)
{
    const size_t len = strlen(what);
    struct event e;
    size_t pos = 0;

    assert_int_equal(f->op, FRAME_EVENTS);
    assert_true(events_next(f->value, f->value_len, &pos, &e));
    assert_int_equal(e.stream, STREAM_FETCHERS);
    assert_int_equal(pos, f->value_len);
    assert_memory_equal(e.line, "ts=", 3);
    assert_true(e.len > len);
    assert_memory_equal(e.line + e.len - len, what, len);
}

/* ---- a watcher here ---- */

static void shards_are_asked_as_long_as_somebody_watches(void **state)
{
    int c, first = opened(1), second = opened(2);

    (void)state;
    stage_run(&stage, 3 * TICK_MS);
    assert_silent(first);
    c = stage_client(&stage);
    assert_string_equal(stage_ask(&stage, c, "watch fetchers connevents\r\n"), "OK\r\n");
    assert_asked(first, FETCHERS | CONNEVENTS);
    assert_asked(second, FETCHERS | CONNEVENTS);
    answer(first, "", 0);
    assert_silent(first);
    stage_run(&stage, TICK_MS);
    assert_asked(first, FETCHERS | CONNEVENTS);
    assert_silent(second);                      /* it owes an answer */
    answer(second, "", 0);
    answer(first, "", 0);
    close_far(c);
    stage_run(&stage, TICK_MS);
    assert_asked(first, 0);                     /* that it hears */
    assert_asked(second, 0);
    answer(first, "", 0);
    stage_run(&stage, 3 * TICK_MS);
    assert_silent(first);
    assert_silent(second);
}

static void what_other_fronts_say_comes_to_who_wants_it(void **state)
{
    int c = stage_client(&stage), deaf = stage_client(&stage), first = opened(1);
    int second = opened(2);

    (void)state;
    (void)stage_ask(&stage, c, "watch\r\n");
    (void)stage_ask(&stage, deaf, "watch deletions\r\n");
    answer(first, "ts=1 type=item_get front=f2\n", 0);
    expect(c, "ts=1 type=item_get front=f2\n");
    stage_run(&stage, TICK_MS);
    answer(first, "one\n", 0);
    answer(second, "two\n", 7);                 /* seven after it found no room */
    expect(c, "one\ntwo\n");
    stage_run(&stage, TICK_MS);
    answer(first, "three\n", 0);
    expect(c, "skipped=7\nthree\n");
    expect(deaf, "");
}

static void a_hostile_shard_tells_watchers_nothing_but_lines(void **state)
{
    static const char garbage[] = "\0\2\0\033\n" "\0\3\0ok\n" "\4\2\0e\n" "\0\377\377b\n";
    int c = stage_client(&stage), shard = opened(1);

    (void)state;
    (void)opened(2);
    (void)stage_ask(&stage, c, "watch fetchers evictions\r\n");
    assert_int_equal(heard(shard).op, FRAME_EVICTIONS);
    say(shard, (struct frame){ .op = FRAME_DONE, .version = 1 });
    say(shard, (struct frame){ .op = FRAME_DONE, VALUE(garbage) });
    expect(c, "ok\n");
    assert_false(fake_is_closed(stage.world, shard));
}

/* No honest shard has more for it. */
static void a_page_is_told_whole_and_a_longer_one_not_at_all(void **state)
{
    static char page[RELAY_PAGE + 1];
    char *end = page;
    int c = stage_client(&stage), shard = opened(1);

    (void)state;
    (void)opened(2);
    (void)stage_ask(&stage, c, "watch\r\n");
    for (unsigned i = 0; i < RELAY_PAGE / 128; i++) {
        end = events_put_head(end, STREAM_FETCHERS, 125);
        memset(end, 'x', 124);
        end[124] = '\n';
        end += 125;
    }
    say(shard, (struct frame){ .op = FRAME_DONE, .value = page, .value_len = RELAY_PAGE });
    assert_int_equal(strlen(stage_heard(&stage, c)), RELAY_PAGE / 128 * 125);
    stage_run(&stage, TICK_MS);
    say(shard, (struct frame){ .op = FRAME_DONE, .value = page, .value_len = RELAY_PAGE + 1 });
    expect(c, "");
    stage_run(&stage, TICK_MS);
    answer(shard, "next\n", 0);
    expect(c, "next\n");
}

static void a_shard_that_does_not_know_of_it_is_not_asked(void **state)
{
    int c = stage_client(&stage), old = greeted(1), other = opened(2);
    struct hello h = stage_hello(&stage, "s1", map);

    (void)state;
    h.most = HELLO_EVENTS - 1;
    stage_send_hello(&stage, old, &h);
    stage_run(&stage, 0);
    (void)stage_ask(&stage, c, "watch fetchers\r\n");
    stage_run(&stage, TICK_MS);
    assert_asked(other, FETCHERS);
    assert_silent(old);
    want(other, FETCHERS);
    get(stage_client(&stage), old, 1);
    stage_run(&stage, 2 * TICK_MS);
    assert_silent(old);
    (void)heard(other);
}

static void a_new_map_disturbs_nothing(void **state)
{
    int c = stage_client(&stage), shard = opened(1);

    (void)state;
    (void)opened(2);
    (void)stage_ask(&stage, c, "watch\r\n");
    assert_asked(shard, FETCHERS);
    assert_int_equal(cluster_adopt(stage.cluster, stage_map(2, 2)), ADOPTED);
    front_seen(&stage.front);
    stage_run(&stage, 0);
    assert_int_equal(heard(shard).op, FRAME_MAP);
    answer(shard, "asked for before\n", 0);
    say(shard, (struct frame){ .op = FRAME_DONE, .version = 2 });
    expect(c, "asked for before\n");
    stage_run(&stage, TICK_MS);
    assert_asked(shard, FETCHERS);
}

/* ---- watchers at other fronts ---- */

static void what_others_want_goes_to_one_shard(void **state)
{
    int c = stage_client(&stage), first = opened(1), second = opened(2);
    struct frame f;

    (void)state;
    get(c, second, 2);
    want(first, FETCHERS);
    want(second, FETCHERS);
    assert_silent(first);                       /* what was before is over */
    get(c, second, 2);
    stage_run(&stage, TICK_MS);
    f = heard(first);
    assert_event_of(&f, " size=0 front=front\n");
    assert_int_equal(f.version, 0);
    assert_silent(first);
    assert_silent(second);
    assert_int_equal(stage.worker.stats.events_relayed, 1);
}

static void only_what_is_wanted_is_sent_and_only_while_it_is(void **state)
{
    int c = stage_client(&stage), first = opened(1), second = opened(2);

    (void)state;
    want(second, MUTATIONS);
    get(c, second, 2);
    stage_run(&stage, TICK_MS);
    assert_silent(first);
    want(second, FETCHERS | MUTATIONS);
    get(c, second, 2);
    stage_run(&stage, TICK_MS);
    assert_int_equal(heard(first).op, FRAME_EVENTS);
    want(second, 0);
    get(c, second, 2);
    stage_run(&stage, TICK_MS);
    assert_silent(first);
    assert_int_equal(stage.front.streams, 0);
    want(second, FETCHERS);
    assert_int_equal(stage.front.streams, FETCHERS);
    close_far(second);                          /* who wanted it may be gone, too */
    stage_run(&stage, TICK_MS);
    assert_int_equal(stage.front.streams, 0);
}

/* Of one turn that has lines of others, too. */
static void what_is_watched_here_alone_stays_here(void **state)
{
    int c = stage_client(&stage), watcher = stage_client(&stage);
    int first = opened(1), second = opened(2);
    struct frame f;

    (void)state;
    want(second, FETCHERS);
    (void)stage_ask(&stage, watcher, "watch mutations\r\n");
    assert_asked(first, MUTATIONS);
    answer(first, "", 0);
    assert_asked(second, MUTATIONS);
    answer(second, "", 0);
    ask(c, "set %s 0 0 0\r\n\r\nget %s\r\n", key_of(2, "k"), key_of(2, "k"));
    assert_int_equal(heard(second).op, FRAME_COMMAND + VERB_SET);
    stage_send_frame(&stage, second, &(struct frame){ ANSWER(STORED), .version = 1 });
    say(second, (struct frame){ ANSWER(NOT_FOUND) });
    expect(c, "STORED\r\nEND\r\n");
    assert_non_null(strstr(stage_heard(&stage, watcher), "type=item_store"));
    stage_run(&stage, TICK_MS);
    f = heard(first);
    assert_event_of(&f, " size=0 front=front\n");
    assert_int_equal(f.version, 0);
}

static void where_the_first_shard_is_gone_the_next_one_hears(void **state)
{
    int c = stage_client(&stage), first = opened(1), second = opened(2);
    struct frame f;

    (void)state;
    want(second, FETCHERS);
    close_far(first);
    stage_run(&stage, 0);
    get(c, second, 2);
    stage_run(&stage, TICK_MS);
    f = heard(second);
    assert_event_of(&f, " size=0 front=front\n");
}

/* A watcher of the own front hears directly, and once. */
static void who_watches_at_both_hears_once(void **state)
{
    int c = stage_client(&stage), watcher = stage_client(&stage);
    int first = opened(1), second = opened(2);
    const char *line;

    (void)state;
    want(second, FETCHERS);
    (void)stage_ask(&stage, watcher, "watch\r\n");
    assert_asked(first, FETCHERS);
    assert_asked(second, FETCHERS);
    answer(first, "", 0);
    answer(second, "", 0);
    get(c, second, 2);
    line = stage_heard(&stage, watcher);
    assert_memory_equal(line, "ts=", 3);
    assert_string_equal(strchr(line, '\n'), "\n");
    assert_null(strstr(line, "front="));
    stage_run(&stage, TICK_MS);
    assert_int_equal(heard(first).op, FRAME_EVENTS);
    assert_asked(first, FETCHERS);
}

/* More than a shard keeps is not sent, but counted. */
static void what_is_sent_is_bounded(void **state)
{
    int c = stage_client(&stage), first = opened(1), second = opened(2);
    size_t bytes = 0, n = 0;
    uint64_t missed = 0;
    struct frame f;

    (void)state;
    want(second, FETCHERS);
    for (unsigned i = 0; i < 1000; i++) {
        char line[40];

        snprintf(line, sizeof(line), "get %s\r\n", key_of(2, "k"));
        stage_say(&stage, c, line);
        stage_run(&stage, 0);
        while (stage_take_frame(&stage, second, &f))
            say(second, (struct frame){ ANSWER(NOT_FOUND) });
    }
    (void)stage_heard(&stage, c);
    get(c, second, 2);
    stage_run(&stage, TICK_MS);
    get(c, second, 2);
    stage_run(&stage, TICK_MS);
    while (stage_take_frame(&stage, first, &f)) {
        struct event e;

        bytes += f.value_len;
        missed += f.version;
        for (size_t pos = 0; events_next(f.value, f.value_len, &pos, &e);)
            n++;
    }
    assert_true(bytes > RELAY_PAGE / 2 && bytes < RELAY_PAGE + 500);
    assert_true(missed > 0);
    assert_int_equal(n + missed, 1002);
    assert_int_equal(stage.worker.stats.events_relayed, n);
}

/* It comes between an answer and the next one. */
static void what_is_wanted_may_be_said_at_any_time(void **state)
{
    int c = stage_client(&stage), shard = opened(1);

    (void)state;
    (void)opened(2);
    ask(c, "get %s\r\n", key_of(1, "k"));
    want(shard, FETCHERS);
    assert_int_equal(heard(shard).op, FRAME_COMMAND + VERB_GET);
    say(shard, (struct frame){ ANSWER(NOT_FOUND) });
    expect(c, "END\r\n");
    want(shard, 0xff);                          /* streams that nobody knows */
    assert_int_equal(stage.front.streams, STREAMS_OF_FRONTS);
}

static void who_does_not_know_of_it_cannot_say_it(void **state)
{
    int old = greeted(1);
    struct hello h = stage_hello(&stage, "s1", map);

    (void)state;
    h.most = HELLO_EVENTS - 1;
    stage_send_hello(&stage, old, &h);
    stage_run(&stage, 0);
    say(old, (struct frame){ .op = FRAME_WATCHED, .st = FETCHERS });
    assert_true(fake_is_closed(stage.world, old));
    assert_int_equal(stage.front.streams, 0);
}

/* ---- a front that is a shard as well ---- */

static int other_front(void)
{
    int peer = stage_peer(&stage);
    struct hello h = stage_hello(&stage, "f2", map);

    h.incarnation = 3;
    stage_send_hello(&stage, peer, &h);
    stage_run(&stage, 0);
    assert_int_equal(heard(peer).op, FRAME_HELLO);
    return peer;
}

static struct frame ask_for_fetchers(int peer)
{
    say(peer, (struct frame){ .op = FRAME_WATCH, .st = FETCHERS });
    return heard(peer);
}

static void its_own_shard_hands_on_what_its_clients_do(void **state)
{
    int c = stage_client(&stage), peer = other_front();
    struct frame f;
    struct event e;
    size_t pos = 0;

    (void)state;
    assert_int_equal(ask_for_fetchers(peer).value_len, 0);
    stage_run(&stage, 2 * TICK_MS);
    assert_string_equal(stage_ask(&stage, c, "get k\r\n"), "END\r\n");
    f = ask_for_fetchers(peer);
    assert_true(events_next(f.value, f.value_len, &pos, &e));
    assert_int_equal(pos, f.value_len);
    assert_memory_equal(e.line + e.len - 17, " size=0 front=s1\n", 17);
}

static void its_watchers_hear_what_its_shard_is_told(void **state)
{
    int watcher = stage_client(&stage), c = stage_client(&stage), peer = other_front();
    const char *line;

    (void)state;
    assert_string_equal(stage_ask(&stage, watcher, "watch\r\n"), "OK\r\n");
    stage_run(&stage, TICK_MS);
    assert_int_equal(heard(peer).op, FRAME_WATCHED);
    say(peer, event(FRAME_EVENTS, STREAM_FETCHERS, "of f2\n", 0));
    assert_string_equal(stage_ask(&stage, c, "get k\r\n"), "END\r\n");
    stage_run(&stage, 2 * TICK_MS);
    line = stage_heard(&stage, watcher);
    assert_memory_equal(line, "ts=", 3);
    assert_string_equal(strchr(line, '\n'), "\nof f2\n");
    close_far(watcher);
    stage_run(&stage, 2 * TICK_MS);
    assert_int_equal(heard(peer).st, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(shards_are_asked_as_long_as_somebody_watches, front_of_two),
        TEST(what_other_fronts_say_comes_to_who_wants_it, front_of_two),
        TEST(a_hostile_shard_tells_watchers_nothing_but_lines, front_of_two),
        TEST(a_page_is_told_whole_and_a_longer_one_not_at_all, front_of_two),
        TEST(a_shard_that_does_not_know_of_it_is_not_asked, front_of_two),
        TEST(a_new_map_disturbs_nothing, front_of_two),
        TEST(what_others_want_goes_to_one_shard, front_of_two),
        TEST(only_what_is_wanted_is_sent_and_only_while_it_is, front_of_two),
        TEST(what_is_watched_here_alone_stays_here, front_of_two),
        TEST(where_the_first_shard_is_gone_the_next_one_hears, front_of_two),
        TEST(who_watches_at_both_hears_once, front_of_two),
        TEST(what_is_sent_is_bounded, front_of_two),
        TEST(what_is_wanted_may_be_said_at_any_time, front_of_two),
        TEST(who_does_not_know_of_it_cannot_say_it, front_of_two),
        TEST(its_own_shard_hands_on_what_its_clients_do, both),
        TEST(its_watchers_hear_what_its_shard_is_told, both),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
