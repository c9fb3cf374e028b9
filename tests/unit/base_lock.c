/*
 * lock: threads that add to one number, and what they do when it is taken.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>

#include "base/lock.h"

#define N_THREADS 4
#define N_ROUNDS 200000

static struct lock lock;
static unsigned sum;            /* under the lock */
static pthread_barrier_t start;

static void *add(void *arg)
{
    (void)arg;
    pthread_barrier_wait(&start);
    for (unsigned i = 0; i < N_ROUNDS; i++) {
        lock_take(&lock);
        sum++;
        lock_give(&lock);
    }
    return NULL;
}

static void *add_once(void *arg)
{
    (void)arg;
    lock_take(&lock);
    sum++;
    lock_give(&lock);
    return NULL;
}

static void one_at_a_time_has_it(void **state)
{
    pthread_t thread[N_THREADS];

    (void)state;
    lock_init(&lock);
    sum = 0;
    assert_int_equal(pthread_barrier_init(&start, NULL, N_THREADS), 0);
    for (unsigned i = 0; i < N_THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, add, NULL), 0);
    for (unsigned i = 0; i < N_THREADS; i++)
        pthread_join(thread[i], NULL);
    pthread_barrier_destroy(&start);
    assert_int_equal(sum, N_THREADS * N_ROUNDS);
}

static void who_waits_long_sleeps_and_gets_it(void **state)
{
    pthread_t thread[N_THREADS];

    (void)state;
    lock_init(&lock);
    sum = 0;
    lock_take(&lock);
    for (unsigned i = 0; i < N_THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, add_once, NULL), 0);
    while (atomic_load(&lock.sleepers) < N_THREADS)
        sched_yield();
    assert_int_equal(sum, 0);
    lock_give(&lock);
    for (unsigned i = 0; i < N_THREADS; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(sum, N_THREADS);
    assert_int_equal(atomic_load(&lock.sleepers), 0);
}

static void a_taken_one_is_not_taken_again(void **state)
{
    (void)state;
    lock_init(&lock);
    assert_true(lock_try(&lock));
    assert_false(lock_try(&lock));
    lock_give(&lock);
    assert_true(lock_try(&lock));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_at_a_time_has_it),
        cmocka_unit_test(who_waits_long_sleeps_and_gets_it),
        cmocka_unit_test(a_taken_one_is_not_taken_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
