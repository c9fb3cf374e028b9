#include "admin/access.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

const char *access_header(struct evhttp_request *request, const char *name)
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

/* In a time that says nothing of where they differ. */
static bool is_same(const char *secret, const char *shown)
{
    const size_t len = strlen(secret), shown_len = strlen(shown);
    unsigned char differs = len != shown_len;

    for (size_t i = 0; i < shown_len; i++)
        differs |= (unsigned char)(secret[len > 0 ? i % len : 0] ^ shown[i]);
    return differs == 0;
}

static bool shows_token(const struct access *a, struct evhttp_request *request)
{
    const char *shown = access_header(request, "Authorization");

    return a->token != NULL && shown != NULL && strncasecmp(shown, "Bearer ", 7) == 0
        && is_same(a->token, shown + 7);
}

/* No page, or one of this very address. */
static bool is_own_origin(const char *origin, const char *host)
{
    return origin == NULL || (host != NULL && strncasecmp(origin, "http://", 7) == 0
                              && strcasecmp(origin + 7, host) == 0);
}

const char *access_refuses(const struct access *a, struct evhttp_request *request,
                           enum access_kind kind, int *status)
{
    const char *host = access_header(request, "Host");

    if (kind == ACCESS_OPEN || shows_token(a, request))
        return NULL;
    *status = 401;
    if (a->token != NULL && (kind != ACCESS_READ || !a->loopback))
        return "this needs the header Authorization: Bearer, with what --admin-token-file has";
    *status = 403;
    if (host == NULL || !is_this_host(host))
        return "the header Host must name this machine: localhost or a loopback address";
    if (kind == ACCESS_READ)
        return NULL;
    if (!is_own_origin(access_header(request, "Origin"), host))
        return "a page of another origin may change nothing here";
    if (kind == ACCESS_CHANGE && !is_json(access_header(request, "Content-Type"))
        && access_header(request, HTTP_CHANGE_HEADER) == NULL)
        return "a change needs the header Content-Type: application/json, or "
               HTTP_CHANGE_HEADER;
    return NULL;
}
