#include "front/here.h"

#include <string.h>

#include "base/unset.h"
#include "front/replay.h"

bool here_is_adopted(const struct front_worker *fw)
{
    const struct cluster *c = fw->front->cluster;
    const uint64_t epoch = fw->links.view->map->epoch;

    return cluster_adopted(c) == epoch && cluster_epoch(c) == epoch;
}

static int64_t now_ns(const struct front_worker *fw)
{
    return fw->worker->world->ops->mono_ns(fw->worker->world);
}

/* With a clock that is fresh for this turn. */
static bool has_lease(struct front_worker *fw)
{
    if (!fw->lease_known) {
        fw->lease_known = true;
        fw->has_lease = cluster_serves(fw->front->cluster, now_ns(fw));
    }
    return fw->has_lease;
}

bool here_serves(struct front_worker *fw, const struct placing *p)
{
    return here_is_adopted(fw) && has_lease(fw) &&
           (p == NULL || cluster_has_taken_over(fw->front->cluster, fw->links.view, p));
}

static bool wants_lease(const struct front_worker *fw)
{
    return fw->is_led && cluster_lease_ns(fw->front->cluster) != INT64_MAX;
}

/* It is looked at once more before anything of the session leaves. */
static void note_lease(struct front_worker *fw, struct session *s)
{
    s->lease |= wants_lease(fw);
}

/* A call's session may have no turn of its own now; who has none is looked at here:
 * false, the lease has run out, perhaps before this was executed. */
static bool confirm_lease(struct front_worker *fw, struct session *s)
{
    if (!wants_lease(fw))
        return true;
    if (s == NULL)
        return cluster_has_lease(fw->front->cluster, now_ns(fw));
    s->lease = true;
    session_join_flush(s);
    return true;
}

static uint64_t hash_of(const struct front_worker *fw, const struct cmd *cmd)
{
    return cmd->hash != 0 ? cmd->hash
                          : store_hash(fw->front->store, cmd->key, cmd->key_len);
}

/* at once */

struct reading {
    struct session *s;
    struct sendq *q;
    struct asked asked;
    struct chunk *loan;         /* of a large value, or NULL */
};

static struct asked asked_by(const struct cmd *cmd)
{
    return (struct asked){ cmd->verb, &cmd->form, cmd->key, cmd->key_len };
}

static bool put_hit_without_token(struct reading *r, const struct front *front,
                                  const struct answer *a)
{
    struct answer hidden = *a;

    front_hide_token(front, &hidden);
    return answer_put(r->q, &r->asked, &hidden, r->loan);
}

static void on_hit(void *arg, const struct answer *a)
{
    struct reading *r = arg;
    struct front_worker *fw = r->s->worker->front;
    const struct front *front = fw->front;

    r->loan = store_lend(a, &r->s->worker->pool);
    if (!(front->config.cas ? answer_put(r->q, &r->asked, a, r->loan)
                            : put_hit_without_token(r, front, a)))
        r->s->broken = true;
}

/* It began and ends in this turn. */
static inline void note_at_once(struct front_worker *fw, int fd, const struct asked *asked,
                                const struct answer *a)
{
    front_note(fw, fd, asked, a);
    if (!asked->form->more)
        latency_end(&fw->worker->latency, latency_of(asked->verb), worker_now_ns(fw->worker), 1);
}

/* All but the value of a hit, which on_hit() has put. */
static void answer(struct front_worker *fw, struct reading *r, struct answer *a)
{
    chunk_unref(r->loan);
    note_at_once(fw, r->s->fd, &r->asked, a);
    if (a->status == STATUS_HIT)
        return;
    front_hide_token(fw->front, a);
    if (!answer_put(r->q, &r->asked, a, NULL))
        r->s->broken = true;
}

void here_execute(struct front_worker *fw, struct session *s, struct cmd *cmd)
{
    struct reading r = { s, session_reply(s), asked_by(cmd), NULL };
    const struct store_reader reader = { .hit = on_hit, .arg = &r };
    UNSET struct answer a;      /* store_execute() fills it */

    if (r.q == NULL)
        return;
    note_lease(fw, s);
    store_execute(fw->front->store, cmd, hash_of(fw, cmd), worker_now(s->worker), &a, &reader);
    answer(fw, &r, &a);
}

/* as a call */

struct judging {
    struct front_worker *fw;
    struct call *c;             /* NULL: a get, which needs one if it finds something open */
    struct session *s;          /* of the get, */
    const struct cmd *cmd;
    struct reading *reading;    /* where it is answered at once */
    uint64_t version;           /* that is open */
    bool failed;                /* memory is short */
};

/* The get is no longer answered at once. */
static void become_call(struct judging *j)
{
    struct frame f;

    j->c = call_begin(j->s, j->cmd, false, &f);
    if (j->c == NULL || !request_keep(&j->fw->links, &j->c->request, &f, NULL))
        j->failed = true;
}

static void on_told(void *arg, const struct copy *copy)
{
    struct judging *j = arg;

    if (j->c == NULL)
        become_call(j);
    j->version = copy->version;
    if (!j->failed)
        j->failed = !request_tell(&j->fw->links, &j->c->request, copy);
}

static void on_call_hit(void *arg, const struct answer *a)
{
    struct judging *j = arg;

    if (j->c == NULL && (j->reading->q = session_reply(j->s)) != NULL)
        on_hit(j->reading, a);
    else if (j->c != NULL && !j->failed)
        j->failed = !request_answer(&j->fw->links, &j->c->request, a,
                                    store_lend(a, &j->fw->worker->pool));
}

static void lose(struct front_worker *fw, struct request *r, const char *reason)
{
    here_confirm(fw, r->open, true);
    r->open = 0;
    r->outcome = LOST;
    r->reason = reason;
}

/* As if it had come from a link. */
static void finish_call(struct judging *j, const struct answer *a, uint64_t hash)
{
    struct front_worker *fw = j->fw;
    struct request *r = &j->c->request;
    const bool open = (a->marks & MARK_OPEN) != 0;
    const bool leased = confirm_lease(fw, j->c->slot.session);

    if (open && (r->open = confirms_add(&fw->here)) != 0 && fw->front->opened != NULL)
        fw->front->opened(fw->worker, hash, r->told != NULL ? j->version : a->version);
    r->outcome = ANSWERED;
    if (j->failed || (open && r->open == 0) ||
        (a->status != STATUS_HIT && !request_answer(&fw->links, r, a, NULL)))
        lose(fw, r, "out of memory here");
    else if (!leased)
        lose(fw, r, "the lease has run out");
    if (r->outcome == ANSWERED && open)
        replay_begin(j->c);
    else
        call_finish(j->c);
}

void here_call(struct call *c, const struct frame *f, struct chunk *chunk)
{
    struct front_worker *fw = c->fw;
    struct judging j = { .fw = fw, .c = c };
    const struct store_reader reader = { .hit = on_call_hit, .told = on_told, .arg = &j };
    struct cmd cmd;
    struct answer a;
    uint64_t hash;

    request_set_link(&c->request, NULL);
    if (!request_keep(&fw->links, &c->request, f, chunk)) {
        call_give_up(c, "out of memory here");
        return;
    }
    frame_to_cmd(f, &cmd);
    hash = hash_of(fw, &cmd);
    store_execute(fw->front->store, &cmd, hash, worker_now(fw->worker), &a, &reader);
    finish_call(&j, &a, hash);
}

void here_get(struct front_worker *fw, struct session *s, struct cmd *cmd)
{
    struct reading reading = { s, NULL, asked_by(cmd), NULL };
    struct judging j = { .fw = fw, .s = s, .cmd = cmd, .reading = &reading };
    const struct store_reader reader = { .hit = on_call_hit, .told = on_told, .arg = &j };
    const uint64_t hash = hash_of(fw, cmd);
    struct answer a;

    store_execute(fw->front->store, cmd, hash, worker_now(fw->worker), &a, &reader);
    if (j.c != NULL) {
        replay_judge(&j.c->replay.judge, fw->links.view, fw->self);
        finish_call(&j, &a, hash);
        return;
    }
    if (j.failed || (reading.q == NULL && (reading.q = session_reply(s)) == NULL)) {
        s->broken = true;
        return;
    }
    note_lease(fw, s);
    if (a.status <= STATUS_HEAD && (cmd->options & OPTION_NO_USE) == 0)
        call_tell_used(fw, cmd->key, cmd->key_len, true);
    answer(fw, &reading, &a);
}

/* for a plain get */

struct look {
    here_hit *hit;
    void *arg;
    unsigned hidden;            /* marks that must not be shown from here */
    bool shown;
};

static void on_look_hit(void *arg, const struct answer *a)
{
    struct look *l = arg;

    if ((a->marks & l->hidden) == 0)
        l->shown = l->hit(l->arg, a);
}

static void on_look_told(void *arg, const struct copy *copy)
{
    (void)arg;
    (void)copy;                 /* what is open is not shown */
}

/* What only the owner may show: half done, or for one reader alone to renew. */
#define MARKS_OF_OWNER ((unsigned)(MARK_OPEN | MARK_STALE | MARK_WON))

bool here_look(struct front_worker *fw, struct session *s, const struct cmd *cmd, bool as_owner,
               here_hit *hit, void *arg)
{
    struct look look = { hit, arg, as_owner ? (unsigned)MARK_OPEN : MARKS_OF_OWNER, false };
    const struct store_reader reader = { .hit = on_look_hit, .told = on_look_told, .arg = &look };
    UNSET struct answer a;      /* store_execute() fills it */

    store_execute(fw->front->store, cmd, hash_of(fw, cmd), worker_now(s->worker), &a, &reader);
    if (!look.shown && !(as_owner && a.status == STATUS_NOT_FOUND && (a.marks & MARK_OPEN) == 0))
        return false;
    note_lease(fw, s);
    if (look.shown)
        call_tell_used(fw, cmd->key, cmd->key_len, as_owner);
    return true;
}

/* Of more than one copy none knows whether the others have what it has: one would
 * show what another does not have yet. */
bool here_reads_copies(struct front_worker *fw)
{
    return fw->self >= 0 && fw->has_copies && fw->links.view->map->replicas == 2 &&
           fw->front->config.ack_all && here_serves(fw, NULL);
}

struct reading_copy {
    struct reading reading;
    struct answer shown;        /* its value is gone when the store is unlocked */
};

static bool put_copy(void *arg, const struct answer *a)
{
    struct reading_copy *r = arg;

    r->reading.q = session_reply(r->reading.s);
    if (r->reading.q == NULL)
        return false;
    on_hit(&r->reading, a);
    r->shown = *a;
    return true;
}

bool here_read_copy(struct front_worker *fw, struct session *s, const struct cmd *cmd)
{
    const unsigned harmless = OPTION_WIN | OPTION_KEY_ENCODED;
    struct reading_copy r = { .reading = { s, NULL, asked_by(cmd), NULL } };
    struct cmd plain;
    bool shown;

    if ((cmd->options & ~harmless) != 0 || !call_is_plain(cmd) ||
        !here_reads_copies(fw) || (s->written & here_bit(cmd->position)) != 0 ||
        !view_reads(fw->links.view, fw->self, cmd->position))
        return false;
    plain = *cmd;
    plain.options = 0;
    plain.as_copy = true;
    shown = here_look(fw, s, &plain, false, put_copy, &r);
    chunk_unref(r.reading.loan);        /* now: the last reference takes the store's lock */
    if (!shown)
        return s->broken;       /* a miss proves nothing */
    note_at_once(fw, s->fd, &r.reading.asked, &r.shown);
    STAT_ADD(&s->worker->stats, local_copy_reads, 1);
    return true;
}

/* for others */

enum applied here_apply(struct front_worker *fw, const struct copy *copy)
{
    return store_apply(fw->front->store, copy, worker_now(fw->worker));
}

void here_confirm(struct front_worker *fw, uint64_t open, bool given_up)
{
    uint64_t n;

    if (!confirms_settle(&fw->here, open, given_up))
        return;
    while ((n = confirms_take(&fw->here, &given_up)) > 0)
        if (fw->front->settled != NULL)
            fw->front->settled(fw->worker, n, !given_up);
}
