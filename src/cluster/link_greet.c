#include "cluster/link_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "wire/hello.h"

/* the handshake */

bool link_greet(struct link *l)
{
    struct cluster *c = l->ls->cluster;
    const struct view *v = l->ls->view;
    struct hello h = {
        .least = HELLO_LEAST,
        .most = HELLO_MOST,
        .role = l->ls->config->role,
        .epoch = v != NULL ? v->map->epoch : 0,
        .digest = v != NULL ? v->digest : 0,
        .wall_ms = worker_wall(l->ls->worker),
        .incarnation = cluster_incarnation(c),
    };
    char frame[FRAME_HEAD + HELLO_LEN_MAX], value[HELLO_LEN_MAX];
    struct frame f = { .op = FRAME_HELLO, .value = value };
    char *end;

    snprintf(h.cluster, sizeof(h.cluster), "%s", cluster_name(c));
    snprintf(h.name, sizeof(h.name), "%s", cluster_self(c));
    f.value_len = hello_put(value, &h);
    end = frame_put(frame, &f);
    memcpy(end, value, f.value_len);
    return sendq_add(&l->greeting, frame, FRAME_HEAD + f.value_len);
}

static bool send_map(struct link *l, bool ours)
{
    const struct map *map = l->ls->view->map;
    struct frame f = { .op = FRAME_MAP, .value_len = ours ? map_len(map) : 0 };
    char *to = sendq_room(&l->greeting, FRAME_HEAD + f.value_len);

    if (to == NULL)
        return false;
    to = frame_put(to, &f);
    if (ours)
        map_put(to, map);
    return sendq_commit(&l->greeting, FRAME_HEAD + f.value_len);
}

static void now_open(struct link *l)
{
    if (l->logged)
        log_info("cluster", "shard is reached again shard=%s addr=%s", l->name, l->address);
    l->state = LINK_OPEN;
    l->refused = false;
    l->opened_ms = worker_now(l->ls->worker);
    l->logged = false;
    link_world(l)->ops->timer_set(l->timer, -1);
    link_flush_out(l);
    links_changed(l->ls);
}

/* It is not the process that the map means, and it knows of no newer map. */
static bool is_another_life(const struct link *l, const struct hello *h)
{
    const struct map *map = l->ls->view->map;
    const int i = map_find(map, l->name);
    const uint64_t wanted = i >= 0 ? map->members[i].incarnation : 0;

    return h->epoch <= map->epoch && wanted != 0 && h->incarnation != 0 &&
           h->incarnation != wanted;
}

void link_on_hello(struct link *l, const struct frame *f)
{
    const struct view *v = l->ls->view;
    struct hello h;

    if (!hello_read(f->value, f->value_len, &h) || (l->protocol = hello_spoken(&h)) == 0) {
        link_fail(l, "it speaks another protocol");
    } else if (strcmp(h.name, l->name) != 0) {
        log_warn("cluster", "another shard lives at the address of this one, correct it "
                 "shard=%s addr=%s found=%s", l->name, l->address, h.name);
        link_go_down(l, "another shard lives at its address", LINK_RETRY_REFUSED_MS);
    } else if (l->ls->config->role == HELLO_AGENT) {
        now_open(l);
    } else if (is_another_life(l, &h)) {
        link_go_down(l, "it has restarted", LINK_RETRY_LAST_MS);
    } else if (h.epoch == v->map->epoch) {
        now_open(l);
    } else if (!send_map(l, h.epoch < v->map->epoch)) {
        link_fail(l, link_words_of(ENOMEM));
    } else {
        link_flush_out(l);
    }
}

void link_on_map(struct link *l, const struct frame *f)
{
    struct cluster *c = l->ls->cluster;

    if (f->version > l->ls->view->map->epoch) {
        struct map *map = map_read(f->value, f->value_len);

        if (map == NULL) {
            link_fail(l, "it sent no map");
            return;
        }
        (void)cluster_adopt(c, map);
        link_fail(l, "the map has changed");     /* links are made anew for the new map */
    } else {
        now_open(l);
    }
}

void link_on_hello_refused(struct link *l, const struct frame *f)
{
    snprintf(l->refusal, sizeof(l->refusal), "%.*s",
             (int)(f->value_len < 79 ? f->value_len : 79), f->value);
    for (char *p = l->refusal; *p != '\0'; p++)
        if (*p < ' ' || *p > '~')
            *p = '?';           /* it goes into an answer to a client */
    link_go_down(l, l->refusal, LINK_RETRY_REFUSED_MS);
}

/* newer maps, later */

void link_take_map(struct link *l, const struct frame *f)
{
    struct map *map = f->value_len > 0 ? map_read(f->value, f->value_len) : NULL;

    if (map != NULL)
        (void)cluster_adopt(l->ls->cluster, map);
}

/* The member has heard of our map, or tells us of a newer one. */
static void on_map_known(struct request *r)
{
    struct link *l = r->link;

    if (r->outcome == ANSWERED && r->reply.version > l->ls->view->map->epoch) {
        link_take_map(l, &r->reply);
        links_changed(l->ls);
    }
    request_free(l->ls, r);
}

/* In-band: what follows goes by this map, and all refusals before it were seen. */
void link_take_view(struct link *l)
{
    const struct map *map = l->ls->view->map;
    struct frame f = { .op = FRAME_MAP, .version = map->epoch, .value_len = map_len(map) };
    struct request *r;
    char *value;

    if (l->state == LINK_GREETING) {
        link_fail(l, "the map has changed");
        return;
    }
    if (l->state == LINK_DOWN)
        link_world(l)->ops->timer_set(l->timer, 0);  /* what was wrong may be right now */
    if (l->state != LINK_OPEN)
        return;
    r = request_new(l->ls);
    value = malloc(f.value_len);
    l->refusing = false;
    if (r == NULL || value == NULL) {
        if (r != NULL)
            request_free(l->ls, r);
        link_fail(l, link_words_of(ENOMEM));
    } else {
        map_put(value, map);
        f.value = value;
        r->done = on_map_known;
        r->answer_op = FRAME_DONE;
        link_send(l, r, &f, NULL);
    }
    free(value);
}
