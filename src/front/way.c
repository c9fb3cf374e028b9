#include "front/way.h"

#include "front/here.h"
#include "front/parked.h"
#include "front/replay.h"

enum way { TO_OWNER, TO_COPY, NOWHERE };

static const struct view *view_of(const struct call *c)
{
    return c->fw->links.view;
}

bool way_reaches(const struct front_worker *fw, unsigned i)
{
    const struct links *ls = &fw->links;

    if (ls->view->map->members[i].state != MEMBER_UP)
        return false;
    if ((int)i == fw->self)
        return here_is_adopted(fw);
    return ls->link[i] != NULL && link_is_open(ls->link[i]);
}

/* Those who must have what it changes. */
static bool reaches_all(const struct front_worker *fw, const struct placing *p)
{
    for (unsigned i = 0; i < p->n_copies; i++)
        if (!way_reaches(fw, (unsigned)p->copies[i]))
            return false;
    for (unsigned i = 0; i < p->n_pending; i++)
        if (!way_reaches(fw, (unsigned)p->pending[i]))
            return false;
    return true;
}

/* May this copy answer reads now, as far as is known here? */
static bool reads(const struct call *c, int copy)
{
    struct front_worker *fw = c->fw;
    const struct view *v = view_of(c);

    if (v->map->phase == MAP_JOINT && !view_reads(v, copy, c->position))
        return false;           /* it leaves the chain */
    return copy == fw->self ? here_serves(fw, NULL) : way_reaches(fw, (unsigned)copy);
}

/* A copy that answers in the owner's place, at each try another; -1: none.  One that
 * is still to be told of what its client wrote before would show an older value. */
static int copy_of(const struct call *c, const struct placing *p)
{
    if (!c->plain || !c->fw->front->config.ack_all || call_follows_write(c))
        return -1;
    for (unsigned i = 0; i < p->n_copies; i++) {
        const int copy = p->copies[(i + c->n_tries) % p->n_copies];

        if (reads(c, copy))
            return copy;
    }
    return -1;
}

/* Can the owner be asked? */
static bool reaches_owner(const struct call *c, const struct placing *p)
{
    if (p->owner < 0)
        return false;
    if (p->owner == c->fw->self)
        return here_serves(c->fw, p);
    return way_reaches(c->fw, (unsigned)p->owner);
}

static enum way decide(const struct call *c, const struct placing *p, int *to)
{
    *to = p->owner;
    if (reaches_owner(c, p) && (!c->copies || reaches_all(c->fw, p)))
        return TO_OWNER;
    *to = copy_of(c, p);
    return *to >= 0 ? TO_COPY : NOWHERE;
}

/* waiting */

/* It refuses until it has heard that its refusal was seen: soon. */
static bool refuses_for_now(const struct call *c, int member)
{
    const struct link *l = c->fw->links.link[member];

    return l != NULL && link_is_refusing(l);
}

/* There is somebody to wait for, and time. */
static bool may_wait(const struct call *c, const struct placing *p)
{
    const struct map *map = view_of(c)->map;

    if (map->leader[0] == '\0' || c->request.frame_chunk == NULL || !call_has_time(c))
        return false;
    if (cluster_epoch(c->fw->front->cluster) != map->epoch)
        return true;            /* a newer map is there already */
    if (p->owner < 0)
        return false;
    /* where nobody else can have it nothing is to be waited for, but what is here */
    return map->replicas > 1 || map->phase != MAP_STABLE || c->request.outcome == REFUSED ||
           p->owner == c->fw->self || refuses_for_now(c, p->owner);
}

/* Why it was not asked. */
static const char *why_not(const struct call *c, const struct placing *p)
{
    const struct link *l = p->owner >= 0 ? c->fw->links.link[p->owner] : NULL;

    if (p->owner < 0)
        return "it is down, and so are all copies";
    if (view_of(c)->map->members[p->owner].state != MEMBER_UP)
        return "it is suspended";
    if (l != NULL && !link_is_open(l))
        return link_why_closed(l);
    if (p->owner == c->fw->self && !here_serves(c->fw, p))
        return "it may not serve now";
    return "a copy of it is not reached";
}

/* Whom the client is told of: the owner, or who would be if it were up. */
static struct link *link_to_blame(const struct call *c, const struct placing *p)
{
    const struct view *v = view_of(c);
    unsigned first;

    if (p->owner >= 0)
        return c->fw->links.link[p->owner];
    first = ring_owner(v->ring, c->position);
    return c->fw->links.link[v->members != NULL ? v->members[first] : first];
}

/* It was not asked: what the client is told, should it come to that. */
static void blame(struct call *c, const struct placing *p)
{
    c->request.outcome = NOT_SENT;
    c->request.reason = why_not(c, p);
    request_set_link(&c->request, link_to_blame(c, p));
}

/* sending */

static void send_to_owner(struct call *c, const struct placing *p, struct frame *f,
                          struct chunk *chunk)
{
    const struct view *v = view_of(c);

    c->as_copy = false;
    f->flags = 0;
    f->options |= c->owner_options;
    if (c->copies) {
        replay_place(&c->replay, v, p);
        f->flags = (p->n_copies + p->n_pending > 0 ? FRAME_COPIES : 0u)
                 | (p->n_pending > 0 ? FRAME_PENDING : 0u);
    } else {
        replay_judge(&c->replay.judge, v, p->owner);
        c->replay.placed = 0;
    }
    if (p->owner == c->fw->self)
        here_call(c, f, chunk);
    else
        link_send(c->fw->links.link[p->owner], &c->request, f, chunk);
}

/* Only for what it has: nothing is won there, and no use is spared. */
static void send_to_copy(struct call *c, int copy, struct frame *f, struct chunk *chunk)
{
    STAT_ADD(&c->fw->worker->stats, failover_reads, 1);
    c->as_copy = true;
    c->replay.judge.epoch = c->replay.placed = 0;     /* nobody to replay for: it is not shown */
    c->n_tries++;
    f->flags = FRAME_AS_COPY;
    f->options &= ~c->owner_options;
    if (copy == c->fw->self)
        here_call(c, f, chunk);
    else
        link_send(c->fw->links.link[copy], &c->request, f, chunk);
}

static void send(struct call *c, enum way way, int to, const struct placing *p,
                 struct frame *f, struct chunk *chunk)
{
    c->request.needs_frame = true;
    c->framed_ms = worker_now(c->fw->worker);
    if (way == TO_OWNER)
        send_to_owner(c, p, f, chunk);
    else
        send_to_copy(c, to, f, chunk);
}

static void wait(struct call *c)
{
    c->held_back = call_follows_write(c);
    parked_add(c->fw, c);
}

void way_go(struct call *c, struct frame *f, struct chunk *chunk)
{
    struct placing p;
    enum way way;
    int to;

    view_place(view_of(c), c->position, &p);
    way = decide(c, &p, &to);
    if (way != NOWHERE) {
        send(c, way, to, &p, f, chunk);
        return;
    }
    blame(c, &p);
    c->framed_ms = worker_now(c->fw->worker);
    if (request_keep(&c->fw->links, &c->request, f, chunk) && may_wait(c, &p))
        wait(c);
    else
        call_finish(c);
}

static void let_pass(int64_t *ttl_ms, int64_t passed_ms)
{
    if (*ttl_ms > 0)
        *ttl_ms = *ttl_ms > passed_ms ? *ttl_ms - passed_ms : 1;
}

static void send_again(struct call *c, enum way way, int to, const struct placing *p,
                       struct frame *f)
{
    const int64_t passed_ms = worker_now(c->fw->worker) - c->framed_ms;
    struct request *r = &c->request;
    struct chunk *frame = r->frame_chunk, *value = r->value_chunk;

    STAT_ADD(&c->fw->worker->stats, retries, 1);
    let_pass(&f->ttl_ms, passed_ms);
    let_pass(&f->vivify_ttl_ms, passed_ms);
    request_forget_answer(r);
    r->frame_chunk = r->value_chunk = NULL;
    send(c, way, to, p, f, value != NULL ? value : frame);
    chunk_unref(frame);         /* the call may be gone: its chunks are ours */
    chunk_unref(value);
}

bool way_go_again(struct call *c)
{
    struct placing p;
    struct frame f;
    enum way way;
    int to;

    if (!(call_has_time(c) || c->held_back) || !request_frame(&c->request, &f)) {
        call_give_up(c, c->request.reason);
        return true;
    }
    c->held_back = call_follows_write(c);
    view_place(view_of(c), c->position, &p);
    way = decide(c, &p, &to);
    if (way != NOWHERE) {
        send_again(c, way, to, &p, &f);
        return true;
    }
    if (may_wait(c, &p))
        return false;
    blame(c, &p);
    call_finish(c);
    return true;
}

/* failing */

/* It was sent, and doing it twice would be seen. */
static bool is_unknown(const struct call *c)
{
    return c->request.outcome == LOST && (!verb_is_get(c->verb) || c->copies);
}

/* The link is well, but takes no more. */
static bool is_too_much(const struct request *r)
{
    return r->outcome == NOT_SENT && link_is_open(r->link);
}

void way_failed(struct call *c)
{
    const struct view *v = view_of(c);
    struct request *r = &c->request;
    struct placing p;

    if (v == NULL || is_unknown(c) || is_too_much(r) || r->frame_chunk == NULL ||
        (v->map->leader[0] == '\0' && v->map->replicas == 1)) {
        call_finish(c);
        return;
    }
    view_place(v, c->position, &p);
    if (!may_wait(c, &p) && copy_of(c, &p) < 0) {
        call_finish(c);
        return;
    }
    c->fw->parked.due |= r->outcome != REFUSED;     /* others may be reached */
    parked_add(c->fw, c);
}
