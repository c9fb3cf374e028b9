#include "admin/sound.h"

#include <event2/keyvalq_struct.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>

#include "admin/access.h"
#include "base/num.h"

/* Those that are one thing, or nothing. */
static const char *const single[] = {
    "Host", "Content-Length", "Transfer-Encoding", "Authorization", "Origin", "Content-Type",
    "If-Match", "If-None-Match", "X-Flags",
};
#define N_SINGLE (sizeof(single) / sizeof(single[0]))
#define BOTH_LENGTHS 6u         /* bits of Content-Length and Transfer-Encoding */

/* "Content-Length " is another header to libevent, and this one to others. */
static bool is_name(const char *s)
{
    const char *at = s;

    while ((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || *at == '-' ||
           (*at >= '0' && *at <= '9') || (*at != '\0' && strchr("!#$%&'*+.^_`|~", *at) != NULL))
        at++;
    return at > s && *at == '\0';
}

/* Which are there, by bits; *twice: one more than once; *odd: one has no name. */
static unsigned look_at_headers(struct evhttp_request *request, bool *twice, bool *odd)
{
    const struct evkeyval *header;
    unsigned there = 0;

    *twice = *odd = false;
    TAILQ_FOREACH(header, evhttp_request_get_input_headers(request), next) {
        *odd |= !is_name(header->key);
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
static bool is_odd_length(struct evhttp_request *request)
{
    const char *length = access_header(request, "Content-Length");
    const char *encoding = access_header(request, "Transfer-Encoding");
    uint64_t n;

    return (length != NULL && !num_parse_u64(length, strlen(length), &n))
        || (encoding != NULL && strcasecmp(encoding, "chunked") != 0);
}

/* libevent takes what follows for the next request. */
static bool has_unread_body(struct evhttp_request *request)
{
    const char *length = access_header(request, "Content-Length");

    return evhttp_request_get_command(request) == EVHTTP_REQ_HEAD
        && (access_header(request, "Transfer-Encoding") != NULL
            || (length != NULL && strspn(length, "0") != strlen(length)));
}

const char *sound_refuses(struct evhttp_request *request)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
    bool twice, odd;
    const unsigned there = look_at_headers(request, &twice, &odd);

    if ((there & BOTH_LENGTHS) == BOTH_LENGTHS)
        return "the request has two lengths";
    if ((there & BOTH_LENGTHS) != 0 && is_odd_length(request))
        return "the length is no number, or the encoding not chunked";
    if (odd)
        return "a header has a name that is none";
    if (has_unread_body(request))
        return "a HEAD has no body";
    if (twice)
        return "a header is there twice";
    if (uri == NULL || evhttp_uri_get_host(uri) != NULL
        || evhttp_uri_get_path(uri) == NULL || evhttp_uri_get_path(uri)[0] != '/')
        return "expected a path, /v1/...";
    if (evhttp_uri_get_fragment(uri) != NULL)
        return "a # ends the path: write it as %23";
    return NULL;
}
