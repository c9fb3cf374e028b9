#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fake_parts.h"
#include "loop_parts.h"

/* time and chance */

static int64_t mono_ns(struct world *w)
{
    return fake_of(w)->now_ns;
}

static int64_t wall_ms(struct world *w)
{
    return WALL_START_MS + fake_of(w)->now_ns / 1000000;
}

static void random_bytes(struct world *w, void *out, size_t len)
{
    chance_fill(&fake_of(w)->chance, out, len);
}

/* sockets */

static int new_end(struct world *w)
{
    struct fake *f = fake_of(w);

    for (int fd = FIRST_FD; fd < MAX_FDS; fd++) {
        if (f->ends[fd].open)
            continue;
        f->ends[fd] = (struct end){ .open = true, .far = -1, .room = SIZE_MAX,
                                    .gulp = SIZE_MAX };
        return fd;
    }
    errno = EMFILE;
    return -1;
}

static void append(struct end *e, const void *data, size_t len)
{
    if (e->len + len + 1 > e->cap) {
        e->cap = 2 * (e->len + len) + 64;
        e->in = xrealloc(e->in, e->cap);
    }
    memcpy(e->in + e->len, data, len);
    e->len += len;
    e->in[e->len] = '\0';
}

static void take_off(struct end *e, size_t len)
{
    assert(len <= e->len);
    e->len -= len;
    if (e->in != NULL)
        memmove(e->in, e->in + len, e->len + 1);
}

static struct end *listener_at(struct world *w, const char *address)
{
    for (int fd = FIRST_FD; fd < MAX_FDS; fd++) {
        struct end *e = &fake_of(w)->ends[fd];

        if (e->open && e->address != NULL && strcmp(e->address, address) == 0)
            return e;
    }
    return NULL;
}

static int op_listen(struct world *w, const char *address, int backlog, unsigned unix_mask)
{
    int fd = -1;

    (void)unix_mask;
    if (listener_at(w, address) != NULL)
        errno = EADDRINUSE;
    else if ((fd = new_end(w)) >= 0) {
        end_of(w, fd)->address = xstrdup(address);
        end_of(w, fd)->backlog = backlog < BACKLOG_MAX ? backlog : BACKLOG_MAX;
    }
    return fd;
}

static int op_accept(struct world *w, int fd)
{
    struct end *e = end_of(w, fd);
    int first = e->queue[0];

    if (e->n_queued == 0) {
        errno = EAGAIN;
        return -1;
    }
    e->n_queued--;
    memmove(e->queue, e->queue + 1, (size_t)e->n_queued * sizeof(e->queue[0]));
    return first;
}

static int op_connect(struct world *w, const char *address)
{
    struct end *to = listener_at(w, address);
    int fd, far;

    if (to == NULL) {
        errno = ECONNREFUSED;
        return -1;
    }
    fd = fake_pair(w, &far);
    if (fd < 0)
        return -1;
    end_of(w, fd)->connecting = true;
    end_of(w, fd)->connect_error = fake_of(w)->connect_error;
    if (to->n_queued < to->backlog)
        to->queue[to->n_queued++] = far;
    else
        end_of(w, fd)->hangs = true;
    if (end_of(w, fd)->hangs)
        w->ops->close(w, far);
    return fd;
}

static int op_connect_result(struct world *w, int fd)
{
    end_of(w, fd)->connecting = false;
    return end_of(w, fd)->connect_error;
}

static enum io op_recv(struct world *w, int fd, void *to, size_t size, size_t *got)
{
    struct end *e = end_of(w, fd);
    size_t len = e->len < size ? e->len : size;

    e->counts.recvs++;
    fake_of(w)->counts.recvs++;
    assert(size > 0);
    if (e->reset) {
        errno = ECONNRESET;
        return IO_FAILED;
    }
    if (len == 0)
        return e->eof ? IO_EOF : IO_AGAIN;
    *got = len < e->gulp ? len : e->gulp;
    memcpy(to, e->in, *got);
    take_off(e, *got);
    return IO_OK;
}

static enum io op_sendv(struct world *w, int fd, const struct iovec *iov, int n, size_t *sent)
{
    struct end *e = end_of(w, fd), *far = far_of(w, fd);

    e->counts.sends++;
    fake_of(w)->counts.sends++;
    if (far == NULL || e->reset) {
        errno = e->reset ? ECONNRESET : EPIPE;
        return IO_FAILED;
    }
    if (far->len >= far->room)
        return IO_AGAIN;
    *sent = 0;
    for (int i = 0; i < n; i++) {
        size_t room = far->room - far->len;
        size_t len = iov[i].iov_len < room ? iov[i].iov_len : room;

        append(far, iov[i].iov_base, len);
        *sent += len;
    }
    return IO_OK;
}

static void op_shut(struct world *w, int fd)
{
    struct end *far = far_of(w, fd);

    if (far != NULL)
        far->eof = true;
}

static void op_close(struct world *w, int fd)
{
    struct end *e = end_of(w, fd), *far = far_of(w, fd);

    assert(e->watched == 0 && "closed while it is watched");
    if (far != NULL) {
        far->far = -1;
        far->eof = true;
    }
    while (e->n_queued > 0)
        w->ops->close(w, e->queue[--e->n_queued]);
    free(e->in);
    free(e->address);
    e->open = false;
}

static void op_peer_name(struct world *w, int fd, char *out, size_t size)
{
    snprintf(out, size, "10.0.0.1:%d", end_of(w, fd)->far);
}

/* files: there are none */

static int op_load(struct world *w, const char *path, char **data, size_t *len)
{
    (void)w;
    (void)path;
    *data = NULL;
    *len = 0;
    errno = ENOENT;
    return -1;
}

static int op_save(struct world *w, const char *path, const char *data, size_t len)
{
    (void)w;
    (void)path;
    (void)data;
    (void)len;
    errno = EROFS;
    return -1;
}

/* for the test */

static const struct world_ops fake_ops = {
    mono_ns, wall_ms, random_bytes,
    op_listen, op_accept, op_connect, op_connect_result, op_recv, op_sendv, op_shut, op_close,
    op_peer_name, op_load, op_save,
    fake_loop_new, fake_loop_free, fake_loop_turn, fake_loop_wake,
    fake_watch_new, fake_watch_set, fake_watch_free,
    fake_timer_new, fake_timer_set, fake_timer_free,
};

struct world *fake_world_new(uint64_t seed)
{
    struct fake *f = xzalloc(sizeof(*f));

    f->world.ops = &fake_ops;
    f->chance.state = seed;
    f->now_ns = f->until_ns = 1000000000;       /* not 0, which may mean "never" */
    return &f->world;
}

void fake_world_free(struct world *w)
{
    struct fake *f = fake_of(w);

    assert(f->n_loops == 0 && f->n_watches == 0 && f->n_timers == 0);
    for (int fd = FIRST_FD; fd < MAX_FDS; fd++)
        if (f->ends[fd].open)
            op_close(w, fd);
    free(f->taken);
    free(f);
}

int64_t fake_now_ms(const struct world *w)
{
    return ((const struct fake *)w)->now_ns / 1000000;
}

void fake_let_pass(struct world *w, int64_t ms, void (*idle)(void *arg), void *arg)
{
    struct fake *f = fake_of(w);

    f->until_ns = f->now_ns + ms * 1000000;
    f->idle = idle;
    f->idle_arg = arg;
}

int fake_pair(struct world *w, int *far)
{
    int fd = new_end(w);

    *far = fd >= 0 ? new_end(w) : -1;
    if (fd >= 0 && *far < 0)
        op_close(w, fd);
    if (*far < 0)
        return -1;
    end_of(w, fd)->far = *far;
    end_of(w, *far)->far = fd;
    return fd;
}

int fake_accept(struct world *w, const char *address)
{
    struct end *e = listener_at(w, address);

    assert(e != NULL);
    return op_accept(w, (int)(e - fake_of(w)->ends));
}

void fake_unlisten(struct world *w, const char *address)
{
    struct end *e = listener_at(w, address);

    assert(e != NULL);
    op_close(w, (int)(e - fake_of(w)->ends));
}

void fake_fail_connects(struct world *w, int error)
{
    fake_of(w)->connect_error = error;
}

void fake_write(struct world *w, int fd, const void *data, size_t len)
{
    struct end *far = far_of(w, fd);

    if (far != NULL)            /* else nobody is there to read it */
        append(far, data, len);
}

const char *fake_peek(struct world *w, int fd, size_t *len)
{
    struct end *e = end_of(w, fd);

    *len = e->len;
    return e->in != NULL ? e->in : "";
}

const char *fake_take(struct world *w, int fd, size_t *len)
{
    struct fake *f = fake_of(w);
    struct end *e = end_of(w, fd);
    size_t taken = e->len;

    append(e, "", 0);           /* so that there is a block, and a NUL in it */
    free(f->taken);
    f->taken = e->in;
    e->in = NULL;
    e->len = e->cap = 0;
    if (len != NULL)
        *len = taken;
    return f->taken;
}

void fake_consume(struct world *w, int fd, size_t len)
{
    take_off(end_of(w, fd), len);
}

void fake_shut(struct world *w, int fd)
{
    struct end *far = far_of(w, fd);

    if (far != NULL)
        far->eof = true;
}

void fake_reset(struct world *w, int fd)
{
    struct end *far = far_of(w, fd);

    if (far != NULL)
        far->reset = true;
    end_of(w, fd)->reset = true;
}

bool fake_is_closed(struct world *w, int fd)
{
    return end_of(w, fd)->eof || end_of(w, fd)->reset;
}

void fake_set_room(struct world *w, int fd, size_t bytes)
{
    end_of(w, fd)->room = bytes;
}

void fake_set_gulp(struct world *w, int fd, size_t bytes)
{
    struct end *far = far_of(w, fd);

    assert(far != NULL && bytes > 0);
    far->gulp = bytes;
}

struct fake_counts fake_counts(struct world *w, int fd)
{
    struct end *far = fd >= 0 ? far_of(w, fd) : NULL;

    assert(fd < 0 || far != NULL);
    return far != NULL ? far->counts : fake_of(w)->counts;
}

bool fake_is_watched(struct world *w, int fd, int what)
{
    struct end *far = far_of(w, fd);

    return far != NULL && (far->watched & what) == what;
}
