#include "node.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cluster/source.h"

static int64_t now_ms(struct node *n)
{
    return n->world->ops->mono_ns(n->world) / 1000000;
}

static void nothing_to_send(struct worker *w)
{
    (void)w;
}

void node_init(struct node *n, struct world *world, const struct options *o)
{
    memset(n, 0, sizeof(*n));
    n->options = o;
    n->world = world;
    n->net = (struct net_config){
        .max_requests = o->max_reqs_per_event,
        .binary = strcmp(o->protocol, "ascii") != 0,
        .max_item_bytes = o->max_item_size,
        .keeps_items = o->role != ROLE_FRONT,
        .first_answer_bytes = SESSION_OUTPUT_PAUSE,     /* it goes alone */
        .output_limit_bytes = o->output_limit / o->threads,
        .request_timeout_ms = o->request_timeout,
        .n_clients = &n->n_clients,
    };
    n->control_handler = (struct handler){ .turn_end = nothing_to_send };
}

bool node_make_control(struct node *n)
{
    return worker_init(&n->control, n->options->threads, n->world, &n->net, &n->control_handler);
}

/* listening */

static int listen_on(struct node *n, const char *address, unsigned mask)
{
    return n->world->ops->listen(n->world, address, (int)n->options->listen_backlog, mask);
}

static void warn_if_public(const char *address)
{
    if (address[0] != '/' && strncmp(address, "127.", 4) != 0 && strncmp(address, "[::1]", 5) != 0)
        log_warn("main", "everybody who reaches this address reads and writes all items addr=%s",
                 address);
}

const char *node_listen_to_clients(struct node *n)
{
    const struct options *o = n->options;
    int fd;

    if (o->role == ROLE_SHARD)
        return NULL;
    if (o->unix_socket[0] != '\0') {
        fd = listen_on(n, o->unix_socket, o->unix_mask);
        if (fd < 0)
            return o->unix_socket;
        n->client_fds[n->n_client_fds++] = fd;
    }
    for (size_t i = 0; i < o->listen.n && n->n_client_fds < NODE_LISTENERS_MAX - 2; i++) {
        fd = listen_on(n, o->listen.items[i], 0);
        if (fd < 0)
            return o->listen.items[i];
        n->client_fds[n->n_client_fds++] = fd;
        warn_if_public(o->listen.items[i]);
    }
    return NULL;
}

/* The peer address, and beside a TCP one a Unix socket for members of this host. */
const char *node_listen_to_peers(struct node *n, int fd)
{
    const struct options *o = n->options;
    char local[ADDRESS_MAX];

    if (o->peer[0] == '\0')
        return NULL;
    if (fd < 0)
        fd = listen_on(n, o->peer, 0700);
    if (fd < 0)
        return o->peer;
    n->peer_fds[n->n_peer_fds++] = fd;
    if (o->peer[0] == '/' || o->peer[0] == '@')
        return NULL;
    warn_if_public(o->peer);
    if (snprintf(local, sizeof(local), MEMBER_LOCAL_PREFIX "%s", o->peer) < (int)sizeof(local)) {
        fd = listen_on(n, local, 0);
        if (fd >= 0)
            n->peer_fds[n->n_peer_fds++] = fd;
        else
            log_warn("main", "members of this host will use TCP: %s addr=%s", strerror(errno),
                     local);
    }
    return NULL;
}

static bool add_listener(struct node *n, int fd, bool for_clients)
{
    struct listener_config config = {
        .world = n->world,
        .loop = n->control.loop,
        .workers = n->workers,
        .n_workers = n->options->threads,
        .open = for_clients ? session_open : shard_open,
        .limit = n->options->conn_limit,
        .n_clients = for_clients ? &n->n_clients : NULL,
        .stats = &n->front.accept_stats,
    };

    n->listeners[n->n_listeners] = listener_new(fd, &config);
    return n->listeners[n->n_listeners++] != NULL;
}

bool node_open(struct node *n)
{
    bool ok = true;

    for (size_t i = 0; i < n->n_client_fds; i++)
        ok = add_listener(n, n->client_fds[i], true) && ok;
    for (size_t i = 0; i < n->n_peer_fds; i++)
        ok = add_listener(n, n->peer_fds[i], false) && ok;
    n->n_client_fds = n->n_peer_fds = 0;        /* they are the listeners' now */
    return ok;
}

/* the rooms */

static struct source *make_source(struct node *n, const struct node_member *given, size_t n_given)
{
    const struct options *o = n->options;
    size_t count = n_given > 0 ? n_given : o->shards.n;
    struct source_member *members = xzalloc((count + 1) * sizeof(*members));
    struct source *source;

    for (size_t i = 0; i < count; i++) {
        struct source_member *m = &members[i];

        if (n_given > 0)
            *m = (struct source_member){ given[i].name, given[i].address, given[i].weight };
        else
            *m = (struct source_member){ o->shards.items[i].name, o->shards.items[i].address,
                                         o->shards.items[i].weight };
    }
    if (count == 0) {
        members[0] = (struct source_member){ o->name, o->peer, 1 };
        count = 1;
    }
    source = source_static_new(members, count);
    if (source != NULL && !source->start(source, n->cluster)) {
        source->free(source);
        source = NULL;
    }
    free(members);
    return source;
}

/* A lone shard has no map of its own: the first front brings one. */
bool node_join_cluster(struct node *n, const struct node_member *members, size_t n_members)
{
    const struct options *o = n->options;

    n->cluster = cluster_new(o->cluster, o->name);
    if (o->role == ROLE_SHARD && o->shards.n == 0)
        return true;
    n->source = make_source(n, members, n_members);
    return n->source != NULL;
}

static bool make_store(struct node *n)
{
    const struct options *o = n->options;
    struct store_config config = {
        .memory_bytes = o->memory_limit,
        .max_item_bytes = o->max_item_size,
        .evict = !o->disable_evictions,
        .cas = !o->disable_cas,
        .now_ms = now_ms(n),
        .wall_ms = n->world->ops->wall_ms(n->world),
    };

    if (o->role == ROLE_FRONT)
        return true;
    n->world->ops->random(n->world, config.hash_key, sizeof(config.hash_key));
    n->store = store_new(&config);
    if (n->store == NULL)
        return false;
    n->shard = (struct shard){ n->store, n->cluster };
    shard_take_number(&n->shard);
    return true;
}

static void make_front(struct node *n, void (*shut_down)(void))
{
    const struct options *o = n->options;

    n->front = (struct front){
        .config = {
            .shard_timeout_ms = o->shard_timeout,
            .link_queue_bytes = o->link_queue_limit,
            .cas = !o->disable_cas,
            .flush_all = !o->disable_flush_all,
            .dumps = !o->disable_dumping,
            .watch = !o->disable_watch,
            .stat_delimiter = o->stat_delimiter[0],
            .shutdown = o->enable_shutdown,
            .conn_limit = o->conn_limit,
            .backlog = o->listen_backlog,
            .n_threads = o->threads,
            .max_requests = o->max_reqs_per_event,
            .port = o->port,
            .max_item_bytes = o->max_item_size,
            .evict = !o->disable_evictions,
            .listen = o->listen.n > 0 ? o->listen.items[0] : "",
            .unix_socket = o->unix_socket,
            .protocol = o->protocol,
        },
        .cluster = n->cluster,
        .store = n->store,
        .workers = n->workers,
        .started_ms = now_ms(n),
        .verbosity = o->verbose,
        .memory_bytes = o->memory_limit,
        .shut_down = shut_down,
    };
    front_init(&n->front, n->world);
}

static bool make_worker(struct node *n, unsigned i)
{
    struct worker *w = &n->workers[i];

    if (!worker_init(w, i, n->world, &n->net, &n->handler))
        return false;
    if (n->store != NULL && !shard_worker_init(w, &n->shard))
        return false;
    return n->options->role == ROLE_SHARD || front_worker_init(w, &n->front);
}

bool node_make_rooms(struct node *n, void (*shut_down)(void))
{
    const struct options *o = n->options;

    if (!make_store(n))
        return false;
    n->handler = o->role == ROLE_SHARD ? n->control_handler : front_handler;
    n->workers = xzalloc(o->threads * sizeof(*n->workers));
    make_front(n, shut_down);
    for (unsigned i = 0; i < o->threads; i++)
        if (!make_worker(n, i))
            return false;
    return true;
}

/* the end */

static void close_listeners(struct node *n)
{
    while (n->n_listeners > 0)
        listener_free(n->listeners[--n->n_listeners]);
}

void node_drain(struct node *n)
{
    close_listeners(n);
    for (unsigned i = 0; i < n->options->threads; i++)
        worker_drain(&n->workers[i]);
}

bool node_is_drained(struct node *n)
{
    for (unsigned i = 0; i < n->options->threads; i++)
        if (!worker_is_drained(&n->workers[i]))
            return false;
    return true;
}

/* Letters may cross from any worker to any other: as many rounds as there are. */
static void read_last_mail(struct node *n)
{
    for (unsigned round = 0; n->workers != NULL && round <= n->options->threads; round++)
        for (unsigned i = 0; i < n->options->threads; i++)
            if (n->workers[i].loop != NULL)
                worker_read_mail(&n->workers[i]);
}

static void free_worker(struct worker *w)
{
    front_worker_fini(w);
    shard_worker_fini(w);
    if (w->world != NULL)
        worker_fini(w);
}

void node_fini(struct node *n)
{
    struct world *w = n->world;

    close_listeners(n);
    for (size_t i = 0; i < n->n_client_fds; i++)
        w->ops->close(w, n->client_fds[i]);
    for (size_t i = 0; i < n->n_peer_fds; i++)
        w->ops->close(w, n->peer_fds[i]);
    read_last_mail(n);
    for (unsigned i = 0; n->workers != NULL && i < n->options->threads; i++)
        free_worker(&n->workers[i]);
    if (n->workers != NULL)
        front_fini(&n->front);
    free(n->workers);
    store_free(n->store);
    if (n->source != NULL)
        n->source->free(n->source);
    cluster_free(n->cluster);
    if (n->control.world != NULL)
        worker_fini(&n->control);
}
