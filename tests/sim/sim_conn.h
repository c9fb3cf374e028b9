/*
 * sim_conn - a connection: two ends, and what is on its way to each
 *
 *      ends[0]: who asked                            ends[1]: who was asked
 *              --------------- flows[1] --------------->
 *              <-------------- flows[0] ----------------
 *
 * The handshake, bytes, the end and a reset are pieces of one queue a flow, so
 * that a cut holds them all and nothing overtakes anything.
 *
 *      CONNECTING --SYNACK--> OPEN --close--> CLOSED     ends[0]
 *      ABSENT --ACK--> QUEUED --accept--> OPEN --close--> CLOSED     ends[1]
 */
#ifndef TESTS_SIM_SIM_CONN_H
#define TESTS_SIM_SIM_CONN_H

#include "sim_parts.h"

enum piece_kind {
    PIECE_SYN, PIECE_SYNACK, PIECE_ACK,
    PIECE_DATA,
    PIECE_FIN,
    PIECE_RST,
    PIECE_ROOM,                 /* the sender of this one has read: there is room again */
};

struct piece {
    enum piece_kind kind;
    int64_t sent_ns, at_ns;     /* it arrives then, or right after the one before it */
    size_t len;                 /* of PIECE_DATA */
};

/* What goes to one end. */
struct flow {
    struct conn *conn;
    struct piece *pieces;       /* on their way, oldest first */
    size_t first, n, cap;
    char *bytes;                /* first what has arrived and was not read */
    size_t start, len, size;
    size_t arrived;
    size_t used;                /* of room, as far as the sender knows */
    bool starved;               /* the sender is to be told of room */
    bool scheduled, held;       /* an event comes; or a cut must heal first */
    int64_t held_at_ns;
};

enum end_state { END_ABSENT, END_CONNECTING, END_QUEUED, END_OPEN, END_CLOSED };

struct end {
    struct host *host;
    enum end_state state;
    int fd;                     /* -1: nobody holds it */
    bool eof;
    bool shut;                  /* it has said that it sends no more */
    int error;
};

struct conn {
    struct conn *next, **link;
    struct sim *sim;
    uint64_t id;
    struct address *to;
    size_t room;                /* bytes of a flow, on their way and unread */
    struct end ends[2];
    struct flow flows[2];       /* flows[i] goes to ends[i] */
    unsigned n_events, n_syns;
};

/* What was ever listened on or asked for. */
struct address {
    struct address *next;
    char *text;
    struct host *host;          /* where it is, or was last */
    struct listener *listener;  /* NULL: nobody */
};

struct listener {
    struct address *address;
    struct host *host;
    int fd;
    int backlog, n_queued;
    struct conn **queue;
};

/* NULL: nobody ever listened there. */
struct address *address_find(struct sim *s, const char *text);
struct address *address_get(struct sim *s, const char *text);

struct conn *conn_new(struct host *from, struct address *to);
/* Lets go of it when neither end needs it. */
void conn_reap(struct conn *c);

/* Sends a piece to ends[to]: at `sent_ns`, and so much later than usual. */
void conn_send(struct conn *c, int to, enum piece_kind kind, size_t len, int64_t sent_ns,
               int64_t more_ns);
/* Bytes for a PIECE_DATA that follows; what was read, or nobody will read. */
void flow_append(struct flow *f, const void *data, size_t len);
void flow_take(struct flow *f, size_t len);

/* May ends[side] send?  How much goes into the flow, as far as it knows. */
size_t conn_room(struct conn *c, int side);

/* Nobody accepts any longer: those who wait are reset. */
void sim_listener_free(struct listener *l);

#endif
