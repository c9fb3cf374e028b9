#include "front/multiget.h"

#include <stddef.h>
#include <stdlib.h>

#include "front/answer.h"
#include "front/here.h"
#include "front/multiget_parts.h"
#include "front/slow.h"

/* its life */

static struct multiget *multiget_new(struct front_worker *fw, const struct gets *gets)
{
    struct multiget *m = fw->free_multigets;

    if (m != NULL)
        fw->free_multigets = m->next;
    else if ((m = malloc(sizeof(*m))) == NULL)
        return NULL;
    memset(m, 0, offsetof(struct multiget, parts));
    m->fw = fw;
    m->verb = gets->verb;
    m->more = gets->more;
    m->began_ns = worker_now_ns(fw->worker);
    return m;
}

static void let_go_of_values(struct multiget *m)
{
    for (unsigned i = 0; i < m->n; i++) {
        chunk_unref(m->keys[i].chunk);
        m->keys[i].chunk = NULL;
    }
}

static void multiget_free(struct multiget *m)
{
    struct front_worker *fw = m->fw;

    let_go_of_values(m);
    for (unsigned i = 0; i < m->n_parts; i++)
        request_free(&fw->links, m->parts[i].request);
    m->next = fw->free_multigets;
    fw->free_multigets = m;
}

void multigets_fini(struct front_worker *fw)
{
    struct multiget *m;

    while ((m = fw->free_multigets) != NULL) {
        fw->free_multigets = m->next;
        free(m);
    }
    free(fw->part_of);
}

/* answers */

static struct multiget *multiget_of_slot(struct slot *slot)
{
    return (struct multiget *)((char *)slot - offsetof(struct multiget, slot));
}

static struct answer answer_of(const struct multiget *m, const struct wanted *k)
{
    return (struct answer){
        .status = k->hit ? STATUS_HIT : STATUS_NOT_FOUND,
        .version = m->fw->front->config.cas ? k->token : 0,
        .client_flags = k->client_flags,
        .value = k->value,
        .value_len = k->value_len,
    };
}

/* Answers written where the output has room for them, and then committed at once. */
struct writing {
    struct sendq *q;
    char *start, *end;          /* what is written */
    size_t left;                /* room behind it */
};

static bool commit(struct writing *w)
{
    return w->end == w->start || sendq_commit(w->q, (size_t)(w->end - w->start));
}

static bool write_one(struct writing *w, const struct asked *asked, const struct answer *a)
{
    const size_t most = ANSWER_ROOM + a->value_len;
    char *end;

    if (w->left < most) {
        if (!commit(w) || (w->start = w->end = sendq_room(w->q, most)) == NULL)
            return false;
        w->left = sendq_room_left(w->q);
    }
    if (a->status == STATUS_HIT)
        end = answer_write_hit(w->end, asked, a);
    else
        end = asked->form->more ? w->end : bytes_put_text(w->end, "END\r\n");
    w->left -= (size_t)(end - w->end);
    w->end = end;
    return true;
}

/* It was charged for its values, and counted as many slots as it has keys. */
static void take_leave(struct multiget *m, struct session *s)
{
    s->held_bytes -= m->held;
    s->n_slots -= m->n - 1;
}

static bool emit(struct slot *slot, struct session *s)
{
    struct multiget *m = multiget_of_slot(slot);
    const struct form form = { .more = m->more };
    struct writing w = { .q = &s->out };

    for (unsigned i = 0; i < m->n && !s->broken; i++) {
        const struct wanted *k = &m->keys[i];
        const struct asked asked = { m->verb, &form, k->key, k->key_len };
        const struct answer a = answer_of(m, k);

        s->broken = !write_one(&w, &asked, &a);
    }
    s->broken |= !commit(&w);
    take_leave(m, s);
    multiget_free(m);
    return true;
}

static void drop(struct slot *slot)
{
    multiget_free(multiget_of_slot(slot));
}

static const struct slot_ops multiget_ops = { emit, drop };

/* Somebody wants to know of each. */
static void note_each(struct multiget *m)
{
    const struct session *s = m->slot.session;
    const struct form form = { .more = m->more };

    for (unsigned i = 0; i < m->n; i++) {
        const struct wanted *k = &m->keys[i];
        const struct asked asked = { m->verb, &form, k->key, k->key_len };
        const struct answer a = answer_of(m, k);

        front_note(m->fw, s != NULL ? s->fd : -1, &asked, &a);
    }
}

static void count(struct multiget *m)
{
    struct stats *stats = &m->fw->worker->stats;

    STAT_ADD(stats, cmd_get, m->n);
    STAT_ADD(stats, get_hits, m->n_hits);
    STAT_ADD(stats, get_misses, m->n - m->n_hits);
}

/* Of what was read here they were told at once. */
static void tell_copies(struct multiget *m)
{
    for (unsigned i = 0; i < m->n; i++)
        if (m->keys[i].hit && m->keys[i].part != HERE)
            call_tell_used(m->fw, m->keys[i].key, m->keys[i].key_len, true);
}

static void note(struct multiget *m)
{
    if (front_notes_each(m->fw))
        note_each(m);
    else
        count(m);
    if (m->fw->has_copies)
        tell_copies(m);
}

/* What it waited for is the part that was answered last. */
static void note_slow(struct multiget *m, const struct part *last)
{
    const struct wanted *k = &m->keys[last->first];
    const struct slow_request slow = {
        .verb = m->verb, .n_keys = m->n, .key = k->key, .key_len = k->key_len,
        .shard = link_name(last->request->link), .waited_for = "shard", .result = "answered",
        .began_ns = m->began_ns,
    };

    slow_note(m->fw, &slow);
}

/* `last`: whose answer made it so; NULL: at once. */
static void be_ready(struct multiget *m, const struct part *last)
{
    note(m);
    if (last != NULL && slow_is(m->fw, m->began_ns))
        note_slow(m, last);
    if (!m->more)
        latency_end(&m->fw->worker->latency, LATENCY_GET, m->began_ns, m->n);
    if (m->slot.session != NULL)
        session_expect_bytes(m->slot.session, m->most_bytes);
    slot_ready(&m->slot);
}

/* one by one */

/* The key on its own: it waits for its answer. */
static struct call *call_of(struct multiget *m, const struct wanted *k)
{
    const struct part *part = k->part != HERE ? &m->parts[k->part] : NULL;
    struct cmd cmd;
    struct call *c;

    multiget_cmd(m, k->key, k->key_len, &cmd);
    cmd.position = ring_hash(k->key, k->key_len);
    c = call_apart(m->fw, &cmd, m->began_ns);
    if (c == NULL)
        return NULL;
    if (part != NULL) {
        request_set_link(&c->request, part->request->link);
        c->replay.judge = part->judge;
    }
    return c;
}

/* Its plain answer becomes the call's. */
static void take_answer(struct multiget *m, const struct wanted *k, struct chunk *chunk)
{
    const struct answer a = answer_of(m, k);
    struct call *c = k->call;

    frame_from_answer(&c->request.reply, &a);
    c->request.outcome = ANSWERED;
    c->kept = true;
    if (k->value_len > 0)
        c->request.reply_chunk = chunk_ref(chunk);
}

/* Each key has a call, before any of them goes on.  False: no memory. */
static bool make_calls(struct multiget *m)
{
    struct chunk *chunk[BATCH_MAX + 1] = { NULL };      /* of each part, so far */

    if (m->keyless)
        return false;
    for (unsigned i = 0; i < m->n; i++) {
        struct wanted *k = &m->keys[i];

        if (k->chunk != NULL)
            chunk[k->part] = k->chunk;
        k->call = call_of(m, k);
        if (k->call == NULL)
            return false;
        if (k->answered)
            take_answer(m, k, chunk[k->part]);
    }
    return true;
}

static struct call *take_call(struct wanted *k)
{
    struct call *c = k->call;

    k->call = NULL;
    return c;
}

/* Its session ends, and drops its slot once that is ready. */
static void give_up(struct multiget *m)
{
    m->state = GIVEN_UP;
    for (unsigned i = 0; i < m->n; i++) {
        struct call *c = take_call(&m->keys[i]);

        if (c != NULL)
            slot_ready(&c->slot);       /* it is nobody's: it goes */
    }
    if (m->slot.session != NULL) {
        m->slot.session->broken = true;
        session_join_flush(m->slot.session);
    }
}

/* In the place of this slot those of the calls, in the order of the keys. */
static void make_room(struct multiget *m, struct session *s)
{
    take_leave(m, s);
    for (unsigned i = 0; i < m->n; i++) {
        const struct wanted *k = &m->keys[i];

        session_expect_before(s, &k->call->slot, &m->slot);
        k->call->held = k->answered ? k->value_len : m->share;
        s->held_bytes += k->call->held;
    }
    session_forgo(s, &m->slot);
}

/* From here on it is as if they had been asked one by one. */
static void fall_apart(struct multiget *m)
{
    if (!make_calls(m)) {
        give_up(m);
        return;
    }
    m->state = APART;
    if (m->slot.session != NULL)
        make_room(m, m->slot.session);
    let_go_of_values(m);        /* the calls have references of their own */
    for (unsigned i = 0; i < m->n; i++)
        if (m->keys[i].answered)
            call_go_on(take_call(&m->keys[i]));
}

/* on the way */

static void one_less(struct multiget *m, const struct part *last)
{
    if (--m->n_waiting > 0)
        return;
    if (m->state == TOGETHER)
        be_ready(m, last);
    else if (m->state == APART)
        multiget_free(m);
    else
        slot_ready(&m->slot);
}

/* Nobody shows it: its judge is to see to it that copies have what they must. */
static void forget_answer(struct request *r)
{
    if (r->open != 0)
        link_confirm(r->link, r->open, true);
    request_forget_answer(r);
}

/* The call has all that was said of it: `f`, or NULL: how the request went. */
static void hand_over(struct wanted *k, struct request *r, const struct frame *f,
                      struct chunk *chunk)
{
    struct call *c = take_call(k);

    if (c == NULL) {
        forget_answer(r);
        return;
    }
    c->request.outcome = f != NULL ? ANSWERED : r->outcome;
    c->request.refusal = r->refusal;
    c->request.reason = r->reason;
    if (f != NULL) {
        c->request.reply = *f;
        c->request.reply_chunk = f->value_len > 0 ? chunk_ref(chunk) : NULL;
        c->request.told_chunk = r->told_chunk;
        c->request.told = r->told;
        c->request.open = r->open;
        r->told_chunk = NULL;
        r->told = NULL;
        r->open = 0;
    }
    call_go_on(c);
}

/* Those that were not answered. */
static void lose_rest(struct multiget *m, struct part *part)
{
    struct request *r = part->request;

    for (unsigned i = 0; i < r->n_open; i++) {
        struct wanted *k = &m->keys[part->at];

        part->at = k->next;
        hand_over(k, r, NULL, NULL);
    }
}

void multiget_on_done(struct request *r)
{
    struct multiget *m = r->owner;

    if (m->asking) {
        m->unsent |= r->outcome != ANSWERED;
    } else if (r->n_open > 0) {
        if (m->state == TOGETHER)
            fall_apart(m);
        lose_rest(m, &m->parts[r->part]);
    }
    one_less(m, &m->parts[r->part]);
}

/* As a call's answer would be, that may be asked for again: see call.c. */
static bool is_too_much(const struct multiget *m, size_t bytes)
{
    const struct session *s = m->slot.session;

    return s != NULL && s->held_bytes - m->share + bytes > SESSION_OUTPUT_PAUSE && bytes > 0 &&
           s->n_writes == 0 && !s->barrier &&
           (s->first != &m->slot || s->out.bytes >= SESSION_OUTPUT_PAUSE);
}

static bool is_plain(const struct multiget *m, const struct request *r, const struct frame *f)
{
    return f != NULL && r->open == 0 && f->value_len < PLAIN_BYTES &&
           !is_too_much(m, f->value_len);
}

/* `bytes` more, or less. */
static void charge(struct multiget *m, size_t bytes)
{
    if (m->slot.session != NULL)
        m->slot.session->held_bytes += bytes;
    m->held += bytes;
}

static void answer_plain(struct multiget *m, struct part *part, struct wanted *k,
                         const struct frame *f, struct chunk *chunk)
{
    k->answered = true;
    if (f->st == STATUS_HIT) {
        k->client_flags = f->client_flags;
        k->token = (f->marks & MARK_TOKEN) != 0 ? f->token : f->version;
        multiget_take(m, k, f->value, f->value_len, chunk, &part->chunk);
    }
    charge(m, k->value_len - m->share);
}

void multiget_on_each(struct request *r, const struct frame *f, struct chunk *chunk)
{
    struct multiget *m = r->owner;
    struct part *part = &m->parts[r->part];
    struct wanted *k = &m->keys[part->at];

    part->at = k->next;
    if (m->state == TOGETHER && is_plain(m, r, f)) {
        answer_plain(m, part, k, f, chunk);
        return;
    }
    if (m->state == TOGETHER)
        fall_apart(m);
    hand_over(k, r, f, chunk);
}

/* Until the answers are there their size is guessed: see session_expect_bytes(). */
static size_t may_take(const struct multiget *m, const struct session *s)
{
    if (s->answer_bytes == s->worker->config->first_answer_bytes)
        return s->answer_bytes;         /* the first one goes alone */
    return m->n * s->answer_bytes;
}

/* Its size is known. */
static void charge_what_is_here(struct multiget *m)
{
    for (unsigned i = 0; i < m->n; i++)
        if (m->keys[i].part == HERE)
            charge(m, m->keys[i].value_len - m->share);
}

/* Some parts have failed already. */
static void fall_apart_unsent(struct multiget *m)
{
    fall_apart(m);
    for (unsigned i = 0; i < m->n_parts; i++)
        if (m->parts[i].request->outcome != WAITING)
            lose_rest(m, &m->parts[i]);
}

static bool is_worth_it(const struct session *s)
{
    const struct front_worker *fw = s->worker->front;

    return fw->links.view != NULL && fw->links.view->map->phase == MAP_STABLE &&
           (s->answer_bytes < PLAIN_BYTES ||
            s->answer_bytes == s->worker->config->first_answer_bytes);
}

/* They are in their place among the session's answers, and on their way. */
static void begin(struct multiget *m, struct session *s, const struct gets *gets)
{
    m->slot.ops = &multiget_ops;
    session_expect(s, &m->slot);
    s->n_slots += m->n - 1;
    m->asking = true;
    m->n_waiting = m->n_parts + 1;      /* this function */
    multiget_send(m, gets);
    m->asking = false;
    m->held += may_take(m, s);
    m->share = m->held / m->n;
    s->held_bytes += m->held;
    charge_what_is_here(m);
    if (m->unsent)
        fall_apart_unsent(m);
    one_less(m, NULL);
}

unsigned multiget_make(struct session *s, const struct gets *gets)
{
    struct front_worker *fw = s->worker->front;
    const bool reads_copies = here_reads_copies(fw);
    struct multiget *m;
    unsigned n;

    if (!is_worth_it(s) || multiget_begins_here(fw, s, gets, reads_copies) ||
        (m = multiget_new(fw, gets)) == NULL)
        return 0;
    m->reads_copies = reads_copies;
    n = multiget_share_out(m, s, gets);
    if (n >= 2) {
        hotkeys_count_gets(&fw->hotkeys, gets, n);
        begin(m, s, gets);
        return n;
    }
    multiget_free(m);
    return 0;
}
