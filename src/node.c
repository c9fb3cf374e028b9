#include "node.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "admin/asker.h"
#include "cluster/relay.h"
#include "net/hold.h"
#include "node_admin.h"

static int64_t now_ms(struct node *n)
{
    return n->world->ops->mono_ns(n->world) / 1000000;
}

static void nothing_to_send(struct worker *w)
{
    (void)w;
}

/* What the agent tells of it, in whatever thread. */
static void note_state(struct node *n)
{
    struct keeper_state state;

    keeper_state(n->keeper, &state);
    pthread_mutex_lock(&n->state_lock);
    n->state = state;
    pthread_mutex_unlock(&n->state_lock);
}

static void control_turn_end(struct worker *w)
{
    struct node *n = (struct node *)((char *)w - offsetof(struct node, control));

    if (n->keeper != NULL) {
        keeper_turn_end(n->keeper);
        note_state(n);
    }
    if (n->agent != NULL)
        agent_turn_end(n->agent);
}

static struct net_config net_config_of(struct node *n)
{
    const struct options *o = n->options;

    return (struct net_config){
        .max_requests = o->max_reqs_per_event,
        .binary = strcmp(o->protocol, "ascii") != 0,
        .max_item_bytes = o->max_item_size,
        .keeps_items = o->role != ROLE_FRONT,
        .first_answer_bytes = SESSION_OUTPUT_PAUSE,     /* it goes alone */
        .output_limit_bytes = o->output_limit / o->threads,
        .request_timeout_ms = o->request_timeout,
        .n_clients = &n->n_clients,
    };
}

void node_init(struct node *n, struct world *world, const struct options *o)
{
    memset(n, 0, sizeof(*n));
    n->options = o;
    n->peer = o->peer;
    n->world = world;
    n->admin_fd = n->admin_socket = -1;
    n->net = net_config_of(n);
    n->control_handler = (struct handler){ .turn_end = control_turn_end, .restless = true };
    n->shard_handler = (struct handler){ .turn_end = nothing_to_send };
    pthread_mutex_init(&n->state_lock, NULL);
}

bool node_make_control(struct node *n)
{
    const bool http = n->admin_fd >= 0 && n->options->role != ROLE_SHARD;

    n->n_workers = n->options->threads + http;
    return worker_init(&n->control, n->n_workers, n->world, &n->net, &n->control_handler);
}

/* listening */

static int listen_on(struct node *n, const char *address, unsigned mask)
{
    return n->world->ops->listen(n->world, address, (int)n->options->listen_backlog, mask);
}

static void warn_if_public(const char *address)
{
    if (address[0] != '/' && strncmp(address, "127.", 4) != 0 && strncmp(address, "[::1]", 5) != 0)
        log_warn("main", "everybody who reaches this address reads and writes all items, "
                 "guard it with a firewall addr=%s", address);
}

const char *node_listen_to_clients(struct node *n)
{
    const struct options *o = n->options;
    int fd;

    if (o->role == ROLE_SHARD || n->n_client_fds > 0)
        return NULL;
    if (o->unix_socket[0] != '\0') {
        fd = listen_on(n, o->unix_socket, o->unix_mask);
        if (fd < 0)
            return o->unix_socket;
        n->client_fds[n->n_client_fds++] = fd;
    }
    for (size_t i = 0; i < o->listen.n; i++) {
        fd = listen_on(n, o->listen.items[i], 0);
        if (fd < 0)
            return o->listen.items[i];
        n->client_fds[n->n_client_fds++] = fd;
        warn_if_public(o->listen.items[i]);
    }
    return NULL;
}

const char *node_listen_to_operators(struct node *n)
{
    const struct options *o = n->options;

    if (n->admin_fd >= 0 || o->http[0] == '\0')
        return NULL;
    n->admin_fd = listen_on(n, o->http, 0);
    return n->admin_fd >= 0 ? NULL : o->http;
}

/* The peer address, and beside a TCP one a Unix socket for members of this host. */
const char *node_listen_to_peers(struct node *n, int fd)
{
    char local[ADDRESS_MAX];

    if (n->peer[0] == '\0')
        return NULL;
    if (fd < 0)
        fd = listen_on(n, n->peer, 0700);
    if (fd < 0)
        return n->peer;
    n->peer_fds[n->n_peer_fds++] = fd;
    if (n->peer[0] == '/' || n->peer[0] == '@')
        return NULL;
    warn_if_public(n->peer);
    if (snprintf(local, sizeof(local), MEMBER_LOCAL_PREFIX "%s", n->peer) < (int)sizeof(local)) {
        fd = listen_on(n, local, 0);
        if (fd >= 0)
            n->peer_fds[n->n_peer_fds++] = fd;
        else
            log_warn("main", "members of this host will use TCP instead of a Unix socket: %s "
                     "addr=%s", strerror(errno), local);
    }
    return NULL;
}

/* A process that keeps no items is spoken to by members about maps only. */
static bool add_listener(struct node *n, int fd, bool for_clients)
{
    const bool control = !for_clients && n->store == NULL;
    struct listener_config config = {
        .world = n->world,
        .loop = n->control.loop,
        .workers = control ? &n->control : n->workers,
        .n_workers = control ? 1 : n->options->threads,
        .open = for_clients ? session_open : shard_open,
        .n_clients = for_clients ? &n->n_clients : NULL,
        .limit = for_clients ? &n->front.config.conn_limit : NULL,
        .stats = &n->front.accept_stats,
    };

    n->listeners[n->n_listeners] = listener_new(fd, &config);
    return n->listeners[n->n_listeners++] != NULL;
}

static bool open_all(struct node *n, const int *fds, size_t *n_fds, bool for_clients)
{
    bool ok = true;

    for (size_t i = 0; i < *n_fds; i++)
        ok = add_listener(n, fds[i], for_clients) && ok;
    *n_fds = 0;                 /* they are the listeners' now */
    return ok;
}

bool node_open(struct node *n)
{
    return open_all(n, n->peer_fds, &n->n_peer_fds, false) && node_admin_open(n);
}

bool node_open_to_clients(struct node *n)
{
    return open_all(n, n->client_fds, &n->n_client_fds, true);
}

struct taken {
    struct mail mail;
    int fd;
    size_t in_len, out_len;
    char bytes[];               /* in, out */
};

static void on_taken(struct worker *w, struct mail *m)
{
    struct taken *t = (struct taken *)m;

    session_open_moved(w, t->fd, t->bytes, t->in_len, t->bytes + t->in_len, t->out_len);
    free(t);
}

bool node_take_client(struct node *n, int fd, const char *in, size_t in_len, const char *out,
                      size_t out_len)
{
    struct taken *t = malloc(sizeof(*t) + in_len + out_len);

    if (t == NULL) {
        n->world->ops->close(n->world, fd);
        return false;
    }
    *t = (struct taken){ .mail.read = on_taken, .fd = fd, .in_len = in_len, .out_len = out_len };
    memcpy(t->bytes, in, in_len);
    memcpy(t->bytes + in_len, out, out_len);
    __atomic_add_fetch(&n->n_clients, 1, __ATOMIC_RELAXED);
    worker_post(&n->workers[n->n_taken++ % n->options->threads], &t->mail);
    return true;
}

bool node_has_map(const struct node *n)
{
    return cluster_epoch(n->cluster) != 0;
}

static const char *shard_not_ready(struct node *n, const struct view *v)
{
    if (n->store == NULL || v->self < 0)
        return NULL;
    if (v->map->members[v->self].filling)
        return "its shard is being filled";
    if (!cluster_serves(n->cluster, n->world->ops->mono_ns(n->world)))
        return "its shard holds no lease";
    return NULL;
}

const char *node_not_ready(struct node *n)
{
    struct view *v = cluster_view(n->cluster);
    const char *why = NULL;

    if (n->draining)
        why = "it is being stopped";
    else if (n->agent != NULL && v == NULL)
        why = "there is no map yet";
    else if (n->agent != NULL && cluster_adopted(n->cluster) != v->map->epoch)
        why = "it goes over to a new map";
    else if (n->agent != NULL)
        why = shard_not_ready(n, v);
    view_unref(v);
    return why;
}

bool node_is_ready(struct node *n)
{
    return node_not_ready(n) == NULL;
}

/* the rooms */

/* The list of who is in the first map. */
static void list_members(struct node *n, const struct leader_member *given, size_t n_given)
{
    const struct options *o = n->options;
    const bool is_alone = n_given == 0 && o->shards.n == 0;
    const size_t count = n_given > 0 ? n_given : is_alone ? 1 : o->shards.n;

    n->first_members = xzalloc(count * sizeof(*n->first_members));
    n->n_first_members = count;
    for (size_t i = 0; i < count; i++) {
        struct leader_member *m = &n->first_members[i];

        if (n_given > 0)
            *m = given[i];
        else if (is_alone)
            *m = (struct leader_member){ o->name, "", n->peer, 1 };
        else
            *m = (struct leader_member){ o->shards.items[i].name, "", o->shards.items[i].address,
                                         o->shards.items[i].weight };
    }
}

/* What the last leader kept, or the first map's members. */
static bool begin_to_lead(struct node *n, const char **why)
{
    const struct options *o = n->options;
    const struct leader_config config = {
        .name = o->name, .address = n->peer,
        .incarnation = cluster_incarnation(n->cluster),
        .replicas = (uint16_t)o->replicas,
        .hold_down_ms = o->hold_down,
        .now_ms = now_ms(n), .wall_ms = n->world->ops->wall_ms(n->world),
    };
    char *data = NULL;
    size_t len = 0;
    bool ok = true;

    n->leader = leader_new(&config);
    if (o->state_dir[0] != '\0' && o->local_shards == 0) {
        n->source = source_file_new(n->world, o->state_dir);
        *why = "out of memory";
        ok = n->source != NULL && n->source->load(n->source, &data, &len, why);
    }
    n->has_led = data != NULL;
    if (ok && data != NULL)
        ok = leader_load(n->leader, data, len, why);
    else if (ok && !leader_start_members(n->leader, n->first_members, n->n_first_members)) {
        *why = "the list of shards makes no map";
        ok = false;
    }
    free(data);
    if (ok && n->has_led && leader_map(n->leader)->replicas != o->replicas)
        log_warn("main", "the map that was saved has another number of copies and keeps it, "
                 "--replicas counts for a new cluster only map=%u option=%u",
                 leader_map(n->leader)->replicas, o->replicas);
    return ok;
}

static uint64_t draw_incarnation(struct node *n)
{
    uint64_t incarnation = 0;

    while (incarnation == 0)
        n->world->ops->random(n->world, &incarnation, sizeof(incarnation));
    return incarnation;
}

bool node_join_cluster(struct node *n, const struct leader_member *members, size_t n_members,
                       const char **why)
{
    const struct options *o = n->options;

    n->cluster = cluster_new(o->cluster, o->name);
    cluster_set_workers(n->cluster, n->n_workers + 1);
    list_members(n, members, n_members);
    cluster_set_incarnation(n->cluster, draw_incarnation(n));
    if (options_leads(o))
        return begin_to_lead(n, why);
    /* another makes the maps; or a front brings one to a lone shard */
    if (o->coordinator[0] != '\0' || (o->role == ROLE_SHARD && o->shards.n == 0))
        return true;
    *why = "the list of shards makes no map";
    return source_static(n->cluster, n->first_members, n->n_first_members);
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
    n->relay = relay_new();
    return n->store != NULL && n->relay != NULL;
}

static size_t on_ping(void *arg, const char *value, size_t len, char *out)
{
    return agent_answer(((struct node *)arg)->agent, value, len, out, SHARD_PING_MAX);
}

static void on_state_changed(void *arg)
{
    struct node *n = arg;

    note_state(n);              /* the agent may be asked before this turn ends */
    if (n->agent != NULL)
        agent_poke(n->agent);
}

static bool make_shard(struct node *n)
{
    const struct keeper_config keeper = {
        .timeout_ms = n->options->shard_timeout,
        .move_rate = n->options->move_rate,
        .changed = on_state_changed,
        .arg = n,
    };

    n->shard = (struct shard){ .store = n->store, .cluster = n->cluster, .relay = n->relay };
    if (n->options->coordinator[0] != '\0' || options_leads(n->options)) {
        n->shard.on_ping = on_ping;
        n->shard.ping_arg = n;
    }
    if (n->store == NULL)
        return true;
    shard_take_number(&n->shard);
    n->keeper = keeper_new(&n->shard, &n->control, &keeper);
    return n->keeper != NULL;
}

static void note_for_shard(struct worker *w)
{
    shard_note(w->shard);
}

static struct front_config front_config_of(const struct options *o)
{
    return (struct front_config){
        .shard_timeout_ms = o->shard_timeout,
        .slow_request_ms = o->slow_request,
        .link_queue_bytes = o->link_queue_limit,
        .ack_all = strcmp(o->ack, "all") == 0,
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
    };
}

static void make_front(struct node *n, void (*shut_down)(void))
{
    const struct front_config config = front_config_of(n->options);

    n->front = (struct front){
        .cluster = n->cluster,
        .store = n->store,
        .relay = n->relay,
        .workers = n->workers,
        .n_workers = n->n_workers,
        .started_ms = now_ms(n),
        .verbosity = n->options->verbose,
        .memory_bytes = n->options->memory_limit,
        .note = n->store != NULL ? note_for_shard : NULL,
        .opened = n->store != NULL ? shard_opened : NULL,
        .settled = n->store != NULL ? shard_settled : NULL,
        .shut_down = shut_down,
    };
    front_init(&n->front, &config, n->world);
}

static bool make_worker(struct node *n, unsigned i)
{
    struct worker *w = &n->workers[i];
    const bool is_guest = i == n->options->threads;     /* as node_make_control() counted */

    if (is_guest ? !worker_init_guest(w, i, &n->control, &n->handler)
                 : !worker_init(w, i, n->world, &n->net, &n->handler))
        return false;
    if (n->store != NULL && !shard_worker_init(w, &n->shard))
        return false;
    return n->options->role == ROLE_SHARD || front_worker_init(w, &n->front);
}

static bool save_state(void *arg, const char *bytes, size_t len)
{
    struct node *n = arg;

    return n->source->save(n->source, bytes, len);
}

static void tell_state(void *arg, struct ping *p)
{
    struct node *n = arg;
    struct keeper_state state;

    pthread_mutex_lock(&n->state_lock);
    state = n->state;
    pthread_mutex_unlock(&n->state_lock);
    p->ended = state.ended;
    p->purged = state.purged;
    p->move_epoch = state.move.epoch;
    p->marks |= state.move.done ? PING_DONE : 0;
    p->items_sent = state.move.items_sent;
    p->bytes_sent = state.move.bytes_sent;
    p->items_left = state.move.items_left;
    p->bytes_left = state.move.bytes_left;
    p->flush_version = store_flush_version(n->store);
}

static uint64_t tell_clock(void *arg)
{
    struct node *n = arg;

    return store_clock(n->store, worker_now(&n->control));
}

static void see_clock(void *arg, uint64_t version)
{
    struct node *n = arg;

    (void)store_see(n->store, version, worker_now(&n->control));
}

static void go(void *arg, uint64_t epoch)
{
    keeper_go(((struct node *)arg)->keeper, epoch);
}

static void on_seen(void *arg, uint64_t epoch)
{
    struct node *n = arg;

    (void)epoch;
    shard_seen(&n->shard);
    if (n->options->role != ROLE_SHARD)
        front_seen(&n->front);
    agent_poke(n->agent);
}

static void on_adopted(void *arg, uint64_t epoch)
{
    struct node *n = arg;

    (void)epoch;
    agent_poke(n->agent);
}

static bool is_quiet(void *arg, uint64_t epoch)
{
    struct node *n = arg;

    return shard_is_quiet(&n->shard, epoch);
}

static int64_t mono_ns(void *arg)
{
    const struct node *n = arg;

    return n->world->ops->mono_ns(n->world);
}

/* Alone, or by a list for ever, there is nobody to talk to. */
static bool make_agent(struct node *n)
{
    const struct options *o = n->options;
    const struct cluster_hooks hooks = { on_seen, on_adopted, mono_ns, n };
    const struct agent_config config = {
        .cluster = n->cluster,
        .worker = &n->control,
        .role = o->role == ROLE_FRONT ? PING_FRONT
              : o->role == ROLE_SHARD ? PING_SHARD : PING_FRONT | PING_SHARD,
        .address = n->peer,
        .coordinator = n->coordinator,
        .coordinator_address = options_coordinator_address(o),
        .leader = n->leader,
        .members = n->first_members,
        .n_members = n->n_first_members,
        /* a shard's votes are its process's own, as the map names that */
        .fresh = !n->has_led,
        .save = n->source != NULL ? save_state : NULL,
        .tell = n->keeper != NULL ? tell_state : NULL,
        .clock = n->store != NULL ? tell_clock : NULL,
        .see = n->store != NULL ? see_clock : NULL,
        .is_quiet = n->store != NULL ? is_quiet : NULL,
        .go = n->keeper != NULL ? go : NULL,
        .arg = n,
    };

    if (n->leader == NULL && o->coordinator[0] == '\0')
        return true;
    n->leading = (struct leading){ n->leader, config.save, n };
    snprintf(n->coordinator, sizeof(n->coordinator), "%.*s", (int)strcspn(o->coordinator, "@"), o->coordinator);
    n->agent = agent_new(&config);
    if (n->agent != NULL)
        cluster_set_hooks(n->cluster, &hooks);
    return n->agent != NULL;
}

bool node_make_rooms(struct node *n, void (*shut_down)(void))
{
    const struct options *o = n->options;

    if (!make_store(n) || !make_shard(n))
        return false;
    n->handler = o->role == ROLE_SHARD ? n->shard_handler : front_handler;
    n->workers = xzalloc(n->n_workers * sizeof(*n->workers));
    make_front(n, shut_down);
    for (unsigned i = 0; i < n->n_workers; i++)
        if (!make_worker(n, i))
            return false;
    if (n->store == NULL && !shard_worker_init(&n->control, &n->shard))
        return false;
    return make_agent(n);
}

/* other settings */

void node_reconfigure(struct node *n)
{
    const struct options *o = n->options;
    const struct front_config front = front_config_of(o);
    struct hold *hold = hold_workers(n->workers, o->threads);

    n->net = net_config_of(n);
    front_configure(&n->front, &front);
    hold_release(hold);
    __atomic_store_n(&n->front.verbosity, o->verbose, __ATOMIC_RELAXED);
    if (n->keeper != NULL)
        keeper_set(n->keeper, o->shard_timeout, o->move_rate);
    if (n->asker != NULL)
        asker_set_timeout(n->asker, o->shard_timeout);
    if (n->leader != NULL)
        leader_set_hold_down(n->leader, o->hold_down);
}

bool node_set_memory(struct node *n, uint64_t bytes)
{
    if (n->store != NULL && store_set_limit(n->store, bytes, now_ms(n)) != bytes)
        return false;
    __atomic_store_n(&n->front.memory_bytes, bytes, __ATOMIC_RELAXED);
    return true;
}

uint64_t node_change(struct node *n, const struct admin_change *change, const char **why)
{
    agent_poke(n->agent);       /* the leader looks at it soon */
    return leading_change(&n->leading, change, why);
}

/* the end */

static void close_listeners(struct node *n)
{
    while (n->n_listeners > 0)
        listener_free(n->listeners[--n->n_listeners]);
}

void node_say_goodbye(struct node *n)
{
    n->leaves = n->agent != NULL && n->store != NULL;
    if (n->leaves)
        agent_goodbye(n->agent);
}

void node_drain(struct node *n)
{
    n->draining = true;
    for (size_t i = 0; i < n->n_listeners; i++)
        listener_accept(n->listeners[i]);
    close_listeners(n);
    admin_drain(n->admin);
    for (unsigned i = 0; i < n->options->threads; i++)
        worker_drain(&n->workers[i]);
}

bool node_is_drained(struct node *n)
{
    for (unsigned i = 0; i < n->options->threads; i++)
        if (!worker_is_drained(&n->workers[i]))
            return false;
    return admin_is_drained(n->admin) && (!n->leaves || agent_is_let_go(n->agent));
}

/* Letters may cross from any worker to any other: as many rounds as there are. */
static void read_last_mail(struct node *n)
{
    for (unsigned round = 0; n->workers != NULL && round <= n->n_workers; round++)
        for (unsigned i = 0; i < n->n_workers; i++)
            if (n->workers[i].loop != NULL)
                worker_read_mail(&n->workers[i]);
}

void node_leave_operators(struct node *n)
{
    admin_leave(n->admin);
}

bool node_has_left_operators(const struct node *n)
{
    return admin_has_left(n->admin);
}

void node_leave(struct node *n)
{
    for (size_t i = 0; i < n->n_listeners; i++)
        listener_pause(n->listeners[i]);
    for (unsigned i = 0; i < n->options->threads; i++)
        worker_leave(&n->workers[i]);
}

bool node_is_settled(struct node *n)
{
    for (unsigned i = 0; i < n->options->threads; i++)
        if (!worker_is_settled(&n->workers[i]))
            return false;
    return true;
}

void node_still(struct node *n)
{
    read_last_mail(n);
}

void node_stay(struct node *n)
{
    for (unsigned i = 0; i < n->options->threads; i++)
        worker_stay(&n->workers[i]);
    for (size_t i = 0; i < n->n_listeners; i++)
        listener_resume(n->listeners[i]);
    admin_stay(n->admin);
}

size_t node_listening(const struct node *n, int *fds)
{
    size_t n_fds = 0;

    for (size_t i = 0; i < n->n_listeners; i++)
        fds[n_fds++] = listener_fd(n->listeners[i]);
    for (size_t i = 0; i < n->n_client_fds; i++)
        fds[n_fds++] = n->client_fds[i];
    if (n->admin_socket >= 0)
        fds[n_fds++] = n->admin_socket;
    return n_fds;
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
    if (n->control.world != NULL)
        worker_read_mail(&n->control);
    node_admin_close(n);
    keeper_free(n->keeper);
    for (unsigned i = 0; n->workers != NULL && i < n->n_workers; i++)
        free_worker(&n->workers[i]);
    agent_free(n->agent);
    if (n->control.world != NULL)
        shard_worker_fini(&n->control);
    if (n->workers != NULL)
        front_fini(&n->front);
    free(n->workers);
    store_free(n->store);
    relay_free(n->relay);
    if (n->source != NULL)
        n->source->free(n->source);
    leader_free(n->leader);
    free(n->first_members);
    cluster_free(n->cluster);
    pthread_mutex_destroy(&n->state_lock);
    if (n->control.world != NULL)
        worker_fini(&n->control);
}
