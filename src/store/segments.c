#include "store/segments.h"

#include <assert.h>
#include <stdlib.h>

#include "wire/cmd.h"

/* A 256th of the memory, and no less than 16 of them in all. */
#define SEGMENTS 256
#define SEGMENTS_LEAST 16
#define SEGMENT_MIN ((size_t)32 << 10)
#define SEGMENT_MAX ((size_t)512 << 10)
#define SEGMENT_LEAST REGION_PAGE

#define OPEN_SHARE 8            /* newest segments hold an eighth at most */

#define UNIT_BITS 2

#define SETTLE_BYTES ((size_t)2 << 20)

static size_t segment_size(size_t limit)
{
    size_t size = SEGMENT_MAX;

    while (size > SEGMENT_MIN && limit / size < SEGMENTS)
        size /= 2;
    while (size > SEGMENT_LEAST && limit / size < SEGMENTS_LEAST)
        size /= 2;
    return size;
}

static unsigned count_groups(size_t n_segments)
{
    const size_t n = n_segments / OPEN_SHARE;

    if (n < 2)
        return 2;
    return n < SEGMENTS_GROUPS ? (unsigned)n : SEGMENTS_GROUPS;
}

bool segments_init(struct segments *ss, size_t limit, size_t reserve)
{
    const size_t size = segment_size(limit);
    unsigned bits = UNIT_BITS;

    while (reserve >> bits > SEGMENTS_PLACES)
        bits++;
    *ss = (struct segments){
        .segment_bytes = (uint32_t)size, .n_segments = (uint32_t)(reserve / size),
        .spare = SEGMENTS_NONE, .bare = SEGMENTS_NONE, .unit_bits = bits,
        .n_groups = count_groups(limit / size),
    };
    for (unsigned i = 0; i <= SEGMENTS_GROUPS; i++)
        ss->groups[i] = (struct group){ SEGMENTS_NONE, SEGMENTS_NONE, 0 };
    if (!region_init(&ss->region, ss->n_segments * size))
        return false;
    ss->segment = store_may_take(ss->n_segments) ? calloc(ss->n_segments, sizeof(*ss->segment))
                                                : NULL;
    if (ss->segment == NULL) {
        region_fini(&ss->region);
        return false;
    }
    return true;
}

void segments_fini(struct segments *ss)
{
    free(ss->segment);
    region_fini(&ss->region);
}

unsigned segments_group(const struct segments *ss, int64_t ttl_ms)
{
    const unsigned timed = ss->n_groups - 1;
    unsigned power = 0;         /* of seconds: 0 .. 30 */

    if (ttl_ms == TTL_NEVER)
        return timed;
    for (int64_t s = ttl_ms / 1000; s > 1 && power < SEGMENTS_GROUPS - 2; s /= 2)
        power++;
    return power * timed / (SEGMENTS_GROUPS - 1);
}

char *segments_take(struct segments *ss, unsigned group, uint32_t span, uint64_t expires_at,
               uint64_t version)
{
    const uint32_t index = ss->groups[group].newest;
    struct segment *s;
    char *at;

    if (index == SEGMENTS_NONE)
        return NULL;
    s = &ss->segment[index];
    if (ss->segment_bytes - s->used < span)
        return NULL;
    at = segments_base(ss, index) + s->used;
    segment_add(s, span, expires_at, version);
    ss->used_bytes += span;
    ss->live_bytes += span;
    return at;
}

void segments_leave(struct segments *ss, uint32_t where, uint32_t span)
{
    struct segment *s = &ss->segment[segments_segment(ss, where)];

    assert(s->n_live > 0 && s->live >= span);
    s->live -= span;
    s->n_live--;
    ss->live_bytes -= span;
}

void segments_renew(struct segments *ss, uint32_t where, uint64_t expires_at, uint64_t version)
{
    segment_note(&ss->segment[segments_segment(ss, where)], expires_at, version);
}

bool segments_can_end(const struct segments *ss, uint32_t where, uint64_t expires_at)
{
    const int64_t drops_at_ms = ss->segment[segments_segment(ss, where)].drops_at_ms;

    return drops_at_ms == 0 || (expires_at != 0 && (int64_t)expires_at <= drops_at_ms);
}

static uint32_t pop(struct segments *ss, uint32_t *list)
{
    const uint32_t index = *list;

    *list = ss->segment[index].newer;
    return index;
}

static void push(struct segments *ss, uint32_t *list, uint32_t index)
{
    ss->segment[index].newer = *list;
    *list = index;
}

int64_t segments_ttl_s(const struct segments *ss, unsigned group)
{
    const unsigned timed = ss->n_groups - 1;

    if (group == timed)
        return TTL_NEVER;
    return INT64_C(1) << ((group + 1) * (SEGMENTS_GROUPS - 1) + timed - 1) / timed;
}

uint64_t segments_items(const struct segments *ss, unsigned group)
{
    uint64_t n = 0;

    for (uint32_t i = ss->groups[group].oldest; i != SEGMENTS_NONE; i = ss->segment[i].newer)
        n += ss->segment[i].n_live;
    return n;
}

uint32_t segments_in_use(const struct segments *ss)
{
    uint32_t n = 0;

    for (unsigned g = 0; g <= ss->n_groups; g++)
        n += ss->groups[g].n;
    return n;
}

/* Segments that have been written to their end for the first time settle, as
 * many as a huge page has. */
static void settle_last(struct segments *ss)
{
    const size_t end = (size_t)ss->n_touched * ss->segment_bytes;

    if (end % SETTLE_BYTES == 0 && end > 0)
        region_settle(&ss->region, end - SETTLE_BYTES, SETTLE_BYTES);
}

/* A free segment that takes memory, or SEGMENTS_NONE. */
static uint32_t take_segment(struct segments *ss)
{
    if (ss->spare != SEGMENTS_NONE)
        return pop(ss, &ss->spare);
    if (ss->bare != SEGMENTS_NONE) {
        ss->n_resident++;
        return pop(ss, &ss->bare);
    }
    if (ss->n_touched == ss->n_segments ||
        !region_use(&ss->region, (size_t)(ss->n_touched + 1) * ss->segment_bytes))
        return SEGMENTS_NONE;
    ss->n_resident++;
    settle_last(ss);
    return ss->n_touched++;
}

bool segments_open(struct segments *ss, unsigned group, uint64_t stamp)
{
    const uint32_t index = take_segment(ss);
    struct group *g = &ss->groups[group];

    if (index == SEGMENTS_NONE)
        return false;
    ss->segment[index] = (struct segment){
        .drops_at_ms = 1, .stamp = stamp, .older = g->newest, .newer = SEGMENTS_NONE,
        .group = group,
    };
    if (g->newest != SEGMENTS_NONE)
        ss->segment[g->newest].newer = index;
    else
        g->oldest = index;
    g->newest = index;
    g->n++;
    return true;
}

void segments_free(struct segments *ss, uint32_t segment)
{
    struct segment *s = &ss->segment[segment];
    struct group *g = &ss->groups[s->group];

    if (s->older != SEGMENTS_NONE)
        ss->segment[s->older].newer = s->newer;
    else
        g->oldest = s->newer;
    if (s->newer != SEGMENTS_NONE)
        ss->segment[s->newer].older = s->older;
    else
        g->newest = s->older;
    g->n--;
    ss->used_bytes -= s->used;
    ss->live_bytes -= s->live;
    s->used = s->live = s->n_live = 0;
    push(ss, &ss->spare, segment);
}

void segments_to_young(struct segments *ss, uint32_t last)
{
    struct group *g = &ss->groups[ss->segment[last].group];
    const uint32_t first = g->oldest, behind = ss->segment[last].newer;
    const uint32_t before = ss->segment[g->newest].older;

    if (behind == SEGMENTS_NONE || behind == g->newest)
        return;
    g->oldest = behind;
    ss->segment[behind].older = SEGMENTS_NONE;
    ss->segment[before].newer = first;
    ss->segment[first].older = before;
    ss->segment[last].newer = g->newest;
    ss->segment[g->newest].older = last;
}

bool segments_discard(struct segments *ss)
{
    uint32_t index;

    if (ss->spare == SEGMENTS_NONE)
        return false;
    index = pop(ss, &ss->spare);
    region_discard(&ss->region, (size_t)index * ss->segment_bytes, ss->segment_bytes);
    push(ss, &ss->bare, index);
    ss->n_resident--;
    return true;
}
