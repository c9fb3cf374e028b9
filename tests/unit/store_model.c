/*
 * A store beside a dictionary: random commands, every answer compared.
 *
 * STEPS in the environment is how many there are in all, SEED the first seed;
 * a failure says its seed and step.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <assert.h>
#include <signal.h>
#include <stdlib.h>

#include "../fuzz/store_steps.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

#define STEPS_OF_STORE 50000    /* then another one begins, with the next seed */
#define STEPS_DEFAULT 600000
#define N_TESTS 10

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text != NULL && *text != '\0' ? strtoull(text, NULL, 10) : otherwise;
}

static struct steps *running;

/* An assertion of the store's, too, says where it was. */
static void on_abort(int signal_number)
{
    (void)signal_number;
    if (running != NULL)
        steps_tell(running);
}

static void run(const struct steps_config *config)
{
    const uint64_t n_steps = number_of("STEPS", STEPS_DEFAULT) / N_TESTS;
    const uint64_t seed = number_of("SEED", 1);

    for (uint64_t i = 0; i * STEPS_OF_STORE < n_steps; i++) {
        running = steps_new(config, &(struct chances){ .seed = seed + i });
        for (unsigned step = 0; step < STEPS_OF_STORE; step++)
            steps_do(running);
        steps_free(running);
        running = NULL;
    }
}

static void a_store_with_room_is_a_dictionary(void **state)
{
    (void)state;
    run(&(struct steps_config){ 256 * MIB, MIB, true, true, 300, 0, false });
}

static void a_store_of_few_keys_is_a_dictionary(void **state)
{
    (void)state;
    run(&(struct steps_config){ 256 * MIB, MIB, true, true, 8, 0, false });
}

static void a_store_remembers_deletions_for_a_while(void **state)
{
    (void)state;
    run(&(struct steps_config){ 256 * MIB, MIB, true, true, 100, 60000, false });
}

static void a_full_store_remembers_them_too(void **state)
{
    (void)state;
    run(&(struct steps_config){ 2 * MIB, 64 * KIB, true, false, 4000, 60000, false });
}

static void a_full_store_forgets_and_errs_in_nothing_else(void **state)
{
    (void)state;
    run(&(struct steps_config){ 2 * MIB, 64 * KIB, true, false, 4000, 0, false });
}

static void a_tiny_store_forgets_and_errs_in_nothing_else(void **state)
{
    (void)state;
    run(&(struct steps_config){ MIB, 64 * KIB, true, false, 4000, 0, false });
}

static void large_values_in_little_memory_err_in_nothing_else(void **state)
{
    (void)state;
    run(&(struct steps_config){ 4 * MIB, MIB, true, false, 4000, 0, false });
}

static void a_store_that_does_not_evict_refuses_instead(void **state)
{
    (void)state;
    run(&(struct steps_config){ 2 * MIB, 64 * KIB, false, false, 4000, 0, false });
}

static void a_store_that_is_told_all_is_the_same(void **state)
{
    (void)state;
    run(&(struct steps_config){ 256 * MIB, MIB, true, true, 300, 60000, true });
}

static void a_store_that_is_told_all_of_few_keys_is_the_same(void **state)
{
    (void)state;
    run(&(struct steps_config){ 256 * MIB, 64 * KIB, true, true, 4, 60000, true });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_with_room_is_a_dictionary),
        cmocka_unit_test(a_store_of_few_keys_is_a_dictionary),
        cmocka_unit_test(a_store_remembers_deletions_for_a_while),
        cmocka_unit_test(a_full_store_remembers_them_too),
        cmocka_unit_test(a_full_store_forgets_and_errs_in_nothing_else),
        cmocka_unit_test(a_tiny_store_forgets_and_errs_in_nothing_else),
        cmocka_unit_test(large_values_in_little_memory_err_in_nothing_else),
        cmocka_unit_test(a_store_that_does_not_evict_refuses_instead),
        cmocka_unit_test(a_store_that_is_told_all_is_the_same),
        cmocka_unit_test(a_store_that_is_told_all_of_few_keys_is_the_same),
    };

    signal(SIGABRT, on_abort);
    static_assert(sizeof(tests) / sizeof(tests[0]) == N_TESTS, "they share the steps");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
