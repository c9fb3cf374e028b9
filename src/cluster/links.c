#include "cluster/links.h"

#include <stdlib.h>
#include <string.h>

void links_init(struct links *ls, const struct links_config *config, struct worker *w,
                struct cluster *c)
{
    memset(ls, 0, sizeof(*ls));
    ls->config = config;
    ls->worker = w;
    ls->cluster = c;
}

static void free_all(struct link **link, size_t n)
{
    for (size_t i = 0; link != NULL && i < n; i++)
        link_free(link[i]);
    free(link);
}

void links_fini(struct links *ls)
{
    struct view *v = ls->view;
    struct link **link = ls->link;
    const size_t n = ls->n;
    struct request *r;

    ls->view = NULL;            /* what fails now asks no link that is gone */
    ls->link = NULL;
    ls->n = 0;
    free_all(link, n);
    while ((r = ls->free_requests) != NULL) {
        ls->free_requests = r->next;
        free(r);
    }
    chunk_unref(ls->kept);
    ls->kept = NULL;
    if (ls->confirm != NULL)
        ls->worker->world->ops->timer_free(ls->confirm);
    ls->confirm = NULL;
    view_unref(v);
}

/* The old link to this very member; the list forgets it. */
static struct link *take_old(struct links *ls, const struct member *m)
{
    for (size_t i = 0; i < ls->n; i++) {
        struct link *l = ls->link[i];

        if (l != NULL && link_leads_to(l, m)) {
            ls->link[i] = NULL;
            return l;
        }
    }
    return NULL;
}

/* New links for members that had none.  NULL when memory is short. */
static struct link **make_new(struct links *ls, const struct map *map, int self)
{
    struct link **link = calloc(map->n, sizeof(*link));

    for (size_t i = 0; link != NULL && i < map->n; i++) {
        const struct member *m = &map->members[i];
        bool had = (int)i == self || m->address[0] == '\0';

        for (size_t j = 0; !had && j < ls->n; j++)
            had = ls->link[j] != NULL && link_leads_to(ls->link[j], m);
        if (!had && (link[i] = link_new(ls, m)) == NULL) {
            free_all(link, i);
            return NULL;
        }
    }
    return link;
}

bool links_take_view(struct links *ls, struct view *v, int self)
{
    struct view *old_view = ls->view;
    struct link **old, **link = NULL;
    size_t n_old = ls->n;

    ls->view = v;               /* what new links greet by */
    if (v != NULL)
        link = make_new(ls, v->map, self);
    if (link == NULL) {
        ls->view = old_view;
        view_unref(v);
        return false;
    }
    for (size_t i = 0; i < v->map->n; i++)
        if (link[i] == NULL && (int)i != self)
            link[i] = take_old(ls, &v->map->members[i]);
    old = ls->link;
    ls->link = link;
    ls->n = v->map->n;
    for (size_t i = 0; i < ls->n; i++)
        if (ls->link[i] != NULL)
            link_take_view(ls->link[i]);
    /* last: what fails with the old links must find the new ones */
    free_all(old, n_old);
    view_unref(old_view);
    return true;
}

void links_changed(struct links *ls)
{
    if (ls->config->changed != NULL)
        ls->config->changed(ls);
}

static void on_confirm(void *arg)
{
    struct links *ls = arg;

    ls->confirms_soon = false;
    for (size_t i = 0; i < ls->n; i++)
        if (ls->link[i] != NULL)
            link_hurry(ls->link[i]);
}

void links_confirm_soon(struct links *ls)
{
    const struct world_ops *ops = ls->worker->world->ops;

    if (ls->confirms_soon)
        return;
    if (ls->confirm == NULL)
        ls->confirm = ops->timer_new(ls->worker->loop, on_confirm, ls);
    if (ls->confirm == NULL)
        return;                 /* what is sent next takes it along */
    ls->confirms_soon = true;
    ops->timer_set(ls->confirm, LINKS_CONFIRM_MS);
}

void links_flush(struct links *ls)
{
    struct link *l = ls->dirty, *next;

    ls->dirty = NULL;
    for (; l != NULL; l = next) {
        next = link_next_dirty(l);
        link_flush(l);
    }
}

void links_tick(struct links *ls)
{
    for (size_t i = 0; i < ls->n; i++)
        if (ls->link[i] != NULL)
            link_tick(ls->link[i]);
}
