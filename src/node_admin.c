#include "node_admin.h"

#include "admin/admin.h"
#include "admin/asker.h"
#include "base/world_loop.h"
#include "node.h"

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

static int64_t ops_silence_ms(void *arg, const char *member)
{
    struct node *n = arg;

    return n->agent != NULL ? agent_silence_ms(n->agent, member) : -1;
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

    asker_free(n->asker);
    n->asker = NULL;
}

static const struct admin_ops ops = {
    .cluster_name = ops_cluster_name,
    .view = ops_view,
    .ask = ops_ask,
    .walk = ops_walk,
    .silence_ms = ops_silence_ms,
    .leads = ops_leads,
    .change = ops_change,
    .abort = ops_abort,
    .jobs = ops_jobs,
    .fini = ops_fini,
};

bool node_admin_open(struct node *n)
{
    const int fd = n->admin_fd;

    n->admin_socket = fd;
    if (fd < 0)
        return true;
    n->asker = asker_new(&n->control, n->cluster, n->store, n->options->shard_timeout);
    if (n->asker == NULL)
        return false;
    n->admin_fd = -1;
    n->admin = admin_new(world_loop_base(n->control.loop), fd, &ops, n);
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
