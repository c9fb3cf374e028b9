#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ring/ring.h"
#include "store_help.h"

#define KEPT_MS 60000
#define ONE_PARTITION (8 * MIB)
#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

/* What a command came to, and what it told the copies. */
struct result {
    struct answer a;
    char value[64];             /* of a hit */
    unsigned n_told;
    struct copy told;           /* without its pointers: */
    char told_key[32], told_value[64];
    bool hit_before_told;
    bool was_hit;
};

static struct store *new_store(size_t memory_bytes)
{
    struct store_config config = help_config(memory_bytes);
    struct store *s;

    config.tombstone_ms = KEPT_MS;
    s = store_new(&config);
    assert_non_null(s);
    return s;
}

static void put_text(char *out, size_t size, const char *data, size_t len)
{
    assert_true(len < size);
    if (len > 0)
        memcpy(out, data, len);
    out[len] = '\0';
}

static void on_hit(void *arg, const struct answer *a)
{
    struct result *r = arg;

    r->was_hit = true;
    put_text(r->value, sizeof(r->value), a->value, a->value_len);
}

static void note(void *arg, const struct copy *copy)
{
    struct result *r = arg;

    r->n_told++;
    r->hit_before_told = r->was_hit;
    r->told = *copy;
    put_text(r->told_key, sizeof(r->told_key), copy->key, copy->key_len);
    put_text(r->told_value, sizeof(r->told_value), copy->value, copy->value_len);
}

static uint64_t hash_of(struct store *s, const char *key)
{
    return store_hash(s, key, strlen(key));
}

/* At most one telling, before the hit; the answer's mark says whether there is
 * something that copies must have. */
static struct result run(struct store *s, int64_t at_ms, struct cmd cmd)
{
    struct result r = { .n_told = 0 };
    const struct store_reader reader = { .hit = on_hit, .told = note, .arg = &r };

    cmd.key = cmd.key == NULL ? "k" : cmd.key;
    cmd.key_len = strlen(cmd.key);
    if (cmd.value != NULL && cmd.value_len == 0)
        cmd.value_len = strlen(cmd.value);
    store_execute(s, &cmd, hash_of(s, cmd.key), START_MS + at_ms, &r.a, &reader);
    assert_in_range(r.n_told, 0, 1);
    assert_false(r.hit_before_told);
    if (r.n_told > 0) {
        assert_true((r.a.marks & MARK_OPEN) != 0);
        assert_string_equal(r.told_key, cmd.key);
    }
    return r;
}

static struct result run_open(struct store *s, int64_t at_ms, struct cmd cmd)
{
    cmd.copies = true;
    return run(s, at_ms, cmd);
}

#define COMMAND(s, at_ms, ...) run_open(s, at_ms, (struct cmd){ .verb = __VA_ARGS__ })

static bool is_open(const struct result *r)
{
    return (r->a.marks & MARK_OPEN) != 0;
}

static bool confirm(struct store *s, const char *key, uint64_t version)
{
    return store_confirm(s, hash_of(s, key), version);
}

/* "k" is there, and all know it. */
static uint64_t set_confirmed(struct store *s, int64_t at_ms, const char *value)
{
    const struct result r = COMMAND(s, at_ms, VERB_SET, .value = value);

    assert_true(confirm(s, "k", r.a.version));
    return r.a.version;
}

static void sweep(struct store *s, int64_t at_ms)
{
    for (int i = 0; i < 40; i++)
        store_sweep(s, 1000, START_MS + at_ms);
}

/* ---- what is open ---- */

static void a_write_is_open_until_it_is_confirmed(void **state)
{
    struct store *s = new_store(64 * MIB);
    struct result r = COMMAND(s, 0, VERB_SET, .value = "v");
    const uint64_t version = r.a.version;

    (void)state;
    assert_true(is_open(&r));
    assert_int_equal(help_usage(s, 0).open_items, 1);
    r = COMMAND(s, 0, VERB_GET);
    assert_true(is_open(&r));
    assert_int_equal(r.n_told, 1);
    assert_true(confirm(s, "k", version));
    assert_false(confirm(s, "k", version));
    assert_int_equal(help_usage(s, 0).open_items, 0);
    r = COMMAND(s, 0, VERB_GET);
    assert_false(is_open(&r));
    assert_int_equal(r.a.version, version);
    store_free(s);
}

static void only_the_version_that_is_there_is_confirmed(void **state)
{
    struct store *s = new_store(64 * MIB);
    const uint64_t first = COMMAND(s, 0, VERB_SET, .value = "a").a.version;
    const uint64_t second = COMMAND(s, 0, VERB_SET, .value = "b").a.version;
    struct result r;

    (void)state;
    assert_false(confirm(s, "k", first));
    assert_false(confirm(s, "k", second + 1));
    assert_false(confirm(s, "another", second));
    r = COMMAND(s, 0, VERB_GET);
    assert_true(is_open(&r));
    assert_true(confirm(s, "k", second));
    store_free(s);
}

static void without_copies_nothing_is_open(void **state)
{
    static const struct cmd commands[] = {
        { VERB_SET, .value = "1" }, { VERB_APPEND, .value = "2" }, { VERB_INCR, .delta = 1 },
        { VERB_TOUCH, .ttl_ms = 5 }, { VERB_GAT, .ttl_ms = 6 }, { VERB_DELETE, .cas = 0 },
        { VERB_DELETE, .cas = 0 }, { VERB_GET, .options = OPTION_VIVIFY },
    };
    struct store *s = new_store(64 * MIB);

    (void)state;
    for (size_t i = 0; i < N_OF(commands); i++) {
        const struct result r = run(s, 0, commands[i]);

        assert_false(is_open(&r));
        assert_int_equal(r.n_told, 0);
        assert_int_equal(help_usage(s, 0).open_items, 0);
    }
    store_free(s);
}

/* ---- what is told ---- */

static void the_only_item(void *arg, const struct copy *copy)
{
    assert_true(copy->open);
    note(arg, copy);
}

/* What the sender makes of its own command is what is there. */
static void what_was_sent_is_not_told(void **state)
{
    static const struct cmd commands[] = {
        { VERB_SET, .value = "v", .client_flags = 3, .ttl_ms = 4 },
        { VERB_ADD, .value = "v", .options = OPTION_TOKEN, .token = 5, .key = "new" },
        { VERB_REPLACE, .value = "v", .options = OPTION_KEY_ENCODED },
        { VERB_SET, .value = "v", .ttl_ms = TTL_OVER },
        { VERB_DELETE, .cas = 0 },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(commands); i++) {
        struct cmd cmd = commands[i];
        struct store *s = new_store(64 * MIB);
        struct result r, walked = { .n_told = 0 };
        uint64_t cursor = 0;
        struct copy copy;

        cmd.copies = true;
        if (cmd.key == NULL)
            set_confirmed(s, 0, "old");
        r = run(s, 0, cmd);
        assert_true(is_open(&r));
        assert_int_equal(r.n_told, 0);
        cmd.value_len = cmd.value == NULL ? 0 : strlen(cmd.value);
        copy_of_sent(&copy, &cmd, &r.a);
        store_walk(s, WHOLE_RING, &cursor, 1000000, START_MS, the_only_item, &walked);
        assert_int_equal(cursor, 0);
        assert_int_equal(walked.n_told, 1);
        assert_int_equal(copy.kind, walked.told.kind);
        assert_int_equal(copy.version, walked.told.version);
        if (copy.kind == COPY_VALUE) {
            assert_int_equal(copy.marks, walked.told.marks);
            assert_int_equal(copy.client_flags, walked.told.client_flags);
            assert_int_equal(copy.ttl_ms, walked.told.ttl_ms);
            assert_string_equal("v", walked.told_value);
        }
        if ((copy.marks & MARK_TOKEN) != 0)
            assert_int_equal(copy.token, walked.told.token);
        store_free(s);
    }
}

/* On "k", which is "10", confirmed, with 9 s to live and flags 7. */
static void what_the_sender_cannot_know_is_told(void **state)
{
    static const struct {
        struct cmd cmd;
        enum copy_kind kind;
        const char *value;
        int64_t ttl_ms;
        uint32_t flags;
        unsigned marks;
    } cases[] = {
        { { VERB_APPEND, .value = "x" }, COPY_VALUE, "10x", 8000, 7, 0 },
        { { VERB_PREPEND, .value = "x" }, COPY_VALUE, "x10", 8000, 7, 0 },
        { { VERB_INCR, .delta = 5 }, COPY_VALUE, "15", 8000, 7, 0 },
        { { VERB_DECR, .delta = 5, .options = OPTION_TTL, .ttl_ms = 3000 }, COPY_VALUE, "5 ",
          3000, 7, 0 },
        { { VERB_INCR, .delta = 5, .options = OPTION_TTL, .ttl_ms = TTL_OVER }, COPY_DELETED,
          "", 0, 0, 0 },
        { { VERB_APPEND, .key = "new", .value = "x", .options = OPTION_VIVIFY,
            .client_flags = 2, .vivify_ttl_ms = 4000 }, COPY_VALUE, "x", 4000, 2, 0 },
        { { VERB_INCR, .key = "new", .options = OPTION_VIVIFY, .initial = 77 }, COPY_VALUE,
          "77", TTL_NEVER, 0, 0 },
        { { VERB_GET, .key = "new", .options = OPTION_VIVIFY, .vivify_ttl_ms = 5000 },
          COPY_VALUE, "", 5000, 0, MARK_WON | MARK_FETCHED },
        { { VERB_DELETE, .options = OPTION_INVALIDATE }, COPY_VALUE, "10", 8000, 7,
          MARK_STALE },
        { { VERB_DELETE, .options = OPTION_REMOVE_VALUE, .client_flags = 1 }, COPY_VALUE, "",
          TTL_NEVER, 1, MARK_TOKEN },
        { { VERB_CAS, .value = "x", .cas = 1, .options = OPTION_INVALIDATE }, COPY_VALUE, "x",
          8000, 0, MARK_STALE },
        { { VERB_TOUCH, .ttl_ms = 20000 }, COPY_TOUCHED, "", 20000, 0, 0 },
        { { VERB_GAT, .ttl_ms = 20000 }, COPY_TOUCHED, "", 20000, 0, 0 },
        { { VERB_TOUCH, .ttl_ms = TTL_NEVER }, COPY_TOUCHED, "", TTL_NEVER, 0, 0 },
        { { VERB_TOUCH, .ttl_ms = 20000, .pending = true }, COPY_VALUE, "10", 20000, 7,
          MARK_FETCHED },
        { { VERB_TOUCH, .ttl_ms = TTL_OVER }, COPY_DELETED, "", 0, 0, 0 },
        { { VERB_GAT, .ttl_ms = TTL_OVER }, COPY_DELETED, "", 0, 0, 0 },
        { { VERB_SET, .value = "x", .value_len = 2 * MIB }, COPY_DELETED, "", 0, 0, 0 },
        { { VERB_SET, .key = "new", .value = "x", .value_len = 2 * MIB }, COPY_DELETED, "", 0,
          0, 0 },
        { { VERB_DELETE, .key = "new" }, COPY_DELETED, "", 0, 0, 0 },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        struct cmd cmd = cases[i].cmd;
        struct store *s = new_store(64 * MIB);
        struct result r = COMMAND(s, 0, VERB_SET, .value = "10", .client_flags = 7,
                                  .ttl_ms = 9000);
        const uint64_t before = r.a.version;

        confirm(s, "k", before);
        cmd.copies = true;
        r = run(s, 1000, cmd);
        assert_int_equal(r.n_told, 1);
        assert_int_equal(r.told.kind, cases[i].kind);
        assert_string_equal(r.told_value, cases[i].value);
        assert_int_equal(r.told.ttl_ms, cases[i].ttl_ms);
        assert_int_equal(r.told.client_flags, cases[i].flags);
        assert_int_equal(r.told.marks, cases[i].marks);
        assert_int_equal(r.told.any_age, cmd.pending);
        assert_true(r.told.kind == COPY_TOUCHED || cmd.pending ? r.told.version == before
                                                               : r.told.version > before);
        if (r.a.status != STATUS_HIT)
            assert_int_equal(r.a.version, r.told.version);
        assert_true(confirm(s, cmd.key == NULL ? "k" : cmd.key, r.told.version));
        assert_int_equal(help_usage(s, 1000).open_items, 0);
        store_free(s);
    }
}

/* Whatever it answers: it has looked at it. */
static void who_looks_at_what_is_open_is_told_all_of_it(void **state)
{
    static const struct { struct cmd cmd; enum status status; } cases[] = {
        { { VERB_GET, .cas = 0 }, STATUS_HIT },
        { { VERB_GETS, .cas = 0 }, STATUS_HIT },
        { { VERB_GET, .options = OPTION_NO_VALUE | OPTION_NO_USE }, STATUS_HEAD },
        { { VERB_GAT, .ttl_ms = 9000 }, STATUS_HIT },
        { { VERB_TOUCH, .ttl_ms = 9000 }, STATUS_TOUCHED },
        { { VERB_ADD, .value = "x" }, STATUS_NOT_STORED },
        { { VERB_ADD, .value = "x", .value_len = 2 * MIB }, STATUS_TOO_LARGE },
        { { VERB_CAS, .value = "x", .cas = 1 }, STATUS_EXISTS },
        { { VERB_INCR, .delta = 1 }, STATUS_NON_NUMERIC },
        { { VERB_DELETE, .options = OPTION_COMPARE, .cas = 1 }, STATUS_EXISTS },
        { { VERB_APPEND, .value = "x", .options = OPTION_COMPARE, .cas = 1 }, STATUS_EXISTS },
    };

    (void)state;
    for (size_t i = 0; i < 2 * N_OF(cases); i++) {
        struct cmd cmd = cases[i / 2].cmd;
        struct store *s = new_store(64 * MIB);
        struct result r = COMMAND(s, 0, VERB_SET, .value = "val", .client_flags = 7,
                                  .ttl_ms = 5000);
        const uint64_t version = r.a.version;
        const bool touches = cmd.verb == VERB_GAT || cmd.verb == VERB_TOUCH;

        cmd.copies = i % 2 == 1;        /* even who has none by his own map */
        r = run(s, 3000, cmd);
        assert_int_equal(r.a.status, cases[i / 2].status);
        assert_int_equal(r.n_told, 1);
        assert_int_equal(r.told.kind, COPY_VALUE);
        assert_string_equal(r.told_value, "val");
        assert_int_equal(r.told.version, version);
        assert_int_equal(r.a.version, version);
        assert_int_equal(r.told.client_flags, 7);
        assert_int_equal(r.told.ttl_ms, touches ? 9000 : 2000);
        assert_true(r.told.any_age && r.told.renew);
        assert_true(confirm(s, "k", version));
        r = run(s, 3000, cmd);
        assert_int_equal(r.n_told, 0);
        assert_false(is_open(&r));
        store_free(s);
    }
}

static void who_misses_what_is_open_is_told_of_its_end(void **state)
{
    static const struct cmd commands[] = {
        { VERB_GET, .cas = 0 }, { VERB_GET, .options = OPTION_NO_VALUE },
        { VERB_REPLACE, .value = "x" }, { VERB_APPEND, .value = "x" },
        { VERB_INCR, .delta = 1 }, { VERB_TOUCH, .ttl_ms = 1 }, { VERB_CAS, .value = "x" },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(commands); i++) {
        struct cmd cmd = commands[i];
        struct store *s = new_store(64 * MIB);
        struct result r;
        uint64_t version;

        set_confirmed(s, 0, "v");
        version = COMMAND(s, 0, VERB_DELETE, .cas = 0).a.version;
        cmd.copies = true;
        r = run(s, 3000, cmd);
        assert_int_equal(r.n_told, 1);
        assert_int_equal(r.told.kind, COPY_DELETED);
        assert_int_equal(r.told.version, version);
        assert_int_equal(r.a.version, version);
        assert_true(r.told.any_age);
        assert_true(confirm(s, "k", version));
        r = run(s, 3000, cmd);
        assert_int_equal(r.n_told, 0);
        assert_false(is_open(&r));
        store_free(s);
    }
}

/* The copies may have something older that would live on. */
static void an_open_item_that_ends_is_told_as_deleted(void **state)
{
    (void)state;
    for (int swept = 0; swept < 2; swept++) {
        struct store *s = new_store(ONE_PARTITION);
        struct result r;
        uint64_t version;

        COMMAND(s, 0, VERB_DELETE, .key = "another");   /* there is room for tombstones */
        version = COMMAND(s, 0, VERB_SET, .value = "v", .ttl_ms = 1000).a.version;
        if (swept) {
            sweep(s, 5000);
            assert_int_equal(help_usage(s, 5000).items, 0);
        }
        r = COMMAND(s, 5000, VERB_GET);
        assert_int_equal(r.a.status, STATUS_NOT_FOUND);
        assert_int_equal(r.n_told, 1);
        assert_int_equal(r.told.kind, COPY_DELETED);
        assert_int_equal(r.told.version, version);
        assert_true(confirm(s, "k", version));
        r = COMMAND(s, 5000, VERB_GET);
        assert_false(is_open(&r));
        assert_int_equal(help_usage(s, 5000).expired_unfetched, 1);
        store_free(s);
    }
}

static void a_touch_that_changes_nothing_is_not_told(void **state)
{
    struct store *s = new_store(64 * MIB);
    struct result r;

    (void)state;
    set_confirmed(s, 0, "v");
    r = COMMAND(s, 0, VERB_TOUCH, .ttl_ms = TTL_NEVER);
    assert_int_equal(r.a.status, STATUS_TOUCHED);
    assert_false(is_open(&r));
    r = COMMAND(s, 0, VERB_GAT, .ttl_ms = TTL_NEVER);
    assert_int_equal(r.a.status, STATUS_HIT);
    assert_false(is_open(&r));
    store_free(s);
}

static void that_one_has_won_is_not_told(void **state)
{
    struct store *s = new_store(64 * MIB);
    struct result r;

    (void)state;
    set_confirmed(s, 0, "v");
    r = COMMAND(s, 0, VERB_DELETE, .options = OPTION_INVALIDATE);
    assert_true(confirm(s, "k", r.a.version));
    r = COMMAND(s, 0, VERB_GET, .options = OPTION_WIN);
    assert_int_equal(r.a.marks, MARK_WIN | MARK_STALE);
    assert_int_equal(r.n_told, 0);
    store_free(s);
}

/* ---- its owner's repair ---- */

static void what_stays_open_is_shown_to_its_owner(void **state)
{
    struct store *s = new_store(64 * MIB);
    struct result r = COMMAND(s, 0, VERB_SET, .value = "v", .ttl_ms = 5000), shown;
    const uint64_t version = r.a.version, hash = hash_of(s, "k");

    (void)state;
#define SHOW(v, at_ms) \
    (shown = (struct result){ .n_told = 0 }, \
     store_show_open(s, hash, v, START_MS + (at_ms), note, &shown), shown.n_told)
    assert_int_equal(SHOW(version + 1, 1000), 0);
    assert_int_equal(SHOW(version, 1000), 1);
    assert_int_equal(shown.told.kind, COPY_VALUE);
    assert_int_equal(shown.told.ttl_ms, 4000);
    assert_string_equal(shown.told_value, "v");
    assert_true(shown.told.any_age && shown.told.renew && shown.told.open);
    assert_int_equal(SHOW(version, 5000), 1);           /* its time is over */
    assert_int_equal(shown.told.kind, COPY_DELETED);
    assert_true(confirm(s, "k", version));
    assert_int_equal(SHOW(version, 1000), 0);

    r = COMMAND(s, 1000, VERB_DELETE, .cas = 0);
    assert_int_equal(SHOW(version, 1000), 0);
    assert_int_equal(SHOW(r.a.version, 1000), 1);
    assert_int_equal(shown.told.kind, COPY_DELETED);
    store_flush(s, store_clock(s, START_MS + 1000), START_MS + 1000, FLUSH_NOW);
    assert_int_equal(SHOW(r.a.version, 1000), 0);       /* the copies have flushed too */
#undef SHOW
    store_free(s);
}

static void what_another_owner_left_counts_as_open_until_it_is_settled(void **state)
{
    struct store *s = new_store(64 * MIB);
    uint64_t old, young, later;
    struct result r;

    (void)state;
    old = COMMAND(s, 0, VERB_SET, .key = "old", .value = "v").a.version;
    young = COMMAND(s, 10, VERB_SET, .key = "young", .value = "v").a.version;
    assert_true(confirm(s, "old", old) && confirm(s, "young", young));
    store_unsettle(s, young, START_MS + 10);
    later = COMMAND(s, 10, VERB_SET, .key = "later", .value = "v").a.version;
    assert_true(confirm(s, "later", later));

    r = COMMAND(s, 10, VERB_GET, .key = "old");
    assert_false(is_open(&r));
    r = COMMAND(s, 10, VERB_GET, .key = "later");
    assert_false(is_open(&r));
    r = COMMAND(s, 10, VERB_GET, .key = "young");
    assert_true(is_open(&r));
    assert_int_equal(r.told.version, young);
    store_settle(s);
    r = COMMAND(s, 10, VERB_GET, .key = "young");
    assert_false(is_open(&r));
    store_free(s);
}

/* ---- at a copy ---- */

static enum applied apply(struct store *s, int64_t at_ms, struct copy copy)
{
    if (copy.key == NULL)
        copy.key = "k";
    copy.key_len = strlen(copy.key);
    if (copy.value != NULL)
        copy.value_len = strlen(copy.value);
    return store_apply(s, &copy, START_MS + at_ms);
}

#define APPLY(s, at_ms, ...) apply(s, at_ms, (struct copy){ __VA_ARGS__ })

static void a_copy_is_not_open(void **state)
{
    struct store *s = new_store(64 * MIB);
    struct result r;

    (void)state;
    assert_int_equal(APPLY(s, 0, COPY_VALUE, .value = "v", .version = store_clock(s, START_MS)),
                     APPLIED);
    r = COMMAND(s, 0, VERB_GET);
    assert_int_equal(r.a.status, STATUS_HIT);
    assert_false(is_open(&r));
    store_free(s);
}

static void a_replay_that_comes_late_is_refused_unless_it_has_no_age(void **state)
{
    struct store *s = new_store(64 * MIB);
    const uint64_t version = store_clock(s, START_MS);
    const int64_t late = REPLAY_WINDOW_MS + 1;

    (void)state;
    assert_int_equal(APPLY(s, late, COPY_VALUE, .value = "v", .version = version),
                     APPLIED_REFUSED);
    assert_int_equal(APPLY(s, late, COPY_DELETED, .version = version), APPLIED_REFUSED);
    assert_int_equal(GET(s, late, "k"), STATUS_NOT_FOUND);
    assert_int_equal(APPLY(s, late, COPY_VALUE, .value = "v", .version = version,
                           .any_age = true), APPLIED);
    assert_int_equal(APPLY(s, late, COPY_VALUE, .value = "v", .version = version),
                     APPLIED_OLDER);            /* it is there: that is no failure */
    assert_int_equal(APPLY(s, late - 1, COPY_VALUE, .key = "other", .value = "v",
                           .version = version), APPLIED);
    assert_int_equal(help_usage(s, late).replays_refused, 2);
    assert_int_equal(help_usage(s, late).replays_older, 1);
    assert_int_equal(help_usage(s, late).replays_applied, 2);
    store_free(s);
}

static void a_clock_too_far_ahead_is_not_followed(void **state)
{
    static const int64_t ahead_ms[] = { VERSION_AHEAD_MS + 1000, INT64_C(1) << 40 };
    struct store *s = new_store(64 * MIB);
    const uint64_t now = store_clock(s, START_MS);
    const uint64_t near = version_after(now, VERSION_AHEAD_MS - 1000);

    (void)state;
    for (size_t i = 0; i < N_OF(ahead_ms); i++) {
        const uint64_t far = version_after(now, ahead_ms[i]);

        assert_int_equal(APPLY(s, 0, COPY_VALUE, .value = "v", .version = far),
                         APPLIED_REFUSED);
        assert_int_equal(APPLY(s, 0, COPY_VALUE, .value = "v", .version = far, .any_age = true),
                         APPLIED_REFUSED);
        assert_false(store_see(s, far, START_MS));
    }
    assert_int_equal(APPLY(s, 0, COPY_VALUE, .value = "v", .version = now | UINT64_C(1) << 63),
                     APPLIED_REFUSED);
    assert_false(store_see(s, now | UINT64_C(1) << 63, START_MS));
    assert_int_equal(help_usage(s, 0).replays_ahead, 5);
    assert_true(store_clock(s, START_MS) < near);
    assert_int_equal(GET(s, 0, "k"), STATUS_NOT_FOUND);
    assert_true(store_see(s, near, START_MS));
    assert_true(store_clock(s, START_MS) > near);
    assert_true(COMMAND(s, 0, VERB_SET, .value = "v").a.version > near);
    store_free(s);
}

static int64_t ttl_of(struct store *s, int64_t at_ms)
{
    const struct result r = run(s, at_ms, (struct cmd){ VERB_GET, .options = OPTION_NO_USE });

    assert_int_equal(r.a.status, STATUS_HIT);
    return r.a.ttl_ms;
}

static void a_touch_is_for_just_the_item_that_it_means(void **state)
{
    struct store *s = new_store(64 * MIB);
    const uint64_t version = store_clock(s, START_MS);

    (void)state;
    assert_int_equal(APPLY(s, 0, COPY_TOUCHED, .version = version, .ttl_ms = 9000),
                     APPLIED_OLDER);
    assert_int_equal(APPLY(s, 0, COPY_VALUE, .value = "v", .version = version, .ttl_ms = 5000),
                     APPLIED);
    assert_int_equal(APPLY(s, 0, COPY_TOUCHED, .version = version - 1, .ttl_ms = 9000),
                     APPLIED_OLDER);
    assert_int_equal(APPLY(s, 0, COPY_TOUCHED, .version = version + 1, .ttl_ms = 9000),
                     APPLIED_OLDER);
    assert_int_equal(ttl_of(s, 0), 5000);
    assert_int_equal(APPLY(s, 4000, COPY_TOUCHED, .version = version, .ttl_ms = 9000), APPLIED);
    assert_int_equal(ttl_of(s, 4000), 9000);
    assert_int_equal(APPLY(s, 4000, COPY_TOUCHED, .version = version, .ttl_ms = TTL_NEVER),
                     APPLIED);
    assert_int_equal(ttl_of(s, 4000), TTL_NEVER);
    assert_int_equal(APPLY(s, 4000, COPY_TOUCHED, .version = version, .ttl_ms = 10), APPLIED);
    assert_int_equal(APPLY(s, 5000, COPY_TOUCHED, .version = version, .ttl_ms = 10),
                     APPLIED_OLDER);            /* what has ended stays so */
    assert_int_equal(GET(s, 5000, "k"), STATUS_NOT_FOUND);
    store_free(s);
}

/* A touch of an open item carries the value; a late replay of that must not undo it. */
static void a_value_gives_its_time_to_its_own_version_only_if_it_renews(void **state)
{
    struct store *s = new_store(64 * MIB);
    const uint64_t version = store_clock(s, START_MS);

    (void)state;
    APPLY(s, 0, COPY_VALUE, .value = "v", .version = version, .ttl_ms = 5000);
    assert_int_equal(APPLY(s, 0, COPY_VALUE, .value = "v", .version = version, .ttl_ms = 9000,
                           .any_age = true), APPLIED_OLDER);
    assert_int_equal(ttl_of(s, 0), 5000);
    assert_int_equal(APPLY(s, 0, COPY_VALUE, .value = "v", .version = version, .ttl_ms = 9000,
                           .renew = true), APPLIED_OLDER);
    assert_int_equal(ttl_of(s, 0), 9000);
    assert_int_equal(APPLY(s, 0, COPY_VALUE, .value = "v", .version = version - 1,
                           .ttl_ms = 100, .renew = true), APPLIED_OLDER);
    assert_int_equal(ttl_of(s, 0), 9000);
    assert_int_equal(APPLY(s, 0, COPY_DELETED, .version = version + 1), APPLIED);
    assert_int_equal(APPLY(s, 0, COPY_VALUE, .value = "v", .version = version + 1,
                           .ttl_ms = 100, .renew = true), APPLIED_OLDER);
    assert_int_equal(GET(s, 0, "k"), STATUS_NOT_FOUND);
    store_free(s);
}

static void a_move_takes_along_when_an_item_was_used(void **state)
{
    struct store *s = new_store(64 * MIB);
    const uint64_t version = store_clock(s, START_MS);
    struct result r;

    (void)state;
    APPLY(s, 50000, COPY_VALUE, .value = "v", .version = version, .any_age = true, .idle_s = 20);
    r = COMMAND(s, 50000, VERB_GET, .options = OPTION_NO_USE);
    assert_int_equal(r.a.idle_s, 20);
    APPLY(s, 50000, COPY_VALUE, .value = "v", .version = version + 1, .any_age = true,
          .idle_s = 4000);              /* longer than this store is there */
    r = COMMAND(s, 50000, VERB_GET, .options = OPTION_NO_USE);
    assert_in_range(r.a.idle_s, 0, 50);
    store_free(s);
}

static void what_its_owner_read_counts_as_used(void **state)
{
    struct store *s = new_store(64 * MIB);
    struct result r;

    (void)state;
    set_confirmed(s, 0, "v");
    store_use(s, "nothing", 7, START_MS + 5000);
    r = COMMAND(s, 5000, VERB_GET, .options = OPTION_NO_USE);
    assert_int_equal(r.a.marks, 0);
    assert_int_equal(r.a.idle_s, 5);
    store_use(s, "k", 1, START_MS + 5000);
    r = COMMAND(s, 5000, VERB_GET, .options = OPTION_NO_USE);
    assert_int_equal(r.a.marks, MARK_FETCHED);
    assert_int_equal(r.a.idle_s, 0);
    store_free(s);
}

/* ---- tombstones ---- */

static void deletions_are_remembered_from_when_there_are_copies(void **state)
{
    struct store *s = help_store(64 * MIB);
    const uint64_t old = store_clock(s, START_MS);

    (void)state;
    SET(s, 0, "k", "v");
    RUN(s, 0, NULL, VERB_DELETE, .key = "k");
    assert_int_equal(help_usage(s, 0).tombstones, 0);
    assert_int_equal(APPLY(s, 0, COPY_VALUE, .value = "v", .version = old), APPLIED);
    store_set_copies(s, KEPT_MS, false);
    RUN(s, 0, NULL, VERB_DELETE, .key = "k");
    assert_int_equal(help_usage(s, 0).tombstones, 1);
    assert_int_equal(APPLY(s, 0, COPY_VALUE, .value = "v", .version = old), APPLIED_OLDER);
    store_set_copies(s, 0, false);
    SET(s, 0, "k", "v");
    RUN(s, 0, NULL, VERB_DELETE, .key = "k");
    assert_int_equal(help_usage(s, 0).tombstones, 0);
    store_free(s);
}

static void a_tombstone_stays_while_it_is_held_or_open(void **state)
{
    struct store *s = new_store(64 * MIB);
    const uint64_t old = store_clock(s, START_MS);
    uint64_t version;

    (void)state;
    store_set_copies(s, KEPT_MS, true);
    set_confirmed(s, 0, "v");
    version = COMMAND(s, 0, VERB_DELETE, .cas = 0).a.version;
    sweep(s, 2 * KEPT_MS);
    assert_int_equal(GET(s, 2 * KEPT_MS, "k"), STATUS_NOT_FOUND);
    assert_int_equal(help_usage(s, 0).tombstones, 1);

    store_set_copies(s, KEPT_MS, false);        /* not held, but open */
    sweep(s, 2 * KEPT_MS);
    assert_int_equal(GET(s, 2 * KEPT_MS, "k"), STATUS_NOT_FOUND);
    assert_int_equal(help_usage(s, 0).tombstones, 1);
    assert_int_equal(APPLY(s, 2 * KEPT_MS, COPY_VALUE, .value = "v", .version = old,
                           .any_age = true), APPLIED_OLDER);

    store_set_copies(s, KEPT_MS, true);         /* not open, but held */
    assert_true(confirm(s, "k", version));
    sweep(s, 4 * KEPT_MS);
    assert_int_equal(GET(s, 4 * KEPT_MS, "k"), STATUS_NOT_FOUND);
    assert_int_equal(help_usage(s, 0).tombstones, 1);

    store_set_copies(s, KEPT_MS, false);
    sweep(s, 4 * KEPT_MS);
    assert_int_equal(help_usage(s, 0).tombstones, 0);
    store_free(s);
}

/* Twenty times what there is room for, `apart_ms` from one to the next. */
static uint64_t fill(struct store *s, double apart_ms, uint64_t *first)
{
    char key[32], value[1001];
    uint64_t version = 0;

    memset(value, 'v', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    for (unsigned i = 0; i < 40000; i++) {
        struct cmd cmd = { VERB_SET, .key = help_key(key, i), .key_len = 12, .value = value,
                           .value_len = 1000 };
        const struct store_reader reader = { .hit = NULL };
        struct answer a;

        store_execute(s, &cmd, hash_of(s, key), START_MS + (int64_t)(i * apart_ms), &a, &reader);
        assert_int_equal(a.status, STATUS_STORED);
        version = a.version;
        if (i == 0)
            *first = version;
    }
    return version;
}

static void an_item_that_is_evicted_young_leaves_a_tombstone(void **state)
{
    struct store *s = new_store(2 * MIB);
    uint64_t first;
    char key[32];

    (void)state;
    fill(s, 0, &first);
    assert_true(help_usage(s, 0).evictions > 30000);
    assert_in_range(help_usage(s, 0).tombstones, 1, 2 * MIB / 16 / 28);
    for (unsigned i = 0; i < 40000; i++) {      /* what was before it is not brought back */
        const enum applied applied = APPLY(s, 0, COPY_VALUE, .key = help_key(key, i),
                                           .value = "older", .version = first - 1);

        assert_true(applied == APPLIED_OLDER || applied == APPLIED_REFUSED);
    }
    assert_true(help_usage(s, 0).replays_older > 1000);
    store_free(s);
}

static void an_item_that_is_evicted_old_leaves_nothing(void **state)
{
    struct store *s = new_store(2 * MIB);
    uint64_t first, last;

    (void)state;
    last = fill(s, 20, &first);
    assert_true(help_usage(s, 800000).evictions > 30000);
    assert_int_equal(help_usage(s, 800000).tombstones, 0);
    assert_int_equal(APPLY(s, 800000, COPY_VALUE, .key = "key-00000000", .value = "v",
                           .version = first - 1, .any_age = true), APPLIED);
    assert_int_equal(APPLY(s, 800000, COPY_VALUE, .key = "key-00000001", .value = "v",
                           .version = last), APPLIED);
    store_free(s);
}

/* Better none than one that is older than what was refused. */
static void what_is_below_forgotten_deletions_is_refused_and_older_goes(void **state)
{
    struct store *s = new_store(8 * MIB);
    char key[32];
    uint64_t old, newer;

    (void)state;
    old = store_clock(s, START_MS);
    newer = store_clock(s, START_MS);
    APPLY(s, 0, COPY_VALUE, .value = "old", .version = old);
    for (unsigned i = 0; i < 40000; i++)
        COMMAND(s, 0, VERB_DELETE, .key = help_key(key, i));
    assert_int_equal(GET(s, 0, "k"), STATUS_HIT);
    assert_int_equal(APPLY(s, 0, COPY_VALUE, .value = "v", .version = old), APPLIED_OLDER);
    assert_int_equal(APPLY(s, 0, COPY_VALUE, .value = "v", .version = newer, .any_age = true),
                     APPLIED_REFUSED);
    assert_int_equal(GET(s, 0, "k"), STATUS_NOT_FOUND);
    store_free(s);
}

/* ---- purging ---- */

static bool keep_lower_half(void *arg, uint32_t position)
{
    ++*(unsigned *)arg;
    return position < UINT32_C(1) << 31;
}

static bool keep_nothing(void *arg, uint32_t position)
{
    (void)arg;
    (void)position;
    return false;
}

static uint64_t purge(struct store *s, unsigned step, store_keeper *keep, void *arg)
{
    uint64_t cursor = 0, gone = 0;

    do
        gone += store_purge(s, &cursor, step, START_MS, keep, arg);
    while (cursor != 0);
    return gone;
}

#define N_PURGED 20000

static void what_is_not_to_be_here_goes_without_a_trace(void **state)
{
    static const unsigned steps[] = { 1, 100, UINT32_MAX };

    (void)state;
    for (size_t i = 0; i < N_OF(steps); i++) {
        struct store *s = new_store(64 * MIB);
        char *large = calloc(1, 100000), key[32];
        unsigned asked = 0, lower = 0;

        assert_non_null(large);
        for (unsigned k = 0; k < N_PURGED; k++) {
            help_key(key, k);
            lower += ring_hash(key, 12) < UINT32_C(1) << 31;
            RUN(s, 0, NULL, VERB_SET, .key = key, .value = k % 1000 == 0 ? large : "v",
                .value_len = k % 1000 == 0 ? 100000 : 1, .copies = true);
            if (k % 3 == 0)
                RUN(s, 0, NULL, VERB_DELETE, .key = key);
        }
        assert_int_equal(purge(s, steps[i], keep_lower_half, &asked), N_PURGED - lower);
        assert_true(asked >= N_PURGED);
        for (unsigned k = 0; k < N_PURGED; k++) {
            const bool stays = ring_hash(help_key(key, k), 12) < UINT32_C(1) << 31;

            assert_int_equal(GET(s, 0, key), stays && k % 3 != 0 ? STATUS_HIT : STATUS_NOT_FOUND);
        }
        assert_int_equal(help_usage(s, 0).items + help_usage(s, 0).tombstones, lower);
        assert_int_equal(purge(s, steps[i], keep_nothing, NULL), lower);
        assert_int_equal(help_usage(s, 0).items + help_usage(s, 0).tombstones, 0);
        assert_int_equal(help_usage(s, 0).open_items, 0);
        assert_int_equal(help_usage(s, 0).large_items, 0);
        assert_int_equal(APPLY(s, 0, COPY_VALUE, .key = "key-00000000", .value = "v",
                               .any_age = true, .version = 99), APPLIED);
        free(large);
        store_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_is_open_until_it_is_confirmed),
        cmocka_unit_test(only_the_version_that_is_there_is_confirmed),
        cmocka_unit_test(without_copies_nothing_is_open),
        cmocka_unit_test(what_was_sent_is_not_told),
        cmocka_unit_test(what_the_sender_cannot_know_is_told),
        cmocka_unit_test(who_looks_at_what_is_open_is_told_all_of_it),
        cmocka_unit_test(who_misses_what_is_open_is_told_of_its_end),
        cmocka_unit_test(an_open_item_that_ends_is_told_as_deleted),
        cmocka_unit_test(a_touch_that_changes_nothing_is_not_told),
        cmocka_unit_test(that_one_has_won_is_not_told),
        cmocka_unit_test(what_stays_open_is_shown_to_its_owner),
        cmocka_unit_test(what_another_owner_left_counts_as_open_until_it_is_settled),
        cmocka_unit_test(a_copy_is_not_open),
        cmocka_unit_test(a_replay_that_comes_late_is_refused_unless_it_has_no_age),
        cmocka_unit_test(a_clock_too_far_ahead_is_not_followed),
        cmocka_unit_test(a_touch_is_for_just_the_item_that_it_means),
        cmocka_unit_test(a_value_gives_its_time_to_its_own_version_only_if_it_renews),
        cmocka_unit_test(a_move_takes_along_when_an_item_was_used),
        cmocka_unit_test(what_its_owner_read_counts_as_used),
        cmocka_unit_test(deletions_are_remembered_from_when_there_are_copies),
        cmocka_unit_test(a_tombstone_stays_while_it_is_held_or_open),
        cmocka_unit_test(an_item_that_is_evicted_young_leaves_a_tombstone),
        cmocka_unit_test(an_item_that_is_evicted_old_leaves_nothing),
        cmocka_unit_test(what_is_below_forgotten_deletions_is_refused_and_older_goes),
        cmocka_unit_test(what_is_not_to_be_here_goes_without_a_trace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
