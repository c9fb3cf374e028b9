#include "front/replay.h"

#include "front/here.h"
#include "front/parked.h"
#include "front/way.h"

/* for whom */

void replay_judge(struct judge *j, const struct view *v, int member)
{
    const struct member *m = &v->map->members[member];

    j->epoch = v->map->epoch;
    j->number = m->number;
    j->incarnation = m->incarnation;
}

/* All who have to do with the key, but the judge; `owner` where it is another. */
static void set_targets(struct replay *rp, const struct view *v, const struct placing *p,
                        int judge)
{
    rp->placed = v->map->epoch;
    rp->n = 0;
    rp->applied = 0;
    if (p->owner >= 0 && p->owner != judge)
        rp->targets[rp->n++] = (uint16_t)p->owner;
    for (unsigned i = 0; i < p->n_copies; i++)
        if (p->copies[i] != judge)
            rp->targets[rp->n++] = (uint16_t)p->copies[i];
    rp->n_chain = rp->n;
    for (unsigned i = 0; i < p->n_pending; i++)
        if (p->pending[i] != judge)
            rp->targets[rp->n++] = (uint16_t)p->pending[i];
}

void replay_place(struct replay *rp, const struct view *v, const struct placing *p)
{
    replay_judge(&rp->judge, v, p->owner);
    set_targets(rp, v, p, p->owner);
}

/* What it judged then still holds. */
static bool still_serves(const struct judge *j, const struct map *map, int member)
{
    return member >= 0 && map->members[member].incarnation == j->incarnation &&
           map->members[member].since <= j->epoch &&
           map->members[member].state != MEMBER_EJECTED;
}

/* Nobody but its owner has anything.  What others judged before, while members
 * changed, was handed to it before it owned; what it has deleted since has left no
 * tombstone, and must not be told anew. */
static bool has_no_copies(const struct map *map)
{
    return map->replicas == 1 && map->phase == MAP_STABLE;
}

static void set_no_targets(struct replay *rp, const struct view *v)
{
    rp->placed = v->map->epoch;
    rp->n = rp->n_chain = 0;
    rp->applied = 0;
}

/* Goes by the present map; false where what was judged is nobody's any more. */
static bool place(struct call *c)
{
    const struct view *v = c->fw->links.view;
    struct replay *rp = &c->replay;
    struct placing p;
    int judge;

    if (rp->placed == v->map->epoch)
        return true;
    if (v->simple && rp->judge.epoch == 0) {
        set_no_targets(rp, v);
        return true;
    }
    judge = map_find_number(v->map, rp->judge.number);
    if (rp->judge.epoch == 0 || !still_serves(&rp->judge, v->map, judge))
        return false;
    if (has_no_copies(v->map)) {
        set_no_targets(rp, v);
        return true;
    }
    view_place(v, c->position, &p);
    set_targets(rp, v, &p, judge);
    return true;
}

/* what */

/* The answer says all that copies need, together with what was sent. */
static bool is_as_sent(const struct frame *command, const struct answer *a)
{
    const enum verb verb = (enum verb)(command->op - FRAME_COMMAND);

    return (a->status == STATUS_STORED && verb_has_value(verb)) ||
           (a->status == STATUS_DELETED && verb == VERB_DELETE);
}

/* As much of the answer as copy_of_sent() asks for. */
static struct answer head_of(const struct frame *reply)
{
    return (struct answer){
        .status = (enum status)reply->st, .marks = reply->marks, .version = reply->version,
    };
}

/* What is left by now of a time to live that was sent. */
static int64_t left_of(const struct call *c, int64_t ttl_ms)
{
    const int64_t passed_ms = worker_now(c->fw->worker) - c->framed_ms;

    return ttl_ms <= 0 ? ttl_ms : ttl_ms > passed_ms ? ttl_ms - passed_ms : 1;
}

/* What copies must have, and the chunk where its value lies; false: the judge
 * has not said. */
static bool copy_of_call(struct call *c, struct copy *copy, struct chunk **chunk)
{
    const struct request *r = &c->request;
    const struct answer a = head_of(&r->reply);
    struct frame f;
    struct cmd cmd;

    *chunk = r->told_chunk;
    if (!request_told(r, copy)) {
        if (!request_frame(r, &f) || !is_as_sent(&f, &a))
            return false;
        frame_to_cmd(&f, &cmd);
        copy_of_sent(copy, &cmd, &a);
        *chunk = request_value_chunk(r);
    }
    copy->key = r->key;
    copy->key_len = r->key_len;
    copy->ttl_ms = left_of(c, copy->ttl_ms);
    return true;
}

/* its end */

/* By the map of now it finds another state. */
static void ask_again(struct call *c)
{
    if (!call_has_time(c) || c->request.frame_chunk == NULL) {
        call_give_up(c, "the map has changed");
        return;
    }
    c->replays = false;
    c->request.outcome = REFUSED;
    parked_add(c->fw, c);
}

static void over(struct call *c, bool done, const char *reason)
{
    if (c->request.open != 0 && c->request.link != NULL)
        link_confirm(c->request.link, c->request.open, !done);
    else if (c->request.open != 0)
        here_confirm(c->fw, c->request.open, !done);
    c->request.open = 0;
    if (!done)
        STAT_ADD(&c->fw->worker->stats, replays_failed, 1);
    if (c->behind)
        call_let_go(c);
    else if (done)
        call_finish(c);
    else if (c->repeatable)
        ask_again(c);
    else
        call_give_up(c, reason);
}

/* its way */

static void go_on(struct call *c);

static void one_answered(struct call *c)
{
    struct replay *rp = &c->replay;

    if (--rp->n_waiting == 0)
        go_on(c);
}

static void note_applied(struct replay *rp, unsigned i, enum applied applied)
{
    if (applied_counts(applied))
        rp->applied |= (uint16_t)(1u << i);
    else
        rp->refused = true;
}

static void on_applied(struct request *r)
{
    struct call *c = r->owner;

    if (r->outcome == ANSWERED)
        note_applied(&c->replay, r->part, (enum applied)r->reply.st);
    request_free(&c->fw->links, r);
    one_answered(c);
}

/* To one of the targets; NULL: memory was short, then or when its link was to be made. */
static struct request *request_to(struct call *c, unsigned i)
{
    struct links *ls = &c->fw->links;
    struct request *r = ls->link[c->replay.targets[i]] != NULL ? request_new(ls) : NULL;

    if (r == NULL)
        return NULL;
    STAT_ADD(&c->fw->worker->stats, replays, 1);
    r->owner = c;
    r->part = i;
    r->answer_op = FRAME_APPLIED;
    r->done = on_applied;
    c->replay.n_waiting++;
    return r;
}

static struct link *link_to(const struct call *c, unsigned i)
{
    return c->fw->links.link[c->replay.targets[i]];
}

static void send_one(struct call *c, unsigned i, const struct frame *f, struct chunk *chunk)
{
    struct request *r = request_to(c, i);

    if (r != NULL)
        link_send(link_to(c, i), r, f, chunk);
}

/* The chain's next alone, so that of three none has what the next has not. */
static uint8_t wave_of(const struct replay *rp)
{
    return rp->n_chain > 1 && (rp->applied & 1) == 0 ? 1 : rp->n;
}

static bool all_have_it(const struct replay *rp)
{
    return rp->applied == (1u << rp->n) - 1;
}

static bool has_it(const struct replay *rp, unsigned i)
{
    return (rp->applied & 1u << i) != 0;
}

/* The command's frame, where that is the copy's but for its head; else NULL. */
static const char *sent_frame(const struct call *c)
{
    const struct request *r = &c->request;

    if (r->told != NULL || r->frame_chunk == NULL || r->value_chunk != NULL ||
        r->reply.st != STATUS_STORED || (r->reply.marks & MARK_TOKEN) != 0 ||
        frame_sent_len(r->key - FRAME_HEAD) == 0)
        return NULL;
    return r->key - FRAME_HEAD;
}

/* Most of what is replayed is a set, whose frame need not be taken apart. */
static void send_sent(struct call *c, unsigned i, const char *frame)
{
    struct request *r = request_to(c, i);
    char *at;

    if (r == NULL)
        return;
    at = link_send_all(link_to(c, i), r, frame, frame_sent_len(frame), 1);
    if (at != NULL)
        frame_make_copy(at, c->request.reply.version, left_of(c, frame_sent_ttl(frame)));
}

/* Told or made of what was sent; false: the judge has not said what there is. */
static bool send_told(struct call *c)
{
    struct replay *rp = &c->replay;
    struct chunk *chunk;
    struct copy copy;
    struct frame f;

    if (!copy_of_call(c, &copy, &chunk))
        return false;
    frame_from_copy(&f, FRAME_APPLY, &copy);
    for (unsigned i = 0; i < rp->wave; i++) {
        if (has_it(rp, i))
            continue;
        if (rp->targets[i] != c->fw->self)
            send_one(c, i, &f, chunk);
        else if (here_is_adopted(c->fw))
            note_applied(rp, i, here_apply(c->fw, &copy));
    }
    return true;
}

static bool wave_has_self(const struct call *c)
{
    for (unsigned i = 0; i < c->replay.wave; i++)
        if (c->replay.targets[i] == c->fw->self)
            return true;
    return false;
}

/* Those who have it not and are next; nobody is waited for now. */
static void send_wave(struct call *c)
{
    struct replay *rp = &c->replay;
    const char *frame;

    rp->wave = wave_of(rp);
    frame = wave_has_self(c) ? NULL : sent_frame(c);
    rp->n_waiting = 1;          /* this function */
    if (frame == NULL && !send_told(c)) {
        over(c, false, "it said nothing of its copies");
        return;
    }
    for (unsigned i = 0; frame != NULL && i < rp->wave; i++)
        if (!has_it(rp, i))
            send_sent(c, i, frame);
    one_answered(c);
}

static bool reaches_all(const struct call *c)
{
    const struct replay *rp = &c->replay;

    for (unsigned i = 0; i < rp->n; i++)
        if (!has_it(rp, i) && !way_reaches(c->fw, rp->targets[i]))
            return false;
    return true;
}

/* All that was sent is answered. */
static void go_on(struct call *c)
{
    struct replay *rp = &c->replay;
    const struct view *v = c->fw->links.view;
    const uint16_t wave = (uint16_t)((1u << rp->wave) - 1);

    if (rp->refused)
        over(c, false, "a copy refused it");
    else if (all_have_it(rp))
        over(c, true, NULL);
    else if ((rp->applied & wave) == wave && v != NULL && rp->placed == v->map->epoch)
        send_wave(c);
    else
        parked_add(c->fw, c);
}

/* False: somebody is not reached. */
static bool go(struct call *c)
{
    if (!place(c))
        over(c, false, "the map has changed");
    else if (reaches_all(c))
        send_wave(c);
    else
        return false;
    return true;
}

bool replay_go_again(struct call *c)
{
    if (call_has_time(c))
        return go(c);
    over(c, false, "a copy is not reached");
    return true;
}

void replay_begin(struct call *c)
{
    c->replays = true;
    c->replay.refused = false;
    if (verb_is_get(c->verb) && !c->copies)
        STAT_ADD(&c->fw->worker->stats, repairs, 1);
    if (!c->fw->front->config.ack_all) {
        c->behind = true;
        call_finish(c);
    }
    /* who is not reached, though it was when the command went, is told later */
    if (place(c))
        send_wave(c);
    else
        over(c, false, "the map has changed");
}
