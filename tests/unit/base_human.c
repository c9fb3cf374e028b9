/* human: separators, units and where they change, nothing below 0. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/human.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))
#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define TIB (1024 * GIB)

struct number {
    int64_t n;
    const char *text;
};

static void assert_shown(char *show(char *out, int64_t n), const struct number *cases, size_t n)
{
    char out[HUMAN_MAX];

    for (size_t i = 0; i < n; i++) {
        assert_ptr_equal(show(out, cases[i].n), out);
        assert_string_equal(out, cases[i].text);
    }
}

static void a_count_is_digits_in_groups_of_three(void **state)
{
    static const struct number cases[] = {
        { 0, "0" }, { 7, "7" }, { 999, "999" }, { 1000, "1 000" }, { 184302, "184 302" },
        { 1000000, "1 000 000" }, { INT64_MAX, "9 223 372 036 854 775 807" },
        { -1, "0" }, { INT64_MIN, "0" },
    };

    (void)state;
    assert_shown(human_count, cases, N(cases));
}

static void bytes_have_the_unit_that_keeps_them_short(void **state)
{
    static const struct number cases[] = {
        { 0, "0 B" }, { 512, "512 B" }, { KIB - 1, "1023 B" },
        { KIB + 512, "1.5 KiB" }, { 212 * MIB, "212 MiB" }, { 3 * GIB + GIB / 2, "3.5 GiB" },
        { 5000 * TIB, "5000 TiB" }, { INT64_MAX, "8388608 TiB" },
        { -1, "0 B" }, { INT64_MIN, "0 B" },
    };

    (void)state;
    assert_shown(human_bytes, cases, N(cases));
}

/* A limit is shown as it was set. */
static void whole_units_have_no_fraction(void **state)
{
    static const struct number cases[] = {
        { KIB, "1 KiB" }, { MIB, "1 MiB" }, { 4 * GIB, "4 GiB" }, { TIB, "1 TiB" },
        { 4 * GIB + 1, "4.0 GiB" },
    };

    (void)state;
    assert_shown(human_bytes, cases, N(cases));
}

static void what_rounds_up_to_a_unit_has_that_unit(void **state)
{
    static const struct number bytes[] = {
        { 1023 * KIB + 511, "1023 KiB" }, { MIB - 1, "1.0 MiB" }, { GIB - 1, "1.0 GiB" },
        { 10 * KIB - 1, "10 KiB" },
    };
    static const struct number times[] = {
        { 999499, "999 us" }, { 999500, "1.0 ms" }, { 9949000, "9.9 ms" },
        { 9960000, "10 ms" }, { 999499999, "999 ms" }, { 999500000, "1.0 s" },
    };

    (void)state;
    assert_shown(human_bytes, bytes, N(bytes));
    assert_shown(human_time, times, N(times));
}

static void a_time_has_the_unit_that_keeps_it_short(void **state)
{
    static const struct number cases[] = {
        { 0, "0 us" }, { 400, "0 us" }, { 41000, "41 us" }, { 400000, "400 us" },
        { 1900000, "1.9 ms" }, { 12000000, "12 ms" }, { 1200000000, "1.2 s" },
        { 90000000000, "90.0 s" }, { -1, "0 us" },
    };

    (void)state;
    assert_shown(human_time, cases, N(cases));
}

static void a_share_is_of_100(void **state)
{
    static const struct { double share; const char *text; } cases[] = {
        { 0, "0.0 %" }, { 0.248, "24.8 %" }, { 1, "100.0 %" }, { -0.1, "0.0 %" },
    };
    char out[HUMAN_MAX];

    (void)state;
    for (size_t i = 0; i < N(cases); i++)
        assert_string_equal(human_share(out, cases[i].share), cases[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_count_is_digits_in_groups_of_three),
        cmocka_unit_test(bytes_have_the_unit_that_keeps_them_short),
        cmocka_unit_test(whole_units_have_no_fraction),
        cmocka_unit_test(what_rounds_up_to_a_unit_has_that_unit),
        cmocka_unit_test(a_time_has_the_unit_that_keeps_it_short),
        cmocka_unit_test(a_share_is_of_100),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
