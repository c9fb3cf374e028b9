/* Open writes: who is told, who confirms, and what is repaired. */
#include "shard_help.h"

static void confirm(int peer, uint64_t n, bool given_up)
{
    say(peer, (struct frame){ .op = FRAME_CONFIRM, .version = n, .st = given_up });
}

/* confirms */

static void what_is_written_is_open_until_it_is_confirmed(void **state)
{
    int peer = open_peer();

    (void)state;
    set(peer, "k", "v");
    assert_true(is_open(peer, "k"));
    confirm(peer, 2, false);
    assert_false(is_open(peer, "k"));
    (void)ask(peer, command(VERB_DELETE, "k", NULL));
    assert_true(is_open(peer, "k"));
}

static void a_confirm_counts_the_oldest(void **state)
{
    int peer = open_peer(), other = open_peer();

    (void)state;
    set(peer, "a", "1");
    set(other, "x", "1");
    set(peer, "b", "2");
    confirm(peer, 1, false);
    assert_false(is_open(peer, "a"));
    assert_true(is_open(peer, "b"));
    assert_true(is_open(other, "x"));
}

static void a_newer_write_is_not_confirmed_with_the_older(void **state)
{
    int peer = open_peer();

    (void)state;
    set(peer, "k", "1");
    set(peer, "k", "2");
    confirm(peer, 1, false);
    assert_true(is_open(peer, "k"));
}

static void who_confirms_more_than_there_is_is_closed(void **state)
{
    int peer = open_peer();

    (void)state;
    set(peer, "k", "v");
    confirm(peer, 2, false);
    assert_true(fake_is_closed(stage.world, peer));
}

static void what_has_no_copies_is_not_open(void **state)
{
    int peer = open_peer();
    struct frame f = ask(peer, (struct frame){ COMMAND(SET), KEY("k"), VALUE("v") });

    (void)state;
    assert_false(f.marks & MARK_OPEN);
    confirm(peer, 0, false);
    assert_false(fake_is_closed(stage.world, peer));
}

static void the_copies_are_told_what_was_not_sent(void **state)
{
    int peer = open_peer();
    struct frame f;

    (void)state;
    set(peer, "k", "41");
    confirm(peer, 1, false);
    f = command(VERB_INCR, "k", NULL);
    f.number = 1;
    f = ask(peer, f);
    assert_int_equal(f.op, FRAME_TOLD);
    assert_true(is_value(&f, "42"));
    f = heard(peer);
    assert_int_equal(f.number, 42);
    assert_true(f.marks & MARK_OPEN);
}

static void who_reads_what_is_open_confirms_it_as_well(void **state)
{
    int peer = open_peer(), reader = open_peer();
    struct frame f;

    (void)state;
    set(peer, "k", "v");
    (void)ask(peer, command(VERB_DELETE, "k", NULL));
    f = ask(reader, command(VERB_GET, "k", NULL));
    assert_int_equal(f.op, FRAME_TOLD);
    assert_int_equal(heard(reader).st, STATUS_NOT_FOUND);
    confirm(reader, 1, false);
    assert_false(is_open(open_peer(), "k"));
}

/* copies */

static void a_copy_is_applied_and_counts_as_used(void **state)
{
    int peer = open_peer();
    struct copy copy = { .kind = COPY_VALUE, .key = "k", .key_len = 1, .any_age = true,
                         .version = 1 << 22, .value = "v", .value_len = 1 };
    struct frame f;

    (void)state;
    frame_from_copy(&f, FRAME_APPLY, &copy);
    f = ask(peer, f);
    assert_int_equal(f.op, FRAME_APPLIED);
    assert_int_equal(f.st, APPLIED);
    say(peer, (struct frame){ .op = FRAME_USED, KEY("k") });
    f = ask(peer, (struct frame){ COMMAND(GETS), KEY("k") });
    assert_int_equal(f.version, copy.version);
    assert_true(f.marks & MARK_FETCHED);
    assert_false(f.marks & MARK_OPEN);
    copy.any_age = false;
    copy.version--;
    frame_from_copy(&f, FRAME_APPLY, &copy);
    assert_int_equal(ask(peer, f).st, APPLIED_OLDER);
    copy.key = "j";
    frame_from_copy(&f, FRAME_APPLY, &copy);
    assert_int_equal(ask(peer, f).st, APPLIED_REFUSED);
}

static void copies_need_no_lease_and_the_same_map(void **state)
{
    const struct copy copy = { .kind = COPY_DELETED, .key = "k", .key_len = 1, .version = 9,
                               .any_age = true };
    int peer;
    struct frame f, apply;

    (void)state;
    snprintf(map->leader, sizeof(map->leader), "boss");
    peer = open_peer();
    frame_from_copy(&apply, FRAME_APPLY, &copy);
    assert_int_equal(ask(peer, apply).op, FRAME_APPLIED);
    map->epoch = 2;
    cluster_adopt(stage.cluster, map_copy(map, 0));
    f = ask(peer, apply);
    assert_int_equal(f.op, FRAME_REFUSED);
    assert_int_equal(f.st, REFUSED_EPOCH);
}

/* repairs */

static void what_a_lost_link_left_open_is_repaired(void **state)
{
    int peer = open_peer(), s2 = opened(2), s3 = opened(3);
    const char *key = key_at(0, 1, 0);
    uint64_t version = set(peer, key, "v");

    (void)state;
    stage_run(&stage, 900);
    assert_true(is_silent(s2));
    fake_shut(stage.world, peer);
    stage_run(&stage, 0);
    expect_copy(s2, key, "v", version);
    assert_true(is_silent(s3));
    assert_false(is_open(open_peer(), key));
}

static void what_nobody_confirms_is_repaired_after_a_second(void **state)
{
    int peer = open_peer(), s2 = opened(2);
    const char *key = key_at(0, 1, 0), *other = key_at(0, 1, 1);
    uint64_t version = set(peer, key, "v"), next;

    (void)state;
    stage_run(&stage, 1200);
    expect_copy(s2, key, "v", version);
    next = set(peer, other, "w");
    confirm(peer, 1, false);            /* it counts the first, which needs it no more */
    assert_true(is_open(peer, other));
    confirm(peer, 2, true);
    expect_copy(s2, other, "w", next);
    assert_false(is_open(peer, other));
}

static void a_deletion_is_repaired_too(void **state)
{
    int peer = open_peer(), s2 = opened(2);
    const char *key = key_at(0, 1, 0);
    struct frame f;

    (void)state;
    set(peer, key, "v");
    confirm(peer, 1, false);
    f = ask(peer, command(VERB_DELETE, key, NULL));
    confirm(peer, 1, true);
    expect_copy(s2, key, NULL, f.version);
    assert_false(is_open(peer, key));
}

static void what_is_overwritten_is_not_repaired(void **state)
{
    int peer = open_peer(), s2 = opened(2);
    const char *key = key_at(0, 1, 0);
    uint64_t version;

    (void)state;
    set(peer, key, "v");
    version = set(peer, key, "w");
    confirm(peer, 2, true);
    expect_copy(s2, key, "w", version);
    assert_true(is_silent(s2));
}

static void a_copy_that_did_not_get_it_is_sent_it_again(void **state)
{
    int peer = open_peer(), s2 = opened(2);
    const char *key = key_at(0, 1, 0);
    uint64_t version = set(peer, key, "v");

    (void)state;
    confirm(peer, 1, true);
    assert_int_equal(heard(s2).op, FRAME_APPLY);
    say(s2, (struct frame){ .op = FRAME_REFUSED, .st = REFUSED_NOT_READY });
    stage_run(&stage, 100);
    assert_int_equal(heard(s2).op, FRAME_MAP);
    say(s2, (struct frame){ .op = FRAME_DONE, .version = map->epoch });
    stage_run(&stage, 100);
    assert_int_equal(heard(s2).op, FRAME_APPLY);
    fake_shut(stage.world, s2);
    stage_run(&stage, 500);
    s2 = opened(2);
    stage_run(&stage, 100);
    assert_true(is_open(peer, key));
    expect_copy(s2, key, "v", version);
    assert_false(is_open(peer, key));
}

static void another_life_of_a_copy_is_sent_nothing(void **state)
{
    int peer, s2;
    const char *key = key_at(0, 1, 0);

    (void)state;
    map->members[1].incarnation = 7;
    peer = open_peer();
    stage_run(&stage, 0);
    s2 = fake_accept(stage.world, "shard:2");
    assert_int_equal(heard(s2).op, FRAME_HELLO);
    set(peer, key, "v");
    confirm(peer, 1, true);
    {
        struct hello h = stage_hello(&stage, "s2", map);

        h.incarnation = 8;
        stage_send_hello(&stage, s2, &h);
    }
    stage_run(&stage, 50);
    assert_true(fake_is_closed(stage.world, s2));
    assert_true(is_open(peer, key));
}

static void what_no_list_had_room_for_is_found_by_a_walk(void **state)
{
    int peer = open_peer(), s2 = opened(2);
    const char *key = key_at(1, 0, 0);  /* whoever owns it by now */
    uint64_t version = set(peer, key, "v");

    (void)state;
    keeper->repairs.lost = true;
    keeper_poke(keeper);
    stage_run(&stage, 50);
    expect_copy(s2, key, "v", version);
    stage_run(&stage, 50);
    assert_true(is_silent(s2));
    assert_false(is_open(peer, key));
}

/* newer maps */

static void what_is_open_under_an_older_map_is_repaired_by_the_newer(void **state)
{
    int peer = open_peer(), s2 = opened(2), s3 = opened(3);
    const char *key = key_at(0, 1, 0);
    uint64_t version = set(peer, key, "v");

    (void)state;
    map->epoch = map->phase_since = 2;
    map->phase = MAP_JOINT;
    map->members[1].next_weight = 0;    /* s3 is to have it */
    go_by_map();
    confirm(peer, 1, false);            /* by the older map */
    know_map(s2);
    know_map(s3);
    expect_copy(s2, key, "v", version);
    tell_map(peer);
    assert_true(is_open(peer, key));
    expect_copy(s3, key, "v", version);
    assert_false(is_open(peer, key));
}

static void an_answer_under_an_older_map_does_not_count(void **state)
{
    int peer = open_peer(), s2 = opened(2), s3 = opened(3);
    const char *key = key_at(0, 1, 0);
    uint64_t version = set(peer, key, "v");
    struct frame f;

    (void)state;
    confirm(peer, 1, true);
    f = heard(s2);
    assert_int_equal(f.op, FRAME_APPLY);
    map->epoch = map->phase_since = 2;
    map->phase = MAP_JOINT;
    map->members[1].next_weight = 0;
    go_by_map();
    say(s2, (struct frame){ .op = FRAME_APPLIED, .st = APPLIED });
    know_map(s2);
    know_map(s3);
    stage_run(&stage, 50);
    tell_map(peer);
    assert_true(is_open(peer, key));
    expect_copy(s2, key, "v", version);
    expect_copy(s3, key, "v", version);
    assert_false(is_open(peer, key));
}

static void the_end_of_a_map_is_when_nothing_of_it_is_open(void **state)
{
    int peer = open_peer(), s2 = opened(2);
    const char *key = key_at(0, 1, 0);
    uint64_t version = set(peer, key, "v");

    (void)state;
    stage_run(&stage, 0);
    assert_int_equal(state_now().ended, 1);
    map->epoch = 2;
    go_by_map();
    assert_int_equal(cluster_adopted(stage.cluster), 2);
    assert_int_equal(state_now().ended, 1);
    assert_false(cluster_has_ended(stage.cluster, 1, 2));
    know_map(s2);
    expect_copy(s2, key, "v", version);
    assert_int_equal(state_now().ended, 2);
    assert_true(cluster_has_ended(stage.cluster, 1, 2));
}

static void the_end_waits_for_all_workers(void **state)
{
    int peer;

    (void)state;
    stage_init(&stage, &keeper_handler);
    stage.n_silent = 1;
    stage_add_shard(&stage);
    keeper = keeper_new(&stage.shard, &stage.worker, &(struct keeper_config){ .timeout_ms = 1000 });
    map = stage_map(1, 2);
    peer = open_peer();
    stage_run(&stage, 200);
    assert_int_equal(state_now().ended, 0);
    cluster_note(stage.cluster, 1);
    stage_run(&stage, 200);
    assert_int_equal(state_now().ended, 1);
    assert_false(fake_is_closed(stage.world, peer));
}

static void the_end_waits_for_what_a_worker_has_not_handed_over(void **state)
{
    int peer = open_peer(), s2 = opened(2);
    const char *key = key_at(0, 1, 0);
    uint64_t version = set(peer, key, "v");

    (void)state;
    map->epoch = 2;
    cluster_adopt(stage.cluster, map_copy(map, 0));
    cluster_note(stage.cluster, 0);     /* as a front in this process does */
    stage_run(&stage, 5);
    assert_int_equal(cluster_adopted(stage.cluster), 2);
    assert_int_equal(state_now().ended, 1);
    stage_run(&stage, 200);
    assert_int_equal(state_now().ended, 1);
    know_map(s2);
    expect_copy(s2, key, "v", version);
    assert_int_equal(state_now().ended, 2);
}

static void what_waits_for_a_copy_goes_on_when_that_is_ejected(void **state)
{
    enum { N = 3000 };
    int peer = open_peer(), s2 = opened(2);
    const char *key = key_at(0, 1, 0);

    (void)state;
    fake_unlisten(stage.world, "shard:2");
    fake_shut(stage.world, s2);
    for (unsigned i = 0; i < N; i++)
        set(peer, key, "v");
    for (unsigned i = 0; i < N; i++) {
        char other[20];

        snprintf(other, sizeof(other), "%s-%u", key, i);
        set(peer, other, "v");
    }
    confirm(peer, 2 * N, true);
    stage_run(&stage, 500);
    assert_true(is_open(peer, key));
    map->epoch = 2;
    map->members[1].state = map->members[2].state = MEMBER_EJECTED;
    go_by_map();
    stage_run(&stage, 100);
    assert_int_equal(state_now().ended, 2);
    tell_map(peer);
    assert_false(is_open(peer, key));
}

/* a front of this process */

static void what_a_front_here_leaves_open_is_repaired(void **state)
{
    int peer = open_peer(), s2 = opened(2);
    const char *key = key_at(0, 1, 0), *other = key_at(0, 1, 1);
    uint64_t version = set(peer, key, "v"), next = set(peer, other, "w");
    struct store *store = stage.shard.store;

    (void)state;
    shard_opened(&stage.worker, store_hash(store, key, strlen(key)), version);
    shard_opened(&stage.worker, store_hash(store, other, strlen(other)), next);
    shard_settled(&stage.worker, 1, true);
    assert_false(is_open(peer, key));
    shard_settled(&stage.worker, 1, false);
    stage_run(&stage, 0);
    expect_copy(s2, other, "w", next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        COPIES(what_is_written_is_open_until_it_is_confirmed),
        COPIES(a_confirm_counts_the_oldest),
        COPIES(a_newer_write_is_not_confirmed_with_the_older),
        COPIES(who_confirms_more_than_there_is_is_closed),
        COPIES(what_has_no_copies_is_not_open),
        COPIES(the_copies_are_told_what_was_not_sent),
        COPIES(who_reads_what_is_open_confirms_it_as_well),
        COPIES(a_copy_is_applied_and_counts_as_used),
        COPIES(copies_need_no_lease_and_the_same_map),
        COPIES(what_a_lost_link_left_open_is_repaired),
        COPIES(what_nobody_confirms_is_repaired_after_a_second),
        COPIES(a_deletion_is_repaired_too),
        COPIES(what_is_overwritten_is_not_repaired),
        COPIES(a_copy_that_did_not_get_it_is_sent_it_again),
        COPIES(what_no_list_had_room_for_is_found_by_a_walk),
        COPIES(another_life_of_a_copy_is_sent_nothing),
        COPIES(what_is_open_under_an_older_map_is_repaired_by_the_newer),
        COPIES(an_answer_under_an_older_map_does_not_count),
        COPIES(the_end_of_a_map_is_when_nothing_of_it_is_open),
        cmocka_unit_test_teardown(the_end_waits_for_all_workers, tear_down),
        COPIES(the_end_waits_for_what_a_worker_has_not_handed_over),
        COPIES(what_waits_for_a_copy_goes_on_when_that_is_ejected),
        COPIES(what_a_front_here_leaves_open_is_repaired),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
