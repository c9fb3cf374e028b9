#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/chunk.h"
#include "store_help.h"

#define LARGE 20000

/* A reader that borrows, as a front does. */
struct borrower {
    struct chunk_pool *pool;
    struct chunk *loan;
    const char *value;
    size_t len;
};

static void borrow(void *arg, const struct answer *a)
{
    struct borrower *b = arg;

    b->loan = store_lend(a, b->pool);
    b->value = a->value;
    b->len = a->value_len;
}

static enum status run(struct store *s, const struct cmd *cmd, struct borrower *b)
{
    const struct store_reader reader = { .hit = borrow, .arg = b };
    struct answer a;

    store_execute(s, cmd, store_hash(s, cmd->key, cmd->key_len), START_MS, &a,
                  &reader);
    return a.status;
}

static void put(struct store *s, char fill, size_t len)
{
    char *value = malloc(len);
    struct cmd set = { .verb = VERB_SET, .key = "k", .key_len = 1, .value = value,
                       .value_len = len };

    assert_non_null(value);
    memset(value, fill, len);
    assert_int_equal(run(s, &set, NULL), STATUS_STORED);
    free(value);
}

static const struct cmd get = { .verb = VERB_GET, .key = "k", .key_len = 1 };

static void expect_bytes(const struct borrower *b, char fill)
{
    assert_int_equal(b->len, LARGE);
    for (size_t i = 0; i < b->len; i++)
        assert_int_equal(b->value[i], fill);
}

/* Whatever becomes of the item, a borrowed value stays as it was read. */
static void a_lent_value_outlives_its_item(void **state)
{
    static const struct cmd ends[] = {
        { .verb = VERB_DELETE, .key = "k", .key_len = 1 },
        { .verb = VERB_TOUCH, .key = "k", .key_len = 1, .ttl_ms = TTL_OVER },
        { .verb = VERB_SET, .key = "k", .key_len = 1, .value = "", .value_len = 0 },
        { .verb = VERB_APPEND, .key = "k", .key_len = 1, .value = "x", .value_len = 1 },
    };

    (void)state;
    for (size_t i = 0; i <= sizeof(ends) / sizeof(ends[0]); i++) {
        struct store *s = help_store(64 * MIB);
        struct chunk_pool pool;
        struct borrower b = { .pool = &pool };

        chunk_pool_init(&pool);
        put(s, 'a', LARGE);
        assert_int_equal(run(s, &get, &b), STATUS_HIT);
        assert_non_null(b.loan);
        if (i < sizeof(ends) / sizeof(ends[0]))
            run(s, &ends[i], NULL);
        else
            put(s, 'b', LARGE);         /* the same cost: not in place this time */
        expect_bytes(&b, 'a');
        chunk_unref(b.loan);
        chunk_pool_fini(&pool);
        store_free(s);
    }
}

static void a_small_value_is_not_lent(void **state)
{
    struct store *s = help_store(64 * MIB);
    struct chunk_pool pool;
    struct borrower b = { .pool = &pool };

    (void)state;
    chunk_pool_init(&pool);
    put(s, 'a', 100);
    assert_int_equal(run(s, &get, &b), STATUS_HIT);
    assert_null(b.loan);
    chunk_pool_fini(&pool);
    store_free(s);
}

/* A client that reads none of them keeps no more than a half of the memory. */
static void loans_of_many_values_are_bounded(void **state)
{
    enum { N = 600 };
    struct store *s = help_store(8 * MIB);
    struct chunk_pool pool;
    struct chunk *loans[N] = { NULL };
    unsigned n_lent = 0, n_stored = 0;
    static char value[LARGE];
    char key[32];

    (void)state;
    memset(value, 'a', sizeof(value) - 1);
    chunk_pool_init(&pool);
    for (unsigned i = 0; i < N; i++) {
        struct borrower b = { .pool = &pool };
        const struct cmd set = { .verb = VERB_SET, .key = help_key(key, i), .key_len = 12,
                                 .value = value, .value_len = sizeof(value) };
        const struct cmd again = { .verb = VERB_GET, .key = key, .key_len = 12 };

        n_stored += run(s, &set, NULL) == STATUS_STORED;
        assert_int_equal(run(s, &again, &b), STATUS_HIT);
        loans[i] = b.loan;
        n_lent += b.loan != NULL;
    }
    assert_int_equal(n_stored, N);
    assert_in_range(n_lent, 100, 8 * MIB / 2 / LARGE);
    for (unsigned i = 0; i < N; i++)
        chunk_unref(loans[i]);
    chunk_pool_fini(&pool);
    store_free(s);
}

static void loans_of_one_value_are_bounded_and_come_back(void **state)
{
    struct store *s = help_store(64 * MIB);
    struct chunk_pool pool;
    struct chunk *loans[100] = { NULL };
    size_t n = 0;

    (void)state;
    chunk_pool_init(&pool);
    put(s, 'a', LARGE);
    for (; n < 100; n++) {
        struct borrower b = { .pool = &pool };

        assert_int_equal(run(s, &get, &b), STATUS_HIT);
        if (b.loan == NULL)
            break;
        loans[n] = b.loan;
        assert_int_equal(pool.bytes_out, (n + 1) * LARGE);
    }
    assert_in_range(n, 1, 99);
    put(s, 'b', LARGE);
    while (n > 0)
        chunk_unref(loans[--n]);
    chunk_pool_fini(&pool);
    store_free(s);
}

/* Memory that is lent comes to nobody, whoever else were to go for it. */
static void no_item_goes_in_vain_for_memory_that_is_lent(void **state)
{
    struct store_config config = help_config(4 * MIB);
    struct store *s;
    struct borrower b[2];
    struct chunk_pool pool;
    struct cmd set = { .verb = VERB_SET, .key = "k", .key_len = 1, .value_len = 1000000 };
    struct cmd more = { .verb = VERB_SET, .key = "m", .key_len = 1, .value_len = 2400000 };
    char *value = calloc(1, more.value_len), key[32];

    (void)state;
    config.max_item_bytes = 3 * MIB;
    s = store_new(&config);
    assert_non_null(s);
    assert_non_null(value);
    set.value = more.value = value;
    chunk_pool_init(&pool);
    for (unsigned i = 0; i < 100; i++)
        SET(s, 0, help_key(key, i), "v");
    for (size_t i = 0; i < 2; i++) {
        b[i] = (struct borrower){ .pool = &pool };
        assert_int_equal(run(s, &set, NULL), STATUS_STORED);
        assert_int_equal(run(s, &get, &b[i]), STATUS_HIT);
        assert_non_null(b[i].loan);
        RUN(s, 0, NULL, VERB_DELETE, .key = "k");
    }
    assert_int_equal(run(s, &more, NULL), STATUS_NO_MEMORY);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(GET(s, 0, help_key(key, i)), STATUS_HIT);
    chunk_unref(b[0].loan);
    assert_int_equal(run(s, &more, NULL), STATUS_STORED);
    chunk_unref(b[1].loan);
    chunk_pool_fini(&pool);
    store_free(s);
    free(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lent_value_outlives_its_item),
        cmocka_unit_test(a_small_value_is_not_lent),
        cmocka_unit_test(loans_of_many_values_are_bounded),
        cmocka_unit_test(loans_of_one_value_are_bounded_and_come_back),
        cmocka_unit_test(no_item_goes_in_vain_for_memory_that_is_lent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
