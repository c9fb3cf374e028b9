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

const char *sound_refuses(struct evhttp_request *request)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
    bool twice;
    const unsigned there = look_at_headers(request, &twice);

    if ((there & BOTH_LENGTHS) == BOTH_LENGTHS)
        return "the request has two lengths";
    if ((there & BOTH_LENGTHS) != 0 && is_odd(request))
        return "the length is no number, or the encoding not chunked";
    if (twice)
        return "a header is there twice";
    if (uri == NULL || evhttp_uri_get_host(uri) != NULL
        || evhttp_uri_get_path(uri) == NULL || evhttp_uri_get_path(uri)[0] != '/')
        return "expected a path, /v1/...";
    return NULL;
}
