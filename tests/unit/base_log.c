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
    log_set_format(LOG_TEXT);
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

static void verbose_is_as_if_the_level_were_debug(void **state)
{
    (void)state;
    log_set_level(LOG_WARN);
    log_set_verbose(true);
    assert_int_equal(log_get_level(), LOG_DEBUG);
    log_set_level(LOG_ERROR);           /* a new level does not end it */
    assert_int_equal(log_get_level(), LOG_DEBUG);
    log_set_verbose(false);
    assert_int_equal(log_get_level(), LOG_ERROR);
}

static void settings_go_through_a_number(void **state)
{
    (void)state;
    for (int i = 0; i < 16; i++) {
        int settings;

        log_set_level((enum log_level)(i & 3));
        log_set_verbose((i & 4) != 0);
        log_set_format((i & 8) != 0 ? LOG_JSON : LOG_TEXT);
        settings = log_settings();
        log_set_level(LOG_INFO);
        log_set_verbose(false);
        log_set_format(LOG_TEXT);
        log_set_settings(settings);
        assert_int_equal(log_get_level(), (i & 4) != 0 ? LOG_DEBUG : (i & 3));
        log_set_verbose(false);
        assert_int_equal(log_get_level(), i & 3);
        log_error("x", "y");
        assert_int_equal(next(MSG_DONTWAIT)[0], (i & 8) != 0 ? '{' : '2');
        log_init(LOG_INFO);
    }
}

static void words_are_levels_and_forms(void **state)
{
    static const char *const levels[] = { "error", "warn", "info", "debug" };
    static const char *const none[] = { "", "warning", "Error", "0", "infos", "json" };
    enum log_format format;
    enum log_level level;

    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_true(log_level_of_word(levels[i], &level));
        assert_int_equal(level, i);
    }
    for (size_t i = 0; i < N(none); i++)
        assert_false(log_level_of_word(none[i], &level));
    assert_true(log_format_of_word("text", &format));
    assert_int_equal(format, LOG_TEXT);
    assert_true(log_format_of_word("json", &format));
    assert_int_equal(format, LOG_JSON);
    assert_false(log_format_of_word("xml", &format));
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

static void the_journal_gets_json_with_priorities(void **state)
{
    char stream[64];
    struct stat st;

    (void)state;
    assert_int_equal(fstat(STDERR_FILENO, &st), 0);
    snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log_init(LOG_INFO);
    log_set_format(LOG_JSON);
    log_warn("x", "y n=%d", 3);
    assert_next("<4>{\"level\":\"warn\",\"module\":\"x\",\"msg\":\"y\",\"n\":3}\n");
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
        { "s1", STAMP "info x: it is s1 n=s1 e=1\n" },
        { "a\nerror x: forged", STAMP "info x: it is a\\x0aerror x: forged "
                                "n=\"a\\x0aerror x: forged\" e=1\n" },
        { "a\r\t\x1b[2J\x7f", STAMP "info x: it is a\\x0d\\x09\\x1b[2J\\x7f "
                                "n=a\\x0d\\x09\\x1b[2J\\x7f e=1\n" },
        { "\xff\xc2\x9b", STAMP "info x: it is \\xff\\xc2\\x9b n=\\xff\\xc2\\x9b e=1\n" },
        { "\\x0a", STAMP "info x: it is \\\\x0a n=\\\\x0a e=1\n" },
        { "%s%n", STAMP "info x: it is %s%n n=%s%n e=1\n" },
        { "a e=2", STAMP "info x: it is a e\\x3d2 n=\"a e=2\" e=1\n" },
        { "e=2", STAMP "info x: it is e\\x3d2 n=\"e=2\" e=1\n" },
        { "\" e=2 f=\"", STAMP "info x: it is \" e\\x3d2 f\\x3d\" n=\"\\\" e=2 f=\\\"\" e=1\n" },
        { "\\\"", STAMP "info x: it is \\\\\" n=\"\\\\\\\"\" e=1\n" },
        { "", STAMP "info x: it is  n=\"\" e=1\n" },
    };

    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        log_init(LOG_INFO);             /* more than one call may say */
        log_info("x", "it is %s n=%s e=%d", cases[i].name, cases[i].name, 1);
        assert_next(cases[i].want);
    }
    assert_silence();
}

/* The same bytes, and what a reader of JSON makes of the line. */
static void what_a_peer_sent_cannot_break_a_line_of_json(void **state)
{
    static const struct { const char *name, *want; } cases[] = {
        { "s1", "s1" },
        { "a\n\"", "a\\\\x0a\\\"" },
        { "\",\"e\":2", "\\\",\\\"e\\\":2" },
        { "\\\"", "\\\\\\\\\\\"" },
        { "\xff\x1b", "\\\\xff\\\\x1b" },
    };

    (void)state;
    log_set_format(LOG_JSON);
    for (size_t i = 0; i < N(cases); i++) {
        char want[512];

        snprintf(want, sizeof(want), "{\"ts\":\"2026-11-21T00:41:29.123Z\",\"level\":\"info\","
                 "\"module\":\"x\",\"msg\":\"it is %s\",\"n\":\"%s\",\"e\":1}\n",
                 cases[i].want, cases[i].want);
        log_info("x", "it is %s n=%s e=%d", cases[i].name, cases[i].name, 1);
        assert_next(want);
    }
    assert_silence();
}

static void fields_are_the_words_at_the_end(void **state)
{
#define JSON(rest) "{\"ts\":\"2026-11-21T00:41:29.123Z\",\"level\":\"info\",\"module\":\"x\"," \
                   rest "}\n"
    (void)state;
    log_info("x", "plain");
    assert_next(STAMP "info x: plain\n");
    log_info("x", "a=%d is no field b=%s c_2=%uM", 1, "two words", 3u);
    assert_next(STAMP "info x: a\\x3d1 is no field b=\"two words\" c_2=3M\n");

    log_set_format(LOG_JSON);
    log_info("x", "plain");
    assert_next(JSON("\"msg\":\"plain\""));
    log_info("x", "all kinds d=%d i=%i u=%u ld=%ld lu=%lu lld=%lld llu=%llu zu=%zu x=%llx c=%c",
             -1, -2, 4000000000u, -3L, 4000000000lu, -9000000000000000000ll,
             18000000000000000000llu, (size_t)7, 0x1234567890abcdefllu, 'y');
    assert_next(JSON("\"msg\":\"all kinds\",\"d\":-1,\"i\":-2,\"u\":4000000000,\"ld\":-3,"
                     "\"lu\":4000000000,\"lld\":-9000000000000000000,"
                     "\"llu\":18000000000000000000,\"zu\":7,\"x\":\"1234567890abcdef\","
                     "\"c\":\"y\""));
    log_info("x", "texts s=%s n=%.3s star=%.*s of=%d/%d unit=%dms lit=7 p=100%% w=%5d", "12",
             "abcdef", 2, "abcdef", 1, 2, 5, 9);
    assert_next(JSON("\"msg\":\"texts\",\"s\":\"12\",\"n\":\"abc\",\"star\":\"ab\",\"of\":\"1/2\","
                     "\"unit\":\"5ms\",\"lit\":\"7\",\"p\":\"100%\",\"w\":9"));
    assert_silence();
}

static void a_long_line_of_json_is_whole_json(void **state)
{
    static const char *const bytes[] = { "a", "\\", "\"", "\n" };
    char text[2 * LOG_LINE_MAX];

    (void)state;
    log_set_format(LOG_JSON);
    for (size_t i = 0; i < N(bytes); i++) {
        for (size_t len = 1; len < sizeof(text); len += 7) {
            const char *line;

            memset(text, bytes[i][0], len);
            text[len] = '\0';
            log_init(LOG_INFO);
            log_info("x", "it is n=%s m=%d", text, 77);
            line = next(MSG_DONTWAIT);
            assert_non_null(line);
            assert_true(strlen(line) <= LOG_LINE_MAX);
            line += strlen(line) - strlen("...\",\"cut\":true}\n");
            if (len > LOG_LINE_MAX)
                assert_string_equal(line, "...\",\"cut\":true}\n");
            assert_true(strcmp(line, "...\",\"cut\":true}\n") == 0 ||
                        strstr(line, "\"m\":77}\n") != NULL || strstr(line, "\"cut\":true}\n") != NULL);
        }
    }
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

static void refused(int i)
{
    log_warn("net", "refused a connection from %d addr=%d", i % 2, i);
}

static void lines_of_one_call_are_counted_when_they_are_many(void **state)
{
    char want[128];

    (void)state;
    for (int i = 0; i < 500; i++) {
        now_ms = START_MS + i * 10;
        refused(i);
        if (i == 200) {
            log_info("x", "another call is heard");
            assert_string_equal(strstr(next(0), "addr=0"), "addr=0\n");
            for (int j = 1; j < LOG_BURST; j++) {
                snprintf(want, sizeof(want), "addr=%d\n", j);
                assert_string_equal(strstr(next(0), "addr="), want);
            }
            assert_non_null(strstr(next(0), "another call is heard"));
        }
    }
    assert_silence();
    now_ms = START_MS + 10000;          /* the time is over: told, and heard again */
    refused(1000);
    assert_next("2026-11-21T00:41:34.113Z warn net: 400 more such lines in 5 s "
                "like=\"refused a connection from 0\"\n");
    assert_next("2026-11-21T00:41:39.123Z warn net: refused a connection from 0 addr=1000\n");
    assert_silence();
}

static void a_flush_tells_what_was_hidden_once(void **state)
{
    (void)state;
    for (int i = 0; i <= LOG_BURST; i++)
        refused(i);
    for (int i = 0; i < LOG_BURST; i++)
        assert_non_null(next(MSG_DONTWAIT));
    assert_silence();
    log_flush();
    assert_next(STAMP "warn net: 1 more such line in 1 s like=\"refused a connection from 0\"\n");
    log_flush();
    refused(100);                       /* the ten seconds are not over */
    assert_silence();
}

/* Each from a call of its own: more calls than are counted at a time. */
static void a_call_that_is_forgotten_tells_first(void **state)
{
    static char formats[200][32];

    (void)state;
    for (int i = 0; i < LOG_BURST + 2; i++)
        refused(i);
    for (int i = 0; i < LOG_BURST; i++)
        assert_non_null(next(MSG_DONTWAIT));
    for (size_t i = 0; i < N(formats); i++) {
        const char *line;

        snprintf(formats[i], sizeof(formats[i]), "call %zu", i);
        now_ms++;
        log_write(LOG_WARN, "x", formats[i], 0);
        line = next(MSG_DONTWAIT);
        assert_non_null(line);
        if (strstr(line, "2 more such lines") != NULL)
            line = next(MSG_DONTWAIT);
        assert_non_null(strstr(line, formats[i]));
    }
    assert_silence();
}

/* files */

static char folder[] = "/tmp/base_log.XXXXXX";
static char path[64], moved[64];

static int start_with_folder(void **state)
{
    strcpy(folder, "/tmp/base_log.XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/log", folder);
    snprintf(moved, sizeof(moved), "%s/log.1", folder);
    return start(state);
}

static int stop_with_folder(void **state)
{
    log_open("");
    unlink(path);
    unlink(moved);
    rmdir(folder);
    return stop(state);
}

static const char *content(const char *of)
{
    static char text[4096];
    FILE *f = fopen(of, "r");
    size_t n;

    assert_non_null(f);
    n = fread(text, 1, sizeof(text) - 1, f);
    text[n] = '\0';
    fclose(f);
    return text;
}

static void lines_go_to_a_file_that_can_be_moved(void **state)
{
    struct stat st;

    (void)state;
    assert_true(log_open(path));
    log_info("x", "first");
    assert_string_equal(content(path), STAMP "info x: first\n");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0137, 0);
    assert_int_equal(rename(path, moved), 0);
    log_info("x", "second");
    assert_true(log_reopen());
    log_info("x", "third");
    assert_string_equal(content(moved), STAMP "info x: first\n" STAMP "info x: second\n");
    assert_string_equal(content(path), STAMP "info x: third\n");
    assert_true(log_open(moved));       /* at the end of what there is */
    log_info("x", "fourth");
    assert_non_null(strstr(content(moved), "second\n" STAMP "info x: fourth\n"));
    assert_silence();
    assert_true(log_open(""));
    log_info("x", "fifth");
    assert_next(STAMP "info x: fifth\n");
}

static void a_file_that_cannot_be_opened_changes_nothing(void **state)
{
    char longer[5000];

    (void)state;
    memset(longer, 'a', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    assert_true(log_open(path));
    assert_false(log_open("/nowhere/at/all"));
    assert_int_equal(errno, ENOENT);
    assert_false(log_open(folder));
    assert_int_equal(errno, EISDIR);
    assert_false(log_open(longer));
    assert_int_equal(errno, ENAMETOOLONG);
    log_info("x", "still here");
    assert_string_equal(content(path), STAMP "info x: still here\n");

    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_false(log_reopen());
    assert_int_equal(rmdir(path), 0);
    assert_true(log_reopen());          /* the name is the one that worked */
    log_info("x", "again");
    assert_string_equal(content(path), STAMP "info x: again\n");
}

static void a_file_may_take_the_place_of_stderr(void **state)
{
    (void)state;
    assert_true(log_open(path));
    (void)!write(STDERR_FILENO, "before", 6);
    assert_next("before");
    log_take_stderr();
    (void)!write(STDERR_FILENO, "after\n", 6);
    assert_string_equal(content(path), "after\n");
    assert_int_equal(rename(path, moved), 0);
    assert_true(log_reopen());
    (void)!write(STDERR_FILENO, "new\n", 4);
    assert_string_equal(content(path), "new\n");
    assert_true(log_open(""));
    (void)!write(STDERR_FILENO, "back", 4);
    assert_next("back");
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
        log_debug("x", "thread %d line %d end", (int)(intptr_t)arg, i);
    return NULL;
}

/* All lines arrive, each whole, and those of one thread in their order. */
static void threads_do_not_mix_their_lines(void **state)
{
    pthread_t threads[THREADS];
    int lines[THREADS] = { 0 };

    (void)state;
    log_set_level(LOG_DEBUG);           /* of these none is hidden */
    for (intptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, (void *)i), 0);
    for (int i = 0; i < THREADS * LINES; i++) {
        const char *line = next(0);
        int thread, n, end = 0;

        assert_non_null(line);
        assert_int_equal(sscanf(line, STAMP "debug x: thread %d line %d end\n%n",
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
#define TEST_IN_FOLDER(f) cmocka_unit_test_setup_teardown(f, start_with_folder, stop_with_folder)

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
        TEST(verbose_is_as_if_the_level_were_debug),
        TEST(settings_go_through_a_number),
        TEST(words_are_levels_and_forms),
        TEST(the_journal_gets_json_with_priorities),
        TEST(what_a_peer_sent_cannot_break_a_line_of_json),
        TEST(fields_are_the_words_at_the_end),
        TEST(a_long_line_of_json_is_whole_json),
        TEST(lines_of_one_call_are_counted_when_they_are_many),
        TEST(a_flush_tells_what_was_hidden_once),
        TEST(a_call_that_is_forgotten_tells_first),
        TEST_IN_FOLDER(lines_go_to_a_file_that_can_be_moved),
        TEST_IN_FOLDER(a_file_that_cannot_be_opened_changes_nothing),
        TEST_IN_FOLDER(a_file_may_take_the_place_of_stderr),
        TEST(threads_do_not_mix_their_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
