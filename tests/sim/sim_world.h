/*
 * sim_world - many nodes, one virtual clock, a network between them, one seed
 *
 * A node is a struct world of its own: clock, chance, sockets, files, any
 * number of loops.  What happens next is the event with the least time, and of
 * equal ones the one that the seed prefers: bytes that arrive, a loop's turn, a
 * call that the test asked for.
 *
 *      node a: loop --sendv--> [pieces, each with its time] --> loop: node b
 *                              path a -> b: delay, loss, cut
 *
 * A turn takes time, drawn from the seed, and so does what is asked of the
 * world in it: a clock read twice has moved, and what is sent leaves then.  The
 * loops of a node have turns one after the other, as threads on one processor.
 * A connection is a stream: nothing in it is lost or overtaken, it is late.
 *
 * One seed, one history, bit for bit, as long as those who run in it ask the
 * world for time and chance and order nothing by addresses.  One thread.
 */
#ifndef TESTS_SIM_SIM_WORLD_H
#define TESTS_SIM_SIM_WORLD_H

#include <stdio.h>

#include "base/world.h"

struct sim;

#define SIM_NODES_MAX 32

struct sim *sim_new(uint64_t seed);

/* All loops must have been freed: else the process aborts. */
void sim_free(struct sim *s);

/* `name` is for the trace.  Lives as long as the simulation. */
struct world *sim_add_node(struct sim *s, const char *name);

/*
 * What a turn of the loop is; as it begins, loop_turn() alone.  `turn` calls
 * loop_turn() once, which does not wait, and says whether it wants another turn
 * though nothing new happens.
 */
void sim_set_turn(struct loop *l, bool (*turn)(void *arg), void *arg);

/* time: the true one, from 0 */

int64_t sim_now_ns(const struct sim *s);
int64_t sim_now_ms(const struct sim *s);

/* What happens in the next `ms`.  The second stops as soon as `done` says so,
 * which it is asked after each event; false: it never did. */
void sim_run(struct sim *s, int64_t ms);
bool sim_run_until(struct sim *s, int64_t ms, bool (*done)(void *arg), void *arg);

/* Between two turns, after `ms`. */
void sim_call(struct sim *s, int64_t after_ms, void (*fn)(void *arg), void *arg);

/* From 0 to n - 1: the test's own chance, which moves nobody else's. */
uint64_t sim_pick(struct sim *s, uint64_t n);

/* history */

/* Of all that happened so far. */
uint64_t sim_digest(const struct sim *s);
uint64_t sim_n_events(const struct sim *s);

/* A line of the test's own, part of the digest. */
void sim_note(struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What happens is also written there, a line each; NULL: no longer. */
void sim_trace(struct sim *s, FILE *to);

/* nodes */

enum crash {
    CRASH_PROCESS,      /* the kernel lives on: peers read the end, or a reset */
    CRASH_MACHINE,      /* until sim_start() nothing comes from there, not even that */
};

/*
 * The node's process is gone: no loop of it runs, its connections end, what it
 * would have sent or saved later never was.  Not from within its own turn.  What
 * the process had in memory is the caller's, who frees it; calls that this makes
 * to the world do nothing.  Files stay, each as before its last save or after.
 */
void sim_crash(struct world *node, enum crash how);

/* A process may be made there again.  All that the old one had must be back. */
void sim_start(struct world *node);
bool sim_is_up(const struct world *node);

/* For so long its process does nothing; its kernel takes what comes, and its clocks go on. */
void sim_freeze(struct world *node, int64_t ms);

/* Now and then, once in so many looks at the clock, it is frozen in the middle of
 * a turn, for up to `max_ms`.  0: never, as at first. */
void sim_set_stalls(struct world *node, unsigned one_in, int64_t max_ms);

/* Its wall clock is so far from the true one; its monotonic clock, and the wall
 * clock with it, is so many millionths too fast (|ppm| <= 1000). */
void sim_set_clock(struct world *node, int64_t wall_ahead_ms, int ppm);

/* A save takes so long (the node is frozen meanwhile), and fails if `error`. */
void sim_set_disk(struct world *node, int64_t min_ms, int64_t max_ms, int error);

/* A file as a test wants it; NULL: none. */
void sim_put_file(struct world *node, const char *path, const char *data, size_t len);

/* network */

/* How long bytes are on their way; one in 256 much longer. */
void sim_set_delay(struct world *from, struct world *to, int64_t min_us, int64_t max_us);

/* So many pieces of 1000 are lost and sent again, 200 ms later or more. */
void sim_set_loss(struct world *from, struct world *to, unsigned per_mille);

/*
 * Nothing gets from one to the other.  After sim_heal() what was on its way
 * arrives, when the sender tries again: that may be as long as the cut lasted.
 */
void sim_cut(struct world *from, struct world *to);
void sim_heal(struct world *from, struct world *to);
void sim_cut_off(struct world *node);           /* from all others, both ways */
void sim_heal_all(struct sim *s);

/* Each connection between the two ends in a reset with a chance of 1 in `one_in`. */
void sim_reset(struct world *a, struct world *b, unsigned one_in);

#endif
