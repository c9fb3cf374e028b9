/*
 * frame - the peer protocol, between members only
 *
 *      0        4   5   6    8         16
 *      | length | op| st| kl | version | key | fields of the op | value |
 *
 * length: u32, bytes after the 16 of the head.  op: what it is.  st: options of
 * a command, status of an answer, kind of a copy.  kl: u16, bytes of the key;
 * in its upper byte flags of a command, marks of a copy; of an answer, which
 * has no key, all marks.  version: u64, in a command the token to compare.
 * Little-endian.  Every request has one answer, in order: no ids.  (USED, CONFIRM
 * and EVENTS have none; TOLD goes before an answer, WATCHED between two.)  The
 * length comes first and a table names each op's fields, so nothing is scanned.
 *
 * Ops 0x40 to 0x7f are of members among themselves; 0x58 is kept for leases,
 * 0x60 for moves.
 */
#ifndef WIRE_FRAME_H
#define WIRE_FRAME_H

#include "base/bytes.h"
#include "wire/cmd.h"

#define FRAME_HEAD 16
#define FRAME_FIELDS_MAX 64     /* bytes of fields between key and value */
#define FRAME_VALUE_LIMIT ((size_t)129 << 20)   /* no value is ever longer */

enum frame_op {
    FRAME_HELLO = 0x01,         /* both ways, first on a link: see hello.h */
    FRAME_MAP = 0x02,           /* value: a map; takes effect on this link */
    FRAME_PING = 0x03,          /* version: the sender's clock; value: what it says of itself */
    FRAME_STATS = 0x04,         /* key: group; answer's value: "name value\n"... */
    FRAME_CLOCK = 0x05,         /* answer's version: a new one of this shard */
    FRAME_FLUSH = 0x06,         /* items at or below version die; st: enum flush_when */
    FRAME_LIMIT = 0x07,         /* number: bytes of memory for items */
    FRAME_WALK = 0x08,          /* number: cursor; answer's value: a listing, version:
                                   the next cursor, 0 at the end */
    FRAME_EVICTIONS = 0x09,     /* the same, of what was evicted after the cursor; 0: begin */
    FRAME_DIGEST = 0x0a,        /* number: cursor; version: first position << 32 | last;
                                   answer's value: u64 items, u64 sum, to be added up,
                                   version: the next cursor, 0 at the end */
    FRAME_WATCH = 0x0b,         /* st: streams that this end wants, 1 << enum stream; answer's
                                   value: events of other fronts since it last asked, version:
                                   how many more there were */
    FRAME_EVENTS = 0x0c,        /* value: what clients here do, see events.h, version: the
                                   same; no answer */
    FRAME_COMMAND = 0x10,       /* + enum verb, keyed ones: judged by the owner */
    FRAME_APPLY = 0x40,         /* a copy; answered by FRAME_APPLIED */
    FRAME_USED = 0x44,          /* key: was read at its owner; no answer */
    FRAME_CONFIRM = 0x50,       /* version: how many of the oldest open writes of this
                                   link are confirmed; no answer */
    FRAME_ANSWER = 0x80,        /* st: enum status */
    FRAME_DONE = 0x81,          /* the answer to what has no status */
    FRAME_REFUSED = 0x82,       /* not executed; st: enum refusal */
    FRAME_APPLIED = 0x83,       /* st: enum applied */
    FRAME_TOLD = 0x84,          /* a copy without its key, before the answer to the command
                                   on that key: what copies must be told */
    FRAME_WATCHED = 0x85        /* st: streams that other fronts want; at any time, to fronts,
                                   not an answer */
};

enum refusal {
    REFUSED_EPOCH,              /* value: the newer map */
    REFUSED_NO_MAP,             /* this shard has none yet: send one */
    REFUSED_HELLO,              /* value: why, in words; the link is closed */
    REFUSED_NOT_READY,          /* the same map, but not all goes by it yet: ask again soon */
    REFUSED_NO_LEASE,           /* it may not serve now */
    REFUSED_AGAIN,              /* came behind what was refused, and no map since */
    REFUSED_NOT_OWNER,          /* by the map of both the key is another's */
    N_REFUSALS
};

/* In a command's kl. */
enum frame_flag {
    FRAME_COPIES = 0x100,       /* cmd.copies */
    FRAME_AS_COPY = 0x200,      /* cmd.as_copy */
    FRAME_PENDING = 0x400       /* cmd.pending */
};
#define FRAME_FLAGS_ALL 0x700u

/* In a copy's st, beside enum copy_kind. */
enum frame_of_copy {
    FRAME_ANY_AGE = 0x10,       /* copy.any_age */
    FRAME_RENEW = 0x20          /* copy.renew */
};

/* One frame, taken apart.  Pointers go into the bytes it was read from. */
struct frame {
    uint8_t op, st;
    uint16_t key_len;
    unsigned marks;             /* of an answer, of a copy: enum mark */
    unsigned flags;             /* of a command: enum frame_flag */
    unsigned options;           /* of a command: enum option */
    uint64_t version;
    const char *key, *value;
    size_t value_len;
    size_t len;                 /* of the whole frame, head included */

    /* from here on 0 where the frame has no such field */
    uint32_t client_flags;      /* ops with attributes */
    uint32_t idle_s;            /* STATUS_HIT, STATUS_HEAD; copies of any age */
    int64_t ttl_ms;
    uint64_t number;            /* ops with a number */
    uint64_t token;             /* commands with such an option; answers and copies too */
    uint64_t initial;           /* commands with such an option, as what follows */
    int64_t vivify_ttl_ms, recache_ttl_ms;
};

enum frame_status {
    FRAME_MORE,                 /* not whole yet */
    FRAME_WHOLE,
    FRAME_BAD                   /* no such op, or lengths that do not fit */
};

/*
 * Takes the frame at `data` apart.  FRAME_MORE sets f->len to what is needed:
 * FRAME_HEAD, or the whole frame once its head is there.  FRAME_BAD is said as
 * soon as the head shows it: nothing is awaited or allocated for a frame that
 * cannot be.  Never looks beyond data[len].
 */
enum frame_status frame_read(const char *data, size_t len, struct frame *f);

/* Bytes that frame_put() writes for `f`: all but the value. */
size_t frame_head_len(const struct frame *f);

/*
 * Writes head, key and fields of `f`; the caller lets f->value_len bytes of
 * value follow.  Returns the end.
 */
char *frame_put(char *out, const struct frame *f);

/* A get of nothing but a key, as frame_put() would write it. */
static inline char *frame_put_get(char *out, enum verb verb, const char *key, size_t key_len)
{
    out = bytes_put_u32(out, (uint32_t)key_len);
    *out++ = (char)(FRAME_COMMAND + verb);
    *out++ = 0;
    out = bytes_put_u16(out, (uint16_t)key_len);
    out = bytes_put_u64(out, 0);
    return bytes_put(out, key, key_len);
}

/* Such a frame, whose key lies at FRAME_HEAD: where it ends. */
static inline const char *frame_next_get(const char *frame, uint8_t *key_len)
{
    *key_len = (uint8_t)bytes_get_u32(frame);
    return frame + FRAME_HEAD + *key_len;
}

/* What became of a copy: FRAME_HEAD bytes. */
char *frame_put_applied(char *out, uint64_t version, enum applied applied);

/* A command as a frame, and back.  The form does not travel: it is left as it is. */
void frame_from_cmd(struct frame *f, const struct cmd *cmd);
void frame_to_cmd(const struct frame *f, struct cmd *cmd);

/*
 * A copy as a frame of `op`, FRAME_APPLY or FRAME_TOLD, and back: a told one
 * has no key, the caller knows it.  `open` does not travel.
 */
void frame_from_copy(struct frame *f, enum frame_op op, const struct copy *copy);
void frame_to_copy(const struct frame *f, struct copy *copy);

/*
 * Of a command as it was written, with its value behind it: is what copies must be
 * told, once it was stored, the same but for the head and the time to live?  Then
 * its length, else 0.  It is made so in place; ttl_ms: see frame_sent_ttl().
 */
size_t frame_sent_len(const char *command);
int64_t frame_sent_ttl(const char *command);
void frame_make_copy(char *command, uint64_t version, int64_t ttl_ms);

void frame_from_answer(struct frame *f, const struct answer *a);

/* Written, as with frame_put(): FRAME_HEAD + FRAME_FIELDS_MAX bytes at most. */
char *frame_put_answer(char *out, const struct answer *a);

/* False when the status is none. */
bool frame_to_answer(const struct frame *f, struct answer *a);

#endif
