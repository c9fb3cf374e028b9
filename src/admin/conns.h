/*
 * conns - the connections of a HTTP server, counted and timed
 *
 * libevent's HTTP server bounds neither how many there are nor how long one may
 * take to send a request: each step of it starts its patience anew.
 */
#ifndef ADMIN_CONNS_H
#define ADMIN_CONNS_H

#include <event2/http.h>
#include <event2/listener.h>

#define CONNS_MAX 64            /* more wait to be accepted */
#define CONNS_PATIENCE_MS 5000  /* from the connect, or an answer, to a whole request */

struct conns;

/* NULL when memory is short.  All three are borrowed. */
struct conns *conns_new(struct event_base *base, struct evhttp *server,
                        struct evconnlistener *listener);
/* Before evhttp_free(), and after it.  They cope with NULL. */
void conns_stop(struct conns *c);
void conns_free(struct conns *c);

/* A request has come whole.  `gone` is called if its connection goes before
 * conns_end(). */
void conns_begin(struct conns *c, struct evhttp_request *request,
                 void (*gone)(void *arg), void *arg);
/* It is answered. */
void conns_end(struct conns *c, struct evhttp_request *request);

#endif
