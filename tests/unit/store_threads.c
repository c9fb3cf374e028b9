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

#include "net/chunk.h"
#include "store_help.h"

#define N_THREADS 4
#define N_STEPS 15000
#define N_WORDS 64              /* of a value, at most, */
#define N_MANY_WORDS 4000       /* but of a few: those are lent */
#define N_LOANS 4               /* that a thread keeps at a time */
#define N_WATCHED 8             /* keys whose versions a reader compares */
#define SMALL_LIMIT (4 * MIB)   /* of memory: less than what is written */
#define N_OWNED 64              /* keys that one thread alone writes */

static const struct store_reader nobody = { .hit = NULL };
static struct store *store;
static atomic_int_least64_t clock_ms;   /* one step of any thread is one ms */
static atomic_uint n_hits, n_loans;

/* A value that is read where it lies, long after. */
struct loan {
    struct chunk *chunk;
    const char *value;
    size_t len;
    uint64_t word;
};

struct actor {
    unsigned index;
    unsigned n_keys;
    uint32_t chance;
    uint32_t sequence;
    uint64_t versions[N_WATCHED];       /* the last one this thread saw */
    uint32_t sequences[N_THREADS * N_OWNED];    /* the last one of each owned key */
    bool is_there[N_OWNED];             /* what it wrote last was stored, for ever */
    struct chunk_pool pool;
    struct loan loans[N_LOANS];
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
    uint64_t word;              /* of the value that was shown */
};

static uint64_t check_words(const char *value, size_t len)
{
    uint64_t first, word;

    assert(len >= sizeof(first) && len % sizeof(first) == 0);
    memcpy(&first, value, sizeof(first));
    for (size_t i = 0; i < len; i += sizeof(word)) {
        memcpy(&word, value + i, sizeof(word));
        assert(word == first);
    }
    return first;
}

static void give_back(struct loan *loan)
{
    if (loan->chunk == NULL)
        return;
    assert(check_words(loan->value, loan->len) == loan->word);
    chunk_unref(loan->chunk);
    loan->chunk = NULL;
}

/* A torn value, another key's, or a version that went back would show here. */
static void check_hit(void *arg, const struct answer *a)
{
    struct reading *r = arg;
    struct loan *loan = &r->actor->loans[r->actor->chance % N_LOANS];

    atomic_fetch_add(&n_hits, 1);
    r->word = check_words(a->value, a->value_len);
    assert(r->word >> 40 == r->key);
    assert(a->client_flags == (uint32_t)r->word);
    if (r->key < N_WATCHED) {
        assert(a->version >= r->actor->versions[r->key]);
        r->actor->versions[r->key] = a->version;
    }
    if (loan->chunk == NULL) {
        loan->chunk = store_lend(a, &r->actor->pool);
        loan->value = a->value;
        loan->len = a->value_len;
        loan->word = r->word;
        if (loan->chunk != NULL)
            atomic_fetch_add(&n_loans, 1);
    }
}

static enum status act(struct actor *actor, enum verb verb, unsigned k, uint64_t cas,
                       int64_t ttl_ms, struct reading *reading)
{
    uint64_t words[N_MANY_WORDS];
    const unsigned n = draw(actor) % 64 == 0 ? N_MANY_WORDS : 1 + draw(actor) % N_WORDS;
    char key[32];
    struct cmd cmd = {
        .verb = verb, .key = help_key(key, k), .key_len = 12,
        .client_flags = ++actor->sequence, .cas = cas, .ttl_ms = ttl_ms,
        .value = (const char *)words, .value_len = n * sizeof(words[0]),
    };
    struct answer a;
    const uint64_t hash = store_hash(store, cmd.key, cmd.key_len);

    for (size_t i = 0; verb_has_value(verb) && i < n; i++)
        words[i] = word_of(k, actor);
    *reading = (struct reading){ .key = k, .actor = actor };
    const struct store_reader reader = { .hit = check_hit, .arg = reading };

    store_prefetch(store, hash);
    store_execute(store, &cmd, hash, START_MS + atomic_fetch_add(&clock_ms, 1), &a,
                  &reader);
    if (a.status == STATUS_STORED && k < N_WATCHED) {
        assert(a.version > actor->versions[k]);
        actor->versions[k] = a.version;
    }
    give_back(&actor->loans[draw(actor) % N_LOANS]);
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
        const int64_t ttl_ms = draw(actor) % 4 == 0 ? (int64_t)(draw(actor) % 200) : TTL_NEVER;
        struct reading reading;

        act(actor, verbs[draw(actor) % 16], k, k < N_WATCHED ? actor->versions[k] : 1, ttl_ms,
            &reading);
    }
    return NULL;
}

/*
 * One of the keys that this thread alone writes: what it reads is what it
 * wrote last.  It may be gone where there is not room for all, or where its
 * time came.
 */
static void write_or_read_own(struct actor *actor, bool has_room)
{
    const unsigned i = draw(actor) % N_OWNED, k = actor->index * N_OWNED + i;
    const int64_t ttl_ms = draw(actor) % 4 == 0 ? 1 + (int64_t)(draw(actor) % 200) : TTL_NEVER;
    struct reading reading;
    enum status status;

    switch (draw(actor) % 4) {
    case 0:
        status = act(actor, VERB_DELETE, k, 0, 0, &reading);
        assert(status == STATUS_DELETED || !actor->is_there[i] || !has_room);
        actor->is_there[i] = false;
        actor->sequences[k] = UINT32_MAX;       /* nothing may be read until it is set */
        break;
    case 1:
        status = act(actor, VERB_SET, k, 0, ttl_ms, &reading);
        assert(status == STATUS_STORED || (status == STATUS_NO_MEMORY && !has_room));
        actor->is_there[i] = status == STATUS_STORED && ttl_ms == TTL_NEVER;
        actor->sequences[k] = status == STATUS_STORED ? actor->sequence : UINT32_MAX;
        break;
    default:
        status = act(actor, VERB_GET, k, 0, 0, &reading);
        assert(status == STATUS_HIT || !actor->is_there[i] || !has_room);
        assert(status != STATUS_HIT || (uint32_t)reading.word == actor->sequences[k]);
        break;
    }
}

/* Another's: what is read is never older than what was read before. */
static void read_any(struct actor *actor)
{
    const unsigned k = draw(actor) % (N_THREADS * N_OWNED);
    struct reading reading;

    if (k / N_OWNED == actor->index)
        return;
    if (act(actor, VERB_GETS, k, 0, 0, &reading) == STATUS_HIT) {
        assert((uint32_t)reading.word >= actor->sequences[k]);
        actor->sequences[k] = (uint32_t)reading.word;
    }
}

static void *owner_with_room(void *arg)
{
    for (unsigned i = 0; i < N_STEPS; i++) {
        write_or_read_own(arg, true);
        read_any(arg);
    }
    return NULL;
}

static void *owner(void *arg)
{
    for (unsigned i = 0; i < N_STEPS; i++) {
        write_or_read_own(arg, false);
        read_any(arg);
    }
    return NULL;
}

static void check_copy(void *arg, const struct copy *copy)
{
    const uint64_t word = check_words(copy->value, copy->value_len);
    char key[32];

    (void)arg;
    help_key(key, (unsigned)(word >> 40));
    assert(copy->key_len == 12 && memcmp(copy->key, key, copy->key_len) == 0);
}

/* What another member judged comes between; its clock is a little behind. */
static void apply(unsigned k, int64_t now)
{
    const uint64_t words[2] = { (uint64_t)k << 40, (uint64_t)k << 40 };
    char key[32];
    const struct copy copy = {
        .key = help_key(key, k), .key_len = 12, .kind = k % 3 == 0 ? COPY_DELETED : COPY_VALUE,
        .version = store_clock(store, now), .value = (const char *)words,
        .value_len = sizeof(words),
    };

    store_apply(store, &copy, now);
}

static void list_and_look_at_evictions(uint64_t *listing, uint64_t *evictions, int64_t now)
{
    static char room[EVICTIONS_PAGE];
    size_t len;
    char *page;

    assert(store_list(store, listing, now, &page, &len));
    free(page);
    assert(store_evictions(store, evictions, now, room) <= sizeof(room));
}

/* All that goes on beside the commands. */
static void *keeper(void *arg)
{
    const size_t limit = *(const size_t *)arg;
    struct digest digest = { 0, 0 };
    uint64_t walk = 0, sum = 0, last = 0, listing = 0, evictions = 0;

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
        assert(u.resident_bytes <= limit);
        list_and_look_at_evictions(&listing, &evictions, now);
        if (limit > SMALL_LIMIT)
            continue;           /* nothing may go there */
        apply(N_THREADS * N_OWNED + i % 1000, now);
        if (i % 40 == 0)
            store_flush(store, version_after(version, i % 80 == 0 ? 0 : 1000), now, FLUSH_WHEN_DUE);
        if (i % 30 == 0)
            store_set_limit(store, i % 60 == 0 ? limit / 2 : limit, START_MS);
        if (i % 100 == 0)
            store_reset_counters(store);
        assert(store_flush_version(store) >= 1);
    }
    return NULL;
}

/* With a keeper beside them if there is a limit for it to know. */
static void run_threads(void *(*run)(void *), unsigned n_keys, size_t limit)
{
    static struct actor actors[N_THREADS];
    pthread_t threads[N_THREADS], keeping;

    for (unsigned i = 0; i < N_THREADS; i++) {
        actors[i] = (struct actor){ .index = i, .n_keys = n_keys, .chance = i * 77 };
        chunk_pool_init(&actors[i].pool);
        assert_int_equal(pthread_create(&threads[i], NULL, run, &actors[i]), 0);
    }
    if (limit > 0)
        assert_int_equal(pthread_create(&keeping, NULL, keeper, &limit), 0);
    for (unsigned i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
    if (limit > 0)
        pthread_join(keeping, NULL);
    for (unsigned i = 0; i < N_THREADS; i++) {
        for (unsigned j = 0; j < N_LOANS; j++)
            give_back(&actors[i].loans[j]);
        chunk_pool_fini(&actors[i].pool);
    }
}

static void run_on_store(void *(*run)(void *), unsigned n_keys, size_t limit)
{
    struct store_config config = help_config(limit);

    config.max_item_bytes = 36000;
    store = store_new(&config);
    assert_non_null(store);
    atomic_store(&clock_ms, 0);
    atomic_store(&n_hits, 0);
    atomic_store(&n_loans, 0);
    run_threads(run, n_keys, limit);
    assert_true(atomic_load(&n_hits) > 0);
    assert_true(atomic_load(&n_loans) > 0);
    store_free(store);
}

static void no_value_is_torn_foreign_or_older(void **state)
{
    (void)state;
    run_on_store(client, N_WATCHED, SMALL_LIMIT);
    run_on_store(client, 1000, SMALL_LIMIT);
    run_on_store(client, 20000, SMALL_LIMIT);
}

static void a_thread_reads_what_it_wrote(void **state)
{
    (void)state;
    run_on_store(owner_with_room, 0, 64 * MIB);
    run_on_store(owner, 0, SMALL_LIMIT);
}

static void *counter(void *arg)
{
    struct cmd cmd = { .verb = VERB_INCR, .key = "n", .key_len = 1, .delta = 1 };
    const uint64_t hash = store_hash(store, cmd.key, cmd.key_len);
    uint64_t last = 0;
    struct answer a;

    (void)arg;
    for (unsigned i = 0; i < N_STEPS; i++) {
        store_execute(store, &cmd, hash, START_MS, &a, &nobody);
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
    run_threads(counter, 1, 0);
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
                          START_MS + i, &a, &nobody);
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
    run_threads(stamper, 1, 0);
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
        cmocka_unit_test(a_thread_reads_what_it_wrote),
        cmocka_unit_test(no_increment_is_lost),
        cmocka_unit_test(no_version_is_given_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
