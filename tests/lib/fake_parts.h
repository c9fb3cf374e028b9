/*
 * fake_parts - what the two files of the fake world share
 */
#ifndef TESTS_LIB_FAKE_PARTS_H
#define TESTS_LIB_FAKE_PARTS_H

#include <assert.h>

#include "chance.h"
#include "fake_world.h"

#define FIRST_FD 3
#define MAX_FDS 256
#define BACKLOG_MAX 16

/* One end of a connection, or a listener. */
struct end {
    bool open;
    bool connecting, hangs;     /* ... and nobody will ever answer */
    int connect_error;
    int far;                    /* -1: closed */
    bool eof, reset;            /* what this end will read */
    char *in;                   /* arrived and not read; a NUL after it */
    size_t len, cap;
    size_t room, gulp;
    int watched;                /* WATCH_READ and WATCH_WRITE */
    struct fake_counts counts;
    char *address;              /* of a listener; owned */
    int backlog;
    int queue[BACKLOG_MAX], n_queued;
};

struct fake {
    struct world world;
    int64_t now_ns, until_ns;
    void (*idle)(void *arg);
    void *idle_arg;
    struct chance chance;
    unsigned n_loops, n_watches, n_timers;
    int connect_error;
    struct fake_counts counts;
    char *taken;                /* see fake_take() */
    struct end ends[MAX_FDS];
};

static inline struct fake *fake_of(struct world *w)
{
    return (struct fake *)w;
}

static inline struct end *end_of(struct world *w, int fd)
{
    assert(fd >= FIRST_FD && fd < MAX_FDS && fake_of(w)->ends[fd].open);
    return &fake_of(w)->ends[fd];
}

static inline struct end *far_of(struct world *w, int fd)
{
    struct end *e = end_of(w, fd);

    return e->far >= 0 ? end_of(w, e->far) : NULL;
}

/* fake_loop.c */
struct loop *fake_loop_new(struct world *w, bool restless);
void fake_loop_free(struct loop *l);
void fake_loop_turn(struct loop *l, bool poll);
void fake_loop_wake(struct loop *l);
struct watch *fake_watch_new(struct loop *l, int fd, watch_fn *fn, void *arg);
void fake_watch_set(struct watch *watch, int what);
void fake_watch_free(struct watch *watch);
struct timer *fake_timer_new(struct loop *l, timer_fn *fn, void *arg);
void fake_timer_set(struct timer *t, int64_t after_ms);
void fake_timer_free(struct timer *t);

#endif
