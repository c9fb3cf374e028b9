#include "shard/greet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static void refuse(struct peer *p, const char *why)
{
    log_warn("shard", "refused a member: %s name=%s", why, p->name);
    peer_refuse(p, REFUSED_HELLO, why, strlen(why));
    p->closing = true;
}

/* NULL, or what is wrong with it. */
static const char *judge_hello(struct peer *p, const struct hello *h, const struct view *v)
{
    struct shard *shard = p->sw->shard;

    if (hello_spoken(h) == 0)
        return "it speaks another version of the peer protocol";
    if (strcmp(h->cluster, cluster_name(shard->cluster)) != 0)
        return "it belongs to another cluster";
    if (h->wall_ms > worker_wall(p->sw->worker) + CLOCK_AHEAD_MS)
        return "its clock is more than 10 s ahead of this shard's";
    if (v != NULL && h->epoch == v->map->epoch && h->digest != v->digest)
        return "it has another map of the same epoch: compare the lists of shards";
    return NULL;
}

static void answer(struct peer *p, const struct view *v)
{
    struct shard *shard = p->sw->shard;
    struct hello h = {
        .least = HELLO_LEAST,
        .most = HELLO_MOST,
        .role = shard->store != NULL ? HELLO_SHARD : HELLO_FRONT,
        .wall_ms = worker_wall(p->sw->worker),
        .flush_version = shard->store != NULL ? store_flush_version(shard->store) : 0,
        .incarnation = cluster_incarnation(shard->cluster),
    };
    char value[HELLO_LEN_MAX];
    struct frame f = { .op = FRAME_HELLO, .value = value };

    snprintf(h.cluster, sizeof(h.cluster), "%s", cluster_name(shard->cluster));
    snprintf(h.name, sizeof(h.name), "%s", cluster_self(shard->cluster));
    if (v != NULL) {
        h.epoch = v->map->epoch;
        h.digest = v->digest;
        if (v->self >= 0)
            h.number = v->map->members[v->self].number;
    }
    f.value_len = hello_put(value, &h);
    peer_send(p, &f);
}

void greet_hello(struct peer *p, const struct frame *f)
{
    struct view *v = cluster_view(p->sw->shard->cluster);
    const char *why = "that is no hello";
    struct hello h;

    if (hello_read(f->value, f->value_len, &h)) {
        memcpy(p->name, h.name, sizeof(p->name));
        p->role = h.role;
        p->protocol = hello_spoken(&h);
        p->incarnation = h.incarnation;
        why = judge_hello(p, &h, v);
    }
    if (why != NULL) {
        refuse(p, why);
    } else {
        answer(p, v);
        p->greeted = true;
        /* equal epochs: both go by it from here on; else a map follows */
        p->epoch = v != NULL && v->map->epoch == h.epoch ? h.epoch : 0;
        p->judged = false;
    }
    view_unref(v);
}

/* Is it one that a shard which has none may begin with? */
static bool is_ours(const struct shard *shard, const struct map *map)
{
    return shard->store == NULL || cluster_epoch(shard->cluster) > 0 ||
           map_find(map, cluster_self(shard->cluster)) >= 0;
}

/* The map of that epoch, or (it is newer) ours is what both shall go by. */
static void answer_map(struct peer *p, uint64_t epoch)
{
    struct view *v = cluster_view(p->sw->shard->cluster);
    size_t len = v != NULL && v->map->epoch > epoch ? map_len(v->map) : 0;
    char *value = malloc(len + 1);

    if (v == NULL || value == NULL) {
        p->closing = true;
    } else {
        if (len > 0)
            map_put(value, v->map);
        p->epoch = epoch > 0 ? epoch : v->map->epoch;
        peer_done(p, v->map->epoch, value, len);
    }
    free(value);
    view_unref(v);
}

/* Takes the map over. */
static void adopt(struct peer *p, struct map *map)
{
    struct shard *shard = p->sw->shard;
    const uint64_t epoch = map->epoch;

    if (cluster_adopt(shard->cluster, map) != ADOPTED)
        return;
    log_info("shard", "goes by a new map epoch=%llu from=%s", (unsigned long long)epoch, p->name);
    shard_seen(shard);
    shard_note(p->sw);
}

void greet_map(struct peer *p, const struct frame *f)
{
    struct map *map = map_read(f->value, f->value_len);
    const uint64_t epoch = map != NULL ? map->epoch : 0;

    if (map == NULL && f->value_len > 0) {
        p->closing = true;
        return;
    }
    if (map != NULL && !is_ours(p->sw->shard, map)) {
        free(map);
        refuse(p, "its map has no member of this shard's name");
        return;
    }
    if (map != NULL)
        adopt(p, map);
    p->refusing = p->judged = false;
    answer_map(p, epoch);
}
