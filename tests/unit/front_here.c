#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "front_copies.h"

/* The stage is s1, front and shard in one; the test is s2 and s3. */

static uint64_t opened_hash, opened_version;
static unsigned n_opened, n_confirmed, n_given_up;
static bool ends_then;          /* the process is told to stop while it executes this */

static void on_opened(struct worker *w, uint64_t hash, uint64_t version)
{
    (void)w;
    opened_hash = hash;
    opened_version = version;
    n_opened++;
    if (ends_then)
        cluster_give_up(stage.cluster);
}

/* As its shard would: the latest is the only one. */
static void on_settled(struct worker *w, size_t n, bool confirmed)
{
    (void)w;
    if (confirmed)
        assert_true(store_confirm(stage.shard.store, opened_hash, opened_version));
    *(confirmed ? &n_confirmed : &n_given_up) += (unsigned)n;
}

static struct map *map_of_s1(uint64_t epoch)
{
    struct map *m = copies_map(epoch, 2);

    m->members[0].address[0] = '\0';
    m->members[0].voter = true;
    return m;
}

static int set_up(void **state)
{
    char address[ADDRESS_MAX];

    (void)state;
    n_opened = n_confirmed = n_given_up = 0;
    ends_then = false;
    stage_init(&stage, &front_handler);
    for (unsigned i = 2; i <= 3; i++) {
        snprintf(address, sizeof(address), "shard:%u", i);
        stage.world->ops->listen(stage.world, address, 10, 0);
    }
    map = map_of_s1(1);
    stage_add_both_by(&stage, map_of_s1(1));
    store_set_copies(stage.shard.store, 60000, false);
    stage.front.opened = on_opened;
    stage.front.settled = on_settled;
    return 0;
}

/* It may serve for so long. */
static void give_lease(int64_t ms)
{
    cluster_set_lease(stage.cluster, cluster_epoch(stage.cluster),
                      stage.world->ops->mono_ns(stage.world) + ms * 1000000);
}

static int linked(unsigned i)
{
    int shard = greeted_as(i, "s1");
    struct hello h;
    char name[8];

    snprintf(name, sizeof(name), "s%u", i);
    h = stage_hello(&stage, name, map);
    stage_send_hello(&stage, shard, &h);
    stage_run(&stage, 0);
    return shard;
}

static void an_own_write_is_answered_when_its_copy_has_it(void **state)
{
    int c = stage_client(&stage), s2 = linked(2);
    const char *key = key_on(1, 2, "k");
    struct copy copy;
    char want[100];

    (void)state;
    give_lease(1000);
    ask(c, "set %s 7 100 5\r\nhello\r\n", key);
    copy = applied(s2, key);
    assert_int_equal(copy.kind, COPY_VALUE);
    assert_int_equal(copy.version, opened_version);
    assert_int_equal(copy.client_flags, 7);
    assert_memory_equal(copy.value, "hello", 5);
    assert_int_equal(n_confirmed, 0);
    say(s2, (struct frame){ APPLIED_FRAME });
    expect(c, "STORED\r\n");
    assert_int_equal(n_confirmed, 1);
    stage_say(&stage, c, "get ");
    stage_say(&stage, c, key);
    snprintf(want, sizeof(want), "VALUE %s 7 5\r\nhello\r\nEND\r\n", key);
    assert_string_equal(stage_ask(&stage, c, "\r\n"), want);
    expect_nothing(s2);
    assert_int_equal(n_opened, 1);
}

static void an_own_count_is_told_to_the_copy(void **state)
{
    int c = stage_client(&stage), s2 = linked(2);
    const char *key = key_on(1, 2, "k");
    struct copy copy;

    (void)state;
    give_lease(1000);
    ask(c, "set %s 0 0 1\r\n5\r\nincr %s 2\r\n", key, key);
    (void)applied(s2, key);
    copy = applied(s2, key);
    assert_int_equal(copy.value_len, 1);
    assert_memory_equal(copy.value, "7", 1);
    opened_version = 0;
    stage.front.settled = NULL;
    stage_send_frame(&stage, s2, &(struct frame){ APPLIED_FRAME });
    say(s2, (struct frame){ APPLIED_FRAME });
    expect(c, "STORED\r\n7\r\n");
}

static void an_own_read_of_what_is_open_waits_for_the_copy(void **state)
{
    int c = stage_client(&stage), d = stage_client(&stage), s2 = linked(2);
    const char *key = key_on(1, 2, "k");
    char want[100];

    (void)state;
    give_lease(1000);
    stage.front.settled = NULL;
    ask(c, "set %s 0 0 5\r\nhello\r\n", key);
    (void)applied(s2, key);
    ask(d, "get %s\r\n", key);
    assert_memory_equal(applied(s2, key).value, "hello", 5);
    expect(d, "");
    stage_send_frame(&stage, s2, &(struct frame){ APPLIED_FRAME });
    say(s2, (struct frame){ .op = FRAME_APPLIED, .st = APPLIED_OLDER });
    snprintf(want, sizeof(want), "VALUE %s 0 5\r\nhello\r\nEND\r\n", key);
    expect(d, want);
    expect(c, "STORED\r\n");
    assert_int_equal(n_opened, 2);
    assert_int_equal(stage.worker.stats.repairs, 1);
}

static void a_write_to_another_owner_is_copied_here(void **state)
{
    int c = stage_client(&stage), s2 = linked(2);
    const char *key = key_on(2, 1, "k");
    struct frame f;

    (void)state;
    ask(c, "set %s 0 0 5\r\nhello\r\n", key);
    f = heard(s2);
    assert_int_equal(f.flags, FRAME_COPIES);
    say(s2, (struct frame){ OPEN(STORED, store_clock(stage.shard.store,
                                                     fake_now_ms(stage.world)) + 1) });
    expect(c, "STORED\r\n");
    expect_confirm(s2, 1, false);
    assert_int_equal(n_opened, 0);
}

static void without_a_lease_own_keys_wait(void **state)
{
    int c = stage_client(&stage), s2 = linked(2);
    const char *key = key_on(1, 2, "k");

    (void)state;
    ask(c, "mg %s h\r\n", key);
    stage_run(&stage, 500);
    expect(c, "");
    give_lease(600);
    stage_run(&stage, 20);
    expect(c, "EN\r\n");
    ask(c, "set %s 0 0 1\r\n1\r\n", key);
    (void)applied(s2, key);
    stage_run(&stage, 800);     /* it was executed in time */
    say(s2, (struct frame){ APPLIED_FRAME });
    expect(c, "STORED\r\n");
}

static void own_keys_wait_until_all_workers_go_by_the_map(void **state)
{
    int c = stage_client(&stage);

    (void)state;
    (void)linked(2);
    give_lease(1000);
    assert_int_equal(cluster_adopt(stage.cluster, map_of_s1(2)), ADOPTED);
    stage_say(&stage, c, "mg ");
    stage_say(&stage, c, key_on(1, 2, "k"));
    stage_say(&stage, c, " h\r\n");
    stage_run(&stage, 0);       /* a turn, at the end of which the map is gone by */
    give_lease(1000);
    stage_run(&stage, 20);
    expect(c, "EN\r\n");
    assert_int_equal(stage.worker.stats.parked, 1);
}

/* A copy that is still to be told of the write would show what was before it. */
static void a_read_waits_for_the_write_before_it_rather_than_ask_the_copy(void **state)
{
    int c = stage_client(&stage), s2 = linked(2);
    const char *key = key_on(1, 2, "k");
    char want[100];

    (void)state;
    give_lease(100);
    ask(c, "set %s 0 0 5\r\nhello\r\n", key);
    (void)applied(s2, key);
    stage_run(&stage, 150);
    ask(c, "get %s\r\n", key);
    stage_run(&stage, 50);
    expect_nothing(s2);
    give_lease(1000);
    say(s2, (struct frame){ APPLIED_FRAME });
    stage_run(&stage, 20);
    snprintf(want, sizeof(want), "STORED\r\nVALUE %s 0 5\r\nhello\r\nEND\r\n", key);
    expect(c, want);
}

static void what_was_executed_as_the_process_ends_is_answered(void **state)
{
    int c = stage_client(&stage), s2 = linked(2);
    const char *key = key_on(1, 2, "k");

    (void)state;
    give_lease(1000);
    ends_then = true;
    ask(c, "set %s 0 0 5\r\nhello\r\n", key);
    (void)applied(s2, key);
    say(s2, (struct frame){ APPLIED_FRAME });
    expect(c, "STORED\r\n");
    ask(c, "set %s 0 0 1\r\n1\r\n", key);
    expect(c, "");
    expect_nothing(s2);
}

static void a_set_that_is_too_large_here_is_deleted_at_the_copy(void **state)
{
    int c = stage_client(&stage), s2 = linked(2);
    const char *key = key_on(1, 2, "k");

    (void)state;
    give_lease(1000);
    stage.config.max_item_bytes = 100;
    ask(c, "set %s 0 0 101\r\n", key);
    assert_int_equal(applied(s2, key).kind, COPY_DELETED);
    say(s2, (struct frame){ APPLIED_FRAME });
    expect(c, "SERVER_ERROR object too large for cache\r\n");
    assert_int_equal(n_confirmed, 1);
}

/* A key of s2, a copy of which is here. */
static const char *copied_key(const char *value)
{
    const char *key = key_on(2, 1, "k");
    const struct copy copy = { .kind = COPY_VALUE, .any_age = true, .version = 1 << 20,
                               .key = key, .key_len = strlen(key),
                               .value = value, .value_len = strlen(value) };

    assert_int_equal(store_apply(stage.shard.store, &copy, fake_now_ms(stage.world)), APPLIED);
    return key;
}

/* What a get of the key is answered by the copy here. */
static void expect_read_here(int client, const char *key, const char *value)
{
    char line[100], want[100];

    snprintf(line, sizeof(line), "get %s\r\n", key);
    snprintf(want, sizeof(want), "VALUE %s 0 %zu\r\n%s\r\nEND\r\n", key, strlen(value), value);
    assert_string_equal(stage_ask(&stage, client, line), want);
}

static void a_plain_get_is_answered_by_the_copy_here(void **state)
{
    int c = stage_client(&stage), s2 = linked(2);
    const char *key = copied_key("here");
    char line[100], want[100];

    (void)state;
    give_lease(1000);
    expect_read_here(c, key, "here");
    snprintf(line, sizeof(line), "mg %s v\r\n", key);
    snprintf(want, sizeof(want), "VA 4\r\nhere\r\n");
    assert_string_equal(stage_ask(&stage, c, line), want);
    expect_nothing(s2);
    assert_int_equal(stage.worker.stats.local_copy_reads, 2);
    assert_int_equal(stage.worker.stats.get_hits, 2);
}

static void a_get_whose_owner_is_gone_is_answered_by_the_copy_here(void **state)
{
    int c = stage_client(&stage), s2 = linked(2);
    const char *key = copied_key("here");

    (void)state;
    close_far(s2);
    stage_run(&stage, 0);
    give_lease(1000);
    expect_read_here(c, key, "here");
}

/* What the copy does not have proves nothing, and what changes or shows more than
 * the value is the owner's affair. */
static void what_the_copy_here_cannot_answer_is_asked_of_the_owner(void **state)
{
    static const char *const lines[] = {
        "mg %s v t\r\n", "mg %s v h\r\n", "mg %s v l\r\n", "mg %s T30\r\n", "mg %s v N30\r\n",
        "mg %s v R30\r\n", "gat 30 %s\r\n", "mg %s\r\n",
    };
    int c = stage_client(&stage), s2 = linked(2);
    const char *key = copied_key("here");
    char missing[32];

    (void)state;
    give_lease(10000);
    for (size_t i = 0; i < N_OF(lines); i++) {
        char line[100];

        snprintf(line, sizeof(line), lines[i], key);
        ask(c, "%s", line);
        assert_memory_equal(heard(s2).key, key, strlen(key));
        say(s2, (struct frame){ ANSWER(NOT_FOUND) });
        (void)stage_heard(&stage, c);
    }
    snprintf(missing, sizeof(missing), "%s", key_on(2, 1, "missing"));
    ask(c, "get %s\r\n", missing);
    assert_memory_equal(heard(s2).key, missing, strlen(missing));
    assert_int_equal(stage.worker.stats.local_copy_reads, 0);
}

static void without_a_lease_the_copy_here_answers_nothing(void **state)
{
    int c = stage_client(&stage), s2 = linked(2);
    const char *key = copied_key("here");

    (void)state;
    ask(c, "get %s\r\n", key);
    assert_int_equal(heard(s2).op, FRAME_COMMAND + VERB_GET);
}

/* One of two copies may have what the other has not yet: who was shown that by one
 * must not be shown less by the other. */
static void where_there_are_three_of_each_key_the_owner_is_asked(void **state)
{
    int c = stage_client(&stage), s2 = linked(2), s3 = linked(3);
    struct map *m = map_of_s1(2);
    const char *key;

    (void)state;
    m->replicas = 3;
    change_map(m, (int[]){ -1, s2, s3 });
    key = copied_key("here");
    give_lease(10000);
    ask(c, "get %s\r\n", key);
    assert_int_equal(heard(s2).op, FRAME_COMMAND + VERB_GET);
    say(s2, (struct frame){ ANSWER(NOT_FOUND) });
    expect(c, "END\r\n");
    ask(c, "get %s %s\r\n", key, key);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(heard(s2).op, FRAME_COMMAND + VERB_GET);
        say(s2, (struct frame){ ANSWER(NOT_FOUND) });
    }
    expect(c, "END\r\n");
    assert_int_equal(stage.worker.stats.local_copy_reads, 0);
}

/* The copy here has it later than the client has sent it. */
static void a_get_behind_a_write_of_its_session_is_asked_of_the_owner(void **state)
{
    int c = stage_client(&stage), d = stage_client(&stage), s2 = linked(2);
    const char *key = copied_key("old");

    (void)state;
    give_lease(1000);
    ask(c, "set %s 0 0 3\r\nnew\r\nget %s\r\n", key, key);
    assert_int_equal(heard(s2).op, FRAME_COMMAND + VERB_SET);
    assert_int_equal(heard(s2).op, FRAME_COMMAND + VERB_GET);
    expect_read_here(d, key, "old");        /* another's: it may still see that */
    stage_send_frame(&stage, s2, &(struct frame){
        OPEN(STORED, store_clock(stage.shard.store, fake_now_ms(stage.world)) + 1) });
    say(s2, (struct frame){ ANSWER(HIT), VALUE("new") });
    assert_memory_equal(stage_heard(&stage, c), "STORED\r\n", 8);
    expect_read_here(c, key, "new");        /* all copies have it: here as well */
}

static void gets_that_came_together_are_answered_from_here_and_by_others(void **state)
{
    int c = stage_client(&stage), s2 = linked(2), s3 = linked(3);
    char here[32], far[32], own[32], want[200];

    (void)state;
    give_lease(1000);
    snprintf(here, sizeof(here), "%s", copied_key("copy"));
    snprintf(far, sizeof(far), "%s", key_on(3, 2, "f"));
    snprintf(own, sizeof(own), "%s", key_on(1, 2, "o"));
    ask(c, "get %s %s %s %s\r\n", far, here, own, far);
    assert_memory_equal(heard(s3).key, far, strlen(far));
    (void)heard(s3);
    expect_nothing(s2);
    stage_send_frame(&stage, s3, &(struct frame){ ANSWER(HIT), VALUE("1") });
    say(s3, (struct frame){ ANSWER(HIT), VALUE("2") });
    snprintf(want, sizeof(want),
             "VALUE %s 0 1\r\n1\r\nVALUE %s 0 4\r\ncopy\r\nVALUE %s 0 1\r\n2\r\nEND\r\n",
             far, here, far);
    expect(c, want);
    assert_int_equal(stage.worker.stats.get_hits, 3);
    assert_int_equal(stage.worker.stats.get_misses, 1);
    assert_int_equal(stage.worker.stats.local_copy_reads, 1);
}

/* One that is found here keeps its place, and is read once. */
static void what_was_found_here_stays_when_others_are_lost(void **state)
{
    int c = stage_client(&stage), s2 = linked(2), s3 = linked(3);
    char here[32], far[32], own[32], want[200];
    const struct session *s = stage.worker.sessions;
    struct frame f;

    (void)state;
    give_lease(10000);
    snprintf(here, sizeof(here), "%s", copied_key("copy"));
    snprintf(far, sizeof(far), "%s", key_on(3, 2, "f"));
    snprintf(own, sizeof(own), "%s", key_on(1, 2, "o"));
    ask(c, "get %s %s %s %s\r\n", far, here, own, far);
    (void)heard(s3);
    say(s3, (struct frame){ ANSWER(HIT), VALUE("1") });
    close_far(s3);
    stage_run(&stage, 20);
    f = heard(s2);
    assert_int_equal(f.flags, FRAME_AS_COPY);
    assert_memory_equal(f.key, far, strlen(far));
    expect_nothing(s2);
    snprintf(want, sizeof(want), "VALUE %s 0 1\r\n1\r\nVALUE %s 0 4\r\ncopy\r\n", far, here);
    expect(c, want);
    say(s2, (struct frame){ ANSWER(HIT), VALUE("2") });
    snprintf(want, sizeof(want), "VALUE %s 0 1\r\n2\r\nEND\r\n", far);
    expect(c, want);
    assert_int_equal(stage.worker.stats.cmd_get, 4);
    assert_int_equal(stage.worker.stats.get_hits, 3);
    assert_int_equal(stage.worker.stats.get_misses, 1);
    assert_int_equal(s->held_bytes, 0);
    assert_int_equal(s->n_slots, 0);
}

static void the_owner_hears_of_one_read_in_sixteen_here(void **state)
{
    int c = stage_client(&stage), s2 = linked(2);
    const char *key = copied_key("here");
    struct frame f;

    (void)state;
    give_lease(10000);
    for (unsigned i = 0; i < 16; i++)
        expect_read_here(c, key, "here");
    stage_run(&stage, 200);
    f = heard(s2);
    assert_int_equal(f.op, FRAME_USED);
    assert_memory_equal(f.key, key, strlen(key));
    expect_nothing(s2);
}

/* The owner may have another: only it can say. */
static void what_is_open_is_not_shown_by_the_copy_here(void **state)
{
    const struct copy copy = { .kind = COPY_VALUE, .any_age = true, .version = 1 << 20,
                               VALUE("here") };
    int c = stage_client(&stage), s2 = linked(2);
    const char *key = key_on(2, 1, "k");
    struct copy kept = copy;

    (void)state;
    stage.front.settled = NULL;
    kept.key = key;
    kept.key_len = strlen(key);
    assert_int_equal(store_apply(stage.shard.store, &kept, fake_now_ms(stage.world)), APPLIED);
    store_unsettle(stage.shard.store, 1, fake_now_ms(stage.world));
    give_lease(5000);
    ask(c, "get %s\r\n", key);
    assert_int_equal(heard(s2).op, FRAME_COMMAND + VERB_GET);
    close_far(s2);
    stage_run(&stage, 0);
    expect(c, "");
    stage_run(&stage, 50);
    s2 = linked(2);
    stage_run(&stage, 20);
    assert_int_equal(heard(s2).op, FRAME_COMMAND + VERB_GET);
    say(s2, (struct frame){ ANSWER(NOT_FOUND) });
    expect(c, "END\r\n");
    assert_true(stage.worker.stats.failover_reads > 0);
}

static void a_new_owner_waits_for_the_end_of_the_old_one(void **state)
{
    struct map *m = map_of_s1(2);
    int c = stage_client(&stage), s2 = linked(2);
    struct view *v;
    struct placing p;
    char key[32];

    (void)state;
    m->phase = MAP_SWITCHED;            /* s2 has left */
    m->phase_since = 2;
    m->members[1].next_weight = 0;
    assert_int_equal(cluster_adopt(stage.cluster, m), ADOPTED);
    stage_run(&stage, 0);
    (void)s2;
    v = cluster_view(stage.cluster);
    for (unsigned n = 0;; n++) {
        snprintf(key, sizeof(key), "k%u", n);
        view_place(v, ring_hash(key, strlen(key)), &p);
        if (p.owner == 0 && p.old_owner == 1)
            break;
    }
    view_unref(v);
    give_lease(5000);
    ask(c, "mg %s v\r\n", key);
    stage_run(&stage, 100);
    expect(c, "");
    cluster_set_ended(stage.cluster, m->members[1].number, m->members[1].incarnation, 2);
    stage_run(&stage, 20);
    expect(c, "EN\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_own_write_is_answered_when_its_copy_has_it, set_up),
        TEST(an_own_count_is_told_to_the_copy, set_up),
        TEST(an_own_read_of_what_is_open_waits_for_the_copy, set_up),
        TEST(a_write_to_another_owner_is_copied_here, set_up),
        TEST(without_a_lease_own_keys_wait, set_up),
        TEST(what_was_executed_as_the_process_ends_is_answered, set_up),
        TEST(own_keys_wait_until_all_workers_go_by_the_map, set_up),
        TEST(a_read_waits_for_the_write_before_it_rather_than_ask_the_copy, set_up),
        TEST(a_plain_get_is_answered_by_the_copy_here, set_up),
        TEST(a_get_whose_owner_is_gone_is_answered_by_the_copy_here, set_up),
        TEST(what_the_copy_here_cannot_answer_is_asked_of_the_owner, set_up),
        TEST(without_a_lease_the_copy_here_answers_nothing, set_up),
        TEST(where_there_are_three_of_each_key_the_owner_is_asked, set_up),
        TEST(a_get_behind_a_write_of_its_session_is_asked_of_the_owner, set_up),
        TEST(gets_that_came_together_are_answered_from_here_and_by_others, set_up),
        TEST(what_was_found_here_stays_when_others_are_lost, set_up),
        TEST(the_owner_hears_of_one_read_in_sixteen_here, set_up),
        TEST(what_is_open_is_not_shown_by_the_copy_here, set_up),
        TEST(a_new_owner_waits_for_the_end_of_the_old_one, set_up),
        TEST(a_set_that_is_too_large_here_is_deleted_at_the_copy, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
