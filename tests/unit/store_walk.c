#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ring/ring.h"
#include "store_help.h"

#define N_KEYS 5000

/* How often each key was shown. */
struct shown {
    unsigned n[4 * N_KEYS], total;
    int64_t ttl_ms;
};

static void note(void *arg, const struct copy *copy)
{
    struct shown *shown = arg;
    unsigned i = 0;

    assert_int_equal(copy->kind, COPY_VALUE);
    assert_int_equal(copy->key_len, 12);
    for (size_t d = 4; d < copy->key_len; d++)
        i = i * 10 + (unsigned)(copy->key[d] - '0');
    assert_true(i < 4 * N_KEYS);
    shown->n[i]++;
    shown->total++;
    shown->ttl_ms = copy->ttl_ms;
}

static void fill(struct store *s, unsigned first, unsigned last)
{
    char key[32];

    for (unsigned i = first; i < last; i++)
        SET(s, 0, help_key(key, i), "value");
}

static bool in_arc(struct arc arc, unsigned i)
{
    char key[32];
    const uint32_t at = ring_hash(help_key(key, i), 12);

    return arc.first <= arc.last ? at >= arc.first && at <= arc.last
                                 : at >= arc.first || at <= arc.last;
}

static void a_walk_shows_the_items_of_its_arc_once(void **state)
{
    char key[32];
    const uint32_t place = ring_hash(help_key(key, 17), 12);
    const struct { struct arc arc; unsigned n; } cases[] = {
        { WHOLE_RING, 1 },
        { WHOLE_RING, 0 },
        { WHOLE_RING, 1000000 },
        { { 0, UINT32_MAX / 2 }, 100 },
        { { UINT32_MAX / 4 * 3, UINT32_MAX / 4 }, 100 },
        { { place, place }, 100 },
        { { place + 1, place }, 100 },
    };
    struct store *s = help_store(64 * MIB);

    (void)state;
    fill(s, 0, N_KEYS);
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        static struct shown shown;
        uint64_t cursor = 0;
        unsigned calls = 0;

        memset(&shown, 0, sizeof(shown));
        do {
            const unsigned before = shown.total;

            store_walk(s, cases[c].arc, &cursor, cases[c].n, START_MS, note, &shown);
            assert_true(shown.total - before < cases[c].n + 64);
            assert_true(++calls < 20 * N_KEYS);
        } while (cursor != 0);
        for (unsigned i = 0; i < N_KEYS; i++)
            assert_int_equal(shown.n[i], in_arc(cases[c].arc, i));
    }
    store_free(s);
}

static void a_walk_misses_nothing_while_the_store_grows_and_shrinks(void **state)
{
    static struct shown shown;
    struct store *s = help_store(64 * MIB);
    uint64_t cursor = 0;
    unsigned more = N_KEYS;
    char key[32];

    (void)state;
    fill(s, 0, N_KEYS);
    do {
        store_walk(s, WHOLE_RING, &cursor, 40, START_MS, note, &shown);
        if (more < 4 * N_KEYS) {
            fill(s, more, more + 60);
            RUN(s, 0, NULL, VERB_DELETE, .key = help_key(key, more + 3));
            more += 60;
        }
    } while (cursor != 0);
    for (unsigned i = 0; i < N_KEYS; i++)
        assert_int_equal(shown.n[i], 1);
    assert_true(more == 4 * N_KEYS);            /* or the index did not grow */
    store_free(s);
}

static void the_dead_are_not_shown_and_the_living_with_their_time(void **state)
{
    static struct shown shown;
    struct store *s = help_store(64 * MIB);
    uint64_t cursor = 0;

    (void)state;
    RUN(s, 0, NULL, VERB_SET, .key = "key-00000001", .value = "v", .ttl_ms = 10);
    RUN(s, 0, NULL, VERB_SET, .key = "key-00000002", .value = "v", .ttl_ms = 30);
    store_walk(s, WHOLE_RING, &cursor, 100000, START_MS + 10, note, &shown);
    assert_int_equal(cursor, 0);
    assert_int_equal(shown.total, 1);
    assert_int_equal(shown.ttl_ms, 20);
    store_flush(s, store_clock(s, START_MS + 10), START_MS + 10, FLUSH_WHEN_DUE);
    store_walk(s, WHOLE_RING, &cursor, 100000, START_MS + 10, note, &shown);
    assert_int_equal(shown.total, 1);

    cursor = UINT64_MAX;                        /* no place at all: it is over */
    store_walk(s, WHOLE_RING, &cursor, 100, START_MS, note, &shown);
    assert_int_equal(cursor, 0);
    store_free(s);
}

static struct digest digest_of(struct store *s, struct arc arc, unsigned n)
{
    struct digest digest = { 0, 0 };
    uint64_t cursor = 0;

    do
        store_digest(s, arc, &cursor, n, START_MS, &digest);
    while (cursor != 0);
    return digest;
}

static void apply_one(struct store *s, unsigned i, uint64_t version)
{
    char key[32];
    const struct copy copy = { .any_age = true, .key = help_key(key, i), .key_len = 12,
                               .version = version, .value = "v", .value_len = 1 };

    assert_int_equal(store_apply(s, &copy, START_MS), APPLIED);
}

static void equal_contents_have_equal_digests(void **state)
{
    struct store_config config = help_config(8 * MIB);
    struct store *a = help_store(64 * MIB), *b;

    (void)state;
    config.hash_key[0] = 99;                    /* another order, other partitions */
    b = store_new(&config);
    for (unsigned i = 0; i < N_KEYS; i++) {
        apply_one(a, i, 1000 + i);
        apply_one(b, N_KEYS - 1 - i, 1000 + N_KEYS - 1 - i);
    }

    static const struct arc arcs[] = {
        { 0, UINT32_MAX }, { 5, 1u << 31 }, { 1u << 30, 7 },
    };
    uint64_t items = 0;

    for (size_t i = 0; i < 3; i++) {
        const struct digest x = digest_of(a, arcs[i], 1), y = digest_of(b, arcs[i], 1000);

        assert_int_equal(x.items, y.items);
        assert_int_equal(x.sum, y.sum);
        items += x.items;
    }
    assert_true(items > N_KEYS && items < 3 * N_KEYS);

    /* one version newer, one item less, two items' versions exchanged */
    const struct digest before = digest_of(b, WHOLE_RING, 100);
    uint64_t sums[4] = { before.sum };

    apply_one(b, 4, 3000000);
    sums[1] = digest_of(b, WHOLE_RING, 100).sum;
    apply_one(b, 4, 3000002);
    apply_one(b, 5, 3000001);
    sums[2] = digest_of(b, WHOLE_RING, 100).sum;
    RUN(b, 0, NULL, VERB_DELETE, .key = "key-00000004");
    assert_int_equal(digest_of(b, WHOLE_RING, 100).items, before.items - 1);
    sums[3] = digest_of(b, WHOLE_RING, 100).sum;
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < i; k++)
            assert_true(sums[i] != sums[k]);
    apply_one(a, 4, 3000001);
    apply_one(a, 5, 3000002);
    assert_true(digest_of(a, WHOLE_RING, 100).sum != sums[2]);
    store_free(a);
    store_free(b);
}

/* Times of last access are kept short; nothing comes to seem fresh by that. */
static void what_is_idle_for_weeks_does_not_seem_young(void **state)
{
    enum { DAY_MS = 24 * 3600 * 1000 };
    struct store *s = help_store(64 * MIB);
    struct seen seen = { .value = NULL };
    static char large[20000];

    (void)state;
    memset(large, 'l', sizeof(large) - 1);
    SET(s, 0, "small", "v");
    SET(s, 0, "large", large);
    for (int64_t hour = 1; hour <= 25 * 24; hour++)
        for (int i = 0; i < 20; i++)
            store_sweep(s, 100, START_MS + hour * 3600 * 1000);
    for (int i = 0; i < 2; i++) {
        RUN(s, 25 * (int64_t)DAY_MS, &seen, VERB_GET, .key = i == 0 ? "small" : "large",
            .options = OPTION_NO_USE);
        assert_in_range(seen.a.idle_s, 5 * DAY_MS / 1000, 12 * DAY_MS / 1000);
    }
    free(seen.value);
    store_free(s);
}

#define SEGMENT_ITEMS (32 * 1024 / 32)

static void sweeping_removes_the_dead_in_bounded_steps(void **state)
{
    struct store *s = help_store(64 * MIB);
    char key[32];
    unsigned calls = 0;

    (void)state;
    for (unsigned i = 0; i < N_KEYS; i++)
        RUN(s, 0, NULL, VERB_SET, .key = help_key(key, i), .value = "v",
            .ttl_ms = i % 2 ? 10 : TTL_NEVER);
    while (help_usage(s, 10).items > N_KEYS / 2) {
        const uint64_t before = help_usage(s, 10).reclaimed;

        store_sweep(s, 100, START_MS + 10);
        /* or a segment: its items go together */
        assert_true(help_usage(s, 10).reclaimed - before < 100 + SEGMENT_ITEMS);
        assert_true(++calls < N_KEYS);
    }
    assert_true(calls > N_KEYS / 2 / (100 + SEGMENT_ITEMS));
    assert_int_equal(help_usage(s, 10).reclaimed, N_KEYS / 2);
    assert_int_equal(help_usage(s, 10).expired_unfetched, N_KEYS / 2);

    store_flush(s, store_clock(s, START_MS + 10), START_MS + 10, FLUSH_WHEN_DUE);
    store_sweep(s, 20 * N_KEYS, START_MS + 10);
    store_sweep(s, 20 * N_KEYS, START_MS + 10);
    assert_int_equal(help_usage(s, 10).items, 0);
    assert_int_equal(help_usage(s, 10).expired_unfetched, N_KEYS / 2);
    store_free(s);
}

static void carry(void *arg, const struct copy *copy)
{
    assert_int_equal(store_apply(arg, copy, START_MS), APPLIED);
}

/* From one member to another: nothing that clients could see is lost. */
static void a_copy_has_the_marks_and_the_token_of_its_item(void **state)
{
    static const unsigned marks[] = {
        0, MARK_FETCHED, MARK_STALE, MARK_STALE | MARK_WON, MARK_KEY_ENCODED, MARK_TOKEN,
        MARK_FETCHED | MARK_STALE | MARK_WON | MARK_KEY_ENCODED | MARK_TOKEN,
        MARKS_ALL,                      /* some of them are of no item */
    };
    static const unsigned of_items = MARKS_OF_COPY;

    (void)state;
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        struct store *a = help_store(64 * MIB), *b = help_store(64 * MIB);
        const struct copy copy = { .any_age = true, .key = "k", .key_len = 1, .version = 500,
                                   .value = "v", .value_len = 1, .client_flags = 7, .ttl_ms = 9000,
                                   .marks = marks[i], .token = 77 };
        struct seen seen = { .value = NULL };
        uint64_t cursor = 0;

        carry(a, &copy);
        store_walk(a, WHOLE_RING, &cursor, 100000, START_MS, carry, b);
        assert_int_equal(RUN(b, 0, &seen, VERB_GETS, .key = "k"), STATUS_HIT);
        assert_int_equal(seen.a.marks, marks[i] & of_items);
        assert_int_equal(answer_token(&seen.a), (marks[i] & MARK_TOKEN) != 0 ? 77 : 500);
        assert_int_equal(seen.a.version, 500);
        assert_int_equal(seen.a.client_flags, 7);
        assert_int_equal(seen.a.ttl_ms, 9000);
        assert_string_equal(seen.value, "v");
        assert_int_equal(help_usage(a, 0).bytes, help_usage(b, 0).bytes);
        free(seen.value);
        store_free(a);
        store_free(b);
    }
}

static void note_idle(void *arg, const struct copy *copy)
{
    *(uint32_t *)arg = copy->idle_s;
}

static void a_copy_tells_how_long_its_item_was_idle(void **state)
{
    struct store *s = help_store(64 * MIB);
    uint64_t cursor = 0;
    uint32_t idle_s = 0;

    (void)state;
    SET(s, 0, "k", "v");
    store_walk(s, WHOLE_RING, &cursor, 100000, START_MS + 7000, note_idle, &idle_s);
    assert_int_equal(idle_s, 7);
    store_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_walk_shows_the_items_of_its_arc_once),
        cmocka_unit_test(a_walk_misses_nothing_while_the_store_grows_and_shrinks),
        cmocka_unit_test(the_dead_are_not_shown_and_the_living_with_their_time),
        cmocka_unit_test(equal_contents_have_equal_digests),
        cmocka_unit_test(what_is_idle_for_weeks_does_not_seem_young),
        cmocka_unit_test(sweeping_removes_the_dead_in_bounded_steps),
        cmocka_unit_test(a_copy_has_the_marks_and_the_token_of_its_item),
        cmocka_unit_test(a_copy_tells_how_long_its_item_was_idle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
