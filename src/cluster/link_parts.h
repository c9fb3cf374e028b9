/*
 * link_parts - the inside of a link, for link.c and link_greet.c
 */
#ifndef CLUSTER_LINK_PARTS_H
#define CLUSTER_LINK_PARTS_H

#include "cluster/confirms.h"
#include "cluster/link.h"
#include "cluster/links.h"
#include "net/recvq.h"
#include "net/sendq.h"

#define LINK_RETRY_FIRST_MS 10      /* at once, more or less: a restarted child is back soon */
#define LINK_RETRY_LAST_MS 100
#define LINK_RETRY_REFUSED_MS 1000  /* who refuses us will not change his mind soon */

enum link_state { LINK_DOWN, LINK_CONNECTING, LINK_GREETING, LINK_OPEN };

struct link {
    struct links *ls;
    unsigned refs;              /* its owner's, and one of each request */
    struct link *next_dirty;
    bool dirty;
    enum link_state state;
    bool tried;                 /* and came to an end: who asks now is not kept waiting */
    bool full;                  /* the socket takes no more for now */
    bool owes;                  /* there is something to confirm */
    bool refusing;              /* it was refused, and will be until it says that it knows */
    uint16_t protocol;          /* spoken since it was GREETING */
    unsigned watched;           /* see link_watched() */
    int64_t opened_ms;
    bool logged;                /* that it is down */
    bool refused;               /* see link_is_refused() */
    char name[MAP_NAME_MAX + 1];
    char address[ADDRESS_MAX];
    char local[ADDRESS_MAX];    /* the Unix socket tried first, or "" */

    int fd;                     /* -1 unless CONNECTING or more */
    struct watch *watch;
    struct timer *timer;        /* retry, or the deadline of the handshake */
    int64_t retry_ms;
    const char *reason;         /* why it is DOWN; static */
    char refusal[80];           /* what a shard said; `reason` may point here */

    struct recvq in;
    struct sendq greeting;      /* the handshake's frames, and confirms: they go before `out` */
    struct sendq out;
    size_t want;                /* length of the answer that is not whole yet */
    int64_t moved_ms;           /* when bytes last came, or of l->first last went */
    uint64_t queued, sent;      /* bytes of `out` since the link was opened */
    size_t open_bytes;          /* atomic: of frames not answered yet */
    struct request *first, **last;      /* unanswered, oldest first */
    struct confirms confirms;   /* of answers on this connection */
    struct histogram *took;     /* owned, two: see link_add_took(), and of it what was there
                                   at the last reset; NULL: nobody cares */
    int64_t answered_ns;        /* when those were sent that are answered now, */
    unsigned n_answered;        /* not in `took` yet */
};

/* Words for an errno, static. */
const char *link_words_of(int error);

/* The link is down, with all its requests, for `reason`, which is static or l->refusal,
 * and tries again after retry_ms; link_fail() longer each time. */
void link_go_down(struct link *l, const char *reason, int64_t retry_ms);
void link_fail(struct link *l, const char *reason);

/* Sends what the socket takes: of the greeting alone until the link is open. */
void link_flush_out(struct link *l);

/* link_greet.c: the handshake, and what is said of maps */

/* False: memory is short. */
bool link_greet(struct link *l);
void link_on_hello(struct link *l, const struct frame *f);
/* The answer to our map, or to our wish for theirs: the one both go by. */
void link_on_map(struct link *l, const struct frame *f);
void link_on_hello_refused(struct link *l, const struct frame *f);
/* The newer map that comes with a refusal, if one does. */
void link_take_map(struct link *l, const struct frame *f);

static inline struct world *link_world(const struct link *l)
{
    return l->ls->worker->world;
}

#endif
