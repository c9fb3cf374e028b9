/*
 * hello - what two members tell each other first
 *
 * The value of the FRAME_HELLO that both sides of a link begin with.
 */
#ifndef WIRE_HELLO_H
#define WIRE_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HELLO_MAGIC 0x43484331u /* "CHC1" */
/* Protocols spoken.  Two members speak the newest that both do. */
#define HELLO_LEAST 2
#define HELLO_MOST 3
#define HELLO_EVENTS 3          /* from here on fronts hear of each other's clients */
#define HELLO_NAME_MAX 64
#define HELLO_PROOF_MAX 64

struct hello {
    uint16_t least, most;       /* protocols spoken */
    uint8_t role;               /* enum hello_role */
    char cluster[HELLO_NAME_MAX + 1];
    char name[HELLO_NAME_MAX + 1];
    uint32_t number;            /* of the member, 0: none yet */
    uint64_t epoch;             /* of the map that this side goes by, 0: none */
    uint64_t digest;            /* of that map: equal epochs must mean equal maps */
    int64_t wall_ms;            /* its clock */
    uint64_t flush_version;
    uint64_t incarnation;       /* drawn at the start of its process; 0: not known */
    uint8_t proof_len;          /* 0 until there is authentication */
    uint8_t proof[HELLO_PROOF_MAX];
};

enum hello_role {
    HELLO_FRONT = 1, HELLO_SHARD = 2,
    HELLO_AGENT = 3             /* only pings come: the maps need not agree */
};

#define HELLO_LEN_MAX 256
/* Writes the value of a FRAME_HELLO; returns its length, <= HELLO_LEN_MAX. */
size_t hello_put(char *out, const struct hello *h);
/* False when it is none. */
bool hello_read(const char *data, size_t len, struct hello *h);
/* The protocol spoken with who said this; 0: there is none. */
uint16_t hello_spoken(const struct hello *h);

#endif
