#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>

#include "front_help.h"
#include "wire/listing.h"

#define METADUMP "lru_crawler metadump all\r\n"
#define MGDUMP "lru_crawler mgdump all\r\n"
#define TICK_MS 100             /* so often evictions are asked for */

static int two_shards_shown(void **state)
{
    two_shards(state);
    stage.front.config.dumps = true;
    stage.front.config.watch = true;
    return 0;
}

/* What a shard answers: a page of records, one for each letter of `keys`, and
 * where the next page begins. */
static struct frame page(uint64_t cursor, const char *keys)
{
    static char data[10 * LISTED_MAX];
    char *end = data;

    for (const char *key = keys; *key != '\0'; key++) {
        const struct listed l = { .key = key, .key_len = 1, .ttl_ms = TTL_NEVER, .idle_s = 7,
                                  .token = 5, .client_flags = 3, .value_len = 100 };

        end = listing_put(end, &l);
    }
    return (struct frame){ .op = FRAME_DONE, .version = cursor, .value = data,
                           .value_len = (size_t)(end - data) };
}

static void assert_asked(int shard, enum frame_op op, uint64_t cursor)
{
    const struct frame f = heard(shard);

    assert_int_equal(f.op, op);
    assert_int_equal(f.number, cursor);
}

static void assert_not_asked(int shard)
{
    struct frame f;

    assert_false(stage_take_frame(&stage, shard, &f));
}

static long long wall_s(void)
{
    return stage.world->ops->wall_ms(stage.world) / 1000;
}

/* ---- dumps ---- */

static void shards_are_asked_one_after_the_other_page_by_page(void **state)
{
    int c = stage_client(&stage), first = opened(1), second = opened(2);

    (void)state;
    ask(c, MGDUMP);
    assert_asked(first, FRAME_WALK, 0);
    assert_not_asked(second);
    say(first, page(77, "ab"));
    expect(c, "OK\r\nmg a\r\nmg b\r\n");
    assert_asked(first, FRAME_WALK, 77);
    say(first, page(UINT64_MAX, ""));           /* a stretch without items */
    expect(c, "");
    assert_asked(first, FRAME_WALK, UINT64_MAX);
    assert_not_asked(second);
    say(first, page(0, "c"));
    expect(c, "mg c\r\n");
    assert_not_asked(first);
    assert_asked(second, FRAME_WALK, 0);
    say(second, page(0, "d"));
    expect(c, "mg d\r\nEN\r\n");
    assert_not_asked(first);
    assert_not_asked(second);
}

static void what_follows_a_dump_waits_for_its_end(void **state)
{
    int c = stage_client(&stage), first = opened(1), second = opened(2);

    (void)state;
    ask(c, MGDUMP "delete %s\r\n", key_of(2, "k"));
    say(first, page(0, ""));
    assert_asked(second, FRAME_WALK, 0);
    assert_not_asked(second);
    say(second, page(0, ""));
    assert_int_equal(heard(second).op, FRAME_COMMAND + VERB_DELETE);
    say(second, (struct frame){ ANSWER(DELETED) });
    expect(c, "OK\r\nEN\r\nDELETED\r\n");
}

static void a_metadump_tells_all_of_an_item(void **state)
{
    static const struct {
        struct listed l;
        const char *exp;        /* NULL: a minute from now */
        const char *line;       /* behind key=, exp= and la= */
    } cases[] = {
        { { .key = "k", .ttl_ms = TTL_NEVER, .idle_s = 7, .token = 5, .client_flags = 3,
            .value_len = 100 }, "-1", "cas=5 fetch=no cls=1 size=165 flags=3 " },
        { { .key = "k", .ttl_ms = 60000, .idle_s = 7, .token = UINT64_MAX,
            .marks = MARK_FETCHED, .client_flags = UINT32_MAX }, NULL,
          "cas=18446744073709551615 fetch=yes cls=1 size=65 flags=4294967295 " },
    };
    int c = stage_client(&stage), first = opened(1), second = opened(2);

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        struct listed l = cases[i].l;
        char data[LISTED_MAX], exp[30], want[300];

        l.key_len = 1;
        snprintf(exp, sizeof(exp), "%lld", wall_s() + 60);
        snprintf(want, sizeof(want), "OK\r\nkey=k exp=%s la=%lld %s\nEND\r\n",
                 cases[i].exp != NULL ? cases[i].exp : exp, wall_s() - 7, cases[i].line);
        ask(c, METADUMP);
        say(first, (struct frame){ .op = FRAME_DONE, .value = data,
                                   .value_len = (size_t)(listing_put(data, &l) - data) });
        say(second, page(0, ""));
        expect(c, want);
    }
}

/* A dump for a client that does not read, as far as it goes; returns the cursor
 * of the page that would be the next. */
static uint64_t dump_unread(int client, int shard)
{
    uint64_t cursor = 0;
    struct frame f;

    fake_set_room(stage.world, client, 0);
    ask(client, METADUMP);
    for (; stage_take_frame(&stage, shard, &f); cursor++) {
        assert_int_equal(f.number, cursor);
        assert_in_range(stage.worker.pool.bytes_out, 0, 2 * SESSION_OUTPUT_PAUSE);
        say(shard, page(cursor + 1, "abcdefghij"));
    }
    return cursor;
}

/* Its output is full, and so nobody is asked for what would have to wait. */
static void a_client_that_does_not_read_stops_its_own_dump(void **state)
{
    int c = stage_client(&stage), first = opened(1);
    uint64_t cursor;

    (void)state;
    (void)opened(2);
    cursor = dump_unread(c, first);
    assert_true(cursor > SESSION_OUTPUT_PAUSE / 1000);
    fake_set_room(stage.world, c, SIZE_MAX);
    stage_run(&stage, 0);
    assert_asked(first, FRAME_WALK, cursor);
}

static void a_shard_that_dies_ends_the_dump_and_not_the_session(void **state)
{
    int c = stage_client(&stage), first = opened(1), second = opened(2);

    (void)state;
    ask(c, MGDUMP);
    say(first, page(77, "a"));
    expect(c, "OK\r\nmg a\r\n");
    ask(c, "mn\r\n");
    close_far(first);
    stage_run(&stage, 0);
    assert_memory_equal(stage_heard(&stage, c), "SERVER_ERROR shard s1: connection lost", 38);
    assert_not_asked(second);
    fake_unlisten(stage.world, "shard:1");
    stage_run(&stage, 100);
    assert_string_equal(stage_ask(&stage, c, MGDUMP "mn\r\n"),
                        "OK\r\nSERVER_ERROR shard s1: connection refused\r\nMN\r\n");
}

static void a_new_map_ends_a_dump(void **state)
{
    int c = stage_client(&stage), first = opened(1);

    (void)state;
    (void)opened(2);
    ask(c, MGDUMP);
    say(first, page(77, "a"));
    expect(c, "OK\r\nmg a\r\n");
    assert_int_equal(cluster_adopt(stage.cluster, moved_map(2)), ADOPTED);
    stage_run(&stage, 200);
    expect(c, "SERVER_ERROR shard s1: the map has changed\r\n");
    assert_memory_equal(stage_ask(&stage, c, "version\r\n"), "VERSION ", 8);
}

/* ... also where nobody is being asked, and there are links to ask. */
static void a_dump_does_not_go_on_under_a_new_map(void **state)
{
    static const char want[] = "SERVER_ERROR shard s1: the map has changed\r\n";
    int c = stage_client(&stage), first = opened(1);
    const char *all;
    size_t len;

    (void)state;
    (void)opened(2);
    (void)dump_unread(c, first);
    assert_int_equal(cluster_adopt(stage.cluster, moved_map(2)), ADOPTED);
    stage_run(&stage, 200);
    fake_set_room(stage.world, c, SIZE_MAX);
    stage_run(&stage, 0);
    all = fake_take(stage.world, c, &len);
    assert_true(len > strlen(want));
    assert_string_equal(all + len - strlen(want), want);
}

static void a_client_that_goes_away_ends_its_dump(void **state)
{
    int c = stage_client(&stage), d = stage_client(&stage), first = opened(1), second = opened(2);

    (void)state;
    ask(c, METADUMP);
    ask(d, METADUMP);
    assert_asked(first, FRAME_WALK, 0);
    assert_asked(first, FRAME_WALK, 0);
    fake_reset(stage.world, c);
    stage_run(&stage, 0);
    assert_int_equal(stage.worker.stats.curr_connections, 1);
    say(first, page(77, "a"));
    assert_not_asked(first);
    say(first, page(78, "b"));                  /* the other's goes on */
    assert_asked(first, FRAME_WALK, 78);
    say(first, page(0, ""));
    assert_asked(second, FRAME_WALK, 0);
    assert_not_asked(second);
    say(second, page(0, ""));
    assert_int_equal(stage.worker.pool.bytes_out, 0);
}

/* Garbage behind a record: nothing of it is told, and the dump goes on. */
static void a_page_of_garbage_does_no_harm(void **state)
{
    static const struct { const char *data; size_t len; } garbage[] = {
        { "\0", 1 }, { "\1", 1 }, { "\xff", 1 },
        { "\0garbagegarbagegarbagegarbagegarbage", 36 },
        { "\xffgarbagegarbagegarbagegarbagegarbage", 36 },
        { "\xfagarbagegarbagegarbagegarbagegarbage", 36 },
        { "\7garbagegarbagegarbagegarbagegarbage", 36 },
    };
    int c = stage_client(&stage), first = opened(1), second = opened(2);

    (void)state;
    for (size_t i = 0; i < N_OF(garbage); i++) {
        const struct frame sound = page(7, "a");
        char data[LISTED_MAX + 100];

        memcpy(data, sound.value, sound.value_len);
        memcpy(data + sound.value_len, garbage[i].data, garbage[i].len);
        ask(c, MGDUMP);
        say(first, (struct frame){ .op = FRAME_DONE, .version = 7, .value = data,
                                   .value_len = sound.value_len + garbage[i].len });
        say(first, page(0, "b"));
        say(second, page(0, ""));
        expect(c, "OK\r\nmg a\r\nmg b\r\nEN\r\n");
    }
}

/* Whatever a record says, its line stays one line. */
static void a_record_of_any_bytes_is_one_line(void **state)
{
    static const int64_t ttls[] = { INT64_MAX, INT64_MIN, -5, 0 };
    static const char key[] = "a\r\nEND\r\n \0";
    static const char want[] = "OK\r\nkey=a%0D%0AEND%0D%0A%20%00 exp=";
    int c = stage_client(&stage), first = opened(1), second = opened(2);

    (void)state;
    for (size_t i = 0; i < N_OF(ttls); i++) {
        const struct listed l = { .key = key, .key_len = sizeof(key) - 1, .marks = 0xff,
                                  .client_flags = UINT32_MAX, .ttl_ms = ttls[i],
                                  .idle_s = UINT32_MAX, .token = UINT64_MAX,
                                  .value_len = UINT32_MAX };
        char data[LISTED_MAX];
        const char *all;

        ask(c, METADUMP);
        say(first, (struct frame){ .op = FRAME_DONE, .value = data,
                                   .value_len = (size_t)(listing_put(data, &l) - data) });
        say(second, page(0, ""));
        all = stage_heard(&stage, c);
        assert_memory_equal(all, want, strlen(want));
        assert_string_equal(strchr(all + 4, '\n'), "\nEND\r\n");
    }
}

/* ---- watch evictions ---- */

static void assert_evictions(int client, const char *skipped, const char *keys)
{
    const char *line = stage_heard(&stage, client), *end;

    assert_memory_equal(line, skipped, strlen(skipped));
    line += strlen(skipped);
    for (; *keys != '\0'; keys++, line = end + 1) {
        char want[100];

        snprintf(want, sizeof(want),
                 " type=eviction key=%c fetch=no ttl=-1 la=7 clsid=1 size=100\n", *keys);
        assert_memory_equal(line, "ts=", 3);
        end = strchr(line, '\n');
        assert_non_null(end);
        line = strstr(line, " type=");
        assert_true(line != NULL && line < end);
        assert_memory_equal(line, want, strlen(want));
    }
    assert_string_equal(line, "");
}

static void evictions_are_asked_for_as_long_as_somebody_watches(void **state)
{
    int c, first = opened(1), second = opened(2);

    (void)state;
    stage_run(&stage, 3 * TICK_MS);
    assert_not_asked(first);
    c = stage_client(&stage);
    assert_string_equal(stage_ask(&stage, c, "watch evictions\r\n"), "OK\r\n");
    stage_run(&stage, TICK_MS);
    assert_asked(first, FRAME_EVICTIONS, 0);
    assert_asked(second, FRAME_EVICTIONS, 0);
    say(first, page(7, ""));
    assert_not_asked(first);
    stage_run(&stage, TICK_MS);
    assert_asked(first, FRAME_EVICTIONS, 7);
    assert_not_asked(second);                   /* it owes an answer */
    say(first, page(9, "ab"));
    assert_evictions(c, "", "ab");
    say(second, page(100, ""));
    stage_run(&stage, TICK_MS);
    assert_asked(first, FRAME_EVICTIONS, 9);
    assert_asked(second, FRAME_EVICTIONS, 100);
    say(second, page(101, "c"));
    assert_evictions(c, "", "c");
    close_far(c);
    say(first, page(11, "de"));                 /* to nobody */
    stage_run(&stage, 3 * TICK_MS);
    assert_not_asked(first);
    assert_not_asked(second);
}

static void evictions_that_are_no_longer_kept_are_counted(void **state)
{
    int c = stage_client(&stage), shard = opened(1);

    (void)state;
    (void)opened(2);
    (void)stage_ask(&stage, c, "watch evictions\r\n");
    stage_run(&stage, TICK_MS);
    say(shard, page(7, ""));
    stage_run(&stage, TICK_MS);
    say(shard, page(27, "ab"));
    assert_evictions(c, "", "ab");
    stage_run(&stage, TICK_MS);
    say(shard, page(28, "c"));
    assert_evictions(c, "skipped=18\n", "c");
    stage_run(&stage, TICK_MS);
    say(shard, page(29, "d"));
    assert_evictions(c, "", "d");
}

static void a_shard_that_began_anew_is_watched_on(void **state)
{
    int c = stage_client(&stage), shard = opened(1);

    (void)state;
    (void)opened(2);
    (void)stage_ask(&stage, c, "watch evictions\r\n");
    say(shard, page(5000, ""));
    stage_run(&stage, TICK_MS);
    say(shard, page(1, ""));                    /* its numbers begin at 1 again */
    stage_run(&stage, TICK_MS);
    say(shard, page(3, "ab"));
    assert_evictions(c, "", "ab");
}

/* Who comes while an answer is under way is not told what it has for another. */
static void a_watcher_is_told_nothing_from_before_its_time(void **state)
{
    int first = stage_client(&stage), shard = opened(1), second;

    (void)state;
    (void)opened(2);
    (void)stage_ask(&stage, first, "watch evictions\r\n");
    say(shard, page(7, ""));
    stage_run(&stage, TICK_MS);                 /* asked with 7 */
    close_far(first);
    stage_run(&stage, 0);
    second = stage_client(&stage);
    assert_string_equal(stage_ask(&stage, second, "watch evictions\r\n"), "OK\r\n");
    say(shard, page(9, "ab"));
    expect(second, "");
    stage_run(&stage, TICK_MS);
    say(shard, page(20, ""));                   /* asked with 0: it begins */
    stage_run(&stage, TICK_MS);
    say(shard, page(21, "c"));
    assert_evictions(second, "", "c");
}

static void a_time_to_live_beyond_all_clocks_is_told(void **state)
{
    int c = stage_client(&stage), shard = opened(1);
    struct listed l = { .key = "k", .key_len = 1, .ttl_ms = INT64_MAX };
    char data[LISTED_MAX];

    (void)state;
    (void)opened(2);
    ask(c, "stats cachedump 1 1\r\n");
    say(shard, (struct frame){ .op = FRAME_DONE, .version = 1, .value = data,
                               .value_len = (size_t)(listing_put(data, &l) - data) });
    assert_memory_equal(stage_heard(&stage, c), "ITEM k [0 b; ", 13);
}

static void a_shard_that_comes_again_is_asked_again(void **state)
{
    int c = stage_client(&stage), shard = opened(1);

    (void)state;
    (void)opened(2);
    (void)stage_ask(&stage, c, "watch evictions\r\n");
    stage_run(&stage, TICK_MS);
    assert_asked(shard, FRAME_EVICTIONS, 0);
    close_far(shard);
    stage_run(&stage, 20);
    shard = opened(1);
    stage_run(&stage, TICK_MS);
    assert_asked(shard, FRAME_EVICTIONS, 0);
    say(shard, page(7, ""));
    assert_int_equal(cluster_adopt(stage.cluster, moved_map(2)), ADOPTED);
    stage_run(&stage, 2 * TICK_MS);             /* asked under the old map, or the new */
    expect(c, "");
    assert_false(fake_is_closed(stage.world, c));
}

/* The link is the same, what it is asked is not. */
static void an_answer_that_an_older_map_asked_for_is_passed_over(void **state)
{
    int c = stage_client(&stage), shard = opened(1);

    (void)state;
    (void)opened(2);
    (void)stage_ask(&stage, c, "watch evictions\r\n");
    stage_run(&stage, TICK_MS);
    assert_asked(shard, FRAME_EVICTIONS, 0);
    assert_int_equal(cluster_adopt(stage.cluster, stage_map(2, 2)), ADOPTED);
    front_seen(&stage.front);
    stage_run(&stage, 0);
    assert_int_equal(heard(shard).op, FRAME_MAP);
    say(shard, page(7, ""));
    expect(c, "");
    assert_false(fake_is_closed(stage.world, shard));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(shards_are_asked_one_after_the_other_page_by_page, two_shards_shown),
        TEST(what_follows_a_dump_waits_for_its_end, two_shards_shown),
        TEST(a_metadump_tells_all_of_an_item, two_shards_shown),
        TEST(a_client_that_does_not_read_stops_its_own_dump, two_shards_shown),
        TEST(a_shard_that_dies_ends_the_dump_and_not_the_session, two_shards_shown),
        TEST(a_new_map_ends_a_dump, two_shards_shown),
        TEST(a_dump_does_not_go_on_under_a_new_map, two_shards_shown),
        TEST(a_client_that_goes_away_ends_its_dump, two_shards_shown),
        TEST(a_page_of_garbage_does_no_harm, two_shards_shown),
        TEST(a_record_of_any_bytes_is_one_line, two_shards_shown),
        TEST(evictions_are_asked_for_as_long_as_somebody_watches, two_shards_shown),
        TEST(evictions_that_are_no_longer_kept_are_counted, two_shards_shown),
        TEST(a_shard_that_began_anew_is_watched_on, two_shards_shown),
        TEST(a_watcher_is_told_nothing_from_before_its_time, two_shards_shown),
        TEST(a_time_to_live_beyond_all_clocks_is_told, two_shards_shown),
        TEST(a_shard_that_comes_again_is_asked_again, two_shards_shown),
        TEST(an_answer_that_an_older_map_asked_for_is_passed_over, two_shards_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
