#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire_help.h"

/* \r\n follows the lines that do not end in \n. */
static const struct line_case lines[] = {
    /* too short, unknown, not a command at all */
    { LINE(""), "? !format" },
    { LINE("\n"), "? !format" },
    { LINE(" "), "? !format" },
    { LINE("g"), "? !format" },
    { LINE("\r"), "? !format" },
    { LINE("\0"), "? !format" },
    { LINE("gg\n"), "? !format" },
    { LINE("gg"), "? !unknown" },
    { LINE("  "), "? !unknown" },
    { LINE("     "), "? !unknown" },
    { LINE("foo"), "? !unknown" },
    { LINE("foo\0"), "? !unknown" },
    { LINE("foo bar"), "? !unknown" },
    { LINE("foo noreply"), "? quiet !unknown" },
    { LINE("foo noreply "), "? quiet !unknown" },
    { LINE("foo noreply x"), "? !unknown" },
    { LINE("foo xnoreply"), "? !unknown" },
    { LINE("foo noreplyx"), "? !unknown" },
    { LINE("noreply"), "? quiet !unknown" },
    { LINE(" noreply"), "? quiet !unknown" },
    { LINE("GET a"), "? !unknown" },
    { LINE("Get a"), "? !unknown" },
    { LINE("getx a"), "? !unknown" },
    { LINE("ge a"), "? !unknown" },
    { LINE("\200get a"), "? !unknown" },
    { LINE("get\200 a"), "? !unknown" },
    { LINE(" get a"), "? !unknown" },
    { LINE(" set a 0 0 1"), "? !unknown" },
    { LINE(" flush_all"), "? !unknown" },
    { LINE("set\ta 0 0 1"), "? !unknown" },
    { LINE("get\ra"), "? !unknown" },
    { LINE("get\r"), "? !unknown" },
    { LINE("get\0 a"), "? !unknown" },
    { LINE("versionx"), "? !unknown" },
    { LINE("flush_allx"), "? !unknown" },
    { LINE("quitx"), "? !unknown" },
    { LINE("lru"), "? !unknown" },
    { LINE("misbehave"), "? !unknown" },
    { LINE("GET / HTTP/1.1"), "? !hangup close" },
    { LINE("GET / HTTP/1.1\n"), "? !hangup close" },
    { LINE(" GET / HTTP/1.1 "), "? !hangup close" },
    { LINE("a HTTP/"), "? !hangup close" },
    { LINE("HTTP/1.1"), "? !unknown" },
    { LINE(" HTTP/1.1"), "? !unknown" },
    { LINE("GET / HTTP"), "? !unknown" },
    { LINE("GET / HTTP/1.1 x"), "? !unknown" },

    /* get, gets */
    { LINE("get"), "get !format" },
    { LINE("get "), "get !format" },
    { LINE("get  "), "get !format" },
    { LINE("get\n"), "get !format" },
    { LINE("get a"), "get key=a" },
    { LINE("get a\n"), "get key=a" },
    { LINE("get  a"), "get key=a" },
    { LINE("get a "), "get key=a" },
    { LINE("get a   \n"), "get key=a" },
    { LINE("get a\tb"), "get key=a\tb" },
    { LINE("get \377\200"), "get key=\377\200" },
    { LINE("get a b"), "get 2 keys=a b" },
    { LINE("get a  b   a  "), "get 3 keys=a  b   a" },
    { LINE("get noreply"), "get key=noreply" },
    { LINE("get a noreply"), "get 2 keys=a noreply" },
    { LINE("get get"), "get key=get" },
    { LINE("get a HTTP/1"), "get 2 keys=a HTTP/1" },
    { LINE("get " K250), "get key=<250>" },
    { LINE("get " K250 "k"), "get !format" },
    { LINE("get " K250 "k noreply"), "get !format" },
    { LINE("get a " K250 "k"), "get !format" },
    { LINE("get " K250 "k a"), "get !format" },
    { LINE("get a " K250 " b"), "get 3 keys=<254>" },
    { LINE("get a\0b"), "get !format" },
    { LINE("get \0"), "get !format" },
    { LINE("get a\r"), "get !format" },
    { LINE("get a\rb"), "get !format" },
    { LINE("get a \r"), "get !format" },
    { LINE("gets"), "gets !format" },
    { LINE("gets a"), "gets key=a" },
    { LINE("gets a b"), "gets 2 keys=a b" },

    /* gat, gats */
    { LINE("gat"), "gat !format" },
    { LINE("gat "), "gat !format" },
    { LINE("gat 0"), "gat !format" },
    { LINE("gat a"), "gat !format" },
    { LINE("gat x "), "gat !format" },
    { LINE("gat 0 a"), "gat key=a exptime=0" },
    { LINE("gat  -1  a "), "gat key=a exptime=-1" },
    { LINE("gat 10 a b"), "gat 2 keys=a b exptime=10" },
    { LINE("gat x a"), "gat !exptime" },
    { LINE("gat x noreply"), "gat !exptime" },
    { LINE("gat x " K250 "k"), "gat !exptime" },
    { LINE("gat 0 " K250 "k"), "gat !format" },
    { LINE("gat 0 a " K250 "k"), "gat !format" },
    { LINE("gat 0 a\0"), "gat !format" },
    { LINE("gats"), "gats !format" },
    { LINE("gats 0"), "gats !format" },
    { LINE("gats 0 a b c"), "gats 3 keys=a b c exptime=0" },

    /* storage: too short to have a block */
    { LINE("set"), "set !format" },
    { LINE("set "), "set !format" },
    { LINE("set a"), "set !format" },
    { LINE("set a 0"), "set !format close" },
    { LINE("set a 0 0"), "set !format close" },
    { LINE("set a 0 0 "), "set !format close" },
    { LINE("set noreply"), "set !format" },
    { LINE("set a 0 noreply"), "set !format" },
    { LINE("cas"), "cas !format" },
    { LINE("cas a 0 0"), "cas !format close" },

    /* storage: whole */
    { LINE("set a 0 0 1"), "set key=a flags=0 exptime=0 bytes=1" },
    { LINE("set a 0 0 1\n"), "set key=a flags=0 exptime=0 bytes=1" },
    { LINE("set a 0 0 0"), "set key=a flags=0 exptime=0 bytes=0" },
    { LINE("add b 1 2 3"), "add key=b flags=1 exptime=2 bytes=3" },
    { LINE("replace b 1 2 3"), "replace key=b flags=1 exptime=2 bytes=3" },
    { LINE("append b 1 2 3"), "append key=b flags=1 exptime=2 bytes=3" },
    { LINE("prepend b 1 2 3"), "prepend key=b flags=1 exptime=2 bytes=3" },
    { LINE("set  a  0  0  1 "), "set key=a flags=0 exptime=0 bytes=1" },
    { LINE("set a 00 00 01"), "set key=a flags=0 exptime=0 bytes=1" },
    { LINE("set a 0 0 1 noreply"), "set quiet key=a flags=0 exptime=0 bytes=1" },
    { LINE("set a 0 0 1 noreply "), "set quiet key=a flags=0 exptime=0 bytes=1" },
    { LINE("set a 0 0 1 foo"), "set key=a flags=0 exptime=0 bytes=1" },
    { LINE("set a 0 0 1 foo bar"), "set key=a flags=0 exptime=0 bytes=1" },
    { LINE("set a 0 0 1 noreply x"), "set key=a flags=0 exptime=0 bytes=1" },
    { LINE("set a 0 0 1 x noreply"), "set quiet key=a flags=0 exptime=0 bytes=1" },
    { LINE("set a 0 -1 1"), "set key=a flags=0 exptime=-1 bytes=1" },
    { LINE("set a 0 99999999999 1"), "set key=a flags=0 exptime=99999999999 bytes=1" },
    { LINE("set a 4294967295 0 1"), "set key=a flags=4294967295 exptime=0 bytes=1" },
    { LINE("set a 0 0 2147483645"), "set key=a flags=0 exptime=0 bytes=2147483645" },
    { LINE("set " K250 " 0 0 1"), "set key=<250> flags=0 exptime=0 bytes=1" },
    { LINE("cas a 0 0 1 1"), "cas key=a flags=0 exptime=0 bytes=1 cas=1" },
    { LINE("cas a 0 0 1 0 noreply"), "cas quiet key=a flags=0 exptime=0 bytes=1 cas=0" },
    { LINE("cas a 0 0 1 18446744073709551615"),
      "cas key=a flags=0 exptime=0 bytes=1 cas=18446744073709551615" },

    /* storage: in error, with a block that is known */
    { LINE("set a x 0 5"), "set !format swallow=5" },
    { LINE("set a 0 x 5"), "set !format swallow=5" },
    { LINE("set a -1 0 5"), "set !format swallow=5" },
    { LINE("set a 4294967296 0 5"), "set !format swallow=5" },
    { LINE("set a +0 0 5"), "set !format swallow=5" },
    { LINE("set a 0 +0 5"), "set !format swallow=5" },
    { LINE("set a 0x 0 5"), "set !format swallow=5" },
    { LINE("set a 0 1a 5"), "set !format swallow=5" },
    { LINE("set a 0 9223372036854775808 5"), "set !format swallow=5" },
    { LINE("set a x 0 2147483647"), "set !format swallow=2147483647" },
    { LINE("set a 0 0 2147483646"), "set !format swallow=2147483646" },
    { LINE("set a x 0 5 noreply"), "set quiet !format swallow=5" },
    { LINE("set " K250 "k 0 0 5"), "set !format swallow=5" },
    { LINE("set " K250 "k 0 0 5 noreply"), "set quiet !format swallow=5" },
    { LINE("set a\0b 0 0 5"), "set !format swallow=5" },
    { LINE("set a\rb 0 0 5"), "set !format swallow=5" },
    { LINE("set \r 0 0 5"), "set !format swallow=5" },
    { LINE("set a 0 0 5 \r"), "set !format swallow=5" },
    { LINE("set a 0 0 5 no\0reply"), "set !format swallow=5" },
    { LINE("cas a 0 0 5"), "cas !format swallow=5" },
    { LINE("cas a 0 0 5 "), "cas !format swallow=5" },
    { LINE("cas a 0 0 5 noreply"), "cas quiet !format swallow=5" },
    { LINE("cas a 0 0 5 x"), "cas !format swallow=5" },
    { LINE("cas a 0 0 5 -1"), "cas !format swallow=5" },
    { LINE("cas a 0 0 5 18446744073709551616"), "cas !format swallow=5" },

    /* storage: in error, and who knows where the block ends */
    { LINE("set a 0 0 x"), "set !format close" },
    { LINE("set a 0 0 -1"), "set !format close" },
    { LINE("set a 0 0 +1"), "set !format close" },
    { LINE("set a 0 0 0x1"), "set !format close" },
    { LINE("set a 0 0 1a"), "set !format close" },
    { LINE("set a 0 0 1\r"), "set !format close" },
    { LINE("set a 0 0 1\0"), "set !format close" },
    { LINE("set a 0 0 2147483648"), "set !format close" },
    { LINE("set a 0 0 99999999999"), "set !format close" },
    { LINE("set a 0 0 18446744073709551617"), "set !format close" },
    { LINE("set a 0 0 noreply"), "set !format close" },
    { LINE("set a 0 0 x noreply"), "set !format close" },
    { LINE("cas a 0 0 x 1"), "cas !format close" },

    /* delete */
    { LINE("delete"), "delete !format" },
    { LINE("delete "), "delete !format" },
    { LINE("delete a"), "delete key=a" },
    { LINE("delete a 0"), "delete key=a" },
    { LINE("delete a  0 "), "delete key=a" },
    { LINE("delete a noreply"), "delete quiet key=a" },
    { LINE("delete a 0 noreply"), "delete quiet key=a" },
    { LINE("delete noreply"), "delete quiet key=noreply" },
    { LINE("delete a 1"), "delete !delete" },
    { LINE("delete a 00"), "delete !delete" },
    { LINE("delete a 0 0"), "delete !delete" },
    { LINE("delete a b c"), "delete !delete" },
    { LINE("delete a noreply 0"), "delete !delete" },
    { LINE("delete a 1 noreply"), "delete quiet !delete" },
    { LINE("delete a noreply noreply"), "delete quiet !delete" },
    { LINE("delete " K250), "delete key=<250>" },
    { LINE("delete " K250 "k"), "delete !format" },
    { LINE("delete " K250 "k 1"), "delete !format" },
    { LINE("delete " K250 "k noreply"), "delete quiet !format" },
    { LINE("delete a\0"), "delete !format" },

    /* incr, decr */
    { LINE("incr"), "incr !format" },
    { LINE("incr a"), "incr !format" },
    { LINE("incr a "), "incr !format" },
    { LINE("incr noreply"), "incr !format" },
    { LINE("incr a 1"), "incr key=a delta=1" },
    { LINE("incr a 01"), "incr key=a delta=1" },
    { LINE("incr a 1 2"), "incr key=a delta=1" },
    { LINE("incr a 1 noreply"), "incr quiet key=a delta=1" },
    { LINE("incr a 18446744073709551615"), "incr key=a delta=18446744073709551615" },
    { LINE("incr a 18446744073709551616"), "incr !delta" },
    { LINE("incr a x"), "incr !delta" },
    { LINE("incr a -1"), "incr !delta" },
    { LINE("incr a x noreply"), "incr quiet !delta" },
    { LINE("incr a noreply"), "incr quiet !delta" },
    { LINE("incr " K250 "k x"), "incr !format" },
    { LINE("incr a 1\r"), "incr !format" },
    { LINE("decr a"), "decr !format" },
    { LINE("decr a 7"), "decr key=a delta=7" },

    /* touch */
    { LINE("touch"), "touch !format" },
    { LINE("touch a"), "touch !format" },
    { LINE("touch noreply"), "touch !format" },
    { LINE("touch a 0"), "touch key=a exptime=0" },
    { LINE("touch a -1"), "touch key=a exptime=-1" },
    { LINE("touch a 0 1"), "touch key=a exptime=0" },
    { LINE("touch a 0 noreply"), "touch quiet key=a exptime=0" },
    { LINE("touch a x"), "touch !exptime" },
    { LINE("touch a x noreply"), "touch quiet !exptime" },
    { LINE("touch a noreply"), "touch quiet !exptime" },
    { LINE("touch " K250 "k 0"), "touch !format" },

    /* flush_all */
    { LINE("flush_all"), "flush_all exptime=0" },
    { LINE("flush_all  "), "flush_all exptime=0" },
    { LINE("flush_all 0"), "flush_all exptime=0" },
    { LINE("flush_all -1"), "flush_all exptime=-1" },
    { LINE("flush_all 5 x"), "flush_all exptime=5" },
    { LINE("flush_all noreply"), "flush_all quiet exptime=0" },
    { LINE("flush_all 10 noreply"), "flush_all quiet exptime=10" },
    { LINE("flush_all x"), "flush_all !exptime" },
    { LINE("flush_all nor"), "flush_all !exptime" },
    { LINE("flush_all noreply x"), "flush_all !exptime" },
    { LINE("flush_all noreply noreply"), "flush_all quiet !exptime" },
    { LINE("flush_all a noreply"), "flush_all quiet !exptime" },
    { LINE("flush_all \0"), "flush_all !format" },

    /* about the server */
    { LINE("version"), "version" },
    { LINE("version a"), "version" },
    { LINE("version noreply"), "version" },
    { LINE("verbosity"), "verbosity !format" },
    { LINE("verbosity 1"), "verbosity delta=1" },
    { LINE("verbosity 1 2 3"), "verbosity delta=1" },
    { LINE("verbosity 1 noreply"), "verbosity quiet delta=1" },
    { LINE("verbosity x"), "verbosity !format" },
    { LINE("verbosity -1"), "verbosity !format" },
    { LINE("verbosity 4294967296"), "verbosity !format" },
    { LINE("verbosity noreply"), "verbosity quiet !format" },
    { LINE("cache_memlimit"), "cache_memlimit !unknown" },
    { LINE("cache_memlimit x"), "cache_memlimit !unknown" },
    { LINE("cache_memlimit noreply"), "cache_memlimit quiet !unknown" },
    { LINE("cache_memlimit 64"), "cache_memlimit delta=64" },
    { LINE("cache_memlimit 64 noreply"), "cache_memlimit quiet delta=64" },
    { LINE("shutdown"), "shutdown" },
    { LINE("shutdown graceful "), "shutdown args=graceful" },
    { LINE("shutdown noreply"), "shutdown quiet args=noreply" },
    { LINE("stats"), "stats" },
    { LINE("stats  "), "stats" },
    { LINE("stats noreply"), "stats args=noreply" },
    { LINE("stats  cachedump  1 1 "), "stats args=cachedump  1 1" },
    { LINE("stats a\r b"), "stats !format" },
    { LINE("quit"), "quit" },
    { LINE("quit\n"), "quit" },
    { LINE("quit a"), "quit" },
    { LINE("quit noreply"), "quit" },
};

static void say_bytes(struct description *d, const char *name, const char *s, size_t len)
{
    if (len > 200)
        say(d, " %s=<%zu>", name, len);
    else
        say(d, " %s=%.*s", name, (int)len, s);
}

static void describe(struct description *d, const struct parse *p, const struct cmd *cmd)
{
    if (!say_verb(d, p, cmd)) {
        assert_null(cmd->key);
        assert_null(cmd->args);
        return;
    }
    if (cmd->key != NULL)
        say_bytes(d, "key", cmd->key, cmd->key_len);
    else if (verb_is_get(cmd->verb)) {
        say(d, " %u", p->n_keys);
        say_bytes(d, "keys", cmd->args, cmd->args_len);
    } else if (cmd->args != NULL)
        say_bytes(d, "args", cmd->args, cmd->args_len);

    if (verb_has_value(cmd->verb))
        say(d, " flags=%u exptime=%lld bytes=%zu", cmd->client_flags,
            (long long)cmd->exptime, cmd->value_len);
    if (cmd->verb == VERB_CAS)
        say(d, " cas=%llu", (unsigned long long)cmd->cas);
    if (cmd->verb == VERB_GAT || cmd->verb == VERB_GATS || cmd->verb == VERB_TOUCH
        || cmd->verb == VERB_FLUSH_ALL)
        say(d, " exptime=%lld", (long long)cmd->exptime);
    if (cmd->verb == VERB_INCR || cmd->verb == VERB_DECR
        || cmd->verb == VERB_VERBOSITY || cmd->verb == VERB_CACHE_MEMLIMIT)
        say(d, " delta=%llu", (unsigned long long)cmd->delta);
}

static const struct dialect text = { text_parse, describe };

/* The line of a case with its end: the caller frees it. */
static char *whole_line(const struct line_case *c, size_t *len)
{
    bool ended = c->len > 0 && c->line[c->len - 1] == '\n';

    *len = ended ? c->len : c->len + 2;
    return joined(c->line, c->len, "\r\n", *len - c->len);
}

static void a_line_becomes_its_command(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(lines); i++) {
        struct result r;
        size_t len;
        char *line = whole_line(&lines[i], &len);

        arrives(&text, &r, line, &len, 1, lines[i].meaning);
        free(line);
    }
}

static void a_line_may_arrive_in_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(lines); i++) {
        struct result r;
        size_t len;
        char *line = whole_line(&lines[i], &len);

        for (size_t a = 0; a < len; a++) {
            arrives(&text, &r, line, (size_t[]){ a, len }, 2, lines[i].meaning);
            for (size_t b = a; b < len && len < 32; b++)
                arrives(&text, &r, line, (size_t[]){ a, b, len }, 3, lines[i].meaning);
        }
        free(line);
    }
}

static void what_follows_a_line_changes_nothing(void **state)
{
    static const char *const next[] = { "\n", " x\r\n", "noreply\r\n", "\r\n", "k" };

    (void)state;
    for (size_t i = 0; i < N_OF(lines); i++) {
        size_t len;
        char *line = whole_line(&lines[i], &len);

        for (size_t j = 0; j < N_OF(next); j++) {
            char *more = joined(line, len, next[j], strlen(next[j]));
            struct result r;

            parse_init(&r.parse);
            assert_int_equal(parse_piece(&text, &r, more, len + strlen(next[j])), PARSE_DONE);
            assert_int_equal(r.parse.len, len);
            assert_string_equal(r.told.text, lines[i].meaning);
            free(more);
        }
        free(line);
    }
}

static void every_verb_is_found_by_its_word(void **state)
{
    (void)state;
    for (unsigned v = 0; v < VERB_UNKNOWN; v++) {
        struct result r;
        char line[64];
        int len = snprintf(line, sizeof(line), "%s 1 2 3 4\n", verb_word((enum verb)v));

        parse_line(&r, line, (size_t)len);
        assert_int_equal(r.cmd.verb, v);
    }
}

/* `start`, `fill` over and over, `finish`: `len` bytes, to be freed. */
static char *long_line(const char *start, const char *fill, const char *finish, size_t len)
{
    char *line = malloc(len);
    size_t n = strlen(start), end = len - strlen(finish);

    assert_non_null(line);
    memcpy(line, start, n);
    for (size_t i = 0; n + i < end; i++)
        line[n + i] = fill[i % strlen(fill)];
    memcpy(line + end, finish, strlen(finish));
    return line;
}

static void a_line_is_judged_whole_up_to_the_limit(void **state)
{
    enum { WHOLE = TEXT_LINE_MAX };
    static const struct {
        const char *start, *fill, *finish;
        size_t len;             /* of the line and its end */
        enum parse_status status;
        enum cmd_error error;
        size_t taken;
        int64_t exptime;
    } cases[] = {
        { "get a", " b", "\r\n", WHOLE - 1, PARSE_DONE, CMD_OK, WHOLE - 1, 0 },
        { "get a", " b", "\r\n", WHOLE, PARSE_DONE, CMD_OK, WHOLE, 0 },
        { "get a", " b", "\r\n", WHOLE + 1, PARSE_KEYS, CMD_OK, 4, 0 },
        { "gets  a", " b", "\n", WHOLE + 1, PARSE_KEYS, CMD_OK, 6, 0 },
        { "gat -1 a", " b", "\n", WHOLE + 1, PARSE_KEYS, CMD_OK, 7, -1 },
        { "gats 1  a", " b", "\n", WHOLE + 1, PARSE_KEYS, CMD_OK, 8, 1 },
        { "get ", " ", "\n", WHOLE, PARSE_DONE, CMD_BAD_FORMAT, WHOLE, 0 },
        { "get ", " ", "\n", WHOLE + 1, PARSE_KEYS, CMD_OK, WHOLE, 0 },
        { "get ", "k", "\n", WHOLE + 1, PARSE_KEYS, CMD_OK, 4, 0 },
        { "gat 1 ", " ", "\n", WHOLE + 1, PARSE_KEYS, CMD_OK, WHOLE, 1 },
        { "gat ", " ", "\n", WHOLE + 1, PARSE_DONE, CMD_TOO_LONG, WHOLE, 0 },
        { "gat ", "1", "\n", WHOLE + 1, PARSE_DONE, CMD_TOO_LONG, WHOLE, 0 },
        { "gat x", " a", "\n", WHOLE + 1, PARSE_DONE, CMD_BAD_EXPTIME, WHOLE, 0 },
        { "get", "t", "\n", WHOLE + 1, PARSE_DONE, CMD_TOO_LONG, WHOLE, 0 },
        { "set a 0 0 1", " ", "\n", WHOLE, PARSE_DONE, CMD_OK, WHOLE, 0 },
        { "set a 0 0 1", " ", "\n", WHOLE + 1, PARSE_DONE, CMD_TOO_LONG, WHOLE, 0 },
        { "stats ", "x", "\n", WHOLE + 1, PARSE_DONE, CMD_TOO_LONG, WHOLE, 0 },
        { "", "x", "\n", WHOLE, PARSE_DONE, CMD_ERROR, WHOLE, 0 },
        { "", "x", "\n", WHOLE + 1, PARSE_DONE, CMD_TOO_LONG, WHOLE, 0 },
        { "", " ", "\n", WHOLE + 1, PARSE_DONE, CMD_TOO_LONG, WHOLE, 0 },
        { "get a", " b", "\n", 3 * WHOLE, PARSE_KEYS, CMD_OK, 4, 0 },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        char *line = long_line(cases[i].start, cases[i].fill, cases[i].finish,
                               cases[i].len);
        struct result r;

        for (int in_pieces = 0; in_pieces < 2; in_pieces++) {
            parse_init(&r.parse);
            for (size_t n = WHOLE - 2; in_pieces && n < WHOLE && n < cases[i].len; n++)
                assert_int_equal(text_parse(&r.parse, line, n, &r.cmd), PARSE_MORE);
            assert_int_equal(text_parse(&r.parse, line, cases[i].len, &r.cmd),
                             cases[i].status);
            assert_int_equal(r.cmd.error, cases[i].error);
            assert_int_equal(r.parse.len, cases[i].taken);
            assert_int_equal(r.parse.close, cases[i].len > WHOLE && r.cmd.error != CMD_OK);
            assert_int_equal(r.cmd.exptime, cases[i].exptime);
        }
        free(line);
    }
}

/* What text_keys_next() says of data[0..len), in words: "a b END". */
static void walk_keys(const char *data, size_t len, bool whole, struct description *d)
{
    const char *key;
    size_t key_len, pos = 0;

    d->len = 0;
    for (;;) {
        switch (text_keys_next(data, len, &pos, whole, &key, &key_len)) {
        case KEYS_KEY:
            assert_in_range(key_len, 1, KEY_MAX);
            say(d, key_len > 200 ? "<long> " : "%.*s ", (int)key_len, key);
            continue;
        case KEYS_MORE:
            say(d, "MORE at %zu", pos);
            return;
        case KEYS_END:
            say(d, "END at %zu", pos);
            return;
        case KEYS_BAD:
            say(d, "BAD at %zu", pos);
            return;
        }
    }
}

/* Long ones are looked through several bytes at a time. */
static void a_byte_means_the_same_wherever_it_stands_in_a_key(void **state)
{
    char line[] = "get kkkkkkkkkkkkkkkkkkkkk\r\n";
    char *const key = line + 4;
    const size_t len = 21;

    (void)state;
    for (size_t at = 1; at + 1 < len; at++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            const bool stray = byte == '\0' || byte == '\r';
            struct parse p;
            struct cmd cmd;
            const char *next;
            size_t next_len, pos = 3;

            if (byte == '\n')
                continue;
            key[at] = (char)byte;
            parse_init(&p);
            assert_int_equal(text_parse(&p, line, sizeof(line) - 1, &cmd), PARSE_DONE);
            assert_int_equal(cmd.error, stray ? CMD_BAD_FORMAT : CMD_OK);
            if (!stray)
                assert_int_equal(p.n_keys, byte == ' ' ? 2 : 1);
            assert_int_equal(text_keys_next(line, sizeof(line) - 1, &pos, true, &next, &next_len),
                             stray ? KEYS_BAD : KEYS_KEY);
            if (!stray) {
                assert_ptr_equal(next, key);
                assert_int_equal(next_len, byte == ' ' ? at : len);
            }
        }
        key[at] = 'k';
    }
}

static void keys_are_taken_one_by_one(void **state)
{
    static const struct {
        const char *data;
        size_t len;
        bool whole;
        const char *meaning;
    } cases[] = {
        { LINE(""), true, "END at 0" },
        { LINE("  "), true, "END at 2" },
        { LINE("a"), true, "a END at 1" },
        { LINE("a b"), true, "a b END at 3" },
        { LINE(" a  b "), true, "a b END at 6" },
        { LINE("a\n"), true, "a END at 2" },
        { LINE("a\r\n"), true, "a END at 3" },
        { LINE("a \r\n"), true, "a END at 4" },
        { LINE("a\r"), true, "a END at 2" },
        { LINE("\r"), true, "END at 1" },
        { LINE("a b\rc"), true, "a BAD at 2" },
        { LINE("a b\0"), true, "a BAD at 2" },
        { LINE("a \r b"), true, "a BAD at 2" },
        { LINE(K250), true, "<long> END at 250" },
        { LINE("a " K250 "k b"), true, "a BAD at 2" },
        { LINE(""), false, "MORE at 0" },
        { LINE("  "), false, "MORE at 2" },
        { LINE("a"), false, "MORE at 0" },
        { LINE("a "), false, "a MORE at 2" },
        { LINE("a bc"), false, "a MORE at 2" },
        { LINE("a bc\r"), false, "a MORE at 2" },
        { LINE("a \r"), false, "a MORE at 2" },
        { LINE("a bc\r\n"), false, "a bc END at 6" },
        { LINE("a bc\nget d\n"), false, "a bc END at 5" },
        { LINE("a \n"), false, "a END at 3" },
        { LINE("a bc\rd"), false, "a BAD at 2" },
        { LINE("a bc\r\r\n"), false, "a BAD at 2" },
        { LINE("a b\0"), false, "a BAD at 2" },
        { LINE(K250), false, "MORE at 0" },
        { LINE(K250 "\r"), false, "MORE at 0" },
        { LINE(K250 "\r\n"), false, "<long> END at 252" },
        { LINE(K250 "k"), false, "BAD at 0" },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        char *data = joined(cases[i].data, cases[i].len, "", 0);
        struct description d;

        walk_keys(data, cases[i].len, cases[i].whole, &d);
        assert_string_equal(d.text, cases[i].meaning);
        free(data);
    }
}

/*
 * Walks a stream of keys that arrives `step` bytes at a time, keeping of each
 * piece only what was not taken yet, as a session does.
 */
static unsigned stream_keys(const char *data, size_t len, size_t step,
                            enum keys_status *last, size_t *taken)
{
    size_t at = 0, there = 0;
    unsigned n = 0;

    for (;;) {
        char *piece = joined(data + at, there - at, "", 0);
        const char *key;
        size_t key_len, pos = 0;

        while ((*last = text_keys_next(piece, there - at, &pos, false, &key, &key_len))
               == KEYS_KEY) {
            assert_true(key_len == 1 + n % KEY_MAX);
            n++;
        }
        free(piece);
        at += pos;
        assert_true(*last != KEYS_MORE || there - at <= KEY_MAX + 1);
        if (*last != KEYS_MORE || there == len) {
            *taken = at;
            return n;
        }
        there = there + step < len ? there + step : len;
    }
}

static void a_get_of_any_length_is_streamed(void **state)
{
    static const char end[] = "\r\nget b\r\n";
    enum { KEYS = 1000 };
    char *line = malloc(5 + KEYS * (KEY_MAX + 2));
    enum keys_status last;
    struct result r;
    size_t len = 4, taken;

    (void)state;
    assert_non_null(line);
    memcpy(line, "get ", 4);
    for (unsigned i = 0; i < KEYS; i++) {
        memset(line + len, 'a' + (int)(i % 26), 1 + i % KEY_MAX);
        len += 1 + i % KEY_MAX;
        if (i < KEYS - 1)
            line[len++] = ' ';
    }
    memcpy(line + len, end, strlen(end));

    parse_init(&r.parse);
    assert_int_equal(text_parse(&r.parse, line, TEXT_LINE_MAX, &r.cmd), PARSE_KEYS);
    assert_int_equal(r.parse.len, 4);
    for (size_t step = 1; step < 5000; step = step * 3 + 1) {
        assert_int_equal(stream_keys(line + 4, len - 4 + strlen(end), step, &last, &taken),
                         KEYS);
        assert_int_equal(last, KEYS_END);
        assert_int_equal(taken, len - 4 + 2);
    }
    free(line);
}

static void exptimes_are_seconds_from_now_or_since_1970(void **state)
{
    enum { DAY = 60 * 60 * 24 };
    static const int64_t now_ms = 1700000000500;
    static const struct {
        int64_t exptime, ttl_ms;
    } cases[] = {
        { 0, TTL_NEVER },
        { 1, 1000 },
        { -1, TTL_OVER },
        { INT64_MIN, TTL_OVER },
        { 30 * DAY, 30 * DAY * INT64_C(1000) },
        { 30 * DAY + 1, TTL_OVER },
        { 1699999999, TTL_OVER },
        { 1700000000, TTL_OVER },
        { 1700000001, 500 },
        { 1700000100, 99500 },
        { INT64_MAX / 1000, INT64_MAX / 1000 * 1000 - 1700000000500 },
        { INT64_MAX / 1000 + 1, INT64_MAX - 1700000000500 },
        { INT64_MAX, INT64_MAX - 1700000000500 },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++)
        assert_int_equal(exptime_to_ttl(cases[i].exptime, now_ms), cases[i].ttl_ms);
    assert_int_equal(exptime_to_ttl(1700000000, 1700000000000), TTL_OVER);
    assert_int_equal(exptime_to_ttl(INT64_MAX, 0), INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_becomes_its_command),
        cmocka_unit_test(a_line_may_arrive_in_pieces),
        cmocka_unit_test(what_follows_a_line_changes_nothing),
        cmocka_unit_test(every_verb_is_found_by_its_word),
        cmocka_unit_test(a_line_is_judged_whole_up_to_the_limit),
        cmocka_unit_test(a_byte_means_the_same_wherever_it_stands_in_a_key),
        cmocka_unit_test(keys_are_taken_one_by_one),
        cmocka_unit_test(a_get_of_any_length_is_streamed),
        cmocka_unit_test(exptimes_are_seconds_from_now_or_since_1970),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
