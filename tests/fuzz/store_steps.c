#include "store_steps.h"

#include <inttypes.h>
#include <stdio.h>

#include "ring/ring.h"
#include "store_state.h"
#include "wire/listing.h"

#define START_MS 5000
#define START_WALL_MS (VERSION_EPOCH_MS + INT64_C(40000000000))
#define IDLE_SURE_S 250000      /* later it may be told in less detail */

void steps_tell(const struct steps *t)
{
    fprintf(stderr, "seed %" PRIu64 ", step %" PRIu64 "; last command: %s of %zu bytes, "
            "options %#x, status %d\n", t->first_seed, t->n_steps, verb_word(t->cmd.verb),
            t->cmd.value_len, t->cmd.options, (int)t->answer.status);
}

_Noreturn void steps_fail(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
    abort();
}

/* ---- what must hold at any time ---- */

void steps_look_at_usage(struct steps *t, bool may_evict)
{
    struct store_usage u;

    store_usage(t->store, t->now_ms, &u);
    CHECK(u.resident_bytes <= u.limit_bytes);
    if (u.evictions != t->evictions) {
        CHECK(u.evictions > t->evictions && may_evict && !t->config.is_ample);
        t->losses++;
    }
    t->evictions = u.evictions;
}

void steps_forget(struct steps *t, unsigned key)
{
    CHECK(!t->config.is_ample && t->keys[key].seen != t->losses);
    t->m.items[key].there = false;
}

void steps_bury(struct steps *t, unsigned key, bool had)
{
    struct known *k = &t->keys[key];

    if (model_find(&t->m, key) != NULL)
        k->buried_until_ms = 0;
    else if (had)
        k->buried_until_ms = t->now_ms + t->config.tombstone_ms;
}

unsigned steps_key_of(struct steps *t, const char *name, size_t len)
{
    unsigned key = 0;

    CHECK(len >= 3);
    for (int i = 0; i < 3; i++)
        key = key * 16 + (unsigned)(name[i] - 'a');
    CHECK(key < t->config.n_keys && len == t->keys[key].len
          && memcmp(name, t->keys[key].name, len) == 0);
    return key;
}

static unsigned marks_of(const struct model_item *it)
{
    return (it->fetched ? MARK_FETCHED : 0u) | (it->stale ? MARK_STALE : 0u)
         | (it->won ? MARK_WON : 0u) | (it->encoded ? MARK_KEY_ENCODED : 0u);
}

bool steps_is_idle_for(uint32_t told_s, int64_t idle_ms)
{
    const int64_t idle_s = idle_ms / 1000;

    return idle_s > IDLE_SURE_S || (told_s <= idle_s + 1 && told_s + 1 >= idle_s);
}

static int64_t left_ms_of(const struct steps *t, const struct model_item *it)
{
    return it->gone_at_ms == 0 ? TTL_NEVER : it->gone_at_ms - t->m.now_ms;
}

/* ---- what another member judged ---- */

static uint64_t some_version(struct steps *t, unsigned key)
{
    const uint64_t known = t->keys[key].version;

    switch (pick(t, 8)) {
    case 0:
        return known;
    case 1:
        return known > 1 ? known - 1 : 1;
    case 2:
        return known + 1;
    case 3:
        return t->floor + 1;
    case 4:
        return version_after(store_clock(t->store, t->now_ms), pick(t, 200));
    default:
        return store_clock(t->store, t->now_ms) + pick(t, 2);
    }
}

static void take_over(struct steps *t, unsigned key, const struct copy *copy)
{
    struct model_item *it = &t->m.items[key];

    t->keys[key].version = copy->version;
    it->there = false;
    if (copy->kind == COPY_DELETED || copy->ttl_ms < 0)
        return;
    model_put(&t->m, key, copy->value, copy->value_len,
              (copy->marks & MARK_TOKEN) != 0 ? copy->token : copy->version);
    it->fetched = (copy->marks & MARK_FETCHED) != 0;
    it->stale = (copy->marks & MARK_STALE) != 0;
    it->won = (copy->marks & MARK_WON) != 0;
    it->encoded = (copy->marks & MARK_KEY_ENCODED) != 0;
    it->flags = copy->client_flags;
    it->gone_at_ms = copy->ttl_ms == TTL_NEVER ? 0 : t->m.now_ms + copy->ttl_ms;
}

static int64_t some_ttl_ms(struct steps *t)
{
    const unsigned choice = pick(t, 8);

    if (choice == 0)
        return -1;
    return choice < 4 ? TTL_NEVER : (int64_t)1 + pick(t, choice == 4 ? 10000000 : 3000);
}

/* Of what is gone a store may know or not, and it may have forgotten what was gone. */
static void check_applied(struct steps *t, unsigned key, const struct copy *copy,
                          enum applied applied, uint64_t clock)
{
    const struct known *k = &t->keys[key];
    const bool is_there = model_find(&t->m, key) != NULL;
    const bool is_buried = t->now_ms < k->buried_until_ms;
    const int64_t age_ms = t->m.wall_ms - version_wall_ms(copy->version);

    if (age_ms < -VERSION_AHEAD_MS)
        CHECK(applied == APPLIED_REFUSED);
    else if (copy->version <= t->floor || (is_there && copy->version <= k->version))
        CHECK(applied == APPLIED_OLDER);
    else if (is_buried && copy->version <= k->version)
        CHECK(applied == APPLIED_OLDER || (applied == APPLIED_REFUSED && !t->config.is_ample));
    else if (!copy->any_age && age_ms > REPLAY_WINDOW_MS)
        CHECK(applied == APPLIED_REFUSED
              || (applied == APPLIED_OLDER && copy->version <= clock));
    else if (copy->version > (t->config.tombstone_ms > 0 ? clock : k->version))
        CHECK(applied == APPLIED || applied == APPLIED_NO_MEMORY);
}

/* An older item may be gone then: its deletion may have been forgotten. */
static void check_refused(struct steps *t, unsigned key)
{
    if (!t->config.is_ample && t->config.tombstone_ms > 0)
        t->losses++;
    steps_look_for(t, key);
}

static void apply(struct steps *t)
{
    const unsigned key = pick(t, t->config.n_keys);
    struct known *k = &t->keys[key];
    struct copy copy = { .key = k->name, .key_len = k->len,
                         .kind = one_in(t, 4) ? COPY_DELETED : COPY_VALUE };
    const uint64_t clock = store_clock(t->store, t->now_ms);
    enum applied applied;
    bool fits;

    steps_look_for(t, key);
    copy.any_age = one_in(t, 2);
    copy.version = some_version(t, key);
    copy.ttl_ms = some_ttl_ms(t);
    if (copy.kind != COPY_DELETED) {
        t->cmd.key_len = k->len;
        steps_value(t);
        copy.value = t->cmd.value;
        copy.value_len = t->cmd.value_len;
        copy.client_flags = (uint32_t)steps_number(t);
        copy.marks = pick(t, 4) == 0 ? pick(t, 128) & MARKS_OF_COPY : 0;
        copy.token = 1 + pick(t, 7);
    }
    fits = k->len + copy.value_len + ITEM_OVERHEAD <= t->config.max_item_bytes;
    applied = store_apply(t->store, &copy, t->now_ms);
    steps_look_at_usage(t, t->config.evict);
    check_applied(t, key, &copy, applied, clock);
    if (applied == APPLIED_REFUSED)
        check_refused(t, key);
    if (applied == APPLIED_OLDER || applied == APPLIED_REFUSED)
        return;
    if (applied == APPLIED_NO_MEMORY) {
        CHECK(copy.kind != COPY_DELETED && copy.ttl_ms >= 0);
        CHECK(!fits || (!t->config.is_ample && (!t->config.evict || copy.value_len > SURE_BYTES)));
        copy.kind = COPY_DELETED;
    }
    CHECK(fits || applied == APPLIED_NO_MEMORY || copy.kind == COPY_DELETED || copy.ttl_ms < 0);
    take_over(t, key, &copy);
    steps_bury(t, key, true);
    k->seen = t->losses;
}

/* ---- all of it ---- */

static void flush_to(struct steps *t, uint64_t version)
{
    t->floor = version;
    t->flush_at_ms = INT64_MAX;
    for (unsigned i = 0; i < t->config.n_keys; i++)
        if (t->keys[i].version <= version)
            t->m.items[i].there = false;
}

static void flush(struct steps *t)
{
    const unsigned choice = pick(t, 8);
    enum flush_when when = FLUSH_WHEN_DUE;
    uint64_t version = store_clock(t->store, t->now_ms);
    bool due = true;

    if (choice < 3) {
        version = t->keys[pick(t, t->config.n_keys)].version;
    } else if (choice < 7) {
        version = version_after(version, 1 + pick(t, 5000));
        when = !t->config.copies && one_in(t, 8) ? FLUSH_NOW : FLUSH_WHEN_DUE;
        due = when == FLUSH_NOW || version_wall_ms(version) <= t->m.wall_ms + 500;
    }
    store_flush(t->store, version, t->now_ms, when);
    if (t->second.store != NULL)
        store_flush(t->second.store, version, t->now_ms, when);
    if (version <= t->floor)
        return;
    if (due) {
        flush_to(t, version);
    } else {
        t->flush_version = version;
        t->flush_at_ms = version_wall_ms(version) - START_WALL_MS + START_MS;
    }
    CHECK(store_flush_version(t->store) == version);
}

static void check_copy(void *arg, const struct copy *copy)
{
    struct steps *t = arg;
    const unsigned key = steps_key_of(t, copy->key, copy->key_len);
    const struct model_item *it = model_find(&t->m, key);
    struct known *k = &t->keys[key];

    if (copy->kind == COPY_DELETED) {   /* or evicted, with a trace */
        CHECK(t->config.tombstone_ms > 0);
        if (it != NULL)
            steps_forget(t, key);
        return;
    }
    CHECK(it != NULL && k->shown != t->n_walks);
    CHECK(ring_hash(k->name, k->len) - t->arc.first <= t->arc.last - t->arc.first);
    k->shown = t->n_walks;
    t->n_live++;
    CHECK(copy->version == k->version && copy->client_flags == it->flags);
    CHECK(copy->value_len == it->len && (it->len == 0
          || memcmp(copy->value, it->value, it->len) == 0));
    CHECK(copy->ttl_ms == left_ms_of(t, it));
    CHECK(steps_is_idle_for(copy->idle_s, t->m.now_ms - it->used_at_ms));
    CHECK((copy->marks & ~(unsigned)MARK_TOKEN) == marks_of(it));
    CHECK(((copy->marks & MARK_TOKEN) != 0 ? copy->token : copy->version) == it->cell->token);
}

static void check_page(struct steps *t, const char *page, size_t len)
{
    struct listed l;
    size_t at = 0;

    while (listing_next(page, len, &at, &l)) {
        const unsigned key = steps_key_of(t, l.key, l.key_len);
        const struct model_item *it = model_find(&t->m, key);

        CHECK(it != NULL && t->keys[key].shown != t->n_walks);
        t->keys[key].shown = t->n_walks;
        t->n_live++;
        CHECK(l.client_flags == it->flags && l.value_len == it->len
              && l.ttl_ms == left_ms_of(t, it) && l.token == it->cell->token
              && (l.marks & ~(unsigned)MARK_TOKEN) == marks_of(it));
    }
    CHECK(at == len);
}

static void list(struct steps *t)
{
    uint64_t cursor = 0;
    size_t len;
    char *page;

    do {
        CHECK(store_list(t->store, &cursor, t->now_ms, &page, &len));
        if (len > 0)
            check_page(t, page, len);
        free(page);
    } while (cursor != 0);
}

static void walk(struct steps *t, struct arc arc, struct digest *digest)
{
    const unsigned step = 1 + pick(t, 300);
    uint64_t cursor = 0;

    t->arc = arc;
    do
        store_walk(t->store, arc, &cursor, step, t->now_ms, check_copy, t);
    while (cursor != 0);
    do
        store_digest(t->store, arc, &cursor, step, t->now_ms, digest);
    while (cursor != 0);
}

static uint32_t some_position(struct steps *t)
{
    const struct known *k = &t->keys[pick(t, t->config.n_keys)];

    return one_in(t, 4) ? 0 : ring_hash(k->name, k->len);
}

/* All that is there is shown, once and as it is, and nothing else is. */
static void look_at_all(struct steps *t)
{
    const struct arc arc = { some_position(t), some_position(t) };
    struct digest digest = { 0, 0 };
    struct store_usage u;

    t->n_walks++;
    t->n_live = 0;
    if (one_in(t, 2)) {
        list(t);
    } else {
        walk(t, arc, &digest);
        if (arc.last + 1 != arc.first)
            walk(t, (struct arc){ arc.last + 1, arc.first - 1 }, &digest);
        CHECK(digest.items == t->n_live);
    }
    for (unsigned i = 0; i < t->config.n_keys; i++) {
        if (model_find(&t->m, i) != NULL && t->keys[i].shown != t->n_walks)
            steps_forget(t, i);
        t->keys[i].seen = t->losses;
    }
    store_usage(t->store, t->now_ms, &u);
    CHECK(u.items >= t->n_live);
    steps_second_is_same(t);
}

/* Those that went lately, as records: of keys that there were. */
static void look_at_evictions(struct steps *t)
{
    static char page[EVICTIONS_PAGE];
    const size_t len = store_evictions(t->store, &t->evictions_cursor, t->now_ms, page);
    struct listed l;
    size_t at = 0;

    CHECK(len <= sizeof(page) && (len == 0 || !t->config.is_ample));
    while (listing_next(page, len, &at, &l))
        steps_key_of(t, l.key, l.key_len);
    CHECK(at == len);
}

/* A moment when something ends, or the one before. */
static int64_t some_end(struct steps *t)
{
    const struct model_item *it = model_find(&t->m, pick(t, t->config.n_keys));
    const int64_t end_ms = one_in(t, 4) ? t->flush_at_ms : it != NULL ? it->gone_at_ms : 0;
    const int64_t left_ms = end_ms - one_in(t, 2) - t->now_ms;

    return left_ms > 0 && left_ms < 100000 ? left_ms : 1;
}

static void let_pass(struct steps *t)
{
    static const int64_t times[] = { 1, 1, 1, 7, 499, 999, 1000, 1001, 2000, 4999, 60000 };
    static const int64_t long_times[] = { 3600000, 86400000, INT64_C(2592000000) };

    if (seldom(t, 64))
        t->now_ms += long_times[pick(t, N_OF(long_times))];
    else
        t->now_ms += one_in(t, 4) ? some_end(t) : times[pick(t, N_OF(times))];
    t->m.now_ms = t->now_ms;
    t->m.wall_ms = START_WALL_MS + t->now_ms - START_MS;
    if (t->now_ms >= t->flush_at_ms)
        flush_to(t, t->flush_version);
}

static void change_limit(struct steps *t)
{
    const size_t limit = t->config.memory_bytes;
    const size_t bytes = t->config.is_ample ? limit + pick(t, 1000) : limit / 2 + pick(t, limit);
    struct store_usage u;

    CHECK(store_set_limit(t->store, bytes, t->now_ms) == bytes);
    steps_look_at_usage(t, true);
    store_usage(t->store, t->now_ms, &u);
    CHECK(u.limit_bytes == bytes);
}

static void reset(struct steps *t)
{
    steps_look_at_usage(t, t->config.evict);
    store_reset_counters(t->store);
    t->evictions = 0;
}

void steps_do(struct steps *t)
{
    const unsigned choice = pick(t, 256);

    t->n_steps++;
    if (choice == 255 && one_in(t, 16))
        look_at_all(t);
    else if (choice == 254 && one_in(t, 1 + t->config.n_keys / 256))
        change_limit(t);
    else if (choice == 253 && seldom(t, 2))
        flush(t);
    else if (choice == 252)
        reset(t);
    else if (choice == 251)
        look_at_evictions(t);
    else if (choice == 250)
        store_sweep(t->second.store != NULL && one_in(t, 2) ? t->second.store : t->store,
                    pick(t, 1000), t->now_ms);
    else if (choice >= 246)
        steps_give_back(&t->loans[pick(t, LOANS)]);
    else if (choice >= 230 && seldom(t, 1))
        let_pass(t);
    else if (choice >= 216 && t->config.copies)
        steps_second_pays(t);
    else if (choice >= 216)
        apply(t);
    else
        steps_command(t);
    steps_look_at_usage(t, t->config.evict);
    if (t->m.n_cells > t->m.n_items + MODEL_CELLS - 16)
        model_settle(&t->m);
}

bool steps_over(const struct steps *t)
{
    return t->chances.at == t->chances.end;
}

/* "abc" and a tail: each is different, and some are as long as may be. */
static void name_keys(struct steps *t)
{
    static const size_t lens[] = { 3, 4, 8, 20, 20, 20, 40, 100, 249, 250 };

    for (unsigned i = 0; i < t->config.n_keys; i++) {
        struct known *k = &t->keys[i];

        k->len = lens[i % N_OF(lens)];
        memset(k->name, '-', sizeof(k->name));
        for (unsigned digit = 0; digit < 3; digit++)
            k->name[digit] = (char)('a' + (i >> 4 * (2 - digit) & 15));
        k->seen = UINT32_MAX;
    }
}

struct steps *steps_new(const struct steps_config *config, const struct chances *chances)
{
    const struct store_config store_config = {
        .memory_bytes = config->memory_bytes, .max_item_bytes = config->max_item_bytes,
        .evict = config->evict, .tombstone_ms = config->tombstone_ms, .cas = true, .hash_key = { 1, 2 },
        .now_ms = START_MS, .wall_ms = START_WALL_MS,
    };
    struct steps *t = calloc(1, sizeof(*t));

    if (t == NULL)
        abort();
    steps_make_noise();
    t->config = *config;
    t->chances = *chances;
    t->first_seed = chances->seed;
    t->now_ms = t->m.now_ms = START_MS;
    CHECK(config->n_keys <= STEPS_KEYS);
    name_keys(t);
    model_init(&t->m, config->n_keys, config->max_item_bytes);
    t->m.now_ms = START_MS;
    t->m.wall_ms = START_WALL_MS;
    t->flush_at_ms = INT64_MAX;
    chunk_pool_init(&t->pool);
    t->store = store_new(&store_config);
    CHECK(t->store != NULL);
    t->number = 1 + pick(t, VERSION_NUMBER_MAX);
    store_set_number(t->store, t->number);
    steps_second_new(t, &store_config);
    return t;
}

void steps_free(struct steps *t)
{
    steps_look_at_usage(t, t->config.evict);
    look_at_all(t);
    for (unsigned i = 0; i < LOANS; i++)
        steps_give_back(&t->loans[i]);
    CHECK(t->pool.bytes_out == 0);
    chunk_pool_fini(&t->pool);
    store_free(t->store);
    steps_second_free(t);
    model_fini(&t->m);
    free(t->value);
    free(t);
}
