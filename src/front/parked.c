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
    c->next_parked = NULL;
    *p->last = c;
    p->last = &c->next_parked;
}

/* Those of its session behind it have to wait too. */
static void hold_back(struct front_worker *fw, struct session *s)
{
    if (s == NULL)
        return;
    s->waits_at = fw->parked.pass;
    session_settle_first(s);
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
    hold_back(fw, c->slot.session);
}

static bool go_again(struct call *c)
{
    return c->replays ? replay_go_again(c) : way_go_again(c);
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

static void run_calls(struct front_worker *fw)
{
    struct parked *p = &fw->parked;
    struct call *c = p->first, *next;

    p->first = NULL;
    p->last = &p->first;
    p->pass++;
    for (; c != NULL; c = next) {
        struct session *s = c->slot.session;
        const bool waits = s != NULL && s->waits_at == p->pass;

        next = c->next_parked;
        c->held_back |= waits;
        if (waits || !go_again(c)) {
            append(p, c);
            hold_back(fw, s);
        }
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
