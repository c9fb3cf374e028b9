#include "admin/http.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin/conns.h"
#include "base/mem.h"
#include "base/num.h"

#define ERROR_MAX 512

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
    http_handle *handle;
    void *arg;
};

/* answers */

/* What is written for clients only is never a page, and is asked for each time. */
static void send_bytes(struct http *h, struct evhttp_request *request, int status, const char *type,
                       const void *data, size_t len)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    struct evbuffer *out = evhttp_request_get_output_buffer(request);

    if (type != NULL)
        evhttp_add_header(headers, "Content-Type", type);
    evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
    /* What comes behind it may be part of it; libevent reads sizes of chunks, too,
     * that others take for something else. */
    if (status == 400 || access_header(request, "Transfer-Encoding") != NULL)
        evhttp_add_header(headers, "Connection", "close");
    conns_end(h->conns, request);
    if (len > 0 && evbuffer_add(out, data, len) != 0)
        status = 500;
    evhttp_send_reply(request, status, NULL, NULL);
}

static void send_json(struct http *h, struct evhttp_request *request, int status, json_t *body)
{
    char *text = json_dumps(body, JSON_COMPACT);
    const size_t len = text != NULL ? strlen(text) : 0;

    evhttp_add_header(evhttp_request_get_output_headers(request), "Cache-Control", "no-store");
    if (text != NULL)
        text[len] = '\n';       /* in the place of its end */
    send_bytes(h, request, text != NULL ? status : 500, "application/json", text,
               text != NULL ? len + 1 : 0);
    free(text);
    json_decref(body);
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

static void __attribute__((format(printf, 4, 5)))
turn_down(struct http *h, struct evhttp_request *request, int status, const char *format, ...)
{
    va_list args;
    json_t *body;

    va_start(args, format);
    body = error_json(NULL, format, args);
    va_end(args);
    send_json(h, request, status, body);
}

static void call_free(struct http_call *c)
{
    if (c->link != NULL) {
        *c->link = c->next;
        if (c->next != NULL)
            c->next->link = c->link;
    }
    json_decref(c->body);
    free(c);
}

void http_add_header(struct http_call *c, const char *name, const char *value)
{
    if (c->request != NULL)
        evhttp_add_header(evhttp_request_get_output_headers(c->request), name, value);
}

/* libevent says no length where it sends no body. */
static void say_length(struct http_call *c, size_t len)
{
    char text[NUM_U64_MAX_LEN + 1];

    *num_put_u64(text, len) = '\0';
    http_add_header(c, "Content-Length", text);
}

void http_answer_bytes(struct http_call *c, int status, const char *type, const void *data,
                       size_t len)
{
    if (c->head && status != 204 && status != 304)
        say_length(c, len);
    if (c->request != NULL)
        send_bytes(c->http, c->request, status, type, data, len);
    call_free(c);
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
    if (c->request != NULL)
        send_json(c->http, c->request, status, body);
    else
        json_decref(body);
    call_free(c);
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

/* what was asked */

enum http_method http_call_method(const struct http_call *c)
{
    return c->method;
}

size_t http_call_n_parts(const struct http_call *c)
{
    return c->n_parts;
}

const char *http_call_part(const struct http_call *c, size_t i, size_t *len)
{
    if (i >= c->n_parts || (len == NULL && strlen(c->parts[i].at) != c->parts[i].len))
        return NULL;
    if (len != NULL)
        *len = c->parts[i].len;
    return c->parts[i].at;
}

bool http_call_waits(const struct http_call *c)
{
    return c->request != NULL;
}

const json_t *http_call_body(const struct http_call *c)
{
    return c->body;
}

const char *http_call_header(const struct http_call *c, const char *name)
{
    return c->request != NULL ? access_header(c->request, name) : NULL;
}

struct span http_call_bytes(const struct http_call *c)
{
    struct evbuffer *in;

    if (c->request == NULL)
        return (struct span){ "", 0 };
    in = evhttp_request_get_input_buffer(c->request);
    return (struct span){ (const char *)evbuffer_pullup(in, -1), evbuffer_get_length(in) };
}

struct span http_call_query(const struct http_call *c)
{
    return c->query;
}

bool http_call_value(const struct http_call *c, const char *wanted, struct span *value)
{
    struct span query = c->query, name;

    while (uri_next_pair(&query, &name, value))
        if (span_is(name, wanted))
            return true;
    return false;
}

bool http_call_flag(const struct http_call *c, const char *flag)
{
    struct span value;

    return http_call_value(c, flag, &value) && !span_is(value, "0") && !span_is(value, "false");
}

bool http_call_only(const struct http_call *c, const char *const *names)
{
    struct span query = c->query, name, value;

    while (uri_next_pair(&query, &name, &value)) {
        size_t i = 0;

        while (names[i] != NULL && !span_is(name, names[i]))
            i++;
        if (names[i] == NULL)
            return false;
    }
    return true;
}

bool http_call_may(struct http_call *c, enum access_kind kind)
{
    int status;
    const char *why = access_refuses(&c->http->access, c->request, kind, &status);

    if (why == NULL)
        return true;
    if (status == 401)
        http_add_header(c, "WWW-Authenticate", "Bearer");
    http_refuse(c, status, "%s", why);
    return false;
}

bool http_call_read_json(struct http_call *c, bool list)
{
    const struct span bytes = http_call_bytes(c);
    json_error_t error;

    if (bytes.len > HTTP_JSON_MAX) {
        http_refuse(c, 413, "the body has %zu bytes, at most %d are taken", bytes.len,
                    HTTP_JSON_MAX);
        return false;
    }
    if (bytes.len == 0 && !list)
        return true;
    c->body = json_loadb(bytes.at, bytes.len, JSON_REJECT_DUPLICATES, &error);
    if (list ? json_is_array(c->body) : json_is_object(c->body))
        return true;
    if (c->body == NULL)
        http_refuse(c, 400, "the body is not JSON, line %d, column %d: %s", error.line,
                    error.column, error.text);
    else
        http_refuse(c, 400, "the body must be a JSON %s", list ? "list" : "object");
    return false;
}

bool http_call_take_body(struct http_call *c, json_t *body)
{
    c->body = body;
    if (body == NULL)
        http_refuse(c, 400, "the fields are no form: name=value, percent-encoded");
    return body != NULL;
}

/* requests */

/* Those that are one thing, or nothing. */
static const char *const single[] = {
    "Host", "Content-Length", "Transfer-Encoding", "Authorization", "Origin", "Content-Type",
    "If-Match", "If-None-Match", "X-Flags",
};
#define N_SINGLE (sizeof(single) / sizeof(single[0]))
#define BOTH_LENGTHS 6u         /* bits of Content-Length and Transfer-Encoding */

/* Which are there, by bits; *twice: one more than once. */
static unsigned look_at_headers(struct evhttp_request *request, bool *twice)
{
    const struct evkeyval *header;
    unsigned there = 0;

    *twice = false;
    TAILQ_FOREACH(header, evhttp_request_get_input_headers(request), next) {
        for (unsigned i = 0; i < N_SINGLE; i++) {
            if (strcasecmp(header->key, single[i]) != 0)
                continue;
            *twice |= (there >> i & 1) != 0;
            there |= 1u << i;
        }
    }
    return there;
}

/* What another reader of the same bytes could take for something else. */
static bool is_odd(struct evhttp_request *request)
{
    const char *length = access_header(request, "Content-Length");
    const char *encoding = access_header(request, "Transfer-Encoding");
    uint64_t n;

    return (length != NULL && !num_parse_u64(length, strlen(length), &n))
        || (encoding != NULL && strcasecmp(encoding, "chunked") != 0);
}

/* False: it was turned down. */
static bool is_sound(struct http *h, struct evhttp_request *request)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
    bool twice;
    const unsigned there = look_at_headers(request, &twice);

    if ((there & BOTH_LENGTHS) == BOTH_LENGTHS)
        turn_down(h, request, 400, "the request has two lengths");
    else if ((there & BOTH_LENGTHS) != 0 && is_odd(request))
        turn_down(h, request, 400, "the length is no number, or the encoding not chunked");
    else if (twice)
        turn_down(h, request, 400, "a header is there twice");
    else if (uri == NULL || evhttp_uri_get_host(uri) != NULL
             || evhttp_uri_get_path(uri) == NULL || evhttp_uri_get_path(uri)[0] != '/')
        turn_down(h, request, 400, "expected a path, /v1/...");
    else
        return true;
    return false;
}

enum path { PATH_TAKEN, PATH_UNKNOWN, PATH_BAD };

/* Unknown: it has too many parts, or an empty one. */
static enum path take_path(struct http_call *c, struct span path)
{
    char *text = c->text;
    struct span part;

    if (span_is(path, "/"))
        return PATH_TAKEN;
    while (uri_next_part(&path, &part)) {
        struct span *to = &c->parts[c->n_parts];

        if (c->n_parts == HTTP_PARTS_MAX || part.len == 0)
            return PATH_UNKNOWN;
        if (!uri_decode(part, false, text, &to->len))
            return PATH_BAD;
        to->at = text;
        text[to->len] = '\0';
        text += to->len + 1;
        c->n_parts++;
    }
    return PATH_TAKEN;
}

/* The client is gone, or the server ends. */
static void on_gone(void *arg)
{
    struct http_call *c = arg;

    c->request = NULL;
    c->query = (struct span){ "", 0 };  /* it was the request's */
}

static struct http_call *call_new(struct http *h, struct evhttp_request *request,
                                  enum http_method method)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
    const char *query = evhttp_uri_get_query(uri);
    /* each part loses its slash, and has a byte to end it */
    struct http_call *c = xzalloc(sizeof(*c) + strlen(evhttp_uri_get_path(uri)) + 1);

    c->http = h;
    c->request = request;
    c->method = method;
    c->head = evhttp_request_get_command(request) == EVHTTP_REQ_HEAD;
    c->query = (struct span){ query, query != NULL ? strlen(query) : 0 };
    c->next = h->calls;
    c->link = &h->calls;
    if (c->next != NULL)
        c->next->link = &c->next;
    h->calls = c;
    conns_begin(h->conns, request, on_gone, c);
    return c;
}

static void take(struct http *h, struct evhttp_request *request, enum http_method method)
{
    const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request));
    struct http_call *c = call_new(h, request, method);

    switch (take_path(c, (struct span){ path, strlen(path) })) {
    case PATH_TAKEN:
        h->handle(h->arg, c);
        break;
    case PATH_UNKNOWN:
        http_refuse(c, 404, "there is no such path");
        break;
    case PATH_BAD:
        http_advise(c, 400, "write a percent sign as %25",
                    "the path has a %% without two digits behind it");
        break;
    }
}

static void on_request(struct evhttp_request *request, void *arg)
{
    struct http *h = arg;

    if (!is_sound(h, request))
        return;
    switch ((int)evhttp_request_get_command(request)) {
    case EVHTTP_REQ_GET:
    case EVHTTP_REQ_HEAD:
        take(h, request, HTTP_GET);
        return;
    case EVHTTP_REQ_POST:
        take(h, request, HTTP_POST);
        return;
    case EVHTTP_REQ_PUT:
        take(h, request, HTTP_PUT);
        return;
    case EVHTTP_REQ_DELETE:
        take(h, request, HTTP_DELETE);
        return;
    default:
        turn_down(h, request, 405, "expected GET, HEAD, POST, PUT or DELETE");
        return;
    }
}

/* life */

struct http *http_new(struct event_base *base, const struct http_config *config,
                      http_handle *handle, void *arg)
{
    struct http *h = xzalloc(sizeof(*h));
    const int fd = config->fd;
    struct evhttp_bound_socket *bound = NULL;
    const int one = 1;

    h->access = config->access;
    h->handle = handle;
    h->arg = arg;
    h->server = evhttp_new(base);
    /* Head and body leave as two writes, and the second would wait for an answer
     * to the first.  Those who are accepted inherit it. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (h->server != NULL)
        bound = evhttp_accept_socket_with_handle(h->server, fd);
    if (bound == NULL) {
        close(fd);
        goto fail;
    }
    h->conns = conns_new(base, h->server, evhttp_bound_socket_get_listener(bound));
    if (h->conns == NULL)
        goto fail;
    evhttp_set_max_headers_size(h->server, HTTP_HEADERS_MAX);
    evhttp_set_max_body_size(h->server, (ev_ssize_t)config->body_max);
    evhttp_set_allowed_methods(h->server, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD |
                               EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS |
                               EVHTTP_REQ_TRACE | EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH);
    evhttp_set_gencb(h->server, on_request, h);
    return h;
fail:
    http_free(h);
    return NULL;
}

void http_free(struct http *h)
{
    if (h == NULL)
        return;
    conns_stop(h->conns);
    if (h->server != NULL)
        evhttp_free(h->server);
    conns_free(h->conns);
    while (h->calls != NULL)
        call_free(h->calls);
    free(h);
}
