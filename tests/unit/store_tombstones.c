#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "store_help.h"

#define KEPT_MS 60000

static struct store *new_store(size_t memory_bytes)
{
    struct store_config config = help_config(memory_bytes);
    struct store *s;

    config.tombstone_ms = KEPT_MS;
    s = store_new(&config);
    assert_non_null(s);
    return s;
}

/* A copy that some other member judged at a version. */
static enum applied apply(struct store *s, int64_t at_ms, const char *key, uint64_t version,
                          bool deleted)
{
    const struct copy copy = { deleted ? COPY_DELETED : COPY_VALUE, .any_age = true,
                               .key = key, .key_len = strlen(key), .version = version,
                               .value = "copy", .value_len = deleted ? 0 : 4 };

    return store_apply(s, &copy, START_MS + at_ms);
}

static uint64_t clock_of(struct store *s, int64_t at_ms)
{
    return store_clock(s, START_MS + at_ms);
}

/* However the item went, what is older than its end does not bring it back. */
static void no_older_copy_undoes_a_deletion(void **state)
{
    static const struct cmd ends[] = {
        { VERB_DELETE, .key = "k" },
        { VERB_TOUCH, .key = "k", .ttl_ms = TTL_OVER },
        { VERB_GAT, .key = "k", .ttl_ms = TTL_OVER },
        { VERB_SET, .key = "k", .value = "x", .ttl_ms = TTL_OVER },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        struct store *s = new_store(64 * MIB);
        uint64_t before, after;

        SET(s, 0, "k", "v");
        before = clock_of(s, 0);
        help_run(s, 1, ends[i], NULL);
        after = clock_of(s, 1);
        assert_int_equal(GET(s, 1, "k"), STATUS_NOT_FOUND);
        assert_int_equal(apply(s, 1, "k", before, false), APPLIED_OLDER);
        assert_int_equal(apply(s, KEPT_MS, "k", before, false), APPLIED_OLDER);
        assert_int_equal(GET(s, KEPT_MS, "k"), STATUS_NOT_FOUND);
        assert_int_equal(apply(s, KEPT_MS, "k", after, false), APPLIED);
        assert_int_equal(GET(s, KEPT_MS, "k"), STATUS_HIT);
        store_free(s);
    }
}

static void a_copy_of_a_deletion_is_one(void **state)
{
    struct store *s = new_store(64 * MIB);
    const uint64_t first = clock_of(s, 0), second = clock_of(s, 0), third = clock_of(s, 0);

    (void)state;
    assert_int_equal(apply(s, 0, "k", second, true), APPLIED);
    assert_int_equal(apply(s, 0, "k", first, false), APPLIED_OLDER);
    assert_int_equal(apply(s, 0, "k", first, true), APPLIED_OLDER);
    assert_int_equal(apply(s, 0, "k", third, false), APPLIED);
    assert_int_equal(apply(s, 0, "k", second, true), APPLIED_OLDER);
    assert_int_equal(GET(s, 0, "k"), STATUS_HIT);
    store_free(s);
}

static void clients_see_nothing_of_it(void **state)
{
    static const struct { struct cmd cmd; enum status status; } cases[] = {
        { { VERB_GET, .key = "k" }, STATUS_NOT_FOUND },
        { { VERB_DELETE, .key = "k" }, STATUS_NOT_FOUND },
        { { VERB_TOUCH, .key = "k" }, STATUS_NOT_FOUND },
        { { VERB_REPLACE, .key = "k", .value = "x" }, STATUS_NOT_STORED },
        { { VERB_APPEND, .key = "k", .value = "x" }, STATUS_NOT_STORED },
        { { VERB_INCR, .key = "k", .delta = 1 }, STATUS_NOT_FOUND },
        { { VERB_CAS, .key = "k", .value = "x", .cas = 1 }, STATUS_NOT_FOUND },
        { { VERB_ADD, .key = "k", .value = "x" }, STATUS_STORED },
        { { VERB_SET, .key = "k", .value = "x" }, STATUS_STORED },
    };
    char *page;
    size_t len;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct store *s = new_store(64 * MIB);
        const bool stores = cases[i].status == STATUS_STORED;
        uint64_t cursor = 0;

        SET(s, 0, "k", "v");
        RUN(s, 0, NULL, VERB_DELETE, .key = "k");
        assert_int_equal(help_usage(s, 0).items, 0);
        do {
            assert_true(store_list(s, &cursor, START_MS, &page, &len));
            assert_int_equal(len, 0);
            free(page);
        } while (cursor != 0);
        assert_int_equal(help_run(s, 1, cases[i].cmd, NULL), cases[i].status);
        assert_int_equal(GET(s, 1, "k"), stores ? STATUS_HIT : STATUS_NOT_FOUND);
        assert_int_equal(help_usage(s, 1).items, stores);
        assert_int_equal(help_usage(s, 1).reclaimed + help_usage(s, 1).get_expired, 0);
        store_free(s);
    }
}

struct walked { unsigned n_live, n_deleted; };

static void count_copy(void *arg, const struct copy *copy)
{
    struct walked *w = arg;

    w->n_live += copy->kind != COPY_DELETED;
    w->n_deleted += copy->kind == COPY_DELETED;
}

static struct walked walk(struct store *s, int64_t at_ms)
{
    struct walked w = { 0, 0 };
    uint64_t cursor = 0;

    do
        store_walk(s, WHOLE_RING, &cursor, 1000, START_MS + at_ms, count_copy, &w);
    while (cursor != 0);
    return w;
}

static void a_move_takes_them_along_while_they_are_kept(void **state)
{
    struct store *s = new_store(64 * MIB);
    char key[32];

    (void)state;
    for (unsigned i = 0; i < 200; i++)
        SET(s, 0, help_key(key, i), "v");
    for (unsigned i = 0; i < 50; i++)
        RUN(s, 0, NULL, VERB_DELETE, .key = help_key(key, i));
    const uint64_t live_bytes = help_usage(s, 0).live_bytes;

    assert_int_equal(walk(s, 0).n_live, 150);
    assert_int_equal(walk(s, KEPT_MS - 1).n_deleted, 50);
    assert_int_equal(walk(s, KEPT_MS).n_deleted, 0);
    for (int i = 0; i < 20; i++)
        store_sweep(s, 1000, START_MS + KEPT_MS);
    assert_true(help_usage(s, KEPT_MS).live_bytes < live_bytes);
    assert_int_equal(help_usage(s, KEPT_MS).items, 150);
    store_free(s);
}

/* They take a sixteenth at most; what is forgotten early refuses what may be older. */
static void too_many_are_forgotten_and_older_copies_refused(void **state)
{
    struct store *s = new_store(8 * MIB);
    const uint64_t before = clock_of(s, 0);
    uint64_t first_kept;
    char key[32];

    (void)state;
    for (unsigned i = 0; i < 40000; i++) {
        SET(s, 1, help_key(key, i), "v");
        RUN(s, 1, NULL, VERB_DELETE, .key = key);
    }
    assert_true(help_usage(s, 1).resident_bytes < 2 * MIB);
    assert_in_range(walk(s, 1).n_deleted, 8 * MIB / 16 / 32 / 2, 8 * MIB / 16 / 28);
    assert_int_equal(apply(s, 1, help_key(key, 0), before, false), APPLIED_REFUSED);
    assert_int_equal(apply(s, 1, "another", before, false), APPLIED_REFUSED);
    first_kept = clock_of(s, 1);
    assert_int_equal(apply(s, 1, "another", first_kept, false), APPLIED);
    store_free(s);
}

#define MANY (8 * MIB / 16 / 32)         /* as many as fit, and fill their segments */

/* What makes room may be what the new one takes the place of. */
static void the_oldest_may_be_renewed_when_there_are_too_many(void **state)
{
    struct store *s = new_store(8 * MIB);
    char key[32];

    (void)state;
    for (int turn = 1; turn < 5; turn++)
        for (unsigned i = 0; i < MANY; i++)
            assert_int_equal(apply(s, turn, help_key(key, i), clock_of(s, turn), true), APPLIED);
    assert_int_equal(help_usage(s, 5).items, 0);
    store_free(s);
}

static void an_eviction_takes_items_and_leaves_tombstones(void **state)
{
    struct store *s = new_store(8 * MIB);
    char key[32], value[1000];
    uint64_t before;

    (void)state;
    memset(value, 'v', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    SET(s, 0, "k", "v");
    before = clock_of(s, 0);
    RUN(s, 0, NULL, VERB_DELETE, .key = "k");
    for (unsigned i = 0; i < 40000; i++)
        SET(s, 1 + i, help_key(key, i), value);
    assert_true(help_usage(s, 40000).evictions > 20000);
    assert_int_equal(apply(s, 40000, "k", before, false), APPLIED_OLDER);
    store_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_older_copy_undoes_a_deletion),
        cmocka_unit_test(a_copy_of_a_deletion_is_one),
        cmocka_unit_test(clients_see_nothing_of_it),
        cmocka_unit_test(a_move_takes_them_along_while_they_are_kept),
        cmocka_unit_test(too_many_are_forgotten_and_older_copies_refused),
        cmocka_unit_test(the_oldest_may_be_renewed_when_there_are_too_many),
        cmocka_unit_test(an_eviction_takes_items_and_leaves_tombstones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
