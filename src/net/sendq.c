#include "net/sendq.h"

#include <stdlib.h>
#include <string.h>

#include "base/unset.h"

#define IOV_PIECES 64           /* sent by one call */

void sendq_init(struct sendq *q, struct chunk_pool *pool)
{
    memset(q, 0, sizeof(*q));
    q->pool = pool;
    q->pieces = q->few;
    q->cap = SENDQ_INLINE;
}

static void drop_tail(struct sendq *q)
{
    chunk_unref(q->tail);
    q->tail = NULL;
    q->tail_used = 0;
}

void sendq_fini(struct sendq *q)
{
    for (unsigned i = 0; i < q->n; i++)
        chunk_unref(sendq_piece_at(q, i)->chunk);
    drop_tail(q);
    if (q->pieces != q->few)
        free(q->pieces);
    sendq_init(q, q->pool);
}

static bool make_room_for_piece(struct sendq *q)
{
    struct sendq_piece *wider;

    if (q->n < q->cap)
        return true;
    wider = malloc(2 * q->cap * sizeof(*wider));
    if (wider == NULL)
        return false;
    for (unsigned i = 0; i < q->n; i++)
        wider[i] = *sendq_piece_at(q, i);
    if (q->pieces != q->few)
        free(q->pieces);
    q->pieces = wider;
    q->head = 0;
    q->cap *= 2;
    return true;
}

bool sendq_add_ref(struct sendq *q, struct chunk *chunk, const char *at, size_t len)
{
    if (len == 0)
        return true;
    if (sendq_ends_at(q, chunk, at)) {
        sendq_piece_at(q, q->n - 1)->len += len;
    } else {
        if (!make_room_for_piece(q))
            return false;
        *sendq_piece_at(q, q->n++) = (struct sendq_piece){ chunk_ref(chunk), at, len };
    }
    q->bytes += len;
    return true;
}

bool sendq_new_tail(struct sendq *q, size_t len)
{
    drop_tail(q);
    q->tail = chunk_new(q->pool, len);
    return q->tail != NULL;
}

bool sendq_add(struct sendq *q, const void *data, size_t len)
{
    char *to = sendq_room(q, len);

    if (to == NULL)
        return false;
    memcpy(to, data, len);
    return sendq_commit(q, len);
}

bool sendq_add_value(struct sendq *q, struct chunk *chunk, const char *at, size_t len)
{
    return len >= SENDQ_REF_BYTES ? sendq_add_ref(q, chunk, at, len) : sendq_add(q, at, len);
}

bool sendq_move(struct sendq *to, struct sendq *from)
{
    for (; from->n > 0; from->n--) {
        struct sendq_piece *p = sendq_piece_at(from, 0);
        bool ok = p->len >= SENDQ_REF_BYTES ? sendq_add_ref(to, p->chunk, p->at, p->len)
                                            : sendq_add(to, p->at, p->len);
        if (!ok)
            return false;
        chunk_unref(p->chunk);
        from->bytes -= p->len;
        from->head++;
    }
    drop_tail(from);
    return true;
}

static void consume(struct sendq *q, size_t len)
{
    if (len == 0)
        return;
    q->bytes -= len;
    while (len > 0) {
        struct sendq_piece *p = sendq_piece_at(q, 0);
        size_t take = len < p->len ? len : p->len;

        p->at += take;
        p->len -= take;
        len -= take;
        if (p->len == 0) {
            chunk_unref(p->chunk);
            q->head++;
            q->n--;
        }
    }
    if (q->n > 0)
        return;
    drop_tail(q);               /* an idle connection holds no buffer */
    if (q->pieces != q->few) {
        free(q->pieces);
        q->pieces = q->few;
        q->cap = SENDQ_INLINE;
    }
    q->head = 0;
}

/* Describes what is to be sent first, from iov[n] on; returns their end. */
static int gather(struct sendq *q, struct iovec *iov, int n, size_t *bytes)
{
    for (unsigned i = 0; n < IOV_PIECES && i < q->n; i++, n++) {
        struct sendq_piece *p = sendq_piece_at(q, i);

        iov[n] = (struct iovec){ (void *)p->at, p->len };
        *bytes += p->len;
    }
    return n;
}

enum io sendq_flush_both(struct sendq *first, struct sendq *q, struct world *w, int fd,
                         uint64_t *sent)
{
    UNSET struct iovec iov[IOV_PIECES];
    size_t wanted, done, of_first;
    enum io io;
    int n;

    while (first->n + q->n > 0) {
        wanted = 0;
        n = gather(first, iov, 0, &wanted);
        n = gather(q, iov, n, &wanted);
        io = w->ops->sendv(w, fd, iov, n, &done);
        if (io != IO_OK)
            return io;
        of_first = done < first->bytes ? done : first->bytes;
        consume(first, of_first);
        consume(q, done - of_first);
        *sent += done - of_first;
        if (done < wanted)
            return IO_AGAIN;    /* a short write: the socket is full */
    }
    return IO_OK;
}

enum io sendq_flush(struct sendq *q, struct world *w, int fd, uint64_t *sent)
{
    struct sendq none = { .n = 0 };

    return sendq_flush_both(&none, q, w, fd, sent);
}
