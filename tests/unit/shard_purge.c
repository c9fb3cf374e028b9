/* What a shard drops when a map gives it to others. */
#include "shard_help.h"

enum { N_KEYS = 10000 };

/* After the purge that the first map asks for. */
static void fill(int peer)
{
    stage_run(&stage, 100);
    for (unsigned i = 0; i < N_KEYS; i++) {
        char key[20];
        struct frame f = { COMMAND(SET), .key = key, VALUE("v") };

        f.key_len = (uint16_t)snprintf(key, sizeof(key), "key%u", i);
        stage_send_frame(&stage, peer, &f);
    }
    stage_run(&stage, 0);
    for (unsigned i = 0; i < N_KEYS; i++)
        assert_int_equal(heard(peer).st, STATUS_STORED);
}

static uint64_t n_items(void)
{
    struct store_usage u;

    store_usage(stage.shard.store, fake_now_ms(stage.world), &u);
    return u.items;
}

/* How many of the keys member `i` may hold. */
static unsigned n_kept(int i)
{
    struct view *v = view_of_map();
    unsigned n = 0;

    for (unsigned k = 0; k < N_KEYS; k++) {
        char key[20];
        int len = snprintf(key, sizeof(key), "key%u", k);

        n += view_keeps(v, i, ring_hash(key, (size_t)len));
    }
    view_unref(v);
    return n;
}

static void what_is_not_ours_goes_with_the_map(void **state)
{
    (void)state;
    fill(open_peer());
    assert_int_equal(state_now().purged, 1);
    map->epoch = 2;
    map->members[1].weight = map->members[1].next_weight = 2;
    go_by_map();
    assert_int_not_equal(state_now().purged, 2);
    stage_run(&stage, 100);
    assert_int_equal(state_now().purged, 2);
    assert_in_range(n_kept(0), 1, N_KEYS - 1);
    assert_int_equal(n_items(), n_kept(0));
}

static void a_map_that_takes_nothing_drops_nothing(void **state)
{
    (void)state;
    fill(open_peer());
    map->epoch = 2;
    map->members[1].state = MEMBER_SUSPENDED;
    go_by_map();
    assert_int_equal(state_now().purged, 2);
    map->epoch = map->phase_since = 3;
    map->phase = MAP_JOINT;
    map->members[1].next_weight = 2;
    go_by_map();
    assert_int_equal(state_now().purged, 3);
    map->epoch = map->phase_since = 4;
    map->phase = MAP_SWITCHED;
    go_by_map();
    assert_int_equal(state_now().purged, 4);
    stage_run(&stage, 100);
    assert_int_equal(n_items(), N_KEYS);
    map->epoch = map->phase_since = 5;
    map->phase = MAP_STABLE;
    map->members[1].weight = 2;
    go_by_map();
    stage_run(&stage, 100);
    assert_int_equal(n_items(), n_kept(0));
}

static void what_a_change_brought_goes_when_it_is_given_up(void **state)
{
    (void)state;
    fill(open_peer());
    map->epoch = map->phase_since = 2;
    map->phase = MAP_JOINT;
    map->members[1].next_weight = 2;
    go_by_map();
    stage_run(&stage, 100);
    assert_int_equal(n_items(), N_KEYS);
    map->epoch = map->phase_since = 3;
    map->phase = MAP_STABLE;
    map->members[1].next_weight = 1;
    go_by_map();
    stage_run(&stage, 100);
    assert_int_equal(n_items(), n_kept(0));
}

static void who_is_ejected_drops_all(void **state)
{
    (void)state;
    fill(open_peer());
    map->epoch = 2;
    map->members[0].state = MEMBER_EJECTED;
    go_by_map();
    stage_run(&stage, 100);
    assert_int_equal(n_items(), 0);
    assert_int_equal(state_now().purged, 2);
    assert_int_equal(state_now().ended, 1);     /* it has nothing to end */
}

static void who_is_not_the_process_of_the_map_drops_all(void **state)
{
    (void)state;
    cluster_set_incarnation(stage.cluster, 4);
    map->members[0].incarnation = 4;
    fill(open_peer());
    map->epoch = 2;
    map->members[0].incarnation = 5;
    go_by_map();
    stage_run(&stage, 100);
    assert_int_equal(n_items(), 0);
}

static void a_purge_begins_again_with_a_newer_map(void **state)
{
    (void)state;
    fill(open_peer());
    map->epoch = 2;
    map->members[1].weight = map->members[1].next_weight = 2;
    go_by_map();
    stage_run(&stage, 1);
    map->epoch = 3;             /* takes nothing more, but the last was not over */
    go_by_map();
    assert_int_equal(state_now().purged, 1);
    stage_run(&stage, 100);
    assert_int_equal(state_now().purged, 3);
    assert_int_equal(n_items(), n_kept(0));
}

/* Without a store: by the maps alone. */
static void the_other_ring_counts_while_members_change(void **state)
{
    struct map *before = stage_map(1, 3), *after = stage_map(2, 3);

    (void)state;
    assert_true(purge_is_covered(before, after));
    before->phase = after->phase = MAP_JOINT;
    before->members[1].next_weight = after->members[1].next_weight = 2;
    assert_true(purge_is_covered(before, after));
    after->members[1].next_weight = 3;
    assert_false(purge_is_covered(before, after));
    after->members[1].next_weight = 2;
    after->members[2].state = MEMBER_EJECTED;
    assert_false(purge_is_covered(before, after));
    after->members[2].state = MEMBER_UP;
    after->replicas = 2;
    assert_false(purge_is_covered(before, after));
    free(before);
    free(after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        COPIES(what_is_not_ours_goes_with_the_map),
        COPIES(a_map_that_takes_nothing_drops_nothing),
        COPIES(what_a_change_brought_goes_when_it_is_given_up),
        COPIES(who_is_ejected_drops_all),
        COPIES(who_is_not_the_process_of_the_map_drops_all),
        COPIES(a_purge_begins_again_with_a_newer_map),
        cmocka_unit_test(the_other_ring_counts_while_members_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
