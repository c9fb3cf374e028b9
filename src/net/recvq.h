/*
 * recvq - bytes that were received and not yet understood, in one piece
 *
 *      chunk: [ understood | start ... end | room ]
 *
 * Bytes handed on (a value, an answer) may be kept by taking a reference on
 * the chunk: it is then left alone, and what is not understood yet moves to
 * another.  An empty queue holds no memory.
 */
#ifndef NET_RECVQ_H
#define NET_RECVQ_H

#include <stdbool.h>

#include "base/world.h"
#include "net/chunk.h"

struct recvq {
    struct chunk_pool *pool;    /* borrowed from the worker */
    struct chunk *chunk;        /* a reference, or NULL */
    size_t start, end;          /* offsets into chunk->data */
};

void recvq_init(struct recvq *q, struct chunk_pool *pool);
void recvq_fini(struct recvq *q);

static inline const char *recvq_data(const struct recvq *q)
{
    return q->chunk != NULL ? q->chunk->data + q->start : NULL;
}

static inline size_t recvq_len(const struct recvq *q)
{
    return q->end - q->start;
}

/* The first `len` bytes are done with. */
static inline void recvq_consume(struct recvq *q, size_t len)
{
    q->start += len;
}

/*
 * Receives once.  `want` is the length of what begins at the start, as far as
 * it is known (0: not): room for it is made in steps as its bytes arrive, so
 * that nobody gets memory by declaring a length.  Pointers into the queue are
 * void afterwards.  IO_FAILED with errno ENOMEM when memory is short.
 */
enum io recvq_fill(struct recvq *q, struct world *w, int fd, size_t want);

/* Behind what is there.  False when memory is short. */
bool recvq_put(struct recvq *q, const char *data, size_t len);

/* After understanding: gives back what an idle connection need not hold. */
void recvq_settle(struct recvq *q);

#endif
