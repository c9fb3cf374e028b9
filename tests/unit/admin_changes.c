#include "admin_help.h"

#define N_OF(table) (sizeof(table) / sizeof((table)[0]))

static void each_change_reaches_the_leader_and_names_its_job(void **state)
{
    static const struct { const char *line, *body, *asked; } cases[] = {
        { "POST /v1/nodes", "{\"name\":\"n\",\"address\":\"10.0.0.1:1\"}",
          "add n 10.0.0.1:1  1" },
        { "POST /v1/nodes", "{\"name\":\"n\",\"address\":\"[::1]:1\",\"weight\":100,"
          "\"zone\":\"z\"}", "add n [::1]:1 z 100" },
        { "POST /v1/nodes", "{\"name\":\"n\",\"address\":\"/s/n\"}", "add n /s/n  1" },
        { "POST /v1/nodes/a/drain", "", "drain a - - 0" },
        { "PUT /v1/nodes/a/weight", "{\"weight\":3}", "weight a - - 3" },
        { "POST /v1/nodes/a/weight", "{\"weight\":3}", "weight a - - 3" },
        { "DELETE /v1/nodes/a", "", "remove a - - 0" },
        { "DELETE /v1/nodes/a?force", "", "remove a - - 0 force" },
        { "DELETE /v1/nodes/a?force=1", "", "remove a - - 0 force" },
        { "DELETE /v1/nodes/a?force=0", "", "remove a - - 0" },
    };
    struct fake *f = *state;

    for (size_t i = 0; i < N_OF(cases); i++) {
        assert_int_equal(request(f, cases[i].line, cases[i].body), 202);
        assert_string_equal(f->asked, cases[i].asked);
        assert_int_equal(number_at(f, "job"), 7);
        assert_non_null(strstr(f->head, "\r\nLocation: /v1/jobs/7\r\n"));
    }
}

static void what_the_leader_refuses_is_a_conflict_in_its_words(void **state)
{
    struct fake *f = *state;

    f->why = "it is the last shard that holds items";
    assert_int_equal(request(f, "POST /v1/nodes/a/drain", ""), 409);
    assert_string_equal(text_at(f, "error"), "it is the last shard that holds items");
    f->jobs[0] = (struct job){ .id = 1 };
    f->n_jobs = 1;
    assert_int_equal(request(f, "DELETE /v1/jobs/1", ""), 409);
    assert_string_equal(text_at(f, "error"), "it is the last shard that holds items");
}

static void who_does_not_lead_says_who_does(void **state)
{
    static const char *const lines[] = {
        "POST /v1/nodes/a/drain", "DELETE /v1/nodes/a", "GET /v1/jobs", "GET /v1/jobs/1",
        "DELETE /v1/jobs/1",
    };
    struct fake *f = *state;

    f->leads = false;
    for (size_t i = 0; i < N_OF(lines); i++) {
        assert_int_equal(request(f, lines[i], ""), 503);
        assert_string_equal(text_at(f, "error"), "not the leader: ask the admin address, --http, of "
                            "front, whose peer address is 10.0.0.9:11301");
        assert_string_equal(f->asked, "");
    }
    free(f->map);
    f->map = NULL;
    assert_int_equal(request(f, "GET /v1/jobs", ""), 503);
    assert_int_equal(request(f, "POST /v1/nodes/a/drain", ""), 503);
    assert_string_equal(text_at(f, "error"), "there is no map yet");
}

static void a_dry_run_asks_nothing_of_the_leader(void **state)
{
    static const struct { const char *line, *body; double share; int keys, moved; } cases[] = {
        /* 300 items in two copies are 150 keys */
        { "POST /v1/nodes?dry_run", "{\"name\":\"n\",\"address\":\"/x\"}", 0.25, 150, 37 },
        { "POST /v1/nodes/a/drain?dry_run", "", 0.33, 150, 50 },
        { "DELETE /v1/nodes/a?dry_run", "", 0.33, 150, 50 },
        { "PUT /v1/nodes/a/weight?dry_run", "{\"weight\":4}", 0.33, 150, 50 },
        { "PUT /v1/nodes/a/weight?dry_run", "{\"weight\":1}", 0, 150, 0 },
    };
    struct fake *f = *state;

    for (int leads = 0; leads < 2; leads++) {
        f->leads = leads;
        for (size_t i = 0; i < N_OF(cases); i++) {
            const double share = cases[i].share;

            assert_int_equal(request(f, cases[i].line, cases[i].body), 200);
            assert_true(json_real_value(at(f, "share")) >= share - 0.02);
            assert_true(json_real_value(at(f, "share")) <= share + 0.02);
            assert_int_equal(number_at(f, "keys"), cases[i].keys);
            assert_in_range(number_at(f, "keys_moved") + 5, cases[i].moved,
                            cases[i].moved + 10);
        }
    }
    assert_string_equal(f->asked, "");
}

static void jobs_are_shown_with_their_progress(void **state)
{
    struct fake *f = *state;

    f->jobs[0] = (struct job){ .id = 1, .kind = JOB_DRAIN, .status = JOB_DONE, .member = "b" };
    f->jobs[1] = (struct job){ .id = 2, .kind = JOB_ADD, .status = JOB_RUNNING, .member = "n",
                               .weight = 3, .items_done = 40, .items_left = 60,
                               .bytes_done = 1ull << 40, .eta_ms = -1, .words = "moves" };
    f->n_jobs = 2;
    assert_int_equal(request(f, "GET /v1/jobs", ""), 200);
    assert_string_equal(text_at(f, "jobs.0.kind"), "drain");
    assert_string_equal(text_at(f, "jobs.0.status"), "done");
    assert_int_equal(request(f, "GET /v1/jobs/2", ""), 200);
    assert_string_equal(text_at(f, "node"), "n");
    assert_string_equal(text_at(f, "status"), "running");
    assert_string_equal(text_at(f, "words"), "moves");
    assert_int_equal(number_at(f, "items_done"), 40);
    assert_int_equal(number_at(f, "items_left"), 60);
    assert_int_equal(number_at(f, "bytes_done"), 1ll << 40);
    assert_int_equal(number_at(f, "eta_ms"), -1);
    assert_int_equal(request(f, "DELETE /v1/jobs/2", ""), 200);
    assert_string_equal(f->asked, "abort 2");
    assert_string_equal(text_at(f, "status"), "aborted");
}

static void jobs_that_are_none_are_told_apart(void **state)
{
    struct fake *f = *state;

    assert_int_equal(request(f, "GET /v1/jobs/3", ""), 404);
    assert_int_equal(request(f, "DELETE /v1/jobs/3", ""), 404);
    assert_int_equal(request(f, "GET /v1/jobs/x", ""), 400);
    assert_int_equal(request(f, "GET /v1/jobs/-1", ""), 400);
    assert_int_equal(request(f, "GET /v1/jobs/99999999999999999999999", ""), 400);
    assert_string_equal(f->asked, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_change_reaches_the_leader_and_names_its_job,
                                        fake_setup, fake_teardown),
        cmocka_unit_test_setup_teardown(what_the_leader_refuses_is_a_conflict_in_its_words,
                                        fake_setup, fake_teardown),
        cmocka_unit_test_setup_teardown(who_does_not_lead_says_who_does, fake_setup,
                                        fake_teardown),
        cmocka_unit_test_setup_teardown(a_dry_run_asks_nothing_of_the_leader, fake_setup,
                                        fake_teardown),
        cmocka_unit_test_setup_teardown(jobs_are_shown_with_their_progress, fake_setup,
                                        fake_teardown),
        cmocka_unit_test_setup_teardown(jobs_that_are_none_are_told_apart, fake_setup,
                                        fake_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
