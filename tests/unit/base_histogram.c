/* histogram: how far off what it tells may be, and that parts add up. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/histogram.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

static void a_value_is_told_to_a_sixty_fourth(void **state)
{
    static struct histogram h;

    (void)state;
    for (uint64_t value = 0; value < HISTOGRAM_MOST; value += 1 + value / 97) {
        memset(&h, 0, sizeof(h));
        histogram_add(&h, value, 1);
        assert_true(distance(histogram_percentile(&h, 50), value) <= value / 64);
        assert_true(histogram_max(&h) >= value);
        assert_true(histogram_max(&h) - value <= value / 32);
        assert_int_equal(h.sum, value);
    }
}

static void buckets_leave_no_gap(void **state)
{
    unsigned last = 0;

    (void)state;
    for (uint64_t value = 1; value < HISTOGRAM_MOST / 2; value += 1 + value / 100) {
        const unsigned bucket = histogram_bucket(value);

        assert_in_range(bucket, last, last + 1);
        last = bucket;
    }
    assert_int_equal(histogram_bucket(HISTOGRAM_MOST), HISTOGRAM_BUCKETS - 1);
}

static void what_is_too_large_counts_as_the_most(void **state)
{
    static struct histogram h;

    (void)state;
    histogram_add(&h, UINT64_MAX, 1);
    histogram_add(&h, HISTOGRAM_MOST + 1, 1);
    assert_int_equal(histogram_max(&h), HISTOGRAM_MOST);
    assert_int_equal(histogram_n(&h), 2);
    assert_int_equal(h.sum, 2 * HISTOGRAM_MOST);
}

static void percentiles_are_those_of_the_values(void **state)
{
    static const struct { double percent; uint64_t value; } cases[] = {
        { 0, 1000 }, { 1, 1000 }, { 50, 50000 }, { 90, 90000 }, { 99, 99000 }, { 100, 100000 },
    };
    static struct histogram h;

    (void)state;
    for (uint64_t i = 1; i <= 100; i++)
        histogram_add(&h, 1000 * i, 3);
    for (size_t i = 0; i < N(cases); i++)
        assert_true(distance(histogram_percentile(&h, cases[i].percent), cases[i].value)
                    <= cases[i].value / 64);
    assert_int_equal(histogram_n(&h), 300);
    assert_int_equal(h.sum, 3 * 1000 * 5050);
}

static void one_slow_one_of_a_thousand_shows_at_the_end_only(void **state)
{
    static struct histogram h;

    (void)state;
    histogram_add(&h, 10, 999);
    histogram_add(&h, 1000000, 1);
    assert_int_equal(histogram_percentile(&h, 99), 10);
    assert_int_equal(histogram_percentile(&h, 99.8), 10);
    assert_true(distance(histogram_percentile(&h, 100), 1000000) <= 1000000 / 64);
}

static void of_nothing_all_is_zero(void **state)
{
    static const struct histogram h;

    (void)state;
    assert_int_equal(histogram_percentile(&h, 99), 0);
    assert_int_equal(histogram_max(&h), 0);
    assert_int_equal(histogram_n(&h), 0);
    assert_int_equal(histogram_n_below(&h, UINT64_MAX), 0);
}

/* Random values, dealt to three: together they are as if there had been one. */
static void parts_add_up_and_can_be_taken_off_again(void **state)
{
    static struct histogram one, sum, parts[3], before;
    uint64_t x = 88172645463325252u;

    (void)state;
    for (unsigned i = 0; i < 10000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        histogram_add(&one, x >> (x % 60), 1 + i % 3);
        histogram_add(&parts[i % 3], x >> (x % 60), 1 + i % 3);
    }
    for (unsigned i = 0; i < 3; i++)
        histogram_merge(&sum, &parts[i]);
    assert_memory_equal(&sum, &one, sizeof(one));
    before = sum;
    histogram_add(&sum, 4711, 5);
    histogram_since(&sum, &before);
    assert_int_equal(histogram_n(&sum), 5);
    assert_int_equal(sum.sum, 5 * 4711);
    assert_true(distance(histogram_max(&sum), 4711) <= 4711 / 32);
}

static void those_below_a_value_are_counted(void **state)
{
    static const struct { uint64_t below, n; } cases[] = {
        { 0, 0 }, { 3, 0 }, { 4, 1 }, { 5000, 1 }, { 6000, 3 }, { UINT64_MAX, 4 },
    };
    static struct histogram h;
    uint64_t last = 0;

    (void)state;
    histogram_add(&h, 3, 1);
    histogram_add(&h, 5500, 2);
    histogram_add(&h, HISTOGRAM_MOST, 1);
    for (size_t i = 0; i < N(cases); i++)
        assert_int_equal(histogram_n_below(&h, cases[i].below), cases[i].n);
    for (uint64_t value = 1; value < HISTOGRAM_MOST; value *= 2) {
        assert_true(histogram_n_below(&h, value) >= last);
        last = histogram_n_below(&h, value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_told_to_a_sixty_fourth),
        cmocka_unit_test(buckets_leave_no_gap),
        cmocka_unit_test(what_is_too_large_counts_as_the_most),
        cmocka_unit_test(percentiles_are_those_of_the_values),
        cmocka_unit_test(one_slow_one_of_a_thousand_shows_at_the_end_only),
        cmocka_unit_test(of_nothing_all_is_zero),
        cmocka_unit_test(parts_add_up_and_can_be_taken_off_again),
        cmocka_unit_test(those_below_a_value_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
