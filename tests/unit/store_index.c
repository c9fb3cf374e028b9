#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "store/index.h"

#define MIB ((size_t)1 << 20)

/* What should be in an index: place i has hash[i], where it is there. */
struct truth {
    struct index x;
    uint32_t n;
    uint32_t *hash;
    unsigned char *there;
    uint32_t chance;
};

static uint32_t draw(struct truth *t)
{
    t->chance ^= t->chance << 13;
    t->chance ^= t->chance >> 17;
    t->chance ^= t->chance << 5;
    return t->chance;
}

/* Hashes are all over, or many are the same, or close. */
static struct truth *new_truth(uint32_t n, uint32_t mask)
{
    struct truth *t = calloc(1, sizeof(*t));

    assert_non_null(t);
    t->n = n;
    t->chance = 12345;
    t->hash = calloc(n, sizeof(*t->hash));
    t->there = calloc(n, 1);
    assert_non_null(t->hash);
    assert_non_null(t->there);
    for (uint32_t i = 1; i < n; i++)
        t->hash[i] = draw(t) & mask;
    assert_true(index_init(&t->x, 64 * MIB));
    return t;
}

static void free_truth(struct truth *t)
{
    index_fini(&t->x);
    free(t->hash);
    free(t->there);
    free(t);
}

static bool is_found(struct truth *t, uint32_t where)
{
    struct place at;
    uint32_t found = index_first(&t->x, t->hash[where], &at);

    while (found != INDEX_NOWHERE && found != where)
        found = index_next(&t->x, t->hash[where], &at);
    return found == where;
}

static void check_all(struct truth *t)
{
    size_t n = 0;

    for (uint32_t i = 1; i < t->n; i++) {
        n += t->there[i];
        if (is_found(t, i) != (t->there[i] != 0))
            fail_msg("place %u of %u, hash %x", i, t->n, t->hash[i]);
    }
    assert_int_equal(t->x.n_items, n);
}

static void tend(struct truth *t)
{
    if (index_wants_bytes(&t->x) > 0)
        index_grow(&t->x);
    index_step(&t->x, 12);
}

static void put(struct truth *t, uint32_t i)
{
    assert_true(index_insert(&t->x, t->hash[i], i));
    t->there[i] = 1;
    tend(t);
}

static void drop(struct truth *t, uint32_t i)
{
    index_remove(&t->x, t->hash[i], i);
    t->there[i] = 0;
}

static void it_holds_what_was_put_in_through_all_growth(void **state)
{
    struct truth *t = new_truth(60000, UINT32_MAX);
    const size_t before = index_bytes(&t->x);

    (void)state;
    for (uint32_t i = 1; i < t->n; i++) {
        put(t, i);
        if (i % 7919 == 0)
            check_all(t);
    }
    check_all(t);
    assert_true(index_bytes(&t->x) > 10 * before);
    /* eight bytes an item, and little that is empty */
    assert_true(index_bytes(&t->x) < (size_t)t->n * 10 + 8192);
    free_truth(t);
}

static void removals_at_random_leave_the_others(void **state)
{
    static const uint32_t masks[] = { UINT32_MAX, 0xff000000, 0x0000ffff };

    (void)state;
    for (size_t m = 0; m < sizeof(masks) / sizeof(masks[0]); m++) {
        /* not more of one hash than can lie near each other */
        struct truth *t = new_truth(m == 0 ? 20000 : 300, masks[m]);

        for (unsigned step = 0; step < 60000; step++) {
            const uint32_t i = 1 + draw(t) % (t->n - 1);

            if (t->there[i])
                drop(t, i);
            else
                put(t, i);
            if (step % 4999 == 0)
                check_all(t);
        }
        check_all(t);
        free_truth(t);
    }
}

static void it_shrinks_when_much_of_it_is_empty(void **state)
{
    struct truth *t = new_truth(60000, UINT32_MAX);
    size_t most;

    (void)state;
    for (uint32_t i = 1; i < t->n; i++)
        put(t, i);
    most = index_bytes(&t->x);
    for (uint32_t i = 1; i < t->n - 3000; i++) {
        drop(t, i);
        index_shrink(&t->x);
        index_step(&t->x, 5);
        if (i % 4999 == 0)
            check_all(t);
    }
    for (int i = 0; i < 10; i++) {
        index_shrink(&t->x);
        index_step(&t->x, UINT32_MAX);
        check_all(t);
    }
    assert_true(index_bytes(&t->x) < most / 10);
    for (uint32_t i = 1; i < t->n - 3000; i++)
        put(t, i);
    check_all(t);
    free_truth(t);
}

/* At any time of it: at once, on the way, and near its end. */
static void it_grows_back_when_more_comes_while_it_shrinks(void **state)
{
    const uint32_t n = 60000, n_steps[] = { 0, 1, 500, 5000, 8000, 8700 };

    (void)state;
    for (size_t s = 0; s < sizeof(n_steps) / sizeof(n_steps[0]); s++) {
        struct truth *t = new_truth(2 * n, UINT32_MAX);

        for (uint32_t i = 1; i < n; i++)
            put(t, i);
        index_step(&t->x, UINT32_MAX);
        for (uint32_t i = 1; i < n; i++)
            drop(t, i);
        index_shrink(&t->x);
        index_step(&t->x, n_steps[s]);
        for (uint32_t i = n; i < 2 * n; i++) {
            put(t, i);
            if (i % 7919 == 0)
                check_all(t);
        }
        check_all(t);
        free_truth(t);
    }
}

static void an_item_moves_without_its_neighbours(void **state)
{
    struct truth *t = new_truth(2000, 0xfff00000);

    (void)state;
    for (uint32_t i = 1; i < 1000; i++)
        put(t, i);
    for (uint32_t i = 1; i < 1000; i++) {
        t->hash[i + 1000] = t->hash[i];
        index_move(&t->x, t->hash[i], i, i + 1000);
        t->there[i] = 0;
        t->there[i + 1000] = 1;
    }
    check_all(t);
    free_truth(t);
}

struct walk { struct truth *t; unsigned char *seen; uint32_t from; };

static void visit(void *arg, uint32_t hash, uint32_t where)
{
    struct walk *w = arg;

    assert_int_equal(hash, w->t->hash[where]);
    assert_true(hash >= w->from);
    w->seen[where]++;
}

/* What is there all the while is seen once, whatever else happens. */
static void a_walk_sees_each_once_while_others_come_and_go(void **state)
{
    struct truth *t = new_truth(20000, UINT32_MAX);
    struct walk w = { t, calloc(t->n, 1), 0 };

    (void)state;
    assert_non_null(w.seen);
    for (uint32_t i = 1; i < 3000; i++)
        put(t, i);
    for (uint32_t step = 0, next = 3000; ; step++) {
        w.from = index_walk(&t->x, w.from, visit, &w);
        if (w.from == 0)
            break;
        for (int i = 0; i < 20 && step % 2 == 0 && next < t->n; i++)
            put(t, next++);
        if (step % 3 == 0 && next == t->n) {
            for (uint32_t i = 3000; i < 19000; i++)
                drop(t, i);
            next++;
        }
        if (next > t->n)
            index_shrink(&t->x);
        index_step(&t->x, 7);
    }
    for (uint32_t i = 1; i < 3000; i++)
        assert_int_equal(w.seen[i], 1);
    for (uint32_t i = 3000; i < t->n; i++)
        assert_true(w.seen[i] <= 1);
    free(w.seen);
    free_truth(t);
}

/* Whether they are of one hash or of many. */
static void what_may_not_grow_refuses_more_and_loses_nothing(void **state)
{
    static const uint32_t masks[] = { 0, UINT32_MAX };

    (void)state;
    for (size_t m = 0; m < 2; m++) {
        struct truth *t = new_truth(2000, masks[m]);
        uint32_t n = 1;

        while (n < t->n && index_insert(&t->x, t->hash[n], n))
            t->there[n++] = 1;
        assert_in_range(n, 400, 600);
        check_all(t);
        while (n > 1)
            drop(t, --n);
        check_all(t);
        free_truth(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_holds_what_was_put_in_through_all_growth),
        cmocka_unit_test(removals_at_random_leave_the_others),
        cmocka_unit_test(it_shrinks_when_much_of_it_is_empty),
        cmocka_unit_test(it_grows_back_when_more_comes_while_it_shrinks),
        cmocka_unit_test(an_item_moves_without_its_neighbours),
        cmocka_unit_test(a_walk_sees_each_once_while_others_come_and_go),
        cmocka_unit_test(what_may_not_grow_refuses_more_and_loses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
