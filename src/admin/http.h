/*
 * http - requests of operators over HTTP, checked; answers as JSON
 *
 *      bytes --libevent--> request --http--> struct http_call --handle--> http_answer
 *
 * What a browser could be talked into sending for a foreign page is refused: a
 * Host that is not this machine by number (DNS rebinding), and a change without
 * a type or a header that a form cannot have.
 */
#ifndef ADMIN_HTTP_H
#define ADMIN_HTTP_H

#include <event2/buffer.h>
#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define HTTP_HEADERS_MAX 8192
#define HTTP_BODY_MAX 65536
#define HTTP_PARTS_MAX 6

/* Anybody may send it, and no browser does by itself. */
#define HTTP_CHANGE_HEADER "X-Chcached-Change"

struct http;
struct http_call;

enum http_method { HTTP_GET = 1, HTTP_POST = 2, HTTP_PUT = 4, HTTP_DELETE = 8 };

/* Answers now or later, once. */
typedef void http_handle(void *arg, struct http_call *call);

/* Serves on `fd`, which listens and is taken over in any case.  NULL when memory
 * is short. */
struct http *http_new(struct event_base *base, int fd, http_handle *handle, void *arg);
/* Calls that are not answered yet are forgotten.  Copes with NULL. */
void http_free(struct http *h);

enum http_method http_call_method(const struct http_call *call);

/* The path's parts between slashes, decoded: "/v1/nodes" has two.  NULL where
 * there is none; `len` may be NULL: then one with a zero byte is none. */
const char *http_call_part(const struct http_call *call, size_t i, size_t *len);
size_t http_call_n_parts(const struct http_call *call);

/* An object, or NULL: there was no body. */
const json_t *http_call_body(const struct http_call *call);

/* "?name", "?name=1".  What is asked for and not looked at is no error here:
 * see http_call_only(). */
bool http_call_flag(const struct http_call *call, const char *name);
/* Whether the query has no other names than these, NULL at the end. */
bool http_call_only(const struct http_call *call, const char *const *names);

/* Whether anybody waits for the answer. */
bool http_call_waits(const struct http_call *call);

/* The end of the call.  The body is taken over. */
void http_answer(struct http_call *call, int status, json_t *body);
/* 200 and text of that type, which stays the caller's: it is emptied. */
void http_answer_text(struct http_call *call, const char *type, struct evbuffer *text);
/* As the first, with a header. */
void http_answer_at(struct http_call *call, int status, const char *location, json_t *body);
/* {"error": ...} */
void http_refuse(struct http_call *call, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
