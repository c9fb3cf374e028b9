#include "shard/watching.h"

#include "base/unset.h"
#include "cluster/relay.h"
#include "wire/events.h"

void watching_ask(struct peer *p, const struct frame *f)
{
    UNSET char page[RELAY_PAGE];
    uint64_t missed;
    const size_t len = relay_ask(p->sw->shard->relay, &p->follower, p->incarnation,
                                 f->st & STREAMS_OF_FRONTS, worker_now(p->sw->worker), page,
                                 &missed);

    peer_done(p, missed, page, len);
}

void watching_hear(struct peer *p, const struct frame *f)
{
    if (f->value_len > RELAY_PAGE)
        p->closing = true;      /* no honest front has as many */
    else
        relay_add(p->sw->shard->relay, p->incarnation, f->value, f->value_len, f->version);
}

/* Only a front whose link is open can be told something that it has not asked for. */
static bool is_to_be_told(const struct peer *p)
{
    return p->role == HELLO_FRONT && p->protocol >= HELLO_EVENTS && p->epoch != 0 &&
           !p->full && !p->held;
}

bool watching_look(struct peer *p)
{
    struct relay *relay = p->sw->shard->relay;
    struct frame f = { .op = FRAME_WATCHED };

    if (relay == NULL)
        return false;
    relay_look(relay, &p->follower, worker_now(p->sw->worker));
    if (!is_to_be_told(p))
        return false;
    f.st = (uint8_t)relay_wanted(relay, p->incarnation);
    if (f.st == p->watched)
        return false;
    p->watched = f.st;
    peer_send(p, &f);
    return true;
}

void watching_fini(struct peer *p)
{
    if (p->follower != NULL)
        relay_leave(p->sw->shard->relay, &p->follower);
}
