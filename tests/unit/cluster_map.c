#include "cluster_help.h"

#include "base/bytes.h"
#include "cluster/cluster.h"
#include "cluster/source.h"

/* Members "a", "b", ... with all that a member has. */
static struct map *make_map(uint64_t epoch, size_t n)
{
    struct map *map = map_new(n);

    assert_non_null(map);
    map->epoch = epoch;
    map->replicas = 2;
    strcpy(map->leader, "l");
    strcpy(map->leader_address, "l:301");
    for (size_t i = 0; i < n; i++) {
        struct member *m = &map->members[i];

        m->weight = (uint16_t)(i + 1);
        m->state = MEMBER_UP;
        m->incarnation = 100 + i;
        m->since = epoch;
        m->name[0] = (char)('a' + i);
        m->zone[0] = 'z';
        snprintf(m->address, sizeof(m->address), "10.0.0.%zu:11301", i + 1);
    }
    map_number(map);
    return map;
}

static char *bytes_of(const struct map *map, size_t *len)
{
    char *data;

    *len = map_len(map);
    data = malloc(*len);
    assert_non_null(data);
    map_put(data, map);
    return data;
}

static void a_map_is_read_as_it_was_written(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 26; n += 5) {
        struct map *map = make_map(n * 1000000007u, n), *got;
        size_t len;
        char *data;

        map->phase = MAP_SWITCHED;
        map->phase_since--;
        map->members[0].next_weight = 100;
        map->members[0].wanted_weight = 99;
        map->members[0].filling = true;
        map->members[n - 1].state = MEMBER_SUSPENDED;
        map->members[n / 2].voter = n > 1;
        data = bytes_of(map, &len);
        got = map_read(data, len);
        assert_non_null(got);
        assert_int_equal(got->epoch, map->epoch);
        assert_int_equal(got->phase_since, map->phase_since);
        assert_int_equal(got->replicas, map->replicas);
        assert_int_equal(got->phase, map->phase);
        assert_string_equal(got->leader, map->leader);
        assert_string_equal(got->leader_address, map->leader_address);
        assert_int_equal(got->n, n);
        assert_memory_equal(got->members, map->members, n * sizeof(map->members[0]));
        assert_int_equal(map_digest(got), map_digest(map));
        free(got);
        free(data);
        free(map);
    }
}

static void names_may_be_as_long_as_they_may_be(void **state)
{
    struct map *map = make_map(1, 1), *got;
    size_t len;
    char *data;

    (void)state;
    memset(map->members[0].name, 'n', MAP_NAME_MAX);
    memset(map->members[0].zone, 'z', MAP_NAME_MAX);
    memset(map->members[0].address, 'a', ADDRESS_MAX - 1);
    map->members[0].address[ADDRESS_MAX - 1] = '\0';
    data = bytes_of(map, &len);
    got = map_read(data, len);
    assert_non_null(got);
    assert_memory_equal(got->members, map->members, sizeof(map->members[0]));
    free(got);
    free(data);
    free(map);
}

static void a_map_that_is_cut_or_goes_on_is_none(void **state)
{
    struct map *map = make_map(1, 3);
    size_t len;
    char *data = bytes_of(map, &len), *more = malloc(len + 1);

    (void)state;
    for (size_t cut = 0; cut < len; cut++) {
        char *piece = malloc(cut + 1);

        assert_non_null(piece);
        memcpy(piece + 1, data, cut);
        assert_null(map_read(piece + 1, cut));
        free(piece);
    }
    assert_non_null(more);
    memcpy(more, data, len);
    more[len] = 0;
    assert_null(map_read(more, len + 1));
    free(more);
    free(data);
    free(map);
}

static void damaged_bytes_are_no_map(void **state)
{
    enum { MEMBER = 25 + 1 + 5, NAME = MEMBER + 29 };
    static const struct { size_t at; char byte; } damages[] = {
        { 0, 'm' }, { 1, 2 },           /* another format */
        { 9, (char)0x80 },              /* an epoch without a next one */
        { 10, 2 },                      /* a phase from later on */
        { 18, 0 }, { 18, 6 },           /* copies: none, too many */
        { 20, 3 },                      /* no phase */
        { 21, 2 },                      /* one member fewer than there are */
        { 21, 4 }, { 22, (char)0xff },  /* more */
        { 23, 65 }, { 24, (char)ADDRESS_MAX }, { 24, (char)0xff },
        { 25, ' ' }, { 25, '\0' }, { 26, '\n' },         /* the leader and its address */
        { MEMBER, 0 }, { MEMBER, 2 },   /* number: none, taken */
        { MEMBER + 1, 0x7f },           /* too great */
        { MEMBER + 2, 101 }, { MEMBER + 4, 101 }, { MEMBER + 6, 101 },  /* weights */
        { MEMBER + 4, 2 },              /* two of them while nothing changes */
        { MEMBER + 8, 0 }, { MEMBER + 8, 4 }, { MEMBER + 8, (char)0xff },       /* state */
        { MEMBER + 9, 1 }, { MEMBER + 9, 4 },           /* filling, unknown */
        { MEMBER + 18, 2 },             /* since a later epoch */
        { MEMBER + 26, 0 }, { MEMBER + 26, 65 }, { MEMBER + 26, (char)0xff },   /* lengths */
        { MEMBER + 27, 65 }, { MEMBER + 28, (char)ADDRESS_MAX },
        { NAME, 'b' }, { NAME, 'c' },   /* a name twice; out of order */
        { NAME, '\0' }, { NAME + 1, '\0' }, { NAME + 2, '\0' },
        { NAME, '\n' }, { NAME, ' ' }, { NAME, '\x7f' }, { NAME, (char)0xc3 },
        { NAME + 1, '\r' }, { NAME + 1, ' ' },   /* the zone */
        { NAME + 2, '\n' }, { NAME + 2, '\x7f' },        /* the address */
    };
    struct map *map = make_map(1, 3);
    size_t len;
    char *data = bytes_of(map, &len);

    (void)state;
    for (size_t i = 0; i < N_OF(damages); i++) {
        char old = data[damages[i].at];
        struct map *got;

        data[damages[i].at] = damages[i].byte;
        got = map_read(data, len);
        if (got != NULL)
            fail_msg("case %zu was read", i);
        data[damages[i].at] = old;
    }
    bytes_put_u64(data + 2, 0);
    bytes_put_u64(data + 10, 0);
    assert_null(map_read(data, len));   /* epoch 0 is no map */
    free(data);
    free(map);
}

static void no_map_has_too_many_members(void **state)
{
    struct map *map = map_new(MAP_MAX_MEMBERS + 1);

    (void)state;
    assert_non_null(map);
    map->epoch = 1;
    map->replicas = 1;
    for (size_t i = 0; i < map->n; i++) {
        snprintf(map->members[i].name, sizeof(map->members[i].name), "s%04zu", i);
        map->members[i].weight = 1;
        map->members[i].state = MEMBER_UP;
    }
    map_number(map);
    assert_false(map_is_sound(map));
    map->n--;
    assert_true(map_is_sound(map));
    free(map);
}

/* The order of the list, and where a member lives, decide nothing. */
static void the_digest_knows_neither_order_nor_address(void **state)
{
    struct map *map = make_map(1, 5);
    uint64_t digest = map_digest(map);

    (void)state;
    for (size_t turn = 0; turn < 5; turn++) {
        struct member first = map->members[0];

        memmove(&map->members[0], &map->members[1], 4 * sizeof(first));
        map->members[4] = first;
        snprintf(first.address, sizeof(first.address), "@elsewhere");
        for (size_t i = 0; i < 5; i++) {
            memcpy(map->members[i].address, first.address, sizeof(first.address));
            map->members[i].number = (uint16_t)(5 - i);
        }
        map_number(map);
        assert_int_equal(map_digest(map), digest);
        for (size_t i = 0; i < 5; i++)
            assert_int_equal(map->members[i].number, i + 1);
        memmove(&map->members[0], &map->members[1], 4 * sizeof(first));
        map->members[4] = first;
        map_number(map);
    }
    free(map);
}

#define CHANGE(name, change) \
    static void name(struct map *map, struct member *m) { (void)map; (void)m; change; }
CHANGE(change_epoch, map->epoch++)
CHANGE(change_phase, map->phase = MAP_JOINT)
CHANGE(change_begin, map->phase_since--)
CHANGE(change_replicas, map->replicas++)
CHANGE(change_leader, map->leader[0] = 'm')
CHANGE(change_number, m->number = 9)
CHANGE(change_weight, m->weight++)
CHANGE(change_next_weight, m->next_weight++)
CHANGE(change_wanted_weight, m->wanted_weight++)
CHANGE(change_state, m->state = MEMBER_EJECTED)
CHANGE(change_filling, m->filling = true)
CHANGE(change_voter, m->voter = true)
CHANGE(change_incarnation, m->incarnation++)
CHANGE(change_since, m->since--)
CHANGE(change_name, m->name[1] = 'x')
CHANGE(change_zone, m->zone[0] = 'y')

static void the_digest_knows_what_members_must_agree_on(void **state)
{
    static void (*const changes[])(struct map *, struct member *) = {
        change_epoch, change_phase, change_begin, change_replicas, change_leader,
        change_number, change_weight, change_next_weight, change_wanted_weight,
        change_state, change_filling, change_voter, change_incarnation, change_since,
        change_name, change_zone,
    };
    struct map *map = make_map(1, 3), head = *map;
    uint64_t digest = map_digest(map);
    struct member *m = &map->members[1], old = *m;

    (void)state;
    for (size_t i = 0; i < N_OF(changes); i++) {
        changes[i](map, m);
        if (map_digest(map) == digest)
            fail_msg("case %zu", i);
        *m = old;
        *map = head;
    }
    assert_int_equal(map_digest(map), digest);
    free(map);
}

static void no_map_contradicts_itself(void **state)
{
    static const struct { enum map_phase phase; const char *members; bool sound; } cases[] = {
        { MAP_STABLE, "11U 11U", true }, { MAP_STABLE, "00U 11U", true },
        { MAP_STABLE, "00U 00U", false }, { MAP_STABLE, "11Uf 11U", false },
        { MAP_STABLE, "10U 11U", false }, { MAP_STABLE, "11E 11E", true },
        { MAP_STABLE, "11Ev 11U", true }, { MAP_STABLE, "11Sv 11U", true },
        { MAP_JOINT, "01Uf 11U", true }, { MAP_JOINT, "01E 11U", true },
        { MAP_JOINT, "01Ef 11U", false }, { MAP_JOINT, "01Ufv 11U", false },
        { MAP_JOINT, "10U 10U", false }, { MAP_SWITCHED, "01Sf 11U", true },
        { MAP_STABLE, "11Uv 11Uv 11Uv 11Uv 11Uv 11Uv 11Uv", true },
        { MAP_STABLE, "11Uv 11Uv 11Uv 11Uv 11Uv 11Uv 11Uv 11Uv", false },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        struct map *map = map_of(3, 2, cases[i].phase, cases[i].members);

        if (map_is_sound(map) != cases[i].sound)
            fail_msg("case %zu", i);
        free(map);
    }
}

static void voters_are_the_leader_and_who_is_named(void **state)
{
    static const struct {
        const char *leader, *members, *name;
        size_t n;
        bool voter, wants_lease;
    } cases[] = {
        { "", "11U 11U", "a", 0, false, false },
        { "l", "11U 11U", "a", 1, false, true }, { "l", "11U 11U", "l", 1, true, false },
        { "l", "11Uv 11Uv", "a", 3, true, true }, { "l", "11Uv 11Uv", "l", 3, true, true },
        { "a", "11Uv 11U", "a", 1, true, false }, { "a", "11U 11Uv", "a", 2, true, true },
        { "a", "11U 11U", "b", 1, false, true },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        struct map *map = map_of(1, 1, MAP_STABLE, cases[i].members);

        strcpy(map->leader, cases[i].leader);
        if (map_n_voters(map) != cases[i].n ||
            map_is_voter(map, cases[i].name) != cases[i].voter ||
            map_wants_lease(map, cases[i].name) != cases[i].wants_lease)
            fail_msg("case %zu", i);
        assert_false(map_is_voter(map, ""));
        free(map);
    }
}

static void a_member_is_found_by_its_name(void **state)
{
    struct map *map = make_map(1, 3);

    (void)state;
    assert_int_equal(map_find(map, "a"), 0);
    assert_int_equal(map_find(map, "c"), 2);
    assert_int_equal(map_find(map, "d"), -1);
    assert_int_equal(map_find(map, ""), -1);
    assert_int_equal(map_find_number(map, 3), 2);
    assert_int_equal(map_find_number(map, 4), -1);
    free(map);
}

static void only_a_newer_map_is_adopted(void **state)
{
    static const struct { uint64_t epoch, now; enum adopted adopted; } cases[] = {
        { 3, 3, ADOPTED }, { 3, 3, ADOPTED_OLD }, { 2, 3, ADOPTED_OLD },
        { 4, 4, ADOPTED }, { UINT64_MAX, UINT64_MAX, ADOPTED }, { 5, UINT64_MAX, ADOPTED_OLD },
    };
    struct cluster *c = cluster_new("test", "b");

    (void)state;
    assert_null(cluster_view(c));
    assert_int_equal(cluster_epoch(c), 0);
    for (size_t i = 0; i < N_OF(cases); i++) {
        struct view *v;

        assert_int_equal(cluster_adopt(c, make_map(cases[i].epoch, 3)), cases[i].adopted);
        assert_int_equal(cluster_epoch(c), cases[i].now);
        v = cluster_view(c);
        assert_int_equal(v->map->epoch, cases[i].now);
        assert_int_equal(v->digest, map_digest(v->map));
        assert_int_equal(v->self, 1);
        view_unref(v);
    }
    cluster_free(c);
}

static void an_old_view_stays_while_somebody_holds_it(void **state)
{
    struct cluster *c = cluster_new("test", "nobody");
    struct view *old;

    (void)state;
    assert_int_equal(cluster_adopt(c, make_map(1, 2)), ADOPTED);
    old = cluster_view(c);
    assert_int_equal(cluster_adopt(c, make_map(2, 3)), ADOPTED);
    assert_int_equal(old->map->n, 2);
    assert_int_equal(ring_n_members(old->ring), 2);
    assert_int_equal(old->self, -1);
    cluster_free(c);
    assert_int_equal(old->map->epoch, 1);
    view_unref(old);
}

static struct view *view_of_list(const struct leader_member *members, size_t n)
{
    struct cluster *c = cluster_new("test", "a");
    struct view *v = source_static(c, members, n) ? cluster_view(c) : NULL;

    cluster_free(c);
    return v;
}

static void the_same_list_in_any_order_is_the_same_map(void **state)
{
    static const struct leader_member list[] = {
        { "c", "", "10.0.0.3:1", 1 }, { "a", "", "", 2 }, { "b", "", "/run/b.sock", 3 },
    }, other[] = {
        { "b", "", "10.0.0.2:1", 3 }, { "c", "", "10.0.0.3:1", 1 }, { "a", "", "10.0.0.1:1", 2 },
    };
    struct view *v = view_of_list(list, 3), *w = view_of_list(other, 3);

    (void)state;
    assert_non_null(v);
    assert_non_null(w);
    assert_int_equal(v->map->epoch, 1);
    assert_int_equal(v->digest, w->digest);
    assert_string_equal(v->map->members[1].name, "b");
    assert_string_equal(v->map->members[1].address, "/run/b.sock");
    assert_int_equal(v->map->members[1].weight, 3);
    assert_int_equal(v->self, 0);
    view_unref(v);
    view_unref(w);
}

static void a_list_that_makes_no_sound_map_does_not_start(void **state)
{
    static const struct leader_member twice[] = { { "a", "", "x:1", 1 }, { "a", "", "y:1", 1 } };
    static const struct leader_member no_weight[] = { { "a", "", "x:1", 0 } };

    (void)state;
    assert_null(view_of_list(twice, 2));
    assert_null(view_of_list(no_weight, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_map_is_read_as_it_was_written),
        cmocka_unit_test(names_may_be_as_long_as_they_may_be),
        cmocka_unit_test(a_map_that_is_cut_or_goes_on_is_none),
        cmocka_unit_test(damaged_bytes_are_no_map),
        cmocka_unit_test(no_map_has_too_many_members),
        cmocka_unit_test(the_digest_knows_neither_order_nor_address),
        cmocka_unit_test(the_digest_knows_what_members_must_agree_on),
        cmocka_unit_test(voters_are_the_leader_and_who_is_named),
        cmocka_unit_test(no_map_contradicts_itself),
        cmocka_unit_test(a_member_is_found_by_its_name),
        cmocka_unit_test(only_a_newer_map_is_adopted),
        cmocka_unit_test(an_old_view_stays_while_somebody_holds_it),
        cmocka_unit_test(the_same_list_in_any_order_is_the_same_map),
        cmocka_unit_test(a_list_that_makes_no_sound_map_does_not_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
