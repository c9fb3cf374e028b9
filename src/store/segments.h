/*
 * segments - the log of a partition: items one behind the other
 *
 *      group   oldest                            newest
 *      60 s    [item|item|item  ] <-> [item|item|    ]  written here
 *      never   [item|item|item  ] <-> ...
 *
 * Memory is cut into segments of one size.  Each belongs to a group of items
 * that live about as long as each other (Segcache: Yang, Yue and Vinayak,
 * NSDI 2021), so that all items of a segment tend to be over at one time, and
 * its memory is then used again as a whole.  With little memory there are few
 * groups, so that the half-full newest ones hold no more than an eighth of it.
 *
 * A place in the log is a number of 32 bits, 0 is nowhere.  The log knows how
 * much of a segment is alive and when it is all over, but not who points to
 * its items: that is the partition's work (reclaim.c).
 */
#ifndef STORE_SEGMENTS_H
#define STORE_SEGMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "store/region.h"

#define SEGMENTS_GROUPS 32      /* and one for tombstones */
#define SEGMENTS_NONE UINT32_MAX     /* no segment */
#define SEGMENTS_PLACES (UINT32_MAX - ((uint32_t)1 << 24))   /* places are 1 .. this */

struct segment {
    int64_t drops_at_ms;        /* all its items are over then; 0: never */
    uint64_t stamp;             /* begun, or looked through by an eviction, then */
    uint64_t newest_version;    /* of its items, or above */
    uint32_t used, live;        /* bytes written; of them, of items that are there */
    uint32_t n_live;            /* items */
    uint32_t older, newer;      /* of its group */
    uint32_t group;
};

/* An item more is in it, until it expires (0: never). */
static inline void segment_note(struct segment *s, uint64_t expires_at, uint64_t version)
{
    if (expires_at == 0)
        s->drops_at_ms = 0;
    else if (s->drops_at_ms != 0 && (int64_t)expires_at > s->drops_at_ms)
        s->drops_at_ms = (int64_t)expires_at;
    if (version > s->newest_version)
        s->newest_version = version;
}

/* The same at its end, of `span` bytes. */
static inline void segment_add(struct segment *s, uint32_t span, uint64_t expires_at,
                               uint64_t version)
{
    s->used += span;
    s->live += span;
    s->n_live++;
    segment_note(s, expires_at, version);
}

struct group {
    uint32_t oldest, newest;
    uint32_t n;
};

struct segments {
    struct region region;
    struct segment *segment;    /* owned */
    uint32_t segment_bytes;
    uint32_t n_segments;        /* room for them is reserved */
    uint32_t n_touched;         /* were ever in use */
    uint32_t n_resident;        /* take memory: those in groups, and the spare ones */
    size_t used_bytes, live_bytes;      /* of all segments */
    uint32_t spare;             /* list of free ones that take memory, by `newer` */
    uint32_t bare;              /* of free ones that take none */
    unsigned unit_bits;         /* items lie at multiples of 1 << this */
    unsigned n_groups;
    struct group groups[SEGMENTS_GROUPS + 1];   /* the last, at n_groups: tombstones */
};

/*
 * A log that will hold about `limit` bytes, `reserve` at the very most.  False
 * when memory is short: then there is nothing to _fini().
 */
bool segments_init(struct segments *ss, size_t limit, size_t reserve);
void segments_fini(struct segments *ss);

/* The group of what has so long to live; TTL_NEVER is the last. */
unsigned segments_group(const struct segments *ss, int64_t ttl_ms);

/* Rounded up to what an item takes. */
static inline uint32_t segments_span(const struct segments *ss, size_t bytes)
{
    const size_t unit = (size_t)1 << ss->unit_bits;

    return (uint32_t)((bytes + unit - 1) & ~(unit - 1));
}

static inline char *segments_at(const struct segments *ss, uint32_t where)
{
    return ss->region.base + ((size_t)(where - 1) << ss->unit_bits);
}

static inline uint32_t segments_where(const struct segments *ss, const char *at)
{
    return (uint32_t)((size_t)(at - ss->region.base) >> ss->unit_bits) + 1;
}

static inline char *segments_base(const struct segments *ss, uint32_t segment)
{
    return ss->region.base + (size_t)segment * ss->segment_bytes;
}

static inline uint32_t segments_segment(const struct segments *ss, uint32_t where)
{
    return (uint32_t)(((size_t)(where - 1) << ss->unit_bits) / ss->segment_bytes);
}

/*
 * Room of `span` bytes at the end of a group, for an item that is over at
 * expires_at (0: never).  NULL when its newest segment has not so much.
 */
char *segments_take(struct segments *ss, unsigned group, uint32_t span, uint64_t expires_at,
               uint64_t version);

/* The item there, of `span` bytes, is no more. */
void segments_leave(struct segments *ss, uint32_t where, uint32_t span);

/* An item that stays where it is gets another version or end. */
void segments_renew(struct segments *ss, uint32_t where, uint64_t expires_at, uint64_t version);
/* It may, without its segment being kept for longer than it would be. */
bool segments_can_end(const struct segments *ss, uint32_t where, uint64_t expires_at);

/*
 * A new newest segment for a group: a spare one, else memory is taken for it.
 * False when memory is short.
 */
bool segments_open(struct segments *ss, unsigned group, uint64_t stamp);

/* The segment, which holds nothing, leaves its group and is spare. */
void segments_free(struct segments *ss, uint32_t segment);

/* The oldest segments of a group, to `last`, become the youngest but the newest. */
void segments_to_young(struct segments *ss, uint32_t last);

/* Gives the memory of a spare segment back; false: there is none. */
bool segments_discard(struct segments *ss);

/* Bytes that items have left behind them. */
static inline size_t segments_holes(const struct segments *ss)
{
    return ss->used_bytes - ss->live_bytes;
}

static inline bool segments_has_spare(const struct segments *ss)
{
    return ss->spare != SEGMENTS_NONE;
}

static inline bool segments_has_two_spare(const struct segments *ss)
{
    return segments_has_spare(ss) && ss->segment[ss->spare].newer != SEGMENTS_NONE;
}

/* What the items of a group live at most, about; TTL_NEVER: no end. */
int64_t segments_ttl_s(const struct segments *ss, unsigned group);
/* Items in a group; segments in all. */
uint64_t segments_items(const struct segments *ss, unsigned group);
uint32_t segments_in_use(const struct segments *ss);

/* Memory that it takes. */
static inline size_t segments_bytes(const struct segments *ss)
{
    return (size_t)ss->n_resident * ss->segment_bytes;
}

#endif
