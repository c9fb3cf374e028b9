#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "wire/events.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

static char *put(char *out, enum stream stream, const char *line, size_t len)
{
    out = events_put_head(out, stream, len);
    memcpy(out, line, len);
    return out + len;
}

/* Read in a block of just its size: sanitizers see what is beyond. */
static bool next(const char *data, size_t len, size_t *pos, struct event *e)
{
    static char *block;

    free(block);
    block = malloc(len > 0 ? len : 1);
    assert_non_null(block);
    memcpy(block, data, len);
    return events_next(block, len, pos, e);
}

static void events_are_read_as_they_were_written(void **state)
{
    static char longest[EVENT_LINE_MAX];
    static const struct { enum stream stream; const char *line; size_t len; } cases[] = {
        { STREAM_FETCHERS, "\n", 1 },
        { STREAM_MUTATIONS, "ts=1 key=~ size=3\n", 18 },
        { STREAM_DELETIONS, longest, EVENT_LINE_MAX },
        { STREAM_CONNEVENTS, "a b\n", 4 },
    };
    char data[2 * EVENT_LINE_MAX], *end = data;
    size_t pos = 0;
    struct event e;

    (void)state;
    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 1] = '\n';
    for (size_t i = 0; i < N_OF(cases); i++)
        end = put(end, cases[i].stream, cases[i].line, cases[i].len);
    for (size_t i = 0; i < N_OF(cases); i++) {
        assert_true(next(data, (size_t)(end - data), &pos, &e));
        assert_int_equal(e.stream, cases[i].stream);
        assert_int_equal(e.len, cases[i].len);
        assert_memory_equal(e.line, cases[i].line, e.len);
    }
    assert_false(next(data, (size_t)(end - data), &pos, &e));
}

/* Nothing that a client's terminal could take for more than a line. */
static void what_is_no_line_is_passed_over(void **state)
{
    static char too_long[EVENT_LINE_MAX + 1];
    static const struct { unsigned stream; const char *line; size_t len; } cases[] = {
        { STREAM_FETCHERS, "", 0 },
        { STREAM_FETCHERS, "no end", 6 },
        { STREAM_FETCHERS, "two\nlines\n", 10 },
        { STREAM_FETCHERS, "cr\r\n", 4 },
        { STREAM_FETCHERS, "nul\0\n", 5 },
        { STREAM_FETCHERS, "\033[2J\n", 5 },
        { STREAM_FETCHERS, "\177\n", 2 },
        { STREAM_FETCHERS, "\233\n", 2 },
        { STREAM_FETCHERS, "\303\251\n", 3 },
        { STREAM_FETCHERS, too_long, sizeof(too_long) },
        { STREAM_EVICTIONS, "eviction\n", 9 },           /* not a front's to tell */
        { N_STREAMS, "line\n", 5 },
        { 31, "line\n", 5 },
        { 255, "line\n", 5 },
    };
    char data[2 * EVENT_LINE_MAX], *end;
    struct event e;

    (void)state;
    memset(too_long, 'x', sizeof(too_long));
    too_long[sizeof(too_long) - 1] = '\n';
    for (size_t i = 0; i < N_OF(cases); i++) {
        size_t pos = 0;

        end = put(data, (enum stream)cases[i].stream, cases[i].line, cases[i].len);
        end = put(end, STREAM_DELETIONS, "next\n", 5);
        assert_true(next(data, (size_t)(end - data), &pos, &e));
        assert_int_equal(e.stream, STREAM_DELETIONS);
        assert_memory_equal(e.line, "next\n", 5);
        assert_false(next(data, (size_t)(end - data), &pos, &e));
    }
}

static void what_is_cut_is_not_read(void **state)
{
    char data[20];
    const size_t len = (size_t)(put(data, STREAM_FETCHERS, "line\n", 5) - data);
    struct event e;

    (void)state;
    for (size_t cut = 0; cut < len; cut++) {
        size_t pos = 0;

        assert_false(next(data, cut, &pos, &e));
        assert_true(pos <= cut);
    }
    for (size_t pos = 0, n = 0; n < 2; n++)
        assert_int_equal(next(data, len, &pos, &e), n == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_read_as_they_were_written),
        cmocka_unit_test(what_is_no_line_is_passed_over),
        cmocka_unit_test(what_is_cut_is_not_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
