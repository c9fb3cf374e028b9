/* Items that a joint phase gives to others, on their way there. */
#include "shard_help.h"

enum { N_KEYS = 300 };

static char *value;             /* of all keys */
static size_t value_len;
static bool arrived[N_KEYS];    /* by key: a copy of it came */
static size_t bytes_arrived;

static void fill(size_t len)
{
    int peer = open_peer();

    free(value);
    value = malloc(len);
    assert_non_null(value);
    memset(value, 'v', len);
    value_len = len;
    memset(arrived, 0, sizeof(arrived));
    bytes_arrived = 0;
    for (unsigned i = 0; i < N_KEYS; i++) {
        char key[20];
        struct frame f = { COMMAND(SET), .key = key, .value = value, .value_len = len };

        f.key_len = (uint16_t)snprintf(key, sizeof(key), "key%u", i);
        assert_int_equal(ask(peer, f).st, STATUS_STORED);
    }
    fake_shut(stage.world, peer);
}

static void join(uint64_t epoch)
{
    map->epoch = epoch;
    map->phase = MAP_JOINT;
    map->phase_since = 2;
    map->members[1].next_weight = 0;    /* s2 leaves, its places are s3's */
    go_by_map();
}

/* What came is answered; other frames than these do not come. */
static unsigned take_moves(int fd)
{
    struct frame f;
    unsigned n = 0;

    while (stage_take_frame(&stage, fd, &f)) {
        struct frame answer = { .op = FRAME_DONE, .version = f.version };

        if (f.op == FRAME_APPLY) {
            assert_int_equal(f.value_len, value_len);
            assert_true(f.st & FRAME_ANY_AGE);
            arrived[atoi(f.key + 3)] = true;
            bytes_arrived += f.value_len;
            answer.op = FRAME_APPLIED;
            n++;
        } else {
            assert_int_equal(f.op, FRAME_MAP);
        }
        stage_send_frame(&stage, fd, &answer);
    }
    return n;
}

/* What is to go to s3: all that s1 owns and s3 has no part in. */
static unsigned n_wanted(void)
{
    struct view *v = view_of_map();
    unsigned n = 0;

    for (unsigned i = 0; i < N_KEYS; i++) {
        struct placing place;
        char key[20];
        int len = snprintf(key, sizeof(key), "key%u", i);

        view_place(v, ring_hash(key, (size_t)len), &place);
        n += place.owner == 0 && place.n_pending > 0;
    }
    view_unref(v);
    return n;
}

static unsigned n_arrived(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < N_KEYS; i++)
        n += arrived[i];
    return n;
}

static void what_is_ours_goes_to_the_pending_members(void **state)
{
    int s2, s3;
    struct move move;

    (void)state;
    fill(10);
    s2 = opened(2);
    s3 = opened(3);
    join(2);
    stage_run(&stage, 500);
    assert_int_equal(take_moves(s3), 0);        /* not before the leader says so */
    keeper_go(keeper, 1);
    stage_run(&stage, 500);
    assert_int_equal(take_moves(s3), 0);
    keeper_go(keeper, 2);
    stage_run(&stage, 100);
    move = state_now().move;
    assert_int_equal(move.epoch, 2);
    assert_false(move.done);
    assert_int_equal(take_moves(s3), n_wanted());
    stage_run(&stage, 100);
    assert_int_equal(n_arrived(), n_wanted());
    move = state_now().move;
    assert_true(move.done);
    assert_int_equal(move.items_sent, n_wanted());
    assert_int_equal(move.items_left, 0);
    assert_true(move.bytes_sent > 0);
    take_moves(s2);
    assert_int_equal(take_moves(s3), 0);
}

static void tombstones_go_too(void **state)
{
    int s2, s3, peer;
    const char *key;
    struct frame f;

    (void)state;
    fill(1);
    s2 = opened(2);
    s3 = opened(3);
    peer = open_peer();
    key = key_at(0, 1, 0);
    f = ask(peer, (struct frame){ COMMAND(DELETE), .key = key, .key_len = (uint16_t)strlen(key) });
    assert_int_equal(f.st, STATUS_DELETED);
    join(2);
    keeper_go(keeper, 2);
    take_moves(s2);
    know_map(s3);
    stage_run(&stage, 100);
    while (stage_take_frame(&stage, s3, &f)) {
        struct copy copy;

        assert_int_equal(f.op, FRAME_APPLY);
        frame_to_copy(&f, &copy);
        if (copy.key_len == strlen(key) && memcmp(copy.key, key, copy.key_len) == 0) {
            assert_int_equal(copy.kind, COPY_DELETED);
            return;
        }
    }
    fail_msg("the tombstone did not come");
}

static void a_flush_goes_before_all_items(void **state)
{
    int s2, s3, peer;
    uint64_t version;
    struct frame f;

    (void)state;
    fill(1);
    s2 = opened(2);
    s3 = opened(3);
    peer = open_peer();
    version = ask(peer, (struct frame){ .op = FRAME_CLOCK }).version;
    (void)ask(peer, (struct frame){ .op = FRAME_FLUSH, .version = version });
    set(peer, key_at(0, 1, 0), "v");
    join(2);
    keeper_go(keeper, 2);
    take_moves(s2);
    know_map(s3);
    stage_run(&stage, 100);
    f = heard(s3);
    if (f.op == FRAME_APPLY)            /* the repair of what is open: not the mover's */
        f = heard(s3);
    assert_int_equal(f.op, FRAME_FLUSH);
    assert_int_equal(f.version, version);
    say(s3, (struct frame){ .op = FRAME_DONE });
    assert_int_equal(heard(s3).op, FRAME_APPLY);
    assert_true(is_silent(s3));         /* the others are dead */
}

static void who_was_lost_on_the_way_is_sent_all_again(void **state)
{
    int s2, s3;

    (void)state;
    fill(10);
    s2 = opened(2);
    s3 = opened(3);
    join(2);
    keeper_go(keeper, 2);
    stage_run(&stage, 100);
    take_moves(s2);
    assert_int_equal(heard(s3).op, FRAME_MAP);
    assert_int_equal(heard(s3).op, FRAME_APPLY);
    fake_shut(stage.world, s3);
    stage_run(&stage, 500);
    assert_false(state_now().move.done);
    s3 = opened(3);
    for (int i = 0; i < 10; i++) {
        stage_run(&stage, 50);
        take_moves(s3);
    }
    assert_int_equal(n_arrived(), n_wanted());
    assert_true(state_now().move.done);
}

static void little_is_on_its_way_at_a_time(void **state)
{
    int s2, s3;
    size_t len, most = 0;

    (void)state;
    map->members[0].weight = map->members[0].next_weight = 10;
    fill(20000);
    s2 = opened(2);
    s3 = opened(3);
    take_moves(s2);
    join(2);
    know_map(s2);
    know_map(s3);
    keeper_go(keeper, 2);
    for (int i = 0; i < 100 && !state_now().move.done; i++) {
        stage_run(&stage, 20);
        (void)fake_peek(stage.world, s3, &len);
        most = len > most ? len : most;
        take_moves(s3);
    }
    assert_int_equal(n_arrived(), n_wanted());
    assert_in_range(most, 500000, (1 << 20) + 16 * 20100);
    assert_true(bytes_arrived > most);
}

static int set_up_slow(void **state)
{
    (void)state;
    add_keeper(2, 100000);
    return 0;
}

static void the_rate_is_kept(void **state)
{
    int s2, s3;

    (void)state;
    map->members[0].weight = map->members[0].next_weight = 10;
    fill(1000);
    s2 = opened(2);
    s3 = opened(3);
    join(2);
    know_map(s2);
    know_map(s3);
    keeper_go(keeper, 2);
    for (int i = 0; i < 50; i++) {
        stage_run(&stage, 10);
        take_moves(s3);
    }
    assert_in_range(bytes_arrived, 30000, 80000);
    assert_true(state_now().move.items_left > 0);
    assert_true(state_now().move.bytes_left > 0);
    for (int i = 0; i < 500 && !state_now().move.done; i++) {
        stage_run(&stage, 10);
        take_moves(s3);
    }
    assert_int_equal(n_arrived(), n_wanted());
}

static void a_change_that_is_given_up_moves_nothing_more(void **state)
{
    int s2, s3;

    (void)state;
    fill(10);
    s2 = opened(2);
    s3 = opened(3);
    join(2);
    know_map(s2);
    map->epoch = map->phase_since = 3;
    map->phase = MAP_STABLE;
    map->members[1].next_weight = 1;
    keeper_go(keeper, 2);
    stage_run(&stage, 0);
    go_by_map();
    stage_run(&stage, 1000);
    assert_int_equal(state_now().move.epoch, 0);
    (void)take_moves(s3);
    stage_run(&stage, 1000);
    assert_int_equal(take_moves(s3), 0);
}

static void a_newer_map_of_the_phase_has_what_was_not_there_sent_again(void **state)
{
    int s2, s3;

    (void)state;
    fill(10);
    s2 = opened(2);
    s3 = opened(3);
    join(2);
    keeper_go(keeper, 2);
    stage_run(&stage, 50);
    join(3);
    for (int i = 0; i < 10; i++) {
        take_moves(s2);
        take_moves(s3);
        stage_run(&stage, 50);
    }
    assert_true(state_now().move.done);
    assert_int_equal(n_arrived(), n_wanted());
    join(4);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(take_moves(s3), 0);
        stage_run(&stage, 50);
    }
    assert_true(state_now().move.done);
}

static int tear_down_value(void **state)
{
    free(value);
    value = NULL;
    return tear_down(state);
}

#define MOVES(f) cmocka_unit_test_setup_teardown(f, set_up_two_copies, tear_down_value)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOVES(what_is_ours_goes_to_the_pending_members),
        MOVES(tombstones_go_too),
        MOVES(a_flush_goes_before_all_items),
        MOVES(who_was_lost_on_the_way_is_sent_all_again),
        MOVES(little_is_on_its_way_at_a_time),
        cmocka_unit_test_setup_teardown(the_rate_is_kept, set_up_slow, tear_down_value),
        MOVES(a_change_that_is_given_up_moves_nothing_more),
        MOVES(a_newer_map_of_the_phase_has_what_was_not_there_sent_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
