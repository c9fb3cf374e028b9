#include "front/hotlist.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front/dump.h"
#include "front/stats_text.h"

/* ---- put together --------------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
    const struct hotlist_row *x = a, *y = b;

    return x->key_len != y->key_len ? x->key_len - y->key_len
                                    : memcmp(x->key, y->key, x->key_len);
}

static int by_rate(const void *a, const void *b)
{
    const struct hotlist_row *x = a, *y = b;

    return x->rate > y->rate ? -1 : x->rate < y->rate ? 1 : by_key(a, b);
}

/* A key that several workers have seen is one. */
static void merge(struct hotlist *l)
{
    size_t n = 0;

    if (l->n == 0)
        return;
    qsort(l->rows, l->n, sizeof(*l->rows), by_key);
    for (size_t i = 1; i < l->n; i++) {
        if (by_key(&l->rows[n], &l->rows[i]) == 0) {
            l->rows[n].rate += l->rows[i].rate;
            l->rows[n].writes += l->rows[i].writes;
        } else {
            l->rows[++n] = l->rows[i];
        }
    }
    l->n = n + 1;
    qsort(l->rows, l->n, sizeof(*l->rows), by_rate);
    if (l->n > HOTLIST_SHOWN)
        l->n = HOTLIST_SHOWN;
}

/* ---- on its way ----------------------------------------------------------- */

static struct hotlist *hotlist_of(struct mail *m)
{
    return (struct hotlist *)((char *)m - offsetof(struct hotlist, mail));
}

static void add_row(void *arg, const struct hot *hot)
{
    struct hotlist *l = arg;
    struct hotlist_row *row, *wider;

    if (l->n == l->size) {
        const size_t size = l->size > 0 ? l->size * 2 : 64;

        wider = realloc(l->rows, size * sizeof(*wider));
        if (wider == NULL)
            return;             /* the list is shorter then */
        l->rows = wider;
        l->size = size;
    }
    row = &l->rows[l->n++];
    row->rate = hot->rate;
    row->writes = hot->writes;
    row->key_len = (uint8_t)hot->key_len;
    memcpy(row->key, hot->key, hot->key_len);
}

static void come_home(struct worker *w, struct mail *m)
{
    struct hotlist *l = hotlist_of(m);

    (void)w;
    merge(l);
    l->told(l);
}

static void visit(struct worker *w, struct mail *m)
{
    struct hotlist *l = hotlist_of(m);
    const struct front_worker *fw = w->front;
    const bool last = ++l->at == l->front->n_workers;

    if (fw != NULL)
        l->rate += hotkeys_tell(&fw->hotkeys, worker_now(w), add_row, l);
    m->read = last ? come_home : visit;
    worker_post(last ? l->home : &l->front->workers[l->at], m);
}

struct hotlist *hotlist_ask(struct front *front, struct worker *home,
                            void (*told)(struct hotlist *l), void *arg)
{
    struct hotlist *l = calloc(1, sizeof(*l));

    if (l == NULL)
        return NULL;
    l->home = home;
    l->front = front;
    l->told = told;
    l->arg = arg;
    l->mail.read = visit;
    worker_post(&front->workers[0], &l->mail);
    return l;
}

void hotlist_free(struct hotlist *l)
{
    if (l == NULL)
        return;
    free(l->rows);
    free(l);
}

/* ---- `stats hotkeys` ------------------------------------------------------ */

struct hot_answer {
    struct slot slot;
    struct form form;
    struct hotlist *list;       /* owned; NULL until it has come home */
};

static const char *owner_of(const struct front_worker *fw, const struct hotlist_row *row)
{
    const struct view *v = fw->links.view;
    const int owner = v != NULL ? view_owner(v, ring_hash(row->key, row->key_len)) : -1;

    return owner >= 0 ? v->map->members[owner].name : "none";
}

static void put_row(struct session *s, const struct form *form, const struct hotlist *l,
                    size_t i)
{
    const struct hotlist_row *row = &l->rows[i];
    char key[3 * KEY_MAX + 1], name[40];

    *dump_put_key(key, row->key, row->key_len) = '\0';
#define LINE(field, ...) \
    snprintf(name, sizeof(name), "%zu:%s", i + 1, field); \
    stats_line(&s->out, form, name, __VA_ARGS__)
    LINE("key", "%s", key);
    LINE("requests_per_second", "%.1f", row->rate);
    LINE("share", "%.4f", row->rate / l->rate);
    LINE("write_share", "%.4f", row->writes / row->rate);
    LINE("owner", "%s", owner_of(s->worker->front, row));
#undef LINE
}

static bool hot_emit(struct slot *slot, struct session *s)
{
    struct hot_answer *a = (struct hot_answer *)slot;
    const struct hotlist *l = a->list;

    stats_line(&s->out, &a->form, "requests_per_second", "%.1f", l->rate);
    for (size_t i = 0; i < l->n; i++)
        put_row(s, &a->form, l, i);
    stats_end(&s->out, &a->form);
    hotlist_free(a->list);
    free(a);
    return true;
}

static void hot_drop(struct slot *slot)
{
    struct hot_answer *a = (struct hot_answer *)slot;

    hotlist_free(a->list);
    free(a);
}

static const struct slot_ops hot_ops = { hot_emit, hot_drop };

static void on_told(struct hotlist *l)
{
    struct hot_answer *a = l->arg;

    a->list = l;
    if (a->slot.session != NULL)
        session_resume(a->slot.session);
    slot_ready(&a->slot);
}

void hotlist_stats(struct session *s, const struct cmd *cmd)
{
    struct front_worker *fw = s->worker->front;
    struct hot_answer *a = calloc(1, sizeof(*a));

    if (a == NULL || hotlist_ask(fw->front, s->worker, on_told, a) == NULL) {
        free(a);
        s->broken = true;
        return;
    }
    a->form = cmd->form;
    a->slot.ops = &hot_ops;
    session_expect(s, &a->slot);
    session_hold(s);
}
