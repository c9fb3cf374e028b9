/*
 * client - one connection of the load: operations out, answers into the history
 *
 * Speaks both the classic and the meta commands.  Operations are answered in
 * order; when the connection goes, or an answer is overdue, what is in flight
 * ends with unknown outcome.
 *
 *      DOWN --client_connect()--> CONNECTING --writable--> UP
 *      any --lost, refused, overdue--> DOWN
 */
#ifndef HISTORY_CLIENT_H
#define HISTORY_CLIENT_H

#include <netinet/in.h>

#include "talk.h"

#define CLIENT_DEPTH 64         /* operations in flight, at most */

enum client_state { CLIENT_DOWN, CLIENT_CONNECTING, CLIENT_UP };

struct client {
    uint32_t number;
    enum client_state state;
    int fd;
    struct said flight[CLIENT_DEPTH];
    uint32_t n_begun, n_ended;  /* of all times; their difference is in flight */
    struct bytes in, out;
    bool is_full;               /* waits until it can send */
    int64_t connecting_us;      /* since then */
    struct client_shared *shared;
    void *owner;
};

/* What all clients have in common. */
struct client_shared {
    struct history *history;
    int epoll;
    const char *prefix;         /* of all keys */
    int64_t timeout_us;
    uint64_t n_lost;            /* connections that were up */
    /* An operation has ended; `seen` as history_end() says. */
    void (*ended)(struct client *c, const struct said *r, const struct history_answer *answer,
                  uint64_t seen);
};

int64_t now_us(void);

void client_init(struct client *c, struct client_shared *shared, uint32_t number, void *owner);
void client_fini(struct client *c);

void client_connect(struct client *c, const struct sockaddr_in *to);

/* The connection is closed; what is in flight ends. */
void client_drop(struct client *c);

static inline uint32_t client_in_flight(const struct client *c)
{
    return c->n_begun - c->n_ended;
}

/*
 * Begins an operation; the client is UP and has room.  `len` bytes of value;
 * `cas` is the token of a CAS.
 */
void client_begin(struct client *c, const struct said *r, uint32_t len, uint64_t cas);

/* What epoll said of it. */
void client_on_event(struct client *c, uint32_t events);

/* Sends what is queued, and drops the connection when an answer is overdue. */
void client_turn(struct client *c);

#endif
