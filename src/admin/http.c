#include "admin/http.h"

#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin/http_parts.h"
#include "admin/sound.h"
#include "base/mem.h"

/* requests */

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

    const char *why = sound_refuses(request);

    if (why != NULL) {
        http_turn_down(h, request, 400, why);
        return;
    }
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
        http_turn_down(h, request, 405, "expected GET, HEAD, POST, PUT or DELETE");
        return;
    }
}

/* the end */

void http_drain(struct http *h)
{
    conns_stay(h->conns);       /* it may have been about to leave */
    h->ends = true;
}

bool http_is_drained(const struct http *h)
{
    return conns_rest(h->conns);
}

void http_leave(struct http *h)
{
    h->ends = true;
    conns_leave(h->conns);
}

bool http_has_left(const struct http *h)
{
    return conns_count(h->conns) == 0;
}

void http_stay(struct http *h)
{
    h->ends = false;
    conns_stay(h->conns);
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
    h->conns = conns_new(&(struct conns_config){
        .base = base, .server = h->server, .listener = evhttp_bound_socket_get_listener(bound),
        .max = CONNS_MAX, .spare = CONNS_SPARE,
        .input_max = config->body_max + HTTP_HEADERS_MAX });
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
        http_call_free(h->calls);
    free(h);
}
