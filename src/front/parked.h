/*
 * parked - calls that wait for a member or a newer map, in order
 *
 * They are tried again when a link or the map has changed, and now and then.
 * What one session asked for keeps its order: none goes while one before it waits,
 * or is still on the way that it was sent before and may come back from.  Of what was
 * judged only the copies are to be told, which waits for nothing else.
 */
#ifndef FRONT_PARKED_H
#define FRONT_PARKED_H

#include <stdbool.h>
#include <stdint.h>

struct call;
struct front_worker;
struct gather;
struct timer;

/* For so long beyond the time-out of a shard. */
#define PARKED_MS 2500

struct parked {
    struct call *first, **last; /* oldest first */
    struct gather *gathers;     /* that wait to begin once more */
    struct timer *timer;        /* owned: runs while there are any */
    bool due;                   /* something has changed */
    uint64_t pass;
};

bool parked_init(struct front_worker *fw);
void parked_fini(struct front_worker *fw);

/* Behind the others; its session executes nothing new meanwhile. */
void parked_add(struct front_worker *fw, struct call *c);

void parked_add_gather(struct front_worker *fw, struct gather *g);

/* At the end of a turn: those that can, go. */
void parked_run(struct front_worker *fw);

#endif
