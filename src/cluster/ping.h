/*
 * ping - what two members tell each other ten times a second
 *
 * The value of a FRAME_PING and of the FRAME_DONE that answers it:
 *
 *      | format | numbers | name | address | a map, where it is newer |
 *
 * A map is sent to who has the older one; who gets it adopts it.
 */
#ifndef CLUSTER_PING_H
#define CLUSTER_PING_H

#include "cluster/map.h"

enum ping_role { PING_FRONT = 1, PING_SHARD = 2, PING_LEADER = 4 };     /* or-ed */

enum ping_mark {
    PING_ASKS = 1,              /* a lease, under the epoch seen */
    PING_GRANTED = 2,           /* an answer: it is given, under the epoch seen */
    PING_GOODBYE = 4,           /* serves nothing, gives nothing, from now on */
    PING_DONE = 8               /* all that is to be moved in `move_epoch` is there */
};

struct ping {
    uint8_t role;
    uint8_t marks;
    uint16_t number;            /* in the map seen; 0: not in it */
    uint64_t incarnation;
    uint64_t seen, adopted;     /* epochs: cluster_epoch(), cluster_adopted() */
    uint64_t digest;            /* of the map seen */
    uint64_t ended;             /* judges nothing by maps before, has replayed all it judged */
    uint64_t purged;            /* has dropped all that is not its own by that map */
    uint64_t go;                /* the leader's: the JOINT epoch whose items may move */
    int64_t wall_ms;
    uint64_t flush_version;
    uint64_t move_epoch;        /* map->phase_since of the JOINT phase; 0: no move yet */
    uint64_t items_sent, bytes_sent, items_left, bytes_left;
    char name[MAP_NAME_MAX + 1];
    char address[ADDRESS_MAX];  /* where the sender can be reached; "": not known */
    const char *map;            /* map_len() bytes, or NULL: read it with map_read() */
    size_t map_len;
};

#define PING_LEN_MAX 384        /* without a map */

/* Writes all but the map, which the caller lets follow; returns the length. */
size_t ping_put(char *out, const struct ping *p);
/* False when it is none.  p->map goes into `data`. */
bool ping_read(const char *data, size_t len, struct ping *p);

#endif
