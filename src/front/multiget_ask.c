#include "base/unset.h"
#include "front/here.h"
#include "front/multiget_parts.h"
#include "front/replay.h"
#include "front/way.h"

/* whose it is */

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

/* who is asked */

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
    r->each = multiget_on_each;
    r->done = multiget_on_done;
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

/* what is here */

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
    multiget_take(f->m, k, value, a->value_len, f->m->fw->links.kept, &f->m->chunk);
    return true;
}

/* A key that this process may answer; false: it does not. */
static bool look_here(struct multiget *m, struct session *s, const struct lookup *key,
                      bool as_owner)
{
    struct finding f = { m, new_row(m, HERE), key };
    struct cmd cmd;

    multiget_cmd(m, key->key, key->key_len, &cmd);
    cmd.hash = key->hash;
    cmd.as_copy = !as_owner;
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

/* all of them */

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

unsigned multiget_share_out(struct multiget *m, struct session *s, const struct gets *gets)
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

void multiget_send(struct multiget *m, const struct gets *gets)
{
    for (unsigned i = 0; i < m->n_parts; i++)
        send_part(m, &m->parts[i], gets->keys);
}

bool multiget_begins_here(struct front_worker *fw, const struct session *s,
                          const struct gets *gets, bool reads_copies)
{
    struct whereabouts w;

    if (fw->self < 0 || s->first != NULL || fw->links.view->simple)
        return false;
    w = find(fw, s, &gets->keys[0], reads_copies);
    return w.here || w.copy;
}
