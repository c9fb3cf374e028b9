#include "admin_help.h"

static const char all[] = "abcdefghijklmnopqrstuvwxyz";

/* Each member has what the map says. */
static void fill(struct fake *f)
{
    static char held[3][sizeof(all)];
    struct view *v = fake_view(f);

    memset(held, 0, sizeof(held));
    for (const char *key = all; *key != '\0'; key++)
        for (int i = 0; i < 3; i++)
            if (view_keeps(v, i, ring_hash(key, 1)))
                held[i][strlen(held[i])] = *key;
    for (int i = 0; i < 3; i++)
        f->held[i] = held[i];
    f->page = 4;
    view_unref(v);
}

/* A key that member 0 has, by its place in held[0]. */
static char *of_first(struct fake *f, size_t i)
{
    assert_true(i < strlen(f->held[0]));
    return (char *)f->held[0] + i;
}

static long long items_of_all_groups(struct fake *f)
{
    const json_t *group, *member;
    long long sum = 0;
    size_t i, j;

    json_array_foreach(at(f, "groups"), i, group) {
        json_array_foreach(json_object_get(group, "members"), j, member)
            sum += json_integer_value(json_object_get(member, "items"));
        assert_int_equal(j, 2);
    }
    return sum;
}

static void copies_that_are_there_are_equal(void **state)
{
    struct fake *f = *state;

    for (size_t page = 1; page < 40; page += 13) {
        fill(f);
        f->page = page;
        assert_int_equal(request(f, "GET /v1/replicas", ""), 200);
        assert_true(json_is_true(at(f, "equal")));
        assert_int_equal(number_at(f, "replicas"), 2);
        assert_int_equal(items_of_all_groups(f), 2 * 26);
        assert_in_range(json_array_size(at(f, "groups")), 3, 6);
        assert_int_equal(number_at(f, "nodes.0.strays"), 0);
    }
}

static void a_copy_that_is_missing_is_found(void **state)
{
    struct fake *f = *state;

    fill(f);
    memmove(of_first(f, 2), of_first(f, 3), strlen(of_first(f, 2)));
    (void)request(f, "GET /v1/replicas", "");
    assert_true(json_is_false(at(f, "equal")));
    assert_int_equal(items_of_all_groups(f), 2 * 26 - 1);
}

static void a_copy_of_another_version_is_found(void **state)
{
    struct fake *f = *state;

    fill(f);
    *of_first(f, 2) = (char)(*of_first(f, 2) - 'a' + 'A');
    (void)request(f, "GET /v1/replicas", "");
    assert_true(json_is_false(at(f, "equal")));
    assert_int_equal(items_of_all_groups(f), 2 * 26);
}

static void an_item_that_is_nowhere_to_be_is_a_stray(void **state)
{
    struct fake *f = *state;

    fill(f);
    f->held[0] = all;
    (void)request(f, "GET /v1/replicas", "");
    assert_true(json_is_true(at(f, "equal")));
    assert_int_equal(items_of_all_groups(f), 2 * 26);
    assert_true(number_at(f, "nodes.0.strays") > 0);
    assert_int_equal(number_at(f, "nodes.1.strays"), 0);
}

static void a_member_that_does_not_answer_is_equal_to_nobody(void **state)
{
    struct fake *f = *state;

    fill(f);
    f->held[1] = NULL;
    (void)request(f, "GET /v1/replicas", "");
    assert_true(json_is_false(at(f, "equal")));
    assert_true(json_is_false(at(f, "nodes.1.answers")));
    assert_string_equal(text_at(f, "nodes.1.reason"), "connection refused");
    assert_true(json_is_true(at(f, "nodes.0.answers")));
}

static void they_are_counted_for_one_at_a_time(void **state)
{
    struct fake *f = *state;
    int first;

    fill(f);
    f->page = 1;
    send_request(f, "GET /v1/replicas", "");
    for (int i = 0; i < 8; i++)
        turn(f);
    first = f->client;
    assert_int_equal(request(f, "GET /v1/replicas", ""), 503);
    f->client = first;
    read_answer(f);
    assert_int_equal(f->status, 200);
    assert_int_equal(request(f, "GET /v1/replicas", ""), 200);
}

static void the_end_may_come_while_they_are_counted(void **state)
{
    struct fake *f = *state;

    fill(f);
    f->page = 1;
    send_request(f, "GET /v1/replicas", "");
    for (int i = 0; i < 8; i++)
        turn(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(copies_that_are_there_are_equal, fake_setup,
                                        fake_teardown),
        cmocka_unit_test_setup_teardown(a_copy_that_is_missing_is_found, fake_setup,
                                        fake_teardown),
        cmocka_unit_test_setup_teardown(a_copy_of_another_version_is_found, fake_setup,
                                        fake_teardown),
        cmocka_unit_test_setup_teardown(an_item_that_is_nowhere_to_be_is_a_stray, fake_setup,
                                        fake_teardown),
        cmocka_unit_test_setup_teardown(a_member_that_does_not_answer_is_equal_to_nobody,
                                        fake_setup, fake_teardown),
        cmocka_unit_test_setup_teardown(they_are_counted_for_one_at_a_time, fake_setup,
                                        fake_teardown),
        cmocka_unit_test_setup_teardown(the_end_may_come_while_they_are_counted, fake_setup,
                                        fake_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
