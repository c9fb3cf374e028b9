#include "cluster/witness.h"

#include <stdio.h>
#include <string.h>

#include "cluster/times.h"

#define A_MINUTE_MS 60000

void witness_init(struct witness *w, const char *name, int64_t now_ms)
{
    *w = (struct witness){ .heard_ms = now_ms, .suspended_ms = -1, .ejected_ms = -1 };
    snprintf(w->name, sizeof(w->name), "%s", name);
    for (size_t i = 0; i < WITNESS_RETURNS; i++)
        w->returned_ms[i] = INT64_MIN;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Pings may overtake each other: what only grows is not taken back. */
void witness_hear(struct witness *w, const struct ping *p, int64_t now_ms)
{
    struct ping before = w->said;

    if (p->incarnation != w->incarnation)
        memset(&before, 0, sizeof(before));
    w->incarnation = p->incarnation;
    w->heard_ms = now_ms;
    w->lost = false;
    w->said = *p;
    w->said.map = NULL;
    w->said.map_len = 0;
    if (before.seen > p->seen)
        w->said.digest = before.digest;
    w->said.seen = later(p->seen, before.seen);
    w->said.adopted = later(p->adopted, before.adopted);
    w->said.ended = later(p->ended, before.ended);
    w->said.purged = later(p->purged, before.purged);
    if (p->move_epoch < before.move_epoch ||
        (p->move_epoch == before.move_epoch && (before.marks & PING_DONE) != 0)) {
        w->said.move_epoch = before.move_epoch;
        w->said.marks = (uint8_t)((p->marks & ~PING_DONE) | (before.marks & PING_DONE));
        w->said.items_sent = before.items_sent;
        w->said.bytes_sent = before.bytes_sent;
        w->said.items_left = before.items_left;
        w->said.bytes_left = before.bytes_left;
    }
}

void witness_excuse(struct witness *w, int64_t away_ms, int64_t now_ms)
{
    w->heard_ms += away_ms;
    if (w->heard_ms > now_ms)
        w->heard_ms = now_ms;
}

bool witness_is_there(const struct witness *w, int64_t now_ms)
{
    return w->incarnation != 0 && w->incarnation != w->dead && !w->lost &&
           now_ms - w->heard_ms <= SILENCE_MS;
}

bool witness_is_dead(const struct witness *w, const struct member *m)
{
    return w->dead != 0 && w->dead == m->incarnation;
}

bool witness_is_over(const struct witness *w, const struct member *m)
{
    return witness_is_dead(w, m) ||
           (w->incarnation != 0 && w->incarnation != m->incarnation);
}

bool witness_is_member(const struct witness *w, const struct member *m, int64_t now_ms)
{
    if (witness_is_over(w, m) || w->lost)
        return false;
    /* not heard yet: it has as long as any other */
    return now_ms - w->heard_ms <= SILENCE_MS;
}

bool witness_obeys(const struct witness *w, const struct member *m, uint64_t epoch,
                   uint64_t digest)
{
    if (witness_is_over(w, m))
        return true;
    if (w->said.seen == epoch)
        return w->said.digest == digest;
    return w->said.seen > epoch;
}

bool witness_may_return(const struct witness *w, int64_t now_ms)
{
    int64_t oldest = w->returned_ms[WITNESS_RETURNS - 1];

    return oldest == INT64_MIN || now_ms - oldest >= A_MINUTE_MS;
}

void witness_return(struct witness *w, int64_t now_ms)
{
    memmove(&w->returned_ms[1], &w->returned_ms[0],
            (WITNESS_RETURNS - 1) * sizeof(w->returned_ms[0]));
    w->returned_ms[0] = now_ms;
}
