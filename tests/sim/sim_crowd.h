/*
 * sim_crowd - clients on a machine of their own, who remember what they did
 *
 *      CROWD_RESTS     what is in flight is answered, nothing new begins
 *      CROWD_FILLS     every key is set once
 *      CROWD_MIXES     all kinds of operations, without end
 *      CROWD_READS     every key is read once, through one front
 *
 * What a key is used for follows from its number:
 *
 *      0 to 4 of 8     set, replaced, cas'ed, touched; never deleted
 *      5               deleted as well, and set too large
 *      6               appended and prepended to
 *      7               counted
 *
 * What has failed is tried again soon, by whoever has a connection, so that an
 * outage is measured and not the pause after it.
 */
#ifndef TESTS_SIM_SIM_CROWD_H
#define TESTS_SIM_SIM_CROWD_H

#include "../history/history.h"
#include "sim_complaints.h"

struct crowd;

enum crowd_does { CROWD_RESTS, CROWD_FILLS, CROWD_MIXES, CROWD_READS };

#define CROWD_PREFIX "k"        /* of all keys: k0, k1, ... */
#define CROWD_TIMEOUT_MS 12000  /* after that a client gives up */

struct crowd_config {
    struct sim *sim;
    struct complaints *complaints;
    const char *fronts[8];      /* addresses */
    unsigned n_fronts, n_clients, n_keys;
    unsigned depth;             /* most operations in flight of one client */
    int64_t think_us;           /* between two of one client, about */
    unsigned most_bytes;        /* of a value */
    unsigned too_large;         /* a value that is refused */
    bool flushes;               /* now and then a flush_all */
    void (*gone)(void *arg, uint32_t key);      /* a key is, and must not: for the trace */
    void *arg;
    bool may_vanish;            /* there is one copy: what is gone is set again */
};

struct crowd *crowd_new(const struct crowd_config *config);
void crowd_free(struct crowd *c);

void crowd_do(struct crowd *c, enum crowd_does does, unsigned front);
/* Nothing is in flight, and all keys are done that were to be. */
bool crowd_is_done(const struct crowd *c);

/* Values may be missed from now on for so long; again: at least for so long. */
void crowd_window(struct crowd *c, int64_t ms);

struct history *crowd_history(struct crowd *c);
/* Answered operations, of all. */
uint64_t crowd_n_ended(const struct crowd *c);
/* The longest that one took to be answered or given up, begun since the last call. */
int64_t crowd_slowest_ms(struct crowd *c);
struct world *crowd_world(struct crowd *c);

#endif
