/*
 * stage - one worker on a fake world, with a front or a shard if it is to have one
 *
 *      test's end of a socket <----> session | peer | link <----> worker
 *
 * Nothing here needs cmocka: fuzz targets use it too.  What is set up is taken
 * down by stage_fini(), which aborts when something was not given back.
 */
#ifndef TESTS_LIB_STAGE_H
#define TESTS_LIB_STAGE_H

#include "fake_world.h"
#include "front/front.h"
#include "net/session.h"
#include "shard/shard.h"
#include "wire/frame.h"
#include "wire/hello.h"

#define STAGE_CLUSTER "test"
#define STAGE_MEMBERS_MAX 8

struct stage {
    struct world *world;
    struct net_config config;   /* may be changed before anything runs */
    struct worker worker;
    unsigned n_clients;
    struct cluster *cluster;
    struct front front;
    struct shard shard;
    bool has_front, has_shard;
    unsigned n_silent;          /* workers that note maps only when the test does it for
                                   them: numbers from 1 on; before the shard is added */
    char *frame;                /* see stage_take_frame() */
};

void stage_init(struct stage *st, const struct handler *handler);
void stage_fini(struct stage *st);

/* A sound map of shards s1, s2 ... s`n` at addresses "shard:1" ...  free() it. */
struct map *stage_map(uint64_t epoch, size_t n);

/*
 * A front that routes by stage_map(1, n): the test listens at the addresses
 * and is what lives there.  Its handler is front_handler.
 */
void stage_add_front(struct stage *st, size_t n);
/* The same by another map, which is taken over. */
void stage_add_front_by(struct stage *st, struct map *map);

/* A shard named s1 with a small store, and no map yet. */
extern const struct handler stage_shard_handler;
void stage_add_shard(struct stage *st);

/* Both in one process, alone in its cluster.  The handler is the front's. */
void stage_add_both(struct stage *st);
/* The same by another map, which is taken over: the stage is s1 in it. */
void stage_add_both_by(struct stage *st, struct map *map);

/* Turns until there is nothing to do, and on for `ms` of virtual time. */
void stage_run(struct stage *st, int64_t ms);

/* The test's end of a new session; of a new front's link to the shard. */
int stage_client(struct stage *st);
int stage_peer(struct stage *st);

/* Writes the string; with stage_ask() runs and returns all that came back,
 * valid until the next. */
void stage_say(struct stage *st, int fd, const char *text);
const char *stage_ask(struct stage *st, int fd, const char *text);
/* What came by now. */
const char *stage_heard(struct stage *st, int fd);

/* Frames, at the test's end.  stage_take_frame(): false when none is whole;
 * `f` points into memory of the stage until the next. */
void stage_send_frame(struct stage *st, int fd, const struct frame *f);
bool stage_take_frame(struct stage *st, int fd, struct frame *f);

/* What shard or front `name` says first when all is well, under stage_map(). */
struct hello stage_hello(struct stage *st, const char *name, const struct map *map);
void stage_send_hello(struct stage *st, int fd, const struct hello *h);
void stage_send_map(struct stage *st, int fd, uint8_t op, const struct map *map);

#endif
