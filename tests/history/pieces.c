#include "keys.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "value.h"

static struct piece *find(struct key *k, uint64_t seq)
{
    size_t low = 0, high = k->pieces == NULL ? 0 : k->pieces->n;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (k->pieces->all[middle].seq < seq)
            low = middle + 1;
        else
            high = middle;
    }
    if (k->pieces == NULL || low == k->pieces->n || k->pieces->all[low].seq != seq)
        return NULL;
    return &k->pieces->all[low];
}

static void take_out(struct pieces *all, struct piece *p)
{
    const size_t after = (size_t)(all->all + all->n - (p + 1));

    memmove(p, p + 1, after * sizeof(*p));
    all->n--;
}

void pieces_begin(struct history *h, struct key *k, struct open *o)
{
    struct pieces *all = k->pieces;

    if (all == NULL)
        all = k->pieces = xzalloc(sizeof(*all));
    all->all = list_grow(all->all, all->n, &all->room, sizeof(*all->all));
    all->all[all->n++] = (struct piece){ .seq = o->seq, .begun = o->begun, .done = NEVER,
                                         .is_first = o->op.kind == HISTORY_PREPEND };
    o->base = written_sure(h, k);
}

void pieces_end(struct history *h, struct key *k, const struct open *o,
                enum history_outcome outcome)
{
    struct piece *p = find(k, o->seq);

    if (outcome == HISTORY_UNKNOWN || p == NULL)
        return;
    if (outcome != HISTORY_DONE) {
        if (p->done != NEVER)
            history_say(h, HISTORY_PHANTOM, o, "%" PRIu64 " was refused, but had been read",
                        o->seq);
        take_out(k->pieces, p);
        key_refuse(k, o->seq);
        return;
    }
    p->is_acknowledged = true;
    if (p->done == NEVER)
        p->done = h->tick;
    if (p->base == 0 && k->n_changes == o->n_changes)
        p->base = o->base;
}

/* All records whole and of this key, one of them a whole value: its sequence. */
static uint64_t base_of(struct history *h, const struct open *o,
                        const struct history_answer *answer)
{
    struct value_record record;
    uint64_t base = 0;

    for (size_t at = 0; at < answer->value_len; at += record.len) {
        if (!value_read(answer->value + at, answer->value_len - at, &record)) {
            history_say(h, HISTORY_TORN, o, "saw %zu bytes with no whole record at %zu",
                        answer->value_len, at);
            return 0;
        }
        if (record.key != o->op.key) {
            history_say(h, HISTORY_FOREIGN, o, "saw %" PRIu64 " of key %" PRIu32, record.seq,
                        record.key);
            return 0;
        }
        if (!record.piece && base != 0) {
            history_say(h, HISTORY_TORN, o, "saw both %" PRIu64 " and %" PRIu64, base,
                        record.seq);
            return 0;
        }
        if (!record.piece)
            base = record.seq;
    }
    if (base == 0)
        history_say(h, HISTORY_TORN, o, "saw %zu bytes with no whole value", answer->value_len);
    return base;
}

/* A piece that a read shows at this base, after `previous`: may that be? */
static void check_listed(struct history *h, struct key *k, const struct open *o,
                         struct written *base, uint64_t seq, struct piece *previous)
{
    struct piece *p = find(k, seq);

    if (p == NULL && seq <= k->last_seq && key_is_refused(k, seq)) {
        history_say(h, HISTORY_PHANTOM, o, "saw piece %" PRIu64 ", which was refused", seq);
    } else if (p == NULL && seq > k->last_seq) {
        history_say(h, HISTORY_FOREIGN, o, "saw piece %" PRIu64 ", which nobody wrote", seq);
    } else if (p == NULL || (p->base != 0 && p->base != base->seq) || p->done < base->begun) {
        history_say(h, HISTORY_TORN, o, "saw piece %" PRIu64 " of an older value at %" PRIu64,
                    seq, base->seq);
    } else if (p->listed == h->tick) {
        history_say(h, HISTORY_DOUBLED, o, "saw piece %" PRIu64 " twice", seq);
    } else {
        if (previous != NULL && previous->is_first == p->is_first &&
            (p->is_first ? previous->done < p->begun : p->done < previous->begun))
            history_say(h, HISTORY_TORN, o, "saw pieces %" PRIu64 " and %" PRIu64
                        " in the wrong order", previous->seq, p->seq);
        p->listed = h->tick;
        p->base = base->seq;
        p->n_unsaid = 0;
        if (p->done == NEVER)
            p->done = h->tick;
    }
}

static void check_pieces(struct history *h, struct key *k, const struct open *o,
                         struct written *base, const struct history_answer *answer)
{
    struct value_record record;
    struct piece *previous = NULL;

    for (size_t at = 0; at < answer->value_len; at += record.len) {
        bool is_whole = value_read(answer->value + at, answer->value_len - at, &record);

        assert(is_whole);       /* base_of() has seen it */
        if (record.piece)
            check_listed(h, k, o, base, record.seq, previous);
        previous = record.piece ? find(k, record.seq) : NULL;
    }
    for (uint32_t i = 0; k->pieces != NULL && i < k->pieces->n; i++) {
        struct piece *p = &k->pieces->all[i];

        if (p->base == base->seq && p->done < o->begun && p->listed != h->tick) {
            history_say(h, HISTORY_STALE, o, "saw %" PRIu64 " without piece %" PRIu64
                        ", which had been %s", base->seq, p->seq,
                        p->is_acknowledged ? "acknowledged" : "seen");
            p->n_unsaid += p->is_acknowledged;
        }
    }
}

uint64_t pieces_read(struct history *h, struct key *k, const struct open *o,
                     const struct history_answer *answer)
{
    const uint64_t seq = base_of(h, o, answer);
    struct written *base;

    if (seq == 0 || (base = written_seen(h, k, o, seq, HISTORY_N_FAULTS)) == NULL)
        return 0;
    check_pieces(h, k, o, base, answer);
    if (k->pieces == NULL && answer->token != 0)
        written_token(h, k, o, base, answer->token);
    return seq;
}

static void settle(struct history *h, const struct key *k, const struct piece *p)
{
    if (p->n_unsaid >= 2)
        history_say(h, HISTORY_LOST, NULL, "key %u: piece %" PRIu64 " was acknowledged; the last"
                    " %u reads did not see it", (unsigned)(k - h->keys), p->seq, p->n_unsaid);
}

/* May `p` be in a value that somebody can still read? */
static bool may_be_read(struct key *k, const struct piece *p)
{
    if (p->done == NEVER)
        return true;
    if (p->base != 0)
        return written_find(k, p->base) != NULL;
    for (uint32_t i = 0; i < k->n_written; i++) {
        if (k->written[i].begun < p->done)
            return true;
    }
    return false;
}

void pieces_forget(struct history *h, struct key *k)
{
    for (uint32_t i = k->pieces == NULL ? 0 : k->pieces->n; i-- > 0;) {
        struct piece *p = &k->pieces->all[i];

        if (!may_be_read(k, p)) {
            settle(h, k, p);
            take_out(k->pieces, p);
        }
    }
}

void pieces_finish(struct history *h, struct key *k)
{
    for (uint32_t i = 0; k->pieces != NULL && i < k->pieces->n; i++)
        settle(h, k, &k->pieces->all[i]);
}
