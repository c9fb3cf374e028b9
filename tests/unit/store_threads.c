/*
 * Threads on one store.  Each test ends by counts, whatever the scheduler
 * does; it is meant for the thread sanitizer as much as for its own checks.
 * What runs in a thread uses assert(): cmocka's jump back to the test's stack.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

#include "store_help.h"

#define N_THREADS 4
#define N_STEPS 15000
#define N_WORDS 64              /* of a value, at most */
#define N_WATCHED 8             /* keys whose versions a reader compares */

static struct store *store;
static atomic_int_least64_t clock_ms;   /* one step of any thread is one ms */
static atomic_uint n_hits;

struct actor {
    unsigned index;
    unsigned n_keys;
    uint32_t chance;
    uint32_t sequence;
    uint64_t versions[N_WATCHED];       /* the last one this thread saw */
};

static uint32_t draw(struct actor *actor)
{
    actor->chance = actor->chance * 1664525 + 1013904223;
    return actor->chance >> 8;
}

/* A value is some words, all the same: key, thread, its count. */
static uint64_t word_of(unsigned key, const struct actor *actor)
{
    return (uint64_t)key << 40 | (uint64_t)actor->index << 32 | actor->sequence;
}

struct reading {
    unsigned key;
    struct actor *actor;
};

/* A torn value, another key's, or a version that went back would show here. */
static void check_hit(void *arg, const struct answer *a)
{
    const struct reading *r = arg;
    uint64_t first, word;

    atomic_fetch_add(&n_hits, 1);
    assert(a->value_len >= sizeof(first) && a->value_len % sizeof(first) == 0);
    memcpy(&first, a->value, sizeof(first));
    assert(first >> 40 == r->key);
    for (size_t i = 0; i < a->value_len; i += sizeof(word)) {
        memcpy(&word, a->value + i, sizeof(word));
        assert(word == first);
    }
    assert(a->client_flags == (uint32_t)first);
    if (r->key < N_WATCHED) {
        assert(a->version >= r->actor->versions[r->key]);
        r->actor->versions[r->key] = a->version;
    }
}

static enum status act(struct actor *actor, enum verb verb, unsigned k, uint64_t cas)
{
    uint64_t words[N_WORDS];
    char key[32];
    struct cmd cmd = {
        .verb = verb, .key = help_key(key, k), .key_len = 12,
        .client_flags = ++actor->sequence, .cas = cas,
        .ttl_ms = draw(actor) % 4 == 0 ? (int64_t)(draw(actor) % 200) : TTL_NEVER,
        .value = (const char *)words,
        .value_len = (1 + draw(actor) % N_WORDS) * sizeof(words[0]),
    };
    struct reading reading = { k, actor };
    struct answer a;
    const uint64_t hash = store_hash(store, cmd.key, cmd.key_len);

    for (size_t i = 0; i < N_WORDS; i++)
        words[i] = word_of(k, actor);
    store_prefetch(store, hash);
    store_execute(store, &cmd, hash, START_MS + atomic_fetch_add(&clock_ms, 1), &a,
                  check_hit, &reading);
    if (a.status == STATUS_STORED && k < N_WATCHED) {
        assert(a.version > actor->versions[k]);
        actor->versions[k] = a.version;
    }
    return a.status;
}

static void *client(void *arg)
{
    static const enum verb verbs[16] = {
        VERB_GET, VERB_GETS, VERB_GET, VERB_GETS, VERB_GAT, VERB_TOUCH, VERB_SET, VERB_SET,
        VERB_SET, VERB_SET, VERB_ADD, VERB_REPLACE, VERB_CAS, VERB_DELETE, VERB_GET,
        VERB_GETS,
    };
    struct actor *actor = arg;

    for (unsigned i = 0; i < N_STEPS; i++) {
        const unsigned k = draw(actor) % actor->n_keys;

        act(actor, verbs[draw(actor) % 16], k, k < N_WATCHED ? actor->versions[k] : 1);
    }
    return NULL;
}

static void check_copy(void *arg, const struct copy *copy)
{
    uint64_t first, last;

    char key[32];

    (void)arg;
    memcpy(&first, copy->value, sizeof(first));
    memcpy(&last, copy->value + copy->value_len - sizeof(last), sizeof(last));
    assert(first == last);
    help_key(key, (unsigned)(first >> 40));
    assert(memcmp(copy->key, key, copy->key_len) == 0);
}

/* All that goes on beside the commands. */
static void *keeper(void *arg)
{
    struct digest digest = { 0, 0 };
    uint64_t walk = 0, sum = 0, last = 0;

    (void)arg;
    for (unsigned i = 0; i < N_STEPS / 50; i++) {
        const int64_t now = START_MS + atomic_load(&clock_ms);
        const uint64_t version = store_clock(store, now);
        struct store_usage u;

        assert(version > last);
        last = version;
        store_walk(store, WHOLE_RING, &walk, 100, now, check_copy, NULL);
        store_digest(store, WHOLE_RING, &sum, 100, now, &digest);
        store_sweep(store, 100, now);
        store_usage(store, now, &u);
        assert(u.resident_bytes <= 16 * MIB);
        if (i % 40 == 0)
            store_flush(store, version_after(version, i % 80 == 0 ? 0 : 1000), now, FLUSH_WHEN_DUE);
        if (i % 30 == 0)
            store_set_limit(store, i % 60 == 0 ? MIB : 2 * MIB, START_MS);
        if (i % 100 == 0)
            store_reset_counters(store);
        assert(store_flush_version(store) >= 1);
    }
    return NULL;
}

static void run_threads(void *(*run)(void *), unsigned n_keys, bool with_keeper)
{
    static struct actor actors[N_THREADS];
    pthread_t threads[N_THREADS], keeping;

    for (unsigned i = 0; i < N_THREADS; i++) {
        actors[i] = (struct actor){ .index = i, .n_keys = n_keys, .chance = i * 77 };
        assert_int_equal(pthread_create(&threads[i], NULL, run, &actors[i]), 0);
    }
    if (with_keeper)
        assert_int_equal(pthread_create(&keeping, NULL, keeper, NULL), 0);
    for (unsigned i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
    if (with_keeper)
        pthread_join(keeping, NULL);
}

static void no_value_is_torn_foreign_or_older(void **state)
{
    static const unsigned n_keys[] = { N_WATCHED, 1000, 100000 };
    struct store_config config = help_config(16 * MIB);

    (void)state;
    config.max_item_bytes = 4096;
    for (size_t i = 0; i < sizeof(n_keys) / sizeof(n_keys[0]); i++) {
        store = store_new(&config);
        assert_non_null(store);
        assert_int_equal(help_usage(store, 0).n_partitions, 2);
        atomic_store(&clock_ms, 0);
        atomic_store(&n_hits, 0);
        run_threads(client, n_keys[i], true);
        assert_true(atomic_load(&n_hits) > 0);
        store_free(store);
    }
}

static void *counter(void *arg)
{
    struct cmd cmd = { .verb = VERB_INCR, .key = "n", .key_len = 1, .delta = 1 };
    const uint64_t hash = store_hash(store, cmd.key, cmd.key_len);
    uint64_t last = 0;
    struct answer a;

    (void)arg;
    for (unsigned i = 0; i < N_STEPS; i++) {
        store_execute(store, &cmd, hash, START_MS, &a, NULL, NULL);
        assert(a.status == STATUS_NUMBER);
        assert(a.number > last);
        last = a.number;
    }
    return NULL;
}

static void no_increment_is_lost(void **state)
{
    struct seen seen = { .value = NULL };

    (void)state;
    store = help_store(64 * MIB);
    SET(store, 0, "n", "0");
    run_threads(counter, 1, false);
    RUN(store, 0, &seen, VERB_GET, .key = "n");
    assert_int_equal(strtoul(seen.value, NULL, 10), N_THREADS * N_STEPS);
    free(seen.value);
    store_free(store);
}

static uint64_t all_versions[N_THREADS * N_STEPS];

static void *stamper(void *arg)
{
    struct actor *actor = arg;

    for (unsigned i = 0; i < N_STEPS; i++) {
        char key[32];
        const struct cmd cmd = { .verb = VERB_SET, .value = "v", .value_len = 1,
                                 .key = help_key(key, draw(actor) % 64), .key_len = 12 };
        struct answer a = { .version = 0 };

        if (i % 64 == 0)
            a.version = store_clock(store, START_MS + i);
        else
            store_execute(store, &cmd, store_hash(store, cmd.key, cmd.key_len),
                          START_MS + i, &a, NULL, NULL);
        all_versions[actor->index * N_STEPS + i] = a.version;
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void no_version_is_given_twice(void **state)
{
    const size_t n = sizeof(all_versions) / sizeof(all_versions[0]);

    (void)state;
    store = help_store(64 * MIB);
    run_threads(stamper, 1, false);
    qsort(all_versions, n, sizeof(all_versions[0]), compare);
    assert_true(all_versions[0] > 0);
    for (size_t i = 1; i < n; i++)
        assert_true(all_versions[i] > all_versions[i - 1]);
    store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_value_is_torn_foreign_or_older),
        cmocka_unit_test(no_increment_is_lost),
        cmocka_unit_test(no_version_is_given_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
