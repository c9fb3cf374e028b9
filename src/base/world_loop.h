/*
 * world_loop - the real world's loop: libevent
 *
 * The functions behind world_os()'s loop, watches and timers; their rules are
 * those of struct world_ops.
 */
#ifndef BASE_WORLD_LOOP_H
#define BASE_WORLD_LOOP_H

#include "base/world.h"

struct loop *world_loop_new(struct world *w, bool restless);
void world_loop_free(struct loop *l);
void world_loop_turn(struct loop *l, bool poll);
void world_loop_wake(struct loop *l);

/* libevent's base of a loop of the real world, for libraries that want one. */
struct event_base *world_loop_base(struct loop *l);

struct watch *world_watch_new(struct loop *l, int fd, watch_fn *fn, void *arg);
void world_watch_set(struct watch *w, int what);
void world_watch_free(struct watch *w);

struct timer *world_timer_new(struct loop *l, timer_fn *fn, void *arg);
void world_timer_set(struct timer *t, int64_t after_ms);
void world_timer_free(struct timer *t);

#endif
