#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "wire/listing.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

static char long_key[KEY_MAX];

static const struct listed records[] = {
    { .key = "a", .key_len = 1, .ttl_ms = TTL_NEVER },
    { .key = "some\0key", .key_len = 8, .marks = MARKS_ALL, .client_flags = UINT32_MAX,
      .ttl_ms = INT64_MAX, .idle_s = UINT32_MAX, .token = UINT64_MAX, .value_len = UINT32_MAX },
    { .key = long_key, .key_len = KEY_MAX, .marks = MARK_FETCHED, .client_flags = 1,
      .ttl_ms = -2, .idle_s = 3, .token = 4, .value_len = 5 },
    { .key = "\xff", .key_len = 1, .ttl_ms = 1, .value_len = 1 << 20 },
};

static char *put_all(char *out)
{
    for (size_t i = 0; i < N_OF(records); i++)
        out = listing_put(out, &records[i]);
    return out;
}

static void assert_same(const struct listed *got, const struct listed *want)
{
    assert_int_equal(got->key_len, want->key_len);
    assert_memory_equal(got->key, want->key, want->key_len);
    assert_int_equal(got->marks, want->marks);
    assert_int_equal(got->client_flags, want->client_flags);
    assert_int_equal(got->ttl_ms, want->ttl_ms);
    assert_int_equal(got->idle_s, want->idle_s);
    assert_int_equal(got->token, want->token);
    assert_int_equal(got->value_len, want->value_len);
}

static void what_was_put_comes_back_in_order(void **state)
{
    char data[N_OF(records) * LISTED_MAX];
    const size_t len = (size_t)(put_all(data) - data);
    struct listed l;
    size_t pos = 0;

    (void)state;
    for (size_t i = 0; i < N_OF(records); i++) {
        const size_t before = pos;

        assert_true(listing_next(data, len, &pos, &l));
        assert_int_equal(pos - before, LISTED_HEAD + records[i].key_len);
        assert_same(&l, &records[i]);
    }
    assert_false(listing_next(data, len, &pos, &l));
    assert_int_equal(pos, len);
}

static void the_longest_record_fits_what_is_promised(void **state)
{
    char data[LISTED_MAX];

    (void)state;
    assert_ptr_equal(listing_put(data, &records[2]), data + LISTED_MAX);
}

/* In a block of just its size, so that a sanitizer sees who reads on. */
static size_t records_of(const char *data, size_t len)
{
    char *block = malloc(len > 0 ? len : 1);
    size_t pos = 0, n = 0;
    struct listed l;

    assert_non_null(block);
    memcpy(block, data, len);
    while (listing_next(block, len, &pos, &l)) {
        assert_in_range(l.key_len, 1, KEY_MAX);
        assert_true(l.key + l.key_len <= block + len);
        n++;
    }
    assert_true(pos <= len);
    free(block);
    return n;
}

static void of_a_listing_that_is_cut_the_whole_records_are_read(void **state)
{
    char data[N_OF(records) * LISTED_MAX];
    const size_t len = (size_t)(put_all(data) - data);
    size_t ends[N_OF(records)], end = 0;

    (void)state;
    for (size_t i = 0; i < N_OF(records); i++)
        ends[i] = end += LISTED_HEAD + records[i].key_len;
    for (size_t cut = 0; cut <= len; cut++) {
        size_t n = 0;

        while (n < N_OF(records) && ends[n] <= cut)
            n++;
        assert_int_equal(records_of(data, cut), n);
    }
}

/* One record, and behind it one whose key is of that length. */
static void a_key_of_no_length_that_can_be_ends_the_listing(void **state)
{
    static const struct { unsigned key_len; size_t there, n; } cases[] = {
        { 0, 300, 1 },
        { 1, 300, 2 },
        { KEY_MAX, KEY_MAX, 2 },
        { KEY_MAX + 1, 300, 1 },
        { 255, 300, 1 },
        { 2, 1, 1 },
        { KEY_MAX, KEY_MAX - 1, 1 },
        { 1, 0, 1 },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        char data[2 * LISTED_HEAD + 400] = "";
        char *second = listing_put(data, &records[0]);

        second[0] = (char)cases[i].key_len;
        assert_int_equal(records_of(data, (size_t)(second - data) + LISTED_HEAD + cases[i].there),
                         cases[i].n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_comes_back_in_order),
        cmocka_unit_test(the_longest_record_fits_what_is_promised),
        cmocka_unit_test(of_a_listing_that_is_cut_the_whole_records_are_read),
        cmocka_unit_test(a_key_of_no_length_that_can_be_ends_the_listing),
    };

    memset(long_key, 'k', sizeof(long_key));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
