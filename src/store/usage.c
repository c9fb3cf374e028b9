/* What is in a store, for those who look after it. */
#include "store/parts.h"

/* As powers of two, which groups of segments go by. */
#define MINUTE_S 64
#define HOUR_S 4096
#define DAY_S 131072

static void add_usage(struct store_usage *u, const struct partition *p, int64_t at_ms)
{
    const int64_t oldest_ms = partition_oldest_ms(p);

    u->items += p->index.n_items - p->n_tombstones;
    u->tombstones += p->n_tombstones;
    u->open_items += p->n_open;
    u->bytes += p->item_bytes + index_bytes(&p->index);
    u->resident_bytes += partition_bytes(p);
    u->read_hits += p->read_hits;
    u->read_misses += p->read_misses;
    u->total_items += p->counts.total_items;
    u->evictions += p->counts.evictions;
    u->expired_unfetched += p->counts.expired_unfetched;
    u->evicted_unfetched += p->counts.evicted_unfetched;
    u->reclaimed += p->counts.reclaimed;
    u->get_expired += p->counts.get_expired;
    u->get_flushed += p->counts.get_flushed;
    u->no_memory += p->counts.no_memory;
    u->too_large += p->counts.too_large;
    u->replays_applied += p->counts.replays_applied;
    u->replays_older += p->counts.replays_older;
    u->replays_refused += p->counts.replays_refused;
    u->replays_ahead += p->counts.replays_ahead;
    if (oldest_ms != INT64_MAX && at_ms - oldest_ms > u->oldest_ms)
        u->oldest_ms = at_ms - oldest_ms;
}

/* Items by the time that those of their group live at most. */
static void add_times_to_live(struct store_usage *u, const struct segments *ss)
{
    for (unsigned g = 0; g < ss->n_groups; g++) {
        const int64_t most_s = segments_ttl_s(ss, g);
        const uint64_t n = segments_items(ss, g);

        if (most_s == TTL_NEVER)
            u->ttl_never += n;
        else if (most_s <= MINUTE_S)
            u->ttl_minute += n;
        else if (most_s <= HOUR_S)
            u->ttl_hour += n;
        else if (most_s <= DAY_S)
            u->ttl_day += n;
        else
            u->ttl_longer += n;
    }
}

static void add_inside(struct store_usage *u, const struct partition *p)
{
    const struct segments *ss = &p->segments;

    u->index_bytes += index_bytes(&p->index);
    u->segments += segments_in_use(ss);
    u->segments_spare += ss->n_resident - segments_in_use(ss);
    u->segment_bytes = ss->segment_bytes;
    u->live_bytes += ss->live_bytes;
    u->hole_bytes += segments_holes(ss);
    u->large_items += p->larges.n;
    u->large_bytes += larges_bytes(&p->larges);
    add_times_to_live(u, ss);
    u->dropped_segments += p->counts.dropped_segments;
    u->squeezed_segments += p->counts.squeezed_segments;
    u->evicted_segments += p->counts.evicted_segments;
    u->evicted_large += p->counts.evicted_large;
    u->moved_bytes += p->counts.moved_bytes;
}

void store_usage(struct store *s, int64_t now_ms, struct store_usage *u)
{
    const int64_t at_ms = store_at(s, now_ms);

    *u = (struct store_usage){
        .n_partitions = s->n_partitions, .limit_bytes = atomic_load(&s->limit_bytes),
    };
    for (unsigned i = 0; i < s->n_partitions; i++) {
        partition_lock(&s->partition[i], at_ms);
        add_usage(u, &s->partition[i], at_ms);
        add_inside(u, &s->partition[i]);
        partition_unlock(&s->partition[i]);
    }
}

void store_reset_counters(struct store *s)
{
    for (unsigned i = 0; i < s->n_partitions; i++) {
        partition_lock(&s->partition[i], 0);
        s->partition[i].counts = (struct partition_counts){ 0 };
        s->partition[i].read_hits = s->partition[i].read_misses = 0;
        partition_unlock(&s->partition[i]);
    }
}
