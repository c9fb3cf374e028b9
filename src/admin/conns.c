#include "admin/conns.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/queue.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"

#define LOOK_MS 500

enum state { IDLE, BEGUN, BUSY, SENDING };

struct conn {
    TAILQ_ENTRY(conn) at;
    struct conns *conns;
    struct bufferevent *bev;    /* the server's; our reference while it is new */
    struct evhttp_connection *evcon;    /* NULL: new, see on_fresh() */
    struct evbuffer_cb_entry *on_input;
    enum state state;
    bool spare;                 /* see conns_takes() */
    bool last;                  /* SENDING: and nothing comes after it */
    bool doomed;                /* to be hung up on in on_fresh() */
    int64_t since_ms;           /* in this state; SENDING: some of it was read */
    size_t unsent;              /* SENDING: bytes, when they were last looked at */
    void (*gone)(void *arg);
    void *arg;
};

TAILQ_HEAD(conn_list, conn);

struct conns {
    struct conns_config config;
    struct evconnlistener *listener;    /* NULL: it is gone */
    struct event *fresh, *look;
    bool leaves;                /* see conns_leave() */
    size_t n;
    struct conn_list all;       /* who became idle last is first */
    struct conn *found;         /* one of them: a request's is looked for again and again */
};

static int64_t system_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct conn *conn_of(struct conns *c, struct evhttp_request *request)
{
    const struct evhttp_connection *evcon = evhttp_request_get_connection(request);
    struct conn *conn = c->found;

    if (evcon == NULL || (conn != NULL && conn->evcon == evcon))
        return evcon != NULL ? conn : NULL;
    TAILQ_FOREACH(conn, &c->all, at)
        if (conn->evcon == evcon)
            break;
    return c->found = conn;
}

static void enter(struct conn *conn, enum state state)
{
    conn->state = state;
    conn->since_ms = conn->conns->config.now_ms();
}

/* ---- who makes room ------------------------------------------------------- */

/* What it sent may have come and not be read yet. */
static bool is_quiet(const struct conn *conn)
{
    int unread = 0;

    return conn->evcon != NULL && conn->state == IDLE
        && (ioctl(bufferevent_getfd(conn->bev), FIONREAD, &unread) != 0 || unread == 0);
}

static struct conn *longest_quiet(struct conns *c)
{
    struct conn *conn;

    TAILQ_FOREACH_REVERSE(conn, &c->all, conn_list, at)
        if (is_quiet(conn))
            return conn;
    return NULL;
}

/* on_close() is called on the way. */
static void hang_up(struct conn *conn)
{
    evhttp_connection_free(conn->evcon);
}

static size_t limit_of(const struct conns *c)
{
    return c->config.max + c->config.spare;
}

static void let_in(struct conns *c)
{
    if (c->listener != NULL && !c->leaves
        && (c->n < limit_of(c) || longest_quiet(c) != NULL))
        evconnlistener_enable(c->listener);
}

/* ---- how one goes --------------------------------------------------------- */

static void forget(struct conn *conn)
{
    struct conns *c = conn->conns;

    TAILQ_REMOVE(&c->all, conn, at);
    c->n--;
    if (c->found == conn)
        c->found = NULL;
    free(conn);
    let_in(c);
}

static void on_close(struct evhttp_connection *evcon, void *arg)
{
    struct conn *conn = arg;

    (void)evcon;
    if (conn->on_input != NULL)         /* there was memory for it */
        evbuffer_remove_cb_entry(bufferevent_get_input(conn->bev), conn->on_input);
    if (conn->gone != NULL)
        conn->gone(conn->arg);
    forget(conn);
}

static void on_input(struct evbuffer *input, const struct evbuffer_cb_info *info, void *arg)
{
    struct conn *conn = arg;

    (void)input;
    if (info->n_added > 0 && conn->state == IDLE)
        enter(conn, BEGUN);
}

/* The next request may be there already.  The server is not done with this one. */
static void on_sent(struct evhttp_request *request, void *arg)
{
    struct conns *c = arg;
    struct conn *conn = conn_of(c, request);

    if (conn == NULL)
        return;
    enter(conn, evbuffer_get_length(bufferevent_get_input(conn->bev)) > 0 ? BEGUN : IDLE);
    TAILQ_REMOVE(&c->all, conn, at);
    TAILQ_INSERT_HEAD(&c->all, conn, at);
    conn->doomed = conn->last;
    if (conn->doomed)
        event_active(c->fresh, EV_TIMEOUT, 1);
    let_in(c);
}

/* ---- how one comes -------------------------------------------------------- */

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

/* False: the server could not keep it. */
static bool meet(struct conn *conn)
{
    struct bufferevent *bev = conn->bev;
    struct evhttp_connection *evcon = connection_of(bev);

    conn->evcon = evcon;
    if (evcon == NULL) {
        forget(conn);
    } else {
        conn->on_input = evbuffer_add_cb(bufferevent_get_input(bev), on_input, conn);
        evhttp_connection_set_closecb(evcon, on_close, conn);
    }
    bufferevent_decref(bev);
    return evcon != NULL;
}

/* Right after those were accepted, or have sent their last, before one of them is read. */
static void on_fresh(evutil_socket_t fd, short what, void *arg)
{
    struct conns *c = arg;
    struct conn *conn, *next;

    (void)fd;
    (void)what;
    for (conn = TAILQ_FIRST(&c->all); conn != NULL; conn = next) {
        next = TAILQ_NEXT(conn, at);
        if (conn->evcon == NULL && !meet(conn))
            continue;
        if (conn->doomed)
            hang_up(conn);
    }
}

/* NULL: the server tries it itself, in vain as well. */
static struct bufferevent *make_bev(struct event_base *base, void *arg)
{
    struct conns *c = arg;
    struct conn *quiet = c->n >= c->config.max ? longest_quiet(c) : NULL;
    struct bufferevent *bev;
    struct conn *conn;

    if (quiet != NULL)
        hang_up(quiet);
    bev = bufferevent_socket_new(base, -1, 0);
    if (bev == NULL)
        return NULL;
    bufferevent_incref(bev);
    bufferevent_setwatermark(bev, EV_READ, 0, c->config.input_max);
    conn = xzalloc(sizeof(*conn));
    conn->conns = c;
    conn->bev = bev;
    conn->spare = c->n >= c->config.max;
    conn->doomed = c->n >= limit_of(c);
    enter(conn, IDLE);
    TAILQ_INSERT_HEAD(&c->all, conn, at);
    if (++c->n >= limit_of(c))
        evconnlistener_disable(c->listener);
    event_active(c->fresh, EV_TIMEOUT, 1);
    return bev;
}

/* Without a rest it would be called again at once, and so on: let_in() ends that.
 * The argument is the server's. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
    (void)arg;
    log_warn("admin", "cannot accept connections for now, raise LimitNOFILE (ulimit -n) or lower "
             "--conn-limit: %s", strerror(errno));
    evconnlistener_disable(listener);
}

/* ---- requests ------------------------------------------------------------- */

void conns_begin(struct conns *c, struct evhttp_request *request,
                 void (*gone)(void *arg), void *arg)
{
    struct conn *conn = conn_of(c, request);

    if (conn == NULL)
        return;
    enter(conn, BUSY);
    conn->gone = gone;
    conn->arg = arg;
}

bool conns_takes(struct conns *c, struct evhttp_request *request)
{
    struct conn *conn = conn_of(c, request);

    if (conn != NULL && c->n <= c->config.max)
        conn->spare = false;    /* there is room by now */
    return conn == NULL || !conn->spare;
}

size_t conns_unsent(const struct conns *c)
{
    const struct conn *conn;
    size_t sum = 0;

    TAILQ_FOREACH(conn, &c->all, at)
        if (conn->state == SENDING)
            sum += evbuffer_get_length(bufferevent_get_output(conn->bev));
    return sum;
}

void conns_end(struct conns *c, struct evhttp_request *request)
{
    struct conn *conn = conn_of(c, request);

    if (conn == NULL)
        return;
    enter(conn, SENDING);
    conn->unsent = SIZE_MAX;
    conn->gone = NULL;
    /* the server would keep it open for the tunnel */
    conn->last = evhttp_request_get_command(request) == EVHTTP_REQ_CONNECT;
    evhttp_request_set_on_complete_cb(request, on_sent, c);
}

/* ---- time ----------------------------------------------------------------- */

static void note_progress(struct conn *conn, int64_t now)
{
    const size_t unsent = evbuffer_get_length(bufferevent_get_output(conn->bev));

    if (unsent < conn->unsent)
        conn->since_ms = now;
    conn->unsent = unsent;
}

static bool is_over(struct conn *conn, int64_t now)
{
    switch (conn->state) {
    case IDLE:
        return now - conn->since_ms >= CONNS_IDLE_MS;
    case BEGUN:
        return now - conn->since_ms >= CONNS_PATIENCE_MS;
    case SENDING:
        note_progress(conn, now);
        return now - conn->since_ms >= CONNS_PATIENCE_MS;
    case BUSY:                  /* whoever is asked has a time limit himself */
        return false;
    }
    return false;
}

void conns_look(struct conns *c)
{
    const int64_t now = c->config.now_ms();
    struct conn *conn, *next;

    for (conn = TAILQ_FIRST(&c->all); conn != NULL; conn = next) {
        next = TAILQ_NEXT(conn, at);
        if (conn->evcon != NULL && is_over(conn, now))
            hang_up(conn);
    }
    let_in(c);
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    conns_look(arg);
}

/* ---- the end -------------------------------------------------------------- */

bool conns_rest(const struct conns *c)
{
    const struct conn *conn;

    TAILQ_FOREACH(conn, &c->all, at)
        if (!is_quiet(conn))
            return false;
    return true;
}

void conns_leave(struct conns *c)
{
    struct conn *conn, *next;

    c->leaves = true;
    evconnlistener_disable(c->listener);
    for (conn = TAILQ_FIRST(&c->all); conn != NULL; conn = next) {
        next = TAILQ_NEXT(conn, at);
        if (is_quiet(conn))
            hang_up(conn);
    }
}

void conns_stay(struct conns *c)
{
    c->leaves = false;
    let_in(c);
}

size_t conns_count(const struct conns *c)
{
    return c->n;
}

/* ---- life ----------------------------------------------------------------- */

struct conns *conns_new(const struct conns_config *config)
{
    const struct timeval often = { 0, LOOK_MS * 1000 };
    struct conns *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    c->config = *config;
    if (c->config.now_ms == NULL)
        c->config.now_ms = system_ms;
    TAILQ_INIT(&c->all);
    c->fresh = event_new(config->base, -1, 0, on_fresh, c);
    c->look = event_new(config->base, -1, EV_PERSIST, on_look, c);
    if (c->fresh == NULL || c->look == NULL || event_add(c->look, &often) != 0) {
        conns_free(c);
        return NULL;
    }
    c->listener = config->listener;
    evconnlistener_set_error_cb(c->listener, on_accept_error);
    evhttp_set_bevcb(config->server, make_bev, c);
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
