#include "admin/http.h"

#include <arpa/inet.h>
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

#define ERROR_MAX 512

struct part { char *text; size_t len; };       /* text: owned, terminated */
struct span { const char *at; size_t len; };

struct http_call {
    struct http *http;
    struct http_call *next, **link;
    struct evhttp_request *request;     /* NULL: nobody waits any more */
    enum http_method method;
    struct part parts[HTTP_PARTS_MAX];
    size_t n_parts;
    const char *query;          /* of the request, or NULL: "a&b=1" */
    json_t *body;               /* owned */
};

struct http {
    struct evhttp *server;
    struct conns *conns;
    struct http_call *calls;    /* not answered yet */
    http_handle *handle;
    void *arg;
};

/* answers */

/* `text` NULL: memory is short. */
static void send_text(struct http *h, struct evhttp_request *request, int status,
                      const char *type, struct evbuffer *text)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);

    evhttp_add_header(headers, "Content-Type", type);
    evhttp_add_header(headers, "Cache-Control", "no-store");
    evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
    if (status == 400)          /* what comes behind it may be part of it */
        evhttp_add_header(headers, "Connection", "close");
    conns_end(h->conns, request);
    evhttp_send_reply(request, text != NULL ? status : 500, NULL, text);
}

static void send_json(struct http *h, struct evhttp_request *request, int status, json_t *body)
{
    struct evbuffer *out = evbuffer_new();
    char *text = json_dumps(body, JSON_COMPACT);
    const bool ok = out != NULL && text != NULL && evbuffer_add_printf(out, "%s\n", text) >= 0;

    send_text(h, request, status, "application/json", ok ? out : NULL);
    if (out != NULL)
        evbuffer_free(out);
    free(text);
    json_decref(body);
}

static json_t *error_json(const char *format, va_list args)
{
    char text[ERROR_MAX];

    vsnprintf(text, sizeof(text), format, args);
    for (char *p = text; *p != '\0'; p++)      /* what a client sent may be in it */
        if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
            *p = '?';
    return json_pack("{s:s}", "error", text);
}

static void __attribute__((format(printf, 4, 5)))
turn_down(struct http *h, struct evhttp_request *request, int status, const char *format, ...)
{
    va_list args;
    json_t *body;

    va_start(args, format);
    body = error_json(format, args);
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
    for (size_t i = 0; i < c->n_parts; i++)
        free(c->parts[i].text);
    json_decref(c->body);
    free(c);
}

void http_answer_at(struct http_call *c, int status, const char *location, json_t *body)
{
    if (c->request == NULL) {
        json_decref(body);
    } else {
        if (location != NULL)
            evhttp_add_header(evhttp_request_get_output_headers(c->request), "Location",
                              location);
        send_json(c->http, c->request, status, body);
    }
    call_free(c);
}

void http_answer_text(struct http_call *c, const char *type, struct evbuffer *text)
{
    if (c->request != NULL)
        send_text(c->http, c->request, 200, type, text);
    call_free(c);
}

void http_answer(struct http_call *c, int status, json_t *body)
{
    http_answer_at(c, status, NULL, body);
}

void http_refuse(struct http_call *c, int status, const char *format, ...)
{
    va_list args;
    json_t *body;

    va_start(args, format);
    body = error_json(format, args);
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
    if (i >= c->n_parts || (len == NULL && strlen(c->parts[i].text) != c->parts[i].len))
        return NULL;
    if (len != NULL)
        *len = c->parts[i].len;
    return c->parts[i].text;
}

bool http_call_waits(const struct http_call *c)
{
    return c->request != NULL;
}

const json_t *http_call_body(const struct http_call *c)
{
    return c->body;
}

/* Takes the next "name" or "name=value" off `*query`; false at the end. */
static bool next_pair(const char **query, struct span *name, struct span *value)
{
    const char *at = *query;
    const size_t len = at != NULL ? strcspn(at, "&") : 0;

    if (at == NULL || *at == '\0')
        return false;
    *name = (struct span){ at, 0 };
    while (name->len < len && at[name->len] != '=')
        name->len++;
    *value = (struct span){ at + len, 0 };
    if (name->len < len)
        *value = (struct span){ at + name->len + 1, len - name->len - 1 };
    *query = at + len + (at[len] == '&');
    return true;
}

static bool is_word(struct span s, const char *word)
{
    return strlen(word) == s.len && memcmp(s.at, word, s.len) == 0;
}

bool http_call_flag(const struct http_call *c, const char *flag)
{
    const char *query = c->query;
    struct span name, value;

    while (next_pair(&query, &name, &value))
        if (is_word(name, flag))
            return !is_word(value, "0") && !is_word(value, "false");
    return false;
}

bool http_call_only(const struct http_call *c, const char *const *names)
{
    const char *query = c->query;
    struct span name, value;

    while (next_pair(&query, &name, &value)) {
        size_t i = 0;

        while (names[i] != NULL && !is_word(name, names[i]))
            i++;
        if (names[i] == NULL)
            return false;
    }
    return true;
}

/* requests */

static size_t count_headers(struct evhttp_request *request, const char *name)
{
    const struct evkeyval *header;
    size_t n = 0;

    TAILQ_FOREACH(header, evhttp_request_get_input_headers(request), next)
        n += strcasecmp(header->key, name) == 0;
    return n;
}

static const char *header_of(struct evhttp_request *request, const char *name)
{
    return evhttp_find_header(evhttp_request_get_input_headers(request), name);
}

/* "localhost", "127.0.0.1", "[::1]:80": what no foreign name can resolve to. */
static bool is_this_host(const char *host)
{
    const char *colon = host[0] == '[' ? strchr(host, ']') : strchr(host, ':');
    size_t len = colon == NULL ? strlen(host) : (size_t)(colon - host) + (host[0] == '[');
    char name[64];
    struct in_addr four;

    if (len >= sizeof(name))
        return false;
    memcpy(name, host, len);
    name[len] = '\0';
    return strcasecmp(name, "localhost") == 0 || strcmp(name, "[::1]") == 0
        || (inet_pton(AF_INET, name, &four) == 1 && ntohl(four.s_addr) >> 24 == 127);
}

/* "application/json", "application/json; charset=utf-8" */
static bool is_json(const char *type)
{
    const size_t len = strlen("application/json");

    return type != NULL && strncasecmp(type, "application/json", len) == 0
        && (type[len] == '\0' || type[len] == ';' || type[len] == ' ');
}

/* False: it was turned down. */
static bool is_sound(struct http *h, struct evhttp_request *request)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
    const char *host = header_of(request, "Host");

    if (count_headers(request, "Transfer-Encoding") > 0
        && count_headers(request, "Content-Length") > 0)
        turn_down(h, request, 400, "the request has two lengths");
    else if (count_headers(request, "Content-Length") > 1
             || count_headers(request, "Transfer-Encoding") > 1
             || count_headers(request, "Host") > 1)
        turn_down(h, request, 400, "a header is there twice");
    else if (uri == NULL || evhttp_uri_get_host(uri) != NULL
             || evhttp_uri_get_path(uri) == NULL || evhttp_uri_get_path(uri)[0] != '/')
        turn_down(h, request, 400, "expected a path, /v1/...");
    else if (host == NULL || !is_this_host(host))
        turn_down(h, request, 403, "the header Host must name this machine: localhost or a "
                  "loopback address");
    else
        return true;
    return false;
}

static bool may_change(struct http *h, struct evhttp_request *request)
{
    if (is_json(header_of(request, "Content-Type"))
        || header_of(request, HTTP_CHANGE_HEADER) != NULL)
        return true;
    turn_down(h, request, 403, "a change needs the header Content-Type: application/json, or "
              HTTP_CHANGE_HEADER);
    return false;
}

/* False: it has too many parts, or an empty one, or memory is short. */
static bool take_path(struct http_call *c, const char *path)
{
    while (*path == '/') {
        size_t len = strcspn(++path, "/");
        struct part *part = &c->parts[c->n_parts];
        char *text;

        if (c->n_parts == HTTP_PARTS_MAX || len == 0)
            return false;
        text = xasprintf("%.*s", (int)len, path);
        part->text = evhttp_uridecode(text, 0, &part->len);
        free(text);
        if (part->text == NULL)
            return false;
        c->n_parts++;
        path += len;
    }
    return true;
}

/* False: the call was refused. */
static bool take_body(struct http_call *c)
{
    struct evbuffer *in = evhttp_request_get_input_buffer(c->request);
    const size_t len = evbuffer_get_length(in);
    json_error_t error;

    if (len == 0 || c->method == HTTP_GET)
        return true;
    c->body = json_loadb((const char *)evbuffer_pullup(in, -1), len, JSON_REJECT_DUPLICATES,
                         &error);
    if (json_is_object(c->body))
        return true;
    if (c->body == NULL)
        http_refuse(c, 400, "the body is not JSON, line %d, column %d: %s", error.line,
                    error.column, error.text);
    else
        http_refuse(c, 400, "the body must be a JSON object");
    return false;
}

/* The client is gone, or the server ends. */
static void on_gone(void *arg)
{
    struct http_call *c = arg;

    c->request = NULL;
    c->query = NULL;            /* it was the request's */
}

static struct http_call *call_new(struct http *h, struct evhttp_request *request,
                                  enum http_method method)
{
    struct http_call *c = xzalloc(sizeof(*c));

    c->http = h;
    c->request = request;
    c->method = method;
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
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
    struct http_call *c = call_new(h, request, method);

    c->query = evhttp_uri_get_query(uri);
    if (!take_path(c, evhttp_uri_get_path(uri)))
        http_refuse(c, 404, "there is no such path");
    else if (take_body(c))
        h->handle(h->arg, c);
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
        if (may_change(h, request))
            take(h, request, HTTP_POST);
        return;
    case EVHTTP_REQ_PUT:
        if (may_change(h, request))
            take(h, request, HTTP_PUT);
        return;
    case EVHTTP_REQ_DELETE:
        if (may_change(h, request))
            take(h, request, HTTP_DELETE);
        return;
    default:
        turn_down(h, request, 405, "expected GET, HEAD, POST, PUT or DELETE");
        return;
    }
}

/* life */

struct http *http_new(struct event_base *base, int fd, http_handle *handle, void *arg)
{
    struct http *h = xzalloc(sizeof(*h));
    struct evhttp_bound_socket *bound = NULL;
    const int one = 1;

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
    evhttp_set_max_body_size(h->server, HTTP_BODY_MAX);
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
