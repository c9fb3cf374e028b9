#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <malloc.h>

#include "store/item.h"
#include "store_help.h"

/* The store's memory: of each `fail_every` requests one fails; 0: none does. */
static unsigned fail_every, requests;

void *store_memory(size_t size, bool zeroed)
{
    if (fail_every > 0 && ++requests % fail_every == 0)
        return NULL;
    return zeroed ? calloc(1, size) : malloc(size);
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

static void a_partition_holds_four_of_the_largest_items(void **state)
{
    static const struct { size_t memory, max_item; unsigned n; } cases[] = {
        { 64 * MIB, MIB, 16 },
        { 64 * MIB - 1, MIB, 8 },
        { 1024 * MIB, MIB, 16 },
        { 8 * MIB, MIB, 2 },
        { MIB, MIB, 1 },
        { 1024, MIB, 1 },
        { 1024 * MIB, 128 * MIB, 2 },
        { 64 * MIB, 1024, 16 },
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

static void an_item_is_counted_as_what_malloc_takes(void **state)
{
    static const size_t lens[] = { 0, 1, 7, 8, 9, 15, 16, 17, 100, 1000, 4096, 100000,
                                   130000, 131000, 131006, 131072, 200000, 1048000 };

    (void)state;
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        struct item *it = item_new(10, lens[i], 0);

        assert_non_null(it);
        assert_true(malloc_usable_size(it) + sizeof(size_t) <= item_bytes(10, lens[i], 0));
        assert_true(malloc_usable_size(it) >= sizeof(*it) + 10 + lens[i]);
        free(it);
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
            assert_true(help_usage(s, 0).bytes <= 4 * MIB);
        }
    }

    const struct store_usage u = help_usage(s, 0);

    assert_true(u.bytes <= 4 * MIB && u.bytes > 3 * MIB);
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
            assert_true(help_usage(s, 0).bytes <= memory);
        }
        store_free(s);
    }
}

static void the_oldest_goes_first_and_the_used_stay(void **state)
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
        { "set", { VERB_SET, .key = "key-00000000", .value = "x" }, true },
        { "append", { VERB_APPEND, .key = "key-00000000", .value = "x" }, true },
        { "cas that fails", { VERB_CAS, .key = "key-00000000", .value = "x" }, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct store *s = one_partition(100 * 1024, true);
        char key[32];

        fill(s, 0, 0, 80);
        assert_int_equal(help_usage(s, 0).evictions, 0);
        help_run(s, 0, cases[i].cmd, NULL);
        fill(s, 1, 80, 120);
        assert_true(help_usage(s, 0).evictions >= 20);
        if ((GET(s, 1, "key-00000000") == STATUS_HIT) != cases[i].stays)
            fail_msg("%s", cases[i].what);
        assert_int_equal(GET(s, 1, "key-00000001"), STATUS_NOT_FOUND);
        assert_int_equal(GET(s, 1, help_key(key, 79)), STATUS_HIT);

        /* not for ever: two turns without use */
        fill(s, 2, 120, 320);
        assert_int_equal(GET(s, 2, "key-00000000"), STATUS_NOT_FOUND);
        store_free(s);
    }
}

static void an_eviction_looks_for_unused_items_only_so_long(void **state)
{
    struct store *s = one_partition(100 * 1024, true);
    unsigned n = 0;
    char key[32];

    (void)state;
    for (; help_usage(s, 0).bytes + 1100 < 100 * 1024; n++)
        fill(s, 0, n, n + 1);
    for (unsigned k = 0; k < n; k++)
        GET(s, 0, help_key(key, k));
    fill(s, 0, n, n + 1);

    /* not the first, which a turn through all of them would come back to */
    for (unsigned k = 0; k <= n; k++)
        assert_int_equal(GET(s, 0, help_key(key, k)),
                         k == 32 ? STATUS_NOT_FOUND : STATUS_HIT);
    store_free(s);
}

static void the_dead_at_the_end_are_not_evictions(void **state)
{
    struct store *s = one_partition(100 * 1024, true);
    char key[32];

    (void)state;
    for (unsigned i = 0; i < 80; i++)
        RUN(s, 0, NULL, VERB_SET, .key = help_key(key, i), .value = "v", .ttl_ms = 10);
    GET(s, 0, help_key(key, 7));
    fill(s, 10, 80, 180);
    struct store_usage u = help_usage(s, 10);

    assert_int_equal(u.reclaimed, 80);
    assert_int_equal(u.expired_unfetched, 79);
    assert_true(u.evictions > 0 && u.evictions < 40);
    assert_int_equal(u.evictions, u.evicted_unfetched);
    assert_int_equal(u.oldest_ms, 0);
    assert_int_equal(help_usage(s, 1010).oldest_ms, 1000);

    store_reset_counters(s);
    u = help_usage(s, 10);
    assert_int_equal(u.reclaimed + u.expired_unfetched + u.evictions + u.total_items, 0);
    assert_true(u.items > 80);
    store_free(s);
}

static void what_is_refused_costs_only_a_set_its_old_value(void **state)
{
    static char large[20 * 1024], value[3001];
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
        struct store *s = one_partition(100 * 1024, false);
        const enum verb verb = cases[i / 4].by[i % 4].verb;
        char key[32];

        for (unsigned k = 0; help_usage(s, 0).bytes < 98 * 1024; k++)
            fill(s, 0, k, k + 1);
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

static void what_can_never_fit_evicts_nothing(void **state)
{
    struct store_config config = help_config(100 * 1024);
    static char value[110 * 1024];
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
        assert_true(help_usage(s, 0).bytes <= MIB);
        assert_true(help_usage(s, 0).items > 500);
        store_set_limit(s, 2 * MIB, START_MS);
        fill(s, 0, 3000, 3500);
        assert_true(help_usage(s, 0).items > 1000);
        store_set_limit(s, 0, START_MS);
        assert_int_equal(help_usage(s, 0).items, 0);
        assert_int_equal(SET(s, 0, "k", "v"), STATUS_NO_MEMORY);
        store_free(s);
    }
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
        cmocka_unit_test(a_partition_holds_four_of_the_largest_items),
        cmocka_unit_test(an_item_is_counted_as_what_malloc_takes),
        cmocka_unit_test(memory_stays_below_the_limit_whatever_is_stored),
        cmocka_unit_test(an_index_grows_within_the_limit),
        cmocka_unit_test(the_oldest_goes_first_and_the_used_stay),
        cmocka_unit_test(an_eviction_looks_for_unused_items_only_so_long),
        cmocka_unit_test(the_dead_at_the_end_are_not_evictions),
        cmocka_unit_test(what_is_refused_costs_only_a_set_its_old_value),
        cmocka_unit_test(what_can_never_fit_evicts_nothing),
        cmocka_unit_test(a_lower_limit_is_kept_at_once),
        cmocka_unit_test(a_store_is_whole_or_not_at_all),
        cmocka_unit_test(a_store_outlives_a_failing_malloc),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
