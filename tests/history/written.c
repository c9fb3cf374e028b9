#include "keys.h"

#include <assert.h>
#include <inttypes.h>

struct written *written_find(struct key *k, uint64_t seq)
{
    /* The newest is asked for most. */
    for (uint32_t i = k->n_written; i-- > 0;) {
        if (k->written[i].seq == seq)
            return &k->written[i];
    }
    return NULL;
}

void key_refuse(struct key *k, uint64_t seq)
{
    k->refused = list_grow(k->refused, k->n_refused, &k->refused_room, sizeof(*k->refused));
    k->refused[k->n_refused++] = (uint32_t)seq;
}

bool key_is_refused(const struct key *k, uint64_t seq)
{
    for (uint32_t i = 0; i < k->n_refused; i++) {
        if (k->refused[i] == seq)
            return true;
    }
    return false;
}

static void end_at(struct written *w, uint64_t tick)
{
    if (tick < w->dead)
        w->dead = tick;
}

/* `first` is surely before `second`: was it before what that replaced as well? */
static void check_between(struct history *h, const struct open *o, const struct written *first,
                          struct written *second)
{
    if (second->expects == 0 || second->expects == first->seq || first->done == NEVER ||
        second->done == NEVER || second->expected_by >= first->alive)
        return;
    history_say(h, HISTORY_BAD_CAS, o, "%" PRIu64 " was stored by a cas with the token of %" PRIu64
                ", but %" PRIu64 " came between", second->seq, second->expects, first->seq);
    second->expects = 0;        /* said once */
}

/* More is known of `w`: which others has it ended? */
static void relate(struct history *h, struct key *k, const struct open *o, struct written *w)
{
    for (uint32_t i = 0; i < k->n_written; i++) {
        struct written *other = &k->written[i];

        if (other != w && other->by < w->alive) {
            end_at(other, w->done);
            check_between(h, o, other, w);
        }
    }
}

void written_add(struct key *k, const struct open *o)
{
    const struct written *expected = written_find(k, o->op.expects);
    const uint64_t expected_by = expected == NULL ? 0 : expected->by;

    k->written = list_grow(k->written, k->n_written, &k->room, sizeof(*k->written));
    k->written[k->n_written++] = (struct written){
        .seq = o->seq, .begun = o->begun, .done = NEVER, .by = NEVER, .alive = o->begun,
        .dead = NEVER, .expects = o->op.expects, .expected_by = expected_by,
        .ended_ms = INT64_MAX, .is_open = true };
}

static void take_out(struct key *k, struct written *w)
{
    *w = k->written[--k->n_written];
}

/* It is known now that `w` has taken effect. */
static void took(struct history *h, struct key *k, const struct open *o, struct written *w)
{
    struct written *before;

    if (w->done != NEVER)
        return;
    w->done = h->tick;
    if (h->tick < w->by)
        w->by = h->tick;
    if (w->expects == 0 || (before = written_find(k, w->expects)) == NULL)
        return;
    if (before->replaced_by != 0) {
        history_say(h, HISTORY_BAD_CAS, o, "both %" PRIu64 " and %" PRIu64 " were stored by a cas"
                    " with the token of %" PRIu64, before->replaced_by, w->seq, before->seq);
        w->expects = 0;         /* said once */
    } else {
        before->replaced_by = w->seq;
    }
}

void written_done(struct history *h, struct key *k, const struct open *o)
{
    const bool is_wrong = o->op.kind == HISTORY_CAS &&
                          written_seen(h, k, o, o->op.expects, HISTORY_BAD_CAS) == NULL;
    struct written *w = written_find(k, o->seq);

    assert(w != NULL);
    if (is_wrong)
        w->expects = 0;         /* said once */
    took(h, k, o, w);
    w->is_open = false;
    w->is_acknowledged = true;
    relate(h, k, o, w);
}

void written_refused(struct history *h, struct key *k, const struct open *o)
{
    struct written *w = written_find(k, o->seq);

    assert(w != NULL);
    if (w->done != NEVER)
        history_say(h, HISTORY_PHANTOM, o, "%" PRIu64 " was refused, but had been read", o->seq);
    take_out(k, w);
    key_refuse(k, o->seq);
}

void written_unknown(struct history *h, struct key *k, const struct open *o)
{
    struct written *w = written_find(k, o->seq);

    assert(w != NULL);
    w->is_open = false;
    w->ended_ms = h->now_ms;
}

/* The last write that who began at `begun` had to see, or a newer one. */
static struct written *due(struct key *k, uint64_t begun)
{
    struct written *found = NULL;

    for (uint32_t i = 0; i < k->n_written; i++) {
        struct written *w = &k->written[i];

        if (w->done < begun && w->dead >= begun && (found == NULL || w->done > found->done))
            found = w;
    }
    return found;
}

/* It was over before its client's own write began, which `o` is behind. */
static bool is_overtaken(const struct written *w, const struct open *o)
{
    return w->by < o->follows;
}

static void say_why_not(struct history *h, struct key *k, const struct open *o, uint64_t seq)
{
    struct written *w = written_find(k, seq);

    if (w != NULL && is_overtaken(w, o)) {
        history_say(h, HISTORY_STALE, o, "saw %" PRIu64 " though its client's %" PRIu64
                    " was before it on the same connection", seq, o->followed);
        return;
    }
    if (seq == 0 || seq > k->last_seq) {
        history_say(h, HISTORY_FOREIGN, o, "saw %" PRIu64 ", which nobody wrote", seq);
    } else if (key_is_refused(k, seq)) {
        history_say(h, HISTORY_PHANTOM, o, "saw %" PRIu64 ", which was refused", seq);
    } else if ((w = due(k, o->begun)) == NULL) {
        history_say(h, HISTORY_UNDELETED, o, "saw %" PRIu64 ", which had been deleted", seq);
    } else {
        history_say(h, HISTORY_STALE, o, "saw %" PRIu64 " though %" PRIu64 " had been %s", seq,
                    w->seq, w->is_acknowledged ? "acknowledged" : "seen");
        w->n_unsaid++;
    }
}

struct written *written_seen(struct history *h, struct key *k, const struct open *o,
                             uint64_t seq, enum history_fault fault)
{
    struct written *w = written_find(k, seq);

    if (w == NULL || w->dead < o->begun || is_overtaken(w, o)) {
        if (fault == HISTORY_N_FAULTS)
            say_why_not(h, k, o, seq);
        else
            history_say(h, fault, o, "replaced %" PRIu64 ", which was there no more", seq);
        return NULL;
    }
    took(h, k, o, w);
    if (o->begun > w->alive)
        w->alive = o->begun;
    w->n_unsaid = 0;
    relate(h, k, o, w);
    return w;
}

void written_deleted(struct history *h, struct key *k, uint64_t begun)
{
    for (uint32_t i = 0; i < k->n_written; i++) {
        if (k->written[i].by < begun)
            end_at(&k->written[i], h->tick);
    }
}

void written_found(struct history *h, const struct key *k, const struct open *o)
{
    for (uint32_t i = 0; i < k->n_written; i++) {
        if (k->written[i].dead >= o->begun && k->written[i].seq != o->seq)
            return;
    }
    history_say(h, HISTORY_UNDELETED, o, "found something, though it had been deleted");
}

void written_token(struct history *h, struct key *k, const struct open *o, struct written *w,
                   uint64_t token)
{
    if (w->token == token)
        return;
    if (w->token != 0)
        history_say(h, HISTORY_BAD_CAS, o, "%" PRIu64 " has the tokens %" PRIu64 " and %" PRIu64,
                    w->seq, w->token, token);
    for (uint32_t i = 0; i < k->n_written; i++) {
        if (k->written[i].token == token)
            history_say(h, HISTORY_BAD_CAS, o, "%" PRIu64 " and %" PRIu64 " have the token %"
                        PRIu64, k->written[i].seq, w->seq, token);
    }
    w->token = token;
}

uint64_t written_sure(const struct history *h, const struct key *k)
{
    uint64_t seq = 0;

    if (k->n_absent > 0 || h->n_flushes > 0)
        return 0;
    for (uint32_t i = 0; i < k->n_written; i++) {
        if (k->written[i].dead != NEVER)
            continue;
        if (seq != 0 || k->written[i].done == NEVER)
            return 0;
        seq = k->written[i].seq;
    }
    return seq;
}

static void settle(struct history *h, const struct key *k, const struct written *w)
{
    if (w->is_acknowledged && w->n_unsaid >= 2)
        history_say(h, HISTORY_LOST, NULL, "key %u: %" PRIu64 " was acknowledged; the last %u"
                    " reads before it was replaced, or the end, saw older ones",
                    (unsigned)(k - h->keys), w->seq, w->n_unsaid);
}

/* A cas of unknown outcome came in time for the value that it expects, or never. */
static void miss_turn(struct key *k, const struct written *expected)
{
    for (uint32_t i = 0; i < k->n_written; i++) {
        struct written *w = &k->written[i];

        if (w->expects == expected->seq && w->done == NEVER && expected->dead < w->by)
            w->by = expected->dead;
    }
}

void written_forget(struct history *h, struct key *k)
{
    const uint64_t oldest = k->first_open == NONE ? NEVER : h->open[k->first_open].begun;

    for (uint32_t i = k->n_written; i-- > 0;) {
        struct written *w = &k->written[i];

        if (h->unknown_lasts_ms > 0 && w->by == NEVER && w->ended_ms != INT64_MAX &&
            w->ended_ms + h->unknown_lasts_ms < h->now_ms)
            w->by = h->tick;
        if (w->dead < oldest && !w->is_open) {
            settle(h, k, w);
            miss_turn(k, w);
            take_out(k, w);
        }
    }
}

void written_finish(struct history *h, struct key *k)
{
    for (uint32_t i = 0; i < k->n_written; i++)
        settle(h, k, &k->written[i]);
}
