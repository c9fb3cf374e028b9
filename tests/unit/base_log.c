/*
 * log: what arrives on stderr, which is one end of a socket pair that keeps
 * each write() apart.  Time is what a test says it is.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))
#define START_MS 1795221689123          /* 2026-11-21T00:41:29.123Z */
#define STAMP "2026-11-21T00:41:29.123Z "

static _Atomic int64_t now_ms;
static int real_stderr;
static int ours = -1;                   /* the end where lines arrive */

static int64_t test_clock(void)
{
    return now_ms;
}

static int start(void **state)
{
    int pair[2];

    (void)state;
    real_stderr = dup(STDERR_FILENO);
    if (real_stderr < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0)
        return -1;
    dup2(pair[1], STDERR_FILENO);
    close(pair[1]);
    ours = pair[0];
    now_ms = START_MS;
    unsetenv("JOURNAL_STREAM");
    log_set_clock(test_clock);
    log_init(LOG_INFO);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    close(ours);
    return 0;
}

/* What one write() brought, as a string; NULL when there is no more. */
static const char *next(int flags)
{
    static char line[65536];
    ssize_t n = recv(ours, line, sizeof(line) - 1, flags);

    if (n <= 0)
        return NULL;
    line[n] = '\0';
    return line;
}

static void assert_next(const char *want)
{
    const char *line = next(MSG_DONTWAIT);

    assert_non_null(line);
    assert_string_equal(line, want);
}

static void assert_silence(void)
{
    assert_null(next(MSG_DONTWAIT));
}

static void a_line_has_time_level_module_and_text(void **state)
{
    static const struct { enum log_level level; const char *want; } cases[] = {
        { LOG_ERROR, STAMP "error shard: s2 stopped after=250ms\n" },
        { LOG_WARN, STAMP "warn shard: s2 stopped after=250ms\n" },
        { LOG_INFO, STAMP "info shard: s2 stopped after=250ms\n" },
        { LOG_DEBUG, STAMP "debug shard: s2 stopped after=250ms\n" },
    };

    (void)state;
    log_set_level(LOG_DEBUG);
    for (size_t i = 0; i < N(cases); i++) {
        log_write(cases[i].level, "shard", "%s stopped after=%dms", "s2", 250);
        assert_next(cases[i].want);
    }
    assert_silence();
}

static void a_level_hides_the_lines_above_it(void **state)
{
    (void)state;
    for (int max = LOG_ERROR; max <= LOG_DEBUG; max++) {
        log_set_level((enum log_level)max);
        assert_int_equal(log_get_level(), max);
        for (int level = LOG_ERROR; level <= LOG_DEBUG; level++) {
            log_write((enum log_level)level, "x", "under %d", max);
            assert_int_equal(next(MSG_DONTWAIT) != NULL, level <= max);
        }
    }
}

static void time_is_written_as_utc_with_milliseconds(void **state)
{
    static const struct { int64_t at_ms; const char *want; } cases[] = {
        { 0, "1970-01-01T00:00:00.000Z info x: tick\n" },
        { 951782400007, "2000-02-29T00:00:00.007Z info x: tick\n" },
        { 4102444799999, "2099-12-31T23:59:59.999Z info x: tick\n" },
    };

    (void)state;
    setenv("TZ", "XYZ-9", 1);
    log_init(LOG_INFO);
    for (size_t i = 0; i < N(cases); i++) {
        now_ms = cases[i].at_ms;
        log_info("x", "tick");
        assert_next(cases[i].want);
    }
    unsetenv("TZ");
}

static void the_journal_gets_priorities_and_no_time(void **state)
{
    static const struct { enum log_level level; const char *want; } cases[] = {
        { LOG_ERROR, "<3>error x: y\n" },
        { LOG_WARN, "<4>warn x: y\n" },
        { LOG_INFO, "<6>info x: y\n" },
        { LOG_DEBUG, "<7>debug x: y\n" },
    };
    char stream[64];
    struct stat st;

    (void)state;
    assert_int_equal(fstat(STDERR_FILENO, &st), 0);
    snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log_init(LOG_DEBUG);
    for (size_t i = 0; i < N(cases); i++) {
        log_write(cases[i].level, "x", "y");
        assert_next(cases[i].want);
    }
}

static void a_journal_that_is_not_stderr_is_none(void **state)
{
    static const char *const others[] = { "", ":", "1", "1:", ":1", "0:0", "x:y" };
    static const struct { const char *before, *after; } around[] = {
        { "9", "" }, { "", "9" }, { " ", "" }, { "", " " }, { "", ":1" },
    };
    char stream[64];
    struct stat st;

    (void)state;
    assert_int_equal(fstat(STDERR_FILENO, &st), 0);
    for (size_t i = 0; i < N(others) + N(around); i++) {
        if (i < N(others))
            snprintf(stream, sizeof(stream), "%s", others[i]);
        else
            snprintf(stream, sizeof(stream), "%s%ju:%ju%s",
                     around[i - N(others)].before, (uintmax_t)st.st_dev,
                     (uintmax_t)st.st_ino, around[i - N(others)].after);
        setenv("JOURNAL_STREAM", stream, 1);
        log_init(LOG_INFO);
        log_info("x", "y");
        assert_next(STAMP "info x: y\n");
    }
}

static void what_a_peer_sent_cannot_break_a_line(void **state)
{
    static const struct { const char *name, *want; } cases[] = {
        { "s1", STAMP "info x: name=s1 end\n" },
        { "a\nerror x: forged", STAMP "info x: name=a\\x0aerror x: forged end\n" },
        { "a\r\t\x1b[2J\x7f", STAMP "info x: name=a\\x0d\\x09\\x1b[2J\\x7f end\n" },
        { "\xff\xc2\x9b", STAMP "info x: name=\\xff\\xc2\\x9b end\n" },
        { "\\x0a", STAMP "info x: name=\\\\x0a end\n" },
        { "%s%n", STAMP "info x: name=%s%n end\n" },
    };

    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        log_info("x", "name=%s end", cases[i].name);
        assert_next(cases[i].want);
    }
    assert_silence();
}

/* Around the limit at every length: whole, or cut between two bytes of text. */
static void a_long_line_is_cut_and_says_so(void **state)
{
    static const struct { char byte; const char *written; } cases[] = {
        { 'a', "a" }, { '\\', "\\\\" }, { '\n', "\\x0a" },
    };
    static const char head[] = STAMP "info x: ";

    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        size_t unit = strlen(cases[i].written);
        size_t about = (LOG_LINE_MAX - sizeof(head)) / unit;

        for (size_t len = about - 40; len < about + 40; len++) {
            char text[2 * LOG_LINE_MAX] = "";
            const char *line;
            size_t n, shown;

            memset(text, cases[i].byte, len);
            log_init(LOG_INFO);         /* cut lines may be equal */
            log_info("x", "%s", text);
            line = next(MSG_DONTWAIT);
            assert_non_null(line);
            n = strlen(line);
            assert_in_range(n, LOG_LINE_MAX - 64 * 4, LOG_LINE_MAX);

            assert_memory_equal(line, head, strlen(head));
            line += strlen(head);
            for (shown = 0; strncmp(line, cases[i].written, unit) == 0; shown++)
                line += unit;
            assert_true(shown <= len);
            assert_string_equal(line, shown == len ? "\n" : "...\n");
            assert_true(shown == len || n > LOG_LINE_MAX - 32);
        }
    }
}

static void equal_lines_are_counted_not_repeated(void **state)
{
    (void)state;
    for (int i = 0; i <= 412; i++) {
        now_ms = START_MS + i * 9999 / 412;
        log_warn("shard", "s2 is silent");
    }
    assert_next(STAMP "warn shard: s2 is silent\n");
    assert_silence();

    now_ms = START_MS + 10000;          /* the window is over: said again */
    log_warn("shard", "s2 is silent");
    assert_next("2026-11-21T00:41:39.122Z warn shard: "
                "last line repeated 412 times in 10 s\n");
    assert_next("2026-11-21T00:41:39.123Z warn shard: s2 is silent\n");

    log_warn("shard", "s2 is silent");
    log_info("shard", "s2 is back");    /* another line: the count comes first */
    assert_next("2026-11-21T00:41:39.123Z warn shard: last line repeated 1 time in 1 s\n");
    assert_next("2026-11-21T00:41:39.123Z info shard: s2 is back\n");
    assert_silence();
}

static void lines_that_differ_are_not_equal(void **state)
{
    static const struct { enum log_level level; const char *module, *text; } cases[] = {
        { LOG_WARN, "a", "x" }, { LOG_INFO, "a", "x" }, { LOG_INFO, "b", "x" },
        { LOG_INFO, "b", "y" }, { LOG_INFO, "b", "yy" }, { LOG_INFO, "b", "y" },
        { LOG_INFO, "b", "" },
    };

    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        log_write(cases[i].level, cases[i].module, "%s", cases[i].text);
        assert_non_null(next(MSG_DONTWAIT));
    }
    assert_silence();
}

static void a_line_that_is_hidden_ends_no_count(void **state)
{
    (void)state;
    log_info("x", "y");
    assert_next(STAMP "info x: y\n");
    log_debug("x", "hidden");
    log_info("x", "y");
    assert_silence();
}

static void a_clock_that_jumps_only_ends_a_count(void **state)
{
    static const int64_t jumps_ms[] = { -1, -86400000, 10000, 86400000 };

    (void)state;
    for (size_t i = 0; i < N(jumps_ms); i++) {
        now_ms = START_MS;
        log_info("x", "jump %zu", i);
        assert_non_null(next(MSG_DONTWAIT));
        log_info("x", "jump %zu", i);
        assert_silence();
        now_ms = START_MS + jumps_ms[i];
        log_info("x", "jump %zu", i);
        assert_next(STAMP "info x: last line repeated 1 time in 1 s\n");
        assert_non_null(next(MSG_DONTWAIT));
        assert_silence();
    }
}

static void a_flush_tells_the_count_once(void **state)
{
    (void)state;
    log_flush();
    log_error("x", "y");
    log_flush();
    assert_next(STAMP "error x: y\n");
    assert_silence();

    log_error("x", "y");
    now_ms += 2500;
    log_error("x", "y");
    log_flush();
    log_flush();
    assert_next("2026-11-21T00:41:31.623Z error x: last line repeated 2 times in 3 s\n");
    assert_silence();

    now_ms += 9000;                     /* ten seconds begin with the flush */
    log_error("x", "y");
    assert_silence();
    log_flush();
    assert_next("2026-11-21T00:41:40.623Z error x: last line repeated 1 time in 9 s\n");
}

static void errno_is_printed_and_kept(void **state)
{
    (void)state;
    errno = ENOENT;
    log_error("x", "cannot open: %m");
    assert_int_equal(errno, ENOENT);
    assert_next(STAMP "error x: cannot open: No such file or directory\n");

    close(STDERR_FILENO);               /* nobody to write to: no harm */
    log_error("x", "lost");
    assert_int_equal(errno, ENOENT);
}

#define THREADS 4
#define LINES 500

static void *write_lines(void *arg)
{
    for (int i = 0; i < LINES; i++)
        log_info("x", "thread %d line %d end", (int)(intptr_t)arg, i);
    return NULL;
}

/* All lines arrive, each whole, and those of one thread in their order. */
static void threads_do_not_mix_their_lines(void **state)
{
    pthread_t threads[THREADS];
    int lines[THREADS] = { 0 };

    (void)state;
    for (intptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, (void *)i), 0);
    for (int i = 0; i < THREADS * LINES; i++) {
        const char *line = next(0);
        int thread, n, end = 0;

        assert_non_null(line);
        assert_int_equal(sscanf(line, STAMP "info x: thread %d line %d end\n%n",
                                &thread, &n, &end), 2);
        assert_int_equal(end, strlen(line));
        assert_in_range(thread, 0, THREADS - 1);
        assert_int_equal(n, lines[thread]);
        lines[thread]++;
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_silence();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_line_has_time_level_module_and_text),
        TEST(a_level_hides_the_lines_above_it),
        TEST(time_is_written_as_utc_with_milliseconds),
        TEST(the_journal_gets_priorities_and_no_time),
        TEST(a_journal_that_is_not_stderr_is_none),
        TEST(what_a_peer_sent_cannot_break_a_line),
        TEST(a_long_line_is_cut_and_says_so),
        TEST(equal_lines_are_counted_not_repeated),
        TEST(lines_that_differ_are_not_equal),
        TEST(a_line_that_is_hidden_ends_no_count),
        TEST(a_clock_that_jumps_only_ends_a_count),
        TEST(a_flush_tells_the_count_once),
        TEST(errno_is_printed_and_kept),
        TEST(threads_do_not_mix_their_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
