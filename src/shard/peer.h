/*
 * peer - one member's link, seen from the shard
 *
 *      GREETING --hello--> OPEN --eof, bad frame, refusal of a hello--> gone
 *
 *      bytes --> peer.c --+-- hello, map -----------------> greet.c
 *                         +-- commands, copies, confirms -> serve.c --> store
 */
#ifndef SHARD_PEER_H
#define SHARD_PEER_H

#include "net/recvq.h"
#include "net/sendq.h"
#include "shard/open_writes.h"
#include "shard/shard.h"
#include "wire/frame.h"
#include "wire/hello.h"

struct shard_worker {
    struct shard *shard;
    struct worker *worker;
    struct view *view;          /* a reference: the map that is gone by, or NULL */
    uint64_t epoch;             /* of it */
    uint64_t noted;             /* atomic: the same, when what was open is handed over */
    int64_t noted_ms;           /* when that was */
    bool is_member;             /* this very process is a live member there */
    struct peer *peers;         /* all */
    unsigned n_peers;
    struct timer *sweep, *resume;       /* resume: runs while a peer is held */
    struct mail look;           /* see shard_is_quiet() */
    struct mail wake;           /* there is a newer map */
    bool woken;                 /* atomic: it is on its way */
    struct open_writes own;     /* of a front in this process */
    char *ping;                 /* owned: room for an answer to a ping, or NULL */
};

struct peer {
    struct shard_worker *sw;
    struct peer *prev, *next;   /* sw->peers */
    int fd;
    struct watch *watch;
    struct recvq in;
    struct sendq out;
    size_t want;                /* length of the frame that is not whole yet */
    struct chunk *loan;         /* of the hit at hand, or NULL */
    uint64_t epoch;             /* of the map that its requests go by; 0: not agreed */
    int64_t since_ms;           /* it is connected */
    bool greeted;
    bool full;                  /* the socket takes no more: nothing is executed */
    bool held;                  /* what comes next waits: see serve_must_wait() */
    bool closing;

    bool refusing;              /* all is refused until it says that it has seen why */
    bool judged, leased;        /* since the socket was read: see serve.c */
    enum refusal verdict;       /* of `judged`; N_REFUSALS: executed */
    struct open_writes open;    /* of its commands, see open_writes.h */
    uint64_t told;              /* version that the copies were told of, for the answer */
    bool as_copy;               /* the command at hand is */
    struct follower *follower;  /* of a front that watches, see watching.h; or NULL */
    unsigned watched;           /* what the front was told that others want */
    bool served;                /* unsent answers need a lease to leave */

    uint8_t role;               /* enum hello_role */
    uint16_t protocol;          /* that is spoken with it, as hello_spoken() says */
    uint64_t incarnation;
    char name[HELLO_NAME_MAX + 1];
};

/* Links to one worker; a front has one for each of its threads. */
#define PEERS_MAX 4096

/* A clock that is further ahead than this must not poison the versions here. */
#define CLOCK_AHEAD_MS 10000

/* What is open for so long is repaired without waiting for the other side. */
#define OPEN_MS 1000

/* Now and then: who connects and says nothing goes; what is open for too long is
 * handed over. */
void peer_look(struct shard_worker *sw);

/* Those that were held go on. */
void peer_resume(struct shard_worker *sw);

/* Takes over `fd` unless it answers false: no memory. */
bool peer_new(struct shard_worker *sw, int fd);
void peer_free(struct peer *p);

/* For those who answer.  A peer that memory fails is closed. */
void peer_send(struct peer *p, const struct frame *f);
void peer_answer(struct peer *p, const struct answer *a);
void peer_applied(struct peer *p, uint64_t version, enum applied applied);
void peer_done(struct peer *p, uint64_t version, const char *value, size_t len);
void peer_refuse(struct peer *p, enum refusal why, const char *value, size_t len);

#endif
