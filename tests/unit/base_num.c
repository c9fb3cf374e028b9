/* num: limits, overflow, nothing but digits, nothing beyond the length. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))
#define UNTOUCHED 4711

/* A copy that ends where its memory ends: a sanitizer sees a look beyond.
 * NULL when there is nothing to look at. */
static char *exactly(const char *s, size_t len)
{
    char *copy;

    if (len == 0)
        return NULL;
    copy = malloc(len);
    assert_non_null(copy);
    memcpy(copy, s, len);
    return copy;
}

static void a_u32_is_digits_up_to_its_limit(void **state)
{
    static const struct { const char *in; bool ok; uint32_t out; } cases[] = {
        { "0", true, 0 },
        { "00012", true, 12 },
        { "4294967295", true, UINT32_MAX },
        { "4294967296", false, 0 },
        { "42949672950", false, 0 },
        { "18446744073709551616", false, 0 },
        { "", false, 0 },
        { "-1", false, 0 },
        { "+1", false, 0 },
        { " 1", false, 0 },
        { "1 ", false, 0 },
        { "1a", false, 0 },
        { "0x10", false, 0 },
        { "1\xb2", false, 0 },
    };

    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        size_t len = strlen(cases[i].in);
        char *in = exactly(cases[i].in, len);
        uint32_t out = UNTOUCHED;

        assert_int_equal(num_parse_u32(in, len, &out), cases[i].ok);
        assert_int_equal(out, cases[i].ok ? cases[i].out : UNTOUCHED);
        free(in);
    }
}

static void a_u64_is_digits_up_to_its_limit(void **state)
{
    static const struct { const char *in; bool ok; uint64_t out; } cases[] = {
        { "0", true, 0 },
        { "9", true, 9 },
        { "1234567890123456789", true, 1234567890123456789 },
        { "18446744073709551615", true, UINT64_MAX },
        { "000000000000000000000000018446744073709551615", true, UINT64_MAX },
        { "18446744073709551616", false, 0 },
        { "18446744073709551620", false, 0 },
        { "99999999999999999999", false, 0 },
        { "184467440737095516150", false, 0 },
        { "", false, 0 },
        { "-0", false, 0 },
        { "/", false, 0 },
        { ":", false, 0 },
        { "1.5", false, 0 },
    };

    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        size_t len = strlen(cases[i].in);
        char *in = exactly(cases[i].in, len);
        uint64_t out = UNTOUCHED;

        assert_int_equal(num_parse_u64(in, len, &out), cases[i].ok);
        assert_int_equal(out, cases[i].ok ? cases[i].out : UNTOUCHED);
        free(in);
    }
}

static void an_i64_may_start_with_a_minus(void **state)
{
    static const struct { const char *in; bool ok; int64_t out; } cases[] = {
        { "0", true, 0 },
        { "-0", true, 0 },
        { "-1", true, -1 },
        { "9223372036854775807", true, INT64_MAX },
        { "9223372036854775808", false, 0 },
        { "-9223372036854775807", true, -INT64_MAX },
        { "-9223372036854775808", true, INT64_MIN },
        { "-9223372036854775809", false, 0 },
        { "-18446744073709551615", false, 0 },
        { "", false, 0 },
        { "-", false, 0 },
        { "--1", false, 0 },
        { "+1", false, 0 },
        { "1-", false, 0 },
    };

    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        size_t len = strlen(cases[i].in);
        char *in = exactly(cases[i].in, len);
        int64_t out = UNTOUCHED;

        assert_int_equal(num_parse_i64(in, len, &out), cases[i].ok);
        assert_int_equal(out, cases[i].ok ? cases[i].out : UNTOUCHED);
        free(in);
    }
}

static void a_size_is_a_whole_number_and_a_unit(void **state)
{
    static const struct { const char *in; bool ok; uint64_t out; } cases[] = {
        { "0", true, 0 },
        { "64", true, 64 },
        { "1k", true, 1024 },
        { "64m", true, (uint64_t)64 << 20 },
        { "64M", true, (uint64_t)64 << 20 },
        { "3g", true, (uint64_t)3 << 30 },
        { "1t", true, (uint64_t)1 << 40 },
        { "18446744073709551615", true, UINT64_MAX },
        { "18014398509481983k", true, UINT64_MAX - 1023 },
        { "18014398509481984k", false, 0 },
        { "16777215t", true, UINT64_MAX << 40 },
        { "16777216t", false, 0 },
        { "", false, 0 },
        { "m", false, 0 },
        { "1.5g", false, 0 },
        { "1mm", false, 0 },
        { "1mb", false, 0 },
        { "1 m", false, 0 },
        { "-1m", false, 0 },
    };

    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        size_t len = strlen(cases[i].in);
        char *in = exactly(cases[i].in, len);
        uint64_t out = UNTOUCHED;

        assert_int_equal(num_parse_size(in, len, &out), cases[i].ok);
        assert_int_equal(out, cases[i].ok ? cases[i].out : UNTOUCHED);
        free(in);
    }
}

static void a_duration_is_a_whole_number_and_a_unit(void **state)
{
    static const struct { const char *in; bool ok; int64_t out; } cases[] = {
        { "0", true, 0 },
        { "5", true, 5000 },
        { "250ms", true, 250 },
        { "1s", true, 1000 },
        { "2m", true, 120000 },
        { "1h", true, 3600000 },
        { "9223372036854775807ms", true, INT64_MAX },
        { "9223372036854775808ms", false, 0 },
        { "9223372036854775s", true, 9223372036854775000 },
        { "9223372036854776s", false, 0 },
        { "9223372036854776", false, 0 },
        { "2562047788015h", true, 9223372036854000000 },
        { "2562047788016h", false, 0 },
        { "", false, 0 },
        { "s", false, 0 },
        { "ms", false, 0 },
        { "-1s", false, 0 },
        { "1.5s", false, 0 },
        { "1sm", false, 0 },
        { "1d", false, 0 },
        { "1 s", false, 0 },
    };

    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        size_t len = strlen(cases[i].in);
        char *in = exactly(cases[i].in, len);
        int64_t out = UNTOUCHED;

        assert_int_equal(num_parse_duration_ms(in, len, &out), cases[i].ok);
        assert_int_equal(out, cases[i].ok ? cases[i].out : UNTOUCHED);
        free(in);
    }
}

static void digits_after_the_length_do_not_count(void **state)
{
    static const char in[] = "-12345m";
    uint64_t u;
    int64_t i;

    (void)state;
    assert_true(num_parse_u64(in + 1, 3, &u));
    assert_int_equal(u, 123);
    assert_true(num_parse_i64(in, 3, &i));
    assert_int_equal(i, -12);
    assert_true(num_parse_size(in + 1, 5, &u));
    assert_int_equal(u, 12345);
    assert_false(num_parse_u64(in + 1, 0, &u));
}

static void assert_put(uint64_t v)
{
    char want[32];
    size_t len = (size_t)snprintf(want, sizeof(want), "%" PRIu64, v);
    char *out = exactly(want, len);
    uint64_t back;

    memset(out, '?', len);
    assert_ptr_equal(num_put_u64(out, v), out + len);
    assert_memory_equal(out, want, len);
    assert_true(num_parse_u64(out, len, &back));
    assert_int_equal(back, v);
    free(out);
}

static void what_is_written_is_what_printf_writes(void **state)
{
    uint64_t power = 1;
    uint64_t v = 88172645463325252;

    (void)state;
    for (uint64_t i = 0; i < 20000; i++)
        assert_put(i);
    for (int digits = 1; digits <= NUM_U64_MAX_LEN; digits++, power *= 10) {
        assert_put(power - 1);
        assert_put(power);
        assert_put(power + 1);
    }
    for (unsigned bit = 0; bit < 64; bit++) {
        assert_put(((uint64_t)1 << bit) - 1);
        assert_put((uint64_t)1 << bit);
    }
    assert_put(UINT64_MAX);
    for (unsigned i = 0; i < 20000; i++) {      /* xorshift64, of all lengths */
        v ^= v << 13;
        v ^= v >> 7;
        v ^= v << 17;
        assert_put(v >> i % 64);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_u32_is_digits_up_to_its_limit),
        cmocka_unit_test(a_u64_is_digits_up_to_its_limit),
        cmocka_unit_test(an_i64_may_start_with_a_minus),
        cmocka_unit_test(a_size_is_a_whole_number_and_a_unit),
        cmocka_unit_test(a_duration_is_a_whole_number_and_a_unit),
        cmocka_unit_test(digits_after_the_length_do_not_count),
        cmocka_unit_test(what_is_written_is_what_printf_writes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
