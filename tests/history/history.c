#include "history.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "keys.h"

static const char *const fault_names[HISTORY_N_FAULTS] = {
    [HISTORY_LOST] = "lost",
    [HISTORY_STALE] = "stale",
    [HISTORY_UNDELETED] = "undeleted",
    [HISTORY_TORN] = "torn",
    [HISTORY_FOREIGN] = "foreign",
    [HISTORY_PHANTOM] = "phantom",
    [HISTORY_DOUBLED] = "doubled",
    [HISTORY_COUNTER] = "counter",
    [HISTORY_BAD_CAS] = "cas",
    [HISTORY_MISS] = "miss",
};

static const char *const kind_names[HISTORY_N_KINDS] = {
    [HISTORY_GET] = "get",
    [HISTORY_GAT] = "gat",
    [HISTORY_SET] = "set",
    [HISTORY_ADD] = "add",
    [HISTORY_REPLACE] = "replace",
    [HISTORY_CAS] = "cas",
    [HISTORY_APPEND] = "append",
    [HISTORY_PREPEND] = "prepend",
    [HISTORY_INCR] = "incr",
    [HISTORY_DECR] = "decr",
    [HISTORY_TOUCH] = "touch",
    [HISTORY_DELETE] = "delete",
    [HISTORY_DROP] = "drop",
    [HISTORY_FLUSH] = "flush",
};

const char *history_fault_name(enum history_fault fault)
{
    return fault_names[fault];
}

const char *history_kind_name(enum history_kind kind)
{
    return kind_names[kind];
}

struct history *history_new(uint32_t n_keys, int64_t unknown_lasts_ms)
{
    struct history *h = xzalloc(sizeof(*h));

    h->keys = xzalloc(n_keys * sizeof(*h->keys));
    h->n_keys = n_keys;
    h->unknown_lasts_ms = unknown_lasts_ms;
    h->free_open = NONE;
    for (uint32_t i = 0; i < n_keys; i++) {
        h->keys[i].first_open = h->keys[i].last_open = NONE;
        h->keys[i].reads.since_ms = h->keys[i].writes.since_ms = -1;
    }
    return h;
}

void history_free(struct history *h)
{
    if (h == NULL)
        return;
    for (uint32_t i = 0; i < h->n_keys; i++) {
        struct key *k = &h->keys[i];

        if (k->pieces != NULL)
            free(k->pieces->all);
        free(k->pieces);
        free(k->counter);
        free(k->refused);
        free(k->written);
    }
    for (size_t i = 0; i < h->n_said; i++)
        free(h->said[i]);
    free(h->open);
    free(h->keys);
    free(h);
}

void *list_grow(void *list, uint32_t n, uint32_t *room, size_t size)
{
    if (n < *room)
        return list;
    *room = *room == 0 ? 2 : *room * 2;
    return xrealloc(list, *room * size);
}

void history_say(struct history *h, enum history_fault fault, const struct open *o,
                 const char *format, ...)
{
    char text[300], who[100] = "";
    va_list args;

    if (++h->counts.faults[fault] > HISTORY_SAID_EACH)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (o != NULL)
        snprintf(who, sizeof(who), "key %" PRIu32 ": %s of client %" PRIu32 ", %" PRId64 " to %"
                 PRId64 " ms, ", o->op.key, kind_names[o->op.kind], o->op.client, o->begun_ms,
                 h->now_ms);
    h->said[h->n_said++] = xasprintf("%s: %s%s", fault_names[fault], who, text);
}

/* ---- begin ---- */

static uint32_t take_open(struct history *h)
{
    uint32_t handle = h->free_open;

    if (handle != NONE) {
        h->free_open = h->open[handle].next;
        return handle;
    }
    h->open = list_grow(h->open, h->n_open, &h->open_room, sizeof(*h->open));
    return h->n_open++;
}

static void append_open(struct history *h, struct key *k, uint32_t handle)
{
    struct open *o = &h->open[handle];

    o->previous = k->last_open;
    o->next = NONE;
    if (k->last_open == NONE)
        k->first_open = handle;
    else
        h->open[k->last_open].next = handle;
    k->last_open = handle;
}

static void remove_open(struct history *h, struct key *k, uint32_t handle)
{
    struct open *o = &h->open[handle];

    if (o->previous == NONE)
        k->first_open = o->next;
    else
        h->open[o->previous].next = o->next;
    if (o->next == NONE)
        k->last_open = o->previous;
    else
        h->open[o->next].previous = o->previous;
}

static struct outage *outage_of(struct key *k, enum history_kind kind)
{
    return kind == HISTORY_GET ? &k->reads : &k->writes;
}

static void begin_at_key(struct history *h, struct key *k, struct open *o)
{
    switch (o->op.kind) {
    case HISTORY_SET:
    case HISTORY_ADD:
    case HISTORY_REPLACE:
    case HISTORY_CAS:
        o->base = written_sure(h, k);
        o->seq = ++k->last_seq;
        k->n_changes++;
        if (o->op.counter && k->counter == NULL)
            k->counter = xzalloc(sizeof(*k->counter));
        written_add(k, o);
        break;
    case HISTORY_APPEND:
    case HISTORY_PREPEND:
        o->seq = ++k->last_seq;
        pieces_begin(h, k, o);
        break;
    case HISTORY_INCR:
    case HISTORY_DECR:
        counter_begin(k, o);
        break;
    case HISTORY_DROP:
        o->seq = ++k->last_seq;
        key_refuse(k, o->seq);
        k->n_changes++;
        k->n_absent++;
        break;
    case HISTORY_DELETE:
        k->n_changes++;
        k->n_absent++;
        break;
    case HISTORY_GET:
    case HISTORY_GAT:
    case HISTORY_TOUCH:
    case HISTORY_FLUSH:
    case HISTORY_N_KINDS:
        break;
    }
    if (k->counter != NULL)
        o->tally = k->counter->tally;
}

uint32_t history_begin(struct history *h, const struct history_op *op, int64_t now_ms)
{
    const uint32_t handle = take_open(h);
    struct open *o = &h->open[handle];
    struct key *k;

    h->now_ms = now_ms;
    *o = (struct open){ .op = *op, .begun = ++h->tick, .begun_ms = now_ms, .is_open = true };
    if (op->kind == HISTORY_FLUSH) {
        h->n_flushes++;
        return handle;
    }
    assert(op->key < h->n_keys);
    k = &h->keys[op->key];
    o->present = k->present;
    o->n_changes = k->n_changes;
    begin_at_key(h, k, o);
    append_open(h, k, handle);
    if (outage_of(k, op->kind)->since_ms < 0)
        outage_of(k, op->kind)->since_ms = now_ms;
    return handle;
}

uint64_t history_seq(const struct history *h, uint32_t handle)
{
    return h->open[handle].seq;
}

/* ---- end ---- */

/* Takes what is there and leaves it changed. */
static bool is_change(enum history_kind kind)
{
    return kind == HISTORY_INCR || kind == HISTORY_DECR || kind == HISTORY_APPEND ||
           kind == HISTORY_PREPEND;
}

/* Absent, because of a deletion?  If not, a window must excuse it. */
static bool miss(struct history *h, struct key *k, const struct open *o)
{
    h->counts.misses++;
    if (k->n_absent > 0 || h->n_flushes > 0 || k->absent >= o->present)
        return true;
    if (k->n_windows > 0 || h->n_windows > 0 || k->excused > o->present ||
        h->excused > o->present)
        h->counts.allowed_misses++;
    else
        history_say(h, HISTORY_MISS, o, "found nothing");
    return false;
}

static void end_deletion(struct history *h, struct key *k, const struct open *o,
                         enum history_outcome outcome)
{
    switch (outcome) {
    case HISTORY_DONE:
    case HISTORY_ABSENT:        /* what was there is surely gone */
        k->n_absent--;
        k->absent = h->tick;
        written_deleted(h, k, o->begun);
        break;
    case HISTORY_PRESENT:
    case HISTORY_REFUSED:
        k->n_absent--;
        break;
    case HISTORY_UNKNOWN:
    case HISTORY_N_OUTCOMES:
        k->n_unknown_absent++;
        k->unknown_absent_ms = h->now_ms;
        break;
    }
}

/* What its client has sent behind it must not see what was before it. */
static void lead(struct history *h, struct key *k, const struct open *o)
{
    for (uint32_t i = k->first_open; i != NONE; i = h->open[i].next) {
        struct open *later = &h->open[i];

        if (later->op.client != o->op.client || later->begun <= o->begun)
            continue;
        later->follows = o->begun;
        later->followed = o->seq;
    }
}

static void end_write(struct history *h, struct key *k, const struct open *o,
                      enum history_outcome outcome)
{
    if (outcome == HISTORY_DONE) {
        lead(h, k, o);
        written_done(h, k, o);
    } else if (outcome == HISTORY_UNKNOWN) {
        written_unknown(h, k, o);
    } else {
        written_refused(h, k, o);
    }
}

/* Nothing but what a cas expected was there, and nobody changed anything since. */
static void check_refusal(struct history *h, const struct key *k, const struct open *o)
{
    if (o->op.kind == HISTORY_CAS && o->base == o->op.expects && k->pieces == NULL &&
        k->n_changes == o->n_changes + 1 && h->n_flushes == 0)
        history_say(h, HISTORY_BAD_CAS, o, "was refused though its token was that of what was"
                    " there, %" PRIu64, o->base);
}

static uint64_t end_at_key(struct history *h, struct key *k, const struct open *o,
                           const struct history_answer *answer)
{
    const bool is_done = answer->outcome == HISTORY_DONE;
    uint64_t seen = 0;

    switch (o->op.kind) {
    case HISTORY_GET:
    case HISTORY_GAT:
        if (!is_done)
            return 0;
        h->counts.hits++;
        seen = k->counter != NULL ? counter_read(h, k, o, answer) : pieces_read(h, k, o, answer);
        if (seen == 0)
            return 0;           /* a fault proves nothing */
        break;
    case HISTORY_REPLACE:
        if (is_done)
            written_found(h, k, o);
        end_write(h, k, o, answer->outcome);
        break;
    case HISTORY_SET:
    case HISTORY_ADD:
    case HISTORY_CAS:
        if (answer->outcome == HISTORY_PRESENT) {
            written_found(h, k, o);
            check_refusal(h, k, o);
        }
        end_write(h, k, o, answer->outcome);
        break;
    case HISTORY_APPEND:
    case HISTORY_PREPEND:
        if (is_done)
            written_found(h, k, o);
        pieces_end(h, k, o, answer->outcome);
        break;
    case HISTORY_INCR:
    case HISTORY_DECR:
        counter_end(h, k, o, answer);
        break;
    case HISTORY_TOUCH:
        if (is_done)
            written_found(h, k, o);
        break;
    case HISTORY_DELETE:
    case HISTORY_DROP:
        end_deletion(h, k, o, answer->outcome);
        return 0;
    case HISTORY_FLUSH:
    case HISTORY_N_KINDS:
        return 0;
    }
    if ((is_done || answer->outcome == HISTORY_PRESENT) && o->begun > k->present)
        k->present = o->begun;
    return seen;
}

/* Changes in place, while or before a flush that began then? */
static bool is_in_change(const struct history *h, const struct key *k, uint64_t flush_begun)
{
    if (k->changed > flush_begun)
        return true;
    for (uint32_t i = k->first_open; i != NONE; i = h->open[i].next) {
        if (is_change(h->open[i].op.kind))
            return true;
    }
    return false;
}

static void end_flush(struct history *h, const struct open *o, enum history_outcome outcome)
{
    h->n_flushes--;
    for (uint32_t i = 0; i < h->n_keys && outcome != HISTORY_REFUSED; i++) {
        struct key *k = &h->keys[i];

        k->n_changes++;
        k->n_absent++;
        if (is_in_change(h, k, o->begun) && outcome == HISTORY_DONE) {
            k->n_absent--;
            k->absent = h->tick;
        } else {
            end_deletion(h, k, o, outcome);
        }
        written_forget(h, k);
    }
}

static void count(struct history *h, const struct open *o, enum history_outcome outcome)
{
    h->counts.kinds[o->op.kind][outcome]++;
    if (o->op.kind == HISTORY_GET)
        return;
    h->counts.acknowledged += outcome == HISTORY_DONE;
    h->counts.unknown += outcome == HISTORY_UNKNOWN;
    h->counts.refused += outcome == HISTORY_REFUSED || outcome == HISTORY_PRESENT ||
                         outcome == HISTORY_ABSENT;
}

static void answered(struct history *h, struct outage *u, bool is_waited_for)
{
    if (u->since_ms >= 0 && h->now_ms - u->since_ms > u->longest_ms)
        u->longest_ms = h->now_ms - u->since_ms;
    u->since_ms = is_waited_for ? h->now_ms : -1;
}

/* Somebody else still waits for the key. */
static bool is_waited_for(const struct history *h, const struct key *k, enum history_kind kind)
{
    for (uint32_t i = k->first_open; i != NONE; i = h->open[i].next) {
        if ((h->open[i].op.kind == HISTORY_GET) == (kind == HISTORY_GET))
            return true;
    }
    return false;
}

static void give_up_unknown(struct history *h, struct key *k)
{
    if (k->n_unknown_absent == 0 || h->unknown_lasts_ms == 0 ||
        k->unknown_absent_ms + h->unknown_lasts_ms >= h->now_ms)
        return;
    k->n_absent -= k->n_unknown_absent;
    k->n_unknown_absent = 0;
    k->absent = h->tick;
}

uint64_t history_end(struct history *h, uint32_t handle, const struct history_answer *answer,
                     int64_t now_ms)
{
    struct open *o = &h->open[handle];
    bool is_answered = answer->outcome != HISTORY_REFUSED && answer->outcome != HISTORY_UNKNOWN;
    uint64_t seen = 0;

    assert(handle < h->n_open && o->is_open);
    h->now_ms = now_ms;
    h->tick++;
    count(h, o, answer->outcome);
    if (o->op.kind == HISTORY_FLUSH) {
        end_flush(h, o, answer->outcome);
    } else {
        struct key *k = &h->keys[o->op.key];
        const bool is_deletion = o->op.kind == HISTORY_DELETE || o->op.kind == HISTORY_DROP;

        k->n_absent -= is_deletion;     /* a deletion does not excuse itself */
        if (answer->outcome == HISTORY_ABSENT)
            is_answered = miss(h, k, o);
        else if (o->op.kind == HISTORY_ADD && answer->outcome == HISTORY_DONE)
            miss(h, k, o);      /* it has found nothing as well */
        k->n_absent += is_deletion;
        seen = end_at_key(h, k, o, answer);
        remove_open(h, k, handle);
        if (is_change(o->op.kind) && k->changed != NEVER)
            k->changed = answer->outcome == HISTORY_UNKNOWN ? NEVER : h->tick;
        if (is_answered)
            answered(h, outage_of(k, o->op.kind), is_waited_for(h, k, o->op.kind));
        written_forget(h, k);
        pieces_forget(h, k);
        give_up_unknown(h, k);
    }
    o->is_open = false;
    o->next = h->free_open;
    h->free_open = handle;
    return seen;
}

/* ---- windows ---- */

void history_window_begin(struct history *h, uint32_t key)
{
    ++*(key == HISTORY_ALL_KEYS ? &h->n_windows : &h->keys[key].n_windows);
}

void history_window_end(struct history *h, uint32_t key)
{
    uint32_t *n = key == HISTORY_ALL_KEYS ? &h->n_windows : &h->keys[key].n_windows;

    assert(*n > 0);
    --*n;
    *(key == HISTORY_ALL_KEYS ? &h->excused : &h->keys[key].excused) = ++h->tick;
}

/* ---- what was found ---- */

void history_finish(struct history *h, int64_t now_ms)
{
    struct history_counts *c = &h->counts;

    for (uint32_t i = 0; i < h->n_open; i++) {
        if (h->open[i].is_open)
            history_end(h, i, &(struct history_answer){ .outcome = HISTORY_UNKNOWN }, now_ms);
    }
    h->now_ms = now_ms;
    for (uint32_t i = 0; i < h->n_keys; i++) {
        struct key *k = &h->keys[i];

        written_finish(h, k);
        pieces_finish(h, k);
        answered(h, &k->reads, false);
        answered(h, &k->writes, false);
        if (k->reads.longest_ms > c->longest_read_outage_ms) {
            c->longest_read_outage_ms = k->reads.longest_ms;
            c->longest_read_outage_key = i;
        }
        if (k->writes.longest_ms > c->longest_write_outage_ms) {
            c->longest_write_outage_ms = k->writes.longest_ms;
            c->longest_write_outage_key = i;
        }
    }
}

int64_t history_outage_ms(const struct history *h, uint32_t key, bool of_writes)
{
    return of_writes ? h->keys[key].writes.longest_ms : h->keys[key].reads.longest_ms;
}

const struct history_counts *history_counts(const struct history *h)
{
    return &h->counts;
}

uint64_t history_n_faults(const struct history *h)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < HISTORY_N_FAULTS; i++)
        n += h->counts.faults[i];
    return n;
}

const char *history_fault(const struct history *h, size_t i)
{
    return i < h->n_said ? h->said[i] : NULL;
}
