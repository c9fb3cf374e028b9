#include "cluster_help.h"

#include "cluster/lease.h"
#include "cluster/times.h"
#include "cluster/voter.h"

static struct map *led_map(uint64_t epoch, const char *leader, const char *members)
{
    struct map *map = map_of(epoch, 2, MAP_STABLE, members);

    strcpy(map->leader, leader);
    return map;
}

/* "a" asks, of number 1 and incarnation 100. */
static void a_voter_gives_to_who_goes_by_its_map(void **state)
{
    static const struct {
        const char *voter;
        uint64_t voter_incarnation;
        const char *members;
        uint16_t number;
        uint64_t incarnation, epoch;
        enum grant grant;
    } cases[] = {
        { "b", 101, "11U 11Uv", 1, 100, 5, GRANT },
        { "l", 7, "11U 11Uv", 1, 100, 5, GRANT },       /* the leader started again */
        { "b", 101, NULL, 1, 100, 5, GRANT_NO_MAP },
        { "b", 101, "11U 11U", 1, 100, 5, GRANT_NO_VOTER },
        { "x", 101, "11U 11Uv", 1, 100, 5, GRANT_NO_VOTER },
        { "b", 102, "11U 11Uv", 1, 100, 5, GRANT_NO_VOTER },    /* b started again */
        { "b", 101, "11U 11Sv", 1, 100, 5, GRANT_NO_VOTER },
        { "b", 101, "11U 11Ev", 1, 100, 5, GRANT_NO_VOTER },
        { "b", 101, "11U 11Uv", 1, 100, 4, GRANT_OTHER_EPOCH },
        { "b", 101, "11U 11Uv", 1, 100, 6, GRANT_OTHER_EPOCH },
        { "b", 101, "11U 11Uv", 3, 100, 5, GRANT_NO_MEMBER },
        { "b", 101, "11U 11Uv", 1, 99, 5, GRANT_NO_MEMBER },
        { "b", 101, "11S 11Uv", 1, 100, 5, GRANT_SUSPENDED },
        { "b", 101, "11E 11Uv", 1, 100, 5, GRANT_SUSPENDED },
        { "b", 101, "11U 11Uv", 2, 101, 5, GRANT },     /* to itself */
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        struct map *map = cases[i].members != NULL ? led_map(5, "l", cases[i].members) : NULL;
        struct voter v;
        enum grant got;

        voter_init(&v, cases[i].voter, cases[i].voter_incarnation, true, 1000);
        got = voter_ask(&v, map, cases[i].number, cases[i].incarnation, cases[i].epoch, 1000);
        if (got != cases[i].grant)
            fail_msg("case %zu: %s", i, grant_words(got));
        assert_true(strlen(grant_words(got)) > 0);
        free(map);
    }
}

static void a_voter_waits_for_what_an_earlier_one_gave(void **state)
{
    struct map *map = led_map(5, "l", "11U 11Uv");
    struct voter v;

    (void)state;
    voter_init(&v, "l", 7, false, 1000);
    assert_int_equal(voter_ask(&v, map, 1, 100, 5, 1899), GRANT_TOO_SOON);
    assert_int_equal(voter_ask(&v, map, 1, 100, 5, 1900), GRANT);
    free(map);
}

/* What "a" has from voters, "b300" granted when asked at 300, and until when it
 * serves at 1000. */
static void a_lease_is_as_old_as_its_majority(void **state)
{
    static const struct { const char *leader, *members, *grants; int64_t until; } cases[] = {
        { "l", "11U 11U", "", 0 },
        { "l", "11U 11U", "l900", 1700 },
        { "l", "11U 11U", "l900 b950", 1700 },          /* b is no voter */
        { "l", "11U 11Uv 11Uv", "l900", 0 },
        { "l", "11U 11Uv 11Uv", "l900 b500", 1300 },
        { "l", "11U 11Uv 11Uv", "l900 b500 c700", 1500 },
        { "l", "11U 11Uv 11Uv", "b500 c700", 1300 },    /* without the leader */
        { "l", "11U 11Uv 11Uv", "l900 l500 b800 b700", 1600 },  /* late answers */
        { "l", "11Uv 11Uv 11U", "l900", 1700 },         /* its own is new at any time */
        { "l", "11Uv 11Uv 11U", "", 0 },
        { "l", "11Uv 11Uv 11Uv 11Uv", "b100 c200", 900 },
        { "l", "11Uv 11Uv 11Uv 11Uv", "b100 c200 d300", 1000 },
        { "l", "11Uv 11Uv", "l900 B900", 1700 },        /* b of another incarnation */
        { "l", "11U 11Uv 11Uv", "l900 B900", 0 },
        { "l", "11S 11Uv", "l900 b900", 0 },
        { "l", "11E 11Uv", "l900 b900", 0 },
        { "a", "11U 11U", "", INT64_MAX },
        { "a", "11U 11Uv 11Uv", "b600", 1400 },         /* leads and holds items */
        { "", "11U 11U", "", INT64_MAX },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        struct map *map = led_map(5, cases[i].leader, cases[i].members);
        struct lease lease = { 0 };
        int64_t until;

        for (const char *at = cases[i].grants; *at != '\0';) {
            char name[2] = { (char)(*at | 0x20), '\0' };
            uint64_t incarnation = *at < 'a' ? 9 : (uint64_t)(100 + *at - 'a');
            char *end;

            lease_granted(&lease, map, name, incarnation, strtol(at + 1, &end, 10));
            at = *end == ' ' ? end + 1 : end;
        }
        until = lease_until_ms(&lease, map, "a", 100, 1000);
        if (until != cases[i].until)
            fail_msg("case %zu: %lld", i, (long long)until);
        assert_int_equal(lease_until_ms(&lease, map, "a", 99, 1000), 0);
        assert_int_equal(lease_until_ms(&lease, map, "x", 100, 1000), 0);
        free(map);
    }
}

/* However often voters are exchanged: those who are none any more make room. */
static void a_lease_forgets_who_is_no_voter(void **state)
{
    struct lease lease = { 0 };
    struct map *map = led_map(1, "l", "11U 11U 11U 11U 11U 11U 11U 11U 11U 11U");

    (void)state;
    for (unsigned turn = 0; turn < 30; turn++) {
        struct member *m = &map->members[1 + turn % 9], *n = &map->members[1 + (turn + 1) % 9];

        m->voter = n->voter = true;
        lease_granted(&lease, map, m->name, m->incarnation, turn);
        lease_granted(&lease, map, n->name, n->incarnation, turn);
        assert_int_equal(lease_until_ms(&lease, map, "a", 100, turn), turn + LEASE_MS);
        m->voter = n->voter = false;
    }
    free(map);
}

/* ---- all of it together ----------------------------------------------------- */

static uint64_t chance;

static unsigned random_below(unsigned n)
{
    chance = chance * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(chance >> 33) % n;
}

#define N_PROCESSES 6           /* "a" to "e", and the leader at the end */

struct process {
    char name[2];
    uint64_t incarnation;
    struct map *map;            /* seen */
    struct voter voter;
    struct lease lease;
};

/* One of them asks another; the answer is lost now and then, or late. */
static void ask_one(struct process *all, int64_t now_ms, const bool *apart)
{
    unsigned i = random_below(N_PROCESSES - 1), j = random_below(N_PROCESSES);
    struct process *asker = &all[i], *voter = &all[j];
    int64_t asked_ms = now_ms - random_below(60);
    int self = map_find(asker->map, asker->name);

    if (i == j || apart[i] != apart[j])
        return;
    if (voter->map->epoch > asker->map->epoch) {
        free(asker->map);
        asker->map = map_copy(voter->map, 0);
    } else if (voter->map->epoch < asker->map->epoch) {
        free(voter->map);
        voter->map = map_copy(asker->map, 0);
    }
    if (self >= 0 && voter_ask(&voter->voter, voter->map, asker->map->members[self].number,
                               asker->incarnation, asker->map->epoch, now_ms) == GRANT)
        lease_granted(&asker->lease, asker->map, voter->name, voter->incarnation, asked_ms);
}

static bool obeyed(const struct process *all, const struct map *map)
{
    size_t n = 1;

    for (size_t i = 0; i < N_PROCESSES - 1; i++)
        n += map->members[i].voter && all[i].map->epoch >= map->epoch;
    return n > map_n_voters(map) / 2;
}

/* A map suspends "a", which may be cut off with some of the others, while voters
 * are exchanged one at a time: 0.8 s after it took effect "a" has no lease. */
static void who_is_suspended_has_no_lease_when_it_is_over(void **state)
{
    unsigned n_late = 0;

    (void)state;
    for (unsigned seed = 1; seed <= 300; seed++) {
        struct process all[N_PROCESSES];
        struct map *map = led_map(1, "l", "11Uv 11Uv 11Uv 11Uv 11U");
        int64_t suspended_ms = -1, effect_ms = -1;
        bool apart[N_PROCESSES] = { false };

        chance = seed;
        for (unsigned i = 0; i < N_PROCESSES; i++) {
            all[i] = (struct process){ .name = { i == N_PROCESSES - 1 ? 'l' : (char)('a' + i) },
                                       .incarnation = 100 + i, .map = map_copy(map, 0) };
            voter_init(&all[i].voter, all[i].name, all[i].incarnation, true, 0);
        }
        for (int64_t now_ms = 1; now_ms < 6000; now_ms++) {
            struct process *leader = &all[N_PROCESSES - 1];

            ask_one(all, now_ms, apart);
            if (now_ms % 500 == 0)      /* a's side of the cut, a minority or not */
                for (unsigned i = 0; i < N_PROCESSES - 1; i++)
                    apart[i] = i == 0 ? now_ms > 900 : now_ms > 900 && random_below(3) == 0;
            if (suspended_ms >= 0 && effect_ms < 0 && obeyed(all, map))
                effect_ms = now_ms;
            if (now_ms % 100 == 0 && obeyed(all, map)) {
                unsigned other = 1 + random_below(4);

                map->epoch++;
                if (now_ms > 1500 && suspended_ms < 0) {
                    map->members[0].state = MEMBER_SUSPENDED;
                    suspended_ms = now_ms;
                } else {
                    map->members[other].voter = !map->members[other].voter;
                }
                free(leader->map);
                leader->map = map_copy(map, 0);
            }
            if (effect_ms >= 0 && now_ms >= effect_ms + LEASE_MS) {
                assert_true(lease_until_ms(&all[0].lease, all[0].map, "a", 100, now_ms) <=
                            effect_ms + LEASE_MS);
                n_late++;
            }
        }
        for (unsigned i = 0; i < N_PROCESSES; i++)
            free(all[i].map);
        free(map);
    }
    assert_true(n_late > 100000);       /* it was put to the test */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_voter_gives_to_who_goes_by_its_map),
        cmocka_unit_test(a_voter_waits_for_what_an_earlier_one_gave),
        cmocka_unit_test(a_lease_is_as_old_as_its_majority),
        cmocka_unit_test(a_lease_forgets_who_is_no_voter),
        cmocka_unit_test(who_is_suspended_has_no_lease_when_it_is_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
