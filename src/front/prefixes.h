/*
 * prefixes - what clients do with keys, by what stands before a ':' in them
 *
 * `stats detail`: off until somebody wants it, and then a lock a command.  The
 * first 10,000 prefixes are counted, others are not: memory is bounded.
 */
#ifndef FRONT_PREFIXES_H
#define FRONT_PREFIXES_H

#include <pthread.h>

#include "front/answer.h"

struct prefix;

struct prefixes {
    bool on;                    /* atomic */
    char delimiter;
    uint64_t hash_key[2];       /* secret: clients choose the prefixes */
    pthread_mutex_t lock;       /* for what follows */
    struct prefix **buckets;    /* owned; NULL until the first is counted */
    unsigned n;
};

/* `delimiter`: '\0': ':'; else counting begins at once. */
void prefixes_init(struct prefixes *p, char delimiter, const uint64_t hash_key[2]);
void prefixes_fini(struct prefixes *p);

void prefixes_switch(struct prefixes *p, bool on);
/* All are forgotten. */
void prefixes_reset(struct prefixes *p);

/* A command was answered with `status`. */
void prefixes_count(struct prefixes *p, const struct asked *asked, enum status status);

/* "PREFIX name get n hit n set n del n\r\n" for each.  False: no memory. */
bool prefixes_put(struct prefixes *p, struct sendq *q);

#endif
