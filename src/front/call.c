#include "front/call.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "net/session.h"

static struct call *call_new(struct front_worker *fw)
{
    struct call *c = (struct call *)request_new(&fw->links);

    if (c == NULL)
        return NULL;
    memset(&c->slot, 0, offsetof(struct call, form) - offsetof(struct call, slot));
    c->fw = fw;
    return c;
}

static void call_free(struct call *c)
{
    request_free(&c->fw->links, &c->request);
}

/* What else it may be answered for its options. */
static uint16_t statuses_of_options(enum verb verb, unsigned options)
{
    const bool reads = verb_is_get(verb);
    uint16_t statuses = 0;

    if (reads && (options & (OPTION_NO_VALUE | OPTION_COMPARE)) != 0)
        statuses |= 1u << STATUS_HEAD;
    if (!reads && (options & OPTION_COMPARE) != 0)
        statuses |= 1u << STATUS_EXISTS;
    if ((options & (OPTION_INVALIDATE | OPTION_REMOVE_VALUE)) != 0)
        statuses |= 1u << STATUS_NO_MEMORY;
    return statuses;
}

/* That the command may be answered. */
static uint16_t call_statuses(enum verb verb, unsigned options)
{
    static const uint16_t allowed[N_KEYED_VERBS] = {
#define GETS (1u << STATUS_HIT | 1u << STATUS_NOT_FOUND)
#define STORES (1u << STATUS_STORED | 1u << STATUS_NOT_STORED | 1u << STATUS_TOO_LARGE | \
                1u << STATUS_NO_MEMORY)
#define COUNTS (1u << STATUS_NUMBER | 1u << STATUS_NOT_FOUND | 1u << STATUS_NON_NUMERIC | \
                1u << STATUS_NO_MEMORY)
        [VERB_GET] = GETS, [VERB_GETS] = GETS, [VERB_GAT] = GETS, [VERB_GATS] = GETS,
        [VERB_SET] = STORES, [VERB_ADD] = STORES, [VERB_REPLACE] = STORES,
        [VERB_APPEND] = STORES, [VERB_PREPEND] = STORES,
        [VERB_CAS] = STORES | 1u << STATUS_EXISTS | 1u << STATUS_NOT_FOUND,
        [VERB_DELETE] = 1u << STATUS_DELETED | 1u << STATUS_NOT_FOUND,
        [VERB_INCR] = COUNTS, [VERB_DECR] = COUNTS,
        [VERB_TOUCH] = 1u << STATUS_TOUCHED | 1u << STATUS_NOT_FOUND,
#undef GETS
#undef STORES
#undef COUNTS
    };

    return allowed[verb] | statuses_of_options(verb, options);
}

static struct asked call_asked(const struct call *c)
{
    return (struct asked){ c->verb, &c->form, c->request.key, c->request.key_len };
}

/* answers */

static struct front *front_of(const struct call *c)
{
    return c->fw->front;
}

static void say_unreached(struct session *s, const struct call *c)
{
    const struct request *r = &c->request;
    char line[256];
    struct form form = c->form;

    snprintf(line, sizeof(line), "SERVER_ERROR shard %s: %s%s\r\n", link_name(r->link),
             r->reason, r->outcome == LOST ? ", outcome unknown" : "");
    form.quiet &= form.protocol == PROTOCOL_TEXT;       /* meta tells all errors */
    if (!answer_say(&s->out, &form, line, PACKET_TRY_AGAIN, NULL))
        s->broken = true;
}

/* A missing shard's keys are misses: a cache may miss.  A write must say so. */
static void emit_unreached(struct session *s, struct call *c)
{
    struct answer miss = { .status = STATUS_NOT_FOUND };
    struct asked asked = call_asked(c);

    if (verb_is_get(c->verb)) {
        if (!answer_put(&s->out, &asked, &miss, NULL))
            s->broken = true;
    } else {
        say_unreached(s, c);
    }
}

/* Of an answer that was dropped, what the asking itself has changed. */
static void recall(struct answer *a, const struct call *c)
{
    const unsigned of_item = MARK_STALE | MARK_KEY_ENCODED | MARK_TOKEN;

    a->marks = (a->marks & of_item) | (c->first_marks & ~of_item);
    a->ttl_ms = c->first_ttl_ms;
    a->idle_s = c->first_idle_s;
}

static void emit_answer(struct session *s, struct call *c)
{
    struct asked asked = call_asked(c);
    struct answer a;

    if (!frame_to_answer(&c->request.reply, &a))
        a.status = STATUS_NOT_FOUND;    /* the link has let no such thing pass */
    if (c->too_large)
        a.status = STATUS_TOO_LARGE;
    if (c->asked_again)
        recall(&a, c);
    front_hide_token(front_of(c), &a);
    if (!answer_put(&s->out, &asked, &a, c->request.reply_chunk))
        s->broken = true;
}

/* The answer was too much to hold while others were waited for: asked again. */
static void ask_again(struct call *c)
{
    struct request *r = &c->request;
    const bool plain = c->verb == VERB_GAT || c->verb == VERB_GET;
    const struct frame f = {
        .op = (uint8_t)(FRAME_COMMAND + (plain ? VERB_GET : VERB_GETS)),
        .key = r->key,
        .key_len = r->key_len,
        .options = OPTION_NO_USE,       /* what it was to do it has done */
    };
    struct chunk *old = r->frame_chunk;

    c->ask_again = false;
    c->slot.session->n_again--;
    c->asked_again = true;
    r->frame_chunk = NULL;
    link_send(r->link, r, &f, NULL);
    chunk_unref(old);
}

static struct call *call_of_slot(struct slot *slot)
{
    return (struct call *)((char *)slot - offsetof(struct call, slot));
}

static bool call_emit(struct slot *slot, struct session *s)
{
    struct call *c = call_of_slot(slot);

    if (c->ask_again) {
        ask_again(c);
        return false;
    }
    s->held_bytes -= c->held;
    if (c->request.outcome == ANSWERED)
        emit_answer(s, c);
    else
        emit_unreached(s, c);
    call_free(c);
    return true;
}

static void call_drop(struct slot *slot)
{
    call_free(call_of_slot(slot));
}

static const struct slot_ops call_ops = { call_emit, call_drop };

static void count_unreached(struct worker *w, const struct call *c)
{
    if (verb_is_get(c->verb)) {
        answer_count(&w->stats, c->verb, STATUS_NOT_FOUND);
        STAT_ADD(&w->stats, shard_misses, 1);
        return;
    }
    STAT_ADD(&w->stats, shard_errors, 1);
    if (c->request.outcome == LOST)
        STAT_ADD(&w->stats, unknown_outcomes, 1);
}

/* Its turn has come, and the client reads. */
static bool can_leave(const struct session *s, const struct call *c)
{
    return s->first == &c->slot && s->out.bytes < SESSION_OUTPUT_PAUSE;
}

/* From its command to its answer: what the session is charged for. */
static void hold_answer(struct session *s, struct call *c)
{
    struct request *r = &c->request;

    s->held_bytes -= c->held;
    c->held = r->reply.value_len;
    if (verb_is_get(c->verb))
        session_expect_bytes(s, c->held);
    else
        s->n_writes--;
    /* not past a write that was sent behind it: it would show that one's value */
    if (!can_leave(s, c) && c->held > 0 && s->n_writes == 0 && !s->barrier &&
        s->held_bytes + c->held > SESSION_OUTPUT_PAUSE) {
        c->held = 0;
        chunk_unref(r->reply_chunk);
        r->reply_chunk = NULL;
        c->first_marks = r->reply.marks;
        c->first_ttl_ms = r->reply.ttl_ms;
        c->first_idle_s = r->reply.idle_s;
        c->ask_again = true;
        s->n_again++;
    }
    s->held_bytes += c->held;
}

static void note_answer(const struct call *c)
{
    const struct asked asked = call_asked(c);
    const struct session *s = c->slot.session;
    struct answer a;

    if (!frame_to_answer(&c->request.reply, &a))
        return;
    if (c->too_large)
        a.status = STATUS_TOO_LARGE;
    front_note(c->fw, s != NULL ? s->fd : -1, &asked, &a);
}

static void count_outcome(struct worker *w, const struct call *c)
{
    if (c->asked_again)
        return;                 /* it was, when it was answered first */
    if (c->request.outcome == ANSWERED)
        note_answer(c);
    else
        count_unreached(w, c);
}

static void on_done(struct request *r)
{
    struct call *c = (struct call *)r;
    struct session *s = c->slot.session;

    count_outcome(c->fw->worker, c);
    if (r->outcome != ANSWERED) {
        r->reply.value_len = 0;
    } else {
        chunk_unref(r->value_chunk);
        r->value_chunk = NULL;
    }
    if (s != NULL)
        hold_answer(s, c);
    slot_ready(&c->slot);
}

/* asking */

void call_make(struct link *l, struct session *s, const struct cmd *cmd, bool too_large)
{
    struct call *c = call_new(s->worker->front);
    struct frame f;

    if (c == NULL) {
        s->broken = true;
        return;
    }
    frame_from_cmd(&f, cmd);
    if (too_large) {
        f.op = FRAME_COMMAND + VERB_DELETE;
        f.value_len = 0;
    }
    c->slot.ops = &call_ops;
    c->request.done = on_done;
    c->request.answer_op = FRAME_ANSWER;
    c->request.statuses = call_statuses(too_large ? VERB_DELETE : cmd->verb, f.options);
    c->request.needs_key = cmd->form.protocol != PROTOCOL_TEXT;
    c->verb = cmd->verb;
    form_copy(&c->form, &cmd->form);
    c->too_large = too_large;
    c->held = frame_head_len(&f) + f.value_len;
    if (verb_is_get(cmd->verb))
        c->held += s->answer_bytes;
    else
        s->n_writes++;
    s->held_bytes += c->held;
    session_expect(s, &c->slot);
    link_send(l, &c->request, &f, session_chunk(s));
}
