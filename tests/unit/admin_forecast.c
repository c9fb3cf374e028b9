#include "admin_help.h"

#include "admin/forecast.h"

static void near(double got, double wanted, double by)
{
    assert_true(got >= wanted - by && got <= wanted + by);
}

static void a_new_member_takes_its_share_of_each_copy(void **state)
{
    struct map *map = three_members();
    struct forecast f;

    (void)state;
    assert_true(forecast(map, "n", "", 1, &f));
    near(f.share, 0.25, 0.01);
    near(f.sent, 0.5, 0.02);            /* of two copies of each */
    assert_int_equal(f.copies, 2);
    assert_true(forecast(map, "n", "", 3, &f));
    near(f.share, 0.5, 0.01);
    free(map);
}

static void who_leaves_gives_away_just_what_it_has(void **state)
{
    struct map *map = three_members();
    struct ring_member members[3] = { { "a", "", 1 }, { "b", "", 1 }, { "c", "", 1 } };
    struct ring *ring = ring_new(members, 3);
    struct forecast f;

    (void)state;
    assert_true(forecast(map, "b", "", 0, &f));
    near(f.share, ring_share(ring, 1), 1e-9);
    near(f.sent, 2.0 / 3, 0.02);
    ring_free(ring);
    free(map);
}

static void nothing_moves_where_nothing_changes(void **state)
{
    struct map *map = three_members();
    struct forecast f;

    (void)state;
    assert_true(forecast(map, "b", "", 1, &f));
    assert_true(f.share == 0 && f.sent == 0);
    free(map);
}

/* Under way: it goes by what the weights are to become. */
static void a_change_begins_where_the_last_one_ends(void **state)
{
    struct map *map = three_members();
    struct forecast f;

    (void)state;
    map->phase = MAP_JOINT;
    map->members[2].next_weight = 0;
    assert_true(forecast(map, "c", "", 0, &f));
    assert_true(f.share == 0);
    assert_true(forecast(map, "b", "", 0, &f));
    near(f.share, 0.5, 0.02);
    map->members[1].next_weight = 0;
    assert_false(forecast(map, "a", "", 0, &f));
    free(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_member_takes_its_share_of_each_copy),
        cmocka_unit_test(who_leaves_gives_away_just_what_it_has),
        cmocka_unit_test(nothing_moves_where_nothing_changes),
        cmocka_unit_test(a_change_begins_where_the_last_one_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
