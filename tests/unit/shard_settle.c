/* What an owner that is gone may have left on some of its copies. */
#include "shard_help.h"

#include "store/version.h"

/* Of s2, given that long ago. */
static uint64_t version_of_s2(int64_t ago_ms)
{
    const uint64_t now = store_clock(stage.shard.store, fake_now_ms(stage.world));

    return (((now >> (VERSION_NUMBER_BITS + VERSION_COUNTER_BITS)) - (uint64_t)ago_ms)
            << (VERSION_NUMBER_BITS + VERSION_COUNTER_BITS)) | 2;
}

static uint64_t apply(int peer, const char *key, int64_t ago_ms)
{
    const struct copy copy = {
        .kind = COPY_VALUE, .any_age = true, .key = key, .key_len = strlen(key),
        .version = version_of_s2(ago_ms), .value = "v", .value_len = 1,
    };
    struct frame f;

    frame_from_copy(&f, FRAME_APPLY, &copy);
    assert_int_equal(ask(peer, f).st, APPLIED);
    return copy.version;
}

static void eject_s2(uint64_t epoch)
{
    map->epoch = epoch;
    map->members[1].state = MEMBER_EJECTED;
    go_by_map();
}

static void a_new_owner_gives_the_rest_what_the_old_one_wrote_last(void **state)
{
    int peer = open_peer(), s3 = opened(3);
    const char *key = key_at(1, 0, 0), *old = key_at(1, 0, 1), *others = key_at(1, 2, 0);
    uint64_t version = apply(peer, key, 100);

    (void)state;
    apply(peer, old, 10000);
    apply(peer, others, 100);
    assert_false(is_open(peer, key));
    eject_s2(2);
    assert_int_equal(view_owner(keeper->view, ring_hash(key, strlen(key))), 0);
    tell_map(peer);
    assert_true(is_open(peer, key));
    assert_false(is_open(peer, old));
    know_map(s3);
    stage_run(&stage, 100);
    expect_copy(s3, key, "v", version);
    stage_run(&stage, 100);
    while (!is_silent(s3))
        fail_msg("more than was to be sent");
    assert_false(is_open(peer, key));
    assert_false(is_open(peer, others));
}

static void what_was_long_ago_is_known_from_when_it_was_last_heard(void **state)
{
    int peer = open_peer(), s2 = opened(2);
    const char *key = key_at(1, 0, 0);

    (void)state;
    apply(peer, key, 100);
    stage_run(&stage, 300);
    fake_shut(stage.world, s2);
    fake_unlisten(stage.world, "shard:2");
    stage_run(&stage, 20000);           /* nobody was there to eject it */
    eject_s2(2);
    tell_map(peer);
    assert_true(is_open(peer, key));
}

static void two_copies_leave_nobody_to_be_told(void **state)
{
    int peer = open_peer();
    const char *key = key_at(1, 0, 0);

    (void)state;
    apply(peer, key, 100);
    eject_s2(2);
    tell_map(peer);
    assert_false(is_open(peer, key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_owner_gives_the_rest_what_the_old_one_wrote_last,
                                        set_up_three_copies, tear_down),
        cmocka_unit_test_setup_teardown(what_was_long_ago_is_known_from_when_it_was_last_heard,
                                        set_up_three_copies, tear_down),
        COPIES(two_copies_leave_nobody_to_be_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
