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

static struct item *make_item(struct bytes value)
{
    if (value.at == NULL)
        return NULL;

    struct item *it = item_new(1, value.len, 0);
    const struct draft d = {
        .key = "k", .key_len = 1, .version = VERSION_THERE,
        .piece = { { value.at, value.len } }, .value_len = value.len,
    };

    assert_non_null(it);
    item_fill(it, &d, 0);
    return it;
}

/* The value that a verdict makes, written in the place of the old one if `over`. */
static struct bytes value_of(const struct verdict *v, struct item *over, char *buf)
{
    struct item *it = over != NULL ? over : item_new(1, v->value_len, 0);
    const struct draft d = {
        .key = "k", .key_len = 1, .piece = { v->piece[0], v->piece[1] },
        .value_len = v->value_len,
    };
    struct bytes b = { buf, v->value_len };

    assert_non_null(it);
    item_fill(it, &d, 0);
    memcpy(buf, item_value(it), v->value_len);
    if (over == NULL)
        free(it);
    return b;
}

static void check_value(const struct verdict *v, struct item *it, struct bytes want)
{
    char buf[2 * MAX_ITEM];
    struct bytes got = value_of(v, NULL, buf);

    assert_int_equal(got.len, want.len);
    assert_memory_equal(got.at, want.at, want.len);
    if (it != NULL && item_bytes(1, v->value_len, 0) == item_bytes(1, it->value_len, 0)) {
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_are_memcacheds),
        cmocka_unit_test(arithmetic_is_memcacheds),
        cmocka_unit_test(without_cas_no_version_matches),
        cmocka_unit_test(the_limit_is_exact_and_does_not_overflow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
