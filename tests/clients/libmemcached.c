/*
 * libmemcached HOST PORT [binary] - what programs do, through libmemcached
 *
 * Prints TAP.  Started by test_clients.py against a running cache.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libmemcached-1.0/memcached.h>

#define N_KEYS 1000
#define LARGE_MAX ((size_t)1000000)

static bool binary;

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

static bool is_absent(memcached_st *mc, const char *key)
{
    size_t len;
    uint32_t flags;
    memcached_return_t rc;

    return memcached_get(mc, key, strlen(key), &len, &flags, &rc) == NULL
           && rc == MEMCACHED_NOTFOUND;
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
    return is_absent(mc, "absent") && memcached_exist(mc, "absent", 6) == MEMCACHED_NOTFOUND;
}

static bool add_and_replace_look_first(memcached_st *mc)
{
    /* Of what is not there to be replaced, each protocol has its own status. */
    return memcached_replace(mc, "b", 1, "x", 1, 0, 0)
               == (binary ? MEMCACHED_NOTFOUND : MEMCACHED_NOTSTORED)
           && CHECK(mc, memcached_add(mc, "b", 1, "y", 1, 0, 0)) == MEMCACHED_SUCCESS
           && memcached_add(mc, "b", 1, "z", 1, 0, 0)
                  == (binary ? MEMCACHED_DATA_EXISTS : MEMCACHED_NOTSTORED)
           && is_there(mc, "b", "y", 1, 0)
           && CHECK(mc, memcached_replace(mc, "b", 1, "w", 1, 0, 0)) == MEMCACHED_SUCCESS
           && is_there(mc, "b", "w", 1, 0);
}

static bool append_and_prepend_join(memcached_st *mc)
{
    return memcached_append(mc, "c", 1, ">", 1, 0, 0) == MEMCACHED_NOTSTORED
           && memcached_prepend(mc, "c", 1, "<", 1, 0, 0) == MEMCACHED_NOTSTORED
           && set(mc, "c", "middle")
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
           && memcached_increment(mc, "absent", 6, 1, &v) == MEMCACHED_NOTFOUND
           && memcached_decrement(mc, "absent", 6, 1, &v) == MEMCACHED_NOTFOUND
           && set(mc, "n", "x") && memcached_failed(memcached_increment(mc, "n", 1, 1, &v));
}

static bool numbers_may_begin_anywhere_in_binary(memcached_st *mc)
{
    uint64_t v = 0;

    if (!binary)
        return memcached_failed(memcached_increment_with_initial(mc, "i", 1, 1, 7, 0, &v));
    return CHECK(mc, memcached_increment_with_initial(mc, "i", 1, 1, 7, 0, &v))
               == MEMCACHED_SUCCESS
           && v == 7
           && CHECK(mc, memcached_increment_with_initial(mc, "i", 1, 1, 7, 0, &v))
                  == MEMCACHED_SUCCESS
           && v == 8
           && CHECK(mc, memcached_decrement_with_initial(mc, "j", 1, 1, 9, 1000, &v))
                  == MEMCACHED_SUCCESS
           && v == 9 && is_there(mc, "j", "9", 1, 0);
}

static bool deleted_is_gone(memcached_st *mc)
{
    return set(mc, "d", "x")
           && CHECK(mc, memcached_delete(mc, "d", 1, 0)) == MEMCACHED_SUCCESS
           && memcached_delete(mc, "d", 1, 0) == MEMCACHED_NOTFOUND
           && memcached_exist(mc, "d", 1) == MEMCACHED_NOTFOUND;
}

static bool items_end_when_they_are_told_to(memcached_st *mc)
{
    const struct {
        time_t end;
        bool stays;
    } ends[] = { { 0, true },
                 { 1000, true },
                 { time(NULL) + 1000, true },
                 { time(NULL) - 10, false } };

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (CHECK(mc, memcached_set(mc, "e", 1, "x", 1, ends[i].end, 0)) != MEMCACHED_SUCCESS
            || !(ends[i].stays ? is_there(mc, "e", "x", 1, 0) : is_absent(mc, "e")))
            return false;
    }
    return true;
}

static bool touch_moves_the_end(memcached_st *mc)
{
    return set(mc, "e", "x")
           && CHECK(mc, memcached_touch(mc, "e", 1, 1000)) == MEMCACHED_SUCCESS
           && is_there(mc, "e", "x", 1, 0)
           && CHECK(mc, memcached_touch(mc, "e", 1, time(NULL) - 10)) == MEMCACHED_SUCCESS
           && is_absent(mc, "e")
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
           && memcached_cas(mc, "absent", 6, "3", 1, 0, 0, token) == MEMCACHED_NOTFOUND
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

static bool too_large_a_value_is_refused_and_the_client_goes_on(memcached_st *mc)
{
    char *value = calloc(2, LARGE_MAX);
    bool refused = value != NULL
                   && memcached_set(mc, "big", 3, value, 2 * LARGE_MAX, 0, 0) == MEMCACHED_E2BIG;

    free(value);
    return refused && is_absent(mc, "big") && set(mc, "big", "new");
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

static char names[N_KEYS][16];
static const char *keys[N_KEYS];
static size_t lens[N_KEYS];

static bool set_a_thousand(memcached_st *mc)
{
    for (unsigned i = 0; i < N_KEYS; i++) {
        char value[16];

        snprintf(names[i], sizeof(names[i]), "key%u", i);
        snprintf(value, sizeof(value), "value%u", i);
        keys[i] = names[i];
        lens[i] = strlen(names[i]);
        if (!set(mc, names[i], value))
            return false;
    }
    return true;
}

static bool a_thousand_keys_come_by_one_mget(memcached_st *mc)
{
    bool seen[N_KEYS] = { false }, right = true;
    memcached_result_st *result;
    memcached_return_t rc;
    unsigned n = 0;

    if (!set_a_thousand(mc)
        || CHECK(mc, memcached_mget(mc, keys, lens, N_KEYS)) != MEMCACHED_SUCCESS)
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

static memcached_return_t see(const memcached_st *mc, memcached_result_st *result, void *seen)
{
    (void)mc;
    return is_pair(result, seen) ? MEMCACHED_SUCCESS : MEMCACHED_FAILURE;
}

static bool a_thousand_keys_are_given_to_a_callback(memcached_st *mc)
{
    bool seen[N_KEYS] = { false };
    memcached_execute_fn each[] = { see };
    memcached_return_t rc;
    unsigned n = 0;

    if (!set_a_thousand(mc))
        return false;
    /* In one go, which is binary only, or in two. */
    rc = binary ? memcached_mget_execute(mc, keys, lens, N_KEYS, each, seen, 1)
                : memcached_mget(mc, keys, lens, N_KEYS);
    if (CHECK(mc, rc) != MEMCACHED_SUCCESS)
        return false;
    memcached_fetch_execute(mc, each, seen, 1);
    for (unsigned i = 0; i < N_KEYS; i++)
        n += seen[i];
    if (n != N_KEYS)
        printf("# %u of %d keys came\n", n, N_KEYS);
    return n == N_KEYS;
}

static bool every_command_takes_a_key_of_the_server(memcached_st *mc)
{
    const char *key = "k";
    size_t len = 1, got_len;
    uint64_t v = 0, token;
    uint32_t flags;
    memcached_return_t rc;
    char *got;
    bool same;

    if (memcached_set_by_key(mc, "s", 1, key, len, "5", 1, 0, 0) != MEMCACHED_SUCCESS
        || !memcached_failed(memcached_add_by_key(mc, "s", 1, key, len, "x", 1, 0, 0))
        || memcached_replace_by_key(mc, "s", 1, key, len, "6", 1, 0, 0) != MEMCACHED_SUCCESS
        || memcached_append_by_key(mc, "s", 1, key, len, "7", 1, 0, 0) != MEMCACHED_SUCCESS
        || memcached_prepend_by_key(mc, "s", 1, key, len, "5", 1, 0, 0) != MEMCACHED_SUCCESS
        || memcached_increment_by_key(mc, "s", 1, key, len, 3, &v) != MEMCACHED_SUCCESS || v != 570
        || memcached_decrement_by_key(mc, "s", 1, key, len, 1, &v) != MEMCACHED_SUCCESS || v != 569
        || memcached_touch_by_key(mc, "s", 1, key, len, 1000) != MEMCACHED_SUCCESS
        || memcached_exist_by_key(mc, "s", 1, key, len) != MEMCACHED_SUCCESS
        || (token = token_of(mc, key)) == 0
        || memcached_cas_by_key(mc, "s", 1, key, len, "new", 3, 0, 9, token) != MEMCACHED_SUCCESS
        || memcached_mget_by_key(mc, "s", 1, &key, &len, 1) != MEMCACHED_SUCCESS)
        return false;
    while ((got = memcached_fetch(mc, NULL, NULL, &got_len, &flags, &rc)) != NULL)
        free(got);
    got = memcached_get_by_key(mc, "s", 1, key, len, &got_len, &flags, &rc);
    same = got != NULL && got_len == 3 && memcmp(got, "new", 3) == 0 && flags == 9;
    free(got);
    return same && memcached_delete_by_key(mc, "s", 1, key, len, 0) == MEMCACHED_SUCCESS;
}

static bool keys_have_a_prefix(memcached_st *mc)
{
    memcached_st *own = memcached_clone(NULL, mc);
    bool right = CHECK(own, memcached_callback_set(own, MEMCACHED_CALLBACK_NAMESPACE, "mine:"))
                     == MEMCACHED_SUCCESS
                 && set(own, "p", "x") && is_there(own, "p", "x", 1, 0);

    memcached_free(own);
    return right && is_there(mc, "mine:p", "x", 1, 0) && is_absent(mc, "p");
}

static memcached_return_t make(const memcached_st *mc, const char *key, size_t len,
                               memcached_result_st *result)
{
    (void)mc;
    return memcached_result_set_value(result, key, len);
}

static bool what_is_not_there_is_made_by_a_callback(memcached_st *mc)
{
    memcached_st *own = memcached_clone(NULL, mc);
    memcached_trigger_key_fn trigger = make;
    void *data;
    bool right;

    memcpy(&data, &trigger, sizeof(data));
    right = CHECK(own, memcached_callback_set(own, MEMCACHED_CALLBACK_GET_FAILURE, data))
                == MEMCACHED_SUCCESS
            && is_there(own, "made", "made", 4, 0);
    memcached_free(own);
    return right && is_there(mc, "made", "made", 4, 0);
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

static bool requests_that_are_kept_back_arrive_with_the_next(memcached_st *mc)
{
    memcached_st *own = memcached_clone(NULL, mc);
    bool right = true;

    memcached_behavior_set(own, MEMCACHED_BEHAVIOR_BUFFER_REQUESTS, 1);
    /* In binary, the library breaks when more than its buffer holds is kept back. */
    for (unsigned i = 0; i < 100; i++) {
        char key[16];

        snprintf(key, sizeof(key), "later%u", i);
        right = memcached_set(own, key, strlen(key), key, strlen(key), 0, 0) == MEMCACHED_BUFFERED
                && right;
    }
    right = CHECK(own, memcached_flush_buffers(own)) == MEMCACHED_SUCCESS && right
            && is_there(own, "later99", "later99", 7, 0);
    memcached_free(own);
    return right && is_there(mc, "later0", "later0", 6, 0);
}

static bool what_does_not_block_arrives_too(memcached_st *mc)
{
    memcached_st *own = memcached_clone(NULL, mc);
    bool right = true;

    memcached_behavior_set(own, MEMCACHED_BEHAVIOR_NO_BLOCK, 1);
    for (unsigned i = 0; i < N_KEYS; i++)
        right = set(own, "busy", "x") && right;
    right = set(own, "busy", "last") && right && is_there(own, "busy", "last", 4, 0);
    memcached_free(own);
    return right;
}

static memcached_return_t count_stat(const memcached_instance_st *server, const char *key,
                                     size_t key_len, const char *value, size_t value_len,
                                     void *count)
{
    (void)server, (void)key, (void)key_len, (void)value, (void)value_len;
    ++*(unsigned *)count;
    return MEMCACHED_SUCCESS;
}

static bool version_and_stats_are_understood(memcached_st *mc)
{
    memcached_return_t rc;
    memcached_stat_st *stat;
    bool right = CHECK(mc, memcached_version(mc)) == MEMCACHED_SUCCESS;
    unsigned n = 0;

    stat = memcached_stat(mc, NULL, &rc);
    right = stat != NULL && !memcached_failed(CHECK(mc, rc)) && right && stat->pid > 0;
    memcached_stat_free(mc, stat);
    return CHECK(mc, memcached_stat_execute(mc, "settings", count_stat, &n)) == MEMCACHED_SUCCESS
           && n > 0 && right;
}

static bool verbosity_is_taken(memcached_st *mc)
{
    return CHECK(mc, memcached_verbosity(mc, 0)) == MEMCACHED_SUCCESS;
}

static bool after_quitting_it_connects_again(memcached_st *mc)
{
    if (!set(mc, "q", "x"))
        return false;
    memcached_quit(mc);
    return is_there(mc, "q", "x", 1, 0);
}

static bool flush_empties_the_cache(memcached_st *mc)
{
    return set(mc, "g", "x") && CHECK(mc, memcached_flush(mc, 0)) == MEMCACHED_SUCCESS
           && is_absent(mc, "g") && set(mc, "g", "x")
           && CHECK(mc, memcached_flush(mc, 1000)) == MEMCACHED_SUCCESS
           && is_there(mc, "g", "x", 1, 0);
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
    TEST(numbers_may_begin_anywhere_in_binary),
    TEST(deleted_is_gone),
    TEST(items_end_when_they_are_told_to),
    TEST(touch_moves_the_end),
    TEST(cas_stores_over_what_was_read_only),
    TEST(large_values_come_back_whole),
    TEST(too_large_a_value_is_refused_and_the_client_goes_on),
    TEST(a_thousand_keys_come_by_one_mget),
    TEST(a_thousand_keys_are_given_to_a_callback),
    TEST(every_command_takes_a_key_of_the_server),
    TEST(keys_have_a_prefix),
    TEST(what_is_not_there_is_made_by_a_callback),
    TEST(writes_without_an_answer_arrive),
    TEST(requests_that_are_kept_back_arrive_with_the_next),
    TEST(what_does_not_block_arrives_too),
    TEST(version_and_stats_are_understood),
    TEST(verbosity_is_taken),
    TEST(after_quitting_it_connects_again),
    TEST(flush_empties_the_cache),
#undef TEST
};

#define N_TESTS (sizeof(tests) / sizeof(tests[0]))

int main(int argc, char **argv)
{
    memcached_st *mc = memcached_create(NULL);
    int failed = 0;

    if (argc < 3 || mc == NULL) {
        fputs("usage: libmemcached HOST PORT [binary]\n", stderr);
        return 64;
    }
    binary = argc > 3 && strcmp(argv[3], "binary") == 0;
    memcached_server_add(mc, argv[1], (in_port_t)strtoul(argv[2], NULL, 10));
    memcached_behavior_set(mc, MEMCACHED_BEHAVIOR_BINARY_PROTOCOL, binary);
    memcached_behavior_set(mc, MEMCACHED_BEHAVIOR_SUPPORT_CAS, 1);
    memcached_behavior_set(mc, MEMCACHED_BEHAVIOR_TCP_NODELAY, 1);

    printf("1..%zu\n", N_TESTS);
    for (size_t i = 0; i < N_TESTS; i++) {
        bool ok = memcached_flush(mc, 0) == MEMCACHED_SUCCESS && tests[i].run(mc);

        printf("%sok %zu - %s\n", ok ? "" : "not ", i + 1, tests[i].name);
        failed += !ok;
    }
    memcached_free(mc);
    return failed > 0;
}
