#include "admin/conns.h"

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#define LOOK_MS 500

struct conn {
    struct bufferevent *bev;    /* the server's; our reference while it is new */
    struct evhttp_connection *evcon;    /* NULL: new, see on_fresh() */
    int64_t since_ms;           /* it may send since then */
    bool busy;                  /* with a request that is not answered yet */
    void (*gone)(void *arg);
    void *arg;
};

struct conns {
    struct evconnlistener *listener;    /* NULL: it is gone */
    struct event *fresh, *look;
    size_t n;
    struct conn conn[CONNS_MAX];
};

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct conn *conn_of(struct conns *c, const struct evhttp_connection *evcon)
{
    for (size_t i = 0; evcon != NULL && i < c->n; i++)
        if (c->conn[i].evcon == evcon)
            return &c->conn[i];
    return NULL;
}

static void forget(struct conns *c, struct conn *conn)
{
    *conn = c->conn[--c->n];
    if (c->listener != NULL)
        evconnlistener_enable(c->listener);
}

static void on_close(struct evhttp_connection *evcon, void *arg)
{
    struct conns *c = arg;
    struct conn *conn = conn_of(c, evcon);

    if (conn == NULL)
        return;
    if (conn->gone != NULL)
        conn->gone(conn->arg);
    forget(c, conn);
}

/*
 * The server asks for a buffer event before there is a connection, and shows
 * the connection with its first request only.  But it is the argument of the
 * callbacks that the server has set by now.
 */
static struct evhttp_connection *connection_of(struct bufferevent *bev)
{
    bufferevent_event_cb on_event = NULL;
    void *evcon = NULL;

    bufferevent_getcb(bev, NULL, NULL, &on_event, &evcon);
    return on_event != NULL && evhttp_connection_get_bufferevent(evcon) == bev ? evcon : NULL;
}

/* Right after those were accepted, before one of them is read. */
static void on_fresh(evutil_socket_t fd, short what, void *arg)
{
    struct conns *c = arg;

    (void)fd;
    (void)what;
    for (size_t i = c->n; i-- > 0;) {
        struct conn *conn = &c->conn[i];
        struct bufferevent *bev = conn->bev;

        if (conn->evcon != NULL)
            continue;
        conn->evcon = connection_of(bev);
        if (conn->evcon != NULL)
            evhttp_connection_set_closecb(conn->evcon, on_close, c);
        else
            forget(c, conn);    /* the server could not keep it */
        bufferevent_decref(bev);
    }
}

static void look_later(struct conns *c)
{
    const struct timeval after = { 0, LOOK_MS * 1000 };

    if (c->n > 0 && !event_pending(c->look, EV_TIMEOUT, NULL))
        (void)event_add(c->look, &after);
}

/* Who has sent no request is shut; the server sees that, and closes. */
static void on_look(evutil_socket_t fd, short what, void *arg)
{
    struct conns *c = arg;
    const int64_t now = now_ms();

    (void)fd;
    (void)what;
    for (size_t i = 0; i < c->n; i++)
        if (!c->conn[i].busy && now - c->conn[i].since_ms >= CONNS_PATIENCE_MS)
            (void)shutdown(bufferevent_getfd(c->conn[i].bev), SHUT_RDWR);
    look_later(c);
}

/* NULL: the server makes one itself, which nobody counts. */
static struct bufferevent *make_bev(struct event_base *base, void *arg)
{
    struct conns *c = arg;
    struct bufferevent *bev = c->n < CONNS_MAX ? bufferevent_socket_new(base, -1, 0) : NULL;

    if (bev == NULL)
        return NULL;
    bufferevent_incref(bev);
    c->conn[c->n++] = (struct conn){ .bev = bev, .since_ms = now_ms() };
    if (c->n == CONNS_MAX)
        evconnlistener_disable(c->listener);
    event_active(c->fresh, EV_TIMEOUT, 1);
    look_later(c);
    return bev;
}

void conns_begin(struct conns *c, struct evhttp_request *request,
                 void (*gone)(void *arg), void *arg)
{
    struct conn *conn = conn_of(c, evhttp_request_get_connection(request));

    if (conn == NULL)
        return;
    conn->busy = true;
    conn->gone = gone;
    conn->arg = arg;
}

void conns_end(struct conns *c, struct evhttp_request *request)
{
    struct conn *conn = conn_of(c, evhttp_request_get_connection(request));

    if (conn == NULL)
        return;
    conn->busy = false;
    conn->gone = NULL;
    conn->since_ms = now_ms();
}

struct conns *conns_new(struct event_base *base, struct evhttp *server,
                        struct evconnlistener *listener)
{
    struct conns *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    c->listener = listener;
    c->fresh = event_new(base, -1, 0, on_fresh, c);
    c->look = event_new(base, -1, 0, on_look, c);
    if (c->fresh == NULL || c->look == NULL) {
        conns_free(c);
        return NULL;
    }
    evhttp_set_bevcb(server, make_bev, c);
    return c;
}

void conns_stop(struct conns *c)
{
    if (c == NULL)
        return;
    on_fresh(-1, EV_TIMEOUT, c);        /* those that wait for it */
    c->listener = NULL;         /* the server frees it before its connections */
}

void conns_free(struct conns *c)
{
    if (c == NULL)
        return;
    if (c->fresh != NULL)
        event_free(c->fresh);
    if (c->look != NULL)
        event_free(c->look);
    free(c);
}
