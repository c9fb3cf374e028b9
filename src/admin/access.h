/*
 * access - who may ask what
 *
 * Programs of other hosts show a token.  What a browser could be talked into sending
 * for a foreign page is refused: a Host that is not this machine by number (DNS
 * rebinding), an Origin that is another, a change without a type or a header that a
 * form cannot have.  Who shows the token is no browser.
 */
#ifndef ADMIN_ACCESS_H
#define ADMIN_ACCESS_H

#include <event2/http.h>
#include <stdbool.h>

/* Anybody may send it, and no browser does by itself. */
#define HTTP_CHANGE_HEADER "X-Chcached-Change"

struct access {
    const char *token;          /* NULL: there is none */
    bool loopback;              /* only this host reaches the address */
};

enum access_kind {
    ACCESS_OPEN,                /* anybody may know */
    ACCESS_READ,
    ACCESS_CHANGE,              /* of the cluster */
    ACCESS_WRITE                /* of a key */
};

/* NULL, or why not, static words; *status goes with them. */
const char *access_refuses(const struct access *a, struct evhttp_request *request,
                           enum access_kind kind, int *status);

/* Of a request, or NULL. */
const char *access_header(struct evhttp_request *request, const char *name);

#endif
