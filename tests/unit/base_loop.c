#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/world_loop.h"

#define TURNS_MAX 1000

/* libevent's memory: none while `short_of_memory`. */
static bool short_of_memory;
static unsigned n_refused;

static void *get(size_t size)
{
    if (short_of_memory)
        n_refused++;
    return short_of_memory ? NULL : malloc(size);
}

static void *resize(void *block, size_t size)
{
    if (short_of_memory)
        n_refused++;
    return short_of_memory ? NULL : realloc(block, size);
}

/* A loop, and two sockets of which each has something to read. */
struct bench {
    struct loop *loop;
    int fds[2];
    unsigned n_reads, n_writes, n_rings;
};

static int set_up(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));

    assert_non_null(b);
    short_of_memory = false;
    n_refused = 0;
    b->loop = world_loop_new(NULL, false);
    assert_non_null(b->loop);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, b->fds), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(write(b->fds[i], "x", 1), 1);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;

    world_loop_free(b->loop);
    close(b->fds[0]);
    close(b->fds[1]);
    free(b);
    return 0;
}

static void on_ready(void *arg, int what)
{
    struct bench *b = arg;

    b->n_reads += (what & WATCH_READ) != 0;
    b->n_writes += (what & WATCH_WRITE) != 0;
}

static void on_ring(void *arg)
{
    struct bench *b = arg;

    b->n_rings++;
}

static void turn(struct bench *b, unsigned times)
{
    while (times-- > 0)
        world_loop_turn(b->loop, true);
}

static void a_watch_that_could_not_be_set_is_set_later(void **state)
{
    struct bench *b = *state;
    struct watch *first = world_watch_new(b->loop, b->fds[0], on_ready, b);
    struct watch *second = world_watch_new(b->loop, b->fds[1], on_ready, b);

    short_of_memory = true;
    world_watch_set(first, WATCH_READ | WATCH_WRITE);
    world_watch_set(second, WATCH_READ);
    assert_true(n_refused > 0);
    turn(b, 3);
    assert_int_equal(b->n_reads + b->n_writes, 0);
    short_of_memory = false;
    turn(b, 1);
    assert_int_equal(b->n_reads, 2);
    assert_int_equal(b->n_writes, 1);
    turn(b, 1);
    assert_int_equal(b->n_reads, 4);
    world_watch_free(first);
    world_watch_free(second);
}

static void a_timer_that_could_not_be_set_is_set_later(void **state)
{
    struct bench *b = *state;
    struct timer *t = world_timer_new(b->loop, on_ring, b);

    short_of_memory = true;
    world_timer_set(t, 0);
    assert_true(n_refused > 0);
    turn(b, 3);
    assert_int_equal(b->n_rings, 0);
    short_of_memory = false;
    for (unsigned i = 0; b->n_rings == 0; i++) {
        turn(b, 1);
        assert_true(i < TURNS_MAX);
    }
    turn(b, 3);
    assert_int_equal(b->n_rings, 1);
    world_timer_free(t);
}

/* A turn that would wait for ever must not, while something is owed. */
static void a_loop_that_owes_does_not_wait(void **state)
{
    struct bench *b = *state;
    struct watch *w = world_watch_new(b->loop, b->fds[0], on_ready, b);

    short_of_memory = true;
    world_watch_set(w, WATCH_READ);
    world_loop_turn(b->loop, false);
    short_of_memory = false;
    world_loop_turn(b->loop, false);
    assert_int_equal(b->n_reads, 1);
    world_watch_free(w);
}

/* ... as the first, one in the middle and the last of what is owed. */
static void what_is_no_longer_wanted_is_not_set_later(void **state)
{
    struct bench *b = *state;
    struct watch *first = world_watch_new(b->loop, b->fds[0], on_ready, b);
    struct watch *second = world_watch_new(b->loop, b->fds[1], on_ready, b);
    struct timer *stopped = world_timer_new(b->loop, on_ring, b);
    struct timer *gone = world_timer_new(b->loop, on_ring, b);

    short_of_memory = true;
    world_watch_set(first, WATCH_READ);
    world_timer_set(stopped, 0);
    world_timer_set(gone, 0);
    world_watch_set(second, WATCH_READ);
    world_timer_set(stopped, -1);
    world_watch_set(second, 0);
    world_timer_free(gone);
    world_watch_free(first);
    short_of_memory = false;
    turn(b, 3);
    assert_int_equal(b->n_reads, 0);
    assert_int_equal(b->n_rings, 0);
    world_watch_set(second, WATCH_READ);
    turn(b, 1);
    assert_int_equal(b->n_reads, 1);
    world_watch_free(second);
    world_timer_free(stopped);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_watch_that_could_not_be_set_is_set_later),
        TEST(a_timer_that_could_not_be_set_is_set_later),
        TEST(a_loop_that_owes_does_not_wait),
        TEST(what_is_no_longer_wanted_is_not_set_later),
    };

    event_set_mem_functions(get, resize, free);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
