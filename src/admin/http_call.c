/* What was asked. */
#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

#include "admin/http_parts.h"

void http_call_free(struct http_call *c)
{
    *c->link = c->next;
    if (c->next != NULL)
        c->next->link = c->link;
    json_decref(c->body);
    free(c);
}

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
    unsigned seen = 0;

    while (uri_next_pair(&query, &name, &value)) {
        size_t i = 0;

        while (names[i] != NULL && !span_is(name, names[i]))
            i++;
        if (names[i] == NULL || (seen >> i & 1) != 0)
            return false;
        seen |= 1u << i;
    }
    return true;
}

bool http_call_may(struct http_call *c, enum access_kind kind)
{
    int status;
    const char *why;

    /* who asks how it is is told, whatever others do */
    if (kind != ACCESS_OPEN && !conns_takes(c->http->conns, c->request)) {
        http_add_header(c, "Retry-After", "1");
        http_refuse(c, 503, "all %d connections are busy: ask again", CONNS_MAX);
        return false;
    }
    why = access_refuses(&c->http->access, c->request, kind, &status);

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
