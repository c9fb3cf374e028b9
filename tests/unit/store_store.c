#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "store/item.h"
#include "store_help.h"

static void a_story_of_one_key(void **state)
{
    static const struct {
        int64_t at_ms;
        struct cmd cmd;
        enum status status;
        const char *value;              /* that a get shows */
        int64_t ttl_ms;                 /* left, of that */
    } steps[] = {
#define K .key = "k"
        { 0, { VERB_GET, K }, STATUS_NOT_FOUND, NULL, 0 },
        { 0, { VERB_SET, K, .value = "one", .client_flags = 7 }, STATUS_STORED, NULL, 0 },
        { 0, { VERB_GETS, K }, STATUS_HIT, "one", 0 },
        { 0, { VERB_ADD, K, .value = "x", .client_flags = 1 }, STATUS_NOT_STORED, NULL, 0 },
        { 0, { VERB_APPEND, K, .value = "two", .client_flags = 1 }, STATUS_STORED,
          NULL, 0 },
        { 0, { VERB_PREPEND, K, .value = "zero", .ttl_ms = 1 }, STATUS_STORED, NULL, 0 },
        { 5, { VERB_GET, K }, STATUS_HIT, "zeroonetwo", 0 },
        /* time: it is gone at the very millisecond */
        { 10, { VERB_TOUCH, K, .ttl_ms = 100 }, STATUS_TOUCHED, NULL, 0 },
        { 10, { VERB_GET, K }, STATUS_HIT, "zeroonetwo", 100 },
        { 20, { VERB_APPEND, K, .value = "!", .ttl_ms = 9999 }, STATUS_STORED, NULL, 0 },
        { 109, { VERB_GET, K }, STATUS_HIT, "zeroonetwo!", 1 },
        { 110, { VERB_GET, K }, STATUS_NOT_FOUND, NULL, 0 },
        { 109, { VERB_GET, K }, STATUS_NOT_FOUND, NULL, 0 },
        { 200, { VERB_SET, K, .value = "10", .client_flags = 7, .ttl_ms = 50 },
          STATUS_STORED, NULL, 0 },
        { 201, { VERB_DECR, K, .delta = 1 }, STATUS_NUMBER, NULL, 0 },
        { 202, { VERB_GET, K }, STATUS_HIT, "9 ", 48 },
        { 203, { VERB_INCR, K, .delta = 991 }, STATUS_NUMBER, NULL, 0 },
        { 204, { VERB_GET, K }, STATUS_HIT, "1000", 46 },
        { 249, { VERB_GAT, K, .ttl_ms = 50 }, STATUS_HIT, "1000", 1 },
        { 298, { VERB_GET, K }, STATUS_HIT, "1000", 1 },
        { 299, { VERB_TOUCH, K, .ttl_ms = 50 }, STATUS_NOT_FOUND, NULL, 0 },
        { 299, { VERB_ADD, K, .value = "a", .client_flags = 7 }, STATUS_STORED, NULL, 0 },
        /* a gat that is over shows the item a last time */
        { 300, { VERB_GATS, K, .ttl_ms = TTL_OVER }, STATUS_HIT, "a", 0 },
        { 300, { VERB_GET, K }, STATUS_NOT_FOUND, NULL, 0 },
        { 300, { VERB_SET, K, .value = "b" }, STATUS_STORED, NULL, 0 },
        { 300, { VERB_TOUCH, K, .ttl_ms = TTL_OVER }, STATUS_TOUCHED, NULL, 0 },
        { 300, { VERB_GET, K }, STATUS_NOT_FOUND, NULL, 0 },
        { 300, { VERB_ADD, K, .value = "b", .ttl_ms = TTL_OVER }, STATUS_STORED, NULL, 0 },
        { 300, { VERB_GET, K }, STATUS_NOT_FOUND, NULL, 0 },
        { 300, { VERB_SET, K, .value = "b" }, STATUS_STORED, NULL, 0 },
        { 300, { VERB_SET, K, .value = "c", .ttl_ms = TTL_OVER }, STATUS_STORED, NULL, 0 },
        { 300, { VERB_GET, K }, STATUS_NOT_FOUND, NULL, 0 },
        { 300, { VERB_DELETE, K }, STATUS_NOT_FOUND, NULL, 0 },
        /* a time to live beyond what an item can keep */
        { 300, { VERB_SET, K, .value = "b", .client_flags = 7, .ttl_ms = INT64_MAX },
          STATUS_STORED, NULL, 0 },
        { 300, { VERB_GET, K }, STATUS_HIT, "b", (INT64_C(1) << 48) - 1 - 300 },
        { 300, { VERB_DELETE, K }, STATUS_DELETED, NULL, 0 },
        { 300, { VERB_GET, K }, STATUS_NOT_FOUND, NULL, 0 },
#undef K
    };
    struct store *s = help_store(64 * MIB);
    struct seen seen = { .value = NULL };

    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (help_run(s, steps[i].at_ms, steps[i].cmd, &seen) != steps[i].status)
            fail_msg("step %zu: status %d", i, seen.a.status);
        if (steps[i].value == NULL)
            continue;
        assert_string_equal(seen.value, steps[i].value);
        if (seen.a.ttl_ms != steps[i].ttl_ms)
            fail_msg("step %zu: %lld ms left", i, (long long)seen.a.ttl_ms);
        if (steps[i].cmd.verb != VERB_GATS)
            assert_int_equal(seen.a.client_flags, 7);
    }
    assert_int_equal(help_usage(s, 300).items, 0);
    free(seen.value);
    store_free(s);
}

static void a_write_makes_a_version_and_a_touch_keeps_it(void **state)
{
    static const struct { struct cmd cmd; enum status status; bool rises; } steps[] = {
#define K .key = "k"
        { { VERB_SET, K, .value = "10" }, STATUS_STORED, true },
        { { VERB_GET, K }, STATUS_HIT, false },
        { { VERB_TOUCH, K, .ttl_ms = 9 }, STATUS_TOUCHED, false },
        { { VERB_GAT, K, .ttl_ms = 9 }, STATUS_HIT, false },
        { { VERB_INCR, K }, STATUS_NUMBER, true },
        { { VERB_DECR, K, .delta = 1 }, STATUS_NUMBER, true },
        { { VERB_INCR, K, .delta = 10000 }, STATUS_NUMBER, true },
        { { VERB_APPEND, K, .value = "0" }, STATUS_STORED, true },
        { { VERB_REPLACE, K, .value = "12345" }, STATUS_STORED, true },
        { { VERB_GETS, K }, STATUS_HIT, false },
#undef K
    };
    struct store *s = help_store(64 * MIB);
    struct seen seen = { .value = NULL };
    uint64_t last = 0;

    (void)state;
    store_set_number(s, 1023);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        assert_int_equal(help_run(s, 0, steps[i].cmd, &seen), steps[i].status);
        if (steps[i].rises ? seen.a.version <= last : seen.a.version != last)
            fail_msg("step %zu: %llx after %llx", i, (unsigned long long)seen.a.version,
                     (unsigned long long)last);
        last = seen.a.version;
        assert_int_equal(last & 1023, 1023);
        assert_int_equal(version_wall_ms(last), START_WALL_MS);
    }

    /* it is the token of a cas, once */
    assert_int_equal(RUN(s, 0, NULL, VERB_CAS, .key = "k", .value = "c", .cas = last),
                     STATUS_STORED);
    assert_int_equal(RUN(s, 0, &seen, VERB_CAS, .key = "k", .value = "d", .cas = last),
                     STATUS_EXISTS);
    assert_int_equal(seen.a.version, 0);
    assert_int_equal(RUN(s, 0, &seen, VERB_DELETE, .key = "k"), STATUS_DELETED);
    assert_int_equal(seen.a.version, 0);
    free(seen.value);
    store_free(s);
}

static void without_cas_no_token_matches(void **state)
{
    struct store_config config = help_config(64 * MIB);
    struct seen seen = { .value = NULL };

    (void)state;
    config.cas = false;
    struct store *s = store_new(&config);

    RUN(s, 0, &seen, VERB_SET, .key = "k", .value = "v");
    assert_int_not_equal(seen.a.version, 0);
    const uint64_t version = seen.a.version;

    assert_int_equal(RUN(s, 0, NULL, VERB_CAS, .key = "k", .value = "c", .cas = version),
                     STATUS_EXISTS);
    free(seen.value);
    store_free(s);
}

static void the_newer_copy_wins_in_any_order(void **state)
{
    enum { A = 1 << 20, B = 2 << 20, C = 3 << 20 };
    static const struct {
        struct copy copy;
        enum applied applied;
        const char *value;              /* there afterwards; NULL: nothing */
    } steps[] = {
#define K .any_age = true, .key = "k", .key_len = 1
        { { K, .version = B, .value = "b", .value_len = 1 }, APPLIED, "b" },
        { { K, .version = A, .value = "a", .value_len = 1 }, APPLIED_OLDER, "b" },
        { { K, .version = B, .value = "x", .value_len = 1 }, APPLIED_OLDER, "b" },
        { { K, .version = A, .kind = COPY_DELETED }, APPLIED_OLDER, "b" },
        { { K, .version = C, .value = "cc", .value_len = 2, .ttl_ms = 5 }, APPLIED, "cc" },
        { { K, .version = C + 1, .kind = COPY_DELETED }, APPLIED, NULL },
        { { K, .version = C + 2, .kind = COPY_DELETED }, APPLIED, NULL },
        { { K, .version = C + 3, .value = "d", .value_len = 1 }, APPLIED, "d" },
        { { K, .version = C + 4, .value = "e", .value_len = 1, .ttl_ms = -1 }, APPLIED,
          NULL },
        { { K, .version = C + 5, .value = "f", .value_len = 1 }, APPLIED, "f" },
        { { K, .version = C + 6, .value = "g", .value_len = MIB }, APPLIED_NO_MEMORY,
          NULL },
        { { K, .version = 0, .value = "h", .value_len = 1 }, APPLIED_OLDER, NULL },
#undef K
    };
    struct store *s = help_store(64 * MIB);
    struct seen seen = { .value = NULL };

    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        const enum status want = steps[i].value == NULL ? STATUS_NOT_FOUND : STATUS_HIT;

        assert_int_equal(store_apply(s, &steps[i].copy, START_MS), steps[i].applied);
        assert_int_equal(RUN(s, 0, &seen, VERB_GETS, .key = "k"), want);
        if (want == STATUS_HIT)
            assert_string_equal(seen.value, steps[i].value);
        if (steps[i].applied == APPLIED && want == STATUS_HIT)
            assert_int_equal(seen.a.version, steps[i].copy.version);
    }
    free(seen.value);
    store_free(s);
}

static void an_expired_item_is_still_newer_than_an_older_copy(void **state)
{
    struct store *s = help_store(64 * MIB);
    struct copy copy = { .any_age = true, .key = "k", .key_len = 1, .version = 100,
                         .value = "new", .value_len = 3, .ttl_ms = 10 };

    (void)state;
    assert_int_equal(store_apply(s, &copy, START_MS), APPLIED);
    copy.version = 99;
    copy.ttl_ms = TTL_NEVER;
    assert_int_equal(store_apply(s, &copy, START_MS + 20), APPLIED_OLDER);
    assert_int_equal(GET(s, 20, "k"), STATUS_NOT_FOUND);
    store_free(s);
}

static void a_version_from_the_future_is_exceeded_at_once(void **state)
{
    struct store *s = help_store(64 * MIB);
    const uint64_t future = store_clock(s, START_MS) + (UINT64_C(9000) << 22);
    const struct copy copy = { .key = "k", .key_len = 1, .version = future,
                               .value = "v", .value_len = 1 };
    struct seen seen = { .value = NULL };

    (void)state;
    store_apply(s, &copy, START_MS);
    RUN(s, 0, &seen, VERB_SET, .key = "k", .value = "w");
    assert_true(seen.a.version > future);

    /* and store_clock() takes all partitions past it */
    const uint64_t clock = store_clock(s, START_MS);
    char key[32];

    assert_true(clock > seen.a.version);
    for (unsigned i = 0; i < 100; i++) {
        RUN(s, 0, &seen, VERB_SET, .key = help_key(key, i), .value = "w");
        assert_true(seen.a.version > clock);
    }
    assert_true(store_clock(s, START_MS) > clock);
    free(seen.value);
    store_free(s);
}

/* A flush at `at_ms` of what is `ahead_ms` of the clock, seen at another time. */
static void a_flush_kills_what_was_written_before_it(void **state)
{
    static const struct {
        const char *what;
        int64_t ahead_ms, written_at_ms, read_at_ms;
        bool lives;
    } cases[] = {           /* all flushes are sent at 100 */
        { "now: older", 0, 99, 100, false },
        { "now: later in the same millisecond", 0, 100, 100, true },
        { "another's clock is fast: older", 300, 99, 100, false },
        { "another's clock is fast: later", 300, 100, 100, true },
        { "in 2 s: older, not yet", 2000, 99, 2099, true },
        { "in 2 s: older, its time has come", 2000, 99, 2100, false },
        { "in 2 s: written while it waits, not yet", 2000, 2099, 2099, true },
        { "in 2 s: written while it waits", 2000, 2099, 2100, false },
        { "in 2 s: written after", 2000, 2101, 2101, true },
        { "in 2 s: written after, in the same millisecond", 2000, 2100, 2100, true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct store *s = help_store(64 * MIB);
        const bool first = cases[i].written_at_ms < 100;
        char key[32];

        for (unsigned k = 0; first && k < 64; k++)
            SET(s, cases[i].written_at_ms, help_key(key, k), "v");
        const uint64_t v = version_after(store_clock(s, START_MS + 100), cases[i].ahead_ms);

        store_flush(s, v, START_MS + 100, FLUSH_WHEN_DUE);
        store_flush(s, v, START_MS + 100, FLUSH_WHEN_DUE);
        assert_int_equal(store_flush_version(s), v);
        for (unsigned k = 0; !first && k < 64; k++)
            SET(s, cases[i].written_at_ms, help_key(key, k), "v");
        for (unsigned k = 0; k < 64; k++) {
            if ((GET(s, cases[i].read_at_ms, help_key(key, k)) == STATUS_HIT)
                != cases[i].lives)
                fail_msg("%s", cases[i].what);
        }
        assert_int_equal(store_flush_version(s), v);
        store_free(s);
    }
}

/* Each thread reads its clock once a turn, so one may be behind another. */
static void a_clock_that_is_behind_makes_no_item_idle(void **state)
{
    struct store *s = help_store(64 * MIB);
    struct seen seen = { .value = NULL };

    (void)state;
    RUN(s, 2000, NULL, VERB_SET, .key = "k", .value = "v");
    RUN(s, 1999, &seen, VERB_GET, .key = "k");
    assert_int_equal(seen.a.idle_s, 0);
    free(seen.value);
    store_free(s);
}

static void what_commands_find_dead_is_counted(void **state)
{
    struct store *s = help_store(64 * MIB);

    (void)state;
    RUN(s, 0, NULL, VERB_SET, .key = "a", .value = "v", .ttl_ms = 10);
    assert_int_equal(RUN(s, 10, NULL, VERB_GET, .key = "a"), STATUS_NOT_FOUND);
    assert_int_equal(RUN(s, 10, NULL, VERB_GET, .key = "a"), STATUS_NOT_FOUND);
    RUN(s, 10, NULL, VERB_SET, .key = "b", .value = "v");
    RUN(s, 10, NULL, VERB_SET, .key = "c", .value = "v");
    store_flush(s, store_clock(s, START_MS + 10), START_MS + 10, FLUSH_WHEN_DUE);
    assert_int_equal(RUN(s, 11, NULL, VERB_DELETE, .key = "b"), STATUS_NOT_FOUND);
    assert_int_equal(RUN(s, 11, NULL, VERB_GET, .key = "c"), STATUS_NOT_FOUND);
    assert_int_equal(help_usage(s, 11).get_expired, 1);
    assert_int_equal(help_usage(s, 11).get_flushed, 2);
    store_free(s);
}

static void a_flush_is_a_floor_that_only_rises(void **state)
{
    struct store *s = help_store(64 * MIB);
    const uint64_t v = store_clock(s, START_MS);
    struct copy copy = { .key = "k", .key_len = 1, .version = v, .value = "v",
                         .value_len = 1 };

    (void)state;
    assert_int_equal(store_apply(s, &copy, START_MS), APPLIED);
    store_flush(s, v, START_MS, FLUSH_WHEN_DUE);
    assert_int_equal(GET(s, 0, "k"), STATUS_NOT_FOUND);
    assert_int_equal(store_apply(s, &copy, START_MS), APPLIED_OLDER);
    copy.version = v + 1;
    assert_int_equal(store_apply(s, &copy, START_MS), APPLIED);

    /* an older one changes nothing, not even a flush that waits */
    const uint64_t later = version_after(v, 10000);

    store_flush(s, later, START_MS, FLUSH_WHEN_DUE);
    store_flush(s, v - 1, START_MS, FLUSH_WHEN_DUE);
    store_flush(s, v, START_MS, FLUSH_WHEN_DUE);
    assert_int_equal(store_flush_version(s), later);
    assert_int_equal(GET(s, 9000, "k"), STATUS_HIT);

    /* a new one takes the place of what waits: memcached has one flush, too */
    const uint64_t now = store_clock(s, START_MS + 9000);

    store_flush(s, now, START_MS + 9000, FLUSH_WHEN_DUE);
    assert_int_equal(GET(s, 9000, "k"), STATUS_NOT_FOUND);
    SET(s, 9000, "k", "w");
    assert_int_equal(GET(s, 20000, "k"), STATUS_HIT);
    assert_int_equal(store_flush_version(s), now);
    store_free(s);
}

static void a_flush_needs_no_wait_when_the_clock_ran_ahead(void **state)
{
    struct store *s = help_store(64 * MIB);
    const struct copy copy = { .key = "k", .key_len = 1, .value = "v", .value_len = 1,
                               .version = version_after(store_clock(s, START_MS), 9000) };

    (void)state;
    store_apply(s, &copy, START_MS);
    store_flush(s, store_clock(s, START_MS), START_MS, FLUSH_WHEN_DUE);
    assert_int_equal(GET(s, 0, "k"), STATUS_NOT_FOUND);
    store_free(s);
}

/* Many keys through every growth of the index, against a plain array. */
static void a_store_is_a_dictionary(void **state)
{
    enum { N_KEYS = 20000, N_STEPS = 300000 };
    uint32_t *there = calloc(N_KEYS, sizeof(*there));   /* 0: absent */
    struct store *s = help_store(64 * MIB);
    struct seen seen = { .value = NULL };
    char key[32], value[64];
    uint32_t chance = 1, items = 0;

    (void)state;
    assert_non_null(there);
    for (uint32_t step = 1; step <= N_STEPS; step++) {
        chance = chance * 1664525 + 1013904223;
        const uint32_t k = (chance >> 8) % N_KEYS;

        help_key(key, k);
        switch (chance >> 28) {
        case 0: case 1:
            assert_int_equal(RUN(s, 0, NULL, VERB_DELETE, .key = key),
                             there[k] ? STATUS_DELETED : STATUS_NOT_FOUND);
            items -= there[k] != 0;
            there[k] = 0;
            break;
        case 2: case 3: case 4: case 5: case 6: case 7:
            snprintf(value, sizeof(value), "%u%.*s", step, (int)(step % 32),
                     "................................");
            assert_int_equal(SET(s, 0, key, value), STATUS_STORED);
            items += there[k] == 0;
            there[k] = step;
            break;
        default:
            assert_int_equal(RUN(s, 0, &seen, VERB_GET, .key = key),
                             there[k] ? STATUS_HIT : STATUS_NOT_FOUND);
            if (there[k] != 0)
                assert_int_equal(strtoul(seen.value, NULL, 10), there[k]);
            break;
        }
    }
    assert_int_equal(help_usage(s, 0).items, items);
    assert_int_equal(help_usage(s, 0).evictions, 0);
    free(seen.value);
    free(there);
    store_free(s);
}

/* What meta commands will show: h and l. */
static void an_item_knows_when_it_was_last_used(void **state)
{
    static const struct { int64_t at_ms; bool fetched; uint32_t idle_s; } gets[] = {
        { 400, false, 0 },      /* the set was no access by a get */
        { 1400, true, 1 },
        { 1999, true, 0 },
        { 61000, true, 60 },
    };
    struct store *s = help_store(64 * MIB);
    struct seen seen = { .value = NULL };

    (void)state;
    SET(s, 0, "k", "v");
    for (size_t i = 0; i < sizeof(gets) / sizeof(gets[0]); i++) {
        RUN(s, gets[i].at_ms, &seen, VERB_GET, .key = "k");
        assert_int_equal((seen.a.marks & MARK_FETCHED) != 0, gets[i].fetched);
        assert_int_equal(seen.a.idle_s, gets[i].idle_s);
    }
    SET(s, 62000, "k", "w");
    RUN(s, 62000, &seen, VERB_GET, .key = "k");
    assert_int_equal(seen.a.marks & MARK_FETCHED, 0);
    assert_int_equal(seen.a.idle_s, 0);
    free(seen.value);
    store_free(s);
}

/* Another shard's clock may run seconds ahead: old items must be gone at once,
 * and what is written after the flush must stay. */
static void a_flush_for_now_does_not_wait_for_the_clock(void **state)
{
    struct store *s = help_store(64 * MIB);
    const uint64_t ahead = version_after(store_clock(s, START_MS), 9000);

    (void)state;
    SET(s, 0, "old", "v");
    store_flush(s, ahead, START_MS, FLUSH_NOW);
    assert_int_equal(GET(s, 0, "old"), STATUS_NOT_FOUND);
    SET(s, 1, "new", "v");
    assert_int_equal(GET(s, 1, "new"), STATUS_HIT);
    assert_int_equal(GET(s, 20000, "new"), STATUS_HIT);
    store_free(s);
}

/* ---- options ---- */

#define MG(...) { VERB_GET, .key = "k", .options = OPTION_WIN, __VA_ARGS__ }
#define MG_R(ttl) { VERB_GET, .key = "k", .options = OPTION_WIN | OPTION_RECACHE, \
                    .recache_ttl_ms = (ttl) }

static void a_stale_item_is_renewed_by_one_reader(void **state)
{
    enum { F = MARK_FETCHED, S = MARK_STALE, WON = MARK_WON, WIN = MARK_WIN };
    static const struct {
        struct cmd cmd;
        enum status status;
        const char *value;              /* that a get shows */
        unsigned marks;                 /* and what it tells by the way */
    } steps[] = {
#define K .key = "k"
        { { VERB_SET, K, .value = "one" }, STATUS_STORED, NULL, 0 },
        { MG(), STATUS_HIT, "one", 0 },
        { MG(), STATUS_HIT, "one", F },
        { { VERB_DELETE, K, .options = OPTION_INVALIDATE }, STATUS_DELETED, NULL, 0 },
        { { VERB_GET, K }, STATUS_HIT, "one", F | S },
        { MG(), STATUS_HIT, "one", F | S | WIN },
        { MG(), STATUS_HIT, "one", F | S | WON },
        { { VERB_TOUCH, K }, STATUS_TOUCHED, NULL, 0 },
        { MG(), STATUS_HIT, "one", F | S | WON },
        /* invalid once more: another reader wins */
        { { VERB_DELETE, K, .options = OPTION_INVALIDATE }, STATUS_DELETED, NULL, 0 },
        { MG(), STATUS_HIT, "one", F | S | WIN },
        { MG(), STATUS_HIT, "one", F | S | WON },
        { { VERB_SET, K, .value = "10" }, STATUS_STORED, NULL, 0 },
        { MG(), STATUS_HIT, "10", 0 },
        /* a number changes in its place, and is as stale as it was */
        { { VERB_DELETE, K, .options = OPTION_INVALIDATE }, STATUS_DELETED, NULL, 0 },
        { { VERB_INCR, K, .delta = 1 }, STATUS_NUMBER, NULL, 0 },
        { MG(), STATUS_HIT, "11", F | S | WIN },
        { { VERB_APPEND, K, .value = "0" }, STATUS_STORED, NULL, 0 },
        { MG(), STATUS_HIT, "110", 0 },
        /* soon to expire: the same */
        { { VERB_TOUCH, K, .ttl_ms = 10000 }, STATUS_TOUCHED, NULL, 0 },
        { MG_R(10000), STATUS_HIT, "110", F },
        { MG_R(20000), STATUS_HIT, "110", F | WIN },
        { MG_R(20000), STATUS_HIT, "110", F | WON },
        { { VERB_DELETE, K, .options = OPTION_INVALIDATE }, STATUS_DELETED, NULL, 0 },
        { MG_R(20000), STATUS_HIT, "110", F | S | WIN },
        { { VERB_DELETE, K }, STATUS_DELETED, NULL, 0 },
        { MG(), STATUS_NOT_FOUND, NULL, 0 },
#undef K
    };
    struct store *s = help_store(64 * MIB);
    struct seen seen = { .value = NULL };

    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (help_run(s, 0, steps[i].cmd, &seen) != steps[i].status)
            fail_msg("step %zu: status %d", i, seen.a.status);
        if (steps[i].value == NULL)
            continue;
        assert_string_equal(seen.value, steps[i].value);
        if (seen.a.marks != steps[i].marks)
            fail_msg("step %zu: marks %x", i, seen.a.marks);
    }
    free(seen.value);
    store_free(s);
}

static void a_late_cas_stores_what_is_stale(void **state)
{
    struct store *s = help_store(64 * MIB);
    struct seen seen = { .value = NULL };

    (void)state;
    RUN(s, 0, &seen, VERB_SET, .key = "k", .value = "one", .ttl_ms = 9000);
    const uint64_t first = seen.a.version;

    RUN(s, 0, &seen, VERB_DELETE, .key = "k", .options = OPTION_INVALIDATE);
    RUN(s, 0, &seen, VERB_GET, .key = "k", .options = OPTION_WIN);
    const uint64_t second = seen.a.version;

    assert_true(second > first);
    assert_int_equal(RUN(s, 0, NULL, VERB_CAS, .key = "k", .value = "two", .cas = first),
                     STATUS_EXISTS);
    assert_int_equal(RUN(s, 0, NULL, VERB_CAS, .key = "k", .value = "two", .cas = second + 1,
                         .options = OPTION_INVALIDATE), STATUS_EXISTS);
    assert_int_equal(RUN(s, 0, &seen, VERB_CAS, .key = "k", .value = "two", .cas = first,
                         .options = OPTION_INVALIDATE), STATUS_STORED);
    assert_true(seen.a.version > second);
    RUN(s, 0, &seen, VERB_GET, .key = "k", .options = OPTION_WIN);
    assert_string_equal(seen.value, "two");
    assert_int_equal(seen.a.marks, MARK_STALE | MARK_WON);
    assert_int_equal(seen.a.ttl_ms, 9000);

    /* the one who won is in time, and ends it */
    assert_int_equal(RUN(s, 0, NULL, VERB_CAS, .key = "k", .value = "new",
                         .cas = seen.a.version, .options = OPTION_INVALIDATE), STATUS_STORED);
    RUN(s, 0, &seen, VERB_GET, .key = "k", .options = OPTION_WIN);
    assert_string_equal(seen.value, "new");
    assert_int_equal(seen.a.marks, 0);
    assert_int_equal(seen.a.ttl_ms, TTL_NEVER);
    free(seen.value);
    store_free(s);
}

/* Each write with one gives the item that token; the next without one takes it away. */
static void a_token_lasts_until_the_next_write(void **state)
{
    static const struct {
        struct cmd cmd;
        enum status status;
        const char *value;              /* afterwards */
        uint64_t token;                 /* that clients see; 0: the version */
    } steps[] = {
#define K .key = "k"
#define E(n) .options = OPTION_TOKEN, .token = (n)
        { { VERB_SET, K, .value = "10" }, STATUS_STORED, "10", 0 },
        { { VERB_SET, K, .value = "11", E(100) }, STATUS_STORED, "11", 100 },
        { { VERB_SET, K, .value = "12", E(UINT64_MAX) }, STATUS_STORED, "12", UINT64_MAX },
        { { VERB_TOUCH, K, .ttl_ms = 9000 }, STATUS_TOUCHED, "12", UINT64_MAX },
        { { VERB_GAT, K, .ttl_ms = 9000 }, STATUS_HIT, "12", UINT64_MAX },
        { { VERB_ADD, K, .value = "x", E(1) }, STATUS_NOT_STORED, "12", UINT64_MAX },
        { { VERB_CAS, K, .value = "x", .cas = 3, E(1) }, STATUS_EXISTS, "12", UINT64_MAX },
        { { VERB_SET, K, .value = "13" }, STATUS_STORED, "13", 0 },
        /* in place, and where the item grows */
        { { VERB_INCR, K, .delta = 1, E(5) }, STATUS_NUMBER, "14", 5 },
        { { VERB_DECR, K, .delta = 5, E(6) }, STATUS_NUMBER, "9 ", 6 },
        { { VERB_INCR, K, .delta = 1 }, STATUS_NUMBER, "10", 0 },
        { { VERB_INCR, K, .delta = 90, E(7) }, STATUS_NUMBER, "100", 7 },
        { { VERB_INCR, K, .delta = 10000000000000, E(8) }, STATUS_NUMBER, "10000000000100", 8 },
        { { VERB_INCR, K, .delta = 10000000000000000000u }, STATUS_NUMBER,
          "10000010000000000100", 0 },
        { { VERB_APPEND, K, .value = "abcdefghijklmno", E(9) }, STATUS_STORED,
          "10000010000000000100abcdefghijklmno", 9 },
        { { VERB_PREPEND, K, .value = "-", E(10) }, STATUS_STORED,
          "-10000010000000000100abcdefghijklmno", 10 },
        { { VERB_APPEND, K, .value = "+" }, STATUS_STORED,
          "-10000010000000000100abcdefghijklmno+", 0 },
        { { VERB_REPLACE, K, .value = "r", E(11) }, STATUS_STORED, "r", 11 },
        { { VERB_CAS, K, .value = "c", .cas = 11, E(12) }, STATUS_STORED, "c", 12 },
        /* deletes that leave something */
        { { VERB_DELETE, K, .options = OPTION_REMOVE_VALUE }, STATUS_DELETED, "", 12 },
        { { VERB_DELETE, K, .options = OPTION_REMOVE_VALUE | OPTION_TOKEN, .token = 13 },
          STATUS_DELETED, "", 13 },
        { { VERB_DELETE, K, .options = OPTION_INVALIDATE | OPTION_TOKEN, .token = 14 },
          STATUS_DELETED, "", 14 },
        { { VERB_DELETE, K, .options = OPTION_INVALIDATE }, STATUS_DELETED, "", 0 },
#undef E
#undef K
    };
    struct store *s = help_store(64 * MIB);
    struct seen seen = { .value = NULL };
    uint64_t last = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        const enum status status = help_run(s, 0, steps[i].cmd, &seen);
        const uint64_t written = seen.a.version, told = answer_token(&seen.a);
        const bool writes = status != STATUS_HIT && status != STATUS_NOT_STORED
                         && status != STATUS_EXISTS && status != STATUS_TOUCHED;

        if (status != steps[i].status)
            fail_msg("step %zu: status %d", i, status);
        RUN(s, 0, &seen, VERB_GET, .key = "k");
        assert_string_equal(seen.value, steps[i].value);
        if (answer_token(&seen.a) != (steps[i].token ? steps[i].token : seen.a.version))
            fail_msg("step %zu: token %llu", i, (unsigned long long)answer_token(&seen.a));
        assert_int_equal((seen.a.marks & MARK_TOKEN) != 0, steps[i].token != 0);
        assert_int_equal(seen.a.version > last, writes);
        last = seen.a.version;
        if (writes) {                   /* the answer to the write tells the same */
            assert_int_equal(written, seen.a.version);
            assert_int_equal(told, answer_token(&seen.a));
        }
    }
    free(seen.value);
    store_free(s);
}

/* The empty item that md x leaves: nobody who has its token sees another. */
static void an_emptied_item_keeps_its_token(void **state)
{
    struct store *s = help_store(64 * MIB);
    struct seen seen = { .value = NULL };

    (void)state;
    RUN(s, 0, &seen, VERB_SET, .key = "k", .value = "v", .client_flags = 7);
    const uint64_t version = seen.a.version;

    RUN(s, 0, &seen, VERB_DELETE, .key = "k", .options = OPTION_REMOVE_VALUE);
    RUN(s, 0, &seen, VERB_GETS, .key = "k");
    assert_string_equal(seen.value, "");
    assert_int_equal(seen.a.client_flags, 0);
    assert_true(seen.a.version > version);
    assert_int_equal(answer_token(&seen.a), version);
    assert_int_equal(RUN(s, 0, &seen, VERB_CAS, .key = "k", .value = "w", .cas = version),
                     STATUS_STORED);
    RUN(s, 0, &seen, VERB_GETS, .key = "k");
    assert_int_equal(answer_token(&seen.a), seen.a.version);
    free(seen.value);
    store_free(s);
}

/* Bytes of a short item with a key of one byte. */
static size_t cost(size_t value_len, unsigned marks)
{
    return ITEM_HEAD + 1 + value_len + ((marks & ITEM_TOKEN) != 0 ? sizeof(uint64_t) : 0);
}

static void tokens_are_paid_for(void **state)
{
    struct store *s = help_store(64 * MIB);
    struct seen seen = { .value = NULL };
    char value[64];
    uint64_t empty;

    (void)state;
    SET(s, 0, "k", "v");                /* an index may be made for the first */
    RUN(s, 0, NULL, VERB_DELETE, .key = "k");
    empty = help_usage(s, 0).bytes;
    for (size_t len = 1; len < sizeof(value); len++) {
        for (unsigned step = 0; step < 8; step++) {
            /* with and without, each after each, at every rounding */
            const unsigned options = "NETENNEE"[step] == 'E' ? OPTION_TOKEN : 0;
            const unsigned marks = options != 0 ? ITEM_TOKEN : 0;

            snprintf(value, sizeof(value), "%.*s", (int)len,
                     "1234567890123456789012345678901234567890123456789012345678901234");
            RUN(s, 0, NULL, VERB_SET, .key = "k", .value = value, .options = options,
                .token = options != 0 ? step + 1 : 0);
            assert_int_equal(help_usage(s, 0).bytes - empty, cost(len, marks));
            RUN(s, 0, NULL, VERB_APPEND, .key = "k", .value = "+", .options = OPTION_TOKEN,
                .token = 9);
            assert_int_equal(help_usage(s, 0).bytes - empty,
                             cost(len + 1, ITEM_TOKEN));
            RUN(s, 0, &seen, VERB_GET, .key = "k");
            assert_int_equal(answer_token(&seen.a), 9);
            assert_memory_equal(seen.value, value, len);
            if (step == 3)
                RUN(s, 0, NULL, VERB_DELETE, .key = "k", .options = OPTION_REMOVE_VALUE);
            if (step == 3)
                assert_int_equal(help_usage(s, 0).bytes - empty, cost(0, ITEM_TOKEN));
        }
        RUN(s, 0, NULL, VERB_DELETE, .key = "k");
        assert_int_equal(help_usage(s, 0).bytes, empty);
    }
    free(seen.value);
    store_free(s);
}

static void a_look_leaves_no_trace(void **state)
{
    static const struct {
        int64_t at_ms;
        enum verb verb;
        unsigned options;
        bool fetched;
        uint32_t idle_s;
    } steps[] = {
        { 1000, VERB_GET, OPTION_NO_USE, false, 1 },
        { 5000, VERB_GET, OPTION_NO_USE | OPTION_NO_VALUE, false, 5 },
        { 6000, VERB_GAT, OPTION_NO_USE, false, 6 },
        { 7000, VERB_GET, OPTION_NO_VALUE, false, 7 },
        { 9000, VERB_GET, OPTION_NO_USE, true, 2 },
        { 9500, VERB_GAT, 0, true, 2 },
        { 9500, VERB_GET, OPTION_NO_USE, true, 0 },
    };
    struct store *s = help_store(64 * MIB);
    struct seen seen = { .value = NULL };

    (void)state;
    SET(s, 0, "k", "v");
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        const bool head = (steps[i].options & OPTION_NO_VALUE) != 0;

        assert_int_equal(RUN(s, steps[i].at_ms, &seen, steps[i].verb, .key = "k",
                             .options = steps[i].options, .ttl_ms = 60000),
                         head ? STATUS_HEAD : STATUS_HIT);
        if (seen.a.marks != (steps[i].fetched ? MARK_FETCHED : 0)
            || seen.a.idle_s != steps[i].idle_s)
            fail_msg("step %zu: marks %x idle %u", i, seen.a.marks, seen.a.idle_s);
        assert_int_equal(seen.a.number, 1);
    }
    RUN(s, 9500, &seen, VERB_GET, .key = "k");
    assert_int_equal(seen.a.ttl_ms, 60000);
    free(seen.value);
    store_free(s);
}

/* It does not evict, and has no room left. */
static struct store *full_store(void)
{
    struct store_config config = help_config(MIB);
    struct store *s;
    char key[32];

    config.evict = false;
    s = store_new(&config);
    assert_non_null(s);
    for (unsigned i = 0; SET(s, 0, help_key(key, i), "") == STATUS_STORED; i++)
        assert_true(i < MIB);
    return s;
}

static void a_miss_may_make_an_item(void **state)
{
    static const unsigned n = OPTION_WIN | OPTION_VIVIFY;
    struct store *s = help_store(64 * MIB);
    struct seen seen = { .value = NULL };

    (void)state;
    assert_int_equal(RUN(s, 0, &seen, VERB_GET, .key = "k", .options = n,
                         .vivify_ttl_ms = 30000), STATUS_HIT);
    assert_string_equal(seen.value, "");
    assert_int_equal(seen.a.marks, MARK_CREATED | MARK_WIN);
    assert_int_equal(RUN(s, 0, &seen, VERB_GET, .key = "k", .options = n,
                         .vivify_ttl_ms = 90000), STATUS_HIT);
    assert_string_equal(seen.value, "");
    assert_int_equal(seen.a.marks, MARK_WON | MARK_FETCHED);
    assert_int_equal(seen.a.ttl_ms, 30000);
    RUN(s, 0, NULL, VERB_DELETE, .key = "k");

    /* without its value, with a token, under a key in base64 */
    assert_int_equal(RUN(s, 0, &seen, VERB_GAT, .key = "k", .token = 77, .ttl_ms = 1,
                         .options = n | OPTION_NO_VALUE | OPTION_TOKEN | OPTION_KEY_ENCODED),
                     STATUS_HEAD);
    assert_int_equal(seen.a.marks,
                     MARK_CREATED | MARK_WIN | MARK_TOKEN | MARK_KEY_ENCODED);
    assert_int_equal(answer_token(&seen.a), 77);
    assert_int_equal(seen.a.number, 0);
    RUN(s, 5, &seen, VERB_GET, .key = "k");
    assert_int_equal(seen.a.marks, MARK_FETCHED | MARK_WON | MARK_TOKEN | MARK_KEY_ENCODED);
    assert_int_equal(seen.a.ttl_ms, TTL_NEVER);
    RUN(s, 5, NULL, VERB_DELETE, .key = "k");

    /* a number begins with what it was told to */
    assert_int_equal(RUN(s, 0, &seen, VERB_INCR, .key = "k", .options = OPTION_VIVIFY,
                         .delta = 5, .initial = 13, .vivify_ttl_ms = 1000), STATUS_NUMBER);
    assert_int_equal(seen.a.number, 13);
    assert_int_equal(seen.a.marks, MARK_CREATED);
    assert_int_equal(RUN(s, 0, &seen, VERB_INCR, .key = "k", .options = OPTION_VIVIFY,
                         .delta = 5, .initial = 13), STATUS_NUMBER);
    assert_int_equal(seen.a.number, 18);
    assert_int_equal(seen.a.marks, 0);
    assert_int_equal(seen.a.ttl_ms, 1000);
    assert_int_equal(GET(s, 1000, "k"), STATUS_NOT_FOUND);

    /* what expires at once is told, and not there */
    assert_int_equal(RUN(s, 1000, &seen, VERB_GET, .key = "k", .options = n | OPTION_NO_VALUE,
                         .vivify_ttl_ms = TTL_OVER), STATUS_HEAD);
    assert_int_equal(help_usage(s, 1000).items, 0);

    /* no room for it: a miss like any other */
    store_free(s);
    s = full_store();
    assert_int_equal(RUN(s, 1000, &seen, VERB_GET, .key = "k", .options = n), STATUS_NOT_FOUND);
    assert_int_equal(seen.a.marks, 0);
    assert_int_equal(seen.a.version, 0);
    assert_int_equal(RUN(s, 1000, &seen, VERB_INCR, .key = "k", .options = OPTION_VIVIFY),
                     STATUS_NO_MEMORY);
    free(seen.value);
    store_free(s);
}

/* A ma tells the time that was left, and sets another. */
static void a_number_may_be_given_a_time_to_live(void **state)
{
    struct store *s = help_store(64 * MIB);
    struct seen seen = { .value = NULL };

    (void)state;
    RUN(s, 0, NULL, VERB_SET, .key = "k", .value = "1", .ttl_ms = 5000);
    RUN(s, 0, &seen, VERB_INCR, .key = "k", .delta = 1);
    assert_int_equal(seen.a.ttl_ms, 5000);
    RUN(s, 1000, &seen, VERB_INCR, .key = "k", .delta = 1, .options = OPTION_TTL,
        .ttl_ms = 60000);
    assert_int_equal(seen.a.ttl_ms, 4000);
    RUN(s, 1000, &seen, VERB_GET, .key = "k");
    assert_int_equal(seen.a.ttl_ms, 60000);
    assert_int_equal(RUN(s, 1000, &seen, VERB_INCR, .key = "k", .delta = 1,
                         .options = OPTION_TTL, .ttl_ms = TTL_OVER), STATUS_NUMBER);
    assert_int_equal(seen.a.number, 4);
    assert_int_equal(GET(s, 1000, "k"), STATUS_NOT_FOUND);
    free(seen.value);
    store_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flush_for_now_does_not_wait_for_the_clock),
        cmocka_unit_test(an_item_knows_when_it_was_last_used),
        cmocka_unit_test(a_story_of_one_key),
        cmocka_unit_test(a_write_makes_a_version_and_a_touch_keeps_it),
        cmocka_unit_test(without_cas_no_token_matches),
        cmocka_unit_test(the_newer_copy_wins_in_any_order),
        cmocka_unit_test(an_expired_item_is_still_newer_than_an_older_copy),
        cmocka_unit_test(a_version_from_the_future_is_exceeded_at_once),
        cmocka_unit_test(a_flush_kills_what_was_written_before_it),
        cmocka_unit_test(a_clock_that_is_behind_makes_no_item_idle),
        cmocka_unit_test(what_commands_find_dead_is_counted),
        cmocka_unit_test(a_flush_is_a_floor_that_only_rises),
        cmocka_unit_test(a_flush_needs_no_wait_when_the_clock_ran_ahead),
        cmocka_unit_test(a_store_is_a_dictionary),
        cmocka_unit_test(a_stale_item_is_renewed_by_one_reader),
        cmocka_unit_test(a_late_cas_stores_what_is_stale),
        cmocka_unit_test(a_token_lasts_until_the_next_write),
        cmocka_unit_test(an_emptied_item_keeps_its_token),
        cmocka_unit_test(tokens_are_paid_for),
        cmocka_unit_test(a_look_leaves_no_trace),
        cmocka_unit_test(a_miss_may_make_an_item),
        cmocka_unit_test(a_number_may_be_given_a_time_to_live),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
