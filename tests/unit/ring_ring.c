/*
 * ring: known answers that hold for ever, and what a ring promises: balance,
 * few keys moved by a change, the same for everybody, chains over zones.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ring/ring.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* xorshift64*, Sebastiano Vigna 2014: the same numbers in every run. */
static uint64_t chance(uint64_t *seed)
{
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * 2685821657736338717u;
}

/* The position of a key of 8 to 16 random letters. */
static uint32_t random_position(uint64_t *seed)
{
    char key[16];
    size_t len = 8 + chance(seed) % 9;

    for (size_t i = 0; i < len; i++)
        key[i] = (char)('a' + chance(seed) % 26);
    return ring_hash(key, len);
}

static struct ring *make(const struct ring_member *members, size_t n)
{
    struct ring *ring = ring_new(members, n);

    assert_non_null(ring);
    assert_int_equal(ring_n_members(ring), n);
    return ring;
}

/* ---- known answers ---- */

static const struct ring_member four[] = {
    { "s1", "", 1 }, { "s2", "", 2 }, { "s3", "", 1 }, { "10.0.0.4:11301", "", 1 },
};

/* From another implementation, in another language. */
static void keys_have_the_owners_they_always_had(void **state)
{
    static const char x250[] =
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    static const struct {
        const char *key;
        size_t len;
        uint32_t hash;
        unsigned chain[4];
    } cases[] = {
        { "", 0, 0x00000000, { 0, 2, 3, 1 } },
        { "a", 1, 0x3c2569b2, { 1, 3, 0, 2 } },
        { "foo", 3, 0xf6a5c420, { 3, 0, 1, 2 } },
        { "bar", 3, 0x450e998d, { 1, 3, 2, 0 } },
        { "user:1000", 9, 0x396d9e9c, { 2, 0, 3, 1 } },
        { "user:1001", 9, 0x9a98bfc0, { 2, 3, 0, 1 } },
        { "session/9f8e", 12, 0x8342f4d3, { 0, 1, 3, 2 } },
        { "\0\xff\n", 3, 0x7a34127b, { 1, 2, 3, 0 } },
        { x250, 250, 0x7c251b22, { 1, 2, 0, 3 } },
        { "key-42", 6, 0x04df6717, { 1, 3, 0, 2 } },
    };
    static const double widths[] = { 858387428, 1702859262, 859892158, 873828448 };
    struct ring *ring = make(four, N(four));
    unsigned chain[4];

    (void)state;
    assert_int_equal(ring_n_points(ring), 20480);
    for (size_t i = 0; i < N(cases); i++) {
        assert_int_equal(ring_hash(cases[i].key, cases[i].len), cases[i].hash);
        assert_int_equal(ring_owner(ring, cases[i].hash), cases[i].chain[0]);
        assert_int_equal(ring_chain(ring, cases[i].hash, chain, 4), 4);
        assert_memory_equal(chain, cases[i].chain, sizeof(chain));
    }
    for (unsigned i = 0; i < N(four); i++)
        assert_true(ring_share(ring, i) == widths[i] / 4294967296.0);
    ring_free(ring);
}

static void the_circle_closes_behind_the_last_point(void **state)
{
    /* s1 has the first point, 0x00011fac, and the last, 0xffff0b81 */
    static const struct { uint32_t hash; unsigned owner; } cases[] = {
        { 0, 0 }, { 0x00011fac, 0 }, { 0x40000000, 3 }, { 0x80000000, 1 },
        { 0xc0000000, 2 }, { 0xffff0b81, 0 }, { 0xffff0b82, 0 }, { UINT32_MAX, 0 },
    };
    struct ring *ring = make(four, N(four));

    (void)state;
    for (size_t i = 0; i < N(cases); i++)
        assert_int_equal(ring_owner(ring, cases[i].hash), cases[i].owner);
    ring_free(ring);
}

/* ---- against the definition ---- */

struct point {
    uint32_t at;
    unsigned owner;
    const char *name;
};

static int by_place(const void *a, const void *b)
{
    const struct point *p = a, *q = b;

    if (p->at != q->at)
        return p->at < q->at ? -1 : 1;
    return strcmp(p->name, q->name);
}

/* All points of `members`, sorted; the caller frees them. */
static struct point *points_of(const struct ring_member *members, size_t n,
                               size_t *n_points)
{
    struct point *points = NULL;
    size_t used = 0;

    for (unsigned m = 0; m < n; m++) {
        unsigned more = members[m].weight * RING_POINTS;

        points = realloc(points, (used + more) * sizeof(*points));
        assert_non_null(points);
        for (unsigned i = 0; i < more; i++) {
            char label[64];
            int len = snprintf(label, sizeof(label), "%s-%u", members[m].name, i);

            points[used++] = (struct point){
                ring_hash(label, (size_t)len), m, members[m].name,
            };
        }
    }
    qsort(points, used, sizeof(*points), by_place);
    *n_points = used;
    return points;
}

static bool is_new(const struct ring_member *members, const unsigned *chain, size_t n,
                   unsigned owner, bool by_zone)
{
    for (size_t i = 0; i < n; i++) {
        const char *zone = members[owner].zone;

        if (chain[i] == owner)
            return false;
        if (by_zone && *zone != '\0' && strcmp(zone, members[chain[i]].zone) == 0)
            return false;
    }
    return true;
}

/* The chain that begins at points[start], the slow way. */
static size_t slow_chain(const struct ring_member *members, const struct point *points,
                         size_t n_points, size_t start, unsigned *chain, size_t max)
{
    size_t n = 0;

    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < n_points && n < max; i++) {
            unsigned owner = points[(start + i) % n_points].owner;

            if (is_new(members, chain, n, owner, round == 0))
                chain[n++] = owner;
        }
    }
    return n;
}

static void a_ring_answers_as_its_definition_does(void **state)
{
    static const struct ring_member lists[][5] = {
        { { "only", "", 1 } },
        { { "a", "", 1 }, { "b", "", 1 } },
        { { "a", "", 3 }, { "b", "", 1 }, { "c", "", 1 } },
        { { "a", "z1", 1 }, { "b", "z1", 1 }, { "c", "z2", 1 }, { "d", "", 1 },
          { "e", "", 1 } },
        { { "e", "z", 1 }, { "d", "z", 2 }, { "c", "z", 1 }, { "b", "z", 1 } },
    };

    (void)state;
    for (size_t l = 0; l < N(lists); l++) {
        const struct ring_member *members = lists[l];
        uint64_t widths[5] = { 0 };
        unsigned want[5], got[5];
        size_t n = 0, n_points;

        while (n < N(lists[l]) && members[n].name != NULL)
            n++;

        struct ring *ring = make(members, n);
        struct point *points = points_of(members, n, &n_points);

        assert_int_equal(ring_n_points(ring), n_points);
        for (size_t i = 0; i < n_points; i++) {
            size_t next = (i + 1) % n_points;
            bool tied = i > 0 && points[i].at == points[i - 1].at;

            widths[points[i].owner] += points[i].at - (i > 0 ? points[i - 1].at : 0);
            if (tied)
                continue;
            /* at a point, and just behind it */
            assert_int_equal(ring_owner(ring, points[i].at), points[i].owner);
            if (points[next].at != points[i].at)
                assert_int_equal(ring_owner(ring, points[i].at + 1), points[next].owner);
            if (i % 64 != 0)            /* the slow way is slow */
                continue;
            assert_int_equal(ring_chain(ring, points[i].at, got, 5), n);
            assert_int_equal(slow_chain(members, points, n_points, i, want, n), n);
            assert_memory_equal(got, want, n * sizeof(*got));
        }
        widths[points[0].owner] += 4294967296 - points[n_points - 1].at;
        for (unsigned i = 0; i < n; i++)
            assert_true(ring_share(ring, i) == (double)widths[i] / 4294967296.0);
        free(points);
        ring_free(ring);
    }
}

/* Three heavy members have some hundred points in common. */
static void equal_points_are_ordered_by_name(void **state)
{
    static const struct ring_member lists[][3] = {
        { { "a", "", 100 }, { "b", "", 100 }, { "c", "", 100 } },
        { { "c", "", 100 }, { "b", "", 100 }, { "a", "", 100 } },
    };

    (void)state;
    for (size_t l = 0; l < N(lists); l++) {
        struct ring *ring = make(lists[l], 3);
        size_t n_points, ties = 0;
        struct point *points = points_of(lists[l], 3, &n_points);
        unsigned chain[2];

        for (size_t i = 0; i + 1 < n_points; i++) {
            const struct point *p = &points[i], *q = &points[i + 1];

            if (p->at != q->at || p->owner == q->owner || (i > 0 && p[-1].at == p->at))
                continue;
            ties++;
            assert_true(strcmp(p->name, q->name) < 0);
            assert_int_equal(ring_owner(ring, p->at), p->owner);
            assert_int_equal(ring_chain(ring, p->at, chain, 2), 2);
            assert_int_equal(chain[0], p->owner);
            assert_int_equal(chain[1], q->owner);
        }
        assert_in_range(ties, 50, 200);
        free(points);
        ring_free(ring);
    }
}

static void bytes_of_a_name_are_compared_unsigned(void **state)
{
    static const struct ring_member members[] = {
        { "\xc3\xa4", "", 100 }, { "z", "", 100 }, { "zz", "", 1 },
    };
    size_t n_points, ties = 0;
    struct point *points = points_of(members, N(members), &n_points);
    struct ring *ring = make(members, N(members));

    (void)state;
    for (size_t i = 0; i + 1 < n_points; i++) {
        if (points[i].at == points[i + 1].at && points[i].owner == 1
                && points[i + 1].owner == 0) {
            assert_int_equal(ring_owner(ring, points[i].at), 1);
            ties++;
        }
    }
    assert_in_range(ties, 10, 100);
    free(points);
    ring_free(ring);
}

/* ---- names as operators choose them ---- */

#define NAMES_MAX 10            /* of a set */

struct names {
    char text[NAMES_MAX][40];
    struct ring_member members[NAMES_MAX];
};

static const struct {
    const char *before;         /* NULL: random names */
    unsigned first;
    bool letter;
    const char *after;
} kinds[] = {
    { "s", 1, false, "" },
    { "shard-", 0, true, "" },
    { "10.0.0.", 1, false, ":11301" },
    { "127.0.0.1:", 11301, false, "" },
    { "local-", 1, false, "" },
    { "cache-", 7, false, ".eu-west.example.net" },
    { "/run/chcached/", 1, false, ".sock" },
    { "", 0, true, "" },
    { "", 0, false, "" },
    { NULL, 0, false, NULL }, { NULL, 1, false, NULL }, { NULL, 2, false, NULL },
    { NULL, 3, false, NULL }, { NULL, 4, false, NULL }, { NULL, 5, false, NULL },
};

static void name_members(struct names *names, size_t kind)
{
    uint64_t seed = 1000 + kinds[kind].first;

    for (unsigned i = 0; i < NAMES_MAX; i++) {
        char *text = names->text[i];
        size_t size = sizeof(names->text[i]);
        unsigned number = kinds[kind].first + i;

        if (kinds[kind].before == NULL)
            snprintf(text, size, "%016llx", (unsigned long long)chance(&seed));
        else if (kinds[kind].letter)
            snprintf(text, size, "%s%c", kinds[kind].before, 'a' + (int)number);
        else
            snprintf(text, size, "%s%u%s", kinds[kind].before, number, kinds[kind].after);
        names->members[i] = (struct ring_member){ text, "", 1 };
    }
}

#define KEYS 10000

/*
 * The sample itself spreads: 10,000 keys thrown at six equal shares have a
 * coefficient of variation of 0.022 on average; the points add about 0.014.
 */
static void keys_spread_evenly_over_two_to_six_shards(void **state)
{
    struct names names;
    double worst_cv = 0, worst_max = 0;

    (void)state;
    for (size_t kind = 0; kind < N(kinds); kind++) {
        name_members(&names, kind);
        for (size_t n = 2; n <= 6; n++) {
            struct ring *ring = make(names.members, n);
            uint64_t seed = 1 + kind * 10 + n;
            double counts[6] = { 0 }, squares = 0, max = 0, mean = KEYS / (double)n;

            for (int i = 0; i < KEYS; i++)
                counts[ring_owner(ring, random_position(&seed))]++;
            for (size_t i = 0; i < n; i++) {
                squares += (counts[i] - mean) * (counts[i] - mean);
                max = fmax(max, counts[i]);
            }
            worst_cv = fmax(worst_cv, sqrt(squares / (double)n) / mean);
            worst_max = fmax(worst_max, max / mean);
            ring_free(ring);
        }
    }
    print_message("worst: variation %.3f, fullest %.3f of the mean\n", worst_cv, worst_max);
    assert_true(worst_cv <= 0.06);
    assert_true(worst_max <= 1.10);
}

/* The larger ring is the smaller one and one more shard: both ways at once. */
static void a_shard_that_comes_or_goes_moves_only_its_own_keys(void **state)
{
    struct names names;

    (void)state;
    for (size_t kind = 0; kind < N(kinds); kind++) {
        name_members(&names, kind);
        for (unsigned n = 1; n < NAMES_MAX; n++) {
            struct ring *small = make(names.members, n);
            struct ring *large = make(names.members, n + 1);
            uint64_t seed = 77 + kind;
            int moved = 0;

            for (int i = 0; i < KEYS; i++) {
                uint32_t hash = random_position(&seed);
                unsigned owner = ring_owner(large, hash);

                if (owner == n)
                    moved++;
                else
                    assert_int_equal(owner, ring_owner(small, hash));
            }
            assert_true(fabs(moved / (double)KEYS - 1.0 / (n + 1)) <= 0.08);
            ring_free(small);
            ring_free(large);
        }
    }
}

static void a_changed_weight_moves_only_that_members_keys(void **state)
{
    static const struct { unsigned from, to; } cases[] = {
        { 1, 2 }, { 2, 1 }, { 1, 10 }, { 10, 7 }, { 60, 100 },
    };
    struct names names;

    (void)state;
    name_members(&names, 0);
    for (size_t c = 0; c < N(cases); c++) {
        names.members[1].weight = cases[c].from;
        struct ring *before = make(names.members, 4);
        names.members[1].weight = cases[c].to;
        struct ring *after = make(names.members, 4);
        uint64_t seed = 99;
        int moved = 0;

        for (int i = 0; i < KEYS; i++) {
            uint32_t hash = random_position(&seed);
            unsigned was = ring_owner(before, hash), is = ring_owner(after, hash);

            if (was != is) {
                assert_int_equal(cases[c].from < cases[c].to ? is : was, 1);
                moved++;
            }
        }
        double share = cases[c].to / (cases[c].to + 3.0);
        double old_share = cases[c].from / (cases[c].from + 3.0);

        assert_true(moved > 0);
        assert_true(fabs(moved / (double)KEYS - fabs(share - old_share)) <= 0.02);
        assert_true(fabs(ring_share(after, 1) - share) <= 0.02);
        ring_free(before);
        ring_free(after);
    }
}

static void the_order_of_the_list_does_not_matter(void **state)
{
    struct names names;
    struct ring_member shuffled[NAMES_MAX];
    unsigned a[NAMES_MAX], b[NAMES_MAX];
    uint64_t seed = 5;

    (void)state;
    name_members(&names, 1);
    for (unsigned i = 0; i < NAMES_MAX; i++) {
        names.members[i].weight = 1 + i % 3;
        names.members[i].zone = i % 4 == 3 ? "" : i % 4 == 0 ? "east" : "west";
    }
    struct ring *ring = make(names.members, NAMES_MAX);

    memcpy(shuffled, names.members, sizeof(shuffled));
    for (int round = 0; round < 10; round++) {
        for (size_t i = NAMES_MAX - 1; i > 0; i--) {
            size_t j = chance(&seed) % (i + 1);
            struct ring_member m = shuffled[i];

            shuffled[i] = shuffled[j];
            shuffled[j] = m;
        }
        struct ring *other = make(shuffled, NAMES_MAX);

        for (int k = 0; k < 1000; k++) {
            uint32_t hash = random_position(&seed);

            ring_chain(ring, hash, a, NAMES_MAX);
            ring_chain(other, hash, b, NAMES_MAX);
            for (size_t i = 0; i < NAMES_MAX; i++)
                assert_string_equal(names.members[a[i]].name, shuffled[b[i]].name);
            assert_int_equal(ring_owner(other, hash), b[0]);
        }
        ring_free(other);
    }
    ring_free(ring);
}

/* ---- chains ---- */

static void a_chain_takes_a_member_of_each_zone_first(void **state)
{
    static const struct {
        const char *zones[6];
        size_t max, n;          /* asked for, got */
        size_t n_distinct;      /* the first so many are of distinct zones */
    } cases[] = {
        { { "a", "a", "a", "b", "b", "b" }, 2, 2, 2 },
        { { "a", "a", "a", "a", "a", "b" }, 2, 2, 2 },
        { { "a", "a", "b", "b", "c", "c" }, 3, 3, 3 },
        { { "a", "a", "b", "b", "c", "c" }, 5, 5, 3 },
        { { "a", "a", "b", "b", "c", "c" }, 6, 6, 3 },
        { { "a", "a", "a", "a", "a", "a" }, 3, 3, 1 },
        { { "a", "a", "a", "a", "", "" }, 4, 4, 3 },
        { { "", "", "", "", "", "" }, 100, 6, 6 },
        { { "", "", "", "", "", "" }, 1, 1, 1 },
        { { "", "", "", "", "", "" }, 0, 0, 0 },
    };
    struct names names;
    unsigned chain[100];

    (void)state;
    name_members(&names, 0);
    for (size_t c = 0; c < N(cases); c++) {
        for (size_t i = 0; i < 6; i++)
            names.members[i].zone = cases[c].zones[i];
        struct ring *ring = make(names.members, 6);
        uint64_t seed = 3;

        for (int k = 0; k < 1000; k++) {
            uint32_t hash = random_position(&seed);
            size_t n = ring_chain(ring, hash, chain, cases[c].max);

            assert_int_equal(n, cases[c].n);
            if (n > 0)
                assert_int_equal(chain[0], ring_owner(ring, hash));
            for (size_t i = 1; i < n; i++)
                assert_true(is_new(names.members, chain, i, chain[i],
                                   i < cases[c].n_distinct));
        }
        ring_free(ring);
    }
}

/* A successor holds what it takes over: the chain without its head is the
 * chain of the ring without that member. */
static void the_successor_is_the_owner_when_the_owner_leaves(void **state)
{
    struct names names;
    unsigned chain[2];
    uint64_t seed = 11;

    (void)state;
    name_members(&names, 2);
    struct ring *all = make(names.members, 5);
    struct ring *rest = make(names.members, 4);
    int tried = 0;

    for (int k = 0; k < KEYS; k++) {
        uint32_t hash = random_position(&seed);

        ring_chain(all, hash, chain, 2);
        if (chain[0] == 4) {
            assert_int_equal(ring_owner(rest, hash), chain[1]);
            tried++;
        }
    }
    assert_true(tried > KEYS / 10);
    ring_free(all);
    ring_free(rest);
}

/* ---- size ---- */

static char many_names[RING_MAX_MEMBERS][24];
static struct ring_member many[RING_MAX_MEMBERS];

static void make_many(size_t n, unsigned weight)
{
    for (size_t i = 0; i < n; i++) {
        snprintf(many_names[i], sizeof(many_names[i]), "m%zu", i);
        many[i] = (struct ring_member){ many_names[i], "", weight };
    }
}

static void shares_sum_to_one_and_follow_the_weights(void **state)
{
    static const size_t sizes[] = { 1, 2, 10, 300 };

    (void)state;
    for (size_t s = 0; s < N(sizes); s++) {
        double sum = 0, total = 0;

        make_many(sizes[s], 1);
        for (size_t i = 0; i < sizes[s]; i++)
            total += many[i].weight = (unsigned)(1 + i % 3);
        struct ring *ring = make(many, sizes[s]);

        assert_int_equal(ring_n_points(ring), (size_t)total * RING_POINTS);
        for (unsigned i = 0; i < sizes[s]; i++) {
            double fair = many[i].weight / total;

            assert_true(fabs(ring_share(ring, i) / fair - 1) <= 0.08);
            sum += ring_share(ring, i);
        }
        assert_true(sum == 1.0);
        ring_free(ring);
    }
}

static void ten_equal_members_are_within_six_percent(void **state)
{
    struct names names;

    (void)state;
    for (size_t kind = 0; kind < N(kinds); kind++) {
        name_members(&names, kind);
        for (unsigned n = 2; n <= NAMES_MAX; n++) {
            struct ring *ring = make(names.members, n);

            for (unsigned i = 0; i < n; i++)
                assert_true(fabs(ring_share(ring, i) * n - 1) <= 0.06);
            ring_free(ring);
        }
    }
}

static void a_ring_of_most_members_owns_every_position_once(void **state)
{
    static unsigned chain[RING_MAX_MEMBERS + 1];
    static bool seen[RING_MAX_MEMBERS];

    (void)state;
    make_many(RING_MAX_MEMBERS, 1);
    for (size_t i = 0; i < RING_MAX_MEMBERS; i++)
        many[i].zone = i % 2 != 0 ? "odd" : "even";
    struct ring *ring = make(many, RING_MAX_MEMBERS);

    assert_int_equal(ring_chain(ring, 12345, chain, N(chain)), RING_MAX_MEMBERS);
    assert_int_not_equal(chain[0] % 2, chain[1] % 2);
    for (size_t i = 0; i < RING_MAX_MEMBERS; i++) {
        assert_false(seen[chain[i]]);
        seen[chain[i]] = true;
    }
    ring_free(ring);
}

static void too_much_weight_is_refused(void **state)
{
    (void)state;
    make_many(RING_MAX_MEMBERS, 100);
    assert_null(ring_new(many, RING_MAX_MEMBERS));
    make_many(RING_MAX_WEIGHT / 100 + 1, 100);
    assert_null(ring_new(many, RING_MAX_WEIGHT / 100 + 1));
    ring_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_have_the_owners_they_always_had),
        cmocka_unit_test(the_circle_closes_behind_the_last_point),
        cmocka_unit_test(a_ring_answers_as_its_definition_does),
        cmocka_unit_test(equal_points_are_ordered_by_name),
        cmocka_unit_test(bytes_of_a_name_are_compared_unsigned),
        cmocka_unit_test(keys_spread_evenly_over_two_to_six_shards),
        cmocka_unit_test(a_shard_that_comes_or_goes_moves_only_its_own_keys),
        cmocka_unit_test(a_changed_weight_moves_only_that_members_keys),
        cmocka_unit_test(the_order_of_the_list_does_not_matter),
        cmocka_unit_test(a_chain_takes_a_member_of_each_zone_first),
        cmocka_unit_test(the_successor_is_the_owner_when_the_owner_leaves),
        cmocka_unit_test(shares_sum_to_one_and_follow_the_weights),
        cmocka_unit_test(ten_equal_members_are_within_six_percent),
        cmocka_unit_test(a_ring_of_most_members_owns_every_position_once),
        cmocka_unit_test(too_much_weight_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
