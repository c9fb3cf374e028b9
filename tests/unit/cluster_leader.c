#include "cluster_troupe.h"

/* Four shards beside the leader, two copies; all is well after the first map. */
static const char *const four = "S 11Uv 11Uv 11Uv 11Uv\n";

static void each_mishap_makes_its_maps(void **state)
{
    static const struct { const char *script, *maps; } cases[] = {
        { "2000", "" },
        /* killed: suspended, ejected */
        { "c! 2000",
          "S 11Uv 11Uv 11Sv 11Uv\n" "S 11Uv 11Uv 11E 11Uv\n" },
        { "a! 2000",
          "S 11Sv 11Uv 11Uv 11Uv\n" "S 11E 11Uv 11Uv 11Uv\n" },
        /* known to be dead, or gone by its own will: at once */
        { "cw 20",
          "S 11Uv 11Uv 11E 11Uv\n" },
        { "cg 20",
          "S 11Uv 11Uv 11E 11Uv\n" },
        /* killed and back: empty, filled, an owner again */
        { "c! 100 c+ 2000",
          "S 11Uv 11Uv 11Sv 11Uv\n" "S 11Uv 11Uv 11E 11Uv\n"
          "J 11Uv 11Uv 11Uf 11Uv\n" "W 11Uv 11Uv 11Uf 11Uv\n"
          "S 11Uv 11Uv 11Uv 11Uv\n" },
        { "cw 100 c+ 100",
          "S 11Uv 11Uv 11E 11Uv\n" "J 11Uv 11Uv 11Uf 11Uv\n"
          "W 11Uv 11Uv 11Uf 11Uv\n" "S 11Uv 11Uv 11Uv 11Uv\n" },
        /* a new process whose predecessor nobody saw die: it is refused for a
         * second, then the old one is suspended like any that is silent */
        { "c+ 900", "" },
        { "c+ 4000",
          "S 11Uv 11Uv 11Sv 11Uv\n" "S 11Uv 11Uv 11E 11Uv\n"
          "J 11Uv 11Uv 11Uf 11Uv\n" "W 11Uv 11Uv 11Uf 11Uv\n"
          "S 11Uv 11Uv 11Uv 11Uv\n" },
        /* frozen or cut off: a second of silence first */
        { "cz 1000", "" },
        { "cz 1500 cZ 500",
          "S 11Uv 11Uv 11Sv 11Uv\n" "S 11Uv 11Uv 11Uv 11Uv\n" },
        { "cz 2200",
          "S 11Uv 11Uv 11Sv 11Uv\n" "S 11Uv 11Uv 11E 11Uv\n" },
        { "cc 2200 cC 200",
          "S 11Uv 11Uv 11Sv 11Uv\n" "S 11Uv 11Uv 11E 11Uv\n"
          "J 11Uv 11Uv 11Uf 11Uv\n" "W 11Uv 11Uv 11Uf 11Uv\n"
          "S 11Uv 11Uv 11Uv 11Uv\n" },
        /* a reset alone is forgiven, three times a minute */
        { "c? 50 c? 50 c? 50",
          "S 11Uv 11Uv 11Sv 11Uv\n" "S 11Uv 11Uv 11Uv 11Uv\n"
          "S 11Uv 11Uv 11Sv 11Uv\n" "S 11Uv 11Uv 11Uv 11Uv\n"
          "S 11Uv 11Uv 11Sv 11Uv\n" "S 11Uv 11Uv 11Uv 11Uv\n" },
        { "c? 50 c? 50 c? 50 c? 1000 61000 c? 50",
          "S 11Uv 11Uv 11Sv 11Uv\n" "S 11Uv 11Uv 11Uv 11Uv\n"
          "S 11Uv 11Uv 11Sv 11Uv\n" "S 11Uv 11Uv 11Uv 11Uv\n"
          "S 11Uv 11Uv 11Sv 11Uv\n" "S 11Uv 11Uv 11Uv 11Uv\n"
          "S 11Uv 11Uv 11Sv 11Uv\n" "S 11Uv 11Uv 11E 11Uv\n"
          "J 11Uv 11Uv 11Uf 11Uv\n" "W 11Uv 11Uv 11Uf 11Uv\n"
          "S 11Uv 11Uv 11Uv 11Uv\n" "S 11Uv 11Uv 11Sv 11Uv\n"
          "S 11Uv 11Uv 11Uv 11Uv\n" },
        /* two at once: both clocks run together */
        { "c! d! 1000",
          "S 11Uv 11Uv 11Sv 11Uv\n" "S 11Uv 11Uv 11Sv 11Sv\n"
          "S 11Uv 11Uv 11E 11Sv\n" "S 11Uv 11Uv 11E 11E\n" },
        { "a! b! 4000",
          "S 11Sv 11Uv 11Uv 11Uv\n" "S 11Sv 11Sv 11Uv 11Uv\n"
          "S 11E 11Sv 11Uv 11Uv\n" "S 11E 11E 11Uv 11Uv\n" },
        { "a! b! 4000 a+ 3000",
          "S 11Sv 11Uv 11Uv 11Uv\n" "S 11Sv 11Sv 11Uv 11Uv\n"
          "S 11E 11Sv 11Uv 11Uv\n" "S 11E 11E 11Uv 11Uv\n"
          "J 11Uf 11E 11Uv 11Uv\n" "W 11Uf 11E 11Uv 11Uv\n"
          "S 11U 11E 11Uv 11Uv\n" },
        /* children die together */
        { "aw bw 100",
          "S 11E 11Uv 11Uv 11Uv\n" "S 11E 11E 11Uv 11Uv\n" },
        /* away for longer than the hold-down: its arcs go to others */
        { "cw 29900",
          "S 11Uv 11Uv 11E 11Uv\n" },
        { "cw 30100",
          "S 11Uv 11Uv 11E 11Uv\n" "J 11Uv 11Uv 10E 11Uv\n"
          "W 11Uv 11Uv 10E 11Uv\n" "S 11Uv 11Uv 00E 11Uv\n" },
        { "cw 31000 c+ 100",
          "S 11Uv 11Uv 11E 11Uv\n" "J 11Uv 11Uv 10E 11Uv\n"
          "W 11Uv 11Uv 10E 11Uv\n" "S 11Uv 11Uv 00E 11Uv\n"
          "J 11Uv 11Uv 01Uf 11Uv\n" "W 11Uv 11Uv 01Uf 11Uv\n"
          "S 11Uv 11Uv 11Uv 11Uv\n" },
        /* who is there but not ready yet is waited for */
        { "cw cs c+ 31000",
          "S 11Uv 11Uv 11E 11Uv\n" },
        /* all but the leader start again: nobody has anything to fill from */
        { "aw bw cw dw 50 a+ b+ c+ d+ 200",
          "S 11E 11Uv 11Uv 11Uv\n" "S 11E 11E 11Uv 11Uv\n"
          "S 11E 11E 11E 11Uv\n" "S 11E 11E 11E 11E\n"
          "J 11Uf 11Uf 11Uf 11Uf\n" "W 11Uf 11Uf 11Uf 11Uf\n"
          "S 11Uv 11U 11U 11U\n" "S 11Uv 11Uv 11U 11U\n"
          "S 11Uv 11Uv 11Uv 11U\n" "S 11Uv 11Uv 11Uv 11Uv\n" },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        struct troupe t;

        troupe_init(&t, 4);
        troupe_play(&t, "50");
        troupe_expect(&t, four, "the first");
        troupe_play(&t, cases[i].script);
        troupe_expect(&t, cases[i].maps, cases[i].script);
        troupe_fini(&t);
    }
}

/* Each begins with "c" filling: "d" is slow, so that the change stands still. */
static void a_mishap_goes_before_the_change_in_progress(void **state)
{
    static const char *const joint = "ds cw 20 c+ 100";
    static const struct { const char *script, *maps; } cases[] = {
        { "5000", "" },
        { "dS 50",
          "W 11Uv 11Uv 11Uf 11Uv\n" "S 11Uv 11Uv 11Uv 11Uv\n" },
        /* a new owner waits for the old one's end; who dies ends as well */
        { "bl dS 5000", "W 11Uv 11Uv 11Uf 11Uv\n" },
        { "bl dS 500 bL 50",
          "W 11Uv 11Uv 11Uf 11Uv\n" "S 11Uv 11Uv 11Uv 11Uv\n" },
        { "bl dS 500 b! 1000",
          "W 11Uv 11Uv 11Uf 11Uv\n" "W 11Uv 11Sv 11Uf 11Uv\n"
          "W 11Uv 11E 11Uf 11Uv\n" "S 11Uv 11E 11U 11Uv\n" },
        /* who fills has all it needs by now: it is lost like any other */
        { "bl dS 500 c! 500 bL 1000",
          "W 11Uv 11Uv 11Uf 11Uv\n" "W 11Uv 11Uv 11Sf 11Uv\n"
          "W 11Uv 11Uv 11E 11Uv\n" "S 11Uv 11Uv 11E 11Uv\n" },
        /* who fills is lost: no lease to wait for; it begins again */
        { "c! 20",
          "S 11Uv 11Uv 11E 11Uv\n" },
        { "c! 20 c+ 100",
          "S 11Uv 11Uv 11E 11Uv\n" "J 11Uv 11Uv 11Uf 11Uv\n" },
        /* a source is lost: what was filled counts as absent */
        { "d! 1000 dS d+ 100",
          "J 11Uv 11Uv 11Uf 11Sv\n" "S 11Uv 11Uv 11E 11E\n"
          "J 11Uv 11Uv 11Uf 11E\n" "W 11Uv 11Uv 11Uf 11E\n"
          "S 11Uv 11Uv 11U 11E\n" "J 11Uv 11Uv 11U 11Uf\n"
          "W 11Uv 11Uv 11U 11Uf\n" "S 11Uv 11Uv 11Uv 11U\n"
          "S 11Uv 11Uv 11Uv 11Uv\n" },
        /* it was only suspended: the change goes on */
        { "d? 50 dS 50",
          "J 11Uv 11Uv 11Uf 11Sv\n" "J 11Uv 11Uv 11Uf 11Uv\n"
          "W 11Uv 11Uv 11Uf 11Uv\n" "S 11Uv 11Uv 11Uv 11Uv\n" },
        /* the leader dies in the middle */
        { "lR 200", "" },
        { "lR 200 dS 50",
          "W 11Uv 11Uv 11Uf 11Uv\n" "S 11Uv 11Uv 11Uv 11Uv\n" },
        { "d! 500 lR 800 dS d+ 500",
          "J 11Uv 11Uv 11Uf 11Sv\n" "S 11Uv 11Uv 11E 11E\n"
          "J 11Uv 11Uv 11Uf 11Uf\n" "W 11Uv 11Uv 11Uf 11Uf\n"
          "S 11Uv 11Uv 11Uv 11U\n" "S 11Uv 11Uv 11Uv 11Uv\n" },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        struct troupe t;

        troupe_init(&t, 4);
        troupe_play(&t, "50");
        troupe_play(&t, joint);
        troupe_expect(&t, "S 11Uv 11Uv 11Uv 11Uv\n" "S 11Uv 11Uv 11E 11Uv\n"
                          "J 11Uv 11Uv 11Uf 11Uv\n", "joint");
        troupe_play(&t, cases[i].script);
        troupe_expect(&t, cases[i].maps, cases[i].script);
        troupe_fini(&t);
    }
}

/* Two shards and the leader vote: two of them decide. */
static void without_the_voters_nothing_is_done(void **state)
{
    static const struct { const char *script, *maps; } cases[] = {
        { "a! 1000", "S 11Sv 11Uv\n" "S 11E 11Uv\n" "S 11E 11U\n" },
        { "a! b! 5000",
          "S 11Sv 11Uv\n" },
        /* a new process is proof that the old one is no more */
        { "a! b! 5000 a+ 3000",
          "S 11Sv 11Uv\n" "S 11Sv 11Sv\n" "S 11Ev 11Sv\n" "S 11Ev 11E\n"
          "S 11E 11E\n" "J 11Uf 11E\n" "W 11Uf 11E\n" "S 11U 11E\n" },
        /* it is the leader who is cut off: nobody else is to blame */
        { "ac bc 5000 aC bC 1000", "" },
        { "ac bc 5000 aC 20 bC 1000",
          "S 11Uv 11Sv\n" "S 11Uv 11Uv\n" },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        struct troupe t;

        troupe_init(&t, 2);
        troupe_play(&t, "50");
        troupe_expect(&t, "S 11Uv 11Uv\n", "the first");
        troupe_play(&t, cases[i].script);
        troupe_expect(&t, cases[i].maps, cases[i].script);
        troupe_fini(&t);
    }
}

static void the_first_map_is_of_those_who_are_there(void **state)
{
    struct troupe t;

    (void)state;
    troupe_init(&t, 3);
    t.actors[1].runs = t.actors[2].runs = false;
    troupe_play(&t, "900");
    assert_null(leader_map(t.leader));
    assert_int_equal(leader_go(t.leader), 0);
    assert_false(leader_in_effect(t.leader));
    troupe_play(&t, "b+ 300");
    troupe_expect(&t, "S 11Uv 11Uv 11E\n", "two of three");
    troupe_play(&t, "c+ 100");
    troupe_expect(&t, "J 11Uv 11Uv 11Uf\n" "W 11Uv 11Uv 11Uf\n" "S 11Uv 11Uv 11U\n", "three");
    assert_int_equal(leader_map(t.leader)->members[2].since, 2);
    troupe_fini(&t);

    troupe_init(&t, 1);         /* nobody, for long */
    t.actors[0].runs = false;
    troupe_play(&t, "9000");
    troupe_expect(&t, "", "nobody");
    troupe_fini(&t);
}

/* From when it befell to the map that ejects: an owner may change then. */
static void an_ejection_comes_in_time(void **state)
{
    static const struct { const char *script; int64_t most_ms; } cases[] = {
        { "c! 2000", LEASE_MS + MARGIN_MS + 3 * TICK_MS }, { "cw 50", TICK_MS },
        { "cz 2500", SILENCE_MS + LEASE_MS + MARGIN_MS + 4 * TICK_MS },
        { "cc 2500", SILENCE_MS + LEASE_MS + MARGIN_MS + 4 * TICK_MS },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        struct troupe t;
        int64_t began_ms;

        troupe_init(&t, 4);
        troupe_play(&t, "50");
        began_ms = t.now_ms;
        troupe_play(&t, cases[i].script);
        assert_int_equal(leader_map(t.leader)->members[2].state, MEMBER_EJECTED);
        if (t.map_ms - began_ms > cases[i].most_ms)
            fail_msg("%s: %d ms", cases[i].script, (int)(t.map_ms - began_ms));
        /* nor before a lease must have run out */
        if (cases[i].script[1] != 'w')
            assert_true(t.map_ms - began_ms >= LEASE_MS + MARGIN_MS);
        troupe_fini(&t);
    }
}

static void nothing_moves_before_all_have_adopted_the_joint_map(void **state)
{
    struct troupe t;

    (void)state;
    troupe_init(&t, 4);
    troupe_play(&t, "50");
    troupe_expect(&t, four, "the first");
    troupe_play(&t, "bn cw 20 c+ 500");
    troupe_expect(&t, "S 11Uv 11Uv 11E 11Uv\n" "J 11Uv 11Uv 11Uf 11Uv\n", "one is busy");
    assert_int_equal(leader_go(t.leader), 0);
    troupe_play(&t, "bN 20");
    assert_int_equal(leader_go(t.leader), 3);
    troupe_play(&t, "50");
    troupe_expect(&t, "W 11Uv 11Uv 11Uf 11Uv\n" "S 11Uv 11Uv 11Uv 11Uv\n", "it goes on");
    assert_int_equal(leader_go(t.leader), 0);
    troupe_fini(&t);
}

static void a_leader_that_stood_still_blames_nobody(void **state)
{
    struct troupe t;

    (void)state;
    troupe_init(&t, 4);
    troupe_play(&t, "50");
    troupe_expect(&t, four, "the first");
    t.now_ms += 7000;           /* it wakes, and steps when it has heard but some */
    for (size_t i = 0; i < 2; i++) {
        struct ping p = ping_of(&t.actors[i]);

        assert_null(leader_hear(t.leader, &p, t.now_ms));
    }
    troupe_step(&t);
    troupe_play(&t, "500");
    troupe_expect(&t, "", "awake again");
    troupe_fini(&t);
}

static void a_map_that_is_not_saved_never_was(void **state)
{
    struct troupe t;

    (void)state;
    troupe_init(&t, 4);
    troupe_play(&t, "50");
    troupe_expect(&t, four, "the first");
    t.disk_full = true;
    troupe_play(&t, "cw 500");
    assert_int_equal(leader_map(t.leader)->epoch, 1);
    t.disk_full = false;
    troupe_play(&t, "10");
    troupe_expect(&t, "S 11Uv 11Uv 11E 11Uv\n", "saved");
    assert_int_equal(leader_map(t.leader)->epoch, 2);
    troupe_fini(&t);
}

/* The same mishaps, and the leader dies after the n-th map of them: what is made
 * in the end is the same. */
static void a_leader_goes_on_from_its_file_in_any_phase(void **state)
{
    static const char *const scripts[] = {
        "c! 300 c+ 8000", "cw 31500 c+ 5000", "a! b! 300 a+ b+ 8000", "cz 2300 cZ 6000",
    };

    (void)state;
    for (size_t i = 0; i < N_OF(scripts); i++) {
        for (size_t n = 1; n < 12; n++) {
            char words[100], *rest = words;
            struct troupe t;
            bool restarted = false;

            troupe_init(&t, 4);
            troupe_play(&t, "50");
            snprintf(words, sizeof(words), "%s", scripts[i]);
            for (char *word; (word = strtok_r(rest, " ", &rest)) != NULL;) {
                int ticks = word[0] >= '0' && word[0] <= '9' ? atoi(word) / TICK_MS : 0;

                if (ticks == 0)
                    troupe_do(&t, word);
                for (; ticks > 0; ticks--) {
                    troupe_do(&t, "10");
                    if (!restarted && leader_map(t.leader)->epoch > n) {
                        restart_leader(&t);
                        restarted = true;
                        assert_true(leader_map(t.leader)->epoch > n);
                    }
                }
            }
            if (restarted)
                troupe_play(&t, "32000");
            if (strcmp(map_text(leader_map(t.leader)), "S 11Uv 11Uv 11Uv 11Uv") != 0)
                fail_msg("%s, %zu: %s", scripts[i], n, map_text(leader_map(t.leader)));
            troupe_fini(&t);
        }
    }
}

/* One that the members have and the file has not. */
static void the_newest_map_may_live_with_the_members_alone(void **state)
{
    struct map *newer = map_of(9, 2, MAP_JOINT, "11Uv 11Uv 01Uf 11U");
    size_t len = map_len(newer);
    char *bytes = malloc(len);
    struct troupe t;

    (void)state;
    troupe_init(&t, 4);
    troupe_play(&t, "50");
    troupe_expect(&t, four, "the first");
    strcpy(newer->leader, "l");
    for (size_t i = 0; i < 4; i++)
        newer->members[i].incarnation = t.actors[i].incarnation;
    newer->members[2].number = 77;
    free(bytes);
    len = map_len(newer);
    bytes = malloc(len);
    assert_non_null(bytes);
    map_put(bytes, newer);

    restart_leader(&t);
    for (size_t i = 0; i < 4; i++) {
        struct ping p = ping_of(&t.actors[i]);

        p.seen = i == 3 ? 9 : 1;
        p.digest = i == 3 ? map_digest(newer) : leader_map(t.leader)->epoch;
        if (i == 3)             /* it says so, its map is still on its way */
            assert_null(leader_hear(t.leader, &p, t.now_ms));
        assert_null(leader_step(t.leader, t.now_ms));
        p.map = bytes;
        p.map_len = i == 3 ? len : 3;
        assert_null(leader_hear(t.leader, &p, t.now_ms));
    }
    assert_non_null(leader_step(t.leader, t.now_ms));
    leader_commit(t.leader, true);
    assert_int_equal(leader_map(t.leader)->epoch, 10);
    assert_int_equal(leader_map(t.leader)->phase_since, 9);
    assert_string_equal(map_text(leader_map(t.leader)), "J 11Uv 11Uv 01Uf 11U");
    assert_int_equal(leader_map(t.leader)->members[2].number, 77);
    troupe_play(&t, "100");
    troupe_expect(&t, "W 11Uv 11Uv 01Uf 11U\n" "S 11Uv 11Uv 11Uv 11U\n"
                      "S 11Uv 11Uv 11Uv 11Uv\n", "it goes on");
    free(bytes);
    free(newer);
    troupe_fini(&t);
}

/* Who goes by another map of this epoch would go by it for ever. */
static void two_maps_of_one_epoch_end_in_a_third(void **state)
{
    struct troupe t;

    (void)state;
    troupe_init(&t, 4);
    troupe_play(&t, "50");
    t.actors[3].digest++;
    troupe_play(&t, "50");
    troupe_expect(&t, "S 11Uv 11Uv 11Uv 11Uv\n" "S 11Uv 11Uv 11Uv 11Uv\n", "again");
    assert_int_equal(leader_map(t.leader)->epoch, 2);
    troupe_fini(&t);
}

static void one_process_is_the_member(void **state)
{
    struct troupe t;
    struct ping p;

    (void)state;
    troupe_init(&t, 2);
    troupe_play(&t, "50");
    p = ping_of(&t.actors[0]);
    p.incarnation = 99;
    assert_string_equal(leader_hear(t.leader, &p, t.now_ms),
                        "another process of this name answers at its address");
    strcpy(p.name, "x");
    assert_string_equal(leader_hear(t.leader, &p, t.now_ms), "the map has no such member");
    p.role = PING_FRONT;
    assert_null(leader_hear(t.leader, &p, t.now_ms));
    troupe_fini(&t);
}

static void a_member_may_move(void **state)
{
    struct troupe t;
    struct ping p;

    (void)state;
    troupe_init(&t, 2);
    troupe_play(&t, "50");
    p = ping_of(&t.actors[0]);
    strcpy(p.address, "elsewhere:1");
    assert_null(leader_hear(t.leader, &p, t.now_ms));
    troupe_step(&t);
    assert_string_equal(leader_map(t.leader)->members[0].address, "elsewhere:1");
    assert_int_equal(leader_map(t.leader)->epoch, 2);
    troupe_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_mishap_makes_its_maps),
        cmocka_unit_test(a_mishap_goes_before_the_change_in_progress),
        cmocka_unit_test(without_the_voters_nothing_is_done),
        cmocka_unit_test(the_first_map_is_of_those_who_are_there),
        cmocka_unit_test(an_ejection_comes_in_time),
        cmocka_unit_test(nothing_moves_before_all_have_adopted_the_joint_map),
        cmocka_unit_test(a_leader_that_stood_still_blames_nobody),
        cmocka_unit_test(a_map_that_is_not_saved_never_was),
        cmocka_unit_test(a_leader_goes_on_from_its_file_in_any_phase),
        cmocka_unit_test(the_newest_map_may_live_with_the_members_alone),
        cmocka_unit_test(two_maps_of_one_epoch_end_in_a_third),
        cmocka_unit_test(one_process_is_the_member),
        cmocka_unit_test(a_member_may_move),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
