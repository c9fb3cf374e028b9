/*
 * http_parts - what http.c, http_call.c and http_answer.c share, and nobody else sees
 */
#ifndef ADMIN_HTTP_PARTS_H
#define ADMIN_HTTP_PARTS_H

#include <event2/http.h>
#include <time.h>

#include "admin/conns.h"
#include "admin/http.h"

struct http_call {
    struct http *http;
    struct http_call *next, **link;
    struct evhttp_request *request;     /* NULL: nobody waits any more */
    enum http_method method;
    bool head;                  /* a GET whose answer has no body */
    struct span parts[HTTP_PARTS_MAX];  /* decoded, and terminated */
    size_t n_parts;
    struct span query;          /* of the request: "a&b=1" */
    json_t *body;               /* owned */
    char text[];                /* the path's parts */
};

struct http {
    struct evhttp *server;
    struct conns *conns;
    struct access access;
    struct http_call *calls;    /* not answered yet */
    time_t date_s;              /* of `date`, */
    char date[32];              /* a header's */
    bool ends;                  /* each answer is its connection's last */
    http_handle *handle;
    void *arg;
};

/* Instead of a call: {"error": ...} to a request that became none. */
void http_turn_down(struct http *h, struct evhttp_request *request, int status, const char *why);

/* Out of the list. */
void http_call_free(struct http_call *call);

#endif
