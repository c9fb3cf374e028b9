/*
 * leader_parts - the inside of a leader, for leader.c and leader_jobs.c
 */
#ifndef CLUSTER_LEADER_PARTS_H
#define CLUSTER_LEADER_PARTS_H

#include "cluster/leader.h"
#include "cluster/witness.h"

struct leader {
    char *name, *address;
    uint64_t incarnation;       /* of this process; 0: it is no member */
    uint16_t replicas;
    int64_t hold_down_ms;
    int64_t started_ms, now_ms, wall_ahead_ms;
    bool stepped;               /* now_ms is of a step */
    bool listened;              /* all that can answer at the start were heard */
    bool unsaved;               /* jobs have changed since the state was saved */
    struct state state;         /* epoch of its map: 0 before the first */
    uint64_t digest;            /* of its map */
    struct state *draft;        /* owned; between step and commit, else NULL */
    struct map *newer;          /* owned; than state.map, from a member; or NULL */
    struct witness *witnesses;  /* owned; one a member, in the map's order */
    size_t n_witnesses;
    int64_t measured_ms;        /* when rates were last computed */
    uint64_t measured_items, rate_items;
    char words[200];
};

int64_t leader_wall_ms(const struct leader *l);

/* The next map, to be edited: the present one, its epoch one more, `more` members
 * of zeroes behind. */
struct map *leader_draft(struct leader *l, size_t more);

/* The numbers of the map's members are given. */
void leader_mark_numbers(struct state *s);

/* Deeds: true when there is a draft. */
bool leader_run_job(struct leader *l);
bool leader_abort_job(struct leader *l);

/* Progress of what moves, into the jobs that run. */
void leader_measure_jobs(struct leader *l);

#endif
