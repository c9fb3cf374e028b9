/*
 * fake_world - a world that a test scripts
 *
 * Time stands still until a loop has nothing to do; then it jumps to the next
 * timer, as far as the test lets it.  Chance comes from a seed.  A socket is
 * one end of a pair, a number as the kernel's are; the ends that the program
 * was not given are the test's, which writes to them and reads from them.
 *
 *      program: fd 4 <---- bytes ----> fd 3: test
 *
 * Watches are called in the order they were made, once a turn, then timers in
 * the order they are due: one seed, one history.  Nothing blocks, nothing
 * fails unless the test said so.  One thread.
 */
#ifndef TESTS_LIB_FAKE_WORLD_H
#define TESTS_LIB_FAKE_WORLD_H

#include "base/world.h"

struct world *fake_world_new(uint64_t seed);

/* All loops, watches and timers must be back: else the process aborts. */
void fake_world_free(struct world *w);

/* time */

int64_t fake_now_ms(const struct world *w);

/*
 * From here on `ms` may pass.  A loop that would wait beyond that calls `idle`
 * instead: the test's turn.
 */
void fake_let_pass(struct world *w, int64_t ms, void (*idle)(void *arg), void *arg);

/* sockets */

/* A pair: *far is the test's end, the number returned is for the program. */
int fake_pair(struct world *w, int *far);

/* The next connection that was made to `address`, on which a test listens with
 * ops->listen() (backlog 0: connects hang).  -1: nobody. */
int fake_accept(struct world *w, const char *address);

/* Nobody listens there any longer. */
void fake_unlisten(struct world *w, const char *address);

/* Connects begun from now on end with this errno; 0: as usual. */
void fake_fail_connects(struct world *w, int error);

/* What the far side of `fd` is to receive. */
void fake_write(struct world *w, int fd, const void *data, size_t len);

/* What has arrived at `fd`: at once and whole, with a NUL after it.  The first
 * is valid until that end changes, the second until the next fake_take(). */
const char *fake_peek(struct world *w, int fd, size_t *len);
const char *fake_take(struct world *w, int fd, size_t *len);
void fake_consume(struct world *w, int fd, size_t len);

/* The far side reads an end of file after what was written; it may still send. */
void fake_shut(struct world *w, int fd);
/* The far side's next call fails: ECONNRESET. */
void fake_reset(struct world *w, int fd);
/* Has the far side closed, or been reset? */
bool fake_is_closed(struct world *w, int fd);

/* At most so many bytes lie unread at `fd`; the far side's sends are short, or
 * must wait.  Without limit at first. */
void fake_set_room(struct world *w, int fd, size_t bytes);

/* The far side receives at most so many bytes by one call. */
void fake_set_gulp(struct world *w, int fd, size_t bytes);

/* What the program did so far, at the far side of `fd`; -1: everywhere. */
struct fake_counts { unsigned recvs, sends, watch_sets; };
struct fake_counts fake_counts(struct world *w, int fd);

/* Is the far side of `fd` watched for these (WATCH_READ, WATCH_WRITE)? */
bool fake_is_watched(struct world *w, int fd, int what);

#endif
