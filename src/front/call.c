#include "front/call.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "front/here.h"
#include "front/replay.h"
#include "front/slow.h"
#include "front/way.h"
#include "net/session.h"

#define USED_EVERY 16           /* hits: copies are told of one in so many */

static struct call *call_new(struct front_worker *fw)
{
    struct call *c = (struct call *)request_new(&fw->links);

    if (c == NULL)
        return NULL;
    memset(&c->slot, 0, offsetof(struct call, replay) - offsetof(struct call, slot));
    c->replay.judge.epoch = c->replay.placed = 0;
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

/* what it is */

/* Of a get: they change nothing of what it answers, and copies do without. */
#define OPTIONS_OF_OWNERS ((unsigned)(OPTION_WIN | OPTION_NO_USE | OPTION_KEY_ENCODED))

/* It changes what copies must have.  Who wins is the owner's affair alone. */
static bool changes(const struct cmd *cmd)
{
    return !verb_is_get(cmd->verb) || cmd->verb >= VERB_GAT ||
           (cmd->options & OPTION_VIVIFY) != 0;
}

/* Done twice is done once: it reads, and may set a time to live. */
static bool is_repeatable(const struct cmd *cmd)
{
    return cmd->verb == VERB_TOUCH ||
           (verb_is_get(cmd->verb) && (cmd->options & OPTION_VIVIFY) == 0);
}

bool call_is_plain(const struct cmd *cmd)
{
    if (cmd->verb > VERB_GETS || (cmd->options & ~OPTIONS_OF_OWNERS) != 0)
        return false;
    if (cmd->form.protocol != PROTOCOL_META)
        return true;
    for (unsigned i = 0; i < cmd->form.n_letters; i++)
        if (strchr("hlt", cmd->form.letters[i]) != NULL)
            return false;
    return cmd->form.meta == 'g';
}

/* answers */

static struct front *front_of(const struct call *c)
{
    return c->fw->front;
}

static const char *shard_of(const struct call *c)
{
    return c->request.link != NULL ? link_name(c->request.link)
                                   : cluster_self(front_of(c)->cluster);
}

static void say_unreached(struct session *s, const struct call *c)
{
    const struct request *r = &c->request;
    char line[256];
    struct form form = c->form;

    snprintf(line, sizeof(line), "SERVER_ERROR shard %s: %s%s\r\n",
             shard_of(c), r->reason, r->outcome == LOST ? ", outcome unknown" : "");
    form.quiet &= form.protocol == PROTOCOL_TEXT;       /* meta tells all errors */
    if (!answer_say(&s->out, &form, line, PACKET_TRY_AGAIN, NULL))
        s->broken = true;
}

/* A missing shard's keys are misses: a cache may miss.  A write must say so, a meta
 * get that may have been one, and what is asked where there are words for it. */
static bool is_miss(const struct call *c)
{
    return verb_is_get(c->verb) && c->form.protocol != PROTOCOL_INSIDE &&
           !(c->copies && c->request.outcome == LOST && c->form.protocol == PROTOCOL_META);
}

static void emit_unreached(struct session *s, struct call *c)
{
    struct answer miss = { .status = STATUS_NOT_FOUND };
    struct asked asked = call_asked(c);

    if (is_miss(c)) {
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

void call_answer(const struct call *c, struct answer *a)
{
    if (!frame_to_answer(&c->request.reply, a))
        a->status = STATUS_NOT_FOUND;   /* the link has let no such thing pass */
    if (c->too_large)
        a->status = STATUS_TOO_LARGE;
    if (c->asked_again)
        recall(a, c);
    a->marks &= ~(unsigned)MARK_OPEN;
    front_hide_token(front_of(c), a);
}

static void emit_answer(struct session *s, struct call *c)
{
    struct asked asked = call_asked(c);
    struct answer a;

    call_answer(c, &a);
    if (!answer_put(&s->out, &asked, &a, c->request.reply_chunk))
        s->broken = true;
}

/* The answer was too much to hold while others were waited for: asked again. */
static void ask_again(struct call *c)
{
    struct request *r = &c->request;
    const bool plain = c->verb == VERB_GAT || c->verb == VERB_GET;
    struct frame f = {
        .op = (uint8_t)(FRAME_COMMAND + (plain ? VERB_GET : VERB_GETS)),
        .key = r->key,
        .key_len = r->key_len,
        .options = OPTION_NO_USE,       /* what it was to do it has done */
    };
    struct chunk *old = r->frame_chunk;

    c->ask_again = false;
    c->slot.session->n_again--;
    c->asked_again = true;
    c->copies = c->replays = false;
    c->owner_options = f.options;
    r->frame_chunk = NULL;
    request_forget_answer(r);
    way_go(c, &f, NULL);
    chunk_unref(old);
}

struct call *call_of_slot(struct slot *slot)
{
    return (struct call *)((char *)slot - offsetof(struct call, slot));
}

/* Unless its copies are still to be told. */
void call_leave(struct call *c)
{
    c->emitted = true;
    if (!c->behind)
        call_free(c);
}

void call_let_go(struct call *c)
{
    c->behind = false;
    if (c->emitted)
        call_free(c);
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
    call_leave(c);
    return true;
}

static void call_drop(struct slot *slot)
{
    call_leave(call_of_slot(slot));
}

static const struct slot_ops call_ops = { call_emit, call_drop };

struct call *call_at(struct slot *slot)
{
    return slot->ops == &call_ops ? call_of_slot(slot) : NULL;
}

bool call_follows_write(const struct call *c)
{
    const struct session *s = c->slot.session;

    if (s == NULL || s->n_writes == 0)
        return false;
    for (struct slot *slot = s->first; slot != &c->slot; slot = slot->next) {
        const struct call *before = call_at(slot);

        if (before != NULL && before->writes && before->position == c->position)
            return true;
    }
    return false;
}

static void count_unreached(struct worker *w, const struct call *c)
{
    if (is_miss(c)) {
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
    return s->first == &c->slot && session_has_room(s);
}

/* It will be asked for once more, when its turn has come. */
static void drop_answer(struct session *s, struct call *c)
{
    struct request *r = &c->request;

    chunk_unref(r->reply_chunk);
    r->reply_chunk = NULL;
    c->first_marks = r->reply.marks;
    c->first_ttl_ms = r->reply.ttl_ms;
    c->first_idle_s = r->reply.idle_s;
    c->ask_again = true;
    s->n_again++;
}

/* Not past a write that was sent behind it: it would show that one's value. */
static bool is_too_much(const struct session *s, const struct call *c, size_t bytes)
{
    return !can_leave(s, c) && bytes > 0 && !c->behind && s->n_writes == 0 && !s->barrier &&
           s->held_bytes + bytes > SESSION_OUTPUT_PAUSE;
}

/* From its command to its answer: what the session is charged for. */
static void hold_answer(struct session *s, struct call *c)
{
    const size_t bytes = c->request.reply.value_len;

    s->held_bytes -= c->held;
    if (verb_is_get(c->verb))
        session_expect_bytes(s, bytes);
    s->n_writes -= c->writes;
    if (s->n_writes == 0)
        s->written = 0;
    c->writes = false;
    if (!c->kept && is_too_much(s, c, bytes))
        drop_answer(s, c);
    c->held = c->ask_again ? 0 : bytes;
    s->held_bytes += c->held;
}

/* It is told to those who want to know of each. */
static void note_each(const struct call *c, enum status status)
{
    const struct asked asked = call_asked(c);
    const struct session *s = c->slot.session;
    struct answer a;

    (void)frame_to_answer(&c->request.reply, &a);
    a.status = status;
    front_note(c->fw, s != NULL ? s->fd : -1, &asked, &a);
}

static void note_answer(const struct call *c)
{
    const struct frame *reply = &c->request.reply;
    const enum status status = c->too_large ? STATUS_TOO_LARGE : (enum status)reply->st;

    if (reply->op != FRAME_ANSWER)
        return;
    if (front_notes_each(c->fw))
        note_each(c, status);
    else
        answer_count(&c->fw->worker->stats, c->verb, status);
}

static void note_slow(const struct call *c)
{
    const struct request *r = &c->request;
    const bool again = c->framed_ms > c->began_ns / 1000000;
    const struct slow_request slow = {
        .verb = c->verb, .n_keys = 1, .key = r->key, .key_len = r->key_len,
        .shard = shard_of(c),
        .waited_for = c->replays ? "copies" : again ? "another try" : "shard",
        .result = r->outcome == ANSWERED ? "answered" : r->reason,
        .began_ns = c->began_ns,
    };

    slow_note(c->fw, &slow);
}

static void count_outcome(struct worker *w, const struct call *c)
{
    if (c->asked_again)
        return;                 /* it was, when it was answered first */
    if (slow_is(c->fw, c->began_ns))
        note_slow(c);
    if (!c->form.more)
        latency_end(&w->latency, latency_of(c->verb), c->began_ns, 1);
    if (c->request.outcome == ANSWERED)
        note_answer(c);
    else
        count_unreached(w, c);
}

static void tell(struct front_worker *fw, int member, const struct frame *f)
{
    if (member >= 0 && fw->links.link[member] != NULL)
        (void)link_post(fw->links.link[member], f);
}

/* What is read at one member alone would be evicted from the others first. */
void call_tell_used(struct front_worker *fw, const char *key, size_t key_len, bool at_owner)
{
    const struct frame f = { .op = FRAME_USED, .key = key, .key_len = (uint16_t)key_len };
    struct placing p;

    if (!fw->has_copies || fw->links.view == NULL || ++fw->n_hits % USED_EVERY != 0)
        return;
    view_place(fw->links.view, ring_hash(key, key_len), &p);
    if (!at_owner)
        tell(fw, p.owner, &f);
    for (unsigned i = 0; i < p.n_copies; i++)
        tell(fw, p.copies[i], &f);
}

static bool is_hit(const struct call *c)
{
    return verb_is_get(c->verb) && c->request.reply.st <= STATUS_HEAD && !c->as_copy &&
           !c->asked_again;
}

void call_finish(struct call *c)
{
    struct request *r = &c->request;
    struct session *s = c->slot.session;

    count_outcome(c->fw->worker, c);
    if (r->outcome != ANSWERED) {
        r->reply.value_len = 0;
    } else {
        if (c->fw->has_copies && is_hit(c))
            call_tell_used(c->fw, r->key, r->key_len, true);
        if (!c->behind) {
            chunk_unref(r->value_chunk);
            r->value_chunk = NULL;
        }
    }
    if (s != NULL)
        hold_answer(s, c);
    slot_ready(&c->slot);
}

void call_give_up(struct call *c, const char *reason)
{
    c->request.outcome = c->replays ? LOST : NOT_SENT;
    c->request.reason = reason;
    call_finish(c);
}

bool call_has_time(const struct call *c)
{
    return worker_now_ns(c->fw->worker) - c->began_ns <=
           (c->fw->front->config.shard_timeout_ms + PARKED_MS) * 1000000;
}

void call_go_on(struct call *c)
{
    if (c->request.outcome != ANSWERED)
        way_failed(c);
    else if (c->request.open != 0)
        replay_begin(c);
    else
        call_finish(c);
}

static void on_done(struct request *r)
{
    call_go_on((struct call *)r);
}

/* asking */

/* For here_read_copy(): a process that has copies remembers what is on its way. */
static void note_write(struct session *s, const struct cmd *cmd)
{
    const struct front_worker *fw = s->worker->front;

    s->n_writes++;
    if (fw->self >= 0 && fw->has_copies)
        s->written |= here_bit(cmd->position);
}

/* Inlined by force: this is on the way of every command. */
static inline __attribute__((always_inline))
void describe(struct call *c, const struct cmd *cmd, bool too_large, struct frame *f)
{
    frame_from_cmd(f, cmd);
    if (too_large) {
        f->op = FRAME_COMMAND + VERB_DELETE;
        f->value_len = 0;
    }
    c->slot.ops = &call_ops;
    c->request.done = on_done;
    c->request.answer_op = FRAME_ANSWER;
    c->request.statuses = call_statuses(too_large ? VERB_DELETE : cmd->verb, f->options);
    c->request.needs_key = cmd->form.protocol != PROTOCOL_TEXT;
    c->verb = cmd->verb;
    c->position = cmd->position;
    c->began_ns = worker_now_ns(c->fw->worker);
    form_copy(&c->form, &cmd->form);
    c->too_large = too_large;
}

static inline __attribute__((always_inline))
struct call *begin(struct session *s, const struct cmd *cmd, bool too_large,
                   struct frame *f)
{
    struct call *c = call_new(s->worker->front);

    if (c == NULL) {
        s->broken = true;
        return NULL;
    }
    describe(c, cmd, too_large, f);
    c->held = frame_head_len(f) + f->value_len;
    if (verb_is_get(cmd->verb))
        c->held += s->answer_bytes;
    c->writes = changes(cmd);
    if (c->writes)
        note_write(s, cmd);
    s->held_bytes += c->held;
    session_expect(s, &c->slot);
    return c;
}

/* What must be known of it where it may have to be sent once more, or to others. */
static void classify(struct call *c, const struct cmd *cmd)
{
    c->request.needs_frame = true;
    c->copies = changes(cmd);
    c->repeatable = is_repeatable(cmd);
    c->plain = call_is_plain(cmd);
    c->owner_options = cmd->options & OPTIONS_OF_OWNERS;
    c->framed_ms = worker_now(c->fw->worker);
}

struct call *call_begin(struct session *s, const struct cmd *cmd, bool too_large,
                        struct frame *f)
{
    struct call *c = begin(s, cmd, too_large, f);

    if (c != NULL)
        classify(c, cmd);
    return c;
}

/* In no session. */
static struct call *begin_alone(struct front_worker *fw, const struct cmd *cmd,
                                struct frame *f)
{
    struct call *c = call_new(fw);

    if (c == NULL)
        return NULL;
    describe(c, cmd, false, f);
    classify(c, cmd);
    return c;
}

struct call *call_apart(struct front_worker *fw, const struct cmd *cmd, int64_t began_ns)
{
    struct frame f;
    struct call *c = begin_alone(fw, cmd, &f);

    if (c == NULL)
        return NULL;
    c->began_ns = began_ns;
    c->framed_ms = began_ns / 1000000;
    if (!request_keep(&fw->links, &c->request, &f, NULL)) {
        call_free(c);
        return NULL;
    }
    return c;
}

void call_make(struct link *l, struct session *s, const struct cmd *cmd, bool too_large)
{
    struct frame f;
    struct call *c = begin(s, cmd, too_large, &f);

    if (c == NULL)
        return;
    if (c->fw->is_led)
        classify(c, cmd);
    link_send(l, &c->request, &f, session_chunk(s));
}

void call_route(struct session *s, const struct cmd *cmd, bool too_large)
{
    struct frame f;
    struct call *c = call_begin(s, cmd, too_large, &f);

    if (c != NULL)
        way_go(c, &f, session_chunk(s));
}

bool call_inside(struct front_worker *fw, const struct cmd *cmd, const struct slot_ops *ops,
                 void *owner)
{
    struct frame f;
    struct call *c = begin_alone(fw, cmd, &f);

    if (c == NULL)
        return false;
    c->slot.ops = ops;
    c->request.owner = owner;
    way_go(c, &f, NULL);
    return true;
}
