/*
 * history - did the cache keep its word?
 *
 * Clients say what they are about to do and what they were answered; the
 * history says what cannot be.  It does no I/O and reads no clock: a load on
 * real processes uses it, and simulated clients do.
 *
 *      client            history                       cache
 *        |--history_begin-->| gives the sequence          |
 *        |------------------------- set key, record ----->|
 *        |<------------------------ STORED ---------------|
 *        |--history_end---->| finds what contradicts      |
 *
 * The order of these calls is the order of events: A was before B when A's
 * history_end() was called before B's history_begin().  So history_begin()
 * comes before the first byte leaves, history_end() after the answer came, and
 * all calls come from one thread.  The milliseconds only measure outages.
 * A client that has more than one operation open sent them on one connection, in
 * this order, and ends them in this order: it reads what it has written itself.
 *
 * Each write of a value carries a sequence that its key never had before, so a
 * read tells which write it saw.  Any number of clients may write a key: sets,
 * adds, replaces and reads are judged exactly, by the rule for registers of
 * distinct values (Gibbons and Korach, "Testing shared memories", 1997):  they
 * can be put in one order unless there are two writes of which each is known
 * to be over before the other is known to be still alive.
 *
 * A write of unknown outcome may have been done, may not, and may still be
 * done at any later time, once (see unknown_lasts_ms); nothing is held against
 * a cache that cannot be told from one that kept its word.  Undecided stays:
 *   - which of two deletions, or of losses that were allowed, made a miss;
 *   - between a cas and the value it replaced, a delete, or a write that no read
 *     shows to have been there, that overlapped the cas;
 *   - an append that overlapped a set or a delete: either order is good;
 *   - what the order of a client's open operations rules out, but that a read or cas
 *     sees what a set of its own that was before it has replaced;
 *   - what a flush left at a key where an incr or append overlapped it: members
 *     flush one by one, and may have changed an item between;
 *   - the order of appends that overlapped;
 *   - a number that was shown by a counter that was incremented and decremented
 *     at once: it must be within what all orders allow;
 *   - when items expire: nothing that is recorded here may be given less time
 *     than the run takes.
 *
 * Memory: some 350 bytes a key, and 100 for each further write that could still
 * be read: what is in flight, what ended unknown.
 */
#ifndef HISTORY_HISTORY_H
#define HISTORY_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct history;

enum history_kind {
    HISTORY_GET,                /* get, gets, mg */
    HISTORY_GAT,                /* gat, gats: read and touched */
    HISTORY_SET,
    HISTORY_ADD,
    HISTORY_REPLACE,
    HISTORY_CAS,
    HISTORY_APPEND,
    HISTORY_PREPEND,
    HISTORY_INCR,
    HISTORY_DECR,
    HISTORY_TOUCH,
    HISTORY_DELETE,
    HISTORY_DROP,               /* a set that is too large: it removes what was */
    HISTORY_FLUSH,              /* all keys; done at once, not with a delay */
    HISTORY_N_KINDS
};

enum history_outcome {
    HISTORY_DONE,               /* STORED, a number, DELETED, TOUCHED, OK; for a read: a value;
                                   for DROP: "too large" */
    HISTORY_ABSENT,             /* END, EN, NOT_FOUND, NF; NOT_STORED of replace and append */
    HISTORY_PRESENT,            /* NOT_STORED of add, EXISTS of cas: served, not done */
    HISTORY_REFUSED,            /* an error that says that it was surely not done */
    HISTORY_UNKNOWN,            /* connection lost, no answer, "outcome unknown" */
    HISTORY_N_OUTCOMES
};

enum history_fault {
    HISTORY_LOST,               /* an acknowledged write, older seen twice and it never again */
    HISTORY_STALE,              /* older than what was acknowledged, or seen, before */
    HISTORY_UNDELETED,          /* shown after a delete or flush, nothing written since */
    HISTORY_TORN,               /* not whole, or mixed of several */
    HISTORY_FOREIGN,            /* of another key, or never written */
    HISTORY_PHANTOM,            /* of a write that was surely not done */
    HISTORY_DOUBLED,            /* an append that is there twice */
    HISTORY_COUNTER,            /* a number that no order of the incrs and decrs gives */
    HISTORY_BAD_CAS,            /* a cas won with an outdated token, or did not with a valid one;
                                   tokens that are not unique */
    HISTORY_MISS,               /* absent, though nothing took it away and none was allowed */
    HISTORY_N_FAULTS
};

struct history_op {
    enum history_kind kind;
    uint32_t client;
    uint32_t key;               /* < n_keys; any for FLUSH */
    bool counter;               /* SET, ADD, REPLACE: of a number, see history_number() */
    uint64_t expects;           /* CAS: the sequence whose token it names */
    uint32_t delta;             /* INCR, DECR */
};

struct history_answer {
    enum history_outcome outcome;
    const char *value;          /* a read that is DONE */
    size_t value_len;
    uint64_t token;             /* of a gets or gats, 0: not asked for */
    uint64_t number;            /* INCR, DECR that are DONE */
};

struct history_counts {
    uint64_t kinds[HISTORY_N_KINDS][HISTORY_N_OUTCOMES];
    uint64_t acknowledged;      /* writes that are DONE */
    uint64_t refused;           /* writes that were surely not done */
    uint64_t unknown;           /* writes of unknown outcome */
    uint64_t hits;
    uint64_t misses;            /* answers that say absent, all of them */
    uint64_t allowed_misses;    /* of these: excused by a window only */
    uint64_t faults[HISTORY_N_FAULTS];
    int64_t longest_read_outage_ms;     /* see history_outage_ms() */
    int64_t longest_write_outage_ms;
    uint32_t longest_read_outage_key;
    uint32_t longest_write_outage_key;
};

/*
 * A history of keys 0 to n_keys - 1, all absent.  A write of unknown outcome is
 * taken to be over `unknown_lasts_ms` after its end, done or not; 0: never.
 */
struct history *history_new(uint32_t n_keys, int64_t unknown_lasts_ms);
void history_free(struct history *h);

/* A client is about to do `op`; its handle, until history_end(). */
uint32_t history_begin(struct history *h, const struct history_op *op, int64_t now_ms);

/*
 * What an open SET, ADD, REPLACE, CAS, APPEND, PREPEND or DROP must write: a
 * record with this sequence (value_write()), or as text the number that
 * history_number() makes of it.  A key holds numbers always or never.
 */
uint64_t history_seq(const struct history *h, uint32_t handle);
uint64_t history_number(uint64_t seq);

/*
 * It was answered, or will not be.  Returns the sequence that a read saw, of
 * the set below where something was appended; 0: none, or one that cannot be.
 */
uint64_t history_end(struct history *h, uint32_t handle, const struct history_answer *answer,
                     int64_t now_ms);

/*
 * From here to there what is stored at a key (HISTORY_ALL_KEYS: at any) may
 * vanish.  A miss after the window is still excused when nobody has seen the key
 * since.  Values may vanish, not go back.
 */
#define HISTORY_ALL_KEYS UINT32_MAX
void history_window_begin(struct history *h, uint32_t key);
void history_window_end(struct history *h, uint32_t key);

/*
 * No more comes.  What is open ends with unknown outcome; what can be judged at
 * the end only is judged: to know whether a write was lost, read each key twice
 * before.
 */
void history_finish(struct history *h, int64_t now_ms);

/*
 * The longest time from the begin of an operation to the first answer after it,
 * of all reads (or writes) of the key; refusals, unknown outcomes and misses of
 * what nobody deleted are no answers.  Try again soon what failed, or pauses count.
 */
int64_t history_outage_ms(const struct history *h, uint32_t key, bool of_writes);

const struct history_counts *history_counts(const struct history *h);
uint64_t history_n_faults(const struct history *h);

/* The first few faults of each sort in words, a line each; NULL beyond. */
const char *history_fault(const struct history *h, size_t i);

/* "lost", "stale"...; "get", "set"... */
const char *history_fault_name(enum history_fault fault);
const char *history_kind_name(enum history_kind kind);

#endif
