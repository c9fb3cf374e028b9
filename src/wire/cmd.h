/*
 * cmd - one command and its answer, whatever protocol they came by
 *
 *      bytes --parser--> struct cmd --store--> struct answer --printer--> bytes
 *
 * All pointers are borrowed: into the buffer that was parsed (a cmd), into the
 * store or a received frame (an answer).  The one who fills them says until
 * when they hold.
 */
#ifndef WIRE_CMD_H
#define WIRE_CMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEY_MAX 250             /* bytes, as memcached */

/* Keyed verbs first: they are routed to a shard, and judged by a store. */
#define VERBS(X) \
    X(GET, "get") X(GETS, "gets") X(GAT, "gat") X(GATS, "gats") \
    X(SET, "set") X(ADD, "add") X(REPLACE, "replace") \
    X(APPEND, "append") X(PREPEND, "prepend") X(CAS, "cas") \
    X(DELETE, "delete") X(INCR, "incr") X(DECR, "decr") X(TOUCH, "touch") \
    X(FLUSH_ALL, "flush_all") X(STATS, "stats") X(VERSION, "version") \
    X(VERBOSITY, "verbosity") X(QUIT, "quit") X(SHUTDOWN, "shutdown") \
    X(CACHE_MEMLIMIT, "cache_memlimit") X(UNKNOWN, "?")

enum verb {
#define X(name, word) VERB_##name,
    VERBS(X)
#undef X
    N_VERBS
};

#define N_KEYED_VERBS VERB_FLUSH_ALL

static inline bool verb_is_get(enum verb v) { return v <= VERB_GATS; }
static inline bool verb_is_keyed(enum verb v) { return v < N_KEYED_VERBS; }
static inline bool verb_has_value(enum verb v) { return v >= VERB_SET && v <= VERB_CAS; }

/* The word of the text protocol ("get"). */
const char *verb_word(enum verb v);

/* Times to live as they travel and are judged: milliseconds left. */
#define TTL_NEVER 0             /* does not expire */
#define TTL_OVER  (-1)          /* any negative one: expired when it arrives */

/* Why a line is not executed.  Each has one text, memcached's where it has one. */
enum cmd_error {
    CMD_OK,
    CMD_ERROR,                  /* "ERROR": no such command */
    CMD_BAD_FORMAT,             /* CLIENT_ERROR bad command line format */
    CMD_BAD_EXPTIME,            /* CLIENT_ERROR invalid exptime argument */
    CMD_BAD_DELTA,              /* CLIENT_ERROR invalid numeric delta argument */
    CMD_BAD_DELETE,             /* delete with a delay: usage */
    CMD_BAD_CHUNK,              /* CLIENT_ERROR bad data chunk */
    CMD_TOO_LONG,               /* CLIENT_ERROR line too long */
    CMD_HANG_UP                 /* an HTTP request line: closed without a word */
};

/* "CLIENT_ERROR ...\r\n"; "" for CMD_OK and CMD_HANG_UP. */
const char *cmd_error_text(enum cmd_error error);

struct cmd {
    enum verb verb;
    enum cmd_error error;       /* not CMD_OK: answer that, execute nothing */
    bool noreply;
    bool more;                  /* get: further keys follow, END is not due yet */
    uint32_t client_flags;

    const char *key;            /* keyed verbs; a get of many keys: see text.h */
    size_t key_len;             /* 1 .. KEY_MAX */

    int64_t exptime;            /* as sent: see exptime_to_ttl() */
    int64_t ttl_ms;             /* what the store goes by: TTL_* or time left */
    uint64_t cas;               /* VERB_CAS: the version that must be there */
    uint64_t delta;             /* incr, decr */

    const char *value;          /* filled when the block has arrived */
    size_t value_len;           /* as declared, without the \r\n */

    const char *args;           /* stats and the like: what follows the word, */
    size_t args_len;            /* blanks at both ends taken off */
};

/* When a flush takes hold. */
enum flush_when {
    FLUSH_WHEN_DUE,             /* its version is of the future: flush_all with a delay */
    FLUSH_NOW                   /* however far ahead of the store's clock it is */
};

enum status {
    STATUS_HIT,                 /* get: a value */
    STATUS_NOT_FOUND,           /* get: a miss; others: no such item */
    STATUS_STORED,
    STATUS_NOT_STORED,
    STATUS_EXISTS,              /* cas: another version is there */
    STATUS_DELETED,
    STATUS_TOUCHED,
    STATUS_NUMBER,              /* incr, decr: the new number */
    STATUS_NON_NUMERIC,
    STATUS_TOO_LARGE,           /* the old value of a set is gone */
    STATUS_NO_MEMORY,           /* the same */
    N_STATUSES
};

struct answer {
    enum status status;
    uint64_t version;           /* of the item found or left; 0: none */
    uint64_t number;            /* STATUS_NUMBER */
    uint32_t client_flags;
    int64_t ttl_ms;             /* left, TTL_NEVER or more than 0 */
    const char *value;          /* STATUS_HIT */
    size_t value_len;
    bool fetched;               /* found by a get before, since it was stored */
    uint32_t idle_s;            /* seconds since it was last read or written */
    void *item;                 /* where the store has it: for store_lend() */
};

/*
 * memcached's rule: 0 never, negative over, up to 30 days from now, more is
 * seconds since 1970.  `wall_ms` is the time now since 1970.
 */
int64_t exptime_to_ttl(int64_t exptime, int64_t wall_ms);

#endif
