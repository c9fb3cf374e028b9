/*
 * cluster - the map that this process goes by
 *
 * A map comes from a source or over a link from a member that has a newer one.
 * With its rings it makes a view, which never changes.  A process goes over to
 * it in two steps, because its workers are between commands at different times:
 *
 *      source --cluster_adopt--> seen --cluster_note, by each worker--> adopted
 *      link   ----------'
 *
 * Only when all have noted it is a thing of the older epoch over in this process.
 */
#ifndef CLUSTER_CLUSTER_H
#define CLUSTER_CLUSTER_H

#include "cluster/view.h"

struct cluster;

/* `name`: of this member; kept.  Ends the process when memory is short. */
struct cluster *cluster_new(const char *cluster_name, const char *name);
void cluster_free(struct cluster *c);

const char *cluster_name(const struct cluster *c);
const char *cluster_self(const struct cluster *c);

/* Drawn at the start of the process, before the first map; 0 until then. */
void cluster_set_incarnation(struct cluster *c, uint64_t incarnation);
uint64_t cluster_incarnation(const struct cluster *c);

/* ---- maps ------------------------------------------------------------------ */

enum adopted { ADOPTED, ADOPTED_OLD, ADOPTED_NO_MEMORY };

/*
 * `seen`: called after a newer map was adopted, in that thread: to wake workers.
 * `adopted`: called when all workers have noted it, in the thread of the last
 * one: to post a message, no more.
 * `now_ns`: the monotonic clock, fresh, in any thread.
 */
struct cluster_hooks {
    void (*seen)(void *arg, uint64_t epoch);
    void (*adopted)(void *arg, uint64_t epoch);
    int64_t (*now_ns)(void *arg);
    void *arg;
};

/* Before there are threads; a hook may be NULL. */
void cluster_set_hooks(struct cluster *c, const struct cluster_hooks *hooks);

#define CLUSTER_MAX_WORKERS 258 /* --threads, the control worker and its guest */

/* How many workers note maps: numbers 0 .. n - 1.  Before they start; until
 * then, and with none, what is seen is adopted. */
void cluster_set_workers(struct cluster *c, unsigned n);

/*
 * Goes by `map` from now on if its epoch is greater than the present one's;
 * takes the map over in any case.  Builds the rings on the caller's time.
 */
enum adopted cluster_adopt(struct cluster *c, struct map *map);

/* The epoch seen, 0 before the first map.  Any thread, no lock. */
uint64_t cluster_epoch(const struct cluster *c);

/* The newest epoch that all workers have noted, or a newer one each.  No lock. */
uint64_t cluster_adopted(const struct cluster *c);

/*
 * The worker is between two commands and goes by the newest map from here on.
 * Borrowed until its next call; NULL before the first map.  Takes a lock: call
 * it when cluster_epoch() is not that of the view it has.
 */
struct view *cluster_note(struct cluster *c, unsigned worker);

/* The view seen, with a reference; NULL before the first map. */
struct view *cluster_view(struct cluster *c);

/* ---- leases ---------------------------------------------------------------- */

/*
 * Monotonic nanoseconds until when this process may serve; INT64_MAX where the
 * map wants none of it (map_wants_lease()), 0 from the first that wants it until it
 * has it, and for who is suspended, ejected or of another incarnation there.
 */
int64_t cluster_lease_ns(const struct cluster *c);

/* What the voters gave under the map of that epoch; nothing when it is not the
 * one seen.  What was given before lasts as long as it was given for: under a map
 * with other voters it is not less because these have not been asked yet. */
void cluster_set_lease(struct cluster *c, uint64_t epoch, int64_t until_ns);

/* No command is executed here any more; what was may still be answered while the
 * lease lasts, which is the last one. */
void cluster_give_up(struct cluster *c);

/* Both with a fresh clock.  Any thread, no lock.  May a command be executed?  May what
 * was executed be answered? */
bool cluster_serves(const struct cluster *c, int64_t now_ns);
bool cluster_has_lease(const struct cluster *c, int64_t now_ns);

/* ---- end marks ------------------------------------------------------------- */

/*
 * The member of that number judges nothing any more by maps before `epoch`, and
 * what it had judged is on its copies.  Nothing when it is another incarnation
 * than the map's.
 */
void cluster_set_ended(struct cluster *c, uint16_t number, uint64_t incarnation,
                       uint64_t epoch);
/* Any thread, no lock. */
bool cluster_has_ended(const struct cluster *c, uint16_t number, uint64_t epoch);

/*
 * Whether the owner may serve what view_place() found: nobody before it has
 * anything to add.  Where a member was lost in the phase, all the others must
 * have handed on what they hold of it.
 */
bool cluster_has_taken_over(const struct cluster *c, const struct view *v,
                            const struct placing *p);

#endif
