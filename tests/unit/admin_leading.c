#include "admin_help.h"

#include "admin/leading.h"

struct disk {
    bool works;
    unsigned saved;
};

static bool save(void *arg, const char *bytes, size_t len)
{
    struct disk *disk = arg;

    assert_true(bytes != NULL && len > 0);
    disk->saved += disk->works;
    return disk->works;
}

/* One that has a map with "a" in it. */
static struct leader *start(void)
{
    const struct leader_config config = {
        .name = "front", .address = "/s/front", .incarnation = 1, .replicas = 1,
        .hold_down_ms = 30000, .now_ms = 1000, .wall_ms = 1000000,
    };
    const struct leader_member a = { "a", "", "/s/a", 1 };
    const struct ping ping = { .role = PING_SHARD, .incarnation = 5, .name = "a",
                               .address = "/s/a" };
    struct leader *l = leader_new(&config);

    assert_true(leader_start_members(l, &a, 1));
    assert_null(leader_hear(l, &ping, 1000));
    for (int i = 0; i < 100 && leader_map(l) == NULL; i++)
        if (leader_step(l, 1000 + 100 * i) != NULL)
            leader_commit(l, true);
    assert_non_null(leader_map(l));
    return l;
}

static unsigned waiting(struct leader *leader)
{
    size_t n;
    const struct job *jobs = leader_jobs(leader, &n);
    unsigned found = 0;

    for (size_t i = 0; i < n; i++)
        found += jobs[i].status == JOB_QUEUED || jobs[i].status == JOB_RUNNING;
    return found;
}

static const struct admin_change add = { .kind = JOB_ADD, .name = "b", .address = "/s/b",
                                         .zone = "", .weight = 2 };

static void a_job_is_saved_before_it_is_taken(void **state)
{
    struct disk disk = { .works = true };
    struct leading l = { start(), save, &disk };
    const char *why = NULL;
    uint64_t id;

    (void)state;
    id = leading_change(&l, &add, &why);
    assert_true(id > 0);
    assert_int_equal(disk.saved, 1);
    assert_int_equal(leader_job(l.leader, id)->weight, 2);
    assert_string_equal(leader_job(l.leader, id)->address, "/s/b");
    assert_true(leading_abort(&l, id, &why));
    assert_int_equal(disk.saved, 2);
    assert_int_equal(waiting(l.leader), 0);
    leader_free(l.leader);
}

static void a_job_that_cannot_be_saved_is_given_up(void **state)
{
    struct disk disk = { .works = false };
    struct leading l = { start(), save, &disk };
    const char *why = NULL;

    (void)state;
    assert_true(leading_change(&l, &add, &why) == 0);
    assert_string_equal(why, "the state file cannot be written");
    assert_int_equal(waiting(l.leader), 0);
    leader_free(l.leader);
}

static void what_the_leader_refuses_is_not_saved(void **state)
{
    static const struct admin_change bad[] = {
        { .kind = JOB_DRAIN, .name = "a" },             /* the last one */
        { .kind = JOB_DRAIN, .name = "x" },
        { .kind = JOB_REMOVE, .name = "x" },
        { .kind = JOB_WEIGHT, .name = "x", .weight = 1 },
        { .kind = JOB_ADD, .name = "a", .address = "/x", .zone = "", .weight = 1 },
        { .kind = JOB_HEAL, .name = "a" },
    };
    struct disk disk = { .works = true };
    struct leading l = { start(), save, &disk };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *why = NULL;

        assert_true(leading_change(&l, &bad[i], &why) == 0);
        assert_non_null(why);
    }
    assert_int_equal(disk.saved, 0);
    leader_free(l.leader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_is_saved_before_it_is_taken),
        cmocka_unit_test(a_job_that_cannot_be_saved_is_given_up),
        cmocka_unit_test(what_the_leader_refuses_is_not_saved),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
