/*
 * What a worker's sketch tells of the keys that it was shown, by a clock that the
 * test moves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front/hotkeys.h"

#define TICK_MS 100
#define TOLD_MAX 64

struct watch {
    struct hotkeys h;
    int64_t now_ms;
    uint64_t chance;            /* of the requests */
    unsigned n_samples;

    /* the last that was told, hottest first */
    unsigned n;
    struct { char key[KEY_MAX + 1]; double rate, writes; } told[TOLD_MAX];
    double rate;
};

static int setup(void **state)
{
    static const uint64_t secret[2] = { 7, 11 };
    struct watch *w = calloc(1, sizeof(*w));

    w->chance = 0x9e3779b97f4a7c15u;
    w->now_ms = 1000;
    assert_true(hotkeys_init(&w->h, secret, w->now_ms));
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct watch *w = *state;

    hotkeys_fini(&w->h);
    free(w);
    return 0;
}

static void ask(struct watch *w, enum verb verb, const char *key)
{
    w->n_samples += w->h.left == 1;
    hotkeys_count(&w->h, verb, key, strlen(key));
}

static void pass(struct watch *w, int64_t ms)
{
    w->now_ms += ms;
    hotkeys_tick(&w->h, w->now_ms);
}

/* That key so many times a second. */
static void ask_steadily(struct watch *w, enum verb verb, const char *key, unsigned a_second,
                         unsigned seconds)
{
    for (unsigned t = 0; t < seconds * 1000 / TICK_MS; t++) {
        for (unsigned i = 0; i < a_second * TICK_MS / 1000; i++)
            ask(w, verb, key);
        pass(w, TICK_MS);
    }
}

static void take(void *arg, const struct hot *hot)
{
    struct watch *w = arg;
    unsigned i = w->n;

    if (i == TOLD_MAX)
        return;
    for (; i > 0 && w->told[i - 1].rate < hot->rate; i--)
        w->told[i] = w->told[i - 1];
    memset(&w->told[i], 0, sizeof(w->told[i]));
    memcpy(w->told[i].key, hot->key, hot->key_len);
    w->told[i].rate = hot->rate;
    w->told[i].writes = hot->writes;
    w->n++;
}

static void tell(struct watch *w)
{
    w->n = 0;
    w->rate = hotkeys_tell(&w->h, w->now_ms, take, w);
}

static double rate_of(const struct watch *w, const char *key)
{
    for (unsigned i = 0; i < w->n; i++)
        if (strcmp(w->told[i].key, key) == 0)
            return w->told[i].rate;
    return 0;
}

static void assert_about(double got, double expected, double part)
{
    if (fabs(got - expected) > expected * part)
        fail_msg("%f is not within %.0f %% of %f", got, part * 100, expected);
}

static uint32_t chance(struct watch *w)
{
    w->chance = w->chance * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->chance >> 32);
}

/* ---- tests ---------------------------------------------------------------- */

static void nothing_is_told_before_the_first_request(void **state)
{
    struct watch *w = *state;

    tell(w);
    assert_int_equal(w->n, 0);
    assert_true(w->rate == 0);
}

static void of_a_few_requests_none_is_missed(void **state)
{
    struct watch *w = *state;

    ask(w, VERB_GET, "read");
    ask(w, VERB_SET, "both");
    ask(w, VERB_GETS, "both");
    ask(w, VERB_INCR, "both");
    tell(w);
    assert_int_equal(w->n, 2);
    assert_string_equal(w->told[0].key, "both");
    assert_true(w->told[0].rate == 3 && w->told[0].writes == 2);
    assert_true(rate_of(w, "read") == 1);
    assert_true(w->rate == 4);
}

static void rates_are_those_of_the_last_seconds(void **state)
{
    static const unsigned seconds[] = { 1, 10, 100 };
    struct watch *w = *state;

    for (size_t i = 0; i < 3; i++) {
        ask_steadily(w, VERB_GET, "steady", 50, seconds[i]);
        tell(w);
        assert_about(rate_of(w, "steady"), 50, 0.02);
        assert_about(w->rate, 50, 0.02);
    }
}

static void what_was_hot_a_while_ago_fades(void **state)
{
    struct watch *w = *state;

    ask_steadily(w, VERB_GET, "first", 1000, 60);
    ask_steadily(w, VERB_GET, "second", 500, 10);
    tell(w);
    assert_string_equal(w->told[0].key, "first");
    ask_steadily(w, VERB_GET, "second", 500, 50);
    tell(w);
    assert_string_equal(w->told[0].key, "second");
    assert_true(rate_of(w, "first") > 0);
    ask_steadily(w, VERB_GET, "second", 500, 300);
    tell(w);
    assert_int_equal(w->n, 1);
    assert_about(w->told[0].rate, 500, 0.05);
}

static void after_a_long_silence_nothing_is_left(void **state)
{
    struct watch *w = *state;

    ask_steadily(w, VERB_GET, "key", 1000, 60);
    pass(w, 3600 * 1000);
    tell(w);
    assert_int_equal(w->n, 0);
    ask(w, VERB_GET, "new");
    tell(w);
    assert_string_equal(w->told[0].key, "new");
}

/* Key k of N_KEYS is asked for with a share of 1 / k. */
#define N_KEYS 100000

static unsigned zipf(struct watch *w, const double *sums)
{
    const double at = chance(w) / 4294967296.0 * sums[N_KEYS - 1];
    unsigned low = 0, high = N_KEYS - 1;

    while (low < high) {
        const unsigned middle = (low + high) / 2;

        if (sums[middle] > at)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void ask_by_zipf(struct watch *w, unsigned a_second, unsigned seconds)
{
    double *sums = malloc(N_KEYS * sizeof(*sums)), sum = 0;
    char key[20];

    for (unsigned i = 0; i < N_KEYS; i++)
        sums[i] = sum += 1.0 / (i + 1);
    for (unsigned t = 0; t < seconds * 1000 / TICK_MS; t++) {
        for (unsigned i = 0; i < a_second * TICK_MS / 1000; i++) {
            snprintf(key, sizeof(key), "k%u", zipf(w, sums) + 1);
            ask(w, VERB_GET, key);
        }
        pass(w, TICK_MS);
    }
    free(sums);
}

static void the_hottest_of_many_keys_are_told_in_their_order(void **state)
{
    struct watch *w = *state;
    char key[20];

    ask_by_zipf(w, 50000, 40);
    tell(w);
    assert_about(w->rate, 50000, 0.05);
    assert_true(w->n >= 5);
    for (unsigned i = 0; i < 5; i++) {          /* each has 20 % more than the next */
        snprintf(key, sizeof(key), "k%u", i + 1);
        assert_string_equal(w->told[i].key, key);
        assert_about(w->told[i].rate, 50000 / 12.09 / (i + 1), 0.1);
    }
}

static void of_keys_that_are_all_alike_none_is_told(void **state)
{
    struct watch *w = *state;
    char key[20];

    for (unsigned t = 0; t < 600; t++) {
        for (unsigned i = 0; i < 2000; i++) {
            snprintf(key, sizeof(key), "k%u", chance(w) % 50000);
            ask(w, VERB_GET, key);
        }
        pass(w, TICK_MS);
    }
    tell(w);
    assert_int_equal(w->n, 0);
    assert_about(w->rate, 20000, 0.05);
}

static void requests_that_repeat_are_seen_alike(void **state)
{
    const unsigned n_keys = 24;         /* so many as one in is looked at */
    struct watch *w = *state;
    char key[20];

    for (unsigned t = 0; t < 400; t++) {
        for (unsigned i = 0; i < 500 * n_keys; i++) {
            snprintf(key, sizeof(key), "k%u", i % n_keys);
            ask(w, i % n_keys == 3 ? VERB_SET : VERB_GET, key);
        }
        pass(w, TICK_MS);
    }
    tell(w);
    assert_int_equal(w->n, n_keys);
    for (unsigned i = 0; i < n_keys; i++) {
        assert_about(w->told[i].rate, 5000, 0.1);
        assert_about(w->told[i].rate + w->told[i].writes,
                     strcmp(w->told[i].key, "k3") == 0 ? 10000 : 5000, 0.1);
    }
}

static void however_many_requests_few_are_looked_at(void **state)
{
    struct watch *w = *state;

    ask_steadily(w, VERB_GET, "key", 1000000, 1);       /* it does not know yet */
    assert_true(w->n_samples < 20000);
    w->n_samples = 0;
    ask_steadily(w, VERB_GET, "key", 1000000, 10);
    assert_in_range(w->n_samples, 40000, 60000);
    tell(w);
    assert_about(w->told[0].rate, 1000000, 0.05);
    w->n_samples = 0;
    ask_steadily(w, VERB_GET, "key", 100, 10);          /* and of few again all */
    assert_in_range(w->n_samples, 990, 1000);
}

static void gets_of_many_keys_count_as_if_they_were_sent_alone(void **state)
{
    struct lookup keys[BATCH_MAX];
    const struct gets gets = { .verb = VERB_GET, .n = BATCH_MAX, .keys = keys };
    static const char names[] = "abcdefghijklmnopqrstuvwxyz012345";
    struct watch *w = *state;

    for (unsigned i = 0; i < BATCH_MAX; i++)
        keys[i] = (struct lookup){ &names[i], 1, 0 };
    for (unsigned t = 0; t < 400; t++) {
        for (unsigned i = 0; i < 500; i++)
            hotkeys_count_gets(&w->h, &gets, i % 2 == 0 ? BATCH_MAX : 1);
        pass(w, TICK_MS);
    }
    tell(w);
    assert_int_equal(w->n, BATCH_MAX);
    assert_string_equal(w->told[0].key, "a");
    assert_about(w->told[0].rate, 5000, 0.1);
    assert_about(w->told[1].rate, 2500, 0.15);
    assert_about(w->told[BATCH_MAX - 1].rate, 2500, 0.15);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    static const struct CMUnitTest tests[] = {
        T(nothing_is_told_before_the_first_request),
        T(of_a_few_requests_none_is_missed),
        T(rates_are_those_of_the_last_seconds),
        T(what_was_hot_a_while_ago_fades),
        T(after_a_long_silence_nothing_is_left),
        T(the_hottest_of_many_keys_are_told_in_their_order),
        T(of_keys_that_are_all_alike_none_is_told),
        T(requests_that_repeat_are_seen_alike),
        T(however_many_requests_few_are_looked_at),
        T(gets_of_many_keys_count_as_if_they_were_sent_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
