#include "node_admin.h"

#include "admin/admin.h"
#include "admin/asker.h"
#include "base/world_loop.h"
#include "config.h"
#include "front/inner.h"
#include "front/latencies.h"
#include "front/local_shards.h"
#include "front/stats_text.h"
#include "node.h"
#include "node_hotkeys.h"

static const char *ops_cluster_name(void *arg)
{
    struct node *n = arg;

    return cluster_name(n->cluster);
}

static struct view *ops_view(void *arg)
{
    struct node *n = arg;

    return cluster_view(n->cluster);
}

static void ops_ask(void *arg, struct view *v, const char *key, size_t key_len,
                    admin_told *told, void *told_arg)
{
    struct node *n = arg;

    asker_ask(n->asker, v, key, key_len, told, told_arg);
}

static void ops_walk(void *arg, struct view *v, unsigned member, uint64_t cursor,
                     admin_walked *walked, void *walked_arg)
{
    struct node *n = arg;

    asker_walk(n->asker, v, member, cursor, walked, walked_arg);
}

/* The last worker, on the control worker's loop: see node_make_control(). */
static struct worker *guest_of(const struct node *n)
{
    return &n->workers[n->n_workers - 1];
}

static void ops_execute(void *arg, struct cmd *cmd, admin_executed *executed, void *executed_arg)
{
    struct node *n = arg;

    inner_ask(guest_of(n)->front, cmd, executed, executed_arg);
}

static const char *ops_hotkeys(void *arg, admin_hot_told *told, void *told_arg)
{
    return node_hotkeys(arg, told, told_arg);
}

static int64_t ops_silence_ms(void *arg, const char *member)
{
    struct node *n = arg;

    return n->agent != NULL ? agent_silence_ms(n->agent, member) : -1;
}

static const char *ops_not_ready(void *arg)
{
    return node_not_ready(arg);
}

static void ops_count(void *arg, struct admin_counts *c)
{
    struct node *n = arg;
    const struct options *o = n->options;
    const int64_t now_ns = n->world->ops->mono_ns(n->world);

    *c = (struct admin_counts){
        .version = PACKAGE_VERSION, .role = role_word(o->role),
        .memcached_version = FRONT_MEMCACHED_VERSION,
        .uptime_ms = now_ns / 1000000 - n->front.started_ms,
        .wall_ms = worker_wall(&n->control),
        .not_ready = node_not_ready(n),
        .has_lease = n->store == NULL || n->agent == NULL ? -1
                   : cluster_serves(n->cluster, now_ns),
        .is_front = o->role != ROLE_SHARD,
        .accepts = node_has_map(n) && !n->draining,
        .max_connections = n->front.config.conn_limit,
        .link_queue_bytes = n->front.config.link_queue_bytes,
        .keeps_items = n->store != NULL,
    };
    stats_sum(&n->front, &c->stats);
    if (n->store != NULL)
        usage_numbers(n->store, now_ns / 1000000, c->usage);
}

static bool ops_keeps(void *arg, const char *member)
{
    const struct options *o = ((struct node *)arg)->options;

    return local_shards_is_child(o->name, o->local_shards, member);
}

static void ops_took(void *arg, enum latency_class class, struct histogram *sum)
{
    latencies_add(&((struct node *)arg)->front, class, sum);
}

static void ops_shard_took(void *arg, const char *member, struct histogram *sum)
{
    latencies_add_shard(&((struct node *)arg)->front, member, sum);
}

static size_t ops_open_bytes(void *arg, const char *member)
{
    return latencies_open_bytes(&((struct node *)arg)->front, member);
}

static bool ops_leads(void *arg)
{
    return ((struct node *)arg)->leading.leader != NULL;
}

static uint64_t ops_change(void *arg, const struct admin_change *change, const char **why)
{
    return node_change(arg, change, why);
}

static bool ops_abort(void *arg, uint64_t id, const char **why)
{
    struct node *n = arg;

    agent_poke(n->agent);
    return leading_abort(&n->leading, id, why);
}

static const struct job *ops_jobs(void *arg, size_t *n_jobs)
{
    struct node *n = arg;

    return leader_jobs(n->leading.leader, n_jobs);
}

static void ops_fini(void *arg)
{
    struct node *n = arg;

    node_hotkeys_end(n);
    asker_free(n->asker);
    n->asker = NULL;
    if (n->options->role != ROLE_SHARD)
        front_worker_fini(guest_of(n));
}

static const struct admin_ops ops = {
    .cluster_name = ops_cluster_name,
    .view = ops_view,
    .ask = ops_ask,
    .walk = ops_walk,
    .execute = ops_execute,
    .hotkeys = ops_hotkeys,
    .silence_ms = ops_silence_ms,
    .not_ready = ops_not_ready,
    .count = ops_count,
    .keeps = ops_keeps,
    .took = ops_took,
    .shard_took = ops_shard_took,
    .open_bytes = ops_open_bytes,
    .leads = ops_leads,
    .change = ops_change,
    .abort = ops_abort,
    .jobs = ops_jobs,
    .fini = ops_fini,
};

bool node_admin_open(struct node *n)
{
    const struct admin_config config = {
        .fd = n->admin_fd,
        .max_item_bytes = n->options->max_item_size,
        .cas = !n->options->disable_cas,
        .has_keys = n->options->role != ROLE_SHARD,
        .token = n->admin_token[0] != '\0' ? n->admin_token : NULL,
        .loopback = options_http_is_loopback(n->options),
    };

    n->admin_socket = config.fd;
    if (config.fd < 0)
        return true;
    n->asker = asker_new(&n->control, n->cluster, n->store, n->options->shard_timeout);
    if (n->asker == NULL)
        return false;
    n->admin_fd = -1;
    n->admin = admin_new(world_loop_base(n->control.loop), &config, &ops, n);
    return n->admin != NULL;
}

void node_admin_close(struct node *n)
{
    admin_free(n->admin);
    n->admin = NULL;
    asker_free(n->asker);       /* there is one where the admin could not be made */
    n->asker = NULL;
    if (n->admin_fd >= 0)
        n->world->ops->close(n->world, n->admin_fd);
    n->admin_fd = -1;
}
