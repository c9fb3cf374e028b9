#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "store/store.h"
#include "store/version.h"

#define WALL VERSION_EPOCH_MS
#define TICK(ms, counter) ((uint64_t)(ms) << 12 | (counter))
#define VERSION(ms, counter, number) (TICK(ms, counter) << 10 | (number))

static void a_version_is_milliseconds_then_counter_then_number(void **state)
{
    static const struct {
        const char *what;
        uint64_t tick;
        unsigned lane, n_lanes, number;
        int64_t wall_ms;
        uint64_t want;
    } cases[] = {
        { "first of a millisecond", 0, 0, 1, 7, WALL + 5, VERSION(5, 0, 7) },
        { "the next in it", TICK(5, 0), 0, 1, 7, WALL + 5, VERSION(5, 1, 7) },
        { "the wall went back", TICK(5, 8), 0, 1, 7, WALL + 2, VERSION(5, 9, 7) },
        { "no counter left", TICK(5, 4095), 0, 1, 7, WALL + 5, VERSION(6, 0, 7) },
        { "lane 3 of 16, first", 0, 3, 16, 1, WALL + 5, VERSION(5, 3, 1) },
        { "lane 3 of 16, next", TICK(5, 3), 3, 16, 1, WALL + 5, VERSION(5, 19, 1) },
        { "lane 3 of 16, over", TICK(5, 4083), 3, 16, 1, WALL + 5, VERSION(6, 3, 1) },
        { "after another lane's", TICK(5, 5), 3, 16, 1, WALL + 5, VERSION(5, 19, 1) },
        { "before 2025", 0, 0, 1, 1, 0, VERSION(1, 0, 1) },
        { "after the end of time", 0, 0, 1, 1023, INT64_MAX,
          VERSION((1ll << 41) - 1, 0, 1023) },
        { "stays at the end", TICK((1ll << 41) - 1, 4095), 0, 1, 1023, WALL, VERSION_MAX },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct version_clock c = { cases[i].tick, cases[i].lane, cases[i].n_lanes,
                                   cases[i].number };
        uint64_t got = version_next(&c, cases[i].wall_ms);

        if (got != cases[i].want)
            fail_msg("%s: %llx, not %llx", cases[i].what, (unsigned long long)got,
                     (unsigned long long)cases[i].want);
    }
}

static void a_clock_only_rises_and_lanes_never_meet(void **state)
{
    struct version_clock lanes[16];
    uint64_t last[16] = { 0 };
    int64_t wall = WALL + 1000;

    (void)state;
    for (unsigned i = 0; i < 16; i++)
        lanes[i] = (struct version_clock){ 0, i, 16, 9 };
    for (unsigned n = 0; n < 200000; n++) {
        const unsigned i = n * 2654435761u >> 28;
        const uint64_t v = version_next(&lanes[i], wall);

        assert_true(v > last[i]);
        assert_int_equal(v >> 10 & 15, i);      /* so no other lane gives it */
        last[i] = v;
        wall += n % 700 == 0 ? 1 : n % 1100 == 0 ? -3 : 0;
        if (n % 13 == 0)
            version_see(&lanes[n % 16], v);
    }
}

static void what_was_seen_is_exceeded(void **state)
{
    static const uint64_t seen[] = {
        1, VERSION(1, 0, 1), VERSION(99, 4095, 1023), VERSION(1u << 30, 17, 3),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(seen) / sizeof(seen[0]); i++) {
        struct version_clock c = { 0, 2, 4, 1 };

        version_see(&c, seen[i]);
        assert_true(version_latest(&c) >= seen[i]);
        assert_true(version_next(&c, 0) > seen[i]);
        version_see(&c, 1);
        assert_true(version_next(&c, 0) > seen[i]);
    }
    /* no version: it must not push the clock out of its 53 bits */
    struct version_clock c = { 0, 2, 4, 1 };

    version_see(&c, UINT64_MAX);
    assert_int_equal(version_latest(&c), VERSION_MAX);
    assert_true(version_next(&c, 0) <= VERSION_MAX);
    assert_true(version_next(&c, 0) <= VERSION_MAX);
}

static void later_by_so_much(void **state)
{
    static const struct { uint64_t version; int64_t ms; uint64_t want; } cases[] = {
        { VERSION(5, 3, 1), 10, VERSION(15, 3, 1) },
        { VERSION(5, 3, 1), 0, VERSION(5, 3, 1) },
        { VERSION(5, 3, 1), -10, VERSION(5, 3, 1) },
        { VERSION(5, 3, 1), INT64_MAX, VERSION_MAX },
        { VERSION((1ll << 41) - 2, 3, 1), 1, VERSION((1ll << 41) - 1, 3, 1) },
        { VERSION((1ll << 41) - 2, 3, 1), 2, VERSION_MAX },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(version_after(cases[i].version, cases[i].ms), cases[i].want);
    assert_int_equal(version_wall_ms(VERSION(86400000, 9, 9)), WALL + 86400000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_version_is_milliseconds_then_counter_then_number),
        cmocka_unit_test(a_clock_only_rises_and_lanes_never_meet),
        cmocka_unit_test(what_was_seen_is_exceeded),
        cmocka_unit_test(later_by_so_much),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
