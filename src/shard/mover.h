/*
 * mover - in a JOINT phase, items to the pending members of their keys
 *
 *      store_walk --item that is ours--> pending members --APPLIED--> done
 *          ^---- from the start, when one did not get there
 *
 * The walk goes on while few bytes are unanswered and the rate allows.
 */
#ifndef SHARD_MOVER_H
#define SHARD_MOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct copy;
struct keeper;

/* How far it has come; see struct ping. */
struct move {
    uint64_t epoch;             /* map->phase_since of the phase; 0: no move */
    bool done;                  /* all that is to be moved is there */
    uint64_t items_sent, bytes_sent, items_left, bytes_left;
};

struct mover {
    struct keeper *keeper;
    struct move move;
    bool walking;
    bool again;                 /* something did not get there: from the start */
    bool blocked;               /* a target is not reached now */
    uint64_t cursor;
    unsigned round;             /* requests of older ones do not count */
    size_t n_out, bytes_out;
    uint64_t n_shown;           /* items that the walk has looked at */
    bool *flushed;              /* owned: by member, it was told of our flush; or NULL */
    int64_t retry_at_ms;
    int64_t tokens, filled_at_ms;       /* bytes that may be sent */
};

void mover_fini(struct mover *m);
/* The keeper goes by a newer map. */
void mover_take_view(struct mover *m);
void mover_go(struct mover *m, uint64_t phase_since);
void mover_step(struct mover *m);
/* How far it has come, and by that how much is left. */
void mover_state(const struct mover *m, struct move *move);
/* As repairs_wait_ms(). */
int64_t mover_wait_ms(const struct mover *m);

#endif
