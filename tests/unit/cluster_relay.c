#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "cluster/relay.h"
#include "wire/events.h"

#define FETCHERS (1u << STREAM_FETCHERS)
#define MUTATIONS (1u << STREAM_MUTATIONS)
#define DELETIONS (1u << STREAM_DELETIONS)

/* Three fronts: processes 1 to 3. */
static struct relay *relay;
static struct follower *first, *second;
static int64_t now_ms;

static int set_up(void **state)
{
    (void)state;
    now_ms = 1000;
    relay = relay_new();
    assert_non_null(relay);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    relay_leave(relay, &first);
    relay_leave(relay, &second);
    relay_free(relay);
    return 0;
}

/* The letters of the lines that came, and how many more there were. */
static const char *asked(struct follower **mine, uint64_t process, unsigned streams)
{
    static char page[RELAY_PAGE], told[200];
    uint64_t missed;
    const size_t len = relay_ask(relay, mine, process, streams, now_ms, page, &missed);
    char *out = told;
    struct event e;
    size_t pos = 0;

    while (events_next(page, len, &pos, &e))
        *out++ = e.line[0];
    assert_int_equal(pos, len);
    snprintf(out, (size_t)(told + sizeof(told) - out), "%s%.0d", missed > 0 ? "+" : "",
             (int)missed);
    return told;
}

static void add(uint64_t process, enum stream stream, const char *letters, uint64_t missed)
{
    char data[200], *end = data;

    for (; *letters != '\0'; letters++) {
        end = events_put_head(end, stream, 2);
        *end++ = *letters;
        *end++ = '\n';
    }
    relay_add(relay, process, data, (size_t)(end - data), missed);
}

static void a_follower_hears_what_others_do_from_its_first_moment_on(void **state)
{
    (void)state;
    add(2, STREAM_FETCHERS, "x", 0);
    assert_string_equal(asked(&first, 1, FETCHERS), "");
    add(2, STREAM_FETCHERS, "ab", 0);
    add(1, STREAM_FETCHERS, "y", 0);            /* its own it knows */
    add(3, STREAM_FETCHERS, "c", 0);
    assert_string_equal(asked(&first, 1, FETCHERS), "abc");
    assert_string_equal(asked(&first, 1, FETCHERS), "");
}

static void two_followers_hear_each_other_and_each_event_once(void **state)
{
    (void)state;
    (void)asked(&first, 1, FETCHERS);
    (void)asked(&second, 2, FETCHERS);
    add(1, STREAM_FETCHERS, "a", 0);
    add(2, STREAM_FETCHERS, "b", 0);
    add(3, STREAM_FETCHERS, "c", 0);
    assert_string_equal(asked(&first, 1, FETCHERS), "bc");
    assert_string_equal(asked(&second, 2, FETCHERS), "ac");
}

static void nothing_comes_of_streams_that_are_not_followed(void **state)
{
    (void)state;
    (void)asked(&first, 1, FETCHERS | DELETIONS);
    (void)asked(&second, 2, MUTATIONS);
    add(3, STREAM_FETCHERS, "a", 0);
    add(3, STREAM_MUTATIONS, "b", 0);
    add(3, STREAM_DELETIONS, "c", 0);
    assert_string_equal(asked(&first, 1, FETCHERS), "ac");
    assert_string_equal(asked(&second, 2, MUTATIONS), "b");
    add(3, STREAM_DELETIONS, "d", 0);
    assert_string_equal(asked(&first, 1, DELETIONS), "");       /* it no longer was */
}

static void what_is_wanted_is_what_others_follow(void **state)
{
    (void)state;
    assert_int_equal(relay_wanted(relay, 3), 0);
    (void)asked(&first, 1, FETCHERS);
    (void)asked(&second, 2, DELETIONS);
    assert_int_equal(relay_wanted(relay, 1), DELETIONS);
    assert_int_equal(relay_wanted(relay, 2), FETCHERS);
    assert_int_equal(relay_wanted(relay, 3), FETCHERS | DELETIONS);
    (void)asked(&first, 1, 0);
    assert_null(first);
    assert_int_equal(relay_wanted(relay, 3), DELETIONS);
}

static void who_does_not_ask_for_long_follows_no_more(void **state)
{
    (void)state;
    (void)asked(&first, 1, FETCHERS);
    relay_look(relay, &first, now_ms + RELAY_MS);
    assert_non_null(first);
    relay_look(relay, &first, now_ms + RELAY_MS + 1);
    assert_null(first);
    assert_int_equal(relay_wanted(relay, 3), 0);
    add(2, STREAM_FETCHERS, "a", 0);
    assert_string_equal(asked(&first, 1, FETCHERS), "");
}

static void what_finds_no_room_is_counted(void **state)
{
    const unsigned fit = RELAY_PAGE / (EVENT_HEAD + 2);
    static char page[RELAY_PAGE];
    uint64_t missed;

    (void)state;
    (void)asked(&first, 1, FETCHERS);
    (void)asked(&second, 2, FETCHERS | DELETIONS);
    for (unsigned i = 0; i < fit + 7; i++)
        add(3, STREAM_FETCHERS, "a", 0);
    add(3, STREAM_DELETIONS, "b", 0);
    assert_int_equal(relay_ask(relay, &first, 1, FETCHERS, now_ms, page, &missed),
                     fit * (EVENT_HEAD + 2));
    assert_int_equal(missed, 7);
    relay_ask(relay, &second, 2, FETCHERS | DELETIONS, now_ms, page, &missed);
    assert_int_equal(missed, 8);
    add(3, STREAM_FETCHERS, "c", 0);
    assert_string_equal(asked(&first, 1, FETCHERS), "c");       /* there is room again */
}

static void what_a_front_has_missed_itself_is_told_to_the_others(void **state)
{
    (void)state;
    (void)asked(&first, 1, FETCHERS);
    (void)asked(&second, 2, FETCHERS);
    add(2, STREAM_FETCHERS, "a", 5);
    add(3, STREAM_FETCHERS, "", 4);
    assert_string_equal(asked(&first, 1, FETCHERS), "a+9");
    assert_string_equal(asked(&second, 2, FETCHERS), "+4");
}

static void too_many_followers_are_not_taken(void **state)
{
    struct follower *many[RELAY_FOLLOWERS] = { NULL };

    (void)state;
    for (unsigned i = 0; i < RELAY_FOLLOWERS; i++) {
        (void)asked(&many[i], i, FETCHERS);
        assert_non_null(many[i]);
    }
    assert_string_equal(asked(&first, 1000, FETCHERS), "");
    assert_null(first);
    (void)asked(&many[50], 50, 0);
    (void)asked(&first, 1000, FETCHERS);
    assert_non_null(first);
    for (unsigned i = 0; i < RELAY_FOLLOWERS; i++)
        relay_leave(relay, &many[i]);
}

static void bytes_that_are_no_events_come_to_nobody(void **state)
{
    static const char garbage[] = "\0\2\0\033\n" "\0\2\0a\n" "\4\2\0e\n" "\0\377\377b\n";

    (void)state;
    (void)asked(&first, 1, ~0u);
    relay_add(relay, 3, garbage, sizeof(garbage) - 1, 0);
    assert_string_equal(asked(&first, 1, ~0u), "a");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_follower_hears_what_others_do_from_its_first_moment_on),
        TEST(two_followers_hear_each_other_and_each_event_once),
        TEST(nothing_comes_of_streams_that_are_not_followed),
        TEST(what_is_wanted_is_what_others_follow),
        TEST(who_does_not_ask_for_long_follows_no_more),
        TEST(what_finds_no_room_is_counted),
        TEST(what_a_front_has_missed_itself_is_told_to_the_others),
        TEST(too_many_followers_are_not_taken),
        TEST(bytes_that_are_no_events_come_to_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
