/* latency: from the turn of parsing to the end of the turn of the answer. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "net/latency.h"

static int64_t now_ns;
static unsigned n_looks;

static int64_t mono_ns(struct world *w)
{
    (void)w;
    n_looks++;
    return now_ns;
}

static const struct world_ops ops = { .mono_ns = mono_ns };
static struct world world = { &ops };

static int begin(void **state)
{
    static struct latency l;

    n_looks = 0;
    *state = &l;
    return latency_init(&l, &world) ? 0 : -1;
}

static int end(void **state)
{
    latency_fini(*state);
    return 0;
}

/* Exactly: they are below 64. */
static void expect(const struct latency *l, enum latency_class class, uint64_t ns, uint64_t n)
{
    assert_int_equal(l->took[class].n[ns], n);
}

static void what_is_answered_at_once_took_its_turn(void **state)
{
    struct latency *l = *state;

    latency_end(l, LATENCY_GET, 1000, 1);
    latency_end(l, LATENCY_GET, 1000, 15);
    latency_end(l, LATENCY_SET, 1000, 1);
    now_ns = 1025;
    latency_turn_end(l);
    expect(l, LATENCY_GET, 25, 16);
    expect(l, LATENCY_SET, 25, 1);
    assert_int_equal(l->took[LATENCY_GET].sum, 16 * 25);
    assert_int_equal(n_looks, 1);
}

static void a_turn_without_answers_reads_no_clock(void **state)
{
    struct latency *l = *state;

    latency_turn_end(l);
    latency_end(l, LATENCY_GET, 1000, 1);
    now_ns = 1010;
    latency_turn_end(l);
    latency_turn_end(l);
    assert_int_equal(n_looks, 1);
    assert_int_equal(histogram_n(&l->took[LATENCY_GET]), 1);
}

static void those_that_began_apart_are_told_apart(void **state)
{
    struct latency *l = *state;

    now_ns = 1040;
    latency_end(l, LATENCY_GET, 1000, 2);
    latency_end(l, LATENCY_GET, 1020, 3);
    latency_end(l, LATENCY_GET, 1000, 1);
    latency_turn_end(l);
    expect(l, LATENCY_GET, 40, 3);
    expect(l, LATENCY_GET, 20, 3);
}

static void every_command_of_a_key_has_its_class(void **state)
{
    static const struct { enum verb verb; enum latency_class class, many; } cases[] = {
        { VERB_GET, LATENCY_GET, LATENCY_MULTIGET }, { VERB_GETS, LATENCY_GET, LATENCY_MULTIGET },
        { VERB_GAT, LATENCY_TOUCH, LATENCY_TOUCH }, { VERB_GATS, LATENCY_TOUCH, LATENCY_TOUCH },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(latency_of(cases[i].verb), cases[i].class);
        assert_int_equal(latency_of_many(cases[i].verb), cases[i].many);
    }
    for (enum verb v = VERB_SET; v <= VERB_CAS; v++)
        assert_int_equal(latency_of(v), LATENCY_SET);
    assert_int_equal(latency_of(VERB_DELETE), LATENCY_DELETE);
    assert_int_equal(latency_of(VERB_INCR), LATENCY_INCR);
    assert_int_equal(latency_of(VERB_DECR), LATENCY_INCR);
    assert_int_equal(latency_of(VERB_TOUCH), LATENCY_TOUCH);
    assert_string_equal(latency_word(LATENCY_MULTIGET), "multiget");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_answered_at_once_took_its_turn, begin, end),
        cmocka_unit_test_setup_teardown(a_turn_without_answers_reads_no_clock, begin, end),
        cmocka_unit_test_setup_teardown(those_that_began_apart_are_told_apart, begin, end),
        cmocka_unit_test_setup_teardown(every_command_of_a_key_has_its_class, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
