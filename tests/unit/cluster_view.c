#include "cluster_help.h"

#include "cluster/view.h"

/* A position whose clockwise order of "a", "b", "c", "d" is just that.  It is
 * the same for any of them that has weight 1, as points depend on names alone. */
static uint32_t abcd(void)
{
    struct ring_member members[4] = { { "a", "", 1 }, { "b", "", 1 }, { "c", "", 1 },
                                      { "d", "", 1 } };
    struct ring *ring = ring_new(members, 4);
    uint32_t position = 0;
    unsigned chain[4];

    assert_non_null(ring);
    do {
        position += 0x10001;
        assert_int_equal(ring_chain(ring, position, chain, 4), 4);
    } while (chain[0] != 0 || chain[1] != 1 || chain[2] != 2);
    ring_free(ring);
    return position;
}

/* "owner copies +pending <old owner", "-" for nobody: "a bc +d". */
static const char *text_of(const struct placing *p)
{
    static char text[40];
    char *at = text;

    *at++ = p->owner < 0 ? '-' : (char)('a' + p->owner);
    *at++ = ' ';
    for (unsigned i = 0; i < p->n_copies; i++)
        *at++ = (char)('a' + p->copies[i]);
    if (p->n_pending > 0)
        *at++ = '+';
    for (unsigned i = 0; i < p->n_pending; i++)
        *at++ = (char)('a' + p->pending[i]);
    if (p->old_owner >= 0) {
        *at++ = '<';
        *at++ = (char)('a' + p->old_owner);
    }
    *at = '\0';
    return text;
}

static const char *those(const struct view *v, uint32_t position,
                         bool (*ask)(const struct view *, int, uint32_t))
{
    static char text[2][10];
    static unsigned turn;
    char *at = text[++turn % 2];

    for (size_t i = 0; i < v->map->n; i++)
        if (ask(v, (int)i, position))
            *at++ = (char)('a' + i);
    *at = '\0';
    return text[turn % 2];
}

/* Of a key whose chain over all four is a, b, c, d. */
static void a_key_is_placed_by_the_phase(void **state)
{
    static const struct {
        enum map_phase phase;
        unsigned replicas;
        const char *members, *placing, *keep, *read;
    } cases[] = {
        /* nothing changes */
        { MAP_STABLE, 1, "11U 11U 11U 11U", "a ", "a", "" },
        { MAP_STABLE, 2, "11U 11U 11U 11U", "a b", "ab", "b" },
        { MAP_STABLE, 3, "11U 11U 11U 11U", "a bc", "abc", "bc" },
        { MAP_STABLE, 5, "11U 11U 11U 11U", "a bcd", "abcd", "bcd" },
        { MAP_STABLE, 2, "00U 11U 00U 11U", "b d", "bd", "d" },
        /* a suspended one is live; an ejected one is not, but nobody moves up */
        { MAP_STABLE, 2, "11S 11U 11U 11U", "a b", "ab", "b" },
        { MAP_STABLE, 2, "11E 11U 11U 11U", "b ", "b", "" },
        { MAP_STABLE, 2, "11U 11E 11U 11U", "a ", "a", "" },
        { MAP_STABLE, 3, "11E 11U 11U 11U", "b c", "bc", "c" },
        { MAP_STABLE, 1, "11E 11U 11U 11U", "- ", "", "" },
        { MAP_STABLE, 2, "11E 11E 11U 11U", "- ", "", "" },
        /* a joins: b rules and leads; c is on its way out and is not read */
        { MAP_JOINT, 2, "01Uf 11U 11U 11U", "b c+a", "abc", "" },
        { MAP_JOINT, 3, "01Uf 11U 11U 11U", "b cd+a", "abcd", "c" },
        { MAP_JOINT, 1, "01Uf 11U 11U 11U", "b +a", "ab", "" },
        { MAP_SWITCHED, 2, "01Uf 11U 11U 11U", "a b<b", "abc", "b" },
        { MAP_SWITCHED, 1, "01Uf 11U 11U 11U", "a <b", "ab", "" },
        { MAP_SWITCHED, 2, "01Uf 11E 11U 11U", "a <c", "ac", "" },
        { MAP_SWITCHED, 2, "01E 11U 11U 11U", "b ", "bc", "" },
        /* b joins in the middle: the owner stays */
        { MAP_JOINT, 2, "11U 01Uf 11U 11U", "a c+b", "abc", "" },
        { MAP_SWITCHED, 2, "11U 01Uf 11U 11U", "a b", "abc", "b" },
        /* d joins: the key is not its business */
        { MAP_JOINT, 2, "11U 11U 11U 01Uf", "a b", "ab", "b" },
        { MAP_SWITCHED, 2, "11U 11U 11U 01Uf", "a b", "ab", "b" },
        /* a leaves */
        { MAP_JOINT, 2, "10U 11U 11U 11U", "a b+c", "abc", "b" },
        { MAP_SWITCHED, 2, "10U 11U 11U 11U", "b c<a", "abc", "c" },
        { MAP_SWITCHED, 2, "10E 11U 11U 11U", "b c", "bc", "c" },
        /* a comes back: its place was kept, what it held counts as absent */
        { MAP_JOINT, 2, "11Uf 11U 11U 11U", "b +a", "ab", "" },
        { MAP_SWITCHED, 2, "11Uf 11U 11U 11U", "a b<b", "ab", "b" },
        { MAP_JOINT, 1, "11Uf 11U 11U 11U", "- +a", "a", "" },
        /* a is replaced for good */
        { MAP_JOINT, 2, "10E 11U 11U 11U", "b +c", "bc", "" },
        { MAP_SWITCHED, 2, "10E 11U 11U 11U", "b c", "bc", "c" },
        { MAP_JOINT, 1, "10E 11U 11U 11U", "- +b", "b", "" },
    };
    uint32_t position = abcd();

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        struct map *map = map_of(7, cases[i].replicas, cases[i].phase, cases[i].members);
        struct view *v;
        struct placing p;

        if (!map_is_sound(map))
            fail_msg("case %zu is no map", i);
        v = view_new(map, "b");
        assert_non_null(v);
        view_place(v, position, &p);
        if (strcmp(text_of(&p), cases[i].placing) != 0)
            fail_msg("case %zu: \"%s\", not \"%s\"", i, text_of(&p), cases[i].placing);
        if (view_owner(v, position) != p.owner)
            fail_msg("case %zu: the owner alone is another", i);
        if (strcmp(those(v, position, view_keeps), cases[i].keep) != 0)
            fail_msg("case %zu: kept by \"%s\"", i, those(v, position, view_keeps));
        if (strcmp(those(v, position, view_reads), cases[i].read) != 0)
            fail_msg("case %zu: read from \"%s\"", i, those(v, position, view_reads));
        assert_int_equal(v->self, 1);
        view_unref(v);
    }
}

static void only_the_plainest_view_is_simple(void **state)
{
    static const struct {
        enum map_phase phase;
        unsigned replicas;
        const char *members;
        bool simple;
    } cases[] = {
        { MAP_STABLE, 1, "11U 22U", true },
        { MAP_STABLE, 1, "11U 00U", false },    /* the ring's indexes are others */
        { MAP_STABLE, 1, "11U 11S", false },
        { MAP_STABLE, 1, "11U 11E", false },
        { MAP_STABLE, 2, "11U 11U", false },
        { MAP_JOINT, 1, "11U 11U", false },
        { MAP_SWITCHED, 1, "11U 12U", false },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        struct view *v = view_new(map_of(1, cases[i].replicas, cases[i].phase,
                                         cases[i].members), "x");

        assert_non_null(v);
        if (v->simple != cases[i].simple)
            fail_msg("case %zu", i);
        assert_int_equal(v->self, -1);
        view_unref(v);
    }
}

/* Whatever changes: while it is joint, all who will be in the chain hear of each
 * write; when it is switched, all who were are not asked again. */
static void no_step_of_a_change_forgets_a_copy(void **state)
{
    static const char *const changes[] = {
        "01Uf 11U 11U 11U", "10U 11U 11U 11U", "12U 31U 11U 11U", "11Uf 11U 11U 10E",
        "01Uf 11U 10E 11S",
    };

    (void)state;
    for (size_t i = 0; i < N_OF(changes); i++) {
        for (unsigned replicas = 1; replicas <= 5; replicas++) {
            struct view *joint = view_new(map_of(2, replicas, MAP_JOINT, changes[i]), "a");
            struct view *switched = view_new(map_of(3, replicas, MAP_SWITCHED, changes[i]), "a");

            assert_non_null(joint);
            assert_non_null(switched);
            for (uint32_t at = 0; at < 0xfff00000; at += 0x300007) {
                struct placing p, q;
                bool told[4] = { false };

                view_place(joint, at, &p);
                view_place(switched, at, &q);
                if (p.owner >= 0)
                    told[p.owner] = true;
                for (unsigned j = 0; j < p.n_copies; j++)
                    told[p.copies[j]] = true;
                for (unsigned j = 0; j < p.n_pending; j++) {
                    assert_false(told[p.pending[j]]);
                    assert_false(view_reads(joint, p.pending[j], at));
                    told[p.pending[j]] = true;
                }
                assert_true(q.owner >= 0 && told[q.owner]);
                for (unsigned j = 0; j < q.n_copies; j++)
                    assert_true(told[q.copies[j]]);
                assert_int_equal(q.old_owner, p.owner != q.owner ? p.owner : -1);
                assert_int_equal(q.n_pending, 0);
                for (int m = 0; m < 4; m++)
                    assert_int_equal(view_keeps(joint, m, at), told[m]);
            }
            view_unref(joint);
            view_unref(switched);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_placed_by_the_phase),
        cmocka_unit_test(only_the_plainest_view_is_simple),
        cmocka_unit_test(no_step_of_a_change_forgets_a_copy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
