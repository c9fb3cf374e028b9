/* What a shard executes, under which map and lease, and what it refuses. */
#include "shard_help.h"

static const struct frame get = { COMMAND(GET), KEY("k") };

static void expect_refusal(struct frame f, enum refusal why)
{
    assert_int_equal(f.op, FRAME_REFUSED);
    assert_int_equal(f.st, why);
}

static struct frame get_of(const char *key, unsigned flags)
{
    return (struct frame){ COMMAND(GET), .key = key, .key_len = (uint16_t)strlen(key),
                           .flags = flags };
}

/* epochs */

static int set_up_two_workers(void **state)
{
    (void)state;
    stage_init(&stage, &stage_shard_handler);
    stage.n_silent = 1;
    stage_add_shard(&stage);
    map = stage_map(1, 2);
    return 0;
}

static void nothing_is_executed_before_all_workers_go_by_the_map(void **state)
{
    int peer = open_peer();
    struct frame f;

    (void)state;
    stage_send_frame(&stage, peer, &get);
    stage_run(&stage, 50);
    assert_false(stage_take_frame(&stage, peer, &f));
    assert_false(fake_is_watched(stage.world, peer, WATCH_READ));
    cluster_note(stage.cluster, 1);
    stage_run(&stage, 1);
    assert_true(stage_take_frame(&stage, peer, &f));
    assert_int_equal(f.op, FRAME_ANSWER);

    map->epoch = 2;
    stage_send_frame(&stage, peer, &get);
    stage_send_map(&stage, peer, FRAME_MAP, map);
    stage_send_frame(&stage, peer, &get);
    stage_run(&stage, 0);
    assert_true(stage_take_frame(&stage, peer, &f) && f.op == FRAME_ANSWER);
    assert_true(stage_take_frame(&stage, peer, &f) && f.op == FRAME_DONE);
    assert_false(stage_take_frame(&stage, peer, &f));
    cluster_note(stage.cluster, 1);
    stage_run(&stage, 1);
    assert_true(stage_take_frame(&stage, peer, &f) && f.op == FRAME_ANSWER);
}

static void a_map_that_some_worker_does_not_go_by_is_not_waited_for_long(void **state)
{
    int peer = open_peer();
    struct frame f;

    (void)state;
    stage_send_frame(&stage, peer, &get);
    stage_run(&stage, 110);
    assert_true(stage_take_frame(&stage, peer, &f));
    expect_refusal(f, REFUSED_NOT_READY);
    cluster_note(stage.cluster, 1);
    expect_refusal(ask(peer, get), REFUSED_AGAIN);      /* it has not said that it knows */
    assert_int_equal(tell_map(peer).op, FRAME_DONE);
    assert_int_equal(ask(peer, get).op, FRAME_ANSWER);
}

static void a_newer_map_in_band_is_gone_by_at_once(void **state)
{
    int peer = open_peer(), old = open_peer();
    struct frame f;

    (void)state;
    map->epoch = 2;
    stage_send_frame(&stage, peer, &get);
    stage_send_map(&stage, peer, FRAME_MAP, map);
    stage_send_frame(&stage, peer, &get);
    stage_run(&stage, 0);
    assert_true(stage_take_frame(&stage, peer, &f) && f.op == FRAME_ANSWER);
    assert_true(stage_take_frame(&stage, peer, &f) && f.op == FRAME_DONE);
    assert_int_equal(f.version, 2);
    assert_int_equal(f.value_len, 0);
    assert_true(stage_take_frame(&stage, peer, &f) && f.op == FRAME_ANSWER);
    assert_int_equal(cluster_adopted(stage.cluster), 2);
    f = ask(old, get);
    expect_refusal(f, REFUSED_EPOCH);
    assert_int_equal(f.value_len, map_len(map));
}

static void what_follows_an_older_map_is_refused_though_the_newer_is_told(void **state)
{
    int peer = open_peer();
    struct map *newer = stage_map(7, 2);
    struct frame f;

    (void)state;
    cluster_adopt(stage.cluster, newer);
    map->epoch = 6;
    stage_send_map(&stage, peer, FRAME_MAP, map);
    stage_send_frame(&stage, peer, &get);
    stage_run(&stage, 0);
    assert_true(stage_take_frame(&stage, peer, &f) && f.op == FRAME_DONE);
    assert_int_equal(f.version, 7);
    assert_true(f.value_len > 0);
    assert_true(stage_take_frame(&stage, peer, &f));
    expect_refusal(f, REFUSED_EPOCH);
}

/* Who sends it does not know whom the newer map has. */
static void a_flush_by_an_older_map_is_refused(void **state)
{
    const struct frame flush = { .op = FRAME_FLUSH, .st = FLUSH_NOW, .version = 1000 };
    int old = open_peer(), peer = open_peer();

    (void)state;
    assert_int_equal(ask(old, flush).op, FRAME_DONE);
    map->epoch = 2;
    assert_int_equal(tell_map(peer).op, FRAME_DONE);
    expect_refusal(ask(old, flush), REFUSED_EPOCH);
    assert_int_equal(ask(peer, flush).op, FRAME_DONE);
}

static void all_behind_a_refusal_is_refused_until_a_map(void **state)
{
    int peer = open_peer();
    struct frame f;

    (void)state;
    map->epoch = 2;
    cluster_adopt(stage.cluster, map_copy(map, 0));
    for (int i = 0; i < 3; i++)
        stage_send_frame(&stage, peer, &(struct frame){ COMMAND(SET), KEY("k"), VALUE("v") });
    stage_send_map(&stage, peer, FRAME_MAP, map);
    stage_send_frame(&stage, peer, &get);
    stage_run(&stage, 0);
    for (int i = 0; i < 3; i++) {
        assert_true(stage_take_frame(&stage, peer, &f));
        expect_refusal(f, i == 0 ? REFUSED_EPOCH : REFUSED_AGAIN);
    }
    assert_true(stage_take_frame(&stage, peer, &f) && f.op == FRAME_DONE);
    assert_true(stage_take_frame(&stage, peer, &f) && f.op == FRAME_ANSWER);
    assert_int_equal(f.st, STATUS_NOT_FOUND);
}

/* who is who */

static void who_is_not_the_member_of_the_map_executes_nothing(void **state)
{
    int peer;

    (void)state;
    cluster_set_incarnation(stage.cluster, 5);
    map->members[0].incarnation = 5;
    peer = open_peer();
    assert_int_equal(ask(peer, get).op, FRAME_ANSWER);
    map->epoch = 2;
    map->members[0].incarnation = 6;
    tell_map(peer);
    expect_refusal(ask(peer, get), REFUSED_NOT_READY);
    map->epoch = 3;
    map->members[0].incarnation = 5;
    map->members[0].state = MEMBER_EJECTED;
    tell_map(peer);
    expect_refusal(ask(peer, get), REFUSED_NOT_READY);
}

static void a_shard_of_another_life_is_not_listened_to(void **state)
{
    (void)state;
    map->members[1].incarnation = 8;
    expect_refusal(ask(open_peer_of("s2", 9), get), REFUSED_NOT_READY);
    expect_refusal(ask(open_peer_of("s3", 8), get), REFUSED_NOT_READY);
    assert_int_equal(ask(open_peer_of("s2", 8), get).op, FRAME_ANSWER);
}

static void a_shard_that_was_taken_out_follows_the_map_and_executes_nothing(void **state)
{
    int peer = open_peer();

    (void)state;
    map->epoch = 2;
    map->members[0].name[1] = '0';
    assert_int_equal(tell_map(peer).op, FRAME_DONE);
    expect_refusal(ask(peer, get), REFUSED_NOT_READY);
    assert_int_equal(cluster_epoch(stage.cluster), 2);
}

/* leases */

/* From here on one is needed: somebody else leads. */
static int open_leased(int64_t lease_ms)
{
    snprintf(map->leader, sizeof(map->leader), "boss");
    cluster_adopt(stage.cluster, map_copy(map, 0));
    cluster_set_lease(stage.cluster, map->epoch,
                      (fake_now_ms(stage.world) + lease_ms) * 1000000);
    return open_peer();
}

static void without_a_lease_nothing_is_served(void **state)
{
    int peer = open_leased(800);

    (void)state;
    assert_int_equal(ask(peer, get).op, FRAME_ANSWER);
    stage_run(&stage, 799);
    assert_int_equal(ask(peer, get).op, FRAME_ANSWER);
    stage_run(&stage, 1);
    expect_refusal(ask(peer, get), REFUSED_NO_LEASE);
    expect_refusal(ask(peer, get), REFUSED_AGAIN);
    assert_int_equal(tell_map(peer).op, FRAME_DONE);
    expect_refusal(ask(peer, get), REFUSED_NO_LEASE);
    assert_int_equal(tell_map(peer).op, FRAME_DONE);
    cluster_set_lease(stage.cluster, 1, INT64_MAX);
    assert_int_equal(ask(peer, get).op, FRAME_ANSWER);
}

static size_t lose_lease(void *arg, const char *value, size_t len, char *out)
{
    struct map *next = map_copy(map, 0);

    (void)arg;
    (void)out;
    assert_int_equal(len, 1);
    assert_int_equal(*value, 'x');
    next->epoch++;
    next->members[map_find(next, cluster_self(stage.cluster))].state = MEMBER_SUSPENDED;
    cluster_adopt(stage.cluster, next);
    return 0;
}

static void answers_do_not_leave_when_the_lease_is_over(void **state)
{
    int peer = open_leased(800);
    size_t len;

    (void)state;
    stage.shard.on_ping = lose_lease;
    stage_send_frame(&stage, peer, &get);
    stage_send_frame(&stage, peer, &(struct frame){ .op = FRAME_PING, VALUE("x") });
    stage_run(&stage, 0);
    assert_true(fake_is_closed(stage.world, peer));
    (void)fake_peek(stage.world, peer, &len);
    assert_int_equal(len, 0);
}

/* owners while members change */

static void in_a_change_a_key_is_served_by_its_owner_alone(void **state)
{
    int peer;

    (void)state;
    map->phase = MAP_JOINT;
    map->phase_since = 1;
    map->members[1].next_weight = 2;
    peer = open_peer();
    assert_int_equal(ask(peer, get_of(key_at(0, -1, 0), 0)).op, FRAME_ANSWER);
    expect_refusal(ask(peer, get_of(key_at(1, -1, 0), 0)), REFUSED_NOT_OWNER);
}

static void a_new_owner_waits_for_the_end_of_the_old_one(void **state)
{
    const char *key;
    int peer;

    (void)state;
    /* s1 takes over from s2 */
    map->members[0].weight = 0;
    map->members[1].next_weight = 0;
    map->phase = MAP_SWITCHED;
    map->phase_since = 1;
    peer = open_peer();
    key = key_at(0, -1, 0);
    expect_refusal(ask(peer, get_of(key, 0)), REFUSED_NOT_READY);
    cluster_set_ended(stage.cluster, 2, 0, 1);
    tell_map(peer);
    assert_int_equal(ask(peer, get_of(key, 0)).op, FRAME_ANSWER);
}

static void a_copy_that_leaves_answers_no_reads(void **state)
{
    const char *key;
    int peer;

    (void)state;
    map->replicas = 2;
    peer = open_peer();
    key = key_at(1, -1, 0);
    assert_int_equal(ask(peer, get_of(key, FRAME_AS_COPY)).op, FRAME_ANSWER);
    map->epoch = map->phase_since = 2;
    map->phase = MAP_JOINT;
    map->members[0].next_weight = 0;
    tell_map(peer);
    expect_refusal(ask(peer, get_of(key, FRAME_AS_COPY)), REFUSED_NOT_OWNER);
}

static void a_copy_answers_plain_gets_only(void **state)
{
    int peer;

    (void)state;
    map->replicas = 2;
    peer = open_peer();
    expect_refusal(ask(peer, (struct frame){ COMMAND(GAT), KEY("k"), .flags = FRAME_AS_COPY }),
                   REFUSED_NOT_OWNER);
    tell_map(peer);
    expect_refusal(ask(peer, (struct frame){ COMMAND(GET), KEY("k"), .flags = FRAME_AS_COPY,
                                             .options = OPTION_WIN }),
                   REFUSED_NOT_OWNER);
}

/* pings, and members without items */

static size_t echo(void *arg, const char *value, size_t len, char *out)
{
    memcpy(out, value, len);
    ++*(int *)arg;
    return len;
}

static void a_ping_is_answered_by_who_listens_to_it(void **state)
{
    int n = 0, peer = open_peer();
    struct frame f;

    (void)state;
    stage.shard.on_ping = echo;
    stage.shard.ping_arg = &n;
    f = ask(peer, (struct frame){ .op = FRAME_PING, VALUE("well?") });
    assert_int_equal(f.op, FRAME_DONE);
    assert_true(is_value(&f, "well?"));
    assert_true(f.version > 0);
    assert_int_equal(ask(peer, (struct frame){ .op = FRAME_PING }).value_len, 0);
    assert_int_equal(n, 1);
}

static void who_keeps_no_items_answers_maps_and_pings_only(void **state)
{
    static const struct frame others[] = {
        { COMMAND(GET), KEY("k") }, { .op = FRAME_STATS }, { .op = FRAME_CLOCK },
        { .op = FRAME_WALK },
    };
    struct store *store = stage.shard.store;
    int peer;

    (void)state;
    stage.shard.store = NULL;
    map->members[0].name[1] = '0';      /* nor is it a member */
    peer = open_peer();
    assert_int_equal(ask(peer, (struct frame){ .op = FRAME_PING }).version, 0);
    for (size_t i = 0; i < N_OF(others); i++)
        assert_int_equal(ask(peer, others[i]).op, FRAME_REFUSED);
    stage_run(&stage, 200);
    stage.shard.store = store;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_executed_before_all_workers_go_by_the_map,
                                        set_up_two_workers, tear_down),
        cmocka_unit_test_setup_teardown(
            a_map_that_some_worker_does_not_go_by_is_not_waited_for_long, set_up_two_workers,
            tear_down),
        TEST(a_newer_map_in_band_is_gone_by_at_once),
        TEST(what_follows_an_older_map_is_refused_though_the_newer_is_told),
        TEST(a_flush_by_an_older_map_is_refused),
        TEST(all_behind_a_refusal_is_refused_until_a_map),
        TEST(who_is_not_the_member_of_the_map_executes_nothing),
        TEST(a_shard_of_another_life_is_not_listened_to),
        TEST(a_shard_that_was_taken_out_follows_the_map_and_executes_nothing),
        TEST(without_a_lease_nothing_is_served),
        TEST(answers_do_not_leave_when_the_lease_is_over),
        TEST(in_a_change_a_key_is_served_by_its_owner_alone),
        TEST(a_new_owner_waits_for_the_end_of_the_old_one),
        TEST(a_copy_that_leaves_answers_no_reads),
        TEST(a_copy_answers_plain_gets_only),
        TEST(a_ping_is_answered_by_who_listens_to_it),
        TEST(who_keeps_no_items_answers_maps_and_pings_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
