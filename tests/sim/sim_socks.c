#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sim_conn.h"

#define FIRST_FD 3
#define FDS_MAX 1024
#define CALL_NS 500             /* of a socket */

struct sock *sock_of(struct host *h, int fd)
{
    assert(fd >= FIRST_FD && fd < h->n_socks && h->socks[fd].open);
    return &h->socks[fd];
}

/* The least free number, as a kernel gives it. */
static int new_sock(struct host *h)
{
    int fd = FIRST_FD;

    while (fd < h->n_socks && h->socks[fd].open)
        fd++;
    if (fd >= FDS_MAX) {
        errno = EMFILE;
        return -1;
    }
    if (fd >= h->n_socks) {
        h->socks = xrealloc(h->socks, ((size_t)fd + 1) * sizeof(*h->socks));
        while (h->n_socks <= fd)
            h->socks[h->n_socks++] = (struct sock){ .open = false };
    }
    h->socks[fd] = (struct sock){ .open = true };
    return fd;
}

static int fail(int error)
{
    errno = error;
    return -1;
}

int sim_listen(struct world *w, const char *address, int backlog, unsigned unix_mask)
{
    struct host *h = host_of(w);
    struct address *a = address_get(h->sim, address);
    struct listener *l;
    int fd;

    (void)unix_mask;
    if (!h->up)
        return fail(EIO);
    if (a->listener != NULL)
        return fail(EADDRINUSE);
    if ((fd = new_sock(h)) < 0)
        return -1;
    l = xzalloc(sizeof(*l));
    *l = (struct listener){ .address = a, .host = h, .fd = fd, .backlog = backlog };
    l->queue = xmalloc(((size_t)backlog + 1) * sizeof(struct conn *));
    a->host = h;
    a->listener = h->socks[fd].listener = l;
    return fd;
}

int sim_accept(struct world *w, int fd)
{
    struct host *h = host_of(w);
    struct listener *l = sock_of(h, fd)->listener;
    struct conn *c;
    int accepted;

    if (l == NULL)
        return fail(EINVAL);
    if (l->n_queued == 0)
        return fail(EAGAIN);
    if ((accepted = new_sock(h)) < 0)
        return -1;
    host_spend(h, CALL_NS);
    c = l->queue[0];
    l->n_queued--;
    memmove(l->queue, l->queue + 1, (size_t)l->n_queued * sizeof(struct conn *));
    h->socks[accepted].conn = c;
    h->socks[accepted].side = 1;
    c->ends[1].state = END_OPEN;
    c->ends[1].fd = accepted;
    return accepted;
}

int sim_connect(struct world *w, const char *address)
{
    struct host *h = host_of(w);
    struct address *a = address_find(h->sim, address);
    int fd;

    if (!h->up || a == NULL)
        return fail(ECONNREFUSED);
    if ((fd = new_sock(h)) < 0)
        return -1;
    host_spend(h, CALL_NS);
    h->socks[fd].conn = conn_new(h, a);
    h->socks[fd].conn->ends[0].fd = fd;
    conn_send(h->socks[fd].conn, 1, PIECE_SYN, 0, host_now(h), 0);
    return fd;
}

int sim_connect_result(struct world *w, int fd)
{
    const struct sock *sock = sock_of(host_of(w), fd);

    return sock->conn == NULL ? ECONNRESET : sock->conn->ends[sock->side].error;
}

enum io sim_recv(struct world *w, int fd, void *to, size_t size, size_t *got)
{
    struct host *h = host_of(w);
    const struct sock *sock = sock_of(h, fd);
    struct conn *c = sock->conn;
    struct flow *f;

    assert(size > 0);
    host_spend(h, CALL_NS);
    if (c == NULL) {
        errno = ECONNRESET;
        return IO_FAILED;
    }
    f = &c->flows[sock->side];
    if (f->arrived == 0) {
        errno = c->ends[sock->side].error;
        if (errno != 0)
            return IO_FAILED;
        return c->ends[sock->side].eof ? IO_EOF : IO_AGAIN;
    }
    *got = f->arrived < size ? f->arrived : size;
    if (chance_below(&h->sim->net, 32) == 0)
        *got = 1 + chance_below(&h->sim->net, *got);
    memcpy(to, f->bytes + f->start, *got);
    flow_take(f, *got);
    if (f->starved) {
        f->starved = false;
        conn_send(c, !sock->side, PIECE_ROOM, 0, host_now(h), 0);
    }
    return IO_OK;
}

/* So many bytes leave: in one piece, or in some. */
static void send_pieces(struct conn *c, int to, size_t len)
{
    struct host *h = c->ends[!to].host;
    size_t part;

    while (len > 0) {
        part = len;
        if (chance_below(&h->sim->net, 8) == 0)
            part = 1 + chance_below(&h->sim->net, len);
        conn_send(c, to, PIECE_DATA, part, host_now(h), 0);
        len -= part;
    }
}

enum io sim_sendv(struct world *w, int fd, const struct iovec *iov, int n_iov, size_t *sent)
{
    struct host *h = host_of(w);
    const struct sock *sock = sock_of(h, fd);
    struct conn *c = sock->conn;
    struct flow *f;
    size_t room, len;

    host_spend(h, CALL_NS);
    if (c == NULL || c->ends[sock->side].error != 0) {
        errno = c == NULL ? EPIPE : c->ends[sock->side].error;
        return IO_FAILED;
    }
    room = conn_room(c, sock->side);
    if (room == 0)
        return IO_AGAIN;
    if (chance_below(&h->sim->net, 64) == 0)
        room = 1 + chance_below(&h->sim->net, room);
    f = &c->flows[!sock->side];
    *sent = 0;
    for (int i = 0; i < n_iov && room > 0; i++) {
        len = iov[i].iov_len < room ? iov[i].iov_len : room;
        flow_append(f, iov[i].iov_base, len);
        sim_mix_bytes(h->sim, iov[i].iov_base, len);
        room -= len;
        *sent += len;
    }
    f->used += *sent;
    f->starved = f->used >= c->room;
    send_pieces(c, !sock->side, *sent);
    return IO_OK;
}

static void close_end(struct conn *c, int side)
{
    struct end *e = &c->ends[side];
    struct flow *in = &c->flows[side];
    const int64_t now_ns = host_now(e->host);

    if (e->state == END_OPEN && e->error == 0 && (in->arrived > 0 || !e->shut))
        conn_send(c, !side, in->arrived > 0 ? PIECE_RST : PIECE_FIN, 0, now_ns, 0);
    flow_take(in, in->arrived);
    e->state = END_CLOSED;
    e->fd = -1;
    conn_reap(c);
}

void sim_shut(struct world *w, int fd)
{
    struct host *h = host_of(w);
    const struct sock *sock = sock_of(h, fd);
    struct end *e = sock->conn != NULL ? &sock->conn->ends[sock->side] : NULL;

    host_spend(h, CALL_NS);
    if (e == NULL || e->state != END_OPEN || e->error != 0 || e->shut)
        return;
    e->shut = true;
    conn_send(sock->conn, !sock->side, PIECE_FIN, 0, host_now(h), 0);
}

void sim_close(struct world *w, int fd)
{
    struct host *h = host_of(w);
    struct sock *sock = sock_of(h, fd);

    assert(sock->watch == NULL && "closed while it is watched");
    host_spend(h, h->up ? CALL_NS : 0);
    if (sock->conn != NULL)
        close_end(sock->conn, sock->side);
    sim_listener_free(sock->listener);
    *sock = (struct sock){ .open = false };
}

void sim_peer_name(struct world *w, int fd, char *out, size_t size)
{
    const struct sock *sock = sock_of(host_of(w), fd);
    const struct conn *c = sock->conn;

    if (c == NULL)
        snprintf(out, size, "?");
    else if (strchr("/@", c->to->text[0]) != NULL)
        snprintf(out, size, "unix");
    else if (sock->side == 0)
        snprintf(out, size, "%s", c->to->text);
    else
        snprintf(out, size, "10.0.0.%u:%u", c->ends[0].host->id + 1,
                 32768 + (unsigned)(c->id % 28000));
}

int sim_ready(struct host *h, int fd)
{
    const struct sock *sock = sock_of(h, fd);
    struct conn *c = sock->conn;
    const struct end *e;

    if (sock->listener != NULL)
        return sock->listener->n_queued > 0 ? WATCH_READ : 0;
    if (c == NULL)
        return 0;
    e = &c->ends[sock->side];
    if (e->error != 0)
        return WATCH_READ | WATCH_WRITE;
    if (e->state == END_CONNECTING)
        return 0;
    return (c->flows[sock->side].arrived > 0 || e->eof ? WATCH_READ : 0) |
           (conn_room(c, sock->side) > 0 ? WATCH_WRITE : 0);
}
