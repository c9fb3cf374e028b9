#include "admin_help.h"

#define N_OF(table) (sizeof(table) / sizeof((table)[0]))

static void the_verdict_names_who_is_not_up(void **state)
{
    struct fake *f = *state;
    struct member *m = f->map->members;

    assert_int_equal(request(f, "GET /v1/cluster", ""), 200);
    assert_string_equal(text_at(f, "verdict"), "ok");
    assert_string_equal(text_at(f, "words"), "3/3 shards up");
    assert_int_equal(number_at(f, "items"), 300);
    assert_int_equal(number_at(f, "replicas"), 2);
    assert_string_equal(text_at(f, "leader"), "front");

    m[1].state = MEMBER_EJECTED;
    (void)request(f, "GET /v1/cluster", "");
    assert_string_equal(text_at(f, "verdict"), "degraded");
    assert_string_equal(text_at(f, "words"), "2/3 shards up: b is ejected");

    m[0].state = MEMBER_SUSPENDED;
    (void)request(f, "GET /v1/cluster", "");
    assert_string_equal(text_at(f, "words"), "1/3 shards up: a is suspended, b is ejected");

    f->answers[2].known = false;
    (void)request(f, "GET /v1/cluster", "");
    assert_string_equal(text_at(f, "verdict"), "down");

    free(f->map);
    f->map = NULL;
    assert_int_equal(request(f, "GET /v1/cluster", ""), 200);
    assert_string_equal(text_at(f, "verdict"), "down");
    assert_string_equal(text_at(f, "words"), "no map yet");
    assert_int_equal(request(f, "GET /v1/nodes", ""), 200);
    assert_int_equal(json_array_size(at(f, "nodes")), 0);
    assert_int_equal(request(f, "GET /v1/ring", ""), 200);
    assert_int_equal(request(f, "GET /v1/ring/where/k", ""), 503);
}

static void a_drained_member_is_no_loss(void **state)
{
    struct fake *f = *state;
    struct member *m = &f->map->members[2];

    m->weight = m->next_weight = m->wanted_weight = 0;
    f->answers[2].known = false;
    (void)request(f, "GET /v1/cluster", "");
    assert_string_equal(text_at(f, "verdict"), "ok");
    assert_string_equal(text_at(f, "words"), "2/2 shards up");
    (void)request(f, "GET /v1/nodes", "");
    assert_true(json_real_value(at(f, "nodes.2.share")) == 0);
    assert_true(json_real_value(at(f, "nodes.0.share")) > 0.4);
}

static void a_change_shows_both_weights_and_both_shares(void **state)
{
    struct fake *f = *state;
    struct member *m = &f->map->members[2];

    f->map->phase = MAP_JOINT;
    m->weight = 0;
    m->filling = true;
    (void)request(f, "GET /v1/cluster", "");
    assert_string_equal(text_at(f, "phase"), "joint");
    assert_string_equal(text_at(f, "words"),
                        "2/3 shards up: c is being filled; members change");
    (void)request(f, "GET /v1/nodes", "");
    assert_int_equal(number_at(f, "nodes.2.weight"), 0);
    assert_int_equal(number_at(f, "nodes.2.next_weight"), 1);
    assert_true(json_real_value(at(f, "nodes.2.share")) == 0);
    assert_true(json_real_value(at(f, "nodes.2.next_share")) > 0.3);
    assert_true(json_is_true(at(f, "nodes.2.filling")));
}

/* Of two copies on three members, two thirds of the keys had one on each of them. */
static void keys_with_fewer_copies_are_told_of(void **state)
{
    static const struct {
        unsigned replicas, n_gone;
        double least, most;
    } cases[] = {
        { 2, 0, 0, 0 }, { 2, 1, 0.55, 0.78 }, { 1, 1, 0.25, 0.42 }, { 2, 2, 1, 1 },
        { 1, 3, 1, 1 }, { 5, 0, 1, 1 },
    };
    struct fake *f = *state;

    for (size_t i = 0; i < N_OF(cases); i++) {
        double missing;

        f->map->replicas = (uint16_t)cases[i].replicas;
        for (unsigned j = 0; j < 3; j++)
            f->map->members[j].state = j < cases[i].n_gone ? MEMBER_EJECTED : MEMBER_UP;
        (void)request(f, "GET /v1/cluster", "");
        missing = json_real_value(at(f, "copies_missing"));
        assert_true(missing >= cases[i].least && missing <= cases[i].most);
    }
}

static void members_that_do_not_answer_say_why(void **state)
{
    struct fake *f = *state;

    f->answers[1] = (struct admin_answer){ .reason = "connection refused" };
    (void)request(f, "GET /v1/nodes", "");
    assert_true(json_is_true(at(f, "nodes.0.answers")));
    assert_true(json_is_false(at(f, "nodes.1.answers")));
    assert_string_equal(text_at(f, "nodes.1.reason"), "connection refused");
    assert_null(at(f, "nodes.1.items"));
}

static void where_shows_owner_copies_and_pending(void **state)
{
    struct fake *f = *state;
    struct view *v;
    struct placing p;

    f->map->phase = MAP_JOINT;
    f->map->members[2].weight = 0;
    f->map->members[2].filling = true;
    v = fake_view(f);
    view_place(v, ring_hash("key-3", 5), &p);
    f->answers[p.owner].holds = true;
    f->answers[p.owner].version = 1ull << 62;
    assert_int_equal(request(f, "GET /v1/ring/where/key-3", ""), 200);
    assert_int_equal(f->asked_key_len, 5);
    assert_memory_equal(f->asked_key, "key-3", 5);
    assert_string_equal(text_at(f, "owner.name"), v->map->members[p.owner].name);
    assert_true(number_at(f, "owner.version") == 1ll << 62);
    assert_int_equal(json_array_size(at(f, "copies")), p.n_copies);
    assert_int_equal(json_array_size(at(f, "pending")), p.n_pending);
    assert_int_equal(number_at(f, "position"), ring_hash("key-3", 5));
    assert_true(json_is_false(at(f, "copies.0.holds")));
    view_unref(v);
}

/* One whose turn has not come cannot be asked, and that is no "has it not". */
static void who_was_not_asked_neither_has_it_nor_not(void **state)
{
    struct fake *f = *state;

    for (size_t i = 0; i < 3; i++)
        f->answers[i] = (struct admin_answer){ .reason = "not ready" };
    (void)request(f, "GET /v1/ring/where/k", "");
    assert_true(json_is_null(at(f, "owner.holds")));
    assert_string_equal(text_at(f, "owner.reason"), "not ready");
}

static void hot_keys_have_shares_and_owners(void **state)
{
    struct fake *f = *state;
    struct view *v = fake_view(f);
    const char key[] = { 'a', '\0', '/' };
    const int owner = view_owner(v, ring_hash(key, 3));

    f->hot[0] = (struct admin_hotkey){ key, 3, 40, 10 };
    f->hot[1] = (struct admin_hotkey){ "b", 1, 5, 0 };
    f->n_hot = 2;
    assert_int_equal(request(f, "GET /v1/hotkeys", ""), 200);
    assert_int_equal(json_array_size(at(f, "keys")), 2);
    assert_string_equal(text_at(f, "keys.0.key"), "a%00%2F");
    assert_true(json_real_value(at(f, "requests_per_second")) == 100);
    assert_true(json_real_value(at(f, "keys.0.requests_per_second")) == 40);
    assert_true(json_real_value(at(f, "keys.0.share")) == 0.4);
    assert_true(json_real_value(at(f, "keys.0.write_share")) == 0.25);
    assert_string_equal(text_at(f, "keys.0.owner"), v->map->members[owner].name);
    assert_string_equal(text_at(f, "keys.1.key"), "b");
    view_unref(v);
    free(f->map);
    f->map = NULL;
    (void)request(f, "GET /v1/hotkeys", "");
    assert_true(json_is_null(at(f, "keys.0.owner")));
    f->why = "not shown";
    assert_int_equal(request(f, "GET /v1/hotkeys", ""), 403);
    assert_string_equal(text_at(f, "error"), "not shown");
}

static void answers_may_come_late_and_clients_may_be_gone(void **state)
{
    struct fake *f = *state;

    f->later = true;
    send_request(f, "GET /v1/nodes", "");
    for (int i = 0; i < TURNS_MAX && f->told == NULL; i++)
        turn(f);
    assert_non_null(f->told);
    answer_now(f);
    read_answer(f);
    assert_int_equal(f->status, 200);

    send_request(f, "GET /v1/nodes", "");
    for (int i = 0; i < TURNS_MAX && f->told == NULL; i++)
        turn(f);
    close(f->client);
    f->client = -1;
    for (int i = 0; i < 100; i++)
        turn(f);
    answer_now(f);
    for (int i = 0; i < 100; i++)
        turn(f);

    f->later = false;
    assert_int_equal(request(f, "GET /v1/nodes", ""), 200);
}

/* It ends while somebody waits for members: nothing is left behind, which a
 * leak checker sees. */
static void the_end_may_come_before_an_answer(void **state)
{
    struct fake *f = *state;

    f->later = true;
    send_request(f, "GET /v1/nodes", "");
    for (int i = 0; i < TURNS_MAX && f->told == NULL; i++)
        turn(f);
    assert_non_null(f->told);
}

static void connections_are_counted_as_they_come_and_go(void **state)
{
    struct fake *f = *state;
    int held[72];               /* more than are accepted, no more than may wait */

    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < N_OF(held); i++) {
            held[i] = socket(AF_INET, SOCK_STREAM, 0);
            assert_int_equal(connect(held[i], (struct sockaddr *)&f->at, sizeof(f->at)), 0);
            turn(f);
        }
        for (size_t i = 0; i < N_OF(held); i++)
            close(held[i]);
        for (int i = 0; i < 300; i++)
            turn(f);
        assert_int_equal(request(f, "GET /v1/nodes", ""), 200);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_verdict_names_who_is_not_up, fake_setup,
                                        fake_teardown),
        cmocka_unit_test_setup_teardown(a_drained_member_is_no_loss, fake_setup, fake_teardown),
        cmocka_unit_test_setup_teardown(a_change_shows_both_weights_and_both_shares, fake_setup,
                                        fake_teardown),
        cmocka_unit_test_setup_teardown(keys_with_fewer_copies_are_told_of, fake_setup,
                                        fake_teardown),
        cmocka_unit_test_setup_teardown(members_that_do_not_answer_say_why, fake_setup,
                                        fake_teardown),
        cmocka_unit_test_setup_teardown(where_shows_owner_copies_and_pending, fake_setup,
                                        fake_teardown),
        cmocka_unit_test_setup_teardown(who_was_not_asked_neither_has_it_nor_not, fake_setup,
                                        fake_teardown),
        cmocka_unit_test_setup_teardown(hot_keys_have_shares_and_owners, fake_setup,
                                        fake_teardown),
        cmocka_unit_test_setup_teardown(answers_may_come_late_and_clients_may_be_gone,
                                        fake_setup, fake_teardown),
        cmocka_unit_test_setup_teardown(the_end_may_come_before_an_answer, fake_setup,
                                        fake_teardown),
        cmocka_unit_test_setup_teardown(connections_are_counted_as_they_come_and_go, fake_setup,
                                        fake_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
