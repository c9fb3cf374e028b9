/*
 * A counter's number names the write that it began with and how far it has come
 * since, so that a number of an older beginning is told like an older value:
 *
 *      | sequence, 24 bits | middle + increments - decrements, 40 bits |
 *
 * An operation that shows a number must have counted all that was acknowledged
 * before it began, and may have counted all that was begun before it ended.
 */
#include "keys.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"

#define BASE_BITS 40
#define MIDDLE ((int64_t)1 << (BASE_BITS - 1))

uint64_t history_number(uint64_t seq)
{
    return seq << BASE_BITS | (uint64_t)MIDDLE;
}

void counter_begin(struct key *k, struct open *o)
{
    if (k->counter == NULL)
        k->counter = xzalloc(sizeof(*k->counter));
    if (o->op.kind == HISTORY_INCR)
        k->counter->open_plus += o->op.delta;
    else if (o->op.kind == HISTORY_DECR)
        k->counter->open_minus += o->op.delta;
}

/* Two increments that overlapped were given one number. */
static bool is_given(const struct counter *c, const struct open *o, int64_t number)
{
    for (uint32_t i = 0; i < COUNTER_RECENT; i++) {
        if (c->recent[i].tick > o->begun && c->recent[i].number == number)
            return true;
    }
    return false;
}

/*
 * May it be shown?  Once the result of a change could not, the tally goes by it,
 * so that one mistake is said once.
 */
static void check(struct history *h, struct key *k, const struct open *o, int64_t number,
                  int64_t plus, int64_t minus)
{
    struct counter *c = k->counter;
    const bool is_known = o->tally.base == c->tally.base;
    const int64_t most = c->tally.plus + c->open_plus - (is_known ? o->tally.minus : 0) - minus;
    const int64_t least = (is_known ? o->tally.plus : 0) + plus -
                          c->tally.minus - c->open_minus;
    const bool only_up = c->tally.minus == 0 && c->open_minus == 0;

    if (number > most) {
        history_say(h, HISTORY_COUNTER, o, "shows %" PRId64 " at base %" PRIu64
                    ", at most %" PRId64 " can be", number, c->tally.base, most);
        c->tally.plus += number - most;
    } else if (number < least) {
        history_say(h, HISTORY_COUNTER, o, "shows %" PRId64 " at base %" PRIu64
                    ", at least %" PRId64 " were acknowledged", number, c->tally.base, least);
        if (plus + minus > 0) {
            c->tally.plus -= least - number;
            c->tally.most = number;
        }
    } else if (only_up && is_known && number < o->tally.most + plus) {
        history_say(h, HISTORY_COUNTER, o, "shows %" PRId64 " at base %" PRIu64 ", %" PRId64
                    " had been shown before", number, c->tally.base, o->tally.most);
    } else if (only_up && plus > 0 && is_given(c, o, number)) {
        history_say(h, HISTORY_COUNTER, o, "got %" PRId64 " at base %" PRIu64
                    ", as another did", number, c->tally.base);
    }
    if (number > c->tally.most)
        c->tally.most = number;
    if (plus > 0) {
        c->recent[c->n_recent % COUNTER_RECENT].tick = h->tick;
        c->recent[c->n_recent++ % COUNTER_RECENT].number = number;
    }
}

/* `o` shows a number, of which it has itself given and taken so much. */
static uint64_t show(struct history *h, struct key *k, const struct open *o, uint64_t shown,
                     int64_t plus, int64_t minus)
{
    struct counter *c = k->counter;
    const uint64_t seq = shown >> BASE_BITS;
    const int64_t number = (int64_t)(shown & (((uint64_t)1 << BASE_BITS) - 1)) - MIDDLE;

    if (written_seen(h, k, o, seq, HISTORY_N_FAULTS) == NULL)
        return 0;
    if (seq > c->tally.base) {
        c->tally = (struct tally){ .base = seq, .most = number };
        memset(c->recent, 0, sizeof(c->recent));
    }
    if (seq == c->tally.base)
        check(h, k, o, number, plus, minus);
    return seq;
}

void counter_end(struct history *h, struct key *k, const struct open *o,
                 const struct history_answer *answer)
{
    struct counter *c = k->counter;
    const int64_t plus = o->op.kind == HISTORY_INCR ? o->op.delta : 0;
    const int64_t minus = o->op.kind == HISTORY_DECR ? o->op.delta : 0;
    uint64_t seq = 0;

    if (answer->outcome == HISTORY_UNKNOWN)
        return;
    if (answer->outcome == HISTORY_DONE)
        seq = show(h, k, o, answer->number, plus, minus);
    c->open_plus -= plus;
    c->open_minus -= minus;
    if (seq != 0 && seq == c->tally.base) {
        c->tally.plus += plus;
        c->tally.minus += minus;
    }
}

uint64_t counter_read(struct history *h, struct key *k, const struct open *o,
                      const struct history_answer *answer)
{
    size_t len = answer->value_len;
    uint64_t number;

    while (len > 0 && answer->value[len - 1] == ' ')    /* a decr that lost a digit */
        len--;
    if (!num_parse_u64(answer->value, len, &number)) {
        history_say(h, HISTORY_TORN, o, "saw no number, but %zu bytes", answer->value_len);
        return 0;
    }
    return show(h, k, o, number, 0, 0);
}
