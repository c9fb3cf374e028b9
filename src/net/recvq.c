#include "net/recvq.h"

#include <errno.h>
#include <string.h>

#define ROOM_MIN 4096           /* less is not worth a call to the kernel */
#define REST_SMALL 2048         /* a rest worth moving out of a whole chunk */

void recvq_init(struct recvq *q, struct chunk_pool *pool)
{
    *q = (struct recvq){ .pool = pool };
}

void recvq_fini(struct recvq *q)
{
    chunk_unref(q->chunk);
    recvq_init(q, q->pool);
}

/* What is not understood yet moves to the start of `to`, which q then holds. */
static void move_to(struct recvq *q, struct chunk *to)
{
    memcpy(to->data, recvq_data(q), recvq_len(q));
    q->end -= q->start;
    q->start = 0;
    chunk_unref(q->chunk);
    q->chunk = to;
}

/* A chunk that nobody else reads: the rest moves to its start, or it grows. */
static bool widen_own(struct recvq *q, size_t size)
{
    struct chunk *wider;

    if (q->start > 0) {
        memmove(q->chunk->data, recvq_data(q), recvq_len(q));
        q->end -= q->start;
        q->start = 0;
    }
    if (q->chunk->size >= size)
        return true;
    wider = chunk_grow(q->chunk, size);
    if (wider == NULL)
        return false;
    q->chunk = wider;
    return true;
}

/* Room after q->end for `room` bytes. */
static bool make_room(struct recvq *q, size_t room)
{
    struct chunk *other;
    size_t size = recvq_len(q) + room;

    if (q->chunk != NULL && q->chunk->size - q->end >= room)
        return true;
    if (q->chunk != NULL && q->chunk->refs == 1)
        return widen_own(q, size);
    other = chunk_new(q->pool, size);
    if (other == NULL)
        return false;
    if (q->chunk != NULL)
        move_to(q, other);
    q->chunk = other;
    return true;
}

enum io recvq_fill(struct recvq *q, struct world *w, int fd, size_t want)
{
    size_t len = recvq_len(q), room = ROOM_MIN, got = 0;
    enum io io;

    /* twice what is there, but no more than what is awaited */
    if (want > len) {
        room = want - len;
        if (room > len + CHUNK_SIZE / 2)
            room = len + CHUNK_SIZE / 2;
    }
    if (!make_room(q, room)) {
        errno = ENOMEM;
        return IO_FAILED;
    }
    room = q->chunk->size - q->end;
    io = w->ops->recv(w, fd, q->chunk->data + q->end, room, &got);
    if (io == IO_OK)
        q->end += got;
    return io;
}

bool recvq_put(struct recvq *q, const char *data, size_t len)
{
    if (len == 0)
        return true;
    if (!make_room(q, len))
        return false;
    memcpy(q->chunk->data + q->end, data, len);
    q->end += len;
    return true;
}

void recvq_settle(struct recvq *q)
{
    struct chunk *small;
    size_t len = recvq_len(q);

    if (q->chunk == NULL)
        return;
    if (len == 0) {
        recvq_fini(q);
    } else if (len < REST_SMALL && q->chunk->size > CHUNK_SIZE) {
        small = chunk_new(q->pool, len);
        if (small != NULL)
            move_to(q, small);
    }
}
