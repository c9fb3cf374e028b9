/*
 * keys - what a history knows of each key; for its own files only
 *
 * Time is a tick that each begin and each end moves on by one.
 */
#ifndef HISTORY_KEYS_H
#define HISTORY_KEYS_H

#include "history.h"

#define NEVER UINT64_MAX
#define NONE UINT32_MAX

/*
 * A write of a whole value, as long as somebody might still be right to read
 * it.  One write u ends another, v, when v's place in the order is surely
 * before u's: `v.by < u.alive`.  Who begins to read after u is known to have
 * taken effect must not see v: `v.dead = min(v.dead, u.done)`.
 */
struct written {
    uint64_t seq;
    uint64_t begun;
    uint64_t done;              /* has taken effect at this tick; NEVER: not known */
    uint64_t by;                /* has, if it ever does; `done` unless it is given up */
    uint64_t alive;             /* the last begin of an operation that wrote or saw it */
    uint64_t dead;              /* what begins after this must not see it */
    uint64_t token;             /* 0: nobody has asked */
    uint64_t expects;           /* a cas: the sequence that it replaces */
    uint64_t expected_by;       /* `by` of that one; 0: it was known no more */
    uint64_t replaced_by;       /* the cas that did this to it, 0 */
    int64_t ended_ms;           /* with unknown outcome; INT64_MAX: not so */
    uint32_t n_unsaid;          /* reads in a row that showed an older one */
    bool is_open;               /* not answered yet */
    bool is_acknowledged;
};

/* An append or prepend that may be in a value that can still be read. */
struct piece {
    uint64_t seq;
    uint64_t base;              /* the write that it surely went to, 0: not known */
    uint64_t begun;
    uint64_t done;              /* NEVER: not known to have taken effect */
    uint64_t listed;            /* the last tick at which a read showed it */
    uint32_t n_unsaid;
    bool is_first;              /* prepended */
    bool is_acknowledged;
};

struct pieces {
    struct piece *all;          /* by sequence */
    uint32_t n, room;
};

/* Increments and decrements of the number that write `base` began with. */
struct tally {
    uint64_t base;              /* 0: no number was shown yet */
    int64_t plus, minus;        /* acknowledged */
    int64_t most;               /* shown, less what `base` began with */
};

#define COUNTER_RECENT 64

struct counter {
    struct tally tally;
    int64_t open_plus, open_minus;      /* in flight, or ended unknown at any base */
    struct {
        uint64_t tick;
        int64_t number;
    } recent[COUNTER_RECENT];   /* results of incrs, a ring */
    uint32_t n_recent;
};

struct outage {
    int64_t since_ms;           /* -1: nobody waits */
    int64_t longest_ms;
};

struct key {
    struct written *written;
    uint32_t n_written, room;
    uint32_t n_refused, refused_room;
    uint32_t *refused;          /* sequences that must not be seen */
    struct counter *counter;    /* NULL: records, not numbers */
    struct pieces *pieces;      /* NULL: nothing was ever appended */
    uint32_t last_seq;
    uint32_t n_changes;         /* begins of whole writes and of deletions */

    uint64_t present;           /* the last begin of an operation that is over and found it */
    uint64_t absent;            /* the last end of a deletion that is over */
    uint64_t excused;           /* the last end of a window of its own */
    uint32_t n_absent;          /* deletions in flight or of unknown outcome */
    uint32_t n_unknown_absent;  /* of these, over with unknown outcome */
    int64_t unknown_absent_ms;  /* the last of these ended */
    uint32_t n_windows;
    uint64_t changed;           /* the last end of an incr, decr, append or prepend; NEVER: one
                                   that ended unknown may yet be done */
    uint32_t first_open, last_open;     /* operations in flight, in order of begin */
    struct outage reads, writes;
};

/* An operation in flight. */
struct open {
    struct history_op op;
    uint64_t begun;
    int64_t begun_ms;
    uint64_t seq;               /* that it writes, 0 */
    uint64_t present;           /* of its key, when it began */
    struct tally tally;         /* of its key, when it began */
    uint64_t base;              /* a write: written_sure() when it began */
    uint64_t follows;           /* the begin of a write of its client that was acknowledged */
    uint64_t followed;          /* while it was open, and what that wrote; 0: none */
    uint32_t n_changes;         /* of its key, when it began */
    uint32_t previous, next;    /* of its key; next free one when it is not in use */
    bool is_open;
};

#define HISTORY_SAID_EACH 4

struct history {
    struct key *keys;
    uint32_t n_keys;
    int64_t unknown_lasts_ms;
    uint64_t tick;
    struct open *open;
    uint32_t n_open, open_room, free_open;
    uint32_t n_flushes;         /* in flight or of unknown outcome */
    uint32_t n_windows;
    uint64_t excused;           /* the last end of a window of all keys */
    int64_t now_ms;
    struct history_counts counts;
    char *said[HISTORY_N_FAULTS * HISTORY_SAID_EACH];
    size_t n_said;
};

/* Makes room for one more in a list. */
void *list_grow(void *list, uint32_t n, uint32_t *room, size_t size);

/* Counts a fault that `o` has come upon and says the first few in words. */
void history_say(struct history *h, enum history_fault fault, const struct open *o,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));

/* ---- written.c: writes of whole values ---- */

struct written *written_find(struct key *k, uint64_t seq);
void written_add(struct key *k, const struct open *o);

/* It was acknowledged, refused, or nobody knows. */
void written_done(struct history *h, struct key *k, const struct open *o);
void written_refused(struct history *h, struct key *k, const struct open *o);
void written_unknown(struct history *h, struct key *k, const struct open *o);

/*
 * `o` has seen the value of write `seq`.  NULL when it could not, which is said
 * as `fault` or, when that is HISTORY_N_FAULTS, by what is wrong with it.
 */
struct written *written_seen(struct history *h, struct key *k, const struct open *o,
                             uint64_t seq, enum history_fault fault);

/* A deletion that began with `begun` has ended. */
void written_deleted(struct history *h, struct key *k, uint64_t begun);

/* Something was there for `o`, whatever: says so when that cannot be. */
void written_found(struct history *h, const struct key *k, const struct open *o);

/* The token of what `o` saw is always the same, and of nothing else. */
void written_token(struct history *h, struct key *k, const struct open *o, struct written *w,
                   uint64_t token);

/* The one write that is there, when no other can be; 0. */
uint64_t written_sure(const struct history *h, const struct key *k);

/* Forgets what nobody may read any more. */
void written_forget(struct history *h, struct key *k);
void written_finish(struct history *h, struct key *k);

/* Sequences that must never be seen. */
void key_refuse(struct key *k, uint64_t seq);
bool key_is_refused(const struct key *k, uint64_t seq);

/* ---- counter.c ---- */

void counter_begin(struct key *k, struct open *o);
void counter_end(struct history *h, struct key *k, const struct open *o,
                 const struct history_answer *answer);
uint64_t counter_read(struct history *h, struct key *k, const struct open *o,
                      const struct history_answer *answer);

/* ---- pieces.c ---- */

void pieces_begin(struct history *h, struct key *k, struct open *o);
void pieces_end(struct history *h, struct key *k, const struct open *o,
                enum history_outcome outcome);

/* A value of `len` bytes of records.  Returns the sequence of the whole one. */
uint64_t pieces_read(struct history *h, struct key *k, const struct open *o,
                     const struct history_answer *answer);
void pieces_forget(struct history *h, struct key *k);
void pieces_finish(struct history *h, struct key *k);

#endif
