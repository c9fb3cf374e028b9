#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "store/judge.h"

#define MAX_ITEM 200
#define VERSION_THERE 77

static const char TOO_LONG[MAX_ITEM] = { 'x' };

/* A string with its length, NULs included; ABSENT: no item. */
struct bytes { const char *at; size_t len; };
#define B(s) { s, sizeof(s) - 1 }
#define LONG(n) { TOO_LONG, n }
#define ABSENT { NULL, 0 }

/* An item of its own memory: what was read, and behind it the bytes. */
static struct item *make(const struct draft *d)
{
    struct item *it = malloc(sizeof(*it) + draft_bytes(d));
    char *at = (char *)(it + 1);

    assert_non_null(it);
    item_write(at, d);
    item_read(it, at);
    return it;
}

static struct item *make_item(struct bytes value)
{
    const struct draft d = {
        .key = "k", .key_len = 1, .version = VERSION_THERE,
        .piece = { { value.at, value.len } }, .value_len = value.len,
    };

    return value.at != NULL ? make(&d) : NULL;
}

static struct draft draft_of(const struct verdict *v)
{
    return (struct draft){
        .key = "k", .key_len = 1, .version = VERSION_THERE,
        .piece = { v->piece[0], v->piece[1] }, .value_len = v->value_len,
    };
}

/* The value that a verdict makes, written in the place of the old one if `over`. */
static struct bytes value_of(const struct verdict *v, struct item *over, char *buf)
{
    const struct draft d = draft_of(v);
    struct item *it = over;

    if (over == NULL) {
        it = make(&d);
    } else {
        item_write(over->at, &d);
        item_read(over, over->at);
    }
    assert_int_equal(it->value_len, v->value_len);
    memcpy(buf, it->value, v->value_len);
    if (over == NULL)
        free(it);
    return (struct bytes){ buf, v->value_len };
}

static void check_value(const struct verdict *v, struct item *it, struct bytes want)
{
    char buf[2 * MAX_ITEM];
    struct bytes got = value_of(v, NULL, buf);

    assert_int_equal(got.len, want.len);
    assert_memory_equal(got.at, want.at, want.len);
    const struct draft d = draft_of(v);

    if (it != NULL && item_can_become(it, &d) && draft_bytes(&d) <= item_bytes(it)) {
        value_of(v, it, buf);                   /* in place must come to the same */
        assert_memory_equal(buf, want.at, want.len);
    }
}

static void judge_one(struct verdict *v, struct cmd *cmd, struct item *it)
{
    static const struct judge_rules rules = { MAX_ITEM, true };

    cmd->key = "k";
    cmd->key_len = 1;
    judge(v, cmd, it, TTL_NEVER, &rules);
}

static void conditions_are_memcacheds(void **state)
{
    enum { NOTHING = 0, WRITE = DEED_WRITE, REMOVE = DEED_REMOVE };
    static const struct {
        enum verb verb;
        struct bytes there, value;
        uint64_t cas;
        enum status status;
        unsigned deeds;
        struct bytes want;
    } cases[] = {
        { VERB_GET, ABSENT, ABSENT, 0, STATUS_NOT_FOUND, NOTHING, ABSENT },
        { VERB_GET, B("a"), ABSENT, 0, STATUS_HIT, DEED_SHOW | DEED_USE, ABSENT },
        { VERB_GETS, B("a"), ABSENT, 0, STATUS_HIT, DEED_SHOW | DEED_USE, ABSENT },
        { VERB_GAT, ABSENT, ABSENT, 0, STATUS_NOT_FOUND, NOTHING, ABSENT },
        { VERB_GAT, B("a"), ABSENT, 0, STATUS_HIT, DEED_SHOW | DEED_TOUCH | DEED_USE,
          ABSENT },
        { VERB_GATS, B("a"), ABSENT, 0, STATUS_HIT, DEED_SHOW | DEED_TOUCH | DEED_USE,
          ABSENT },
        { VERB_TOUCH, ABSENT, ABSENT, 0, STATUS_NOT_FOUND, NOTHING, ABSENT },
        { VERB_TOUCH, B("a"), ABSENT, 0, STATUS_TOUCHED, DEED_TOUCH | DEED_USE, ABSENT },
        { VERB_DELETE, ABSENT, ABSENT, 0, STATUS_NOT_FOUND, NOTHING, ABSENT },
        { VERB_DELETE, B("a"), ABSENT, 0, STATUS_DELETED, REMOVE, ABSENT },
        { VERB_SET, ABSENT, B("b"), 0, STATUS_STORED, WRITE | REMOVE, B("b") },
        { VERB_SET, B("a"), B(""), 0, STATUS_STORED, WRITE | REMOVE, B("") },
        { VERB_SET, B("a"), B("\0\r\n"), 0, STATUS_STORED, WRITE | REMOVE, B("\0\r\n") },
        { VERB_SET, B("a"), LONG(MAX_ITEM), 0, STATUS_TOO_LARGE, REMOVE, ABSENT },
        { VERB_ADD, ABSENT, B("b"), 0, STATUS_STORED, WRITE, B("b") },
        { VERB_ADD, B("a"), B("b"), 0, STATUS_NOT_STORED, DEED_USE, ABSENT },
        { VERB_ADD, B("a"), LONG(MAX_ITEM), 0, STATUS_TOO_LARGE, NOTHING, ABSENT },
        { VERB_REPLACE, ABSENT, B("b"), 0, STATUS_NOT_STORED, NOTHING, ABSENT },
        { VERB_REPLACE, B("a"), B("b"), 0, STATUS_STORED, WRITE, B("b") },
        { VERB_REPLACE, B("a"), LONG(MAX_ITEM), 0, STATUS_TOO_LARGE, NOTHING,
          ABSENT },
        { VERB_CAS, ABSENT, B("b"), VERSION_THERE, STATUS_NOT_FOUND, NOTHING, ABSENT },
        { VERB_CAS, ABSENT, B("b"), 0, STATUS_NOT_FOUND, NOTHING, ABSENT },
        { VERB_CAS, B("a"), B("b"), VERSION_THERE, STATUS_STORED, WRITE, B("b") },
        { VERB_CAS, B("a"), B("b"), VERSION_THERE + 1, STATUS_EXISTS, NOTHING, ABSENT },
        { VERB_CAS, B("a"), B("b"), 0, STATUS_EXISTS, NOTHING, ABSENT },
        { VERB_APPEND, ABSENT, B("b"), 0, STATUS_NOT_STORED, NOTHING, ABSENT },
        { VERB_APPEND, B("ab"), B("cd"), 0, STATUS_STORED, WRITE, B("abcd") },
        { VERB_APPEND, B("ab"), B(""), 0, STATUS_STORED, WRITE, B("ab") },
        { VERB_APPEND, B(""), B("cd"), 0, STATUS_STORED, WRITE, B("cd") },
        { VERB_APPEND, LONG(90), LONG(60), 0, STATUS_NOT_STORED, NOTHING,
          ABSENT },
        { VERB_APPEND, ABSENT, LONG(MAX_ITEM), 0, STATUS_TOO_LARGE, NOTHING, ABSENT },
        { VERB_PREPEND, ABSENT, B("b"), 0, STATUS_NOT_STORED, NOTHING, ABSENT },
        { VERB_PREPEND, B("ab"), B("cd"), 0, STATUS_STORED, WRITE, B("cdab") },
        { VERB_PREPEND, B("abcdefgh"), B("0"), 0, STATUS_STORED, WRITE, B("0abcdefgh") },
        { VERB_PREPEND, LONG(90), LONG(60), 0, STATUS_NOT_STORED, NOTHING,
          ABSENT },
        { VERB_INCR, ABSENT, ABSENT, 0, STATUS_NOT_FOUND, NOTHING, ABSENT },
        { VERB_DECR, ABSENT, ABSENT, 0, STATUS_NOT_FOUND, NOTHING, ABSENT },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct item *it = make_item(cases[i].there);
        struct cmd cmd = { .verb = cases[i].verb, .cas = cases[i].cas,
                           .value = cases[i].value.at, .value_len = cases[i].value.len };
        struct verdict v;

        judge_one(&v, &cmd, it);
        if (v.status != cases[i].status || v.deeds != cases[i].deeds)
            fail_msg("case %zu: status %d deeds %x", i, v.status, v.deeds);
        if ((v.deeds & WRITE) != 0)
            assert_int_equal(v.keep_ttl,
                             cmd.verb == VERB_APPEND || cmd.verb == VERB_PREPEND);
        if ((v.deeds & WRITE) != 0)
            check_value(&v, it, cases[i].want);
        free(it);
    }
}

/* As memcached 1.6.45 answered to the same values. */
static void arithmetic_is_memcacheds(void **state)
{
    static const struct {
        struct bytes there;
        enum verb verb;
        uint64_t delta;
        enum status status;
        uint64_t number;
        struct bytes want;
    } cases[] = {
        { B("10"), VERB_INCR, 1, STATUS_NUMBER, 11, B("11") },
        { B("10"), VERB_INCR, 0, STATUS_NUMBER, 10, B("10") },
        { B("10"), VERB_DECR, 1, STATUS_NUMBER, 9, B("9 ") },
        { B("10"), VERB_DECR, 11, STATUS_NUMBER, 0, B("0 ") },
        { B("0"), VERB_DECR, UINT64_MAX, STATUS_NUMBER, 0, B("0") },
        { B("99"), VERB_INCR, 1, STATUS_NUMBER, 100, B("100") },
        { B("9 "), VERB_INCR, 1, STATUS_NUMBER, 10, B("10") },
        { B("007"), VERB_INCR, 1, STATUS_NUMBER, 8, B("8  ") },
        { B("0000000000000000000000000000000007"), VERB_INCR, 1, STATUS_NUMBER, 8,
          B("8                                 ") },
        { B("18446744073709551615"), VERB_INCR, 1, STATUS_NUMBER, 0,
          B("0                   ") },
        { B("18446744073709551615"), VERB_INCR, 2, STATUS_NUMBER, 1,
          B("1                   ") },
        { B("18446744073709551614"), VERB_INCR, 1, STATUS_NUMBER, UINT64_MAX,
          B("18446744073709551615") },
        { B("5"), VERB_INCR, UINT64_MAX, STATUS_NUMBER, 4, B("4") },
        { B(" 10"), VERB_INCR, 1, STATUS_NUMBER, 11, B("11 ") },
        { B("\t\v12\n9"), VERB_INCR, 1, STATUS_NUMBER, 13, B("13    ") },
        { B("+5"), VERB_INCR, 1, STATUS_NUMBER, 6, B("6 ") },
        { B("-0"), VERB_INCR, 1, STATUS_NUMBER, 1, B("1 ") },
        { B("-18446744073709551615"), VERB_INCR, 1, STATUS_NUMBER, 2,
          B("2                    ") },
        { B("12 abc"), VERB_INCR, 1, STATUS_NUMBER, 13, B("13    ") },
        { B("12\0abc"), VERB_INCR, 1, STATUS_NUMBER, 13, B("13    ") },
        { B("12\r\nx"), VERB_INCR, 1, STATUS_NUMBER, 13, B("13   ") },
        { B(""), VERB_INCR, 1, STATUS_NON_NUMERIC, 0, ABSENT },
        { B("  "), VERB_INCR, 1, STATUS_NON_NUMERIC, 0, ABSENT },
        { B("\0"), VERB_INCR, 1, STATUS_NON_NUMERIC, 0, ABSENT },
        { B("+"), VERB_INCR, 1, STATUS_NON_NUMERIC, 0, ABSENT },
        { B("-"), VERB_INCR, 1, STATUS_NON_NUMERIC, 0, ABSENT },
        { B("-1"), VERB_INCR, 1, STATUS_NON_NUMERIC, 0, ABSENT },
        { B("+-1"), VERB_INCR, 1, STATUS_NON_NUMERIC, 0, ABSENT },
        { B("abc"), VERB_INCR, 1, STATUS_NON_NUMERIC, 0, ABSENT },
        { B("12abc"), VERB_INCR, 1, STATUS_NON_NUMERIC, 0, ABSENT },
        { B("0x10"), VERB_INCR, 1, STATUS_NON_NUMERIC, 0, ABSENT },
        { B("1.5"), VERB_DECR, 1, STATUS_NON_NUMERIC, 0, ABSENT },
        { B("18446744073709551616"), VERB_DECR, 1, STATUS_NON_NUMERIC, 0, ABSENT },
        { B("184467440737095516150"), VERB_DECR, 1, STATUS_NON_NUMERIC, 0, ABSENT },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct item *it = make_item(cases[i].there);
        struct cmd cmd = { .verb = cases[i].verb, .delta = cases[i].delta };
        struct verdict v;

        judge_one(&v, &cmd, it);
        if (v.status != cases[i].status || v.number != cases[i].number)
            fail_msg("\"%s\": status %d", cases[i].there.at, v.status);
        if (v.status == STATUS_NUMBER) {
            assert_int_equal(v.deeds, DEED_WRITE);
            assert_true(v.keep_ttl);
            check_value(&v, it, cases[i].want);
        } else {
            assert_int_equal(v.deeds, 0);
        }
        free(it);
    }
}

static void without_cas_no_version_matches(void **state)
{
    static const struct judge_rules rules = { MAX_ITEM, false };
    static const uint64_t tokens[] = { 0, 5, VERSION_THERE };
    struct item *it = make_item((struct bytes)B("a"));

    (void)state;
    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        const struct cmd cmd = { .verb = VERB_CAS, .key = "k", .key_len = 1,
                                 .cas = tokens[i], .value = "b", .value_len = 1 };
        struct verdict v;

        judge(&v, &cmd, it, TTL_NEVER, &rules);
        assert_int_equal(v.status, STATUS_EXISTS);
        judge(&v, &cmd, NULL, TTL_NEVER, &rules);
        assert_int_equal(v.status, STATUS_NOT_FOUND);
    }
    free(it);
}

static void the_limit_is_exact_and_does_not_overflow(void **state)
{
    static const struct { size_t key_len, value_len, max; bool fits; } cases[] = {
        { 1, MAX_ITEM - ITEM_OVERHEAD - 1, MAX_ITEM, true },
        { 1, MAX_ITEM - ITEM_OVERHEAD, MAX_ITEM, false },
        { 250, 0, MAX_ITEM, false },
        { 1, SIZE_MAX, MAX_ITEM, false },
        { 250, SIZE_MAX - 250, MAX_ITEM, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(item_fits(cases[i].key_len, cases[i].value_len, cases[i].max),
                         cases[i].fits);
}

/* ---- options ---- */

#define NEVER TTL_NEVER
#define OLDER (VERSION_THERE - 1)
#define NEWER (VERSION_THERE + 1)
#define TOKEN_THERE 5000        /* of an item that has one of its own */

/* What there is before and what is to be after, in one letter each: Stale, Won,
 * Fetched, a key in Base64; a Token. */
static unsigned item_marks_of(const char *letters)
{
    unsigned marks = 0;

    for (; *letters != '\0'; letters++)
        marks |= *letters == 'S' ? ITEM_STALE : *letters == 'W' ? ITEM_WON
               : *letters == 'F' ? ITEM_FETCHED : *letters == 'B' ? ITEM_KEY_ENCODED
               : ITEM_TOKEN;
    return marks;
}

static struct item *make_marked(const char *value, const char *letters)
{
    const unsigned marks = value != NULL ? item_marks_of(letters) : 0;

    return value == NULL ? NULL : make(&(struct draft){
        .key = "k", .key_len = 1, .version = VERSION_THERE, .client_flags = 3,
        .marks = marks, .token = TOKEN_THERE,
        .piece = { { value, strlen(value) } }, .value_len = strlen(value),
    });
}

static void a_condition_is_the_token_that_clients_see(void **state)
{
    enum { READ = DEED_SHOW | DEED_USE };
    static const struct {
        enum verb verb;
        const char *there, *marks;
        uint64_t cas;
        enum status status;
        unsigned deeds;
    } cases[] = {
        /* a get with the token that is there needs no value */
        { VERB_GET, "10", "", VERSION_THERE, STATUS_HEAD, READ },
        { VERB_GET, "10", "", NEWER, STATUS_HIT, READ },
        { VERB_GET, "10", "", OLDER, STATUS_HIT, READ },
        { VERB_GET, "10", "", 0, STATUS_HIT, READ },
        { VERB_GET, "10", "T", VERSION_THERE, STATUS_HIT, READ },
        { VERB_GET, "10", "T", TOKEN_THERE, STATUS_HEAD, READ },
        { VERB_GAT, "10", "", VERSION_THERE, STATUS_HEAD, READ | DEED_TOUCH },
        { VERB_GET, NULL, "", VERSION_THERE, STATUS_NOT_FOUND, 0 },
        /* a delete takes 0 for a token that nothing has */
        { VERB_DELETE, "10", "", VERSION_THERE, STATUS_DELETED, DEED_REMOVE },
        { VERB_DELETE, "10", "", NEWER, STATUS_EXISTS, 0 },
        { VERB_DELETE, "10", "", 0, STATUS_EXISTS, 0 },
        { VERB_DELETE, "10", "T", VERSION_THERE, STATUS_EXISTS, 0 },
        { VERB_DELETE, "10", "T", TOKEN_THERE, STATUS_DELETED, DEED_REMOVE },
        { VERB_DELETE, NULL, "", VERSION_THERE, STATUS_NOT_FOUND, 0 },
        /* the others take it for no condition */
        { VERB_APPEND, "10", "", VERSION_THERE, STATUS_STORED, DEED_WRITE },
        { VERB_APPEND, "10", "", OLDER, STATUS_EXISTS, 0 },
        { VERB_APPEND, "10", "", 0, STATUS_STORED, DEED_WRITE },
        { VERB_APPEND, "10", "T", VERSION_THERE, STATUS_EXISTS, 0 },
        { VERB_PREPEND, "10", "T", TOKEN_THERE, STATUS_STORED, DEED_WRITE },
        { VERB_PREPEND, "10", "", NEWER, STATUS_EXISTS, 0 },
        { VERB_PREPEND, NULL, "", NEWER, STATUS_NOT_STORED, 0 },
        { VERB_INCR, "10", "", VERSION_THERE, STATUS_NUMBER, DEED_WRITE },
        { VERB_INCR, "10", "", NEWER, STATUS_EXISTS, 0 },
        { VERB_INCR, "10", "", 0, STATUS_NUMBER, DEED_WRITE },
        { VERB_DECR, "10", "T", TOKEN_THERE, STATUS_NUMBER, DEED_WRITE },
        { VERB_DECR, "10", "T", VERSION_THERE, STATUS_EXISTS, 0 },
        { VERB_INCR, NULL, "", VERSION_THERE, STATUS_NOT_FOUND, 0 },
        /* it comes before what the value is, unless there is none at all */
        { VERB_INCR, "x", "", NEWER, STATUS_EXISTS, 0 },
        { VERB_INCR, "x", "", VERSION_THERE, STATUS_NON_NUMERIC, 0 },
        { VERB_INCR, "", "", NEWER, STATUS_NON_NUMERIC, 0 },
        /* a cas has it without being told */
        { VERB_CAS, "10", "T", VERSION_THERE, STATUS_EXISTS, 0 },
        { VERB_CAS, "10", "T", TOKEN_THERE, STATUS_STORED, DEED_WRITE },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct item *it = make_marked(cases[i].there, cases[i].marks);
        struct cmd cmd = { .verb = cases[i].verb, .cas = cases[i].cas, .delta = 1,
                           .options = OPTION_COMPARE, .value = "1", .value_len = 1 };
        struct verdict v;

        judge_one(&v, &cmd, it);
        if (v.status != cases[i].status || v.deeds != cases[i].deeds)
            fail_msg("case %zu: status %d deeds %x", i, v.status, v.deeds);
        free(it);
    }
}

static void without_cas_no_condition_holds(void **state)
{
    static const struct judge_rules rules = { MAX_ITEM, false };
    static const struct { enum verb verb; unsigned options; enum status status; } cases[] = {
        { VERB_GET, OPTION_COMPARE, STATUS_HIT },
        { VERB_DELETE, OPTION_COMPARE, STATUS_EXISTS },
        { VERB_APPEND, OPTION_COMPARE, STATUS_EXISTS },
        { VERB_INCR, OPTION_COMPARE, STATUS_EXISTS },
        { VERB_CAS, OPTION_INVALIDATE, STATUS_EXISTS },
    };
    struct item *it = make_marked("10", "");

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (uint64_t cas = OLDER; cas <= VERSION_THERE; cas++) {
            const struct cmd cmd = { .verb = cases[i].verb, .key = "k", .key_len = 1,
                                     .options = cases[i].options, .cas = cas,
                                     .value = "1", .value_len = 1 };
            struct verdict v;

            judge(&v, &cmd, it, NEVER, &rules);
            assert_int_equal(v.status, cases[i].status);
        }
    }
    free(it);
}

/* What a write leaves: value, marks, flags, token, time to live ("kept" or ms). */
static void a_write_leaves_what_it_should(void **state)
{
    enum { KEPT = -1000, TTL = 40, VIV = 50 };
#define I OPTION_INVALIDATE
#define X OPTION_REMOVE_VALUE
#define E OPTION_TOKEN
#define T OPTION_TTL
#define N OPTION_VIVIFY
#define B64 OPTION_KEY_ENCODED
    static const struct {
        enum verb verb;
        unsigned options;
        const char *there, *marks;
        uint64_t cas;
        enum status status;
        const char *value, *left;       /* and its marks, but the token's */
        uint32_t client_flags;          /* 3 were there, 9 are sent */
        uint64_t token;                 /* 8000 is sent */
        int64_t ttl_ms;
    } cases[] = {
        /* a new value has no past */
        { VERB_SET, 0, NULL, "", 0, STATUS_STORED, "1", "", 9, 0, TTL },
        { VERB_SET, 0, "10", "SWFBT", 0, STATUS_STORED, "1", "", 9, 0, TTL },
        { VERB_SET, E | B64, "10", "", 0, STATUS_STORED, "1", "B", 9, 8000, TTL },
        { VERB_ADD, E | B64, NULL, "", 0, STATUS_STORED, "1", "B", 9, 8000, TTL },
        { VERB_REPLACE, 0, "10", "SWFBT", 0, STATUS_STORED, "1", "", 9, 0, TTL },
        { VERB_CAS, 0, "10", "SWFB", VERSION_THERE, STATUS_STORED, "1", "", 9, 0, TTL },
        { VERB_CAS, E, "10", "", VERSION_THERE, STATUS_STORED, "1", "", 9, 8000, TTL },
        /* a cas that may be late: stale, and won if it was, until it would have expired */
        { VERB_CAS, I, "10", "SW", VERSION_THERE, STATUS_STORED, "1", "", 9, 0, TTL },
        { VERB_CAS, I, "10", "", OLDER, STATUS_STORED, "1", "S", 9, 0, KEPT },
        { VERB_CAS, I, "10", "SWFB", OLDER, STATUS_STORED, "1", "SW", 9, 0, KEPT },
        { VERB_CAS, I | E | B64, "10", "W", 1, STATUS_STORED, "1", "SWB", 9, 8000, KEPT },
        { VERB_CAS, I, "10", "T", VERSION_THERE, STATUS_STORED, "1", "S", 9, 0, KEPT },
        { VERB_CAS, I, "10", "", NEWER, STATUS_EXISTS, NULL, "", 0, 0, 0 },
        { VERB_CAS, I, "10", "", 0, STATUS_EXISTS, NULL, "", 0, 0, 0 },
        { VERB_CAS, 0, "10", "", OLDER, STATUS_EXISTS, NULL, "", 0, 0, 0 },
        { VERB_CAS, I, NULL, "", OLDER, STATUS_NOT_FOUND, NULL, "", 0, 0, 0 },
        /* more of a value is a new one, but for what it was */
        { VERB_APPEND, 0, "10", "SWFBT", 0, STATUS_STORED, "101", "B", 3, 0, KEPT },
        { VERB_PREPEND, E, "10", "SW", 0, STATUS_STORED, "110", "", 3, 8000, KEPT },
        { VERB_APPEND, N | B64, "10", "", 0, STATUS_STORED, "101", "", 3, 0, KEPT },
        { VERB_APPEND, N | E | B64, NULL, "", 0, STATUS_STORED, "1", "B", 9, 8000, VIV },
        { VERB_PREPEND, N, NULL, "", 0, STATUS_STORED, "1", "", 9, 0, VIV },
        /* a number in its place keeps all; where it needs more room it is new */
        { VERB_INCR, 0, "10", "SWFBT", 0, STATUS_NUMBER, "15", "SWFB", 3, 0, KEPT },
        { VERB_INCR, E | T, "10", "SW", 0, STATUS_NUMBER, "15", "SW", 3, 8000, TTL },
        { VERB_DECR, T, "10", "", 0, STATUS_NUMBER, "5 ", "", 3, 0, TTL },
        { VERB_INCR, E | T, "99", "SWFB", 0, STATUS_NUMBER, "104", "B", 3, 8000, TTL },
        { VERB_INCR, N | T, "10", "", 0, STATUS_NUMBER, "15", "", 3, 0, TTL },
        { VERB_INCR, N | E | B64, NULL, "", 0, STATUS_NUMBER, "13", "B", 0, 8000, VIV },
        { VERB_DECR, N | T, NULL, "", 0, STATUS_NUMBER, "13", "", 0, 0, VIV },
        /* a get that makes an empty item: who asks has won */
        { VERB_GET, N, NULL, "", 0, STATUS_HIT, "", "WF", 0, 0, VIV },
        { VERB_GET, N | OPTION_NO_USE, NULL, "", 0, STATUS_HIT, "", "W", 0, 0, VIV },
        { VERB_GET, N | OPTION_NO_VALUE, NULL, "", 0, STATUS_HEAD, "", "WF", 0, 0, VIV },
        { VERB_GET, N | E | OPTION_COMPARE, NULL, "", 8000, STATUS_HEAD, "", "WF", 0, 8000, VIV },
        { VERB_GAT, N | E | B64 | OPTION_COMPARE, NULL, "", 0, STATUS_HIT, "", "WFB", 0, 8000,
          VIV },
        /* a delete that leaves a stale item, */
        { VERB_DELETE, I, "10", "", 0, STATUS_DELETED, "10", "S", 3, 0, KEPT },
        { VERB_DELETE, I, "10", "SWFBT", 0, STATUS_DELETED, "10", "SFB", 3, 0, KEPT },
        { VERB_DELETE, I | T | E, "10", "", 0, STATUS_DELETED, "10", "S", 3, 8000, TTL },
        /* an empty one that looks the same, or both */
        { VERB_DELETE, X, "10", "", 0, STATUS_DELETED, "", "", 9, VERSION_THERE, TTL },
        { VERB_DELETE, X, "10", "SWFBT", 0, STATUS_DELETED, "", "B", 9, TOKEN_THERE, TTL },
        { VERB_DELETE, X | E, "10", "", 0, STATUS_DELETED, "", "", 9, 8000, TTL },
        { VERB_DELETE, X | I, "10", "WFT", 0, STATUS_DELETED, "", "S", 9, 0, TTL },
        { VERB_DELETE, X | I | E | T, "10", "B", 0, STATUS_DELETED, "", "SB", 9, 8000, TTL },
        { VERB_DELETE, X | I | E | T, NULL, "", 0, STATUS_NOT_FOUND, NULL, "", 0, 0, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct item *it = make_marked(cases[i].there, cases[i].marks);
        struct cmd cmd = {
            .verb = cases[i].verb, .options = cases[i].options, .cas = cases[i].cas,
            .client_flags = 9, .ttl_ms = TTL, .vivify_ttl_ms = VIV, .delta = 5, .initial = 13,
            .token = (cases[i].options & E) != 0 ? 8000 : 0,
        };
        struct verdict v;

        if (verb_has_value(cmd.verb)) {
            cmd.value = "1";
            cmd.value_len = 1;
        }
        judge_one(&v, &cmd, it);
        if (v.status != cases[i].status)
            fail_msg("case %zu: status %d", i, v.status);
        if (cases[i].value == NULL) {
            assert_int_equal(v.deeds, 0);
            free(it);
            continue;
        }
        assert_int_equal(v.deeds, cmd.verb == VERB_SET ? DEED_WRITE | DEED_REMOVE : DEED_WRITE);
        check_value(&v, it, (struct bytes){ cases[i].value, strlen(cases[i].value) });
        if (v.marks != item_marks_of(cases[i].left) || v.client_flags != cases[i].client_flags)
            fail_msg("case %zu: marks %x flags %u", i, v.marks, v.client_flags);
        if (v.token != cases[i].token || v.keep_ttl != (cases[i].ttl_ms == KEPT)
            || (!v.keep_ttl && v.ttl_ms != cases[i].ttl_ms))
            fail_msg("case %zu: token %llu ttl %lld", i, (unsigned long long)v.token,
                     (long long)v.ttl_ms);
        assert_int_equal(v.told & MARK_CREATED,
                         cases[i].there == NULL && (cmd.options & N) != 0 ? MARK_CREATED : 0);
        assert_int_equal((v.told & MARK_WIN) != 0, verb_is_get(cmd.verb));
        free(it);
    }
#undef I
#undef X
#undef E
#undef T
#undef N
#undef B64
}

static void one_reader_of_an_old_item_wins(void **state)
{
#define W OPTION_WIN
#define R OPTION_RECACHE
#define FIRST OPTION_TTL_FIRST
    static const struct {
        enum verb verb;
        unsigned options;
        const char *marks;
        int64_t left_ms, recache_ms;    /* a gat sets 20 s */
        bool wins;
    } cases[] = {
        { VERB_GET, W, "", NEVER, 0, false },
        { VERB_GET, W, "S", NEVER, 0, true },
        { VERB_GAT, W, "S", 1000, 0, true },
        { VERB_GET, W, "SW", NEVER, 0, false },
        { VERB_GET, W, "W", NEVER, 0, false },
        { VERB_GET, 0, "S", NEVER, 0, false },          /* no meta get */
        { VERB_GET, W | OPTION_NO_USE | OPTION_NO_VALUE, "S", NEVER, 0, true },
        /* less to live than asked for, in seconds */
        { VERB_GET, W | R, "", 29000, 30000, true },
        { VERB_GET, W | R, "", 29001, 30000, false },
        { VERB_GET, W | R, "", 30000, 30000, false },
        { VERB_GET, W | R, "", 31000, 30000, false },
        { VERB_GET, W | R, "", NEVER, 30000, false },
        { VERB_GET, W | R, "", 1000, NEVER, false },
        { VERB_GET, W | R, "", 1000, TTL_OVER, false },
        { VERB_GET, W | R, "W", 1000, 30000, false },
        { VERB_GET, R, "", 1000, 30000, false },
        { VERB_GET, W, "", 1000, 30000, false },
        { VERB_GET, W | R, "S", NEVER, 30000, true },
        /* the time it has, or the one it is given if that comes first */
        { VERB_GAT, W | R, "", 1000, 30000, true },
        { VERB_GAT, W | R, "", 60000, 30000, false },
        { VERB_GAT, W | R | FIRST, "", 60000, 30000, true },
        { VERB_GAT, W | R | FIRST, "", 1000, 10000, false },
        { VERB_GAT, W | R | FIRST, "", 1000, 20000, false },
        { VERB_GAT, W | R | FIRST, "", NEVER, 21000, true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        static const struct judge_rules rules = { MAX_ITEM, true };
        struct item *it = make_marked("v", cases[i].marks);
        const struct cmd cmd = { .verb = cases[i].verb, .key = "k", .key_len = 1,
                                 .options = cases[i].options, .ttl_ms = 20000,
                                 .recache_ttl_ms = cases[i].recache_ms };
        struct verdict v;

        judge(&v, &cmd, it, cases[i].left_ms, &rules);
        if (((v.told & MARK_WIN) != 0) != cases[i].wins
            || ((v.deeds & DEED_WIN) != 0) != cases[i].wins)
            fail_msg("case %zu: told %x deeds %x", i, v.told, v.deeds);
        assert_int_equal(v.told & ~(unsigned)MARK_WIN, 0);
        assert_int_equal((v.deeds & DEED_USE) != 0, (cmd.options & OPTION_NO_USE) == 0);
        free(it);
    }
#undef W
#undef R
#undef FIRST
}

/* A miss of others than those that have a use for it is a miss. */
static void not_every_command_makes_an_item(void **state)
{
    static const struct { enum verb verb; enum status status; } cases[] = {
        { VERB_REPLACE, STATUS_NOT_STORED }, { VERB_CAS, STATUS_NOT_FOUND },
        { VERB_DELETE, STATUS_NOT_FOUND }, { VERB_TOUCH, STATUS_NOT_FOUND },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cmd cmd = { .verb = cases[i].verb, .options = OPTIONS_ALL, .value = "1",
                           .value_len = 1 };
        struct verdict v;

        judge_one(&v, &cmd, NULL);
        assert_int_equal(v.status, cases[i].status);
        assert_int_equal(v.deeds, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_are_memcacheds),
        cmocka_unit_test(arithmetic_is_memcacheds),
        cmocka_unit_test(without_cas_no_version_matches),
        cmocka_unit_test(the_limit_is_exact_and_does_not_overflow),
        cmocka_unit_test(a_condition_is_the_token_that_clients_see),
        cmocka_unit_test(without_cas_no_condition_holds),
        cmocka_unit_test(a_write_leaves_what_it_should),
        cmocka_unit_test(one_reader_of_an_old_item_wins),
        cmocka_unit_test(not_every_command_makes_an_item),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
