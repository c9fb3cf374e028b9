#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "admin/recent.h"

/* A front with one shard; all that was counted since its start. */
struct fake {
    struct admin_counts counts;
    struct histogram gets, sets, sent;
    struct event_base *base;
    struct recent *recent;
    struct map *map;
};

static struct view *fake_view(void *arg)
{
    struct fake *f = arg;

    return view_new(map_copy(f->map, 0), "front");
}

static void fake_count(void *arg, struct admin_counts *out)
{
    *out = ((struct fake *)arg)->counts;
}

static void fake_took(void *arg, enum latency_class class, struct histogram *sum)
{
    struct fake *f = arg;

    if (class == LATENCY_GET || class == LATENCY_SET)
        histogram_merge(sum, class == LATENCY_GET ? &f->gets : &f->sets);
}

static void fake_shard_took(void *arg, const char *member, struct histogram *sum)
{
    assert_string_equal(member, "s1");
    histogram_merge(sum, &((struct fake *)arg)->sent);
}

static size_t fake_open_bytes(void *arg, const char *member)
{
    (void)arg;
    (void)member;
    return 0;
}

static const struct admin_ops ops = {
    .view = fake_view, .count = fake_count, .took = fake_took, .shard_took = fake_shard_took,
    .open_bytes = fake_open_bytes,
};

static int setup(void **state)
{
    struct fake *f = calloc(1, sizeof(*f));

    f->counts.is_front = true;
    f->map = map_new(1);
    strcpy(f->map->members[0].name, "s1");
    f->map->members[0].weight = f->map->members[0].next_weight = 1;
    f->base = event_base_new();
    f->recent = recent_new(f->base, &ops, f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fake *f = *state;

    recent_free(f->recent);
    event_base_free(f->base);
    free(f->map);
    free(f);
    return 0;
}

/* In the next RECENT_MS there are so many of each, and each takes so long. */
static void pass(struct fake *f, uint64_t n, uint64_t get_ns, uint64_t set_ns)
{
    histogram_add(&f->gets, get_ns, n);
    histogram_add(&f->sets, set_ns, n);
    histogram_add(&f->sent, get_ns, n);
    f->counts.stats.get_hits += n;
    f->counts.stats.bytes_read += 40 * n;
    f->counts.stats.bytes_written += 90 * n;
    f->counts.uptime_ms += RECENT_MS;
    recent_keep(f->recent);
}

static json_int_t number(const json_t *o, const char *name)
{
    return json_integer_value(json_object_get(o, name));
}

/* What is told; of all and of the shard, whether the longest took less than that. */
static void look(struct fake *f, json_int_t ms, json_int_t n, json_int_t below_ns)
{
    struct view *v = fake_view(f);
    json_t *told = recent_look(f->recent, v);
    const json_t *all = json_object_get(told, "all");
    const json_t *shard = json_object_get(json_object_get(told, "shards"), "s1");

    assert_int_equal(number(told, "ms"), ms);
    assert_int_equal(json_is_true(json_object_get(told, "since_start")),
                     ms == f->counts.uptime_ms);
    assert_int_equal(number(told, "hits"), n);
    assert_int_equal(number(told, "bytes_read"), 40 * n);
    assert_int_equal(number(told, "bytes_written"), 90 * n);
    assert_int_equal(number(all, "n"), 2 * n);
    assert_int_equal(number(shard, "n"), n);
    assert_true(number(all, "max_ns") < below_ns && number(shard, "max_ns") < below_ns);
    assert_true(number(all, "p99_ns") > number(shard, "p99_ns") || n == 0);
    json_decref(told);
    view_unref(v);
}

static void at_first_it_is_all_since_the_start(void **state)
{
    struct fake *f = *state;

    f->counts.uptime_ms = 1000;
    look(f, 1000, 0, 1);
    pass(f, 5, 100, 200);
    look(f, 11000, 5, 300);
}

/* What was slow long ago is not seen for ever, whether or not somebody looked. */
static void later_it_is_what_was_lately(void **state)
{
    struct fake *f = *state;

    pass(f, 1000, 1000000, 2000000);
    for (int i = 0; i < 5; i++)
        pass(f, 7, 100, 200);
    f->counts.uptime_ms += 3000;
    look(f, RECENT_MS + 3000, 7, 300);
}

/* By `stats reset`, or with a new link. */
static void counts_that_begin_again_are_taken_as_they_are(void **state)
{
    struct fake *f = *state;

    pass(f, 7, 100, 200);
    pass(f, 7, 100, 200);
    pass(f, 7, 100, 200);
    memset(&f->gets, 0, sizeof(f->gets));
    memset(&f->sets, 0, sizeof(f->sets));
    memset(&f->sent, 0, sizeof(f->sent));
    memset(&f->counts.stats, 0, sizeof(f->counts.stats));
    pass(f, 3, 100, 200);
    look(f, RECENT_MS, 3, 300);
}

static void who_serves_no_clients_has_nothing_to_tell(void **state)
{
    struct fake *f = *state;

    f->counts.is_front = false;
    recent_keep(f->recent);
    assert_null(recent_look(f->recent, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(at_first_it_is_all_since_the_start, setup, teardown),
        cmocka_unit_test_setup_teardown(later_it_is_what_was_lately, setup, teardown),
        cmocka_unit_test_setup_teardown(counts_that_begin_again_are_taken_as_they_are, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_serves_no_clients_has_nothing_to_tell, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
