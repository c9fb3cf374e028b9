#include "net/slot.h"

#include <stdlib.h>

#include "net/session.h"

/* The answer to a command, made while older ones are still open. */
struct text_slot {
    struct slot slot;
    struct sendq q;
    bool ends;                  /* a command, of this class, */
    enum latency_class class;
    int64_t began_ns;           /* which was parsed then */
};

static void text_slot_free(struct worker *w, struct text_slot *t)
{
    sendq_fini(&t->q);
    t->slot.next = w->free_texts;
    w->free_texts = &t->slot;
}

static bool text_slot_emit(struct slot *slot, struct session *s)
{
    struct text_slot *t = (struct text_slot *)slot;

    s->held_bytes -= t->q.bytes;
    if (t->ends)
        latency_end(&s->worker->latency, t->class, t->began_ns, 1);
    if (!sendq_move(&s->out, &t->q))
        s->broken = true;
    text_slot_free(s->worker, t);
    return true;
}

static void text_slot_drop(struct slot *slot)
{
    struct text_slot *t = (struct text_slot *)slot;
    struct worker *w = (struct worker *)((char *)t->q.pool - offsetof(struct worker, pool));

    text_slot_free(w, t);
}

static const struct slot_ops text_slot_ops = { text_slot_emit, text_slot_drop };

static struct text_slot *text_slot_new(struct session *s)
{
    struct worker *w = s->worker;
    struct text_slot *t = (struct text_slot *)w->free_texts;

    if (t != NULL)
        w->free_texts = t->slot.next;
    else if ((t = malloc(sizeof(*t))) == NULL)
        return NULL;
    t->slot.ops = &text_slot_ops;
    t->ends = false;
    sendq_init(&t->q, &w->pool);
    t->q.tail = w->kept;        /* all of a worker write into one chunk */
    t->q.tail_used = w->kept_used;
    w->kept = NULL;
    return t;
}

void slots_free_texts(struct worker *w)
{
    struct slot *slot;

    while ((slot = w->free_texts) != NULL) {
        w->free_texts = slot->next;
        free(slot);
    }
}

void session_expect(struct session *s, struct slot *slot)
{
    slot->session = s;
    slot->next = NULL;
    slot->ready = false;
    *s->last = slot;
    s->last = &slot->next;
    s->n_slots++;
}

/* What points to it. */
static struct slot **place_of(struct session *s, const struct slot *slot)
{
    struct slot **place = &s->first;

    while (*place != slot)
        place = &(*place)->next;
    return place;
}

void session_expect_before(struct session *s, struct slot *slot, struct slot *before)
{
    struct slot **place = place_of(s, before);

    slot->session = s;
    slot->next = before;
    slot->ready = false;
    *place = slot;
    s->n_slots++;
}

void session_forgo(struct session *s, struct slot *slot)
{
    struct slot **place = place_of(s, slot);

    *place = slot->next;
    if (slot->next == NULL)
        s->last = place;
    slot->session = NULL;
    s->n_slots--;
}

void slot_ready(struct slot *slot)
{
    struct session *s = slot->session;

    slot->ready = true;
    if (s == NULL)
        slot->ops->drop(slot);
    else if (s->first == slot)
        session_join_flush(s);
}

struct sendq *session_reply(struct session *s)
{
    struct text_slot *t;

    if (s->first == NULL)
        return &s->out;
    t = text_slot_new(s);
    if (t == NULL) {
        s->broken = true;
        return NULL;
    }
    session_expect(s, &t->slot);
    t->slot.ready = true;
    s->open_text = t;
    return &t->q;
}

void slots_settle(struct session *s)
{
    struct text_slot *t = s->open_text;
    struct worker *w = s->worker;

    if (t == NULL)
        return;
    s->open_text = NULL;
    s->held_bytes += t->q.bytes;
    chunk_unref(w->kept);
    w->kept = t->q.tail;
    w->kept_used = t->q.tail_used;
    t->q.tail = NULL;
}

void session_say(struct session *s, const char *text, size_t len)
{
    struct sendq *q = session_reply(s);

    if (q != NULL && !sendq_add(q, text, len))
        s->broken = true;
    slots_settle(s);
}

void session_say_end(struct session *s, enum latency_class class, int64_t began_ns)
{
    struct sendq *q = session_reply(s);
    struct text_slot *t = s->open_text;

    if (q != NULL && !sendq_add(q, "END\r\n", 5))
        s->broken = true;
    if (t != NULL) {
        t->ends = true;
        t->class = class;
        t->began_ns = began_ns;
    } else {
        latency_end(&s->worker->latency, class, began_ns, 1);
    }
    slots_settle(s);
}

void slots_emit(struct session *s)
{
    struct slot *slot, *next;

    while (!s->broken && (slot = s->first) != NULL && slot->ready && session_has_room(s)) {
        next = slot->next;
        slot->ready = false;
        if (!slot->ops->emit(slot, s))
            return;
        s->first = next;
        if (next == NULL)
            s->last = &s->first;
        s->n_slots--;
    }
}

void slots_drop(struct session *s)
{
    struct slot *slot;

    while ((slot = s->first) != NULL) {
        s->first = slot->next;
        slot->session = NULL;
        if (slot->ready)
            slot->ops->drop(slot);
    }
    s->last = &s->first;
}
