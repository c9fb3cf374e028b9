/*
 * keeper - what a shard does of its own accord, on the control worker
 *
 *      workers --open writes--> repairs --.
 *      newer map ------------> purge      +--> links to other members
 *      the leader's go ------> mover -----'
 *
 * It is one of the workers that note maps.  What it has come to is told to
 * others by pings: whoever sends them asks keeper_state().
 */
#ifndef SHARD_KEEPER_H
#define SHARD_KEEPER_H

#include "cluster/links.h"
#include "shard/mover.h"
#include "shard/purge.h"
#include "shard/repairs.h"
#include "shard/shard.h"

struct keeper_config {
    int64_t timeout_ms;         /* that a member may take to answer */
    uint64_t move_rate;         /* bytes a second, 0: as fast as they are taken */
    void (*changed)(void *arg); /* keeper_state() has; in the control worker; or NULL */
    void *arg;
};

struct keeper {
    struct shard *shard;        /* borrowed */
    struct worker *worker;      /* borrowed: the control worker */
    struct keeper_config config;
    struct links_config links_config;
    struct links links;         /* none where there are no copies */
    struct view *view;          /* a reference: the map that is gone by, or NULL */
    uint64_t epoch;             /* of it */
    bool is_member;             /* this very process is a live member there */
    bool stirred;               /* there may be something to do */
    struct timer *timer;
    int64_t due_ms;             /* when it fires; -1: it has */
    struct mail wake;
    bool woken;                 /* atomic: it is on its way */
    uint64_t ended;
    int64_t heard_ms[MAP_MAX_MEMBERS + 1];      /* by number: its link was open then */
    struct repairs repairs;
    struct purge purge;
    struct mover mover;
};

/* NULL when memory is short.  To be called before the workers run. */
struct keeper *keeper_new(struct shard *shard, struct worker *control,
                          const struct keeper_config *config);
/* When they do not run any more, and before the control worker ends.  Copes
 * with NULL. */
void keeper_free(struct keeper *k);

/* Others of keeper_config: for what is asked, and moves, from here on. */
void keeper_set(struct keeper *k, int64_t timeout_ms, uint64_t move_rate);

/* At the end of each turn of the control worker. */
void keeper_turn_end(struct keeper *k);

/* From any thread, as may be NULL: */

/* There is something to do: a newer map. */
void keeper_poke(struct keeper *k);
/* An open write that nobody confirms, judged under `epoch` or before. */
void keeper_repair(struct keeper *k, uint64_t hash, uint64_t version, uint64_t epoch);

/* For the control worker: */

/* All have adopted the JOINT phase that began with that epoch: move. */
void keeper_go(struct keeper *k, uint64_t phase_since);

struct keeper_state {
    uint64_t ended, purged;     /* epochs: see struct ping */
    struct move move;
};
void keeper_state(const struct keeper *k, struct keeper_state *state);

/* No write that others left open is still to be sent to its copies. */
bool keeper_is_idle(struct keeper *k);

/* For repairs, purge and mover: */

/* What is sent now goes by the map of the whole process. */
bool keeper_is_settled(const struct keeper *k);
void keeper_stir(struct keeper *k);
int64_t keeper_now(const struct keeper *k);     /* milliseconds */

#endif
