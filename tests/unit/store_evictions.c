#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "store/evictions.h"
#include "store_help.h"
#include "wire/listing.h"

#define KEPT 200                /* of the last evictions */
#define WANTED_MS 2000          /* after they were asked for */

struct ring {
    struct evictions e;
    unsigned next;              /* the key that goes next */
};

static struct ring *new_ring(void)
{
    struct ring *r = calloc(1, sizeof(*r));

    assert_non_null(r);
    assert_true(evictions_init(&r->e));
    return r;
}

static void free_ring(struct ring *r)
{
    evictions_fini(&r->e);
    free(r);
}

/* `n` items go, "key-00000000" first. */
static void evict(struct ring *r, int64_t at_ms, unsigned n)
{
    char key[32], bytes[64];
    struct item it;

    for (; n > 0; n--) {
        const struct draft d = { .key = help_key(key, r->next++), .key_len = strlen(key),
                                 .version = 1, .piece = { { "value", 5 } }, .value_len = 5 };

        item_write(bytes, &d);
        item_read(&it, bytes);
        if (evictions_wanted(&r->e, at_ms))
            evictions_add(&r->e, &it, at_ms);
    }
}

/* Takes what came after the cursor: keys `first` and so on, `n` of them. */
static void takes(struct ring *r, int64_t at_ms, uint64_t *cursor, unsigned first, unsigned n)
{
    char page[EVICTIONS_PAGE], key[32];
    const size_t len = evictions_take(&r->e, cursor, at_ms, page);
    struct listed l;
    unsigned seen = 0;

    for (size_t pos = 0; listing_next(page, len, &pos, &l); seen++) {
        help_key(key, first + seen);
        assert_int_equal(l.key_len, strlen(key));
        assert_memory_equal(l.key, key, l.key_len);
        assert_int_equal(l.value_len, 5);
    }
    assert_int_equal(seen, n);
}

static void nothing_is_kept_before_somebody_asks(void **state)
{
    struct ring *s = new_ring();
    uint64_t cursor = 0;

    (void)state;
    evict(s, 0, 50);
    takes(s, 0, &cursor, 0, 0);
    assert_int_not_equal(cursor, 0);
    evict(s, 0, 3);
    takes(s, 0, &cursor, 50, 3);
    free_ring(s);
}

static void what_is_evicted_comes_once_and_in_order(void **state)
{
    struct ring *s = new_ring();
    uint64_t cursor = 0, second = 0;
    unsigned first = 0;

    (void)state;
    takes(s, 0, &cursor, 0, 0);
    for (unsigned n = 0; n < 60; n += 7) {
        evict(s, 0, n);
        takes(s, 0, &cursor, first, n);
        takes(s, 0, &cursor, 0, 0);
        first += n;
    }
    takes(s, 0, &second, 0, 0);         /* another begins where it asks */
    evict(s, 0, 5);
    takes(s, 0, &second, first, 5);
    takes(s, 0, &cursor, first, 5);
    free_ring(s);
}

static void of_more_than_are_kept_the_last_ones_come(void **state)
{
    static const unsigned counts[] = { KEPT - 1, KEPT, KEPT + 1, 3 * KEPT + 50 };
    struct ring *s = new_ring();
    uint64_t cursor = 0;
    unsigned first = 0;

    (void)state;
    takes(s, 0, &cursor, 0, 0);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        const uint64_t before = cursor;
        const unsigned n = counts[i] < KEPT ? counts[i] : KEPT;

        evict(s, 0, counts[i]);
        takes(s, 0, &cursor, first + counts[i] - n, n);
        assert_int_equal(cursor - before, counts[i]);
        first += counts[i];
    }
    free_ring(s);
}

/* As after a restart of the shard. */
static void a_cursor_from_the_future_begins_now(void **state)
{
    struct ring *s = new_ring();
    uint64_t cursor = 0, future;

    (void)state;
    takes(s, 0, &cursor, 0, 0);
    evict(s, 0, 5);
    takes(s, 0, &cursor, 0, 5);
    future = cursor + 1;
    takes(s, 0, &future, 0, 0);
    assert_int_equal(future, cursor);
    future = UINT64_MAX;
    takes(s, 0, &future, 0, 0);
    assert_int_equal(future, cursor);
    evict(s, 0, 5);
    takes(s, 0, &future, 5, 5);
    free_ring(s);
}

static void when_nobody_asks_any_longer_nothing_is_kept(void **state)
{
    struct ring *s = new_ring();
    uint64_t cursor = 0;

    (void)state;
    takes(s, 0, &cursor, 0, 0);
    evict(s, WANTED_MS - 1, 10);
    evict(s, WANTED_MS, 10);
    takes(s, WANTED_MS, &cursor, 0, 10);
    evict(s, WANTED_MS + 1, 10);
    takes(s, WANTED_MS + 1, &cursor, 20, 10);
    free_ring(s);
}

static void an_eviction_is_told_with_all_that_was_known_of_the_item(void **state)
{
    char page[EVICTIONS_PAGE], key[32], value[1000];
    struct store_config config = help_config(256 * 1024);
    struct store *s;
    const struct copy copy = { .any_age = true, .key = "k", .key_len = 1, .version = 9,
                               .value = "value", .value_len = 5, .client_flags = 7,
                               .ttl_ms = 9000,
                               .marks = MARK_FETCHED | MARK_TOKEN, .token = 77 };
    uint64_t cursor = 0;
    size_t pos = 0, len = 0;
    struct listed l;

    (void)state;
    memset(value, 'v', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    config.max_item_bytes = 16 * 1024;
    s = store_new(&config);
    assert_non_null(s);
    assert_int_equal(store_apply(s, &copy, START_MS), APPLIED);
    assert_int_equal(store_evictions(s, &cursor, START_MS + 4000, page), 0);
    for (unsigned i = 0; RUN(s, 4000, NULL, VERB_GET, .key = "k", .options = OPTION_NO_USE)
                         == STATUS_HIT; i++) {
        RUN(s, 4000, NULL, VERB_SET, .key = help_key(key, i), .value = value, .ttl_ms = 9000);
        len = store_evictions(s, &cursor, START_MS + 4000, page);
    }
    do
        assert_true(listing_next(page, len, &pos, &l));
    while (l.key_len != 1);
    assert_int_equal(l.key_len, 1);
    assert_memory_equal(l.key, "k", 1);
    assert_int_equal(l.marks, MARK_FETCHED | MARK_TOKEN);
    assert_int_equal(l.token, 77);
    assert_int_equal(l.client_flags, 7);
    assert_int_equal(l.ttl_ms, 5000);
    assert_int_equal(l.idle_s, 4);
    assert_int_equal(l.value_len, 5);
    store_free(s);
}

/* ---- all items: store_list() ---- */

#define N_ITEMS 5000
#define PAGE_ITEMS_MAX 400      /* a page looks at 256 and ends its bucket */

/* How often each key was listed. */
static unsigned listed[8 * N_ITEMS];

static void note_page(const char *page, size_t len)
{
    struct listed l;
    size_t pos = 0;
    unsigned n = 0;

    for (; listing_next(page, len, &pos, &l); n++) {
        char key[32] = "";

        assert_int_equal(l.key_len, 12);
        memcpy(key, l.key, l.key_len);
        listed[strtoul(key + 4, NULL, 10)]++;
    }
    assert_int_equal(pos, len);
    assert_true(n < PAGE_ITEMS_MAX);
}

/* One page; false when it was the last. */
static bool list_page(struct store *s, int64_t at_ms, uint64_t *cursor)
{
    char *page;
    size_t len;

    assert_true(store_list(s, cursor, START_MS + at_ms, &page, &len));
    assert_true((page == NULL) == (len == 0));
    if (len > 0)
        note_page(page, len);
    free(page);
    return *cursor != 0;
}

static void set_keys(struct store *s, unsigned first, unsigned last, int64_t ttl_ms)
{
    char key[32];

    for (unsigned i = first; i < last; i++)
        RUN(s, 0, NULL, VERB_SET, .key = help_key(key, i), .value = "v", .ttl_ms = ttl_ms);
}

static void a_listing_shows_each_item_once_and_no_dead_ones(void **state)
{
    struct store *s = help_store(64 * MIB);
    uint64_t cursor = 0;
    unsigned pages = 0;

    (void)state;
    memset(listed, 0, sizeof(listed));
    set_keys(s, 0, N_ITEMS, TTL_NEVER);
    set_keys(s, N_ITEMS, 2 * N_ITEMS, 10);
    do
        assert_true(++pages < N_ITEMS);
    while (list_page(s, 10, &cursor));
    assert_true(pages > 2 * N_ITEMS / PAGE_ITEMS_MAX);
    for (unsigned i = 0; i < 2 * N_ITEMS; i++)
        assert_int_equal(listed[i], i < N_ITEMS);
    store_free(s);
}

static void a_listing_misses_nothing_while_the_store_grows(void **state)
{
    struct store *s = help_store(64 * MIB);
    uint64_t cursor = 0;
    unsigned more = N_ITEMS;

    (void)state;
    memset(listed, 0, sizeof(listed));
    set_keys(s, 0, N_ITEMS, TTL_NEVER);
    while (list_page(s, 0, &cursor)) {
        const unsigned last = more + 2000 < 8 * N_ITEMS ? more + 2000 : 8 * N_ITEMS;

        set_keys(s, more, last, TTL_NEVER);
        more = last;
    }
    assert_int_equal(more, 8 * N_ITEMS);        /* or the index did not grow */
    for (unsigned i = 0; i < N_ITEMS; i++)
        assert_int_equal(listed[i], 1);
    store_free(s);
}

static void a_listing_of_nothing_ends(void **state)
{
    struct store *s = help_store(64 * MIB);
    uint64_t cursor = 0;
    unsigned pages = 0;

    (void)state;
    memset(listed, 0, sizeof(listed));
    while (list_page(s, 0, &cursor))
        assert_true(++pages < N_ITEMS);
    cursor = UINT64_MAX;                /* no place at all */
    assert_false(list_page(s, 0, &cursor));
    store_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_kept_before_somebody_asks),
        cmocka_unit_test(what_is_evicted_comes_once_and_in_order),
        cmocka_unit_test(of_more_than_are_kept_the_last_ones_come),
        cmocka_unit_test(a_cursor_from_the_future_begins_now),
        cmocka_unit_test(when_nobody_asks_any_longer_nothing_is_kept),
        cmocka_unit_test(an_eviction_is_told_with_all_that_was_known_of_the_item),
        cmocka_unit_test(a_listing_shows_each_item_once_and_no_dead_ones),
        cmocka_unit_test(a_listing_misses_nothing_while_the_store_grows),
        cmocka_unit_test(a_listing_of_nothing_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
