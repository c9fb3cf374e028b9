#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cluster/confirms.h"

static void expect(struct confirms *c, uint64_t n, bool given_up)
{
    bool found = !given_up;

    assert_int_equal(confirms_take(c, &found), n);
    if (n > 0)
        assert_int_equal(found, given_up);
}

static void the_oldest_are_said_first(void **state)
{
    struct confirms c = { 0 };
    uint64_t first = confirms_add(&c), second = confirms_add(&c), third = confirms_add(&c);

    (void)state;
    assert_false(confirms_settle(&c, second, false));
    expect(&c, 0, false);
    assert_true(confirms_settle(&c, first, false));
    expect(&c, 2, false);
    expect(&c, 0, false);
    assert_true(confirms_settle(&c, third, false));
    expect(&c, 1, false);
    confirms_fini(&c);
}

static void what_is_given_up_is_said_apart(void **state)
{
    static const bool given_up[] = { false, false, true, false, true, true };
    struct confirms c = { 0 };

    (void)state;
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(confirms_add(&c), i + 1);
    for (unsigned i = 6; i > 0; i--)
        assert_int_equal(confirms_settle(&c, i, given_up[i - 1]), i == 1);
    expect(&c, 2, false);
    expect(&c, 1, true);
    expect(&c, 1, false);
    expect(&c, 2, true);
    expect(&c, 0, false);
    confirms_fini(&c);
}

static void what_was_forgotten_is_said_no_more(void **state)
{
    struct confirms c = { 0 };
    uint64_t old = confirms_add(&c), fresh;

    (void)state;
    confirms_forget(&c);
    fresh = confirms_add(&c);
    assert_false(confirms_settle(&c, old, false));
    assert_false(confirms_settle(&c, fresh + 1, false));
    expect(&c, 0, false);
    assert_true(confirms_settle(&c, fresh, false));
    expect(&c, 1, false);
    confirms_fini(&c);
}

static void it_grows_and_goes_round(void **state)
{
    struct confirms c = { 0 };
    uint64_t settled = 0, added = 0, before;

    (void)state;
    for (unsigned round = 1; round < 200; round++) {
        for (unsigned i = 0; i < round; i++)
            assert_int_equal(confirms_add(&c), ++added);
        for (before = settled; settled < added - round / 2;)
            (void)confirms_settle(&c, ++settled, false);
        expect(&c, settled - before, false);
    }
    confirms_fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_are_said_first),
        cmocka_unit_test(what_is_given_up_is_said_apart),
        cmocka_unit_test(what_was_forgotten_is_said_no_more),
        cmocka_unit_test(it_grows_and_goes_round),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
