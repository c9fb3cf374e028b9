#include "node_dump.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

#define LINE_BYTES 1500         /* what is said in one line, about */

/* "name:what" of many, with commas, in lines that are not too long. */
struct pairs {
    const char *title;
    char text[LINE_BYTES + 1];
    size_t len;
};

static void tell(struct pairs *p)
{
    if (p->len > 0)
        log_info("state", "%s shards=%s", p->title, p->text);
    p->len = 0;
}

static void __attribute__((format(printf, 3, 4)))
add(struct pairs *p, const char *name, const char *format, ...)
{
    char what[200];
    va_list args;
    int n;

    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    n = snprintf(p->text + p->len, sizeof(p->text) - p->len, "%s%s:%s", p->len > 0 ? "," : "",
                 name, what);
    if ((size_t)n >= sizeof(p->text) - p->len) {
        p->text[p->len] = '\0';
        tell(p);
        n = snprintf(p->text, sizeof(p->text), "%s:%s", name, what);
    }
    p->len += (size_t)n;
}

/* the map */

static const char *phase_word(enum map_phase phase)
{
    return phase == MAP_STABLE ? "stable" : phase == MAP_JOINT ? "joint" : "switched";
}

static const char *member_word(const struct member *m)
{
    if (m->state == MEMBER_EJECTED)
        return "ejected";
    if (m->state == MEMBER_SUSPENDED)
        return "suspended";
    return m->filling ? "filling" : "up";
}

/* A front needs no leave to serve. */
static const char *serves_word(struct node *n)
{
    if (n->store == NULL)
        return "always";
    return cluster_serves(n->cluster, n->world->ops->mono_ns(n->world)) ? "yes" : "no";
}

static void tell_map(struct node *n, const struct view *v)
{
    struct pairs p = { .title = "members" };

    log_info("state", "map epoch=%llu adopted=%llu phase=%s copies=%u shards=%zu leader=%s "
             "serves=%s", (unsigned long long)v->map->epoch,
             (unsigned long long)cluster_adopted(n->cluster), phase_word(v->map->phase),
             v->map->replicas, v->map->n, v->map->leader,
             serves_word(n));
    for (size_t i = 0; i < v->map->n; i++) {
        const struct member *m = &v->map->members[i];
        const int64_t silence = n->agent != NULL ? agent_silence_ms(n->agent, m->name) : -1;

        if (silence >= 0)
            add(&p, m->name, "%s/weight-%u/silent-%lldms", member_word(m), m->weight,
                (long long)silence);
        else
            add(&p, m->name, "%s/weight-%u/unheard", member_word(m), m->weight);
    }
    tell(&p);
}

/* links: each worker adds what its own are like, the last one tells */

struct row {
    char name[MAP_NAME_MAX + 1];
    unsigned links, open;       /* of all workers */
    size_t bytes;               /* of frames that wait for an answer */
};

struct gathering {
    pthread_mutex_t lock;
    unsigned left;              /* workers that have not told */
    size_t n;
    struct row *rows;           /* owned; by member */
    struct letter { struct mail mail; struct gathering *g; } *letters;  /* owned */
};

static void tell_links(const struct gathering *g)
{
    struct pairs p = { .title = "links" };

    for (size_t i = 0; i < g->n; i++)
        if (g->rows[i].links > 0)
            add(&p, g->rows[i].name, "%u/%u-open/%zu-bytes", g->rows[i].open, g->rows[i].links,
                g->rows[i].bytes);
    tell(&p);
}

static void gathering_free(struct gathering *g)
{
    pthread_mutex_destroy(&g->lock);
    free(g->letters);
    free(g->rows);
    free(g);
}

static void add_links(struct gathering *g, const struct links *ls)
{
    for (size_t i = 0; i < ls->n; i++) {
        const struct link *l = ls->link[i];

        for (size_t j = 0; j < g->n && l != NULL; j++) {
            if (strcmp(g->rows[j].name, link_name(l)) != 0)
                continue;
            g->rows[j].links++;
            g->rows[j].open += link_is_open(l);
            g->rows[j].bytes += link_open_bytes(l);
        }
    }
}

static void on_letter(struct worker *w, struct mail *m)
{
    struct gathering *g = ((struct letter *)m)->g;
    const struct front_worker *fw = w->front;
    bool last;

    pthread_mutex_lock(&g->lock);
    if (fw != NULL)
        add_links(g, &fw->links);
    last = --g->left == 0;
    pthread_mutex_unlock(&g->lock);
    if (!last)
        return;
    tell_links(g);
    gathering_free(g);
}

static void gather_links(struct node *n, const struct view *v)
{
    const unsigned threads = n->options->threads;
    struct gathering *g = xzalloc(sizeof(*g));

    pthread_mutex_init(&g->lock, NULL);
    g->left = threads;
    g->n = v->map->n;
    g->rows = xzalloc((g->n + 1) * sizeof(*g->rows));
    g->letters = xzalloc(threads * sizeof(*g->letters));
    for (size_t i = 0; i < g->n; i++)
        memcpy(g->rows[i].name, v->map->members[i].name, sizeof(g->rows[i].name));
    for (unsigned i = 0; i < threads; i++)
        g->letters[i] = (struct letter){ { .read = on_letter }, g };
    for (unsigned i = 0; i < threads; i++)
        worker_post(&n->workers[i], &g->letters[i].mail);
}

/* the process */

static void tell_clients(struct node *n)
{
    struct stats sum;

    memset(&sum, 0, sizeof(sum));
    stats_add(&sum, &n->front.accept_stats);
    for (unsigned i = 0; i < n->options->threads; i++)
        stats_add(&sum, &n->workers[i].stats);
    log_info("state", "clients open=%llu limit=%u accepted=%llu refused=%llu parked=%llu "
             "read=%llu written=%llu", (unsigned long long)sum.curr_connections,
             n->options->conn_limit, (unsigned long long)sum.total_connections,
             (unsigned long long)sum.rejected_connections, (unsigned long long)sum.parked,
             (unsigned long long)sum.bytes_read, (unsigned long long)sum.bytes_written);
}

static void tell_memory(struct node *n)
{
    struct store_usage u;

    if (n->store == NULL)
        return;
    store_usage(n->store, worker_now(&n->control), &u);
    log_info("state", "memory items=%llu bytes=%llu resident=%llu limit=%llu evictions=%llu",
             (unsigned long long)u.items, (unsigned long long)u.bytes,
             (unsigned long long)u.resident_bytes, (unsigned long long)u.limit_bytes,
             (unsigned long long)u.evictions);
}

void node_dump(struct node *n)
{
    struct view *v = cluster_view(n->cluster);

    if (v == NULL)
        log_info("state", "no map yet coordinator=%s", n->options->coordinator);
    else
        tell_map(n, v);
    tell_clients(n);
    tell_memory(n);
    if (v != NULL)
        gather_links(n, v);
    view_unref(v);
}
