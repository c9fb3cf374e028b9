#include "shard_help.h"

#include "base/bytes.h"
#include "store/version.h"

/* greeting */

static void the_shard_says_who_it_is(void **state)
{
    int peer = stage_peer(&stage);
    struct hello h = stage_hello(&stage, "front", map), said;
    struct frame f;

    (void)state;
    assert_true(greet(peer, &h, &f));
    assert_int_equal(f.op, FRAME_HELLO);
    assert_true(hello_read(f.value, f.value_len, &said));
    assert_string_equal(said.name, "s1");
    assert_string_equal(said.cluster, STAGE_CLUSTER);
    assert_int_equal(said.role, HELLO_SHARD);
    assert_int_equal(said.epoch, 0);
    assert_int_equal(said.wall_ms, h.wall_ms);

    (void)open_peer();
    peer = stage_peer(&stage);
    assert_true(greet(peer, &h, &f));
    assert_true(hello_read(f.value, f.value_len, &said));
    assert_int_equal(said.epoch, 1);            /* it has learned of it */
    assert_int_equal(said.digest, map_digest(map));
    assert_int_equal(said.number, 1);
    assert_int_equal(ask(peer, (struct frame){ COMMAND(GET), KEY("k") }).op, FRAME_ANSWER);
}

static void set_protocol(struct hello *h) { h->least = h->most = HELLO_MOST + 1; }
static void set_old_protocol(struct hello *h) { h->least = h->most = HELLO_LEAST - 1; }
static void set_cluster(struct hello *h) { h->cluster[0]++; }
static void set_clock(struct hello *h) { h->wall_ms += 10001; }
static void set_digest(struct hello *h) { h->digest++; }

static void a_front_that_does_not_fit_is_refused_in_words(void **state)
{
    static const struct { void (*spoil)(struct hello *h); const char *why; } cases[] = {
        { set_protocol, "it speaks another version of the peer protocol" },
        { set_old_protocol, "it speaks another version of the peer protocol" },
        { set_cluster, "it belongs to another cluster" },
        { set_clock, "its clock is more than 10 s ahead of this shard's" },
        { set_digest, "it has another map of the same epoch: compare the lists of shards" },
    };

    (void)state;
    (void)open_peer();          /* so that there is a map */
    for (size_t i = 0; i < N_OF(cases); i++) {
        int peer = stage_peer(&stage);
        struct hello h = stage_hello(&stage, "front", map);
        struct frame f;

        cases[i].spoil(&h);
        assert_true(greet(peer, &h, &f));
        assert_int_equal(f.op, FRAME_REFUSED);
        assert_int_equal(f.st, REFUSED_HELLO);
        assert_true(is_value(&f, cases[i].why));
        assert_true(fake_is_closed(stage.world, peer));
    }
}

static void a_clock_that_is_late_or_little_ahead_is_taken(void **state)
{
    static const int64_t off_ms[] = { 10000, 0, -1, -1000000000 };

    (void)state;
    for (size_t i = 0; i < N_OF(off_ms); i++) {
        int peer = stage_peer(&stage);
        struct hello h = stage_hello(&stage, "front", map);
        struct frame f;

        h.wall_ms += off_ms[i];
        assert_true(greet(peer, &h, &f));
        assert_int_equal(f.op, FRAME_HELLO);
    }
}

static void what_is_no_hello_is_refused(void **state)
{
    int peer = stage_peer(&stage);
    struct frame f = ask(peer, (struct frame){ .op = FRAME_HELLO, VALUE("let me in, please") });

    (void)state;
    assert_int_equal(f.op, FRAME_REFUSED);
    assert_true(is_value(&f, "that is no hello"));
    assert_true(fake_is_closed(stage.world, peer));
}

/* Without a word: none of these is a front. */
static void who_does_not_greet_is_closed(void **state)
{
    static const struct { const char *data; size_t len; } cases[] = {
#define BYTES(s) { s, sizeof(s) - 1 }
        BYTES("get a_key_of_a_client\r\n"),
        BYTES("set k 0 0 5\r\nhello\r\n"),
        BYTES("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        BYTES("\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
        BYTES("\x00\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"),      /* ping */
        BYTES("\x01\x00\x00\x00\x10\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00k"),     /* get */
        BYTES("\xff\xff\xff\xff\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
#undef BYTES
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        int peer = stage_peer(&stage);
        size_t len;

        fake_write(stage.world, peer, cases[i].data, cases[i].len);
        stage_run(&stage, 0);
        assert_true(fake_is_closed(stage.world, peer));
        (void)fake_peek(stage.world, peer, &len);
        assert_int_equal(len, 0);
    }
}

/* maps */

static void commands_before_a_map_are_refused(void **state)
{
    int peer = stage_peer(&stage);
    struct hello h = stage_hello(&stage, "front", map);
    struct frame f;

    (void)state;
    assert_true(greet(peer, &h, &f));
    f = ask(peer, (struct frame){ COMMAND(SET), KEY("k"), VALUE("v") });
    assert_int_equal(f.op, FRAME_REFUSED);
    assert_int_equal(f.st, REFUSED_NO_MAP);
    stage_send_map(&stage, peer, FRAME_MAP, map);
    assert_int_equal(ask(peer, (struct frame){ COMMAND(GET), KEY("k") }).op, FRAME_DONE);
    stage_run(&stage, 0);
    assert_true(stage_take_frame(&stage, peer, &f));
    assert_int_equal(f.op, FRAME_ANSWER);
    assert_int_equal(f.st, STATUS_NOT_FOUND);   /* the set was not executed */
}

static void commands_under_an_older_map_are_refused(void **state)
{
    int old = open_peer(), peer;
    struct frame f;

    (void)state;
    map->epoch = 2;
    peer = open_peer();
    f = ask(old, (struct frame){ COMMAND(SET), KEY("k"), VALUE("v") });
    assert_int_equal(f.op, FRAME_REFUSED);
    assert_int_equal(f.st, REFUSED_EPOCH);
    assert_int_equal(ask(peer, (struct frame){ COMMAND(GET), KEY("k") }).st, STATUS_NOT_FOUND);
    f = ask(old, (struct frame){ .op = FRAME_MAP });    /* it wishes for ours */
    assert_int_equal(f.op, FRAME_DONE);
    assert_int_equal(f.version, 2);
    assert_int_equal(f.value_len, map_len(map));
    assert_int_equal(ask(old, (struct frame){ COMMAND(GET), KEY("k") }).op, FRAME_ANSWER);
}

static void an_older_map_is_answered_with_the_newer(void **state)
{
    int peer;
    struct map *older = stage_map(1, 1), *got;
    struct frame f;

    (void)state;
    map->epoch = 7;
    peer = open_peer();
    stage_send_map(&stage, peer, FRAME_MAP, older);
    stage_run(&stage, 0);
    assert_true(stage_take_frame(&stage, peer, &f));
    assert_int_equal(f.version, 7);
    got = map_read(f.value, f.value_len);
    assert_non_null(got);
    assert_int_equal(got->n, 2);
    free(got);
    free(older);
}

static void a_map_without_this_shard_is_refused(void **state)
{
    int peer = stage_peer(&stage);
    struct hello h = stage_hello(&stage, "front", map);
    struct map *others = stage_map(9, 2);
    struct frame f;

    (void)state;
    others->members[0].name[1] = '0';
    assert_true(greet(peer, &h, &f));
    stage_send_map(&stage, peer, FRAME_MAP, others);
    stage_run(&stage, 0);
    assert_true(stage_take_frame(&stage, peer, &f));
    assert_int_equal(f.op, FRAME_REFUSED);
    assert_int_equal(f.st, REFUSED_HELLO);
    assert_true(fake_is_closed(stage.world, peer));
    assert_int_equal(cluster_epoch(stage.cluster), 0);
    free(others);
}

static void what_is_no_map_closes_the_link(void **state)
{
    static const struct frame cases[] = {
        { .op = FRAME_MAP, VALUE("no map") },
        { .op = FRAME_MAP },    /* there is none to tell of */
        { .op = FRAME_ANSWER }, { .op = FRAME_DONE }, { .op = FRAME_REFUSED },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        int peer = stage_peer(&stage);
        struct hello h = stage_hello(&stage, "front", map);
        struct frame f;

        assert_true(greet(peer, &h, &f));
        stage_send_frame(&stage, peer, &cases[i]);
        stage_run(&stage, 0);
        assert_true(fake_is_closed(stage.world, peer));
    }
}

/* commands */

/* In this order, each on what the others left. */
static const struct {
    struct frame f;
    enum status status;
    const char *value;
    uint64_t number;
} dialogue[] = {
    { { COMMAND(GET), KEY("k") }, STATUS_NOT_FOUND, NULL, 0 },
    { { COMMAND(REPLACE), KEY("k"), VALUE("v") }, STATUS_NOT_STORED, NULL, 0 },
    { { COMMAND(ADD), KEY("k"), .client_flags = 5, VALUE("one") }, STATUS_STORED, NULL, 3 },
    { { COMMAND(ADD), KEY("k"), VALUE("two") }, STATUS_NOT_STORED, NULL, 0 },
    { { COMMAND(GET), KEY("k") }, STATUS_HIT, "one", 0 },
    { { COMMAND(APPEND), KEY("k"), VALUE(">") }, STATUS_STORED, NULL, 4 },
    { { COMMAND(PREPEND), KEY("k"), VALUE("<") }, STATUS_STORED, NULL, 5 },
    { { COMMAND(GETS), KEY("k") }, STATUS_HIT, "<one>", 0 },
    { { COMMAND(CAS), KEY("k"), .version = 1, VALUE("no") }, STATUS_EXISTS, NULL, 0 },
    { { COMMAND(CAS), KEY("j"), .version = 1, VALUE("no") }, STATUS_NOT_FOUND, NULL, 0 },
    { { COMMAND(INCR), KEY("k"), .number = 1 }, STATUS_NON_NUMERIC, NULL, 0 },
    { { COMMAND(SET), KEY("k"), VALUE("41") }, STATUS_STORED, NULL, 2 },
    { { COMMAND(INCR), KEY("k"), .number = 2 }, STATUS_NUMBER, NULL, 43 },
    { { COMMAND(DECR), KEY("k"), .number = 1 }, STATUS_NUMBER, NULL, 42 },
    { { COMMAND(TOUCH), KEY("k"), .ttl_ms = 1000 }, STATUS_TOUCHED, NULL, 0 },
    { { COMMAND(GAT), KEY("k"), .ttl_ms = 500 }, STATUS_HIT, "42", 0 },
    { { COMMAND(GATS), KEY("k"), .ttl_ms = TTL_NEVER }, STATUS_HIT, "42", 0 },
    { { COMMAND(DELETE), KEY("k") }, STATUS_DELETED, NULL, 0 },
    { { COMMAND(DELETE), KEY("k") }, STATUS_NOT_FOUND, NULL, 0 },
    { { COMMAND(SET), KEY("k"), VALUE("") }, STATUS_STORED, NULL, 0 },
    { { COMMAND(GET), KEY("k") }, STATUS_HIT, "", 0 },
    { { COMMAND(DELETE), KEY("k") }, STATUS_DELETED, NULL, 0 },
};

static void check_dialogue(int peer)
{
    struct frame f;

    for (size_t i = 0; i < N_OF(dialogue); i++) {
        assert_true(stage_take_frame(&stage, peer, &f));
        assert_int_equal(f.op, FRAME_ANSWER);
        if (f.st != dialogue[i].status)
            fail_msg("step %zu answers status %u", i, f.st);
        assert_int_equal(f.number, dialogue[i].number);
        if (dialogue[i].value != NULL)
            assert_true(is_value(&f, dialogue[i].value));
    }
    assert_false(stage_take_frame(&stage, peer, &f));
}

static void every_verb_is_executed(void **state)
{
    int peer = open_peer();

    (void)state;
    for (size_t i = 0; i < N_OF(dialogue); i++)
        stage_send_frame(&stage, peer, &dialogue[i].f);
    stage_run(&stage, 0);
    check_dialogue(peer);
    assert_int_equal(fake_counts(stage.world, peer).sends, 3);  /* hello, map, all of these */
    assert_int_equal(stage.worker.pool.bytes_out, 0);
}

static void frames_may_be_cut_anywhere(void **state)
{
    /* a pair that nobody serves: to have all the dialogue as bytes */
    int peer = open_peer(), scratch, writer = fake_pair(stage.world, &scratch);
    size_t len;
    char *all;

    (void)state;
    for (size_t i = 0; i < N_OF(dialogue); i++)
        stage_send_frame(&stage, writer, &dialogue[i].f);
    (void)fake_peek(stage.world, scratch, &len);
    all = malloc(len);
    assert_non_null(all);
    memcpy(all, fake_peek(stage.world, scratch, &len), len);
    for (size_t cut = 1; cut < len; cut++) {
        fake_write(stage.world, peer, all, cut);
        stage_run(&stage, 0);
        fake_write(stage.world, peer, all + cut, len - cut);
        stage_run(&stage, 0);
        check_dialogue(peer);
    }
    free(all);
}

static void a_version_is_of_this_shard_and_grows(void **state)
{
    int peer = open_peer();
    uint64_t last = 0;

    (void)state;
    for (int i = 0; i < 10; i++) {
        struct frame f = ask(peer, (struct frame){ COMMAND(SET), KEY("k"), VALUE("v") });

        assert_true(f.version > last);
        assert_int_equal(f.version & VERSION_NUMBER_MAX, 1);
        last = f.version;
        assert_int_equal(ask(peer, (struct frame){ COMMAND(GETS), KEY("k") }).version, last);
    }
}

static void a_large_value_comes_back(void **state)
{
    static const size_t lens[] = { 5000, 70000, 1000000 };
    int peer = open_peer();
    char *value = malloc(1000000);

    (void)state;
    assert_non_null(value);
    for (size_t i = 0; i < 1000000; i++)
        value[i] = (char)i;
    for (size_t i = 0; i < N_OF(lens); i++) {
        struct frame f = { COMMAND(SET), KEY("k"), .value = value, .value_len = lens[i] };

        assert_int_equal(ask(peer, f).st, STATUS_STORED);
        f = ask(peer, (struct frame){ COMMAND(GET), KEY("k") });
        assert_int_equal(f.value_len, lens[i]);
        assert_memory_equal(f.value, value, lens[i]);
    }
    assert_int_equal(stage.worker.pool.bytes_out, 0);
    free(value);
}

static void a_front_that_does_not_read_is_not_executed(void **state)
{
    enum { N = 200, LEN = 100000 };
    int peer = open_peer();
    char *value = calloc(1, LEN);
    struct frame f = { COMMAND(SET), KEY("k"), .value = value, .value_len = LEN };
    unsigned n = 0;

    (void)state;
    assert_int_equal(ask(peer, f).st, STATUS_STORED);
    fake_set_room(stage.world, peer, 1);
    for (int i = 0; i < N; i++)
        stage_send_frame(&stage, peer, &(struct frame){ COMMAND(GET), KEY("k") });
    stage_run(&stage, 0);
    assert_in_range(stage.worker.pool.bytes_out, LEN, 3 << 20);
    assert_false(fake_is_watched(stage.world, peer, WATCH_READ));
    fake_set_room(stage.world, peer, SIZE_MAX);
    stage_run(&stage, 0);
    while (stage_take_frame(&stage, peer, &f)) {
        assert_int_equal(f.value_len, LEN);
        n++;
    }
    assert_int_equal(n, N);
    assert_int_equal(stage.worker.pool.bytes_out, 0);
    free(value);
}

/* `n` sets, then a frame that cannot be, then one more: "k0" ... */
static void say_sets_and_a_bad_frame(int peer, unsigned n, const struct frame *bad, size_t bad_len)
{
    char key[12], *bytes;
    struct frame f = { COMMAND(SET), .key = key, VALUE("v") };

    for (unsigned i = 0; i <= n; i++) {
        f.key_len = (uint16_t)snprintf(key, sizeof(key), "k%u", i);
        if (i < n)
            stage_send_frame(&stage, peer, &f);
    }
    bytes = calloc(1, FRAME_HEAD + FRAME_FIELDS_MAX + 300);
    assert_non_null(bytes);
    frame_put(bytes, bad);
    fake_write(stage.world, peer, bytes, bad_len);
    free(bytes);
    stage_send_frame(&stage, peer, &f);
    stage_run(&stage, 0);
}

/* How many of "k0" ... are there, from the first on; none is behind them. */
static unsigned stored(void)
{
    int peer = open_peer();
    unsigned n = 0, end = 0;
    char key[12];
    struct frame f = { COMMAND(GET), .key = key };

    for (unsigned i = 0; i < 200; i++) {
        f.key_len = (uint16_t)snprintf(key, sizeof(key), "k%u", i);
        if (ask(peer, f).st != STATUS_HIT)
            continue;
        f.op = FRAME_COMMAND + VERB_DELETE;
        assert_int_equal(ask(peer, f).st, STATUS_DELETED);
        f.op = FRAME_COMMAND + VERB_GET;
        n++;
        end = i + 1;
    }
    assert_int_equal(n, end);
    return n;
}

/* Read in one piece: those before it are executed and answered, none behind it. */
static void what_stands_before_a_bad_frame_is_executed_and_nothing_behind_it(void **state)
{
    static const struct {
        struct frame f;
        size_t len;
    } bad[] = {
        { { .op = 0x7e }, FRAME_HEAD },                         /* no such op */
        { { COMMAND(GET), KEY("k"), .value_len = 5 }, FRAME_HEAD + 6 },
        { { COMMAND(SET), KEY("k"), .value_len = (1 << 20) + 1 }, FRAME_HEAD + 20 }, /* no room */
        { { .op = FRAME_MAP, .value_len = (1 << 20) + 1 }, FRAME_HEAD },
        { { .op = FRAME_ANSWER, .st = STATUS_STORED }, FRAME_HEAD + 8 },                             /* ours to send */
    };
    static const unsigned before[] = { 0, 1, 30, 31, 32, 33, 64, 70 };

    (void)state;
    for (size_t i = 0; i < N_OF(bad); i++) {
        for (size_t n = 0; n < N_OF(before); n++) {
            int peer = open_peer();
            struct frame f;

            say_sets_and_a_bad_frame(peer, before[n], &bad[i].f, bad[i].len);
            assert_true(fake_is_closed(stage.world, peer));
            for (unsigned k = 0; k < before[n]; k++) {
                assert_true(stage_take_frame(&stage, peer, &f));
                assert_int_equal(f.st, STATUS_STORED);
            }
            assert_false(stage_take_frame(&stage, peer, &f));
            assert_int_equal(stored(), before[n]);
        }
    }
}

/* Output that is full ends a helping in its midst: what was read ahead is read again. */
static void a_pause_loses_nothing_of_what_was_read_ahead(void **state)
{
    enum { LEN = 60000 };
    static const unsigned many[] = { 17, 18, 31, 32, 33, 50, 100 };
    int peer = open_peer();
    char *value = calloc(1, LEN), key[12];
    struct frame set = { COMMAND(SET), KEY("large"), .value = value, .value_len = LEN }, f;

    (void)state;
    assert_int_equal(ask(peer, set).st, STATUS_STORED);
    for (size_t i = 0; i < N_OF(many); i++) {
        set = (struct frame){ COMMAND(SET), .key = key, VALUE("v") };
        fake_set_room(stage.world, peer, 1);
        for (unsigned n = 0; n < many[i]; n++) {
            set.key_len = (uint16_t)snprintf(key, sizeof(key), "k%u", n);
            stage_send_frame(&stage, peer, &(struct frame){ COMMAND(GET), KEY("large") });
            stage_send_frame(&stage, peer, &set);
        }
        stage_run(&stage, 0);
        fake_set_room(stage.world, peer, SIZE_MAX);
        stage_run(&stage, 0);
        for (unsigned n = 0; n < many[i]; n++) {
            assert_true(stage_take_frame(&stage, peer, &f));
            assert_int_equal(f.value_len, LEN);
            assert_true(stage_take_frame(&stage, peer, &f));
            assert_int_equal(f.st, STATUS_STORED);
        }
        assert_false(stage_take_frame(&stage, peer, &f));
        assert_int_equal(stored(), many[i]);
    }
    assert_int_equal(stage.worker.pool.bytes_out, 0);
    free(value);
}

/* ... nor does it lose the bad one behind: no frame after it, all before it. */
static void a_bad_frame_behind_a_pause_ends_the_link_when_its_turn_comes(void **state)
{
    enum { LEN = 60000, N = 30 };
    int peer = open_peer();
    char *value = calloc(1, LEN);
    struct frame f = { COMMAND(SET), KEY("large"), .value = value, .value_len = LEN };

    (void)state;
    assert_int_equal(ask(peer, f).st, STATUS_STORED);
    fake_set_room(stage.world, peer, 1);
    for (unsigned n = 0; n < N; n++)
        stage_send_frame(&stage, peer, &(struct frame){ COMMAND(GET), KEY("large") });
    say_sets_and_a_bad_frame(peer, 3, &(struct frame){ .op = 0x7e }, FRAME_HEAD);
    assert_false(fake_is_closed(stage.world, peer));
    fake_set_room(stage.world, peer, SIZE_MAX);
    stage_run(&stage, 0);
    assert_true(fake_is_closed(stage.world, peer));
    for (unsigned n = 0; n < N; n++) {
        assert_true(stage_take_frame(&stage, peer, &f));
        assert_int_equal(f.value_len, LEN);
    }
    assert_int_equal(stored(), 3);
    free(value);
}

/* the rest */

static void a_flush_hides_what_was_there(void **state)
{
    int peer = open_peer();
    struct frame f;

    (void)state;
    assert_int_equal(ask(peer, (struct frame){ COMMAND(SET), KEY("k"), VALUE("v") }).st,
                     STATUS_STORED);
    f = ask(peer, (struct frame){ .op = FRAME_CLOCK });
    assert_int_equal(f.op, FRAME_DONE);
    assert_true(f.version > 0);
    f = ask(peer, (struct frame){ .op = FRAME_FLUSH, .version = f.version });
    assert_int_equal(f.op, FRAME_DONE);
    assert_int_equal(ask(peer, (struct frame){ COMMAND(GET), KEY("k") }).st, STATUS_NOT_FOUND);
    assert_int_equal(ask(peer, (struct frame){ COMMAND(SET), KEY("k"), VALUE("v") }).st,
                     STATUS_STORED);
    assert_int_equal(ask(peer, (struct frame){ COMMAND(GET), KEY("k") }).st, STATUS_HIT);
    assert_int_equal(ask(peer, (struct frame){ .op = FRAME_PING }).op, FRAME_DONE);
}

static void a_shard_tells_what_is_in_it(void **state)
{
    int peer = open_peer();
    struct frame f;

    (void)state;
    (void)ask(peer, (struct frame){ COMMAND(SET), KEY("k"), VALUE("v") });
    f = ask(peer, (struct frame){ .op = FRAME_LIMIT, .number = 16 << 20 });
    assert_int_equal(f.op, FRAME_DONE);
    f = ask(peer, (struct frame){ .op = FRAME_STATS });
    assert_int_equal(f.op, FRAME_DONE);
    assert_memory_equal(f.value, "curr_items 1\ntotal_items 1\n", 27);
    assert_non_null(memmem(f.value, f.value_len, "limit_maxbytes 16777216\n", 24));
    (void)ask(peer, (struct frame){ .op = FRAME_STATS, KEY("reset") });
    f = ask(peer, (struct frame){ .op = FRAME_STATS });
    assert_memory_equal(f.value, "curr_items 1\ntotal_items 0\n", 27);
}

/* Of all that is there, added up. */
static struct digest digest_of(int peer, uint32_t first, uint32_t last)
{
    struct digest digest = { .items = 0 };
    uint64_t cursor = 0;

    do {
        struct frame f = ask(peer, (struct frame){ .op = FRAME_DIGEST, .number = cursor,
                                                   .version = (uint64_t)first << 32 | last });

        assert_int_equal(f.value_len, 16);
        digest.items += bytes_get_u64(f.value);
        digest.sum += bytes_get_u64(f.value + 8);
        cursor = f.version;
    } while (cursor != 0);
    return digest;
}

static void a_digest_tells_what_an_arc_holds(void **state)
{
    int peer = open_peer();
    const uint32_t at = ring_hash("k", 1);
    struct digest before, after;

    (void)state;
    assert_int_equal(digest_of(peer, 0, UINT32_MAX).items, 0);
    (void)ask(peer, (struct frame){ COMMAND(SET), KEY("k"), VALUE("v") });
    before = digest_of(peer, at, at);
    assert_int_equal(before.items, 1);
    assert_int_equal(digest_of(peer, at + 1, at - 1).items, 0);
    (void)ask(peer, (struct frame){ COMMAND(SET), KEY("k"), VALUE("v") });
    after = digest_of(peer, 0, UINT32_MAX);
    assert_int_equal(after.items, 1);
    assert_true(after.sum != before.sum);       /* at another version */
    for (unsigned i = 0; i < 3000; i++) {
        char key[20];
        struct frame f = { COMMAND(SET), .key = key, VALUE("v") };

        f.key_len = (uint16_t)snprintf(key, sizeof(key), "key%u", i);
        (void)ask(peer, f);
    }
    assert_int_equal(digest_of(peer, 0, UINT32_MAX).items, 3001);
}

static void an_item_expires_by_the_shards_clock(void **state)
{
    int peer = open_peer();

    (void)state;
    (void)ask(peer, (struct frame){ COMMAND(SET), KEY("k"), .ttl_ms = 1000, VALUE("v") });
    stage_run(&stage, 900);
    assert_int_equal(ask(peer, (struct frame){ COMMAND(GET), KEY("k") }).ttl_ms, 100);
    stage_run(&stage, 200);
    assert_int_equal(ask(peer, (struct frame){ COMMAND(GET), KEY("k") }).st, STATUS_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_shard_says_who_it_is),
        TEST(a_front_that_does_not_fit_is_refused_in_words),
        TEST(a_clock_that_is_late_or_little_ahead_is_taken),
        TEST(what_is_no_hello_is_refused),
        TEST(who_does_not_greet_is_closed),
        TEST(commands_before_a_map_are_refused),
        TEST(commands_under_an_older_map_are_refused),
        TEST(an_older_map_is_answered_with_the_newer),
        TEST(a_map_without_this_shard_is_refused),
        TEST(what_is_no_map_closes_the_link),
        TEST(every_verb_is_executed),
        TEST(frames_may_be_cut_anywhere),
        TEST(a_version_is_of_this_shard_and_grows),
        TEST(a_large_value_comes_back),
        TEST(a_front_that_does_not_read_is_not_executed),
        TEST(what_stands_before_a_bad_frame_is_executed_and_nothing_behind_it),
        TEST(a_pause_loses_nothing_of_what_was_read_ahead),
        TEST(a_bad_frame_behind_a_pause_ends_the_link_when_its_turn_comes),
        TEST(a_flush_hides_what_was_there),
        TEST(a_shard_tells_what_is_in_it),
        TEST(a_digest_tells_what_an_arc_holds),
        TEST(an_item_expires_by_the_shards_clock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
