/*
 * witness - what the leader has seen of each member
 *
 * One record a member, in the order of the map's members: what its process last
 * said, and when; what is known of its end.
 */
#ifndef CLUSTER_WITNESS_H
#define CLUSTER_WITNESS_H

#include "cluster/map.h"
#include "cluster/ping.h"

#define WITNESS_RETURNS 3       /* from a suspension, in a minute: no more are granted */

struct witness {
    char name[MAP_NAME_MAX + 1];
    uint64_t incarnation;       /* of the process last heard; 0: none yet */
    uint64_t dead;              /* an incarnation that is known to have ended; 0: none */
    bool lost;                  /* refused or reset since it was heard */
    int64_t heard_ms;           /* or from when it was listened for */
    int64_t suspended_ms;       /* since when a majority of voters knows; -1 */
    int64_t ejected_ms;         /* or from when that was known; -1 */
    int64_t returned_ms[WITNESS_RETURNS];       /* newest first; INT64_MIN: never */
    struct ping said;           /* the last, of that incarnation; no map */
};

/* As if nothing had ever been heard. */
void witness_init(struct witness *w, const char *name, int64_t now_ms);

/* What its process said; another one than before begins anew. */
void witness_hear(struct witness *w, const struct ping *p, int64_t now_ms);

/* For so long nobody listened. */
void witness_excuse(struct witness *w, int64_t away_ms, int64_t now_ms);

/* Its process answers: heard of late, and nothing else is known. */
bool witness_is_there(const struct witness *w, int64_t now_ms);
/* The process that the map means answers. */
bool witness_is_member(const struct witness *w, const struct member *m, int64_t now_ms);
/* The process that the map means cannot give a lease by an older map: it goes
 * by this one, has ended, or has been replaced. */
bool witness_obeys(const struct witness *w, const struct member *m, uint64_t epoch,
                   uint64_t digest);
/* The process that the map means is known to have ended. */
bool witness_is_dead(const struct witness *w, const struct member *m);
/* It has ended, or has been replaced. */
bool witness_is_over(const struct witness *w, const struct member *m);

/* Whether it may be taken back from a suspension once more; it was. */
bool witness_may_return(const struct witness *w, int64_t now_ms);
void witness_return(struct witness *w, int64_t now_ms);

#endif
