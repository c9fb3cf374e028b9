/* What is answered: JSON, or bytes. */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/util.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "admin/http_parts.h"
#include "base/num.h"

#define ERROR_MAX 512
#define HTTP_SMALL 65536        /* an answer of so many bytes is always given */

/* libevent would make it anew for each answer. */
static void add_date(struct http *h, struct evkeyvalq *headers)
{
    const time_t now = time(NULL);
    struct tm tm;

    if (now != h->date_s && gmtime_r(&now, &tm) != NULL) {
        evutil_date_rfc1123(h->date, sizeof(h->date), &tm);
        h->date_s = now;
    }
    evhttp_add_header(headers, "Date", h->date);
}

/*
 * libevent asks first whether the socket takes something, and goes round its loop for
 * that with all that is to be sent.  It nearly always does; what is left goes that way.
 * The server is told in the next turn that all is sent, as it would be then.
 */
static void write_now(struct bufferevent *bev)
{
    struct evbuffer *out = bufferevent_get_output(bev);

    evbuffer_unfreeze(out, 1);
    (void)evbuffer_write(out, bufferevent_getfd(bev));
    evbuffer_freeze(out, 1);
}

/* What is written for clients only is never a page, and is asked for each time. */
static void send_bytes(struct http *h, struct evhttp_request *request, int status, const char *type,
                       const void *data, size_t len)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    struct evbuffer *out = evhttp_request_get_output_buffer(request);
    struct evhttp_connection *conn = evhttp_request_get_connection(request);

    if (type != NULL)
        evhttp_add_header(headers, "Content-Type", type);
    evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
    add_date(h, headers);
    /* What comes behind it may be part of it; libevent reads sizes of chunks, too,
     * that others take for something else. */
    if (status == 400 || access_header(request, "Transfer-Encoding") != NULL
        || h->ends || !conns_takes(h->conns, request))
        evhttp_add_header(headers, "Connection", "close");
    conns_end(h->conns, request);
    if (len > 0 && evbuffer_add(out, data, len) != 0)
        status = 500;
    evhttp_send_reply(request, status, NULL, NULL);
    write_now(evhttp_connection_get_bufferevent(conn));
}

/* With a line end, *len bytes; NULL and 0: there is no memory.  To be freed. */
static char *text_of(json_t *body, size_t *len)
{
    char *text = json_dumps(body, JSON_COMPACT);

    json_decref(body);
    *len = 0;
    if (text != NULL) {
        *len = strlen(text) + 1;
        text[*len - 1] = '\n';  /* in the place of its end */
    }
    return text;
}

static void add_no_store(struct evhttp_request *request)
{
    evhttp_add_header(evhttp_request_get_output_headers(request), "Cache-Control", "no-store");
}

static json_t *error_json(const char *hint, const char *format, va_list args)
{
    char text[ERROR_MAX];

    vsnprintf(text, sizeof(text), format, args);
    for (char *p = text; *p != '\0'; p++)      /* what a client sent may be in it */
        if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
            *p = '?';
    if (hint == NULL)
        return json_pack("{s:s}", "error", text);
    return json_pack("{s:s, s:s}", "error", text, "hint", hint);
}

void http_turn_down(struct http *h, struct evhttp_request *request, int status, const char *why)
{
    size_t len;
    char *text = text_of(json_pack("{s:s}", "error", why), &len);

    add_no_store(request);
    send_bytes(h, request, text != NULL ? status : 500, "application/json", text, len);
    free(text);
}

void http_add_header(struct http_call *c, const char *name, const char *value)
{
    if (c->request != NULL)
        evhttp_add_header(evhttp_request_get_output_headers(c->request), name, value);
}

/* libevent says none where it sends no body, and takes long for it where it does. */
static void say_length(struct http_call *c, size_t len)
{
    char text[NUM_U64_MAX_LEN + 1];

    *num_put_u64(text, len) = '\0';
    http_add_header(c, "Content-Length", text);
}

/* Those that are not read may be many: the large ones have to wait. */
static bool has_room(struct http_call *c, size_t len)
{
    return c->request == NULL || len <= HTTP_SMALL
        || conns_unsent(c->http->conns) + len <= HTTP_UNSENT_MAX
        || conns_unsent(c->http->conns) == 0;
}

static void refuse_unread(struct http_call *c)
{
    evhttp_clear_headers(evhttp_request_get_output_headers(c->request));
    http_add_header(c, "Retry-After", "1");
    http_refuse(c, 503, "too many answers wait to be read: ask again");
}

void http_answer_bytes(struct http_call *c, int status, const char *type, const void *data,
                       size_t len)
{
    if (!has_room(c, len)) {
        refuse_unread(c);
        return;
    }
    if (status != 204 && status != 304)
        say_length(c, len);
    if (c->request != NULL)
        send_bytes(c->http, c->request, status, type, data, len);
    http_call_free(c);
}

void http_answer_text(struct http_call *c, const char *type, struct evbuffer *text)
{
    const size_t len = evbuffer_get_length(text);
    const void *bytes = evbuffer_pullup(text, -1);

    http_add_header(c, "Cache-Control", "no-store");
    http_answer_bytes(c, bytes != NULL ? 200 : 500, type, bytes, bytes != NULL ? len : 0);
}

void http_answer(struct http_call *c, int status, json_t *body)
{
    size_t len;
    char *text = text_of(body, &len);

    http_add_header(c, "Cache-Control", "no-store");
    http_answer_bytes(c, text != NULL ? status : 500, "application/json", text, len);
    free(text);
}

void http_refuse(struct http_call *c, int status, const char *format, ...)
{
    va_list args;
    json_t *body;

    va_start(args, format);
    body = error_json(NULL, format, args);
    va_end(args);
    http_answer(c, status, body);
}

void http_advise(struct http_call *c, int status, const char *hint, const char *format, ...)
{
    va_list args;
    json_t *body;

    va_start(args, format);
    body = error_json(hint, format, args);
    va_end(args);
    http_answer(c, status, body);
}
