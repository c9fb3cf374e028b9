/*
 * loop_parts - what the loops of both test worlds are made of
 *
 * Watches in the order they were made, and timers.  When they are called, and
 * what time it is, is the world's: its struct loop begins with these parts.
 */
#ifndef TESTS_LIB_LOOP_PARTS_H
#define TESTS_LIB_LOOP_PARTS_H

#include "base/world.h"

/* When both worlds begin: a Saturday in 2026. */
#define WALL_START_MS INT64_C(1795219200000)

struct watch {
    struct loop *loop;
    int fd, set;
    bool dead;                  /* freed in a callback: gone at the end of the turn */
    watch_fn *fn;
    void *arg;
};

struct timer {
    struct loop *loop;
    struct timer *next;
    int64_t due_ns;             /* -1: not set */
    uint64_t order;             /* in which they were set */
    timer_fn *fn;
    void *arg;
};

struct loop_parts {
    struct watch **watches;
    size_t n_watches;
    struct timer *timers;       /* newest first */
    uint64_t order;
    bool running;               /* callbacks are called: watches stay until sweep */
};

/* Watches and timers must have been freed. */
void loop_parts_fini(struct loop_parts *p);

struct watch *loop_parts_watch(struct loop *l, int fd, watch_fn *fn, void *arg);
void loop_parts_unwatch(struct watch *watch);
/* Frees the dead. */
void loop_parts_sweep(struct loop_parts *p);

struct timer *loop_parts_timer(struct loop *l, timer_fn *fn, void *arg);
void loop_parts_set(struct timer *t, int64_t due_ns);
void loop_parts_untimer(struct timer *t);

/* The first that is due, or NULL; of equal ones the first that was set. */
struct timer *loop_parts_next(const struct loop_parts *p);

/* Calls what is due; what a callback sets waits for the next turn, even at
 * 0 ms.  False when there was nothing. */
bool loop_parts_ring(struct loop_parts *p, int64_t now_ns);

#endif
