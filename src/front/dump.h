/*
 * dump - `lru_crawler metadump`: every item of the cluster, listed
 *
 *      member 1 --page--> lines,  page --> lines ... member 2 --page--> ... END
 *
 * A page is asked for when the one before it has gone into the session's
 * output, so a client that reads slowly slows down nobody but itself.
 */
#ifndef FRONT_DUMP_H
#define FRONT_DUMP_H

#include "front/front.h"

enum dump_kind {
    DUMP_METADUMP, DUMP_MGDUMP,
    DUMP_CACHEDUMP              /* of `stats`: only keys that are text */
};

/* Begins; the session executes nothing else until the end, or until `most`
 * items are listed (0: all). */
void dump_begin(struct session *s, enum dump_kind kind, uint32_t most);

/* A key as metadump and watch print it, %XX for what is special: at most 3 *
 * len bytes.  Returns the end. */
char *dump_put_key(char *out, const char *key, size_t len);

#endif
