/*
 * peer - one front's link, seen from the shard
 *
 *      GREETING --hello--> OPEN --eof, bad frame, refusal of a hello--> gone
 */
#ifndef SHARD_PEER_H
#define SHARD_PEER_H

#include "shard/shard.h"

struct peer;

struct shard_worker {
    struct shard *shard;
    struct worker *worker;
    struct peer *peers;         /* all */
    unsigned n_peers;
    struct timer *sweep;
};

/* Links to one worker; a front has one for each of its threads. */
#define PEERS_MAX 4096

/* Now and then: who connects and says nothing goes. */
void peer_look(struct shard_worker *sw);

/* Takes over `fd` unless it answers false: no memory. */
bool peer_new(struct shard_worker *sw, int fd);
void peer_free(struct peer *p);

#endif
