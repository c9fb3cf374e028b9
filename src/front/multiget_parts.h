/*
 * multiget_parts - what multiget.c and multiget_ask.c share
 *
 *      multiget_ask.c: whose each key is; what is here is looked up, the rest sent
 *      multiget.c: answers, and what becomes of them
 */
#ifndef FRONT_MULTIGET_PARTS_H
#define FRONT_MULTIGET_PARTS_H

#include <string.h>

#include "front/call.h"
#include "front/multiget.h"
#include "net/session.h"

/* What one answer may take: a longer value is better held by a call, by reference. */
#define PLAIN_BYTES SENDQ_REF_BYTES

/* Not a part: what this process has itself. */
#define HERE BATCH_MAX

/* A key, and what was answered. */
struct wanted {
    const char *key;            /* in the frame that was sent, or beside a value from here */
    uint8_t key_len;
    bool answered, hit;
    uint8_t part;               /* who was asked: index in `parts`, or HERE */
    uint8_t next;               /* the next key of the same part */
    uint32_t client_flags;
    uint32_t value_len;
    const char *value;
    uint64_t token;
    struct chunk *chunk;        /* a reference, where `value` lies in another than the one
                                   before it of its part; or NULL */
    struct call *call;          /* owned: waits for the answer in its place; or NULL */
};

/* What one shard was asked for. */
struct part {
    struct request *request;    /* owned; its owner is the multiget */
    struct judge judge;
    uint16_t member;            /* by index, of the map that it was sent by */
    uint8_t first, last, n;     /* its keys */
    uint8_t at;                 /* the one that is answered next */
    struct chunk *chunk;        /* where the last value lies; a key has the reference */
};

/*
 *   TOGETHER --all answered--> its slot is ready
 *   TOGETHER --one needs more--> APART: a call in the place of each key
 *   TOGETHER --the same, and memory is short--> GIVEN_UP: its session ends
 *
 * Apart it only hands on what still comes, each answer to its call.
 */
enum multiget_state { TOGETHER, APART, GIVEN_UP };

struct multiget {
    struct slot slot;
    struct front_worker *fw;
    struct multiget *next;      /* among the free */
    enum multiget_state state;
    enum verb verb;
    bool more;                  /* see struct form */
    bool asking;                /* not all parts were sent yet */
    bool unsent;                /* one of them could not be */
    bool keyless;               /* nor were its keys kept: memory is short */
    unsigned n, n_parts;
    unsigned n_waiting;         /* parts that are not answered */
    unsigned n_hits;
    size_t share;               /* what the session is charged for a key in flight, */
    size_t held;                /* and for all, answers included */
    size_t most_bytes;          /* the longest value */
    int64_t began_ns;           /* the turn in which they were parsed */
    bool reads_copies;          /* so can be read here now */
    struct chunk *chunk;        /* as part->chunk, of what was found here */
    struct part parts[BATCH_MAX];
    struct wanted keys[BATCH_MAX];
};

/* How many keys, from the first on, have found who is asked for them, or are answered
 * from here. */
unsigned multiget_share_out(struct multiget *m, struct session *s, const struct gets *gets);

/* What is here is answered sooner alone, as long as nothing has to wait before it. */
bool multiget_begins_here(struct front_worker *fw, const struct session *s,
                          const struct gets *gets, bool reads_copies);

/* To all who are to be asked. */
void multiget_send(struct multiget *m, const struct gets *gets);

/* For their requests. */
void multiget_on_each(struct request *r, const struct frame *f, struct chunk *chunk);
void multiget_on_done(struct request *r);

/* A get of one of the keys alone. */
static inline void multiget_cmd(const struct multiget *m, const char *key, size_t key_len,
                                struct cmd *cmd)
{
    cmd_clear(cmd);
    cmd->verb = m->verb;
    cmd->key = key;
    cmd->key_len = key_len;
    cmd->form.more = m->more;
}

/* Its value lies in `chunk`; *last: where the one before of the same origin does. */
static inline void multiget_take(struct multiget *m, struct wanted *k, const char *value,
                                 size_t len, struct chunk *chunk, struct chunk **last)
{
    k->hit = true;
    k->value = value;
    k->value_len = (uint32_t)len;
    m->n_hits++;
    if (len > m->most_bytes)
        m->most_bytes = len;
    if (chunk != *last)
        k->chunk = *last = chunk_ref(chunk);
}

#endif
