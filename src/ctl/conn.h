/*
 * conn - one plain blocking connection to a server
 */
#ifndef CTL_CONN_H
#define CTL_CONN_H

#include <stdbool.h>
#include <stddef.h>

#define CONN_LINE_MAX 2048      /* no answer's line is longer */

/* Bytes come through `buf`: those from `at` to `end` are not used yet. */
struct conn {
    const char *server;         /* borrowed */
    int fd;
    size_t at, end;
    char buf[65536];
};

/* "HOST:PORT", "[ADDR6]:PORT", "HOST"; a path or "@name".  YES, or what was said. */
int conn_open(struct conn *c, const char *server, const char *port);
void conn_close(struct conn *c);        /* one that could not be opened, too */

/* Each step from here on may take so long; 0: for ever. */
void conn_set_patience(struct conn *c, int seconds);

/* False, errno set. */
bool conn_send(struct conn *c, const char *data, size_t len);

/* More bytes behind those that are there; there must be room.  False, errno set. */
bool conn_fill(struct conn *c);

/* One line, without its end and with a terminator; NULL when none comes. */
char *conn_line(struct conn *c);

/* Says that the connection was lost, by errno: UNREACHED. */
int conn_lost(const struct conn *c);

#endif
