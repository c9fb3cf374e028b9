/*
 * client_libmemcached HOST PORT - what programs do, through libmemcached
 *
 * Prints TAP.  Started by test_clients.py against a running cache.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libmemcached-1.0/memcached.h>

#define N_KEYS 1000
#define LARGE_MAX ((size_t)1000000)

#define CHECK(mc, call) check(mc, call, #call)

static memcached_return_t check(memcached_st *mc, memcached_return_t rc, const char *what)
{
    if (memcached_failed(rc))
        printf("# %s: %s: %s\n", what, memcached_strerror(mc, rc),
               memcached_last_error_message(mc));
    return rc;
}

static bool is_there(memcached_st *mc, const char *key, const char *value, size_t len,
                     uint32_t flags)
{
    size_t got_len;
    uint32_t got_flags;
    memcached_return_t rc;
    char *got = memcached_get(mc, key, strlen(key), &got_len, &got_flags, &rc);
    bool same = got != NULL && got_len == len && memcmp(got, value, len) == 0
                && got_flags == flags;

    if (!same)
        printf("# get %s: %s, %zu bytes, flags %u\n", key, memcached_strerror(mc, rc), got_len,
               got_flags);
    free(got);
    return same;
}

static bool set(memcached_st *mc, const char *key, const char *value)
{
    return CHECK(mc, memcached_set(mc, key, strlen(key), value, strlen(value), 0, 0))
           == MEMCACHED_SUCCESS;
}

static bool what_is_set_can_be_read(memcached_st *mc)
{
    return CHECK(mc, memcached_set(mc, "a", 1, "hello", 5, 0, 42)) == MEMCACHED_SUCCESS
           && is_there(mc, "a", "hello", 5, 42);
}

static bool an_absent_key_is_not_found(memcached_st *mc)
{
    size_t len;
    uint32_t flags;
    memcached_return_t rc;

    return memcached_get(mc, "absent", 6, &len, &flags, &rc) == NULL
           && rc == MEMCACHED_NOTFOUND;
}

static bool add_and_replace_look_first(memcached_st *mc)
{
    memcached_delete(mc, "b", 1, 0);
    return memcached_replace(mc, "b", 1, "x", 1, 0, 0) == MEMCACHED_NOTSTORED
           && CHECK(mc, memcached_add(mc, "b", 1, "y", 1, 0, 0)) == MEMCACHED_SUCCESS
           && memcached_add(mc, "b", 1, "z", 1, 0, 0) == MEMCACHED_NOTSTORED
           && is_there(mc, "b", "y", 1, 0)
           && CHECK(mc, memcached_replace(mc, "b", 1, "w", 1, 0, 0)) == MEMCACHED_SUCCESS
           && is_there(mc, "b", "w", 1, 0);
}

static bool append_and_prepend_join(memcached_st *mc)
{
    return set(mc, "c", "middle")
           && CHECK(mc, memcached_append(mc, "c", 1, ">", 1, 0, 0)) == MEMCACHED_SUCCESS
           && CHECK(mc, memcached_prepend(mc, "c", 1, "<", 1, 0, 0)) == MEMCACHED_SUCCESS
           && is_there(mc, "c", "<middle>", 8, 0);
}

static bool numbers_go_up_and_down(memcached_st *mc)
{
    uint64_t v = 0;

    return set(mc, "n", "10")
           && CHECK(mc, memcached_increment(mc, "n", 1, 5, &v)) == MEMCACHED_SUCCESS && v == 15
           && CHECK(mc, memcached_decrement(mc, "n", 1, 20, &v)) == MEMCACHED_SUCCESS && v == 0
           && memcached_increment(mc, "absent", 6, 1, &v) == MEMCACHED_NOTFOUND;
}

static bool deleted_is_gone(memcached_st *mc)
{
    return set(mc, "d", "x")
           && CHECK(mc, memcached_delete(mc, "d", 1, 0)) == MEMCACHED_SUCCESS
           && memcached_delete(mc, "d", 1, 0) == MEMCACHED_NOTFOUND
           && memcached_exist(mc, "d", 1) == MEMCACHED_NOTFOUND;
}

static bool touch_needs_an_item(memcached_st *mc)
{
    return set(mc, "e", "x")
           && CHECK(mc, memcached_touch(mc, "e", 1, 1000)) == MEMCACHED_SUCCESS
           && is_there(mc, "e", "x", 1, 0)
           && memcached_touch(mc, "absent", 6, 1000) == MEMCACHED_NOTFOUND;
}

/* The token of a key, by a gets as the library sends it; 0 when it is absent. */
static uint64_t token_of(memcached_st *mc, const char *key)
{
    size_t len = strlen(key);
    memcached_return_t rc;
    memcached_result_st *result;
    uint64_t token = 0;

    if (CHECK(mc, memcached_mget(mc, &key, &len, 1)) != MEMCACHED_SUCCESS)
        return 0;
    while ((result = memcached_fetch_result(mc, NULL, &rc)) != NULL) {
        token = memcached_result_cas(result);
        memcached_result_free(result);
    }
    return token;
}

static bool cas_stores_over_what_was_read_only(memcached_st *mc)
{
    uint64_t token;

    if (!set(mc, "f", "1") || (token = token_of(mc, "f")) == 0)
        return false;
    return CHECK(mc, memcached_cas(mc, "f", 1, "2", 1, 0, 0, token)) == MEMCACHED_SUCCESS
           && memcached_cas(mc, "f", 1, "3", 1, 0, 0, token) == MEMCACHED_DATA_EXISTS
           && is_there(mc, "f", "2", 1, 0);
}

static bool large_values_come_back_whole(memcached_st *mc)
{
    static const size_t sizes[] = { 1, 1023, 4096, 65535, 65537, LARGE_MAX };
    char *value = malloc(LARGE_MAX);
    bool same = value != NULL;

    for (size_t i = 0; same && i < LARGE_MAX; i++)
        value[i] = (char)(i * 31 + i / 256);
    for (size_t i = 0; same && i < sizeof(sizes) / sizeof(sizes[0]); i++)
        same = CHECK(mc, memcached_set(mc, "large", 5, value, sizes[i], 0, 0))
                   == MEMCACHED_SUCCESS
               && is_there(mc, "large", value, sizes[i], 0);
    free(value);
    return same;
}

/* "key123" must have the value "value123", which has not been seen yet. */
static bool is_pair(memcached_result_st *result, bool seen[N_KEYS])
{
    char key[16] = "", value[16];
    size_t len = memcached_result_key_length(result);
    unsigned i;

    if (len >= sizeof(key))
        return false;
    memcpy(key, memcached_result_key_value(result), len);
    if (sscanf(key, "key%u", &i) != 1 || i >= N_KEYS || seen[i])
        return false;
    seen[i] = true;
    snprintf(value, sizeof(value), "value%u", i);
    return memcached_result_length(result) == strlen(value)
           && memcmp(memcached_result_value(result), value, strlen(value)) == 0;
}

static bool a_thousand_keys_come_by_one_mget(memcached_st *mc)
{
    static char names[N_KEYS][16];
    static const char *keys[N_KEYS];
    static size_t lens[N_KEYS];
    bool seen[N_KEYS] = { false }, right = true;
    memcached_result_st *result;
    memcached_return_t rc;
    unsigned n = 0;

    for (unsigned i = 0; i < N_KEYS; i++) {
        char value[16];

        snprintf(names[i], sizeof(names[i]), "key%u", i);
        snprintf(value, sizeof(value), "value%u", i);
        keys[i] = names[i];
        lens[i] = strlen(names[i]);
        if (!set(mc, names[i], value))
            return false;
    }
    if (CHECK(mc, memcached_mget(mc, keys, lens, N_KEYS)) != MEMCACHED_SUCCESS)
        return false;
    while ((result = memcached_fetch_result(mc, NULL, &rc)) != NULL) {
        right = is_pair(result, seen) && right;
        memcached_result_free(result);
        n++;
    }
    if (n != N_KEYS)
        printf("# %u of %d keys came\n", n, N_KEYS);
    return right && n == N_KEYS;
}

static bool writes_without_an_answer_arrive(memcached_st *mc)
{
    bool right = true;

    memcached_behavior_set(mc, MEMCACHED_BEHAVIOR_NOREPLY, 1);
    for (unsigned i = 0; i < N_KEYS; i++) {
        char key[16];

        snprintf(key, sizeof(key), "quiet%u", i);
        right = set(mc, key, key) && right;
    }
    memcached_behavior_set(mc, MEMCACHED_BEHAVIOR_NOREPLY, 0);
    for (unsigned i = 0; i < N_KEYS && right; i++) {
        char key[16];

        snprintf(key, sizeof(key), "quiet%u", i);
        right = is_there(mc, key, key, strlen(key), 0);
    }
    return right;
}

static bool version_and_stats_are_understood(memcached_st *mc)
{
    memcached_return_t rc;
    memcached_stat_st *stat;
    bool right = CHECK(mc, memcached_version(mc)) == MEMCACHED_SUCCESS;

    stat = memcached_stat(mc, NULL, &rc);
    right = stat != NULL && !memcached_failed(CHECK(mc, rc)) && right;
    memcached_stat_free(mc, stat);
    return right;
}

static bool flush_empties_the_cache(memcached_st *mc)
{
    return set(mc, "g", "x") && CHECK(mc, memcached_flush(mc, 0)) == MEMCACHED_SUCCESS
           && memcached_exist(mc, "g", 1) == MEMCACHED_NOTFOUND;
}

static const struct test {
    const char *name;
    bool (*run)(memcached_st *mc);
} tests[] = {
#define TEST(name) { #name, name }
    TEST(what_is_set_can_be_read),
    TEST(an_absent_key_is_not_found),
    TEST(add_and_replace_look_first),
    TEST(append_and_prepend_join),
    TEST(numbers_go_up_and_down),
    TEST(deleted_is_gone),
    TEST(touch_needs_an_item),
    TEST(cas_stores_over_what_was_read_only),
    TEST(large_values_come_back_whole),
    TEST(a_thousand_keys_come_by_one_mget),
    TEST(writes_without_an_answer_arrive),
    TEST(version_and_stats_are_understood),
    TEST(flush_empties_the_cache),
#undef TEST
};

#define N_TESTS (sizeof(tests) / sizeof(tests[0]))

int main(int argc, char **argv)
{
    memcached_st *mc = memcached_create(NULL);
    int failed = 0;

    if (argc != 3 || mc == NULL) {
        fputs("usage: client_libmemcached HOST PORT\n", stderr);
        return 64;
    }
    memcached_server_add(mc, argv[1], (in_port_t)strtoul(argv[2], NULL, 10));
    memcached_behavior_set(mc, MEMCACHED_BEHAVIOR_SUPPORT_CAS, 1);
    memcached_behavior_set(mc, MEMCACHED_BEHAVIOR_TCP_NODELAY, 1);

    printf("1..%zu\n", N_TESTS);
    for (size_t i = 0; i < N_TESTS; i++) {
        bool ok = tests[i].run(mc);

        printf("%sok %zu - %s\n", ok ? "" : "not ", i + 1, tests[i].name);
        failed += !ok;
    }
    memcached_free(mc);
    return failed > 0;
}
