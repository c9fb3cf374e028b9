#include "store/reclaim.h"

#include "base/hash.h"
#include "base/unset.h"

/*
 * An eviction looks through so many segments and frees so many of them.  With
 * fewer freed it copies more for each byte that is written, with more it knows
 * less of what is worth keeping; a longer look holds the lock for longer.
 */
#define WINDOW 8
#define FREED 3
#define HOLES_SHARE 16          /* below this part of the log they are not looked for */
#define BATCH 16                /* items whose slots are fetched at once */
#define TOMBSTONES 16           /* this part of the memory is theirs at most */
#define CHANCES 32              /* large items an eviction passes over */
#define WORTHS 64               /* classes, see worth() */
#define OPEN_LOOK_MS 1000       /* until tombstones that are over are looked at again */
#define IDLE_LOOK_MS INT64_C(250000000)     /* three days: a quarter of ITEM_USED_SPAN */

void reclaim_count_dead(struct partition *p, const struct item *it, int64_t at_ms)
{
    const bool expired = it->expires_at != 0 && (int64_t)it->expires_at <= at_ms;

    p->counts.reclaimed++;
    if (expired && (it->marks & ITEM_FETCHED) == 0)
        p->counts.expired_unfetched++;
}

static void count_evicted(struct partition *p, const struct item *it, int64_t at_ms)
{
    p->counts.evictions++;
    if (evictions_wanted(p->evictions, at_ms))
        evictions_add(p->evictions, it, at_ms);
    if ((it->marks & ITEM_FETCHED) == 0)
        p->counts.evicted_unfetched++;
}

/* ---- letting go of an item ---- */

/*
 * What goes while an older replay may be on its way, or is open, leaves a
 * tombstone, where there is room for one without making any: memory is being
 * sorted.
 */
static bool leave_tombstone(struct partition *p, const struct found *f, int64_t at_ms)
{
    struct segments *ss = &p->segments;
    const struct draft d = {
        .key = f->item.key, .key_len = f->item.key_len, .version = f->item.version,
        .open = f->item.open, .marks = ITEM_DELETED,
        .expires_at = (uint64_t)(at_ms + p->tombstone_ms),
    };
    char *at = segments_take(ss, ss->n_groups, segments_span(ss, draft_bytes(&d)),
                             d.expires_at, d.version);

    if (at == NULL) {
        p->wants_tombstones = true;
        if (d.version > p->forgotten)
            p->forgotten = d.version;
        return false;
    }
    item_write(at, &d);
    index_move(&p->index, f->hash, f->where, segments_where(ss, at));
    p->item_bytes += draft_bytes(&d);
    p->n_tombstones++;
    p->n_open += d.open;
    return true;
}

static bool may_come_back(const struct partition *p, const struct item *it, int64_t at_ms)
{
    return partition_age_ms(p, it->version, at_ms) <= REPLAY_WINDOW_MS;
}

/*
 * It goes because it is dead, or is evicted.  The index knows it no more; its
 * room is the caller's business.
 */
static void let_go(struct partition *p, const struct found *f, int64_t at_ms)
{
    const struct item *it = &f->item;
    bool wants = false;

    if (item_is_deleted(it)) {
        p->n_tombstones--;
    } else if (partition_is_dead(p, it, at_ms)) {
        reclaim_count_dead(p, it, at_ms);
        wants = it->open && it->version > p->floor;
    } else {
        count_evicted(p, it, at_ms);
        wants = it->open || may_come_back(p, it, at_ms);
    }
    if (!wants || p->tombstone_ms == 0 || !leave_tombstone(p, f, at_ms))
        index_remove(&p->index, f->hash, f->where);
    p->item_bytes -= item_bytes(it);
    p->n_open -= it->open;
}

/* Now that there is memory again, tombstones get some of it. */
static void open_tombstones(struct partition *p, int64_t at_ms)
{
    struct segments *ss = &p->segments;

    if (!p->wants_tombstones || !segments_has_spare(ss))
        return;
    reclaim_tombstones(p, at_ms);
    if (!segments_has_two_spare(ss) || !segments_open(ss, ss->n_groups, ++p->stamp))
        return;
    p->wants_tombstones = false;
    /* empty as it is, it is not over */
    segment_note(&ss->segment[ss->groups[ss->n_groups].newest],
                 (uint64_t)(at_ms + p->tombstone_ms), version_latest(&p->clock));
}

/* ---- the items of a segment ---- */

struct reader {
    struct partition *p;
    uint32_t segment, at, end;  /* offsets: read up to here, of so much */
};

static struct reader reader_of(struct partition *p, uint32_t segment)
{
    return (struct reader){ p, segment, 0, p->segments.segment[segment].used };
}

/* The next item that is there; false at the end. */
static bool next_item(struct reader *r, struct found *f)
{
    const struct segments *ss = &r->p->segments;

    while (r->at < r->end) {
        char *at = segments_base(ss, r->segment) + r->at;

        item_read(&f->item, at);
        r->at += segments_span(ss, item_bytes(&f->item));
        if (f->item.version == 0)
            continue;
        f->large = NULL;
        f->where = segments_where(ss, at);
        return true;
    }
    return false;
}

/* Up to BATCH of them, the index's memory for them on its way. */
static unsigned next_batch(struct reader *r, struct found *batch)
{
    unsigned n = 0;

    while (n < BATCH && next_item(r, &batch[n])) {
        struct found *f = &batch[n++];

        f->hash = index_hash(hash_sip13(r->p->hash_key, f->item.key, f->item.key_len));
        index_prefetch(&r->p->index, f->hash);
    }
    return n;
}

static void drop_segment(struct partition *p, uint32_t segment, int64_t at_ms)
{
    struct reader r = reader_of(p, segment);
    UNSET struct found batch[BATCH];
    unsigned n;

    while ((n = next_batch(&r, batch)) > 0) {
        for (unsigned i = 0; i < n; i++)
            let_go(p, &batch[i], at_ms);
    }
    segments_free(&p->segments, segment);
}

void reclaim_if_empty(struct partition *p, uint32_t segment)
{
    if (p->segments.segment[segment].n_live == 0)
        segments_free(&p->segments, segment);
}

/* ---- squeezing ---- */

/*
 * Items slide down over holes and over what goes, in memory and from segment
 * to segment.  What is written never overtakes what is read: of each segment
 * no more was written than was read of it.
 */
struct squeeze {
    struct partition *p;
    int64_t at_ms;
    bool evicts;
    unsigned cut;               /* what is worth less goes; of what is worth this */
    size_t cut_bytes, stay_bytes, credit;       /* a part stays */
    uint32_t to;                /* the segment that is written, */
    struct segment fill;        /* and what it holds then */
};

static void begin_fill(struct squeeze *q, uint32_t segment)
{
    q->to = segment;
    q->fill = (struct segment){ .drops_at_ms = 1 };
}

static void end_fill(struct squeeze *q)
{
    struct segments *ss = &q->p->segments;
    struct segment *s = &ss->segment[q->to];

    ss->used_bytes += q->fill.used - (size_t)s->used;
    ss->live_bytes += q->fill.used - (size_t)s->live;
    s->drops_at_ms = q->fill.drops_at_ms;
    s->newest_version = q->fill.newest_version;
    s->used = s->live = q->fill.used;
    s->n_live = q->fill.n_live;
    if (q->evicts)
        s->stamp = ++q->p->stamp;
}

static void slide(struct squeeze *q, struct found *f)
{
    struct segments *ss = &q->p->segments;
    const size_t bytes = item_bytes(&f->item);
    const uint32_t span = segments_span(ss, bytes);
    char *to;

    if (ss->segment_bytes - q->fill.used < span) {
        end_fill(q);
        begin_fill(q, ss->segment[q->to].newer);
    }
    to = segments_base(ss, q->to) + q->fill.used;
    segment_add(&q->fill, span, f->item.expires_at, f->item.version);
    if (to != f->item.at) {
        q->p->counts.moved_bytes += bytes;
        memmove(to, f->item.at, bytes);
        index_move(&q->p->index, f->hash, f->where, segments_where(ss, to));
    }
    if (q->evicts && f->item.uses > 0) {
        f->item.at = to;
        item_set_used(&f->item, f->item.used_at_s, f->item.uses - 1, f->item.marks);
    }
}

/*
 * What an eviction goes by: uses of late for each byte, in half powers of two,
 * half a use for what had none.  After some looks without a use an item goes
 * before all others, however short it is: else short ones that nobody reads
 * would keep their memory from long ones that come later.
 */
static unsigned worth(const struct item *it)
{
    const uint64_t twice = it->uses > ITEM_USES_NEW ? 2 * (it->uses - ITEM_USES_NEW) + 1 : 1;
    const uint64_t per_byte = (twice << 24) / item_bytes(it);
    const unsigned bits = 63 - (unsigned)__builtin_clzll(per_byte | 2);

    return it->uses == 0 ? 0 : 2 * bits + (unsigned)(per_byte >> (bits - 1) & 1);
}

/* Of those that are worth as much as each other a part stays, evenly spread. */
static bool stays(struct squeeze *q, const struct item *it)
{
    unsigned w;

    if (partition_is_dead(q->p, it, q->at_ms))
        return false;
    if (!q->evicts)
        return true;
    w = worth(it);
    if (w != q->cut)
        return w > q->cut;
    q->credit += q->stay_bytes;
    if (q->credit < q->cut_bytes)
        return false;
    q->credit -= q->cut_bytes;
    return true;
}

static void squeeze_segment(struct squeeze *q, uint32_t segment)
{
    struct reader r = reader_of(q->p, segment);
    UNSET struct found batch[BATCH];
    unsigned n;

    while ((n = next_batch(&r, batch)) > 0) {
        for (unsigned i = 0; i < n; i++) {
            if (stays(q, &batch[i].item))
                slide(q, &batch[i]);
            else
                let_go(q->p, &batch[i], q->at_ms);
        }
    }
}

/*
 * `n` segments of a group from `first` on; those that fall empty are spare.
 * Says which is the last one that is left, SEGMENTS_NONE when none is; counts
 * the others in *freed.
 */
static uint32_t squeeze(struct squeeze *q, uint32_t first, uint32_t n, uint64_t *freed)
{
    struct segments *ss = &q->p->segments;
    uint32_t segment = first, next, behind, last;

    begin_fill(q, first);
    for (uint32_t i = 0; i < n; i++, segment = next) {
        next = ss->segment[segment].newer;
        squeeze_segment(q, segment);
    }
    behind = segment;
    end_fill(q);
    last = q->fill.n_live > 0 ? q->to : ss->segment[q->to].older;
    segment = q->fill.n_live > 0 ? ss->segment[q->to].newer : q->to;
    for (; segment != behind; segment = next) {
        next = ss->segment[segment].newer;
        segments_free(ss, segment);
        ++*freed;
    }
    return q->to == first && q->fill.n_live == 0 ? SEGMENTS_NONE : last;
}

/* ---- what is over, and holes ---- */

static bool has_open(struct partition *p, uint32_t segment)
{
    struct found f;

    for (struct reader r = reader_of(p, segment); next_item(&r, &f);)
        if (f.item.open)
            return true;
    return false;
}

/* Tombstones may be needed for longer than their time. */
static bool may_end(struct partition *p, uint32_t segment, int64_t at_ms)
{
    struct segment *s = &p->segments.segment[segment];

    if (s->group != p->segments.n_groups)
        return true;
    if (p->hold)
        return false;
    if (p->n_open == 0 || !has_open(p, segment))
        return true;
    s->drops_at_ms = at_ms + OPEN_LOOK_MS;
    return false;
}

static bool is_over(struct partition *p, uint32_t segment, int64_t at_ms)
{
    const struct segment *s = &p->segments.segment[segment];

    if (s->newest_version <= p->floor)
        return true;
    return s->drops_at_ms != 0 && s->drops_at_ms <= at_ms && may_end(p, segment, at_ms);
}

/* Drops segments that are over until about `n` items have gone; says how many. */
static unsigned drop_over(struct partition *p, unsigned n, int64_t at_ms)
{
    struct segments *ss = &p->segments;
    unsigned gone = 0;

    for (unsigned g = 0; g <= ss->n_groups; g++) {
        for (uint32_t i = ss->groups[g].oldest, next; i != SEGMENTS_NONE && gone < n; i = next) {
            next = ss->segment[i].newer;
            if (!is_over(p, i, at_ms))
                continue;
            gone += ss->segment[i].n_live + 1;
            drop_segment(p, i, at_ms);
            p->counts.dropped_segments++;
        }
    }
    return gone;
}

/* Neighbours in a group, from `first` to before `behind`, and what they hold. */
struct neighbours {
    uint32_t first, behind, n;
    uint64_t live, holes, n_live;
};

static struct neighbours from_here(uint32_t segment)
{
    return (struct neighbours){ .first = segment, .behind = segment };
}

static void add_neighbour(const struct segments *ss, struct neighbours *ns)
{
    const struct segment *s = &ss->segment[ns->behind];

    ns->n++;
    ns->live += s->live;
    ns->holes += s->used - s->live;
    ns->n_live += s->n_live;
    ns->behind = s->newer;
}

static void drop_neighbour(const struct segments *ss, struct neighbours *ns)
{
    const struct segment *s = &ss->segment[ns->first];

    ns->n--;
    ns->live -= s->live;
    ns->holes -= s->used - s->live;
    ns->n_live -= s->n_live;
    ns->first = s->newer;
}

/* They would fit fewer segments: there are holes, and room for what is lost at
 * the ends of segments. */
static bool have_holes(const struct segments *ss, const struct neighbours *ns)
{
    return ns->holes > 0
        && ns->live + ns->n * (ns->live / (ns->n_live | 1))
           <= (uint64_t)(ns->n - 1) * ss->segment_bytes;
}

/* Slides the items of `n` such neighbours together.  False when there are none. */
static bool fill_holes(struct partition *p, uint32_t n, int64_t at_ms)
{
    struct squeeze q = { .p = p, .at_ms = at_ms };
    struct segments *ss = &p->segments;

    for (unsigned g = 0; g <= ss->n_groups; g++) {
        struct neighbours ns = from_here(ss->groups[g].oldest);

        while (ns.n == n || ns.behind != SEGMENTS_NONE) {
            if (ns.n < n) {
                add_neighbour(ss, &ns);
            } else if (!have_holes(ss, &ns)) {
                drop_neighbour(ss, &ns);
            } else {
                squeeze(&q, ns.first, n, &p->counts.squeezed_segments);
                if (segments_has_spare(ss))
                    return true;
                ns = from_here(ss->segment[ns.first].newer);
            }
        }
    }
    return false;
}

bool reclaim_has_many_tombstones(const struct partition *p)
{
    const struct segments *ss = &p->segments;
    const uint32_t n = ss->groups[ss->n_groups].n;

    return n > 1 && (n + 1) * (size_t)ss->segment_bytes > p->limit_bytes / TOMBSTONES;
}

void reclaim_tombstones(struct partition *p, int64_t at_ms)
{
    struct segments *ss = &p->segments;
    const struct group *g = &ss->groups[ss->n_groups];

    while (reclaim_has_many_tombstones(p)) {
        if (ss->segment[g->oldest].newest_version > p->forgotten)
            p->forgotten = ss->segment[g->oldest].newest_version;
        drop_segment(p, g->oldest, at_ms);
    }
}

/* ---- eviction ---- */

struct worths {
    size_t bytes[WORTHS];       /* of the items of each class */
    size_t sum;
    uint32_t widest;            /* of all items */
};

static void weigh(const struct squeeze *q, uint32_t segment, struct worths *ws)
{
    struct reader r = reader_of(q->p, segment);
    struct found f;

    while (next_item(&r, &f)) {
        const uint32_t span = segments_span(&q->p->segments, item_bytes(&f.item));

        if (partition_is_dead(q->p, &f.item, q->at_ms))
            continue;
        ws->bytes[worth(&f.item)] += span;
        ws->sum += span;
        if (span > ws->widest)
            ws->widest = span;
    }
}

/* Says what must go so that the items of `n` segments fit `left` of them,
 * whatever is lost at the ends of those. */
static void choose(struct squeeze *q, uint32_t first, uint32_t n, uint32_t left)
{
    const struct segments *ss = &q->p->segments;
    struct worths ws = { .sum = 0 };
    size_t room, gone = 0;

    for (uint32_t i = 0; i < n; i++, first = ss->segment[first].newer)
        weigh(q, first, &ws);
    room = (size_t)left * (ss->segment_bytes - ws.widest);
    if (ws.sum <= room)
        return;                 /* nothing is worth less than 0 */
    while (gone + ws.bytes[q->cut] < ws.sum - room)
        gone += ws.bytes[q->cut++];
    q->cut_bytes = ws.bytes[q->cut];
    q->stay_bytes = gone + q->cut_bytes - (ws.sum - room);
}

static void evict_segments(struct partition *p, struct group *g, int64_t at_ms)
{
    struct squeeze q = { .p = p, .at_ms = at_ms, .evicts = true };
    const uint32_t first = g->oldest;
    uint32_t n = g->n - 1, last;        /* the newest is still being written */

    if (n > WINDOW)
        n = WINDOW;
    if (n > 1) {
        choose(&q, first, n, n - (n * FREED + WINDOW - 1) / WINDOW);
        last = squeeze(&q, first, n, &p->counts.evicted_segments);
        if (last != SEGMENTS_NONE)
            segments_to_young(&p->segments, last);
    }
    if (!segments_has_spare(&p->segments)) {
        drop_segment(p, g->oldest, at_ms);
        p->counts.evicted_segments++;
    }
}

/* The group with the segment that was not looked at for longest: one with a
 * few, if there is one.  NULL when the log is empty. */
static struct group *next_group(struct segments *ss)
{
    struct group *best = NULL;

    for (unsigned i = 0; i < ss->n_groups; i++) {
        struct group *g = &ss->groups[i];

        if (g->n == 0)
            continue;
        if (best == NULL || (best->n <= 2 && g->n > 2) ||
            ((best->n <= 2) == (g->n <= 2) &&
             ss->segment[g->oldest].stamp < ss->segment[best->oldest].stamp))
            best = g;
    }
    return best;
}

static void find_large(struct partition *p, struct large *lg, struct found *f)
{
    const struct item *it = &f->item;

    partition_read(p, SEGMENTS_PLACES + 1 + lg->id, f);
    f->hash = index_hash(hash_sip13(p->hash_key, it->key, it->key_len));
}

/* The oldest large item that was not read since the last look, nor is lent. */
static bool evict_large(struct partition *p, int64_t at_ms)
{
    struct larges *ls = &p->larges;
    unsigned chances = CHANCES;
    struct found f;

    for (struct large *lg = ls->oldest; lg != NULL; lg = ls->oldest) {
        find_large(p, lg, &f);
        if (chances > 0 && !partition_is_dead(p, &f.item, at_ms) &&
            (f.item.uses > ITEM_USES_NEW || lg->loans > 0)) {
            chances--;
            item_set_used(&f.item, f.item.used_at_s, ITEM_USES_NEW, f.item.marks);
            large_to_front(ls, lg, ++p->stamp);
            continue;
        }
        let_go(p, &f, at_ms);
        large_remove(ls, lg);
        p->counts.evicted_large++;
        return true;
    }
    return false;
}

static bool evict(struct partition *p, int64_t at_ms)
{
    const struct large *lg = p->larges.oldest;
    struct group *g = next_group(&p->segments);

    if (g == NULL)
        return evict_large(p, at_ms);
    if (lg != NULL && lg->stamp < p->segments.segment[g->oldest].stamp)
        return evict_large(p, at_ms);
    evict_segments(p, g, at_ms);
    open_tombstones(p, at_ms);
    return true;
}

/* ---- the order of it ---- */

static bool has_many_holes(const struct segments *ss)
{
    return segments_holes(ss) > segments_bytes(ss) / HOLES_SHARE;
}

/* Memory becomes free: a spare segment, or pages.  False when none can. */
static bool reclaim(struct partition *p, int64_t at_ms)
{
    if (drop_over(p, 1, at_ms) > 0)
        return true;
    if (has_many_holes(&p->segments) && fill_holes(p, WINDOW, at_ms))
        return true;
    if (p->evict)
        return evict(p, at_ms);
    for (uint32_t n = 2; n <= p->segments.n_touched; n *= 2)
        if (fill_holes(p, n, at_ms))
            return true;
    return false;
}

/* What cannot fit shall not cost everybody else's items first. */
static bool can_fit(const struct partition *p, size_t bytes)
{
    return index_bytes(&p->index) + larges_lent_bytes(&p->larges) + bytes <= p->limit_bytes;
}

bool reclaim_bytes(struct partition *p, size_t bytes, int64_t at_ms)
{
    if (!can_fit(p, bytes))
        return false;
    while (partition_bytes(p) + bytes > p->limit_bytes)
        if (!segments_discard(&p->segments) && !reclaim(p, at_ms))
            return false;
    return true;
}

bool reclaim_segment(struct partition *p, int64_t at_ms)
{
    const size_t bytes = p->segments.segment_bytes;

    if (!can_fit(p, bytes))
        return false;
    while (!segments_has_spare(&p->segments) && partition_bytes(p) + bytes > p->limit_bytes)
        if (!reclaim(p, at_ms))
            return false;
    return true;
}

bool reclaim_spare(struct partition *p, int64_t at_ms)
{
    while (!segments_has_spare(&p->segments))
        if (!reclaim(p, at_ms))
            return false;
    return true;
}

/* ---- housekeeping ---- */

/* An item that was not used for long is not taken for young when its time wraps. */
static void limit_idle(struct item *it, int64_t at_ms)
{
    const uint32_t most = ITEM_USED_SPAN / 2;

    if (item_idle_s(it, at_ms) > most)
        item_set_used(it, (uint32_t)(at_ms / 1000) - most, it->uses, it->marks);
}

/* Of large items, which are not many, some are looked at in turn. */
static unsigned sweep_large(struct partition *p, unsigned n, int64_t at_ms)
{
    struct larges *ls = &p->larges;
    unsigned looked = 0;
    struct found f;

    for (; looked < n && looked < ls->n_ids; looked++) {
        if (++p->sweep_large >= ls->n_ids)
            p->sweep_large = 0;
        if (ls->by_id[p->sweep_large] == NULL)
            continue;
        find_large(p, ls->by_id[p->sweep_large], &f);
        if (partition_is_dead(p, &f.item, at_ms)) {
            let_go(p, &f, at_ms);
            large_remove(ls, f.large);
        } else {
            limit_idle(&f.item, at_ms);
        }
    }
    return looked;
}

/* Of segments one, when they were not looked at for days. */
static void sweep_idle(struct partition *p, int64_t at_ms)
{
    struct found f;

    if (at_ms < p->idle_looked_ms + IDLE_LOOK_MS)
        return;
    if (p->sweep_segment < p->segments.n_touched) {
        for (struct reader r = reader_of(p, p->sweep_segment); next_item(&r, &f);)
            limit_idle(&f.item, at_ms);
        p->sweep_segment++;
        return;
    }
    p->sweep_segment = 0;
    p->idle_looked_ms = at_ms;
}

unsigned reclaim_sweep(struct partition *p, unsigned n, int64_t at_ms)
{
    const unsigned looked = drop_over(p, n, at_ms) + sweep_large(p, n, at_ms);

    sweep_idle(p, at_ms);
    index_shrink(&p->index);
    index_step(&p->index, n);
    return looked;
}

bool reclaim_shrink(struct partition *p, int64_t at_ms)
{
    index_shrink(&p->index);
    index_step(&p->index, UINT32_MAX);
    if (partition_bytes(p) <= p->limit_bytes)
        return false;
    return segments_discard(&p->segments) || drop_over(p, 1, at_ms) > 0
        || fill_holes(p, WINDOW, at_ms) || evict(p, at_ms);
}
