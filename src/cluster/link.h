/*
 * link - a worker's pipelined connection to one member's peer address
 *
 *   DOWN --retry time--> CONNECTING --connected--> GREETING --maps agree--> OPEN
 *   any --refused, reset, silent, nonsense--> DOWN
 *
 * Requests are appended and leave with one send at the end of the turn;
 * answers come in order.  A link that is DOWN fails requests at once; while
 * the very first connect is under way they wait for it.
 *
 * A link says the epoch of the map that its requests go by: in the hello, and
 * when the map changes in-band, before the first request under the new one.
 * What the member refuses was not executed there; it refuses all that comes
 * behind until it is told that the refusal was seen, so nothing is overtaken.
 *
 * A member on the same host is reached by the Unix socket that it opens beside
 * its TCP address, "@chcached/ADDRESS"; if nobody is there, by TCP.
 */
#ifndef CLUSTER_LINK_H
#define CLUSTER_LINK_H

#include "base/histogram.h"
#include "cluster/cluster.h"
#include "cluster/request.h"
#include "net/worker.h"

struct link *link_new(struct links *ls, const struct member *m);
/* Fails what is open on it.  Copes with NULL. */
void link_free(struct link *l);

/*
 * Sends `f` for `r`, whose done and answer_op are set.  A value that lies in
 * `chunk` is not copied when it is large; chunk may be NULL.  r->done is
 * called later, or now when the link is down, full, or memory is short.
 */
void link_send(struct link *l, struct request *r, const struct frame *f, struct chunk *chunk);

/*
 * The same for several commands at once, frames one behind the other: `len` bytes.
 * r->each is called with the answer to each, in order, and the chunk of its value, or
 * with NULL where that one was refused; what r->told and r->open say is its to take.
 * r->done comes last: when all were answered, when some were refused, or when no more
 * is to come.  The frames are at r->value then, unless memory was short: r->frame_chunk
 * is NULL.
 *
 * One command alone needs no r->each.  Where the frames lie now, for changing them
 * before the turn ends; NULL: they were not queued, and r->done was called.
 */
char *link_send_all(struct link *l, struct request *r, const char *frames, size_t len,
                    unsigned n);

/* Queues a frame that has no answer, and can wait for what is sent next, or for the
 * next tick; false: the link is not open, or full. */
bool link_post(struct link *l, const struct frame *f);

/* Does the member take and give events (FRAME_EVENTS, FRAME_WATCH)?  An older one
 * would not know what that is.  And the streams that it says are watched at other
 * fronts: 1 << enum stream, together. */
bool link_tells_events(const struct link *l);
unsigned link_watched(const struct link *l);

/*
 * The copies have what the answer `r->open` (not 0) spoke of; or `given_up`: its
 * judge is to see to it.  The judge hears of it before whatever is sent next, and
 * soon (see links.h) if nothing is: a packet of its own would cost both sides as
 * much as the command did.  Not at all when the link was closed meanwhile: it
 * knows that.
 */
void link_confirm(struct link *l, uint64_t open, bool given_up);

/* Can something be sent now, or will it wait for the very first connect? */
bool link_is_open(const struct link *l);

/* NULL when it can, or why not: static words, or as long as it is so. */
const char *link_why_closed(const struct link *l);

/* It is well, but has refused something, and does until the next flush. */
bool link_is_refusing(const struct link *l);

/* The last thing that is known: its connection was lost or refused, it is not
 * only silent. */
bool link_is_refused(const struct link *l);

/* One that is down as it was refused is tried now, and what is sent meanwhile waits for
 * how that ends: soon.  Not one that did not answer. */
void link_try_again(struct link *l);

/* It goes by the links' new view from here on. */
void link_take_view(struct link *l);

/* If there is something to confirm that nothing else took along, it is dirty now. */
void link_hurry(struct link *l);

/* At the end of the turn, for links that are dirty. */
void link_flush(struct link *l);

/* Now and then: a member that owes an answer for too long is given up. */
void link_tick(struct link *l);

/* Is it the connection to this very member, at this address? */
bool link_leads_to(const struct link *l, const struct member *m);

const char *link_name(const struct link *l);

/*
 * How long the member took, in nanoseconds: from the turn in which a request was
 * queued to the one in which its answer came.  Commands and copies are counted, what
 * was sent together once.  Added to `sum`: since the link was made, or since
 * link_reset_took().  Any thread, while the link's owner sees to it that it is not
 * freed nor reset; the same for the bytes of requests that are not answered.
 */
void link_add_took(const struct link *l, struct histogram *sum);
void link_add_took_since(const struct link *l, struct histogram *sum);
void link_reset_took(struct link *l);
size_t link_open_bytes(const struct link *l);

/* For requests: one reference more, one less; the latter copes with NULL. */
void link_ref(struct link *l);
void link_unref(struct link *l);

/* Links that are dirty, one after the other. */
struct link *link_next_dirty(struct link *l);

#endif
