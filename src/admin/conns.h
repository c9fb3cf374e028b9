/*
 * conns - the connections of a HTTP server, counted and timed
 *
 * libevent's HTTP server bounds neither how many there are nor how long one may
 * take: each byte of a request starts its patience anew.
 *
 *      IDLE --a byte--> BEGUN --whole--> BUSY --answered--> SENDING --sent--> IDLE
 *
 * Who is idle may be so for long, and who has been longest makes room for who comes
 * when there are many.  The others are left alone, and are bounded in time: a request
 * that does not come to its end is cut, and so is who does not read his answer.
 */
#ifndef ADMIN_CONNS_H
#define ADMIN_CONNS_H

#include <event2/http.h>
#include <event2/listener.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONNS_MAX 256
#define CONNS_SPARE 32          /* beyond them, see conns_takes(); more wait to be accepted */
#define CONNS_IDLE_MS 120000    /* from an answer, or the connect, to the next byte */
#define CONNS_PATIENCE_MS 5000  /* for a request from its first byte on; for a reader */

struct conns;

/* All is borrowed. */
struct conns_config {
    struct event_base *base;
    struct evhttp *server;
    struct evconnlistener *listener;
    size_t max, spare;
    size_t input_max;           /* bytes that one may send ahead: a whole request at least */
    int64_t (*now_ms)(void);    /* NULL: the system's */
};

/* NULL when memory is short. */
struct conns *conns_new(const struct conns_config *config);
/* Before evhttp_free(), and after it.  They cope with NULL. */
void conns_stop(struct conns *c);
void conns_free(struct conns *c);

/* A request has come whole.  `gone` is called if its connection goes before
 * conns_end(). */
void conns_begin(struct conns *c, struct evhttp_request *request,
                 void (*gone)(void *arg), void *arg);
/* False: all others are busy, and nothing is to be done for this one: it is to be told
 * so, and closed. */
bool conns_takes(struct conns *c, struct evhttp_request *request);
/* Bytes of answers that are not read yet. */
size_t conns_unsent(const struct conns *c);
/* It is about to be answered. */
void conns_end(struct conns *c, struct evhttp_request *request);

/* Nobody waits for an answer, or has sent what is not one yet. */
bool conns_rest(const struct conns *c);

/* Nobody is accepted any more, and who is idle is closed; and back. */
void conns_leave(struct conns *c);
void conns_stay(struct conns *c);
size_t conns_count(const struct conns *c);

/* Closes those whose time is over.  A timer does so twice a second. */
void conns_look(struct conns *c);

#endif
