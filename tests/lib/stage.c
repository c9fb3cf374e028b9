#include "stage.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cluster/relay.h"

static void nothing_to_send(struct worker *w)
{
    (void)w;
}

const struct handler stage_shard_handler = { .turn_end = nothing_to_send };

void stage_init(struct stage *st, const struct handler *handler)
{
    bool ok;

    log_init(LOG_ERROR);        /* tests make failures on purpose */
    memset(st, 0, sizeof(*st));
    st->world = fake_world_new(1);
    st->config = (struct net_config){
        .max_requests = 20,
        .binary = true,
        .max_item_bytes = 1 << 20,
        .first_answer_bytes = 16384,
        .output_limit_bytes = 64 << 20,
        .n_clients = &st->n_clients,
    };
    ok = worker_init(&st->worker, 0, st->world, &st->config, handler);
    assert(ok);
    (void)ok;
}

void stage_fini(struct stage *st)
{
    if (st->has_front)
        front_worker_fini(&st->worker);
    if (st->has_shard)
        shard_worker_fini(&st->worker);
    worker_fini(&st->worker);
    assert(st->n_clients == 0);
    store_free(st->shard.store);
    relay_free(st->shard.relay);
    if (st->has_front)
        front_fini(&st->front);
    cluster_free(st->cluster);
    fake_world_free(st->world);
    free(st->frame);
}

struct map *stage_map(uint64_t epoch, size_t n)
{
    struct map *map = map_new(n);

    assert(map != NULL && n <= STAGE_MEMBERS_MAX);
    map->epoch = epoch;
    map->replicas = 1;
    for (size_t i = 0; i < n; i++) {
        struct member *m = &map->members[i];

        m->weight = 1;
        m->state = MEMBER_UP;
        m->since = 1;
        snprintf(m->name, sizeof(m->name), "s%zu", i + 1);
        snprintf(m->address, sizeof(m->address), "shard:%zu", i + 1);
    }
    map_number(map);
    return map;
}

static void shut_down(void)
{
    abort();                    /* no test allows the command */
}

/* By the map that the cluster has; with the stage's store, if there is one. */
static void add_front(struct stage *st)
{
    const struct front_config config = {
        .shard_timeout_ms = 1000, .link_queue_bytes = 1 << 20, .ack_all = true, .cas = true,
        .flush_all = true, .n_threads = 1,
        .listen = "", .unix_socket = "", .protocol = "auto",
    };
    bool ok;

    st->front = (struct front){
        .cluster = st->cluster,
        .store = st->shard.store,
        .relay = st->shard.relay,
        .workers = &st->worker,
        .n_workers = 1,
        .shut_down = shut_down,
    };
    front_init(&st->front, &config, st->world);
    ok = front_worker_init(&st->worker, &st->front);
    assert(ok);
    (void)ok;
    st->has_front = true;
}

void stage_add_front_by(struct stage *st, struct map *map)
{
    st->cluster = cluster_new(STAGE_CLUSTER, "front");
    cluster_set_workers(st->cluster, 1);
    (void)cluster_adopt(st->cluster, map);
    add_front(st);
}

void stage_add_front(struct stage *st, size_t n)
{
    stage_add_front_by(st, stage_map(1, n));
}

void stage_add_both_by(struct stage *st, struct map *map)
{
    stage_add_shard(st);
    (void)cluster_adopt(st->cluster, map);
    shard_take_number(&st->shard);
    add_front(st);
}

void stage_add_both(struct stage *st)
{
    stage_add_both_by(st, stage_map(1, 1));
}

void stage_add_shard(struct stage *st)
{
    const struct store_config config = {
        .memory_bytes = 8 << 20, .max_item_bytes = st->config.max_item_bytes,
        .evict = true, .cas = true,
        .hash_key = { 1, 2 },
        .now_ms = fake_now_ms(st->world), .wall_ms = st->world->ops->wall_ms(st->world),
    };
    bool ok;

    st->cluster = cluster_new(STAGE_CLUSTER, "s1");
    cluster_set_workers(st->cluster, 1 + st->n_silent);
    st->shard = (struct shard){
        .store = store_new(&config), .cluster = st->cluster, .relay = relay_new(),
    };
    ok = st->shard.store != NULL && st->shard.relay != NULL &&
         shard_worker_init(&st->worker, &st->shard);
    assert(ok);
    (void)ok;
    st->has_shard = true;
}

static void stop(void *arg)
{
    worker_stop(arg);
}

void stage_run(struct stage *st, int64_t ms)
{
    fake_let_pass(st->world, ms, stop, &st->worker);
    st->worker.stopped = false;
    worker_run(&st->worker);
}

static int open_pair(struct stage *st, void (*open)(struct worker *w, int fd))
{
    int far, fd = fake_pair(st->world, &far);

    assert(fd >= 0);
    open(&st->worker, fd);
    return far;
}

int stage_client(struct stage *st)
{
    st->n_clients++;
    return open_pair(st, session_open);
}

int stage_peer(struct stage *st)
{
    return open_pair(st, shard_open);
}

void stage_say(struct stage *st, int fd, const char *text)
{
    fake_write(st->world, fd, text, strlen(text));
}

const char *stage_heard(struct stage *st, int fd)
{
    return fake_take(st->world, fd, NULL);
}

const char *stage_ask(struct stage *st, int fd, const char *text)
{
    stage_say(st, fd, text);
    stage_run(st, 0);
    return stage_heard(st, fd);
}

void stage_send_frame(struct stage *st, int fd, const struct frame *f)
{
    size_t head = frame_head_len(f);
    char *out = xmalloc(head);

    frame_put(out, f);
    fake_write(st->world, fd, out, head);
    fake_write(st->world, fd, f->value != NULL ? f->value : "", f->value_len);
    free(out);
}

bool stage_take_frame(struct stage *st, int fd, struct frame *f)
{
    size_t len;
    const char *data = fake_peek(st->world, fd, &len);
    enum frame_status status = frame_read(data, len, f);

    assert(status != FRAME_BAD);
    if (status != FRAME_WHOLE)
        return false;
    free(st->frame);
    st->frame = xmalloc(f->len);
    memcpy(st->frame, data, f->len);
    fake_consume(st->world, fd, f->len);
    status = frame_read(st->frame, f->len, f);
    assert(status == FRAME_WHOLE);
    return true;
}

struct hello stage_hello(struct stage *st, const char *name, const struct map *map)
{
    struct hello h = {
        .least = HELLO_LEAST, .most = HELLO_MOST,
        .role = name[0] == 's' ? HELLO_SHARD : HELLO_FRONT,
        .wall_ms = st->world->ops->wall_ms(st->world),
        .cluster = STAGE_CLUSTER,
    };

    snprintf(h.name, sizeof(h.name), "%s", name);
    if (map != NULL) {
        h.epoch = map->epoch;
        h.digest = map_digest(map);
    }
    return h;
}

void stage_send_hello(struct stage *st, int fd, const struct hello *h)
{
    char value[HELLO_LEN_MAX];
    struct frame f = { .op = FRAME_HELLO, .value = value, .value_len = hello_put(value, h) };

    stage_send_frame(st, fd, &f);
}

void stage_send_map(struct stage *st, int fd, uint8_t op, const struct map *map)
{
    struct frame f = { .op = op, .version = map->epoch, .value_len = map_len(map) };
    char *value = xmalloc(f.value_len);

    map_put(value, map);
    f.value = value;
    stage_send_frame(st, fd, &f);
    free(value);
}
