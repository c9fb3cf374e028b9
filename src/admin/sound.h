/*
 * sound - whether a request can be taken for one thing only
 *
 * A balancer before this process, or whatever else reads the same bytes, may see
 * another request in them, or its end elsewhere: what comes next would then be the
 * work of who wrote the body.
 */
#ifndef ADMIN_SOUND_H
#define ADMIN_SOUND_H

#include <event2/http.h>

/* NULL, or why it is not, static words: 400, and nothing more of this connection. */
const char *sound_refuses(struct evhttp_request *request);

#endif
