#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "store/region.h"
#include "store_help.h"

/* The store's memory: of each `fail_every` requests one fails; 0: none does. */
static unsigned fail_every, requests;

bool store_may_take(size_t size)
{
    (void)size;
    return fail_every == 0 || ++requests % fail_every != 0;
}

/* A store of one partition: what is evicted next is then known. */
static struct store *one_partition(size_t memory_bytes, bool evict)
{
    struct store_config config = help_config(memory_bytes);
    struct store *s;

    config.evict = evict;
    config.max_item_bytes = memory_bytes / 5;
    s = store_new(&config);
    assert_non_null(s);
    assert_int_equal(help_usage(s, 0).n_partitions, 1);
    return s;
}

/* Sets keys first .. last-1 of 1000 bytes each. */
static void fill(struct store *s, int64_t at_ms, unsigned first, unsigned last)
{
    char key[32], value[1001];

    memset(value, 'v', 1000);
    value[1000] = '\0';
    for (unsigned i = first; i < last; i++)
        assert_int_equal(SET(s, at_ms, help_key(key, i), value), STATUS_STORED);
}

static void a_partition_has_room_for_four_of_the_largest_items(void **state)
{
    static const struct { size_t memory, max_item; unsigned n; } cases[] = {
        { 64 * MIB, MIB, 8 },
        { 64 * MIB - 1, MIB, 4 },
        { 1024 * MIB, MIB, 16 },
        { 16 * MIB, MIB, 2 },
        { 8 * MIB, MIB, 1 },
        { MIB, MIB, 1 },
        { 1024, MIB, 1 },
        { 1024 * MIB, 128 * MIB, 2 },
        { 64 * MIB, 1024, 8 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct store_config config = help_config(cases[i].memory);

        config.max_item_bytes = cases[i].max_item;
        struct store *s = store_new(&config);

        assert_int_equal(help_usage(s, 0).n_partitions, cases[i].n);
        assert_int_equal(help_usage(s, 0).limit_bytes, cases[i].memory);
        store_free(s);
    }
}

static void memory_stays_below_the_limit_whatever_is_stored(void **state)
{
    static const struct { size_t value_len; unsigned n; } phases[] = {
        { 0, 30000 }, { 200000, 60 }, { 10, 30000 }, { 3000, 2000 }, { 1, 60000 },
    };
    struct store *s = help_store(4 * MIB);
    char *value = calloc(1, MIB), key[32];
    unsigned k = 0;

    (void)state;
    assert_non_null(value);
    for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
        memset(value, 'v', phases[i].value_len);
        value[phases[i].value_len] = '\0';
        for (unsigned n = 0; n < phases[i].n; n++) {
            assert_int_equal(SET(s, 0, help_key(key, k++), value), STATUS_STORED);
            assert_int_equal(GET(s, 0, key), STATUS_HIT);
            assert_true(help_usage(s, 0).resident_bytes <= 4 * MIB);
        }
    }

    const struct store_usage u = help_usage(s, 0);

    assert_true(u.bytes <= u.resident_bytes && u.bytes > 3 * MIB);
    assert_int_equal(u.total_items, k);
    assert_int_equal(u.items + u.evictions, k);
    assert_int_equal(u.evicted_unfetched, 0);
    free(value);
    store_free(s);
}

static void an_index_grows_within_the_limit(void **state)
{
    (void)state;
    for (size_t memory = 32 * 1024; memory < 160 * 1024; memory += 2048) {
        struct store *s = one_partition(memory, true);
        char key[32];

        for (unsigned i = 0; i < 3000; i++) {
            assert_int_equal(SET(s, 0, help_key(key, i), "v"), STATUS_STORED);
            assert_int_equal(GET(s, 0, key), STATUS_HIT);
            assert_true(help_usage(s, 0).resident_bytes <= memory);
        }
        store_free(s);
    }
}

/* More than twice what fits has come since. */
static void flood(struct store *s, int64_t at_ms, unsigned first)
{
    const uint64_t before = help_usage(s, at_ms).evictions;

    for (unsigned i = 0; help_usage(s, at_ms).evictions < before + 2400; i++)
        fill(s, at_ms, first + i, first + i + 1);
}

static void what_was_used_stays_and_the_rest_goes(void **state)
{
    static const struct {
        const char *what;
        struct cmd cmd;
        bool stays;
    } cases[] = {
        { "nothing", { VERB_GET, .key = "another" }, false },
        { "get", { VERB_GET, .key = "key-00000000" }, true },
        { "touch", { VERB_TOUCH, .key = "key-00000000" }, true },
        { "add", { VERB_ADD, .key = "key-00000000", .value = "x" }, true },
        { "cas that fails", { VERB_CAS, .key = "key-00000000", .value = "x" }, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct store *s = one_partition(MIB, true);

        fill(s, 0, 0, 800);
        assert_int_equal(help_usage(s, 0).evictions, 0);
        for (int second = 1; second < 5; second++)
            help_run(s, second * 1000, cases[i].cmd, NULL);
        fill(s, 5000, 800, 1800);
        assert_true(help_usage(s, 5000).evictions >= 700);
        if ((RUN(s, 5000, NULL, VERB_GET, .key = "key-00000000", .options = OPTION_NO_USE)
             == STATUS_HIT) != cases[i].stays)
            fail_msg("%s", cases[i].what);

        /* not for ever */
        for (int turn = 0; turn < 6; turn++)
            flood(s, 6000, 2000 + (unsigned)turn * 10000);
        assert_int_equal(GET(s, 6000, "key-00000000"), STATUS_NOT_FOUND);
        store_free(s);
    }
}

/* Memory that short items took is there for long ones at once, and back. */
static void memory_changes_hands_between_short_and_long_items(void **state)
{
    static const size_t lens[] = { 50, 10 * 1024, 100, 200 * 1024, 30, 17 * 1024, 30, 5000, 100,
                                   800 };
    struct store *s = help_store(16 * MIB);
    char *value = calloc(1, MIB), key[32];
    unsigned k = 0;

    (void)state;
    assert_non_null(value);
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        const unsigned n = (unsigned)(16 * MIB / (lens[i] + 80)), last = n / 2;
        unsigned hits = 0;

        memset(value, 'v', lens[i]);
        value[lens[i]] = '\0';
        for (unsigned j = 0; j < 4 * n; j++)
            assert_int_equal(SET(s, 0, help_key(key, k++), value), STATUS_STORED);
        for (unsigned j = 1; j <= last; j++)
            hits += GET(s, 0, help_key(key, k - j)) == STATUS_HIT;
        if (hits < last * 8 / 10)
            fail_msg("%zu bytes: %u of %u", lens[i], hits, last);
        assert_true(help_usage(s, 0).resident_bytes <= 16 * MIB);
    }
    free(value);
    store_free(s);
}

/* Values that change their length leave holes; a store that may not evict uses them. */
static void holes_are_used_again(void **state)
{
    struct store *s = one_partition(2 * MIB, false);
    char key[32], value[1500];
    unsigned n = 0;

    (void)state;
    memset(value, 'v', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    for (unsigned i = 0; i < 1000; i++)
        fill(s, 0, i, i + 1);
    for (unsigned turn = 0; turn < 20; turn++) {
        for (unsigned i = 0; i < 1000; i++, n++) {
            value[700 + n % 600] = '\0';
            if (SET(s, 0, help_key(key, i), value) != STATUS_STORED)
                fail_msg("turn %u key %u", turn, i);
            value[700 + n % 600] = 'v';
        }
    }
    assert_int_equal(help_usage(s, 0).evictions, 0);
    assert_int_equal(help_usage(s, 0).items, 1000);
    store_free(s);
}

static void what_is_over_is_no_eviction(void **state)
{
    struct store *s = one_partition(MIB, true);
    struct store_usage u;
    char key[32];

    (void)state;
    for (unsigned i = 0; i < 8000; i++)
        RUN(s, 0, NULL, VERB_SET, .key = help_key(key, i), .value = "v", .ttl_ms = 10);
    GET(s, 3, help_key(key, 7));
    fill(s, 10, 8000, 8700);
    assert_int_equal(help_usage(s, 10).evictions, 0);
    assert_true(help_usage(s, 10).reclaimed > 0);
    store_sweep(s, 10000, START_MS + 10);
    u = help_usage(s, 10);
    assert_int_equal(u.reclaimed, 8000);
    assert_int_equal(u.items, 700);
    assert_int_equal(u.expired_unfetched, 7999);
    assert_int_equal(u.oldest_ms, 0);
    assert_int_equal(help_usage(s, 1010).oldest_ms, 1000);
    fill(s, 10, 8700, 9700);
    u = help_usage(s, 10);
    assert_true(u.evictions > 0);
    assert_int_equal(u.evictions, u.evicted_unfetched);

    store_reset_counters(s);
    u = help_usage(s, 10);
    assert_int_equal(u.reclaimed + u.expired_unfetched + u.evictions + u.total_items, 0);
    assert_true(u.items > 80);
    store_free(s);
}

static void what_is_refused_costs_only_a_set_its_old_value(void **state)
{
    static char large[300 * 1024], value[30001];
    static const struct {
        const char *value;
        struct { enum verb verb; bool stays; } by[4];
        enum status status;
    } cases[] = {
        { large, { { VERB_SET, false }, { VERB_ADD, true }, { VERB_REPLACE, true },
                   { VERB_APPEND, true } }, STATUS_TOO_LARGE },
        { value, { { VERB_SET, false }, { VERB_REPLACE, true }, { VERB_APPEND, true },
                   { VERB_PREPEND, true } }, STATUS_NO_MEMORY },
    };

    (void)state;
    memset(large, 'l', sizeof(large) - 1);
    memset(value, 'w', sizeof(value) - 1);
    for (size_t i = 0; i < 8; i++) {
        struct store *s = one_partition(MIB, false);
        const enum verb verb = cases[i / 4].by[i % 4].verb;
        char key[32];
        unsigned n = 0;

        do                      /* the last one is refused */
            help_key(key, n++);
        while (RUN(s, 0, NULL, VERB_SET, .key = key, .value = value,
                   .value_len = 1000) == STATUS_STORED);
        assert_true(n > 900);
        store_reset_counters(s);
        assert_int_equal(RUN(s, 0, NULL, verb, .key = "key-00000003",
                             .value = cases[i / 4].value), cases[i / 4].status);
        assert_int_equal(GET(s, 0, "key-00000003"),
                         cases[i / 4].by[i % 4].stays ? STATUS_HIT : STATUS_NOT_FOUND);

        const struct store_usage u = help_usage(s, 0);

        assert_int_equal(u.evictions, 0);
        assert_int_equal(u.too_large, cases[i / 4].status == STATUS_TOO_LARGE);
        assert_int_equal(u.no_memory, cases[i / 4].status == STATUS_NO_MEMORY);

        fill(s, 0, 4, 5);       /* of the same size: it needs no memory */
        assert_int_equal(GET(s, 0, help_key(key, 4)), STATUS_HIT);
        store_free(s);
    }
}

/* No room for a time to live: it is not given one, and that is said. */
static void a_touch_that_cannot_be_is_refused_and_changes_nothing(void **state)
{
    struct store *s = one_partition(MIB, false);
    struct seen seen = { .value = NULL };
    char key[32], value[401];
    unsigned n = 0;

    (void)state;
    memset(value, 'v', 400);
    value[400] = '\0';
    RUN(s, 0, NULL, VERB_SET, .key = "timed", .value = "v", .ttl_ms = 2000);
    SET(s, 0, "k", value);
    while (SET(s, 0, help_key(key, n++), value + 200) == STATUS_STORED)
        continue;
    while (RUN(s, 0, NULL, VERB_SET, .key = help_key(key, n++), .value = value + 200, .ttl_ms = 1000)
           == STATUS_STORED)
        continue;
    assert_int_equal(RUN(s, 0, NULL, VERB_TOUCH, .key = "k", .ttl_ms = 1000), STATUS_NO_MEMORY);
    assert_int_equal(RUN(s, 0, NULL, VERB_GAT, .key = "k", .ttl_ms = 1000), STATUS_NOT_FOUND);
    assert_int_equal(RUN(s, 5000, &seen, VERB_GET, .key = "k"), STATUS_HIT);
    assert_int_equal(seen.a.ttl_ms, TTL_NEVER);

    /* where the field is there it is possible, for longer than its segment, too */
    assert_int_equal(RUN(s, 0, NULL, VERB_TOUCH, .key = "timed", .ttl_ms = 90000),
                     STATUS_TOUCHED);
    store_sweep(s, 1000, START_MS + 80000);
    assert_int_equal(RUN(s, 80000, &seen, VERB_GET, .key = "timed"), STATUS_HIT);
    assert_int_equal(seen.a.ttl_ms, 10000);
    free(seen.value);
    store_free(s);
}

/* A copy must not show for longer what ends elsewhere: better none. */
static void a_touch_that_a_copy_has_no_room_for_leaves_it_none(void **state)
{
    struct store *s = one_partition(MIB, false);
    char key[32], value[401];
    struct copy copy = { .kind = COPY_VALUE, .any_age = true, .key = "k", .key_len = 1,
                         .version = store_clock(s, START_MS) + 1, .value = value,
                         .value_len = 400 };
    unsigned n = 0;

    (void)state;
    memset(value, 'v', 400);
    value[400] = '\0';
    assert_int_equal(store_apply(s, &copy, START_MS), APPLIED);
    while (SET(s, 0, help_key(key, n++), value + 200) == STATUS_STORED)
        continue;
    while (RUN(s, 0, NULL, VERB_SET, .key = help_key(key, n++), .value = value + 200, .ttl_ms = 1000)
           == STATUS_STORED)
        continue;
    copy.kind = COPY_TOUCHED;
    copy.ttl_ms = 1000;
    assert_int_equal(store_apply(s, &copy, START_MS), APPLIED_NO_MEMORY);
    assert_int_equal(GET(s, 5000, "k"), STATUS_NOT_FOUND);
    store_free(s);
}

static void what_can_never_fit_evicts_nothing(void **state)
{
    struct store_config config = help_config(512 * 1024);
    static char value[600 * 1024];
    struct store *s;

    (void)state;
    memset(value, 'v', sizeof(value) - 1);
    s = store_new(&config);
    fill(s, 0, 0, 50);
    assert_int_equal(SET(s, 0, "k", value), STATUS_NO_MEMORY);
    assert_int_equal(help_usage(s, 0).items, 50);
    store_free(s);
}

static void a_lower_limit_is_kept_at_once(void **state)
{
    static const bool evict[] = { true, false };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct store *s = one_partition(4 * MIB, evict[i]);

        fill(s, 0, 0, 3000);
        store_set_limit(s, MIB, START_MS);
        assert_int_equal(help_usage(s, 0).limit_bytes, MIB);
        assert_true(help_usage(s, 0).resident_bytes <= MIB);
        assert_true(help_usage(s, 0).items > 500);
        store_set_limit(s, 2 * MIB, START_MS);
        fill(s, 0, 3000, 3500);
        assert_true(help_usage(s, 0).items > 1000);
        assert_int_equal(store_set_limit(s, 0, START_MS), 2 * MIB);
        assert_int_equal(store_set_limit(s, 100 * MIB, START_MS), 2 * MIB);
        assert_int_equal(store_set_limit(s, 128 * 1024, START_MS), 128 * 1024);
        assert_true(help_usage(s, 0).resident_bytes <= 128 * 1024);
        fill(s, 0, 3500, 3501);
        assert_int_equal(GET(s, 0, "key-00003500"), STATUS_HIT);
        store_free(s);
    }
}

/* The system gives less than the limit allows: what is there is used again. */
static void memory_that_is_refused_is_made_by_eviction(void **state)
{
    struct store *s = one_partition(16 * MIB, true);

    (void)state;
    fill(s, 0, 0, 1500);
    assert_int_equal(help_usage(s, 0).evictions, 0);
    fail_every = 1;
    fill(s, 0, 1500, 8000);
    fail_every = 0;
    assert_true(help_usage(s, 0).evictions > 4000);
    assert_true(help_usage(s, 0).items > 1000);
    store_free(s);
}

static void a_store_is_whole_or_not_at_all(void **state)
{
    const struct store_config config = help_config(64 * MIB);

    (void)state;
    for (fail_every = 1; fail_every <= 16; fail_every++) {
        requests = 0;
        assert_null(store_new(&config));
    }
    fail_every = 0;
    store_free(NULL);
}

/* Whatever is refused, what was said to be stored is there, and right. */
static void a_store_outlives_a_failing_malloc(void **state)
{
    static const unsigned rates[] = { 1, 2, 3, 7 };
    static const enum verb verbs[] = { VERB_SET, VERB_SET, VERB_APPEND, VERB_INCR };

    (void)state;
    for (size_t r = 0; r < sizeof(rates) / sizeof(rates[0]); r++) {
        struct store *s = help_store(MIB);
        struct seen seen = { .value = NULL };
        char key[32], value[400];
        unsigned stored = 0, refused = 0, chance = 7;

        for (unsigned i = 0; i < 40000; i++) {
            chance = chance * 1664525 + 1013904223;
            const enum verb verb = verbs[chance >> 30];

            help_key(key, (chance >> 8) % 3000);
            snprintf(value, sizeof(value), "%u%*s", i, (int)(chance >> 24), "");
            fail_every = rates[r];
            const enum status status = RUN(s, 0, NULL, verb, .key = key, .value = value);

            fail_every = 0;
            if (verb != VERB_SET)
                continue;
            assert_true(status == STATUS_STORED || status == STATUS_NO_MEMORY);
            *(status == STATUS_STORED ? &stored : &refused) += 1;
            assert_int_equal(RUN(s, 0, &seen, VERB_GET, .key = key),
                             status == STATUS_STORED ? STATUS_HIT : STATUS_NOT_FOUND);
            if (status == STATUS_STORED)
                assert_string_equal(seen.value, value);
        }
        assert_true(rates[r] == 1 ? stored == 0 : stored > 0);
        assert_true(rates[r] == 1 ? refused > 0 : true);
        free(seen.value);
        store_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_partition_has_room_for_four_of_the_largest_items),
        cmocka_unit_test(memory_stays_below_the_limit_whatever_is_stored),
        cmocka_unit_test(an_index_grows_within_the_limit),
        cmocka_unit_test(what_was_used_stays_and_the_rest_goes),
        cmocka_unit_test(memory_changes_hands_between_short_and_long_items),
        cmocka_unit_test(holes_are_used_again),
        cmocka_unit_test(what_is_over_is_no_eviction),
        cmocka_unit_test(what_is_refused_costs_only_a_set_its_old_value),
        cmocka_unit_test(a_touch_that_cannot_be_is_refused_and_changes_nothing),
        cmocka_unit_test(a_touch_that_a_copy_has_no_room_for_leaves_it_none),
        cmocka_unit_test(what_can_never_fit_evicts_nothing),
        cmocka_unit_test(a_lower_limit_is_kept_at_once),
        cmocka_unit_test(memory_that_is_refused_is_made_by_eviction),
        cmocka_unit_test(a_store_is_whole_or_not_at_all),
        cmocka_unit_test(a_store_outlives_a_failing_malloc),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
