#include "front/parked.h"

#include "front/gather.h"
#include "front/replay.h"
#include "front/way.h"

#define RETRY_MS 10

static struct world *world_of(const struct front_worker *fw)
{
    return fw->worker->world;
}

static void on_timer(void *arg)
{
    struct front_worker *fw = arg;

    fw->parked.due = true;
}

bool parked_init(struct front_worker *fw)
{
    fw->parked.last = &fw->parked.first;
    fw->parked.timer = world_of(fw)->ops->timer_new(fw->worker->loop, on_timer, fw);
    return fw->parked.timer != NULL;
}

void parked_fini(struct front_worker *fw)
{
    struct gather *g;
    struct call *c;

    while ((g = fw->parked.gathers) != NULL) {
        fw->parked.gathers = g->next_waiting;
        gather_drop(g);
    }
    while ((c = fw->parked.first) != NULL) {
        fw->parked.first = c->next_parked;
        if (c->behind)
            call_let_go(c);
        else
            call_give_up(c, "this front ends");
    }
    fw->parked.last = &fw->parked.first;
    if (fw->parked.timer != NULL)
        world_of(fw)->ops->timer_free(fw->parked.timer);
}

static bool is_empty(const struct parked *p)
{
    return p->first == NULL && p->gathers == NULL;
}

/* Before one is added. */
static void wake_later(struct front_worker *fw)
{
    if (is_empty(&fw->parked))
        world_of(fw)->ops->timer_set(fw->parked.timer, RETRY_MS);
}

static void append(struct parked *p, struct call *c)
{
    c->is_parked = true;
    c->next_parked = NULL;
    *p->last = c;
    p->last = &c->next_parked;
}

/* Whose place among others matters; of one that is answered already only its copies
 * are to be told. */
static struct session *session_of(const struct call *c)
{
    return c->behind ? NULL : c->slot.session;
}

void parked_add(struct front_worker *fw, struct call *c)
{
    if (fw->links.view == NULL) {
        call_give_up(c, "this front ends");
        return;
    }
    STAT_ADD(&fw->worker->stats, parked, 1);
    wake_later(fw);
    append(&fw->parked, c);
    if (session_of(c) != NULL)
        session_settle_first(session_of(c));
}

/* False: it waits on.  Else the call may be gone, unless it has a place in a session. */
static bool go_again(struct front_worker *fw, struct call *c)
{
    c->is_parked = false;
    if (c->replays ? replay_go_again(c) : way_go_again(c))
        return true;
    append(&fw->parked, c);
    return false;
}

void parked_add_gather(struct front_worker *fw, struct gather *g)
{
    wake_later(fw);
    g->next_waiting = fw->parked.gathers;
    fw->parked.gathers = g;
}

static void run_gathers(struct front_worker *fw)
{
    struct gather *g = fw->parked.gathers, *next;

    fw->parked.gathers = NULL;
    for (; g != NULL; g = next) {
        next = g->next_waiting;
        if (g->slot.session == NULL)
            gather_drop(g);
        else if (!gather_go_again(g))
            parked_add_gather(fw, g);
    }
}

/* All of the session's that wait, in its order.  What was judged has its place: its
 * copies are told whatever is before it. */
static void run_session(struct front_worker *fw, struct session *s)
{
    bool blocked = false;

    for (struct slot *slot = s->first; slot != NULL; slot = slot->next) {
        struct call *c = slot->ready ? NULL : call_at(slot);

        if (c == NULL || !c->is_parked) {
            blocked |= !slot->ready;
        } else if (blocked && !c->replays) {
            c->held_back = true;
            append(&fw->parked, c);
        } else {
            (void)go_again(fw, c);
            blocked |= c->is_parked;        /* still, or it came back at once */
        }
    }
}

/* One call for each session that has some, and those that have none. */
static struct call *take_list(struct parked *p)
{
    struct call *c = p->first, *next, *list = NULL, **last = &list;

    p->pass++;
    for (; c != NULL; c = next) {
        struct session *s = session_of(c);

        next = c->next_parked;
        if (s != NULL && s->tried == p->pass)
            continue;
        if (s != NULL)
            s->tried = p->pass;
        *last = c;
        last = &c->next_parked;
    }
    *last = NULL;
    p->first = NULL;
    p->last = &p->first;
    return list;
}

static void run_calls(struct front_worker *fw)
{
    struct call *c = take_list(&fw->parked), *next;

    for (; c != NULL; c = next) {
        struct session *s = session_of(c);

        next = c->next_parked;
        if (s != NULL)
            run_session(fw, s);
        else
            (void)go_again(fw, c);
    }
}

void parked_run(struct front_worker *fw)
{
    fw->parked.due = false;
    if (is_empty(&fw->parked))
        return;
    run_calls(fw);
    run_gathers(fw);
    world_of(fw)->ops->timer_set(fw->parked.timer, is_empty(&fw->parked) ? -1 : RETRY_MS);
}
