/*
 * leader - the one who makes maps: what is seen of members, into the next map
 *
 *      leader_hear, leader_lost --> what is seen --.
 *      leader_add, ...          --> jobs ----------+--> leader_step --> next map
 *      the present map ----------------------------'
 *
 * Pure: no socket, no thread, no clock of its own.  Who runs it tells it what
 * the members say, saves each map that it makes before anybody else sees it, and
 * publishes it then:
 *
 *      while ((map = leader_step(l, now_ms)) != NULL)
 *          leader_commit(l, save(leader_save(l, &len)) == 0);
 *          -> adopt a copy of leader_map(l), send it to all
 *
 * One deed a map, and none before a majority of the voters has seen the present
 * one: from then on nobody gets a lease by an older one.  A member that is not
 * heard is suspended (nobody gives it a lease), and ejected when its lease must
 * have run out; a process that is known to be dead is ejected at once.
 */
#ifndef CLUSTER_LEADER_H
#define CLUSTER_LEADER_H

#include "cluster/map.h"
#include "cluster/ping.h"
#include "cluster/state.h"

struct leader;

struct leader_config {
    const char *name, *address; /* of this process; kept */
    uint64_t incarnation;       /* of this process, which may be a member as well */
    uint16_t replicas;          /* of the first map */
    int64_t hold_down_ms;       /* HOLD_DOWN_MS */
    int64_t now_ms, wall_ms;    /* the start, by both clocks */
};

/* Ends the process when memory is short, as all of this does. */
struct leader *leader_new(const struct leader_config *config);
void leader_free(struct leader *l);

/* Another HOLD_DOWN_MS, also for who is away already. */
void leader_set_hold_down(struct leader *l, int64_t hold_down_ms);

/* What leader_save() gave an earlier process.  False, with words, when the
 * bytes are damaged: do not go on then. */
bool leader_load(struct leader *l, const char *data, size_t len, const char **why);

struct leader_member {
    const char *name, *zone, *address;
    unsigned weight;
};

/* Where there is nothing to load: who is in the first map.  It is made when all
 * have been heard, or one of them and a second has passed; who has not been heard
 * joins later.  False when they make no map. */
bool leader_start_members(struct leader *l, const struct leader_member *members, size_t n);

/* ---- what is seen ---------------------------------------------------------- */

/*
 * What a shard said of itself in a ping or in the answer to one, this process's
 * own shard too.  NULL, or words that say why it is not taken for a member: it
 * is none, or another process of its name still answers.  A map that comes along
 * and is newer than the leader's own is taken over: its file was an old one.
 */
const char *leader_hear(struct leader *l, const struct ping *p, int64_t now_ms);

enum lost {
    LOST_REFUSED,               /* its connection was refused or reset */
    LOST_DEAD,                  /* the process is known to have ended: waitpid() */
    LOST_GOODBYE                /* it said that it goes: serves and gives nothing more */
};

/* The process `incarnation` of that member, 0: whichever is in the map.  Silence
 * the leader sees for itself. */
void leader_lost(struct leader *l, const char *name, uint64_t incarnation, enum lost lost,
                 int64_t now_ms);

/* ---- what is done ---------------------------------------------------------- */

/* The next map, or NULL: nothing to do now.  Borrowed until leader_commit(),
 * which must follow before any other call but leader_save(). */
const struct map *leader_step(struct leader *l, int64_t now_ms);

/* Whether what leader_save() gives is on disk: then the map is the present one;
 * else it never was. */
void leader_commit(struct leader *l, bool saved);

/* The state file's bytes, the map of leader_step() in them.  free() them. */
char *leader_save(struct leader *l, size_t *len);
/* Jobs have changed without a map: save them soon, and before an operator is
 * told that his was taken. */
bool leader_is_unsaved(const struct leader *l);

/* The present map; NULL before the first. */
const struct map *leader_map(const struct leader *l);
/* Whether a majority of voters has seen it. */
bool leader_in_effect(const struct leader *l);
/* map->phase_since of the JOINT phase in which all have adopted the map: what is
 * to be moved may move; 0: not now. */
uint64_t leader_go(const struct leader *l);

/* ---- jobs ------------------------------------------------------------------ */

/*
 * An id, or 0 and words in *why: a name that is unknown or taken, a weight that
 * cannot be, the last shard that holds items.  Queued; one runs at a time, after
 * what heals.
 */
uint64_t leader_add(struct leader *l, const struct leader_member *member, const char **why);
uint64_t leader_drain(struct leader *l, const char *name, const char **why);
uint64_t leader_weight(struct leader *l, const char *name, unsigned weight, const char **why);
/* Drains it first; who is ejected has lost what it held, which wants `force`. */
uint64_t leader_remove(struct leader *l, const char *name, bool force, const char **why);
/* Queued: it goes.  Running: all is as it was, if it is not too late. */
bool leader_abort(struct leader *l, uint64_t id, const char **why);

/* All that are remembered, oldest first.  Borrowed until the next call. */
const struct job *leader_jobs(const struct leader *l, size_t *n);
const struct job *leader_job(const struct leader *l, uint64_t id);

#endif
