/* Plain gets that came together: one request a shard, answers in the order asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "front_copies.h"

#define KEYS_MAX 300
#define DEADLINE_MS (1000 + 2500)

static char a[KEYS_MAX][16], b[KEYS_MAX][16];   /* keys of s1, of s2 */
static char large[300000];

static struct session *session(void)
{
    return stage.worker.sessions;
}

/* But for what is kept to be written into: answers, and frames that wait. */
static size_t bytes_out(void)
{
    const struct front_worker *fw = stage.worker.front;
    const struct chunk *answers = stage.worker.kept, *frames = fw->links.kept;

    return stage.worker.pool.bytes_out - (answers != NULL ? answers->size : 0) -
           (frames != NULL ? frames->size : 0);
}

/* Nobody is charged for anything any more. */
static void expect_all_given_back(void)
{
    assert_int_equal(session()->held_bytes, 0);
    assert_int_equal(session()->n_slots, 0);
    assert_int_equal(session()->n_again, 0);
    assert_int_equal(session()->n_writes, 0);
    assert_null(session()->first);
    assert_int_equal(bytes_out(), 0);
}

static void find_keys(void)
{
    struct view *v = cluster_view(stage.cluster);
    unsigned n[2] = { 0, 0 };
    struct placing p;
    char key[16];

    for (unsigned i = 0; n[0] < KEYS_MAX || n[1] < KEYS_MAX; i++) {
        snprintf(key, sizeof(key), "k%u", i);
        view_place(v, ring_hash(key, strlen(key)), &p);
        if ((unsigned)p.owner < 2 && n[p.owner] < KEYS_MAX)
            strcpy(p.owner == 0 ? a[n[0]++] : b[n[1]++], key);
    }
    view_unref(v);
}

static int two(void **state)
{
    two_shards(state);
    find_keys();
    memset(large, 'v', sizeof(large));
    return 0;
}

/* s2 is not there. */
static int one_of_two(void **state)
{
    (void)state;
    stage_init(&stage, &front_handler);
    map = stage_map(1, 2);
    stage.world->ops->listen(stage.world, "shard:1", 10, 0);
    stage_add_front(&stage, 2);
    find_keys();
    return 0;
}

/* One copy of all, and somebody who makes maps: what is refused is tried again. */
static int led(void **state)
{
    (void)state;
    begin_copies(1);
    find_keys();
    memset(large, 'v', sizeof(large));
    return 0;
}

static int copied(void **state)
{
    two_copies(state);
    find_keys();
    memset(large, 'v', sizeof(large));
    return 0;
}

static int thrice(void **state)
{
    three_copies(state);
    find_keys();
    return 0;
}

/* One process that keeps items and a front: it is s1. */
static int both(void **state)
{
    (void)state;
    stage_init(&stage, &front_handler);
    map = stage_map(1, 2);
    stage.world->ops->listen(stage.world, "shard:2", 10, 0);
    stage_add_both_by(&stage, stage_map(1, 2));
    find_keys();
    return 0;
}

/* The next frame is a get of this key. */
static void expect_get(int shard, enum verb verb, const char *key)
{
    const struct frame f = heard(shard);

    assert_int_equal(f.op, FRAME_COMMAND + verb);
    assert_int_equal(f.key_len, strlen(key));
    assert_memory_equal(f.key, key, f.key_len);
    assert_int_equal(f.value_len, 0);
}

/* Whatever it was asked. */
static void hear_all(int shard)
{
    struct frame f;

    while (stage_take_frame(&stage, shard, &f))
        ;
}

static void hit(int shard, const char *value)
{
    say(shard, (struct frame){ ANSWER(HIT), .value = value, .value_len = strlen(value) });
}

static void large_hit(int shard, size_t len)
{
    say(shard, (struct frame){ ANSWER(HIT), .value = large, .value_len = len });
}

static void miss(int shard)
{
    say(shard, (struct frame){ ANSWER(NOT_FOUND) });
}

static void tell(int shard, const char *value, uint64_t version)
{
    const struct copy told = {
        .kind = COPY_VALUE, .any_age = true, .version = version, .value = value,
        .value_len = strlen(value),
    };
    struct frame f;

    frame_from_copy(&f, FRAME_TOLD, &told);
    stage_send_frame(&stage, shard, &f);
}

static void open_hit(int shard, const char *value, uint64_t version)
{
    tell(shard, value, version);
    say(shard, (struct frame){ OPEN(HIT, version), .value = value, .value_len = strlen(value) });
}

__attribute__((format(printf, 2, 3)))
static void expect_text(int client, const char *format, ...)
{
    char want[1000];
    va_list args;

    va_start(args, format);
    vsnprintf(want, sizeof(want), format, args);
    va_end(args);
    expect(client, want);
}

/* What is refused from here on is nobody's map any more: the front says that it knows. */
static void take_refusal(int shard)
{
    struct frame f;

    stage_run(&stage, 0);
    f = heard(shard);
    assert_int_equal(f.op, FRAME_MAP);
    say(shard, (struct frame){ .op = FRAME_DONE, .version = f.version });
    stage_run(&stage, 20);
}

/* together */

static void keys_of_a_get_leave_in_one_send_a_shard_and_come_back_in_order(void **state)
{
    int c = stage_client(&stage), s1 = opened(1), s2 = opened(2);
    const unsigned sends[2] = { fake_counts(stage.world, s1).sends,
                                fake_counts(stage.world, s2).sends };

    (void)state;
    ask(c, "get %s %s %s %s %s\r\n", b[0], a[0], a[1], b[1], a[0]);
    assert_int_equal(fake_counts(stage.world, s1).sends, sends[0] + 1);
    assert_int_equal(fake_counts(stage.world, s2).sends, sends[1] + 1);
    assert_int_equal(session()->n_slots, 5 + 1);        /* and the END */
    expect_get(s1, VERB_GET, a[0]);
    expect_get(s1, VERB_GET, a[1]);
    expect_get(s1, VERB_GET, a[0]);
    expect_get(s2, VERB_GET, b[0]);
    expect_get(s2, VERB_GET, b[1]);
    expect_nothing(s1);
    hit(s1, "1");
    hit(s1, "2");
    hit(s1, "3");
    hit(s2, "4");
    expect(c, "");
    hit(s2, "5");
    expect_text(c, "VALUE %s 0 1\r\n4\r\nVALUE %s 0 1\r\n1\r\nVALUE %s 0 1\r\n2\r\n"
                "VALUE %s 0 1\r\n5\r\nVALUE %s 0 1\r\n3\r\nEND\r\n", b[0], a[0], a[1], b[1], a[0]);
    expect_all_given_back();
    assert_int_equal(stage.worker.stats.cmd_get, 5);
    assert_int_equal(stage.worker.stats.get_hits, 5);
    assert_int_equal(stage.worker.stats.get_misses, 0);
}

static void hits_misses_and_tokens_are_told_apart(void **state)
{
    int c = stage_client(&stage), s1 = opened(1), s2 = opened(2);

    (void)state;
    ask(c, "gets %s %s %s %s\r\n", a[0], b[0], a[1], a[2]);
    expect_get(s1, VERB_GETS, a[0]);
    expect_get(s2, VERB_GETS, b[0]);
    say(s1, (struct frame){ ANSWER(HIT), VALUE("one"), .version = 18, .client_flags = 4294967295u });
    say(s1, (struct frame){ ANSWER(NOT_FOUND), .version = 19 });
    say(s1, (struct frame){ ANSWER(HIT), VALUE(""), .version = 20, .marks = MARK_TOKEN,
                            .token = 18446744073709551615ull });
    say(s2, (struct frame){ ANSWER(HIT), VALUE("\r\nEND\r\n"), .version = 1 });
    expect_text(c, "VALUE %s 4294967295 3 18\r\none\r\nVALUE %s 0 7 1\r\n\r\nEND\r\n\r\n"
                "VALUE %s 0 0 18446744073709551615\r\n\r\nEND\r\n", a[0], b[0], a[2]);
    assert_int_equal(stage.worker.stats.cmd_get, 4);
    assert_int_equal(stage.worker.stats.get_hits, 3);
    assert_int_equal(stage.worker.stats.get_misses, 1);
    stage.front.config.cas = false;
    ask(c, "gets %s %s\r\n", a[0], a[1]);
    say(s1, (struct frame){ ANSWER(HIT), VALUE("1"), .version = 18 });
    say(s1, (struct frame){ ANSWER(HIT), VALUE("2"), .marks = MARK_TOKEN, .token = 9 });
    expect_text(c, "VALUE %s 0 1 0\r\n1\r\nVALUE %s 0 1 0\r\n2\r\nEND\r\n", a[0], a[1]);
    expect_all_given_back();
}

static void gets_in_a_row_have_an_end_each(void **state)
{
    int c = stage_client(&stage), s1 = opened(1), s2 = opened(2);
    const unsigned sends = fake_counts(stage.world, s1).sends;

    (void)state;
    ask(c, "get %s\r\nget %s\r\nget %s\r\ngets %s\r\ngets %s\r\n", a[0], b[0], a[1], a[2], b[1]);
    assert_int_equal(fake_counts(stage.world, s1).sends, sends + 1);
    expect_get(s1, VERB_GET, a[0]);
    expect_get(s1, VERB_GET, a[1]);
    expect_get(s1, VERB_GETS, a[2]);
    expect_get(s2, VERB_GET, b[0]);
    expect_get(s2, VERB_GETS, b[1]);
    miss(s2);
    say(s2, (struct frame){ ANSWER(HIT), VALUE("b"), .version = 6 });
    hit(s1, "0");
    expect(c, "");
    miss(s1);
    expect_text(c, "VALUE %s 0 1\r\n0\r\nEND\r\nEND\r\nEND\r\n", a[0]);
    say(s1, (struct frame){ ANSWER(HIT), VALUE("2"), .version = 7 });
    expect_text(c, "VALUE %s 0 1 7\r\n2\r\nEND\r\nVALUE %s 0 1 6\r\nb\r\nEND\r\n", a[2], b[1]);
    expect_all_given_back();
}

static void a_write_between_gets_stays_between_them(void **state)
{
    int c = stage_client(&stage), s1 = opened(1), s2 = opened(2);
    struct frame f;

    (void)state;
    ask(c, "get %s\r\nget %s\r\nset %s 0 0 1\r\n1\r\nget %s\r\nget %s\r\nversion\r\n", a[0], b[0],
        a[0], a[0], b[0]);
    expect_get(s1, VERB_GET, a[0]);
    f = heard(s1);
    assert_int_equal(f.op, FRAME_COMMAND + VERB_SET);
    expect_get(s1, VERB_GET, a[0]);
    expect_get(s2, VERB_GET, b[0]);
    expect_get(s2, VERB_GET, b[0]);
    hit(s1, "0");
    say(s1, (struct frame){ ANSWER(STORED) });
    hit(s1, "1");
    expect(c, "");
    miss(s2);
    expect_text(c, "VALUE %s 0 1\r\n0\r\nEND\r\nEND\r\nSTORED\r\n", a[0]);
    hit(s2, "2");
    expect_text(c, "VALUE %s 0 1\r\n1\r\nEND\r\nVALUE %s 0 1\r\n2\r\nEND\r\nVERSION 1.6.45\r\n",
                a[0], b[0]);
    expect_all_given_back();
}

/* A get of `n` keys, the first of s1 and the others of s2; or so many gets. */
static void say_keys(int client, unsigned n, bool in_a_row)
{
    static char line[KEYS_MAX * 24];
    char *at = line;

    for (unsigned i = 0; i < n; i++)
        at += sprintf(at, "%s%s%s", in_a_row || i == 0 ? "get " : " ", i == 0 ? a[0] : b[i],
                      in_a_row || i + 1 == n ? "\r\n" : "");
    stage_say(&stage, client, line);
    stage_run(&stage, 0);
}

/* What came is the values of these keys, `len` bytes each. */
static void expect_values(int client, unsigned n, size_t len, bool in_a_row)
{
    size_t left;
    const char *all = fake_take(stage.world, client, &left);
    char head[64];

    for (unsigned i = 0; i < n; i++) {
        snprintf(head, sizeof(head), "VALUE %s 0 %zu\r\n", i == 0 ? a[0] : b[i], len);
        assert_memory_equal(all, head, strlen(head));
        all += strlen(head) + len;
        assert_memory_equal(all, "\r\nEND", in_a_row ? 5 : 2);
        all += in_a_row ? 7 : 2;
    }
    assert_string_equal(all, in_a_row ? "" : "END\r\n");
}

static void there_may_be_more_keys_than_a_batch_holds(void **state)
{
    static const unsigned at_once[] = { 1, 20, 31, 32, 33, 64, 100 };
    int c = stage_client(&stage), s1 = opened(1), s2 = opened(2);

    (void)state;
    ask(c, "get %s\r\n", a[0]); /* what it asks for seems to be short */
    (void)heard(s1);
    miss(s1);
    expect(c, "END\r\n");
    for (unsigned i = 0; i < 2 * N_OF(at_once); i++) {
        stage.config.max_requests = at_once[i / 2];
        say_keys(c, 100, i % 2 == 1);
        expect_get(s1, VERB_GET, a[0]);
        for (unsigned n = 1; n < 100; n++)
            expect_get(s2, VERB_GET, b[n]);
        for (unsigned n = 1; n < 100; n++)
            hit(s2, "value");
        expect(c, "");
        hit(s1, "value");
        expect_values(c, 100, 5, i % 2 == 1);
        expect_all_given_back();
    }
}

static void answers_may_be_cut_at_every_byte(void **state)
{
    static const struct frame answers[] = {
        { ANSWER(HIT), VALUE("hello"), .client_flags = 3 }, { ANSWER(NOT_FOUND) },
        { ANSWER(HIT), VALUE("") }, { ANSWER(HIT), VALUE("x"), .marks = MARK_TOKEN, .token = 5 },
    };
    int c = stage_client(&stage), s1 = opened(1), s2 = opened(2);
    char bytes[400], *end = bytes;
    size_t len;

    (void)state;
    for (size_t i = 0; i < N_OF(answers); i++) {
        end = frame_put(end, &answers[i]);
        if (answers[i].value_len > 0)
            memcpy(end, answers[i].value, answers[i].value_len);
        end += answers[i].value_len;
    }
    len = (size_t)(end - bytes);
    for (size_t cut = 1; cut < len; cut++) {
        ask(c, "get %s %s %s %s %s\r\n", a[0], a[1], b[0], a[2], a[3]);
        fake_write(stage.world, s1, bytes, cut);
        stage_run(&stage, 0);
        miss(s2);
        fake_write(stage.world, s1, bytes + cut, len - cut);
        stage_run(&stage, 0);
        expect_text(c, "VALUE %s 3 5\r\nhello\r\nVALUE %s 0 0\r\n\r\nVALUE %s 0 1\r\nx\r\nEND\r\n",
                    a[0], a[2], a[3]);
    }
    expect_all_given_back();
}

static void keys_that_are_kept_here_stand_in_between(void **state)
{
    int s2 = greeted_as(2, "s1"), c = stage_client(&stage);
    struct hello h = stage_hello(&stage, "s2", map);
    char set[60];

    (void)state;
    stage_send_hello(&stage, s2, &h);
    snprintf(set, sizeof(set), "set %s 0 0 3\r\nown\r\n", a[0]);
    assert_string_equal(stage_ask(&stage, c, set), "STORED\r\n");
    ask(c, "get %s %s %s %s %s %s\r\nget %s\r\nget %s\r\n", b[0], b[1], a[0], b[2], a[1], b[3],
        b[4], a[0]);
    for (unsigned i = 0; i < 5; i++)
        expect_get(s2, VERB_GET, b[i]);
    for (unsigned i = 0; i < 5; i++)
        hit(s2, "v");
    expect_text(c, "VALUE %s 0 1\r\nv\r\nVALUE %s 0 1\r\nv\r\nVALUE %s 0 3\r\nown\r\n"
                "VALUE %s 0 1\r\nv\r\nVALUE %s 0 1\r\nv\r\nEND\r\n"
                "VALUE %s 0 1\r\nv\r\nEND\r\nVALUE %s 0 3\r\nown\r\nEND\r\n", b[0], b[1], a[0],
                b[2], b[3], b[4], a[0]);
    expect_all_given_back();
    assert_int_equal(stage.worker.stats.cmd_get, 8);
    assert_int_equal(stage.worker.stats.get_hits, 7);
}

/* a shard is lost */

static void a_shard_that_is_not_there_costs_its_keys_alone(void **state)
{
    int c = stage_client(&stage), s1 = opened(1);

    (void)state;
    ask(c, "get %s %s %s %s\r\nget %s\r\nget %s\r\n", b[0], a[0], b[1], a[1], b[2], a[2]);
    hit(s1, "1");
    hit(s1, "2");
    hit(s1, "3");
    expect_text(c, "VALUE %s 0 1\r\n1\r\nVALUE %s 0 1\r\n2\r\nEND\r\n"
                "END\r\nVALUE %s 0 1\r\n3\r\nEND\r\n", a[0], a[1], a[2]);
    assert_int_equal(stage.worker.stats.cmd_get, 6);
    assert_int_equal(stage.worker.stats.get_hits, 3);
    assert_int_equal(stage.worker.stats.get_misses, 3);
    assert_int_equal(stage.worker.stats.shard_misses, 3);
    expect_all_given_back();
}

static void a_link_that_is_lost_costs_what_it_has_not_answered(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        const unsigned answered = i / 2;
        const bool last = i % 2 == 1;   /* the other shard's answers come */
        int c = stage_client(&stage), s1 = opened(1), s2 = opened(2);
        struct stats *stats = &stage.worker.stats;
        char all[400] = "", want[400], *at = want;

        memset(stats, 0, sizeof(*stats));
        ask(c, "get %s %s %s %s %s\r\n", b[0], a[0], b[1], a[1], b[2]);
        if (!last) {
            hit(s1, "v");
            hit(s1, "v");
        }
        for (unsigned n = 0; n < answered; n++)
            hit(s2, "v");
        close_far(s2);
        stage_run(&stage, 0);
        strcat(all, stage_heard(&stage, c));
        if (last) {
            hit(s1, "v");
            hit(s1, "v");
        }
        strcat(all, stage_heard(&stage, c));
        for (unsigned n = 0; n < 5; n++)
            if (n % 2 == 1 || n / 2 < answered)
                at += sprintf(at, "VALUE %s 0 1\r\nv\r\n", n % 2 == 1 ? a[n / 2] : b[n / 2]);
        strcpy(at, "END\r\n");
        assert_string_equal(all, want);
        assert_int_equal(stats->cmd_get, 5);
        assert_int_equal(stats->get_hits, 2 + answered);
        assert_int_equal(stats->shard_misses, 3 - answered);
        expect_all_given_back();
        close_far(s1);
        fake_reset(stage.world, c);
        stage_run(&stage, 200);
    }
}

static void what_waits_for_a_first_connect_that_fails_was_not_sent(void **state)
{
    int c = stage_client(&stage), s1, s2;

    (void)state;
    ask(c, "get %s %s %s\r\n", a[0], b[0], a[1]);
    s1 = greeted(1);
    s2 = opened(2);
    hit(s2, "2");
    expect(c, "");
    close_far(s1);
    stage_run(&stage, 0);
    expect_text(c, "VALUE %s 0 1\r\n2\r\nEND\r\n", b[0]);
    assert_int_equal(stage.worker.stats.shard_misses, 2);
    expect_all_given_back();
}

static void a_full_queue_costs_what_it_does_not_take(void **state)
{
    int c = stage_client(&stage), s1 = opened(1), s2 = opened(2);

    (void)state;
    stage.front.links_config.queue_bytes = 40;
    ask(c, "get %s %s\r\nget %s %s %s\r\n", a[0], b[0], a[1], b[1], a[2]);
    expect_get(s1, VERB_GET, a[0]);
    expect_nothing(s1);
    hit(s1, "1");
    hit(s2, "2");
    hit(s2, "3");
    expect_text(c, "VALUE %s 0 1\r\n1\r\nVALUE %s 0 1\r\n2\r\nEND\r\n"
                "VALUE %s 0 1\r\n3\r\nEND\r\n", a[0], b[0], b[1]);
    assert_int_equal(stage.worker.stats.shard_misses, 2);
    assert_int_equal(stage.worker.stats.parked, 0);
    expect_all_given_back();
}

static void a_silent_shard_is_given_up_and_the_others_values_are_shown(void **state)
{
    int c = stage_client(&stage), s1 = opened(1);

    (void)state;
    (void)opened(2);
    ask(c, "get %s %s\r\n", b[0], a[0]);
    hit(s1, "1");
    stage_run(&stage, 1200);
    expect_text(c, "VALUE %s 0 1\r\n1\r\nEND\r\n", a[0]);
    expect_all_given_back();
}

static void lost_keys_are_asked_of_a_copy(void **state)
{
    int c = stage_client(&stage), s1 = opened(1), s2 = opened(2), s3 = opened(3), copy;
    const char *key = key_on(1, 3, "r");
    struct frame f;

    (void)state;
    ask(c, "get %s %s\r\n", key, b[0]);
    (void)heard(s1);
    hit(s2, "2");
    close_far(s1);
    stage_run(&stage, 0);
    copy = s3;
    f = heard(copy);
    assert_int_equal(f.op, FRAME_COMMAND + VERB_GET);
    assert_int_equal(f.flags, FRAME_AS_COPY);
    hit(copy, "1");
    expect_text(c, "VALUE %s 0 1\r\n1\r\nVALUE %s 0 1\r\n2\r\nEND\r\n", key, b[0]);
    expect_all_given_back();
}

/* refused */

static void what_is_refused_in_the_middle_is_asked_again(void **state)
{
    static const enum refusal why[] = { REFUSED_NO_LEASE, REFUSED_NOT_READY, REFUSED_EPOCH,
                                        REFUSED_NOT_OWNER };
    int c = stage_client(&stage), s1 = opened(1), s2 = opened(2);

    (void)state;
    (void)opened(3);
    for (size_t i = 0; i < N_OF(why); i++) {
        ask(c, "get %s %s %s %s\r\n", a[0], b[0], a[1], a[2]);
        for (unsigned n = 0; n < 3; n++)
            expect_get(s1, VERB_GET, a[n]);
        expect_get(s2, VERB_GET, b[0]);
        hit(s1, "0");
        stage_send_frame(&stage, s1, &(struct frame){ .op = FRAME_REFUSED, .st = (uint8_t)why[i] });
        say(s1, (struct frame){ .op = FRAME_REFUSED, .st = REFUSED_AGAIN });
        hit(s2, "b");
        take_refusal(s1);
        expect_text(c, "VALUE %s 0 1\r\n0\r\nVALUE %s 0 1\r\nb\r\n", a[0], b[0]);
        expect_get(s1, VERB_GET, a[1]);
        expect_get(s1, VERB_GET, a[2]);
        expect_nothing(s1);
        hit(s1, "1");
        hit(s1, "2");
        expect_text(c, "VALUE %s 0 1\r\n1\r\nVALUE %s 0 1\r\n2\r\nEND\r\n", a[1], a[2]);
        expect_all_given_back();
    }
    assert_int_equal(stage.worker.stats.cmd_get, 4 * N_OF(why));
    assert_int_equal(stage.worker.stats.get_hits, 4 * N_OF(why));
}

static void the_refused_are_asked_again_by_the_newer_map_that_came_with_it(void **state)
{
    int c = stage_client(&stage), shards[3];
    struct map *newer = copies_map(2, 2);
    size_t len = map_len(newer);
    char *value = malloc(len);
    struct frame f = { .op = FRAME_REFUSED, .st = REFUSED_EPOCH, .value = value, .value_len = len };

    (void)state;
    assert_non_null(value);
    map_put(value, newer);
    for (unsigned i = 0; i < 3; i++)
        shards[i] = opened(i + 1);
    ask(c, "get %s %s\r\n", a[0], b[0]);
    (void)heard(shards[0]);
    (void)heard(shards[1]);
    say(shards[0], f);
    free(value);
    free(newer);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(heard(shards[i]).op, FRAME_MAP);
        if (i != 1)
            say(shards[i], (struct frame){ .op = FRAME_DONE, .version = 2 });
    }
    hit(shards[1], "b");        /* by the old map: it was asked before */
    say(shards[1], (struct frame){ .op = FRAME_DONE, .version = 2 });
    expect_get(shards[0], VERB_GET, a[0]);
    hit(shards[0], "a");
    expect_text(c, "VALUE %s 0 1\r\na\r\nVALUE %s 0 1\r\nb\r\nEND\r\n", a[0], b[0]);
    expect_all_given_back();
}

/* order */

/* The write was refused as well, behind the get: it must not go first now. */
static void a_write_refused_behind_a_get_stays_behind_it(void **state)
{
    int c = stage_client(&stage), s1 = opened(1), s2 = opened(2);

    (void)state;
    (void)opened(3);
    ask(c, "get %s %s\r\nset %s 0 0 1\r\n2\r\n", a[0], b[0], a[0]);
    expect_get(s1, VERB_GET, a[0]);
    assert_int_equal(heard(s1).op, FRAME_COMMAND + VERB_SET);
    expect_get(s2, VERB_GET, b[0]);
    stage_send_frame(&stage, s1, &(struct frame){ .op = FRAME_REFUSED, .st = REFUSED_NO_LEASE });
    say(s1, (struct frame){ .op = FRAME_REFUSED, .st = REFUSED_AGAIN });
    take_refusal(s1);
    expect_get(s1, VERB_GET, a[0]);
    expect_nothing(s1);         /* s2 has not answered yet */
    hit(s1, "1");
    hit(s2, "b");
    stage_run(&stage, 20);
    assert_int_equal(heard(s1).op, FRAME_COMMAND + VERB_SET);
    say(s1, (struct frame){ ANSWER(STORED) });
    expect_text(c, "VALUE %s 0 1\r\n1\r\nVALUE %s 0 1\r\nb\r\nEND\r\nSTORED\r\n", a[0], b[0]);
    expect_all_given_back();
}

/* ... and one that comes later must wait. */
static void nothing_overtakes_a_get_that_was_refused(void **state)
{
    int c = stage_client(&stage), s1 = opened(1), s2 = opened(2);

    (void)state;
    (void)opened(3);
    ask(c, "get %s %s\r\n", a[0], b[0]);
    expect_get(s1, VERB_GET, a[0]);
    say(s1, (struct frame){ .op = FRAME_REFUSED, .st = REFUSED_NO_LEASE });
    take_refusal(s1);
    ask(c, "set %s 0 0 1\r\n2\r\n", a[0]);
    expect_get(s1, VERB_GET, a[0]);
    expect_nothing(s1);
    hit(s1, "1");
    hit(s2, "b");
    expect_text(c, "VALUE %s 0 1\r\n1\r\nVALUE %s 0 1\r\nb\r\nEND\r\n", a[0], b[0]);
    assert_int_equal(heard(s1).op, FRAME_COMMAND + VERB_SET);
    say(s1, (struct frame){ ANSWER(STORED) });
    expect(c, "STORED\r\n");
    expect_all_given_back();
}

static void a_get_is_not_asked_again_past_a_write_that_was_answered_behind_it(void **state)
{
    int c = stage_client(&stage), s1 = opened(1), s2 = opened(2);

    (void)state;
    ask(c, "get %s %s %s\r\ndelete %s\r\n", a[0], b[0], b[1], b[0]);
    (void)heard(s2);
    (void)heard(s2);
    (void)heard(s2);
    large_hit(s2, 3000);
    large_hit(s2, sizeof(large));
    say(s2, (struct frame){ ANSWER(DELETED) });
    miss(s1);
    expect_nothing(s2);
    assert_int_equal(session()->n_slots, 0);
    expect_nothing(s2);
    (void)stage_heard(&stage, c);
    expect_all_given_back();
}

/* Held because a write was behind it: when that is over it is too late to ask again. */
static void what_was_held_before_a_write_was_answered_is_held_on(void **state)
{
    enum { N = 100, LEN = 4000 };
    int c = stage_client(&stage), s1 = opened(1), s2 = opened(2);
    size_t left;
    const char *all;

    (void)state;
    stage.config.max_requests = 300;
    ask(c, "get %s\r\n", a[0]);
    miss(s1);
    expect(c, "END\r\n");
    say_keys(c, N, false);
    ask(c, "delete %s\r\n", b[1]);
    hear_all(s2);
    for (unsigned k = 1; k < N; k++)
        stage_send_frame(&stage, s2, &(struct frame){ ANSWER(HIT), .value = large,
                                                      .value_len = LEN });
    say(s2, (struct frame){ ANSWER(DELETED) });
    assert_in_range(session()->held_bytes, (N - 1) * LEN, N * LEN + 1000);
    assert_int_equal(session()->n_writes, 0);
    close_far(s1);
    stage_run(&stage, 0);
    expect_nothing(s2);
    all = fake_take(stage.world, c, &left);
    assert_true(left > (N - 1) * LEN);
    assert_string_equal(all + left - strlen("END\r\nDELETED\r\n"), "END\r\nDELETED\r\n");
    expect_all_given_back();
}

/* open answers */

static void what_is_open_is_replayed_before_anything_of_it_is_shown(void **state)
{
    int c = stage_client(&stage), s1 = opened(1), s2 = opened(2), s3 = opened(3);
    const char *key = key_on(1, 3, "o");
    struct copy copy;

    (void)state;
    ask(c, "get %s %s %s %s\r\n", a[0], key, a[1], b[0]);
    hear_all(s1);
    hit(s1, "0");
    open_hit(s1, "open", 9);
    miss(s1);
    hit(s2, "b");
    copy = applied(s3, key);
    assert_int_equal(copy.version, 9);
    assert_memory_equal(copy.value, "open", 4);
    /* what stands before it may be read by now, it not yet */
    expect_text(c, "VALUE %s 0 1\r\n0\r\n", a[0]);
    expect_nothing(s1);
    say(s3, (struct frame){ APPLIED_FRAME });
    expect_text(c, "VALUE %s 0 4\r\nopen\r\nVALUE %s 0 1\r\nb\r\nEND\r\n", key, b[0]);
    expect_confirm(s1, 1, false);
    assert_int_equal(stage.worker.stats.repairs, 1);
    assert_int_equal(stage.worker.stats.cmd_get, 4);
    assert_int_equal(stage.worker.stats.get_hits, 3);
    expect_all_given_back();
}

/* It may have lain on its way as long as the command and it took together. */
static void what_copies_are_told_lives_no_longer_than_at_the_owner(void **state)
{
    int c = stage_client(&stage), s1 = opened(1), s3;
    const char *key = key_on(1, 3, "o");
    struct copy told = { .kind = COPY_VALUE, .any_age = true, .version = 9, VALUE("v") };
    struct frame f;

    (void)state;
    (void)opened(2);
    s3 = opened(3);
    ask(c, "get %s %s\r\n", key, b[0]);
    stage_run(&stage, 400);
    told.ttl_ms = 5000;
    frame_from_copy(&f, FRAME_TOLD, &told);
    stage_send_frame(&stage, s1, &f);
    say(s1, (struct frame){ OPEN(HIT, 9), VALUE("v"), .ttl_ms = 5000 });
    assert_in_range(applied(s3, key).ttl_ms, 4500, 4600);
}

/* Others wait for its confirm: their shard counts from the oldest on. */
static void what_is_open_is_replayed_at_once_though_another_shard_is_slow(void **state)
{
    int c = stage_client(&stage), s1 = opened(1), s2 = opened(2), s3 = opened(3);
    const char *key = key_on(1, 3, "o"), *deleted = key_on(1, 3, "p");

    (void)state;
    ask(c, "get %s %s %s\r\n", b[0], key, deleted);
    hear_all(s1);
    open_hit(s1, "open", 9);
    (void)applied(s3, key);
    tell(s1, "", 10);
    say(s1, (struct frame){ OPEN(NOT_FOUND, 10) });
    (void)applied(s3, deleted);
    say(s3, (struct frame){ APPLIED_FRAME });
    say(s3, (struct frame){ APPLIED_FRAME });
    expect_confirm(s1, 2, false);
    expect(c, "");
    hit(s2, "b");
    expect_text(c, "VALUE %s 0 1\r\nb\r\nVALUE %s 0 4\r\nopen\r\nEND\r\n", b[0], key);
    expect_all_given_back();
}

static void what_is_open_is_replayed_though_its_client_is_gone(void **state)
{
    (void)state;
    for (unsigned when = 0; when < 2; when++) {
        int c = stage_client(&stage), s1 = opened(1), s2 = opened(2), s3 = opened(3);
        const char *key = key_on(1, 3, "o"), *other = key_on(1, 3, "p");

        ask(c, "get %s %s %s %s\r\n", key, a[0], b[0], other);
        if (when == 0)
            fake_reset(stage.world, c);
        stage_run(&stage, 0);
        open_hit(s1, "open", 9);
        (void)applied(s3, key);
        if (when == 1)
            fake_reset(stage.world, c);
        hit(s1, "0");
        large_hit(s2, 5000);
        say(s3, (struct frame){ APPLIED_FRAME });
        open_hit(s1, "open", 10);
        (void)applied(s3, other);
        say(s3, (struct frame){ APPLIED_FRAME });
        stage_run(&stage, LINKS_CONFIRM_MS);
        assert_null(session());
        assert_int_equal(bytes_out(), 0);
        assert_int_equal(stage.worker.stats.repairs, 2 + 2 * when);
        close_far(s1);
        close_far(s2);
        close_far(s3);
        stage_run(&stage, 200);
    }
}

static void a_client_that_is_gone_leaves_nothing_behind(void **state)
{
    int c = stage_client(&stage), d = stage_client(&stage), s1 = opened(1), s2 = opened(2);

    (void)state;
    ask(c, "get %s %s %s\r\nget %s\r\nget %s\r\n", a[0], b[0], a[1], a[2], b[1]);
    ask(d, "get %s %s\r\n", a[0], b[0]);
    hit(s1, "1");
    fake_reset(stage.world, c);
    hit(s1, "2");
    large_hit(s1, 5000);
    hit(s2, "3");
    close_far(s2);
    stage_run(&stage, 0);
    hit(s1, "4");
    expect_text(d, "VALUE %s 0 1\r\n4\r\nEND\r\n", a[0]);
    assert_int_equal(bytes_out(), 0);
}

static void it_ends_with_an_open_answer_beside_one_that_is_waited_for(void **state)
{
    int c = stage_client(&stage), s1 = opened(1);
    const char *key = key_on(1, 3, "o");

    (void)state;
    (void)opened(2);
    (void)opened(3);
    ask(c, "get %s %s\r\n", key, b[0]);
    open_hit(s1, "open", 9);
    /* tear_down() frees the session first, then the links */
}

static void it_ends_with_gets_in_flight(void **state)
{
    int c = stage_client(&stage), s1 = opened(1);

    (void)state;
    (void)opened(2);
    ask(c, "get %s %s %s\r\nget %s\r\nget %s\r\n", a[0], b[0], a[1], a[2], b[1]);
    hit(s1, "1");
    large_hit(s1, 5000);
}

static void an_open_answer_goes_by_the_map_that_came_meanwhile(void **state)
{
    int c = stage_client(&stage), shards[3];
    const char *key = key_on(1, 3, "o");
    struct map *m = copies_map(2, 3);

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        shards[i] = opened(i + 1);
    ask(c, "get %s %s\r\n", key, b[0]);
    hear_all(shards[0]);
    hear_all(shards[1]);
    m->members[2].state = MEMBER_EJECTED;
    free(map);
    map = map_copy(m, 0);
    assert_int_equal(cluster_adopt(stage.cluster, m), ADOPTED);
    stage_run(&stage, 100);
    hear_all(shards[2]);
    say(shards[2], (struct frame){ .op = FRAME_DONE, .version = 2 });
    open_hit(shards[0], "open", 9);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(heard(shards[i]).op, FRAME_MAP);
    say(shards[0], (struct frame){ .op = FRAME_DONE, .version = 2 });
    expect(c, "");
    expect_nothing(shards[2]);
    (void)applied(shards[1], key);      /* the next of the chain by now */
    hit(shards[1], "b");
    say(shards[1], (struct frame){ .op = FRAME_DONE, .version = 2 });
    expect(c, "");
    say(shards[1], (struct frame){ APPLIED_FRAME });
    expect_text(c, "VALUE %s 0 4\r\nopen\r\nVALUE %s 0 1\r\nb\r\nEND\r\n", key, b[0]);
    stage_run(&stage, LINKS_CONFIRM_MS);
    expect_all_given_back();
}

/* what is held */

static void long_values_pass_by_reference_in_their_place(void **state)
{
    int c = stage_client(&stage), s1 = opened(1), s2 = opened(2);
    size_t left;
    const char *all;
    char head[64];

    (void)state;
    ask(c, "get %s %s %s %s\r\n", b[0], a[0], b[1], a[1]);
    large_hit(s1, 4096);
    hit(s1, "small");
    large_hit(s2, 4095);
    large_hit(s2, 20000);
    all = fake_take(stage.world, c, &left);
    for (unsigned i = 0; i < 4; i++) {
        static const size_t len[] = { 4095, 4096, 20000, 5 };

        snprintf(head, sizeof(head), "VALUE %s 0 %zu\r\n", i % 2 == 0 ? b[i / 2] : a[i / 2], len[i]);
        assert_memory_equal(all, head, strlen(head));
        all += strlen(head);
        assert_memory_equal(all, i == 3 ? "small" : large, len[i]);
        all += len[i] + 2;
    }
    assert_string_equal(all, "END\r\n");
    assert_int_equal(stage.worker.stats.get_hits, 4);
    expect_all_given_back();
}

/* Each of those that are asked for once more, in its turn. */
static void answer_those_asked_again(int shard, size_t len)
{
    struct frame f;

    while (stage_take_frame(&stage, shard, &f)) {
        assert_int_equal(f.op, FRAME_COMMAND + VERB_GET);
        assert_int_equal(f.options, OPTION_NO_USE);
        large_hit(shard, len);
    }
}

/* Behind a shard that is slow: however they came together, there is a bound. */
static void values_that_are_too_much_to_hold_are_asked_for_again(void **state)
{
    static const size_t lens[] = { 4000, 5000, 100000, 260000 };

    (void)state;
    for (size_t i = 0; i < N_OF(lens); i++) {
        const size_t len = lens[i];
        const unsigned n = len < 10000 ? 200 : 20;
        int c = stage_client(&stage), s1 = opened(1), s2 = opened(2);
        struct frame f;

        stage.config.max_requests = 300;
        ask(c, "get %s\r\n", a[0]);     /* what it asks for seems to be short */
        (void)heard(s1);
        miss(s1);
        expect(c, "END\r\n");
        say_keys(c, n, i % 2 == 1);
        for (unsigned k = 1; k < n; k++) {
            (void)heard(s2);
            stage_send_frame(&stage, s2, &(struct frame){ ANSWER(HIT), .value = large,
                                                          .value_len = len });
        }
        stage_run(&stage, 0);
        assert_in_range(bytes_out(), 0, SESSION_OUTPUT_PAUSE + 2 * len + 4 * CHUNK_SIZE);
        assert_true(session()->n_again > 0);
        assert_in_range(session()->held_bytes, 0, SESSION_OUTPUT_PAUSE + 65536);
        assert_false(stage_take_frame(&stage, s2, &f));
        large_hit(s1, len);
        answer_those_asked_again(s2, len);
        expect_values(c, n, len, i % 2 == 1);
        expect_all_given_back();
        close_far(s1);
        close_far(s2);
        fake_reset(stage.world, c);
        stage_run(&stage, 200);
    }
}

/* Its turn has come: there is nothing to hold it for. */
static void the_first_of_them_is_never_too_much(void **state)
{
    int c = stage_client(&stage), s1 = opened(1);
    size_t left;

    (void)state;
    (void)opened(2);
    ask(c, "get %s %s\r\n", a[0], a[1]);
    (void)heard(s1);
    (void)heard(s1);
    large_hit(s1, sizeof(large));
    expect_nothing(s1);
    miss(s1);
    (void)fake_take(stage.world, c, &left);
    assert_true(left > sizeof(large));
    expect_all_given_back();
}

static void there_is_a_bound_to_gets_in_flight(void **state)
{
    int c = stage_client(&stage), s1 = opened(1), s2 = opened(2);
    unsigned n = 0;
    struct frame f;

    (void)state;
    stage.config.max_requests = 1000;
    ask(c, "get %s\r\n", a[0]);
    miss(s1);
    expect(c, "END\r\n");
    say_keys(c, KEYS_MAX, true);
    while (stage_take_frame(&stage, s2, &f))
        n++;
    assert_in_range(n, SESSION_SLOTS_MAX - BATCH_MAX, SESSION_SLOTS_MAX + BATCH_MAX);
    assert_in_range(session()->n_slots, n, n + 2);
    hit(s1, "0");
    for (unsigned i = 0; i < n; i++)
        hit(s2, "0");
    while (stage_take_frame(&stage, s2, &f))
        hit(s2, "0");
    expect_values(c, KEYS_MAX, 1, true);
    expect_all_given_back();
}

/* hostile shards */

static void nonsense_costs_the_link_and_harms_no_client(void **state)
{
    static const struct {
        struct frame frames[5];
        unsigned n_shown;       /* of the keys of s1 */
    } rows[] = {
        { { { ANSWER(STORED) } }, 0 },
        { { { ANSWER(HIT), VALUE("v") }, { ANSWER(HEAD) } }, 1 },
        { { { ANSWER(HIT), VALUE("v") }, { ANSWER(EXISTS) } }, 1 },
        { { { ANSWER(HIT), VALUE("v") }, { .op = FRAME_ANSWER, .st = 200 } }, 1 },
        { { { ANSWER(HIT), VALUE("v") }, { .op = FRAME_DONE } }, 1 },
        { { { ANSWER(HIT), VALUE("v") }, { .op = FRAME_APPLIED } }, 1 },
        { { { ANSWER(HIT), VALUE("v") }, { .op = FRAME_HELLO } }, 1 },
        { { { ANSWER(HIT), VALUE("v") }, { .op = FRAME_REFUSED, .st = 99 } }, 1 },
        { { { ANSWER(HIT), VALUE("v") }, { .op = FRAME_TOLD, VALUE("t") },
            { .op = FRAME_TOLD, VALUE("t") } }, 1 },
        { { { ANSWER(HIT), VALUE("v") }, { .op = FRAME_TOLD, VALUE("t") },
            { ANSWER(HIT), VALUE("v") } }, 1 },
        { { { ANSWER(HIT), VALUE("v") }, { .op = FRAME_TOLD, VALUE("t") },
            { .op = FRAME_REFUSED, .st = REFUSED_NO_LEASE } }, 1 },
        { { { ANSWER(HIT), VALUE("v") }, { ANSWER(HIT), VALUE("v") },
            { ANSWER(HIT), VALUE("v") }, { ANSWER(HIT), VALUE("w") } }, 3 },
        { { { ANSWER(HIT), VALUE("v") }, { ANSWER(HIT), VALUE("v") },
            { ANSWER(HIT), VALUE("v") }, { .op = FRAME_TOLD, VALUE("t") } }, 3 },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(rows); i++) {
        int c = stage_client(&stage), s1 = opened(1), s2 = opened(2);
        char want[400], *at = want;

        ask(c, "get %s %s %s %s\r\n", a[0], a[1], b[0], a[2]);
        for (unsigned n = 0; n < N_OF(rows[i].frames) && rows[i].frames[n].op != 0; n++)
            stage_send_frame(&stage, s1, &rows[i].frames[n]);
        stage_run(&stage, 0);
        assert_true(fake_is_closed(stage.world, s1));
        hit(s2, "b");
        for (unsigned n = 0; n < 4; n++) {
            const unsigned k = n < 2 ? n : n - 1;

            if (n == 2)
                at += sprintf(at, "VALUE %s 0 1\r\nb\r\n", b[0]);
            else if (k < rows[i].n_shown)
                at += sprintf(at, "VALUE %s 0 1\r\nv\r\n", a[k]);
        }
        strcpy(at, "END\r\n");
        expect(c, want);
        expect_all_given_back();
        close_far(s2);
        fake_reset(stage.world, c);
        stage_run(&stage, 200);
    }
}

/* It said that copies have something to learn, and not what. */
static void an_open_answer_that_tells_nothing_is_never_shown(void **state)
{
    int c = stage_client(&stage), s1 = opened(1), s2 = opened(2);
    struct frame f;

    (void)state;
    (void)opened(3);
    ask(c, "get %s %s %s\r\n", a[0], b[0], a[1]);
    hit(s2, "b");
    (void)heard(s1);
    (void)heard(s1);
    say(s1, (struct frame){ OPEN(HIT, 9), VALUE("secret") });
    hit(s1, "1");
    for (unsigned ms = 0; ms < DEADLINE_MS + 500; ms += 10) {
        while (stage_take_frame(&stage, s1, &f))
            if (f.op == FRAME_COMMAND + VERB_GET)
                stage_send_frame(&stage, s1, &(struct frame){ OPEN(HIT, 9), VALUE("secret") });
        stage_run(&stage, 10);
    }
    expect_text(c, "VALUE %s 0 1\r\nb\r\nVALUE %s 0 1\r\n1\r\nEND\r\n", b[0], a[1]);
    stage_run(&stage, 10);
    expect_all_given_back();
}

/* who wants to know */

static void who_watches_is_told_of_each(void **state)
{
    int d = stage_client(&stage), c = stage_client(&stage), s1 = opened(1), s2 = opened(2);
    const char *lines;
    char want[160];

    (void)state;
    stage.front.config.watch = true;
    assert_string_equal(stage_ask(&stage, d, "watch fetchers\r\n"), "OK\r\n");
    assert_int_equal(heard(s1).op, FRAME_WATCH);
    say(s1, (struct frame){ .op = FRAME_DONE });
    assert_int_equal(heard(s2).op, FRAME_WATCH);
    say(s2, (struct frame){ .op = FRAME_DONE });
    ask(c, "get %s %s %s\r\nget %s\r\nget %s\r\n", a[0], b[0], a[1], a[0], b[0]);
    hit(s1, "one");
    miss(s1);
    large_hit(s1, 5000);
    hit(s2, "three");
    miss(s2);
    stage_run(&stage, 10);
    lines = stage_heard(&stage, d);
    for (unsigned i = 0; i < 5; i++) {
        static const char *const status[] = {
            "found clsid=1 cfd=%d size=3\n", "found clsid=1 cfd=%d size=5\n",
            "not_found clsid=0 cfd=%d size=0\n", "found clsid=1 cfd=%d size=5000\n",
            "not_found clsid=0 cfd=%d size=0\n",
        };
        char end[60];

        snprintf(end, sizeof(end), status[i], session()->fd);
        snprintf(want, sizeof(want), "type=item_get key=%s status=%s",
                 i == 2 ? a[1] : i == 1 || i == 4 ? b[0] : a[0], end);
        assert_non_null(strstr(lines, want));
    }
    assert_int_equal(stage.worker.stats.cmd_get, 5);
    assert_int_equal(stage.worker.stats.get_hits, 3);
    assert_int_equal(stage.worker.stats.get_misses, 2);
}

static void copies_hear_of_one_hit_in_sixteen(void **state)
{
    int c = stage_client(&stage), s1 = opened(1), s2 = opened(2), s3 = opened(3);
    unsigned used = 0;
    struct frame f;

    (void)state;
    for (unsigned round = 0; round < 8; round++) {
        ask(c, "get %s %s %s %s %s\r\n", a[0], a[1], a[2], a[3], a[4]);
        hit(s1, "0");
        hit(s1, "1");
        hit(s1, "2");
        miss(s1);
        hit(s1, "4");
        (void)stage_heard(&stage, c);
    }
    stage_run(&stage, 200);     /* a tick takes along what nothing else did */
    while (stage_take_frame(&stage, s2, &f) || stage_take_frame(&stage, s3, &f)) {
        assert_int_equal(f.op, FRAME_USED);
        used++;
    }
    assert_int_equal(used, 2);
    expect_all_given_back();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keys_of_a_get_leave_in_one_send_a_shard_and_come_back_in_order, two),
        TEST(hits_misses_and_tokens_are_told_apart, two),
        TEST(gets_in_a_row_have_an_end_each, two),
        TEST(a_write_between_gets_stays_between_them, two),
        TEST(there_may_be_more_keys_than_a_batch_holds, two),
        TEST(answers_may_be_cut_at_every_byte, two),
        TEST(keys_that_are_kept_here_stand_in_between, both),
        TEST(a_shard_that_is_not_there_costs_its_keys_alone, one_of_two),
        TEST(a_link_that_is_lost_costs_what_it_has_not_answered, two),
        TEST(what_waits_for_a_first_connect_that_fails_was_not_sent, two),
        TEST(a_full_queue_costs_what_it_does_not_take, two),
        TEST(a_silent_shard_is_given_up_and_the_others_values_are_shown, two),
        TEST(lost_keys_are_asked_of_a_copy, copied),
        TEST(what_is_refused_in_the_middle_is_asked_again, led),
        TEST(the_refused_are_asked_again_by_the_newer_map_that_came_with_it, copied),
        TEST(a_write_refused_behind_a_get_stays_behind_it, led),
        TEST(nothing_overtakes_a_get_that_was_refused, led),
        TEST(a_get_is_not_asked_again_past_a_write_that_was_answered_behind_it, two),
        TEST(what_was_held_before_a_write_was_answered_is_held_on, two),
        TEST(what_is_open_is_replayed_before_anything_of_it_is_shown, copied),
        TEST(what_copies_are_told_lives_no_longer_than_at_the_owner, copied),
        TEST(what_is_open_is_replayed_at_once_though_another_shard_is_slow, copied),
        TEST(what_is_open_is_replayed_though_its_client_is_gone, copied),
        TEST(a_client_that_is_gone_leaves_nothing_behind, two),
        TEST(it_ends_with_an_open_answer_beside_one_that_is_waited_for, copied),
        TEST(it_ends_with_gets_in_flight, two),
        TEST(an_open_answer_goes_by_the_map_that_came_meanwhile, thrice),
        TEST(long_values_pass_by_reference_in_their_place, two),
        TEST(values_that_are_too_much_to_hold_are_asked_for_again, two),
        TEST(the_first_of_them_is_never_too_much, two),
        TEST(there_is_a_bound_to_gets_in_flight, two),
        TEST(nonsense_costs_the_link_and_harms_no_client, two),
        TEST(an_open_answer_that_tells_nothing_is_never_shown, copied),
        TEST(who_watches_is_told_of_each, two),
        TEST(copies_hear_of_one_hit_in_sixteen, copied),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
