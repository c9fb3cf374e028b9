/*
 * reclaim - memory of a partition that is needed for something else
 *
 * In this order: spare segments; those whose items are all over; holes, by
 * sliding the items of neighbouring segments together; eviction.
 *
 *      [a..b|.c..|d.e.|..f.]  ->  [abcd|ef..] spare spare
 *
 * An eviction looks through the oldest segments of a group.  As in Segcache's
 * merging, those items stay that were read most, for their size, since the
 * last look; their segments go to the young end, as in CLOCK (Corbato 1968).
 */
#ifndef STORE_RECLAIM_H
#define STORE_RECLAIM_H

#include "store/partition.h"

/* Makes room in the limit for so many bytes more.  False when it cannot be. */
bool reclaim_bytes(struct partition *p, size_t bytes, int64_t at_ms);

/* The same for a segment of the log, which may be a spare one. */
bool reclaim_segment(struct partition *p, int64_t at_ms);

/* A segment becomes spare though there is room for one: the system gives none. */
bool reclaim_spare(struct partition *p, int64_t at_ms);

/* A segment more of tombstones would be too many; the oldest go for it. */
bool reclaim_has_many_tombstones(const struct partition *p);
void reclaim_tombstones(struct partition *p, int64_t at_ms);

/* Something of the segment has gone: if nothing is left its memory is free. */
void reclaim_if_empty(struct partition *p, uint32_t segment);

/* Counts an item that was found expired or flushed. */
void reclaim_count_dead(struct partition *p, const struct item *it, int64_t at_ms);

/* Housekeeping: drops what is over, looking at about `n` items.  Says at how many. */
unsigned reclaim_sweep(struct partition *p, unsigned n, int64_t at_ms);

/*
 * A step towards a limit that was lowered, by eviction even where the store
 * does not evict.  False when it is kept, or nothing is left to go.
 */
bool reclaim_shrink(struct partition *p, int64_t at_ms);

#endif
