/*
 * sendq - bytes that wait to be sent, in order
 *
 * Small things are written into the queue's last chunk; large ones join by
 * reference, so a value is copied at most once.
 *
 *      piece    piece      piece
 *      [======] [value...] [====      ]  <- sendq_room(): the rest of the tail
 */
#ifndef NET_SENDQ_H
#define NET_SENDQ_H

#include <assert.h>
#include <stdbool.h>

#include "base/world.h"
#include "net/chunk.h"

/* From here on a value is cheaper sent from where it is than copied. */
#define SENDQ_REF_BYTES 4096

struct sendq_piece {
    struct chunk *chunk;        /* a reference */
    const char *at;
    size_t len;
};

#define SENDQ_INLINE 8          /* pieces without a call to malloc */

struct sendq {
    struct chunk_pool *pool;    /* borrowed from the worker */
    struct sendq_piece *pieces; /* a ring of `cap`; the inline ones at first */
    unsigned head, n, cap;      /* cap is a power of two */
    struct chunk *tail;         /* a reference: being filled, or NULL */
    size_t tail_used;
    size_t bytes;               /* unsent */
    struct sendq_piece few[SENDQ_INLINE];
};

void sendq_init(struct sendq *q, struct chunk_pool *pool);
void sendq_fini(struct sendq *q);

/*
 * `len` contiguous bytes to write to, in q->tail; say with sendq_commit() how
 * many were used.  NULL when memory is short.
 */
static inline char *sendq_room(struct sendq *q, size_t len);
static inline bool sendq_commit(struct sendq *q, size_t len);
/* So many there are without another chunk. */
static inline size_t sendq_room_left(const struct sendq *q);

/* Copies.  False when memory is short: nothing was queued. */
bool sendq_add(struct sendq *q, const void *data, size_t len);

/* By reference: `at` lies in `chunk`, of which the queue takes a share. */
bool sendq_add_ref(struct sendq *q, struct chunk *chunk, const char *at, size_t len);

/* A value: by reference when that is cheaper.  `chunk` holds it. */
bool sendq_add_value(struct sendq *q, struct chunk *chunk, const char *at, size_t len);

/* All of `from` goes to the end of `to`; `from` is empty afterwards. */
bool sendq_move(struct sendq *to, struct sendq *from);

/*
 * Sends what the socket takes.  IO_OK: all is out; IO_AGAIN: some is left.
 * Adds what went to *sent.
 */
enum io sendq_flush(struct sendq *q, struct world *w, int fd, uint64_t *sent);

/* The same of two queues, by one call; *sent is of `q`, which goes behind `first`. */
enum io sendq_flush_both(struct sendq *first, struct sendq *q, struct world *w, int fd,
                         uint64_t *sent);

/* Inlined, because every answer takes this way. */

/* Another tail, of at least `len` bytes.  False when memory is short. */
bool sendq_new_tail(struct sendq *q, size_t len);

static inline struct sendq_piece *sendq_piece_at(struct sendq *q, unsigned i)
{
    return &q->pieces[(q->head + i) & (q->cap - 1)];
}

static inline size_t sendq_room_left(const struct sendq *q)
{
    return q->tail != NULL ? q->tail->size - q->tail_used : 0;
}

static inline char *sendq_room(struct sendq *q, size_t len)
{
    if ((q->tail == NULL || sendq_room_left(q) < len) && !sendq_new_tail(q, len))
        return NULL;
    return q->tail->data + q->tail_used;
}

/* Does the last piece end at `at` in `chunk`? */
static inline bool sendq_ends_at(struct sendq *q, const struct chunk *chunk, const char *at)
{
    const struct sendq_piece *last = sendq_piece_at(q, q->n - 1);

    return q->n > 0 && last->chunk == chunk && last->at + last->len == at;
}

static inline bool sendq_commit(struct sendq *q, size_t len)
{
    const char *at = q->tail->data + q->tail_used;

    assert(q->tail_used + len <= q->tail->size);
    if (sendq_ends_at(q, q->tail, at)) {
        sendq_piece_at(q, q->n - 1)->len += len;
        q->bytes += len;
    } else if (!sendq_add_ref(q, q->tail, at, len)) {
        return false;
    }
    q->tail_used += len;
    return true;
}

#endif
