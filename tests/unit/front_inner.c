#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "front/inner.h"
#include "front_copies.h"

/* What was told last: "STATUS version flags value", or why not. */
static char told[300];
static unsigned n_told;

static void on_told(void *arg, const struct answer *a, const char *why, bool unknown)
{
    assert_ptr_equal(arg, told);
    n_told++;
    if (a == NULL)
        snprintf(told, sizeof(told), "%s%s", why, unknown ? ", unknown" : "");
    else
        snprintf(told, sizeof(told), "%d %llu %u %.*s", (int)a->status,
                 (unsigned long long)a->version, a->client_flags, (int)a->value_len,
                 a->value != NULL ? a->value : "");
}

static void ask_inside(enum verb verb, const char *key, const char *value)
{
    struct cmd cmd = { .verb = verb, .key = key, .key_len = strlen(key), .client_flags = 3,
                       .ttl_ms = 5000, .value = value, .value_len = strlen(value) };

    n_told = 0;
    inner_ask(stage.worker.front, &cmd, on_told, told);
    stage_run(&stage, 0);
}

static void expect_told(enum status status, const char *rest)
{
    char want[300];

    snprintf(want, sizeof(want), "%d %s", (int)status, rest);
    assert_int_equal(n_told, 1);
    assert_string_equal(told, want);
}

static void a_write_is_told_when_its_copy_has_it(void **state)
{
    int s1 = opened(1), s2 = opened(2);
    const char *key = key_on(1, 2, "k");
    struct copy copy;
    struct frame f;

    (void)state;
    (void)opened(3);
    ask_inside(VERB_SET, key, "hello");
    f = heard(s1);
    assert_int_equal(f.op, FRAME_COMMAND + VERB_SET);
    assert_int_equal(f.flags, FRAME_COPIES);
    assert_int_equal(f.ttl_ms, 5000);
    say(s1, (struct frame){ OPEN(STORED, 77) });
    copy = applied(s2, key);
    assert_int_equal(copy.version, 77);
    assert_memory_equal(copy.value, "hello", 5);
    assert_int_equal(n_told, 0);
    say(s2, (struct frame){ APPLIED_FRAME });
    expect_told(STATUS_STORED, "77 0 ");
    expect_confirm(s1, 1, false);
    assert_int_equal(stage.worker.stats.cmd_set, 1);
    assert_int_equal(stage.worker.pool.bytes_out, 0);
}

static void reads_are_told_with_all_that_clients_see(void **state)
{
    int s1 = opened(1);
    const char *key = key_on(1, 2, "k");

    (void)state;
    (void)opened(2);
    (void)opened(3);
    ask_inside(VERB_GETS, key, "");
    (void)heard(s1);
    say(s1, (struct frame){ ANSWER(HIT), VALUE("x"), .version = 9, .client_flags = 7 });
    expect_told(STATUS_HIT, "9 7 x");
    ask_inside(VERB_GETS, key, "");
    (void)heard(s1);
    say(s1, (struct frame){ ANSWER(NOT_FOUND) });
    expect_told(STATUS_NOT_FOUND, "0 0 ");
    assert_int_equal(stage.worker.stats.get_hits, 1);
    assert_int_equal(stage.worker.stats.get_misses, 1);
}

/* Clients of memcached are told that it is a miss. */
static void a_read_of_a_lost_shard_is_no_miss(void **state)
{
    int s1 = opened(1);

    (void)state;
    ask_inside(VERB_GET, "k", "");
    (void)heard(s1);
    close_far(s1);
    stage_run(&stage, 0);
    assert_int_equal(n_told, 1);
    assert_string_equal(told, "shard s1: connection lost");
    assert_int_equal(stage.worker.stats.shard_misses, 0);
    assert_int_equal(stage.worker.stats.shard_errors, 1);
}

static void what_may_have_been_done_is_unknown(void **state)
{
    int s1 = opened(1);

    (void)state;
    ask_inside(VERB_DELETE, "k", "");
    (void)heard(s1);
    close_far(s1);
    stage_run(&stage, 0);
    assert_string_equal(told, "shard s1: connection lost, unknown");
    ask_inside(VERB_DELETE, "k", "");
    assert_int_equal(n_told, 1);
    assert_string_equal(told, "shard s1: connection lost");
}

/* The map of the loss has to come first. */
static void a_write_waits_for_the_next_owner(void **state)
{
    int s1 = opened(1), s2 = opened(2), s3 = opened(3);
    const char *key = key_on(1, 2, "k");
    struct map *m = copies_map(2, 2);

    (void)state;
    close_far(s1);
    stage_run(&stage, 0);
    ask_inside(VERB_SET, key, "v");
    assert_int_equal(n_told, 0);
    m->members[0].state = MEMBER_EJECTED;
    change_map(m, (int[]){ -1, s2, s3 });
    stage_run(&stage, 20);
    assert_int_equal(heard(s2).op, FRAME_COMMAND + VERB_SET);
    say(s2, (struct frame){ ANSWER(STORED), .version = 4 });
    expect_told(STATUS_STORED, "4 0 ");
}

static void when_the_front_ends_all_are_told(void **state)
{
    int s1 = opened(1), s2 = opened(2);
    const char *key = key_on(1, 2, "k");

    (void)state;
    (void)opened(3);
    ask_inside(VERB_SET, key, "v");
    (void)heard(s1);
    say(s1, (struct frame){ OPEN(STORED, 77) });
    (void)applied(s2, key);
    assert_int_equal(n_told, 0);
    front_worker_fini(&stage.worker);
    assert_int_equal(n_told, 1);
    assert_non_null(strstr(told, ", unknown"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_write_is_told_when_its_copy_has_it, two_copies),
        TEST(reads_are_told_with_all_that_clients_see, two_copies),
        TEST(a_read_of_a_lost_shard_is_no_miss, one_shard),
        TEST(what_may_have_been_done_is_unknown, one_shard),
        TEST(a_write_waits_for_the_next_owner, two_copies),
        TEST(when_the_front_ends_all_are_told, two_copies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
