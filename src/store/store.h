/*
 * store - items, and the judging of commands on them
 *
 * A store keeps at most `memory_bytes` of items, each with the version that
 * its last write was given.  It is cut into partitions by a keyed hash; each
 * has its own lock, and any thread may call anything here.  Nothing is global
 * on the way of a command.
 *
 *      store_execute   a client's command, judged and stamped by the owner
 *      store_confirm   what it wrote is where it is to be
 *      store_show_open what it wrote, if that was not confirmed
 *      store_apply     the result of a judgement elsewhere; the newer wins
 *      store_walk      items of an arc of the ring, in bounded steps
 *      store_purge     lets go of what is not to be here, in bounded steps
 *      store_list      all items without their values, in bounded steps
 *      store_digest    what an arc holds, in two numbers, in bounded steps
 *      store_flush     all up to a version is dead
 *      store_usage     what is in it
 *
 * Times are milliseconds of the caller's monotonic clock: every call that
 * depends on time is given `now_ms`, so wall-clock jumps expire nothing.
 *
 * What was written under cmd->copies is open until it is confirmed: the copies
 * may not have it yet.  Whoever looks at it is told what they must have.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "wire/cmd.h"

#define EVICTIONS_PAGE 65536

struct chunk;
struct chunk_pool;
struct store;

struct store_config {
    size_t memory_bytes;        /* items and index together */
    size_t max_item_bytes;      /* key + value + ITEM_OVERHEAD of one item */
    bool evict;                 /* false: STATUS_NO_MEMORY instead */
    int64_t tombstone_ms;       /* at first: see store_set_copies() */
    bool cas;                   /* false (-C): no token ever matches */
    uint64_t hash_key[2];       /* secret, drawn at start */
    int64_t now_ms, wall_ms;    /* the two clocks, read together */
};

/* NULL when memory is short.  Free with store_free(), which copes with NULL. */
struct store *store_new(const struct store_config *config);
void store_free(struct store *s);

/* A replay of a version that is older than this is refused. */
#define REPLAY_WINDOW_MS 2000

/* A version that is further ahead of the clock here must not take it along. */
#define VERSION_AHEAD_MS 10000

/* The number of this member in the map, 1 .. 1023: the low bits of versions. */
void store_set_number(struct store *s, unsigned number);

/*
 * The keyed hash of a key.  Taken once, so that a batch of commands can be
 * hashed and prefetched before the first is executed.
 */
uint64_t store_hash(const struct store *s, const char *key, size_t len);
void store_prefetch(const struct store *s, uint64_t hash);
/* The same of the item, once what store_prefetch() fetches is there. */
void store_prefetch_item(struct store *s, uint64_t hash);

/*
 * Who is called while the item's partition is locked, each at most once, and
 * must not call the store:
 *
 *      told    copies must have `copy`, which points into the store and the
 *              command.  NULL where nobody has copies.
 *      hit     after it: a->value points into the store and is gone afterwards
 */
struct store_reader {
    void (*hit)(void *arg, const struct answer *a);
    void (*told)(void *arg, const struct copy *copy);
    void *arg;
};

/*
 * Executes a keyed command (cmd->error is CMD_OK, ttl_ms filled, value there)
 * and fills `a`.  The reader's `hit` is called for STATUS_HIT only.
 *
 *   gets, gats  answer_token() is the token
 *   incr, decr  as memcached: 64 bits, incr wraps, decr stops at 0, the item's
 *               length never shrinks (blanks follow), a longer number grows it
 *   touch, gat  keep the version; a gat answers the item as it was, with the
 *               time it had left.  Without room for a time to live that was
 *               not there a touch is refused, a gat misses; nothing changes
 *   append      keeps flags and expiry of the item
 *   set         refused as too large or for want of memory: the old is removed
 *   ttl < 0     stored and gone at once: the old is removed
 *
 * MARK_OPEN in the answer: the command, with cmd->copies, has changed what is
 * there, or it has looked at something open.  The copies must have what was
 * `told` (its version is what store_confirm() wants), or when nothing was,
 * copy_of_sent() (a->version).
 *
 *   told of what was written: a value, a deletion, a new time to live (with
 *   the value where that was open too, or cmd->pending); of what was looked
 *   at: what is there, of any age.  That one has won is not told.
 *
 * A delete, or a set that is refused, deletes at the copies also what is not
 * here any more: an eviction may have taken it.
 */
void store_execute(struct store *s, const struct cmd *cmd, uint64_t hash, int64_t now_ms,
                   struct answer *a, const struct store_reader *reader);

/* The copies have the item or tombstone of this version, if it is there still:
 * it is not open any more.  False when it was not.  O(1). */
bool store_confirm(struct store *s, uint64_t hash, uint64_t version);

/*
 * Shows `visit` the item or tombstone of this version if it is still open, for
 * its owner to replay it.  One whose time is over is shown as deleted.
 */
typedef void store_visitor(void *arg, const struct copy *copy);
void store_show_open(struct store *s, uint64_t hash, uint64_t version, int64_t now_ms,
                     store_visitor *visit, void *arg);

/*
 * For `hit`: the value of this hit in a chunk, not copied, so that it
 * can be sent from where it is; NULL where a copy is cheaper, or memory is
 * short.  The item is kept as it is until the last reference to the chunk
 * goes, which must be after store_execute() has returned: it takes the lock.
 */
struct chunk *store_lend(const struct answer *a, struct chunk_pool *pool);

/*
 * The newer wins.
 *
 *   APPLIED_OLDER    what is here is as new or newer, or flushed, and stays; of
 *                    COPY_TOUCHED: this version is not here
 *   APPLIED_REFUSED  older than REPLAY_WINDOW_MS and not of any age, or no
 *                    newer than deletions that were forgotten for want of
 *                    memory (what is older here goes), or more than
 *                    VERSION_AHEAD_MS ahead
 */
enum applied store_apply(struct store *s, const struct copy *copy, int64_t now_ms);

/* A copy was read at its owner: it counts as used here too. */
void store_use(struct store *s, const char *key, size_t key_len, int64_t now_ms);

/*
 * From now on deletions are known for so long, 0: not at all.  While `hold`
 * none is forgotten but for want of memory: tombstones take a sixteenth of it.
 */
void store_set_copies(struct store *s, int64_t tombstone_ms, bool hold);

/*
 * What is here of from_version or newer counts as open until store_settle():
 * another owner may have left it half-done.  What is written later does not.
 */
void store_unsettle(struct store *s, uint64_t from_version, int64_t now_ms);
void store_settle(struct store *s);

/* Positions on the ring, both ends in it; wraps when first > last. */
struct arc { uint32_t first, last; };

/*
 * Shows `visit` the live items of the arc, the walk's cursor in *cursor: 0 at
 * first, 0 again when the walk is over.  One call looks at about `n` items and
 * holds one partition's lock at a time.  An item that is there all the while
 * is shown at least once.  Tombstones are shown as COPY_DELETED.  All are of
 * any age.  `visit` must not call the store.
 */
void store_walk(struct store *s, struct arc arc, uint64_t *cursor, unsigned n,
                int64_t now_ms, store_visitor *visit, void *arg);

/*
 * In such steps removes items and tombstones whose position `keep` does not
 * want, without a trace; says how many have gone.  `keep` must not call the store.
 */
typedef bool store_keeper(void *arg, uint32_t position);
uint64_t store_purge(struct store *s, uint64_t *cursor, unsigned n, int64_t now_ms,
                     store_keeper *keep, void *arg);

/*
 * store_walk() for all items and as records (wire/listing.h): *page is malloc'd, the
 * caller's, NULL where *len is 0.  False when memory is short.
 */
bool store_list(struct store *s, uint64_t *cursor, int64_t now_ms, char **page, size_t *len);

/*
 * Items that were evicted after *cursor, as records; see evictions_take().
 * `out` has room for EVICTIONS_PAGE bytes.
 */
size_t store_evictions(struct store *s, uint64_t *cursor, int64_t now_ms, char *out);

/* Equal digests: equal keys at equal versions, for all that hashing can tell. */
struct digest { uint64_t items, sum; };
void store_digest(struct store *s, struct arc arc, uint64_t *cursor, unsigned n,
                  int64_t now_ms, struct digest *digest);

/* A new version, greater than all that this store has given or seen. */
uint64_t store_clock(struct store *s, int64_t now_ms);

/* What another clock has given: those of this store are greater from now on.
 * False, and nothing happens, when it is more than VERSION_AHEAD_MS ahead. */
bool store_see(struct store *s, uint64_t version, int64_t now_ms);

/*
 * Items at or below `version` are dead once the clock is there; a later call
 * takes the place of a flush that still waits.  (flush_all with a delay is a
 * version of the future: version_after().)  With FLUSH_NOW nothing
 * is waited for: the clock is raised to `version`, however far ahead it is.  Half a second ahead is no future
 * yet, so that the faster clock of another member delays no flush: it takes
 * effect at once.  A version not above the last flush does nothing.
 */
void store_flush(struct store *s, uint64_t version, int64_t now_ms, enum flush_when when);
uint64_t store_flush_version(struct store *s);

/* `version`, `ms` later. */
uint64_t version_after(uint64_t version, int64_t ms);

/*
 * Changes the limit; items go until it is kept.  Says what it is then: address
 * space is reserved for four times the first one, and a few segments are the
 * least there can be; for more, or less, it stays as it was.
 */
size_t store_set_limit(struct store *s, size_t memory_bytes, int64_t now_ms);

/*
 * Housekeeping: removes what is expired or flushed among about `n` items, from
 * where the last call stopped.  Called now and then by each worker.
 */
void store_sweep(struct store *s, unsigned n, int64_t now_ms);

struct store_usage {
    uint64_t items;             /* kept now, expired ones not yet swept included */
    uint64_t bytes;             /* they take, with their headers and the index */
    uint64_t resident_bytes;    /* of memory in use for both, whatever is in it */
    uint64_t limit_bytes;
    uint64_t total_items;       /* ever stored */
    uint64_t evictions, expired_unfetched, evicted_unfetched, reclaimed;
    uint64_t read_hits, read_misses;    /* of gets here, whichever front asked */
    uint64_t get_expired, get_flushed;  /* found dead by a command, not by a sweep */
    uint64_t no_memory, too_large;
    uint64_t tombstones, open_items;    /* kept now; open tombstones are among both */
    uint64_t replays_applied, replays_older, replays_refused;
    uint64_t replays_ahead;     /* of those refused, by a clock too far ahead */
    int64_t oldest_ms;          /* since the write of the item next to be evicted */

    /* inside, for who looks after it: see stats.def */
    uint64_t index_bytes, segments, segments_spare, segment_bytes, live_bytes, hole_bytes;
    uint64_t large_items, large_bytes;
    uint64_t ttl_minute, ttl_hour, ttl_day, ttl_longer, ttl_never;      /* items */
    uint64_t dropped_segments, squeezed_segments, evicted_segments, evicted_large;
    uint64_t moved_bytes;
    unsigned n_partitions;
};
void store_usage(struct store *s, int64_t now_ms, struct store_usage *u);

/* Sets the counters (not the gauges) of store_usage() to 0: stats reset. */
void store_reset_counters(struct store *s);

#endif
