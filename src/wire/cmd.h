/*
 * cmd - one command and its answer, whatever protocol they came by
 *
 *      bytes --parser--> struct cmd --store--> struct answer --printer--> bytes
 *                                     '------> struct copy, for other members
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
#include <string.h>

#define KEY_MAX 250             /* bytes, as memcached */

/* What an item counts beside key and value: memcached's header is about as long. */
#define ITEM_OVERHEAD 64

/*
 * Keyed verbs first: they are routed to a shard, and judged by a store.  Meta
 * and binary commands are these too, some with options.
 */
#define VERBS(X) \
    X(GET, "get") X(GETS, "gets") X(GAT, "gat") X(GATS, "gats") \
    X(SET, "set") X(ADD, "add") X(REPLACE, "replace") \
    X(APPEND, "append") X(PREPEND, "prepend") X(CAS, "cas") \
    X(DELETE, "delete") X(INCR, "incr") X(DECR, "decr") X(TOUCH, "touch") \
    X(FLUSH_ALL, "flush_all") X(STATS, "stats") X(VERSION, "version") \
    X(VERBOSITY, "verbosity") X(QUIT, "quit") X(SHUTDOWN, "shutdown") \
    X(CACHE_MEMLIMIT, "cache_memlimit") X(WATCH, "watch") \
    X(LRU_CRAWLER, "lru_crawler") X(SLABS, "slabs") X(NOOP, "mn") X(UNKNOWN, "?")

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
#define CMD_ERRORS(X) \
    X(OK, "") \
    X(ERROR, "ERROR") \
    X(BAD_FORMAT, "CLIENT_ERROR bad command line format") \
    X(BAD_EXPTIME, "CLIENT_ERROR invalid exptime argument") \
    X(BAD_DELTA, "CLIENT_ERROR invalid numeric delta argument") \
    X(BAD_DELETE, "CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]") \
    X(BAD_CHUNK, "CLIENT_ERROR bad data chunk") \
    X(TOO_LONG, "CLIENT_ERROR line too long") \
    X(MANY_FLAGS, "CLIENT_ERROR options flags are too long") \
    X(TWICE_FLAG, "CLIENT_ERROR duplicate flag") \
    X(BAD_FLAG, "CLIENT_ERROR invalid flag") \
    X(BAD_MA_FLAG, "CLIENT_ERROR invalid or duplicate flag") \
    X(BAD_KEY, "CLIENT_ERROR error decoding key") \
    X(BAD_TOKEN, "CLIENT_ERROR bad token in command line format") \
    X(BAD_INITIAL, "CLIENT_ERROR invalid numeric initial value") \
    X(BAD_META_DELTA, "CLIENT_ERROR invalid numeric delta value") \
    X(BAD_OPAQUE, "CLIENT_ERROR opaque token too long") \
    X(BAD_MS_MODE, "CLIENT_ERROR invalid mode for ms M token") \
    X(BAD_MA_MODE, "CLIENT_ERROR invalid mode for ma M token") \
    X(HANG_UP, "")              /* an HTTP request line: closed without a word */

enum cmd_error {
#define X(name, text) CMD_##name,
    CMD_ERRORS(X)
#undef X
};

/* "CLIENT_ERROR ...\r\n"; "" for CMD_OK and CMD_HANG_UP. */
const char *cmd_error_text(enum cmd_error error);

/*
 * What a command asks of the store beyond its verb.  Those from TOKEN on have
 * an argument in struct cmd.
 */
enum option {
    OPTION_WIN = 0x01,          /* get: one reader of a stale item wins, see MARK_WIN */
    OPTION_NO_VALUE = 0x02,     /* get: STATUS_HEAD will do */
    OPTION_NO_USE = 0x04,       /* get: leaves no trace */
    OPTION_COMPARE = 0x08,      /* only at the token cmd->cas; get: no value at it */
    OPTION_KEY_ENCODED = 0x10,  /* the key was sent in base64 */
    OPTION_INVALIDATE = 0x20,   /* delete: becomes stale; cas: an older token too, stale */
    OPTION_REMOVE_VALUE = 0x40, /* delete: an empty item stays */
    OPTION_TOKEN = 0x100,       /* token: what clients see for the version */
    OPTION_VIVIFY = 0x200,      /* vivify_ttl_ms: a miss makes an item */
    OPTION_RECACHE = 0x400,     /* recache_ttl_ms: with less to live one reader wins */
    OPTION_TTL = 0x800,         /* ttl_ms: delete, incr, decr set it too */
    OPTION_TTL_FIRST = 0x1000   /* RECACHE looks at the time to live set now */
};
#define OPTIONS_ALL 0x1f7fu
#define OPTIONS_WITH_ARGUMENT 0x1f00u

/* INSIDE: there are no bytes, who asks is in this process. */
enum protocol { PROTOCOL_TEXT, PROTOCOL_META, PROTOCOL_BINARY, PROTOCOL_INSIDE };

#define META_LETTERS_MAX 18     /* flags of a meta line, as memcached */
#define META_OPAQUE_MAX 32      /* bytes, the O before it counted */

/* How the answer is to be written: kept until it is there. */
struct form {
    enum protocol protocol;
    bool quiet;                 /* noreply, q: each protocol has its own idea of it */
    bool more;                  /* text get: further keys follow, END is not due yet */
    bool key_encoded;           /* meta: the key goes back in base64 */
    bool with_key;              /* binary: the key goes back */
    uint8_t opcode;             /* binary */
    char meta;                  /* the g of mg */
    uint8_t n_letters;          /* meta flags as they were sent: "tkvO" */
    uint8_t opaque_len;
    int64_t ttl_ms, vivify_ttl_ms;      /* of T and N: what t says after them */
    size_t value_len;           /* as sent: what s says when nothing was stored */

    /* not there in text: neither zeroed nor copied */
    char letters[META_LETTERS_MAX];
    char opaque[META_OPAQUE_MAX];       /* meta: with its O; binary: 4 bytes */
};

static inline void form_copy(struct form *to, const struct form *from)
{
    memcpy(to, from, from->protocol == PROTOCOL_TEXT ? offsetof(struct form, letters)
                                                     : sizeof(*from));
}

struct cmd {
    enum verb verb;
    enum cmd_error error;       /* not CMD_OK: answer that, execute nothing */
    bool copies;                /* the key has copies: what is written is open */
    bool pending;               /* some may not have the item yet: a touch tells it whole */
    bool as_copy;               /* a plain get that a copy may answer: the store does
                                   not look at it */
    unsigned options;           /* enum option, together */
    uint32_t client_flags;

    const char *key;            /* keyed verbs; a get of many keys: see text.h */
    size_t key_len;             /* 1 .. KEY_MAX */
    uint64_t hash;              /* the store's, of the key, if it was taken before; or 0 */
    uint32_t position;          /* the ring's, of the key: a front that routes it takes it */

    int64_t exptime;            /* as sent: see cmd_settle_times() */
    int64_t ttl_ms;             /* what the store goes by: TTL_* or time left */
    int64_t vivify_exptime, vivify_ttl_ms;
    bool ttl_is_last;           /* vivify_ttl_ms is to be ttl_ms */
    int64_t recache_exptime, recache_ttl_ms;
    uint64_t cas;               /* VERB_CAS, OPTION_COMPARE: what must be there */
    uint64_t token;
    uint64_t delta;             /* incr, decr */
    uint64_t initial;           /* incr, decr with OPTION_VIVIFY */

    const char *value;          /* filled when the block has arrived */
    size_t value_len;           /* as declared, without the \r\n */

    const char *args;           /* stats and the like: what follows the word, */
    size_t args_len;            /* blanks at both ends taken off */

    struct form form;           /* last: see cmd_clear() */
};

static inline void cmd_clear(struct cmd *cmd)
{
    memset(cmd, 0, offsetof(struct cmd, form.letters));
}

/* When a flush takes hold. */
enum flush_when {
    FLUSH_WHEN_DUE,             /* its version is of the future: flush_all with a delay */
    FLUSH_NOW                   /* however far ahead of the store's clock it is */
};

enum status {
    STATUS_HIT,                 /* get: a value */
    STATUS_HEAD,                /* get: all but the value */
    STATUS_NOT_FOUND,           /* get: a miss; others: no such item */
    STATUS_STORED,
    STATUS_NOT_STORED,
    STATUS_EXISTS,              /* another token is there */
    STATUS_DELETED,             /* or made stale, or empty */
    STATUS_TOUCHED,
    STATUS_NUMBER,              /* incr, decr: the new number */
    STATUS_NON_NUMERIC,
    STATUS_TOO_LARGE,           /* the old value of a set is gone */
    STATUS_NO_MEMORY,           /* the same */
    N_STATUSES
};

/* What an answer says of an item by the way. */
enum mark {
    MARK_FETCHED = 0x01,        /* found by a get before, since it was stored */
    MARK_STALE = 0x02,
    MARK_WON = 0x04,            /* another reader won before */
    MARK_WIN = 0x08,            /* this one wins: it is to store a new value */
    MARK_KEY_ENCODED = 0x10,    /* stored under a key that was sent in base64 */
    MARK_CREATED = 0x20,        /* it was not there: OPTION_VIVIFY */
    MARK_TOKEN = 0x40,          /* token is there */
    MARK_OPEN = 0x80            /* copies may not have what was written or looked at */
};
#define MARKS_ALL 0xffu

/* Those that a copy carries: what another member must know of an item. */
#define MARKS_OF_COPY \
    ((unsigned)(MARK_FETCHED | MARK_STALE | MARK_WON | MARK_KEY_ENCODED | MARK_TOKEN))

struct answer {
    enum status status;
    unsigned marks;             /* enum mark, together: hits, numbers, stored */
    uint64_t version;           /* of the item found or left; 0: none */
    uint64_t token;             /* MARK_TOKEN: what clients see instead */
    uint64_t number;            /* NUMBER: it; HEAD, STORED: bytes of the value */
    uint32_t client_flags;
    int64_t ttl_ms;             /* left, TTL_NEVER or more than 0 */
    uint32_t idle_s;            /* seconds since it was last read or written */
    const char *value;          /* STATUS_HIT */
    size_t value_len;
    void *item;                 /* where the store has it: for store_lend() */
};

/*
 * What a judgement came to, as other members are to have it.  Of two the one
 * with the greater version holds, in whatever order they come.
 */
enum copy_kind {
    COPY_VALUE,
    COPY_DELETED,
    COPY_TOUCHED                /* the item of just this version gets ttl_ms */
};

struct copy {
    enum copy_kind kind;
    bool any_age;               /* what a store held when it was asked: does not get too old */
    bool renew;                 /* COPY_VALUE: an item of just this version gets ttl_ms */
    bool open;                  /* of a walk: the item is not confirmed */
    const char *key;
    size_t key_len;
    uint64_t hash;              /* the store's, of the key, if it was taken before; or 0 */
    unsigned marks;             /* MARKS_OF_COPY; COPY_VALUE only */
    uint64_t version;
    uint64_t token;             /* MARK_TOKEN: what clients see for the version */
    uint32_t client_flags;
    int64_t ttl_ms;             /* left; TTL_OVER deletes */
    uint32_t idle_s;            /* any_age: since it was last read or written */
    const char *value;
    size_t value_len;
};

/* What became of a copy.  The first three count as applied. */
enum applied {
    APPLIED,
    APPLIED_OLDER,              /* what is there is as new or newer */
    APPLIED_NO_MEMORY,          /* nothing is there now */
    APPLIED_REFUSED             /* too old, or too far ahead: it may not hold there */
};
#define APPLIED_LAST APPLIED_REFUSED

static inline bool applied_counts(enum applied applied)
{
    return applied != APPLIED_REFUSED;
}

/*
 * What an answer with MARK_OPEN means for the copies, where the store told
 * nothing else: the value as it was sent, or that it is deleted.  Borrows key
 * and value of the command, whose ttl_ms is what is left of it by now.
 */
void copy_of_sent(struct copy *copy, const struct cmd *cmd, const struct answer *a);

/* What clients take for the item's CAS unique. */
static inline uint64_t answer_token(const struct answer *a)
{
    return (a->marks & MARK_TOKEN) != 0 ? a->token : a->version;
}

/*
 * memcached's rule: 0 never, negative over, up to 30 days from now, more is
 * seconds since 1970.  `wall_ms` is the time now since 1970.
 */
int64_t exptime_to_ttl(int64_t exptime, int64_t wall_ms);

void cmd_settle_options(struct cmd *cmd, int64_t wall_ms);

/* Fills all times to live from what was sent. */
static inline void cmd_settle_times(struct cmd *cmd, int64_t wall_ms)
{
    cmd->ttl_ms = cmd->exptime == 0 ? TTL_NEVER : exptime_to_ttl(cmd->exptime, wall_ms);
    cmd->form.ttl_ms = cmd->ttl_ms;
    cmd->form.value_len = cmd->value_len;
    if (cmd->form.protocol != PROTOCOL_TEXT)
        cmd_settle_options(cmd, wall_ms);
}

/* May stand in a line of text: the binary protocol and base64 let in any byte. */
bool key_is_text(const char *key, size_t len);

/* Seconds as clients count them, a begun one in full; -1: never. */
int64_t ttl_seconds(int64_t ttl_ms);

#endif
