#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sim_conn.h"

#define RETRY_NS (1000 * MS)    /* of a handshake that found no place; doubles */
#define LATE_NS (400 * MS)      /* at most, without a fault: less than any time-out */
#define RESEND_NS (200 * MS)    /* of a piece that was lost; doubles */
#define DOUBLES_MAX 5
#define LEAST_ROOM_BITS 13
#define ROOM_KINDS 6

/* addresses */

struct address *address_find(struct sim *s, const char *text)
{
    struct address *a = s->addresses;

    while (a != NULL && strcmp(a->text, text) != 0)
        a = a->next;
    return a;
}

struct address *address_get(struct sim *s, const char *text)
{
    struct address *a = address_find(s, text);

    if (a != NULL)
        return a;
    a = xzalloc(sizeof(*a));
    *a = (struct address){ .next = s->addresses, .text = xstrdup(text) };
    s->addresses = a;
    return a;
}

void sim_listener_free(struct listener *l)
{
    struct conn *c;

    if (l == NULL)
        return;
    for (int i = 0; i < l->n_queued; i++) {
        c = l->queue[i];
        c->ends[1].state = END_CLOSED;
        conn_send(c, 0, PIECE_RST, 0, host_now(l->host), 0);
        flow_take(&c->flows[1], c->flows[1].arrived);
    }
    l->address->listener = NULL;
    free(l->queue);
    free(l);
}

/* flows */

static bool is_cut(const struct host *from, const struct host *to)
{
    return path_of(from, to)->cut || from->silent || to->silent;
}

void flow_append(struct flow *f, const void *data, size_t len)
{
    if (f->start + f->len + len > f->size) {
        if (f->start > 0)
            memmove(f->bytes, f->bytes + f->start, f->len);
        f->start = 0;
        if (f->len + len > f->size) {
            f->size = 2 * (f->len + len) + 256;
            f->bytes = xrealloc(f->bytes, f->size);
        }
    }
    if (len > 0)
        memcpy(f->bytes + f->start + f->len, data, len);
    f->len += len;
}

void flow_take(struct flow *f, size_t len)
{
    assert(len <= f->arrived);
    f->start += len;
    f->len -= len;
    f->arrived -= len;
}

/* What was sent after that never was. */
static bool forget_after(struct flow *f, int64_t sent_ns)
{
    size_t kept = f->first;
    struct piece p;

    for (size_t i = f->first; i < f->first + f->n; i++) {
        p = f->pieces[i];
        if (p.sent_ns <= sent_ns)
            f->pieces[kept++] = p;
        else
            f->len -= p.len;    /* data is sent in order: its bytes are the last */
    }
    if (kept == f->first + f->n)
        return false;
    f->n = kept - f->first;
    return true;
}

static void on_arrival(void *what, int64_t at_ns);

static void schedule(struct flow *f)
{
    const struct piece *p = &f->pieces[f->first];
    struct sim *s = f->conn->sim;

    if (f->n == 0 || f->scheduled || f->held)
        return;
    f->scheduled = true;
    f->conn->n_events++;
    sim_add_event(s, p->at_ns > s->now_ns ? p->at_ns : s->now_ns, on_arrival, f);
}

static void push(struct flow *f, struct piece p)
{
    if (f->n == 0)
        f->first = 0;
    if (f->first + f->n == f->cap && f->first > 0) {
        memmove(f->pieces, f->pieces + f->first, f->n * sizeof(*f->pieces));
        f->first = 0;
    } else if (f->n == f->cap) {
        f->cap = 2 * f->n + 4;
        f->pieces = xrealloc(f->pieces, f->cap * sizeof(*f->pieces));
    }
    f->pieces[f->first + f->n++] = p;
}

static int64_t some_delay(struct sim *s, const struct path *p)
{
    const uint64_t range_ns = (uint64_t)(p->max_ns - p->min_ns) + 1;
    int64_t ns = p->min_ns + (int64_t)chance_below(&s->net, range_ns);

    if (chance_below(&s->net, 256) == 0) {
        const int64_t late_ns = p->max_ns * (int64_t)(1 + chance_below(&s->net, 20));

        ns += late_ns < LATE_NS ? late_ns : LATE_NS;
    }
    for (int i = 0; i < DOUBLES_MAX && p->loss_per_mille > 0 &&
                    chance_below(&s->net, 1000) < p->loss_per_mille; i++)
        ns += RESEND_NS << i;
    return ns;
}

void conn_send(struct conn *c, int to, enum piece_kind kind, size_t len, int64_t sent_ns,
               int64_t more_ns)
{
    struct flow *f = &c->flows[to];
    const struct path *path = path_of(c->ends[!to].host, c->ends[to].host);
    const int64_t at_ns = sent_ns + some_delay(c->sim, path) + more_ns;

    push(f, (struct piece){ kind, sent_ns, at_ns, len });
    schedule(f);
}

/* A kernel's answer: now, whatever its node's process does. */
static void reply(struct conn *c, int to, enum piece_kind kind)
{
    conn_send(c, to, kind, 0, c->sim->now_ns, 0);
}

size_t conn_room(struct conn *c, int side)
{
    struct flow *f = &c->flows[!side];

    if (c->ends[side].state != END_OPEN)
        return 0;
    if (f->used >= c->room && !is_cut(c->ends[!side].host, c->ends[side].host))
        f->used = f->len;
    return c->room - f->used;
}

/* connections */

struct conn *conn_new(struct host *from, struct address *to)
{
    struct conn *c = xzalloc(sizeof(*c));
    struct sim *s = from->sim;

    c->sim = s;
    c->id = ++s->n_conns;
    c->to = to;
    c->room = (size_t)1 << (LEAST_ROOM_BITS + chance_below(&s->net, ROOM_KINDS));
    c->ends[0] = (struct end){ .host = from, .state = END_CONNECTING, .fd = -1 };
    c->ends[1] = (struct end){ .host = to->host, .state = END_ABSENT, .fd = -1 };
    c->flows[0].conn = c->flows[1].conn = c;
    c->link = s->conns_end;
    *c->link = c;
    s->conns_end = &c->next;
    return c;
}

static void conn_free(struct conn *c)
{
    *c->link = c->next;
    if (c->next != NULL)
        c->next->link = c->link;
    else
        c->sim->conns_end = c->link;
    for (int i = 0; i < 2; i++) {
        free(c->flows[i].pieces);
        free(c->flows[i].bytes);
    }
    free(c);
}

void conn_reap(struct conn *c)
{
    if (c->n_events == 0 && c->ends[0].state == END_CLOSED && c->ends[1].state == END_CLOSED)
        conn_free(c);
}

static void poke(const struct end *e)
{
    if (e->fd >= 0)
        sim_loop_poke(sock_of(e->host, e->fd)->watch);
}

/* what arrives */

static struct listener *listener_of(const struct conn *c)
{
    struct listener *l = c->to->listener;

    return l != NULL && l->host == c->ends[1].host ? l : NULL;
}

static void on_syn(struct conn *c)
{
    const struct listener *l = listener_of(c);

    if (l == NULL) {
        c->ends[1].state = END_CLOSED;
        reply(c, 0, PIECE_RST);
    } else if (l->n_queued < l->backlog) {
        reply(c, 0, PIECE_SYNACK);
    } else {
        conn_send(c, 1, PIECE_SYN, 0, c->sim->now_ns, RETRY_NS << c->n_syns);
    }
    if (c->n_syns < DOUBLES_MAX)
        c->n_syns++;
}

static void on_synack(struct conn *c)
{
    if (c->ends[0].state != END_CONNECTING) {
        reply(c, 1, PIECE_RST);
        return;
    }
    c->ends[0].state = END_OPEN;
    reply(c, 1, PIECE_ACK);
    poke(&c->ends[0]);
}

static void on_ack(struct conn *c)
{
    struct listener *l = listener_of(c);

    if (c->ends[1].state != END_ABSENT)
        return;
    if (l == NULL || l->n_queued > l->backlog) {
        c->ends[1].state = END_CLOSED;
        reply(c, 0, PIECE_RST);
        return;
    }
    c->ends[1].state = END_QUEUED;
    l->queue[l->n_queued++] = c;
    sim_loop_poke(sock_of(l->host, l->fd)->watch);
}

static void on_data(struct conn *c, int to, size_t len)
{
    struct end *e = &c->ends[to];

    c->flows[to].arrived += len;
    if (e->state == END_CLOSED || e->error != 0)
        flow_take(&c->flows[to], len);
    if (e->state == END_CLOSED && c->ends[!to].state != END_CLOSED && c->ends[!to].error == 0)
        reply(c, !to, PIECE_RST);
    poke(e);
}

static void on_rst(struct conn *c, int to)
{
    struct end *e = &c->ends[to];

    if (e->state == END_ABSENT)
        e->state = END_CLOSED;
    if (e->error == 0)
        e->error = e->state == END_CONNECTING ? ECONNREFUSED : ECONNRESET;
    poke(e);
}

static void arrive(struct conn *c, int to, const struct piece *p)
{
    static const char *const names[] = { "syn", "synack", "ack", "data", "fin", "rst", "room" };
    struct sim *s = c->sim;

    sim_mix(s, (uint64_t)s->now_ns);
    sim_mix(s, c->id << 8 | (unsigned)p->kind << 1 | (unsigned)to);
    sim_mix(s, p->len);
    if (s->trace != NULL)
        fprintf(s->trace, "%.6f %s > %s #%llu %s %zu\n", (double)s->now_ns / 1e9,
                c->ends[!to].host->name, c->ends[to].host->name, (unsigned long long)c->id,
                names[p->kind], p->len);
    switch (p->kind) {
    case PIECE_SYN:
        on_syn(c);
        break;
    case PIECE_SYNACK:
        on_synack(c);
        break;
    case PIECE_ACK:
        on_ack(c);
        break;
    case PIECE_DATA:
        on_data(c, to, p->len);
        break;
    case PIECE_FIN:
        c->ends[to].eof = true;
        poke(&c->ends[to]);
        break;
    case PIECE_RST:
        on_rst(c, to);
        break;
    case PIECE_ROOM:
        poke(&c->ends[to]);     /* it asks conn_room() */
        break;
    }
}

static void on_arrival(void *what, int64_t at_ns)
{
    struct flow *f = what;
    struct conn *c = f->conn;
    const int to = f == &c->flows[1];
    struct piece p;

    c->n_events--;
    f->scheduled = false;
    if (f->n > 0 && is_cut(c->ends[!to].host, c->ends[to].host)) {
        f->held = true;
        f->held_at_ns = at_ns;
    } else if (f->n > 0 && f->pieces[f->first].at_ns <= at_ns) {
        p = f->pieces[f->first++];
        f->n--;
        arrive(c, to, &p);
    }
    schedule(f);
    conn_reap(c);
}

/* faults */

void sim_net_release(struct sim *s)
{
    int64_t held_ns;
    struct flow *f;

    for (struct conn *c = s->conns; c != NULL; c = c->next)
        for (int to = 0; to < 2; to++) {
            f = &c->flows[to];
            if (!f->held || is_cut(c->ends[!to].host, c->ends[to].host))
                continue;
            held_ns = s->now_ns - f->held_at_ns + 1;
            f->held = false;
            if (f->n > 0)
                f->pieces[f->first].at_ns =
                    s->now_ns + (int64_t)chance_below(&s->net, (uint64_t)held_ns);
            schedule(f);
        }
}

/* Its kernel says so to the other end, before or after what is on its way. */
static void end_dies(struct conn *c, int side)
{
    struct end *e = &c->ends[side];
    struct sim *s = c->sim;
    const bool was_open = e->state != END_CLOSED;
    const bool unsaid = forget_after(&c->flows[!side], s->now_ns);
    const unsigned fate = (unsigned)chance_below(&s->net, 3);

    e->state = END_CLOSED;
    e->fd = -1;
    flow_take(&c->flows[side], c->flows[side].arrived);
    if (e->host->silent) {
        forget_after(&c->flows[!side], -1);
        if (c->ends[!side].state == END_ABSENT)
            c->ends[!side].state = END_CLOSED;
    } else if (was_open || unsaid) {
        if (fate == 0)
            forget_after(&c->flows[!side], -1);
        reply(c, !side, fate == 1 && c->ends[!side].state != END_ABSENT ? PIECE_FIN : PIECE_RST);
    }
}

void sim_net_crash(struct host *h)
{
    struct conn *next;

    for (int fd = 0; fd < h->n_socks; fd++) {
        struct sock *sock = &h->socks[fd];

        if (sock->open && sock->listener != NULL) {
            sock->listener->n_queued = 0;       /* they are among the connections */
            sim_listener_free(sock->listener);
        }
        sock->listener = NULL;
        sock->conn = NULL;
    }
    for (struct conn *c = h->sim->conns; c != NULL; c = next) {
        next = c->next;
        for (int side = 0; side < 2; side++)
            if (c->ends[side].host == h)
                end_dies(c, side);
        conn_reap(c);
    }
}

void sim_net_free(struct sim *s)
{
    struct address *a;

    while (s->conns != NULL)
        conn_free(s->conns);
    while ((a = s->addresses) != NULL) {
        s->addresses = a->next;
        sim_listener_free(a->listener);
        free(a->text);
        free(a);
    }
}

void sim_set_delay(struct world *from, struct world *to, int64_t min_us, int64_t max_us)
{
    struct path *p = path_of(host_of(from), host_of(to));

    assert(min_us >= 0 && min_us <= max_us);
    p->min_ns = min_us * US;
    p->max_ns = max_us * US;
}

void sim_set_loss(struct world *from, struct world *to, unsigned per_mille)
{
    path_of(host_of(from), host_of(to))->loss_per_mille = per_mille;
}

void sim_cut(struct world *from, struct world *to)
{
    struct host *a = host_of(from), *b = host_of(to);

    assert(a != b);
    sim_note(a->sim, "cut %s > %s", a->name, b->name);
    path_of(a, b)->cut = true;
}

void sim_heal(struct world *from, struct world *to)
{
    struct host *a = host_of(from), *b = host_of(to);

    sim_note(a->sim, "heal %s > %s", a->name, b->name);
    path_of(a, b)->cut = false;
    sim_net_release(a->sim);
}

void sim_cut_off(struct world *node)
{
    struct host *h = host_of(node), *other;

    for (unsigned i = 0; i < h->sim->n_hosts; i++) {
        other = h->sim->hosts[i];
        if (other == h)
            continue;
        sim_cut(node, &other->world);
        sim_cut(&other->world, node);
    }
}

void sim_heal_all(struct sim *s)
{
    sim_note(s, "heal all");
    for (unsigned i = 0; i < s->n_hosts; i++)
        for (unsigned j = 0; j < s->n_hosts; j++)
            s->paths[i][j].cut = false;
    sim_net_release(s);
}

static bool is_between(const struct conn *c, const struct host *a, const struct host *b)
{
    return (c->ends[0].host == a && c->ends[1].host == b) ||
           (c->ends[0].host == b && c->ends[1].host == a);
}

void sim_reset(struct world *a, struct world *b, unsigned one_in)
{
    struct sim *s = host_of(a)->sim;

    sim_note(s, "reset %s - %s", host_of(a)->name, host_of(b)->name);
    for (struct conn *c = s->conns; c != NULL; c = c->next) {
        if (!is_between(c, host_of(a), host_of(b)) || chance_below(&s->net, one_in) != 0)
            continue;
        for (int to = 0; to < 2; to++) {
            forget_after(&c->flows[to], -1);
            reply(c, to, PIECE_RST);
        }
    }
}
