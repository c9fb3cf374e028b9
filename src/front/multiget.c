#include "front/multiget.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/unset.h"
#include "front/answer.h"
#include "front/call.h"
#include "front/here.h"
#include "front/replay.h"
#include "front/watchers.h"
#include "front/way.h"
#include "net/session.h"

/* What one answer may take: a longer value is better held by a call, by reference. */
#define PLAIN_BYTES SENDQ_REF_BYTES

/* Not a part: what this process has itself. */
#define HERE BATCH_MAX

/* A key, and what was answered. */
struct wanted {
    const char *key;            /* in the frame that was sent, or beside a value from here */
    uint8_t key_len;
    bool answered, hit;
    uint8_t part;               /* who was asked: index in `parts`, or HERE */
    uint8_t next;               /* the next key of the same part */
    uint32_t client_flags;
    uint32_t value_len;
    const char *value;
    uint64_t token;
    struct chunk *chunk;        /* a reference, where `value` lies in another than the one
                                   before it of its part; or NULL */
    struct call *call;          /* owned: waits for the answer in its place; or NULL */
};

/* What one shard was asked for. */
struct part {
    struct request *request;    /* owned; its owner is the multiget */
    struct judge judge;
    uint16_t member;            /* by index, of the map that it was sent by */
    uint8_t first, last, n;     /* its keys */
    uint8_t at;                 /* the one that is answered next */
    struct chunk *chunk;        /* where the last value lies; a key has the reference */
};

/*
 *   TOGETHER --all answered--> its slot is ready
 *   TOGETHER --one needs more--> APART: a call in the place of each key
 *   TOGETHER --the same, and memory is short--> GIVEN_UP: its session ends
 *
 * Apart it only hands on what still comes, each answer to its call.
 */
enum multiget_state { TOGETHER, APART, GIVEN_UP };

struct multiget {
    struct slot slot;
    struct front_worker *fw;
    struct multiget *next;      /* among the free */
    enum multiget_state state;
    enum verb verb;
    bool more;                  /* see struct form */
    bool asking;                /* not all parts were sent yet */
    bool unsent;                /* one of them could not be */
    bool keyless;               /* nor were its keys kept: memory is short */
    unsigned n, n_parts;
    unsigned n_waiting;         /* parts that are not answered */
    unsigned n_hits;
    size_t share;               /* what the session is charged for a key in flight, */
    size_t held;                /* and for all, answers included */
    size_t most_bytes;          /* the longest value */
    int64_t began_ms;
    bool reads_copies;          /* so can be read here now */
    struct chunk *chunk;        /* as part->chunk, of what was found here */
    struct part parts[BATCH_MAX];
    struct wanted keys[BATCH_MAX];
};

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
    m->began_ms = worker_now(fw->worker);
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

static void be_ready(struct multiget *m)
{
    note(m);
    if (m->slot.session != NULL)
        session_expect_bytes(m->slot.session, m->most_bytes);
    slot_ready(&m->slot);
}

/* one by one */

/* A get of one of the keys alone. */
static void cmd_of(const struct multiget *m, const char *key, size_t key_len, struct cmd *cmd)
{
    cmd_clear(cmd);
    cmd->verb = m->verb;
    cmd->key = key;
    cmd->key_len = key_len;
    cmd->form.more = m->more;
}

/* The key on its own: it waits for its answer. */
static struct call *call_of(struct multiget *m, const struct wanted *k)
{
    const struct part *part = k->part != HERE ? &m->parts[k->part] : NULL;
    struct cmd cmd;
    struct call *c;

    cmd_of(m, k->key, k->key_len, &cmd);
    cmd.position = ring_hash(k->key, k->key_len);
    c = call_apart(m->fw, &cmd, m->began_ms);
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

static void one_less(struct multiget *m)
{
    if (--m->n_waiting > 0)
        return;
    if (m->state == TOGETHER)
        be_ready(m);
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

static void on_done(struct request *r)
{
    struct multiget *m = r->owner;

    if (m->asking) {
        m->unsent |= r->outcome != ANSWERED;
    } else if (r->n_open > 0) {
        if (m->state == TOGETHER)
            fall_apart(m);
        lose_rest(m, &m->parts[r->part]);
    }
    one_less(m);
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

/* Its value lies in `chunk`; *last: where the one before of the same origin does. */
static void take_value(struct multiget *m, struct wanted *k, const char *value, size_t len,
                       struct chunk *chunk, struct chunk **last)
{
    k->hit = true;
    k->value = value;
    k->value_len = (uint32_t)len;
    m->n_hits++;
    if (len > m->most_bytes)
        m->most_bytes = len;
    if (chunk != *last)
        k->chunk = *last = chunk_ref(chunk);
}

static void answer_plain(struct multiget *m, struct part *part, struct wanted *k,
                         const struct frame *f, struct chunk *chunk)
{
    k->answered = true;
    if (f->st == STATUS_HIT) {
        k->client_flags = f->client_flags;
        k->token = (f->marks & MARK_TOKEN) != 0 ? f->token : f->version;
        take_value(m, k, f->value, f->value_len, chunk, &part->chunk);
    }
    charge(m, k->value_len - m->share);
}

static void on_each(struct request *r, const struct frame *f, struct chunk *chunk)
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

/* asking */

/* Where the answer to a key is. */
struct whereabouts {
    int member;                 /* that owns it and can be asked, or -1 */
    bool here, copy;            /* this process may answer: as owner, or as a copy */
};

static bool has_self(const struct front_worker *fw, const struct placing *p)
{
    for (unsigned i = 0; i < p->n_copies; i++)
        if (p->copies[i] == fw->self)
            return true;
    return false;
}

static uint32_t position_of(const struct links *ls, const struct lookup *key)
{
    return ls->n > 1 ? ring_hash(key->key, key->key_len) : 0;
}

static struct whereabouts find(struct front_worker *fw, const struct session *s,
                               const struct lookup *key, bool reads_copies)
{
    const uint32_t position = position_of(&fw->links, key);
    struct whereabouts w = { .member = -1 };
    struct placing p;

    view_place(fw->links.view, position, &p);
    w.here = p.owner >= 0 && p.owner == fw->self && here_serves(fw, NULL);
    w.copy = reads_copies && (s->written & here_bit(position)) == 0 && has_self(fw, &p);
    if (p.owner >= 0 && p.owner != fw->self && way_reaches(fw, (unsigned)p.owner))
        w.member = p.owner;
    return w;
}

/* Where there is one copy, and all is well: sooner. */
static int find_simple(const struct links *ls, const struct lookup *key)
{
    const int owner = ls->n > 1 ? (int)ring_owner(ls->view->ring, position_of(ls, key)) : 0;

    return ls->link[owner] != NULL ? owner : -1;
}

/* That of a member, a new one if it has none yet; NULL: no memory. */
static struct part *part_of(struct multiget *m, unsigned member)
{
    struct front_worker *fw = m->fw;
    struct part *part;
    struct request *r;

    if (fw->part_of[member] != 0)
        return &m->parts[fw->part_of[member] - 1];
    r = request_new(&fw->links);
    if (r == NULL)
        return NULL;
    r->owner = m;
    r->part = m->n_parts;
    r->each = on_each;
    r->done = on_done;
    r->answer_op = FRAME_ANSWER;
    r->statuses = 1u << STATUS_HIT | 1u << STATUS_NOT_FOUND;
    part = &m->parts[m->n_parts++];
    memset(part, 0, sizeof(*part));
    part->request = r;
    part->member = (uint16_t)member;
    if (!fw->links.view->simple)
        replay_judge(&part->judge, fw->links.view, (int)member);
    fw->part_of[member] = (uint8_t)m->n_parts;
    return part;
}

static struct wanted *new_row(struct multiget *m, unsigned part)
{
    struct wanted *k = &m->keys[m->n++];

    memset(k, 0, sizeof(*k));
    k->part = (uint8_t)part;
    return k;
}

/* A key of a member; false: memory is short. */
static bool ask_for(struct multiget *m, int member)
{
    struct part *part = part_of(m, (unsigned)member);
    const uint8_t row = (uint8_t)m->n;

    if (part == NULL)
        return false;
    (void)new_row(m, (unsigned)(part - m->parts));
    if (part->n++ == 0)
        part->first = part->at = row;
    else
        m->keys[part->last].next = row;
    part->last = row;
    return true;
}

/* What is found here is kept with its key: both may be gone when it is emitted. */
struct finding {
    struct multiget *m;
    struct wanted *k;
    const struct lookup *key;
};

static bool keep_key(const struct finding *f, size_t value_len)
{
    char *at = request_room(&f->m->fw->links, f->key->key_len + value_len);

    if (at == NULL)
        return false;
    f->k->key = memcpy(at, f->key->key, f->key->key_len);
    f->k->key_len = (uint8_t)f->key->key_len;
    return true;
}

static bool on_found(void *arg, const struct answer *a)
{
    const struct finding *f = arg;
    struct wanted *k = f->k;
    char *value;

    if (a->value_len >= PLAIN_BYTES || !keep_key(f, a->value_len))
        return false;
    value = memcpy((char *)k->key + k->key_len, a->value, a->value_len);
    k->client_flags = a->client_flags;
    k->token = answer_token(a);
    take_value(f->m, k, value, a->value_len, f->m->fw->links.kept, &f->m->chunk);
    return true;
}

/* A key that this process may answer; false: it does not. */
static bool look_here(struct multiget *m, struct session *s, const struct lookup *key,
                      bool as_owner)
{
    struct finding f = { m, new_row(m, HERE), key };
    struct cmd cmd;

    cmd_of(m, key->key, key->key_len, &cmd);
    cmd.hash = key->hash;
    f.k->answered = here_look(m->fw, s, &cmd, as_owner, on_found, &f)
                    && (f.k->hit || keep_key(&f, 0));
    if (!f.k->answered) {
        m->n--;
        return false;
    }
    if (!f.k->hit && m->fw->links.kept != m->chunk)
        f.k->chunk = m->chunk = chunk_ref(m->fw->links.kept);
    STAT_ADD(&m->fw->worker->stats, local_copy_reads, !as_owner);
    return true;
}

/* The next key; false: it is not to be had together with others. */
static bool add_key(struct multiget *m, struct session *s, const struct lookup *key)
{
    struct whereabouts w = { .member = -1 };

    if (m->fw->links.view->simple)
        w.member = find_simple(&m->fw->links, key);
    else
        w = find(m->fw, s, key, m->reads_copies);
    if ((w.here || w.copy) && look_here(m, s, key, w.here))
        return true;
    return w.member >= 0 && ask_for(m, w.member);
}

/* How many keys, from the first on, have found who is asked for them. */
static unsigned share_out(struct multiget *m, struct session *s, const struct gets *gets)
{
    while (m->n < gets->n && add_key(m, s, &gets->keys[m->n]))
        ;
    for (unsigned i = 0; i < m->n_parts; i++)
        m->fw->part_of[m->parts[i].member] = 0;
    return m->n;
}

/* Keys lie in the frames, wherever these are; false: nowhere. */
static bool find_keys(struct multiget *m, const struct part *part)
{
    const char *frame = part->request->value;
    unsigned k = part->first;

    if (part->request->frame_chunk == NULL)
        return false;
    for (unsigned i = 0; i < part->n; i++, k = m->keys[k].next) {
        m->keys[k].key = frame + FRAME_HEAD;
        frame = frame_next_get(frame, &m->keys[k].key_len);
    }
    return true;
}

static void send_part(struct multiget *m, struct part *part, const struct lookup *keys)
{
    UNSET char frames[BATCH_MAX * (FRAME_HEAD + KEY_MAX)];
    char *end = frames;
    unsigned k = part->first;

    for (unsigned i = 0; i < part->n; i++, k = m->keys[k].next)
        end = frame_put_get(end, m->verb, keys[k].key, keys[k].key_len);
    m->held += (size_t)(end - frames);
    (void)link_send_all(m->fw->links.link[part->member], part->request, frames,
                        (size_t)(end - frames), part->n);
    m->keyless |= !find_keys(m, part);
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

/* What is here is answered sooner alone, as long as nothing has to wait before it. */
static bool is_answered_alone(struct front_worker *fw, const struct session *s,
                              const struct lookup *first, bool reads_copies)
{
    struct whereabouts w;

    if (fw->self < 0 || s->first != NULL || fw->links.view->simple)
        return false;
    w = find(fw, s, first, reads_copies);
    return w.here || w.copy;
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
    for (unsigned i = 0; i < m->n_parts; i++)
        send_part(m, &m->parts[i], gets->keys);
    m->asking = false;
    m->held += may_take(m, s);
    m->share = m->held / m->n;
    s->held_bytes += m->held;
    charge_what_is_here(m);
    if (m->unsent)
        fall_apart_unsent(m);
    one_less(m);
}

unsigned multiget_make(struct session *s, const struct gets *gets)
{
    struct front_worker *fw = s->worker->front;
    const bool reads_copies = here_reads_copies(fw);
    struct multiget *m;
    unsigned n;

    if (!is_worth_it(s) || is_answered_alone(fw, s, &gets->keys[0], reads_copies) ||
        (m = multiget_new(fw, gets)) == NULL)
        return 0;
    m->reads_copies = reads_copies;
    n = share_out(m, s, gets);
    if (n >= 2) {
        begin(m, s, gets);
        return n;
    }
    multiget_free(m);
    return 0;
}
