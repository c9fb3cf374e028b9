#include "cluster_help.h"

#include <pthread.h>

#include "cluster/cluster.h"
#include "cluster/times.h"

/* What the hooks were told: epochs, newest last. */
static uint64_t seen[100], adopted[100];
static unsigned n_seen, n_adopted;

static void hear_seen(void *arg, uint64_t epoch)
{
    assert_ptr_equal(arg, seen);
    seen[n_seen++] = epoch;
}

static void hear_adopted(void *arg, uint64_t epoch)
{
    assert_ptr_equal(arg, seen);
    adopted[n_adopted++] = epoch;
}

#define NOW_NS 5
#define OWN_NS (NOW_NS + LEASE_MS * INT64_C(1000000))   /* what the leader gives itself */

static int64_t tell_now(void *arg)
{
    assert_ptr_equal(arg, seen);
    return NOW_NS;
}

static struct cluster *cluster_of(const char *self, unsigned n_workers)
{
    struct cluster *c = cluster_new("test", self);

    n_seen = n_adopted = 0;
    cluster_set_incarnation(c, 100);
    cluster_set_workers(c, n_workers);
    cluster_set_hooks(c, &(struct cluster_hooks){ hear_seen, hear_adopted, tell_now, seen });
    return c;
}

static void adopt(struct cluster *c, uint64_t epoch, const char *leader, const char *members)
{
    struct map *map = map_of(epoch, 1, MAP_STABLE, members);

    strcpy(map->leader, leader);
    assert_int_equal(cluster_adopt(c, map), ADOPTED);
}

/* Two workers: each line is a step and what is so after it. */
static void a_map_is_adopted_when_all_workers_have_noted_it(void **state)
{
    static const struct {
        char step;              /* a map, or the worker that notes */
        uint64_t epoch, adopted;
        unsigned n_hooks;
    } cases[] = {
        { '0', 0, 0, 0 }, { 'm', 1, 0, 0 }, { '0', 1, 0, 0 }, { '0', 1, 0, 0 },
        { '1', 1, 1, 1 }, { '1', 1, 1, 1 },
        { 'm', 2, 1, 1 }, { '1', 2, 1, 1 }, { 'm', 3, 1, 1 },   /* one has not noted 2 */
        { '0', 3, 2, 2 },                                       /* and goes on to 3 */
        { '1', 3, 3, 3 },
    };
    struct cluster *c = cluster_of("a", 2);

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        if (cases[i].step == 'm') {
            adopt(c, cases[i].epoch, "", "11U");
        } else {
            struct view *v = cluster_note(c, (unsigned)(cases[i].step - '0'));

            if ((v != NULL ? v->map->epoch : 0) != cases[i].epoch)
                fail_msg("case %zu: another epoch is noted", i);
        }
        if (cluster_epoch(c) != cases[i].epoch || cluster_adopted(c) != cases[i].adopted ||
            n_adopted != cases[i].n_hooks)
            fail_msg("case %zu: adopted %u, hooks %u", i, (unsigned)cluster_adopted(c),
                     n_adopted);
    }
    assert_int_equal(n_seen, 3);
    assert_int_equal(seen[2], 3);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(adopted[i], i + 1);
    cluster_free(c);
}

static void without_workers_what_is_seen_is_adopted(void **state)
{
    struct cluster *c = cluster_of("a", 0);

    (void)state;
    adopt(c, 5, "", "11U");
    assert_int_equal(cluster_adopted(c), 5);
    assert_int_equal(n_adopted, 1);
    cluster_free(c);
}

static void a_noted_view_stays_until_the_next_is_noted(void **state)
{
    struct cluster *c = cluster_of("a", 1);
    struct view *v;

    (void)state;
    adopt(c, 1, "", "11U");
    v = cluster_note(c, 0);
    adopt(c, 2, "", "11U 11U");
    assert_int_equal(v->map->n, 1);
    assert_int_equal(cluster_note(c, 0)->map->n, 2);
    cluster_free(c);
}

/* This is "a" of incarnation 100; a step may set a lease of so long first. */
static void a_lease_follows_the_map(void **state)
{
    static const struct {
        const char *leader, *members;
        int64_t set, want;
    } cases[] = {
        { "", "11U 11U", -1, INT64_MAX },       /* nobody leads */
        { "l", "11U 11U", -1, 0 },              /* a leader elsewhere: not yet */
        { "l", "11U 11U", 50, 50 },
        { "l", "11Uv 11U", -1, 50 },            /* goes on under the next map */
        { "l", "11S 11U", -1, 0 },              /* suspended: none, and none taken */
        { "l", "11S 11U", 60, 0 },
        { "l", "11U 11U", -1, 0 },              /* back, but it has to ask */
        { "l", "11U 11U", 70, 70 },
        { "a", "11U 11U", -1, INT64_MAX },      /* alone it needs no other */
        { "a", "11U 11U", 80, INT64_MAX },
        { "a", "11U 11Uv", -1, OWN_NS },        /* it had given itself one until now */
        { "a", "11U 11Uv", 20, OWN_NS },        /* what was given lasts so long */
        { "a", "11U 11Uv", OWN_NS + 90, OWN_NS + 90 },
        { "l", "11E 11U", -1, 0 },
        { "", "11U 11U", -1, INT64_MAX },
    };
    struct cluster *c = cluster_of("a", 0);

    (void)state;
    assert_true(cluster_serves(c, INT64_MAX - 1));      /* no map asks for one */
    for (size_t i = 0; i < N_OF(cases); i++) {
        adopt(c, i + 1, cases[i].leader, cases[i].members);
        if (cases[i].set >= 0) {
            int64_t before = cluster_lease_ns(c);

            cluster_set_lease(c, i, 1000);      /* of another epoch: nothing */
            assert_int_equal(cluster_lease_ns(c), before);
            cluster_set_lease(c, i + 1, cases[i].set);
        }
        if (cluster_lease_ns(c) != cases[i].want)
            fail_msg("case %zu: %lld", i, (long long)cluster_lease_ns(c));
        assert_true(cluster_serves(c, cases[i].want - 1));
        assert_false(cluster_serves(c, cases[i].want));
    }
    cluster_free(c);
}

static void another_incarnation_has_no_lease(void **state)
{
    struct cluster *c = cluster_of("a", 0);

    (void)state;
    cluster_set_incarnation(c, 99);
    adopt(c, 1, "a", "11U");
    assert_int_equal(cluster_lease_ns(c), 0);
    cluster_free(c);
}

static void an_end_mark_is_the_incarnations(void **state)
{
    struct cluster *c = cluster_of("a", 0);

    (void)state;
    cluster_set_ended(c, 2, 101, 1);            /* no map: nobody is known */
    assert_false(cluster_has_ended(c, 2, 1));
    adopt(c, 3, "l", "11U 11U");
    cluster_set_ended(c, 2, 100, 3);            /* another process of that name */
    cluster_set_ended(c, 3, 102, 3);            /* no member */
    assert_false(cluster_has_ended(c, 2, 1));
    cluster_set_ended(c, 2, 101, 3);
    cluster_set_ended(c, 2, 101, 2);
    assert_true(cluster_has_ended(c, 2, 3));
    assert_false(cluster_has_ended(c, 2, 4));
    assert_false(cluster_has_ended(c, 1, 3));
    cluster_free(c);
}

static void *note_all(void *arg)
{
    struct cluster *c = arg;
    static unsigned next_worker;
    unsigned worker = __atomic_fetch_add(&next_worker, 1, __ATOMIC_RELAXED);
    uint64_t at = 0;

    while (at < 50) {
        if (cluster_epoch(c) == at)
            continue;
        at = cluster_note(c, worker)->map->epoch;
        assert_true(cluster_adopted(c) <= cluster_epoch(c));
    }
    return NULL;
}

static void workers_note_while_maps_come(void **state)
{
    struct cluster *c = cluster_new("test", "a");
    pthread_t threads[2];

    (void)state;
    cluster_set_workers(c, 2);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, note_all, c), 0);
    for (uint64_t epoch = 1; epoch <= 50; epoch++)
        adopt(c, epoch, "", "11U");
    for (size_t i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(cluster_adopted(c), 50);
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_map_is_adopted_when_all_workers_have_noted_it),
        cmocka_unit_test(without_workers_what_is_seen_is_adopted),
        cmocka_unit_test(a_noted_view_stays_until_the_next_is_noted),
        cmocka_unit_test(a_lease_follows_the_map),
        cmocka_unit_test(another_incarnation_has_no_lease),
        cmocka_unit_test(an_end_mark_is_the_incarnations),
        cmocka_unit_test(workers_note_while_maps_come),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
