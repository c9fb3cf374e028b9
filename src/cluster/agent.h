/*
 * agent - this process among the others: who is alive, who may serve, which map
 *
 *      leader --ping--> every member          maps go to who has an older one,
 *      shard  --ping--> voters, leader        leases to who asks a voter,
 *      front  --ping--> voters, leader        what each has done to the leader
 *
 * It lives on the control worker.  While members change, shards ping all that
 * take part, so that a new owner hears that the old one has ended.
 */
#ifndef CLUSTER_AGENT_H
#define CLUSTER_AGENT_H

#include "cluster/leader.h"
#include "cluster/links.h"

struct agent;

struct agent_config {
    struct cluster *cluster;    /* borrowed, like all here */
    struct worker *worker;      /* the control worker */
    uint8_t role;               /* enum ping_role, together */
    const char *address;        /* where others reach this process; "": nowhere */
    const char *coordinator, *coordinator_address;      /* who makes the maps; "": this one */
    struct leader *leader;      /* this process makes them; or NULL */
    const struct leader_member *members;        /* who may know of one before the first map */
    size_t n_members;
    bool fresh;                 /* no process of this name can have given a lease before */

    /* Whether the bytes of leader_save() are on disk now; NULL: none is wanted. */
    bool (*save)(void *arg, const char *bytes, size_t len);
    /* What a shard says of itself: ended, purged, moves.  Any thread; or NULL. */
    void (*tell)(void *arg, struct ping *p);
    /* A version newer than all this shard knows; and one that another gave: who is
     * behind the others' clocks would give versions that seem old to them. */
    uint64_t (*clock)(void *arg);
    void (*see)(void *arg, uint64_t version);
    /* What was executed here is on its copies, and all that have a link to here go by
     * the map of `epoch`; asked after agent_goodbye(), again and again; or NULL. */
    bool (*is_quiet)(void *arg, uint64_t epoch);
    /* The leader says that what JOINT phase `epoch` moves may move; or NULL. */
    void (*go)(void *arg, uint64_t epoch);
    void *arg;
};

/* NULL when memory is short. */
struct agent *agent_new(const struct agent_config *config);
void agent_free(struct agent *a);       /* copes with NULL */

/* At the end of the control worker's turn. */
void agent_turn_end(struct agent *a);

/*
 * Another member's ping, by its value; any thread.  Writes the value of the
 * answer, `size` bytes at the most; returns its length, 0 when that was none.
 */
size_t agent_answer(struct agent *a, const char *value, size_t len, char *out, size_t size);

/* Others wait to hear what has changed here: they do at once.  Any thread. */
void agent_poke(struct agent *a);

/* The process of this member is known to have ended. */
void agent_dead(struct agent *a, const char *name);

/* This process serves nothing from now on, and says so.  Then: whether the map has
 * let it go and the others have heard of that, or have had time to. */
void agent_goodbye(struct agent *a);
bool agent_is_let_go(const struct agent *a);

/* How long a member has not been heard, milliseconds; -1: never was. */
int64_t agent_silence_ms(const struct agent *a, const char *name);

#endif
