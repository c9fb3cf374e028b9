#include "cluster_troupe.h"

static const char *const three = "S 11Uv 11Uv 11U\n";

static void begin(struct troupe *t)
{
    troupe_init(t, 3);
    troupe_play(t, "50");
    troupe_expect(t, three, "the first");
}

/* An operator's word to the leader: "+d" add, "-c" remove, "!c" remove by force,
 * "~c" drain, "=c5" weight, "x1" abort.  An id, or 0 and words. */
static uint64_t ask(struct troupe *t, const char *word, const char **why)
{
    char name[2] = { word[1], '\0' };

    *why = "";
    switch (word[0]) {
    case '+':
        return leader_add(t->leader, &(struct leader_member){ name, "", "addr:1", 2 }, why);
    case '-': return leader_remove(t->leader, name, false, why);
    case '!': return leader_remove(t->leader, name, true, why);
    case '~': return leader_drain(t->leader, name, why);
    case '=': return leader_weight(t->leader, name, (unsigned)atoi(word + 2), why);
    case 'x': return leader_abort(t->leader, (uint64_t)atoi(word + 1), why);
    }
    fail_msg("no such word: %s", word);
    return 0;
}

/* Words of an operator and of fate. */
static void play(struct troupe *t, const char *script)
{
    char words[200], *rest = words;
    const char *why;

    snprintf(words, sizeof(words), "%s", script);
    for (char *word; (word = strtok_r(rest, " ", &rest)) != NULL;) {
        if (strchr("+-!~=x", word[0]) == NULL)
            troupe_do(t, word);
        else if (ask(t, word, &why) == 0)
            fail_msg("%s: %s", word, why);
    }
}

static const char *jobs_text(const struct troupe *t)
{
    static const char *const statuses[] = { "queued", "running", "aborting", "done", "aborted",
                                            "failed" };
    static const char *const kinds[] = { "add", "remove", "drain", "weight", "heal", "replace" };
    static char text[1000];
    size_t n;
    const struct job *jobs = leader_jobs(t->leader, &n);

    text[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(text);

        snprintf(text + len, sizeof(text) - len, "%s%s %s %s", i > 0 ? ", " : "",
                 kinds[jobs[i].kind], jobs[i].member, statuses[jobs[i].status]);
        assert_ptr_equal(leader_job(t->leader, jobs[i].id), &jobs[i]);
        if (jobs[i].ended_ms != 0)
            assert_true(jobs[i].ended_ms >= jobs[i].asked_ms);
    }
    return text;
}

static void each_job_makes_its_maps(void **state)
{
    static const struct { const char *script, *maps, *jobs; } cases[] = {
        /* a new one waits to be heard, then is filled */
        { "+d 300", "S 11Uv 11Uv 11U 00E\n", "add d running" },
        { "+d d+ 300", "S 11Uv 11Uv 11U 00E\n" "J 11Uv 11Uv 11U 02Uf\n"
                       "W 11Uv 11Uv 11U 02Uf\n" "S 11Uv 11Uv 11Uv 22U\n"
                       "S 11Uv 11Uv 11Uv 22Uv\n", "add d done" },
        { "~a 300", "S 11Uv 11Uv 11U\n" "S 11U 11Uv 11U\n" "S 11U 11Uv 11Uv\n"
                    "J 10U 11Uv 11Uv\n" "W 10U 11Uv 11Uv\n" "S 00U 11Uv 11Uv\n",
          "drain a done" },
        { "~c 300", "S 11Uv 11Uv 11U\n" "J 11Uv 11Uv 10U\n" "W 11Uv 11Uv 10U\n"
                    "S 11Uv 11Uv 00U\n", "drain c done" },
        { "=c7 300", "S 11Uv 11Uv 11U\n" "J 11Uv 11Uv 17U\n" "W 11Uv 11Uv 17U\n"
                     "S 11Uv 11Uv 77U\n", "weight c done" },
        { "=c1 300", "S 11Uv 11Uv 11U\n", "weight c done" },
        { "-c 300", "S 11Uv 11Uv 11U\n" "J 11Uv 11Uv 10U\n" "W 11Uv 11Uv 10U\n"
                    "S 11Uv 11Uv 00U\n" "S 11Uv 11Uv\n", "remove c done" },
        /* a dead one has nothing to give away */
        { "cw 50 !c 300", "S 11Uv 11Uv 11E\n" "S 11Uv 11Uv 11E\n" "J 11Uv 11Uv 10E\n"
                          "W 11Uv 11Uv 10E\n" "S 11Uv 11Uv 00E\n" "S 11Uv 11Uv\n",
          "remove c done" },
        /* one after the other */
        { "=c7 ~b 500", "S 11Uv 11Uv 11U\n" "J 11Uv 11Uv 17U\n" "W 11Uv 11Uv 17U\n"
                         "S 11Uv 11Uv 77U\n" "S 11Uv 11Uv 77U\n" "S 11Uv 11U 77U\n"
                         "S 11Uv 11U 77Uv\n" "J 11Uv 10U 77Uv\n" "W 11Uv 10U 77Uv\n"
                         "S 11Uv 00U 77Uv\n", "weight c done, drain b done" },
        /* what falls begins again */
        { "bs =c7 bS 40 bs 100 bw 20 bS b+ 300",
          "S 11Uv 11Uv 11U\n" "J 11Uv 11Uv 17U\n" "S 11Uv 11E 11U\n" "S 11Uv 11E 11Uv\n"
          "J 11Uv 11Uf 11Uv\n" "W 11Uv 11Uf 11Uv\n" "S 11Uv 11U 11Uv\n"
          "J 11Uv 11U 17Uv\n" "W 11Uv 11U 17Uv\n" "S 11Uv 11U 77Uv\n",
          "weight c done, heal b done" },
        /* the one that leaves dies on its way */
        { "bs ~c bS 40 bs 100 cw 20 bS 200",
          "S 11Uv 11Uv 11U\n" "J 11Uv 11Uv 10U\n" "S 11Uv 11Uv 11E\n" "J 11Uv 11Uv 10E\n"
          "W 11Uv 11Uv 10E\n" "S 11Uv 11Uv 00E\n", "drain c done" },
        /* given up: before, in the middle, and too late */
        { "=c7 ~b x2 300", "S 11Uv 11Uv 11U\n" "J 11Uv 11Uv 17U\n" "W 11Uv 11Uv 17U\n"
                           "S 11Uv 11Uv 77U\n", "weight c done, drain b aborted" },
        { "bs =c7 bS 40 bs 100 x1 bS 300", "S 11Uv 11Uv 11U\n" "J 11Uv 11Uv 17U\n"
                                           "S 11Uv 11Uv 11U\n", "weight c aborted" },
        { "+d 50 x1 50", "S 11Uv 11Uv 11U 00E\n" "S 11Uv 11Uv 11U\n", "add d aborted" },
        { "bs +d bS 30 d+ 30 bs 100 x1 50 bS 50",
          "S 11Uv 11Uv 11U 00E\n" "J 11Uv 11Uv 11U 02Uf\n" "S 11Uv 11Uv 11U\n",
          "add d aborted" },
        /* the leader starts again in the middle */
        { "bs =c7 bS 40 bs 100 lR 100 bS 300", "S 11Uv 11Uv 11U\n" "J 11Uv 11Uv 17U\n"
          "W 11Uv 11Uv 17U\n" "S 11Uv 11Uv 77U\n", "weight c done" },
        /* its own */
        { "cw 50 c+ 200", "S 11Uv 11Uv 11E\n" "J 11Uv 11Uv 11Uf\n" "W 11Uv 11Uv 11Uf\n"
                          "S 11Uv 11Uv 11U\n", "heal c done" },
        { "cw 30200", "S 11Uv 11Uv 11E\n" "J 11Uv 11Uv 10E\n" "W 11Uv 11Uv 10E\n"
                      "S 11Uv 11Uv 00E\n", "replace c done" },
        { "bs cw 50 c+ 200 cw 50", "S 11Uv 11Uv 11E\n" "J 11Uv 11Uv 11Uf\n"
                                   "S 11Uv 11Uv 11E\n", "heal c failed" },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        struct troupe t;

        begin(&t);
        play(&t, cases[i].script);
        troupe_expect(&t, cases[i].maps, cases[i].script);
        if (strcmp(jobs_text(&t), cases[i].jobs) != 0)
            fail_msg("%s: jobs are %s", cases[i].script, jobs_text(&t));
        troupe_fini(&t);
    }
}

static void what_cannot_be_is_refused_with_words(void **state)
{
    static const struct { const char *script, *word, *why; } cases[] = {
        { "", "+c", "there is a member c already" },
        { "+d", "+d", "there is a member d already" },
        { "", "~x", "there is no member x" },
        { "", "-x", "there is no member x" },
        { "", "=x5", "there is no member x" },
        { "", "=c0", "a weight is 1 to 100, all together 16384 at most" },
        { "", "=c101", "a weight is 1 to 100, all together 16384 at most" },
        { "=c5", "~c", "job 1 about c is not over" },
        { "aw 20 bw 20", "~c", "c is the last shard that holds items" },
        { "~a ~b 200", "-c", "c is the last shard that holds items" },
        { "cw 50", "=c5", "c is down" },
        { "cw 50", "-c", "c is down and may come back: force it to be forgotten" },
        { "", "x5", "there is no such job" },
        { "=c5 300", "x1", "it is over" },
        { "bs cw 50 c+ 200", "x1", "it is the cluster's own and would begin again" },
        { "bl =c5 200", "x1", "it is too late: all has moved" },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        struct troupe t;
        const char *why;

        begin(&t);
        play(&t, cases[i].script);
        if (ask(&t, cases[i].word, &why) != 0)
            fail_msg("case %zu was taken", i);
        assert_string_equal(why, cases[i].why);
        troupe_fini(&t);
    }
}

static void a_name_or_address_that_cannot_be_is_no_member(void **state)
{
    static const struct { const char *name, *zone, *address; } cases[] = {
        { "", "", "x:1" }, { "a b", "", "x:1" }, { "d\n", "", "x:1" }, { "d", " ", "x:1" },
        { "d", "", "" }, { "d", "", "\r" },
    };
    struct troupe t;

    (void)state;
    begin(&t);
    for (size_t i = 0; i < N_OF(cases); i++) {
        const char *why = NULL;

        assert_int_equal(leader_add(t.leader, &(struct leader_member){ cases[i].name,
                             cases[i].zone, cases[i].address, 1 }, &why), 0);
        assert_non_null(why);
    }
    troupe_fini(&t);
}

/* A job that was taken is on disk before its operator is told so. */
static void a_job_wants_to_be_saved(void **state)
{
    struct troupe t;
    size_t n;

    (void)state;
    begin(&t);
    assert_false(leader_is_unsaved(t.leader));
    play(&t, "=c7");
    assert_true(leader_is_unsaved(t.leader));
    free(t.file);
    t.file = leader_save(t.leader, &t.file_len);
    assert_false(leader_is_unsaved(t.leader));
    troupe_play(&t, "lR");
    assert_int_equal(leader_jobs(t.leader, &n)->status, JOB_QUEUED);
    assert_int_equal(n, 1);
    troupe_play(&t, "200");
    assert_string_equal(jobs_text(&t), "weight c done");
    troupe_fini(&t);
}

static void a_number_is_not_given_twice(void **state)
{
    struct troupe t;
    const struct map *map;

    (void)state;
    begin(&t);
    play(&t, "+d d+ 300 -d 300 +d d+ 300 lR -c 2000 +c 300");
    map = leader_map(t.leader);
    assert_int_equal(map->n, 4);
    assert_int_equal(map->members[3].number, 5);
    assert_int_equal(map->members[2].number, 6);
    troupe_fini(&t);
}

static void the_list_of_jobs_forgets_the_oldest(void **state)
{
    struct troupe t;
    const struct job *jobs;
    const char *why;
    size_t n;

    (void)state;
    begin(&t);
    for (int i = 0; i < 100; i++) {
        char word[8];

        snprintf(word, sizeof(word), "=c%d", 1 + i % 2);
        play(&t, word);
        troupe_play(&t, "200");
        t.maps[0] = '\0';
    }
    jobs = leader_jobs(t.leader, &n);
    assert_int_equal(n, STATE_MAX_JOBS);
    assert_int_equal(jobs[0].id, 100 - STATE_MAX_JOBS + 1);
    assert_int_equal(jobs[n - 1].id, 100);
    assert_null(leader_job(t.leader, 1));
    for (int i = 0; i < STATE_MAX_JOBS; i++)
        assert_true(leader_add(t.leader, &(struct leader_member){
            (char[]){ 'z', (char)('0' + i), '\0' }, "", "x:1", 1 }, &why) > 0);
    assert_int_equal(ask(&t, "~c", &why), 0);
    assert_string_equal(why, "64 jobs wait already");
    troupe_fini(&t);
}

static void a_job_says_how_far_it_is(void **state)
{
    struct troupe t;
    const struct job *job;

    (void)state;
    begin(&t);
    play(&t, "bs =c7 bS 40 bs 20");
    for (unsigned i = 0; i <= 300; i++) {
        struct ping p = ping_of(&t.actors[1]);

        p.marks = 0;
        p.move_epoch = leader_map(t.leader)->phase_since;
        p.items_sent = 10 * i;
        p.bytes_sent = 1000 * i;
        p.items_left = 4000 - 10 * i;
        p.bytes_left = 400000 - 1000 * i;
        assert_null(leader_hear(t.leader, &p, t.now_ms));
        troupe_tick(&t);
    }
    job = leader_job(t.leader, 1);
    assert_int_equal(job->status, JOB_RUNNING);
    assert_int_equal(job->items_done, 3000);
    assert_int_equal(job->bytes_left, 100000);
    assert_in_range(job->rate_items, 900, 1100);
    assert_in_range(job->eta_ms, 900, 1200);
    troupe_play(&t, "bS 100");
    assert_int_equal(leader_job(t.leader, 1)->status, JOB_DONE);
    assert_int_equal(leader_job(t.leader, 1)->items_left, 0);
    troupe_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_job_makes_its_maps),
        cmocka_unit_test(what_cannot_be_is_refused_with_words),
        cmocka_unit_test(a_name_or_address_that_cannot_be_is_no_member),
        cmocka_unit_test(a_job_wants_to_be_saved),
        cmocka_unit_test(a_number_is_not_given_twice),
        cmocka_unit_test(the_list_of_jobs_forgets_the_oldest),
        cmocka_unit_test(a_job_says_how_far_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
