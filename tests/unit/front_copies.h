/*
 * front_copies - what tests of copies share: a stage's front, the test is its
 * shards s1, s2, s3
 */
#ifndef FRONT_COPIES_H
#define FRONT_COPIES_H

#include "front_help.h"

/* What a copy says, and an owner of what is not confirmed. */
#define APPLIED_FRAME .op = FRAME_APPLIED, .st = APPLIED
#define OPEN(status, v) ANSWER(status), .marks = MARK_OPEN, .version = (v)

/* s1, s2, s3, two copies of all, a leader in another process. */
static inline struct map *copies_map(uint64_t epoch, unsigned replicas)
{
    struct map *m = stage_map(epoch, 3);

    m->replicas = (uint16_t)replicas;
    snprintf(m->leader, sizeof(m->leader), "leader");
    snprintf(m->leader_address, sizeof(m->leader_address), "leader:1");
    return m;
}

static inline void begin_copies(unsigned replicas)
{
    char address[ADDRESS_MAX];

    stage_init(&stage, &front_handler);
    map = copies_map(1, replicas);
    for (unsigned i = 1; i <= 3; i++) {
        snprintf(address, sizeof(address), "shard:%u", i);
        stage.world->ops->listen(stage.world, address, 10, 0);
    }
    stage_add_front_by(&stage, copies_map(1, replicas));
}

static inline int one_copy(void **state)
{
    (void)state;
    begin_copies(1);
    return 0;
}

static inline int two_copies(void **state)
{
    (void)state;
    begin_copies(2);
    return 0;
}

static inline int three_copies(void **state)
{
    (void)state;
    begin_copies(3);
    return 0;
}

/* "NAME0" ...: the first whose chain begins with `owner`, `copy`. */
static inline const char *key_on(unsigned owner, unsigned copy, const char *name)
{
    static char keys[8][32];
    static unsigned at;
    struct view *v = cluster_view(stage.cluster);
    char *key = keys[at++ % N_OF(keys)];
    struct placing p;

    for (unsigned n = 0;; n++) {
        snprintf(key, sizeof(keys[0]), "%s%u", name, n);
        view_place(v, ring_hash(key, strlen(key)), &p);
        if (p.owner == (int)owner - 1 && p.copies[0] == (int)copy - 1)
            break;
    }
    view_unref(v);
    return key;
}

/* A newer map; what the front says of it on its links is answered. */
static inline void change_map(struct map *newer, const int *shards)
{
    free(map);
    map = map_copy(newer, 0);
    assert_int_equal(cluster_adopt(stage.cluster, newer), ADOPTED);
    stage_run(&stage, 100);
    for (unsigned i = 0; i < 3; i++) {
        if (shards[i] < 0)
            continue;
        assert_int_equal(heard(shards[i]).op, FRAME_MAP);
        say(shards[i], (struct frame){ .op = FRAME_DONE, .version = map->epoch });
    }
}

static inline void expect_nothing(int shard)
{
    struct frame f;

    assert_false(stage_take_frame(&stage, shard, &f));
}

static inline void expect_confirm(int shard, unsigned n, bool given_up)
{
    struct frame f;

    stage_run(&stage, LINKS_CONFIRM_MS);
    f = heard(shard);
    assert_int_equal(f.op, FRAME_CONFIRM);
    assert_int_equal(f.version, n);
    assert_int_equal(f.st, given_up);
}

static inline struct copy applied(int shard, const char *key)
{
    struct frame f = heard(shard);
    struct copy copy;

    assert_int_equal(f.op, FRAME_APPLY);
    frame_to_copy(&f, &copy);
    assert_int_equal(copy.key_len, strlen(key));
    assert_memory_equal(copy.key, key, strlen(key));
    return copy;
}

#endif
