/*
 * relay - what happens at one front, on its way to those where it is watched
 *
 *      front --relay_add--> [ follower | follower ] --relay_ask--> fronts with watchers
 *
 * Fronts do not know each other, but they all know the shards: each shard has a
 * relay.  A front whose clients watch follows at all of them; another one hears from
 * them what is wanted, and adds what its own clients do to one of them.
 *
 * A follower is one worker of a front, or one of its links.  What it does not take
 * soon enough it misses, and is told how much.  While nobody follows, nothing is kept
 * and nothing costs more than a load.  Any thread.
 */
#ifndef CLUSTER_RELAY_H
#define CLUSTER_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RELAY_PAGE 65536        /* bytes of events that wait for a follower */
#define RELAY_FOLLOWERS 128     /* at a time */
#define RELAY_MS 2000           /* who has not asked for so long follows no more */

struct relay;
struct follower;

/* NULL when memory is short.  Nobody follows when it is freed. */
struct relay *relay_new(void);
void relay_free(struct relay *r);       /* copes with NULL */

/*
 * `*mine` (NULL at first) follows these streams (1 << enum stream) of all processes
 * but `process` from here on; with none it is NULL again.  It stays NULL, too, where
 * there are too many, or memory is short.  Writes to `out` (RELAY_PAGE bytes) the
 * events since the last time, as wire/events.h has them; returns their length, and in
 * *missed how many more there were.
 */
size_t relay_ask(struct relay *r, struct follower **mine, uint64_t process, unsigned streams,
                 int64_t now_ms, char *out, uint64_t *missed);

/* The same with no streams, if it has not asked for long; and at once. */
void relay_look(struct relay *r, struct follower **mine, int64_t now_ms);
void relay_leave(struct relay *r, struct follower **mine);

/* Events of `process`, whatever bytes they are, and how many more there were. */
void relay_add(struct relay *r, uint64_t process, const char *events, size_t len,
               uint64_t missed);

/* The streams that others than `process` follow. */
unsigned relay_wanted(struct relay *r, uint64_t process);

#endif
