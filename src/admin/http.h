/*
 * http - requests over HTTP, checked; answers as JSON or bytes
 *
 *      bytes --libevent--> request --http--> struct http_call --handle--> http_answer
 *
 * Who may ask what is said by access.h.
 */
#ifndef ADMIN_HTTP_H
#define ADMIN_HTTP_H

#include <event2/buffer.h>
#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "admin/access.h"
#include "admin/uri.h"

#define HTTP_HEADERS_MAX 8192
#define HTTP_JSON_MAX 65536     /* bytes of a body of JSON, or a form */
#define HTTP_PARTS_MAX 6
#define HTTP_UNSENT_MAX ((size_t)64 << 20)      /* bytes of answers that nobody has read */

struct http;
struct http_call;

enum http_method { HTTP_GET = 1, HTTP_POST = 2, HTTP_PUT = 4, HTTP_DELETE = 8 };

/* Answers now or later, once. */
typedef void http_handle(void *arg, struct http_call *call);

struct http_config {
    int fd;                     /* listens, and is taken over in any case */
    size_t body_max;            /* bytes */
    struct access access;       /* what it points to is borrowed */
};

/* NULL when memory is short. */
struct http *http_new(struct event_base *base, const struct http_config *config,
                      http_handle *handle, void *arg);
/* Calls that are not answered yet are forgotten.  Copes with NULL. */
void http_free(struct http *h);

/* From here on each answer is its connection's last.  Who comes is still answered. */
void http_drain(struct http *h);
/* What has come, or has begun to, is answered. */
bool http_is_drained(const struct http *h);

/* The same for another program, which is to accept who comes: they wait for it, and
 * who asks nothing is closed.  http_stay() takes it back. */
void http_leave(struct http *h);
bool http_has_left(const struct http *h);
void http_stay(struct http *h);

enum http_method http_call_method(const struct http_call *call);

/* The path's parts between slashes, decoded: "/v1/nodes" has two, "/" none.  NULL where
 * there is none; `len` may be NULL: then one with a zero byte is none. */
const char *http_call_part(const struct http_call *call, size_t i, size_t *len);
size_t http_call_n_parts(const struct http_call *call);

/* Of the request, as long as somebody waits; NULL: it is not there. */
const char *http_call_header(const struct http_call *call, const char *name);

/* The body as it came, the same. */
struct span http_call_bytes(const struct http_call *call);

/* Whether he may.  False: the call was refused, and is over. */
bool http_call_may(struct http_call *call, enum access_kind kind);

/* Takes the body for JSON, a list or an object; none is an object without fields.
 * False: as above. */
bool http_call_read_json(struct http_call *call, bool list);
/* Takes this object in its place; NULL: it was none.  False: as above. */
bool http_call_take_body(struct http_call *call, json_t *body);
/* What was read; NULL: there was no body. */
const json_t *http_call_body(const struct http_call *call);

/* What stands behind the "?", as it was sent. */
struct span http_call_query(const struct http_call *call);
/* "?name", "?name=1".  What is asked for and not looked at is no error here:
 * see http_call_only(). */
bool http_call_flag(const struct http_call *call, const char *name);
/* As it was sent; false: it is not there. */
bool http_call_value(const struct http_call *call, const char *name, struct span *value);
/* Whether the query has no other names than these, NULL at the end, each once. */
bool http_call_only(const struct http_call *call, const char *const *names);

/* Whether anybody waits for the answer. */
bool http_call_waits(const struct http_call *call);

/* Goes with the answer. */
void http_add_header(struct http_call *call, const char *name, const char *value);

/* The end of the call: bytes of that type, which are copied; NULL: none. */
void http_answer_bytes(struct http_call *call, int status, const char *type, const void *data,
                       size_t len);
/* The same with JSON, which is taken over. */
void http_answer(struct http_call *call, int status, json_t *body);
/* 200 and text of that type, which stays the caller's. */
void http_answer_text(struct http_call *call, const char *type, struct evbuffer *text);
/* {"error": ...} */
void http_refuse(struct http_call *call, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* {"error": ..., "hint": ...}; the hint is what to do next. */
void http_advise(struct http_call *call, int status, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
