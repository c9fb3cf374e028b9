#include "sim_fleet.h"

#include <stdio.h>
#include <string.h>

const char *fleet_client_address(unsigned front)
{
    static const char *const addresses[] = {
        "10.0.0.1:11211", "10.0.0.2:11211", "10.0.0.3:11211", "10.0.0.4:11211",
        "10.0.0.5:11211", "10.0.0.6:11211", "10.0.0.7:11211",
    };

    return addresses[front];
}

void fleet_address(const struct fleet *f, const struct sim_node *n, char out[ADDRESS_MAX])
{
    snprintf(out, ADDRESS_MAX, "10.0.1.%u:11301", (unsigned)(n - f->nodes) + 1);
}

/* ---- command lines ---- */

static void say_cluster(struct fleet *f, struct sim_node *n)
{
    const struct sim_node *leader = fleet_leader_node(f);
    char address[ADDRESS_MAX];

    fleet_address(f, leader, address);
    sim_node_arg(n, "--name=%s", n->name);
    sim_node_arg(n, "--coordinator=%s@%s", leader->name, address);
    sim_node_arg(n, "--replicas=%u", f->config.replicas);
    sim_node_arg(n, "--threads=%u", 1 + (unsigned)sim_pick(f->sim, f->config.threads));
    sim_node_arg(n, "--hold-down=%llds", (long long)f->config.hold_down_ms / 1000);
    sim_node_arg(n, "--max-item-size=64k");
    sim_node_arg(n, "--memory-limit=8m");
}

static void name_shard(struct fleet *f, struct sim_node *leader, struct sim_node *shard)
{
    char address[ADDRESS_MAX];

    fleet_address(f, shard, address);
    sim_node_arg(leader, "--shard=%s=%s", shard->name, address);
}

static void make_leader(struct fleet *f)
{
    struct sim_node *n = fleet_leader_node(f);

    sim_node_init(n, f->sim, f->config.leader_has_shard ? "lead" : "front1");
    say_cluster(f, n);
    sim_node_arg(n, "--role=%s", f->config.leader_has_shard ? "both" : "front");
    sim_node_arg(n, "--listen=%s", fleet_client_address(0));
    sim_node_arg(n, "--state-dir=/state");
    if (f->config.leader_has_shard)
        name_shard(f, n, n);
}

static void make_front(struct fleet *f)
{
    struct sim_node *n = &f->nodes[1];

    sim_node_init(n, f->sim, "front2");
    say_cluster(f, n);
    sim_node_arg(n, "--role=front");
    sim_node_arg(n, "--listen=%s", fleet_client_address(1));
}

static void make_shard(struct fleet *f, unsigned i)
{
    struct sim_node *n = &f->nodes[FLEET_FRONTS + i];
    char name[16], address[ADDRESS_MAX];

    snprintf(name, sizeof(name), "s%u", i + 1);
    sim_node_init(n, f->sim, name);
    fleet_address(f, n, address);
    say_cluster(f, n);
    sim_node_arg(n, "--role=%s", f->config.shards_have_fronts ? "both" : "shard");
    if (f->config.shards_have_fronts)
        sim_node_arg(n, "--listen=%s", fleet_client_address(FLEET_FRONTS + i));
    sim_node_arg(n, "--peer=%s", address);
    if (i < f->config.n_shards)
        name_shard(f, fleet_leader_node(f), n);
}

/* ---- life ---- */

void fleet_init(struct fleet *f, struct sim *sim, struct complaints *complaints,
                const struct fleet_config *config)
{
    memset(f, 0, sizeof(*f));
    f->sim = sim;
    f->complaints = complaints;
    f->config = *config;
    f->n = FLEET_FRONTS + config->n_shards;
    make_leader(f);
    make_front(f);
    for (unsigned i = 0; i <= config->n_shards; i++)
        make_shard(f, i);
}

void fleet_fini(struct fleet *f)
{
    for (unsigned i = 0; i <= FLEET_FRONTS + f->config.n_shards; i++)
        sim_node_fini(&f->nodes[i]);
}

void fleet_start(struct fleet *f, struct sim_node *n)
{
    const char *why;

    if (!n->is_up && !sim_node_start(n, &why))
        complain(f->complaints, "%s cannot start: %s", n->name, why);
}

void fleet_start_all(struct fleet *f)
{
    for (unsigned i = 0; i < f->n; i++)
        fleet_start(f, &f->nodes[i]);
}

struct sim_node *fleet_some_shard(struct fleet *f)
{
    return &f->nodes[FLEET_FRONTS + sim_pick(f->sim, f->config.n_shards)];
}

struct sim_node *fleet_joiner(struct fleet *f)
{
    struct sim_node *n = &f->nodes[FLEET_FRONTS + f->config.n_shards];

    f->n = FLEET_FRONTS + f->config.n_shards + 1;
    fleet_start(f, n);
    return n;
}

struct leader *fleet_leader(struct fleet *f)
{
    return fleet_leader_node(f)->is_up ? fleet_leader_node(f)->node.leader : NULL;
}

/* ---- is all well? ---- */

static const char *trouble_of_map(const struct map *map)
{
    if (map->phase != MAP_STABLE)
        return "a change of members is not over";
    for (size_t i = 0; i < map->n; i++) {
        if (map->members[i].state != MEMBER_UP)
            return "a member is suspended or ejected";
        if (map->members[i].weight != map->members[i].wanted_weight)
            return "a member has not its weight";
    }
    return NULL;
}

static const char *trouble_of_jobs(const struct leader *l)
{
    size_t n;
    const struct job *jobs = leader_jobs(l, &n);

    for (size_t i = 0; i < n; i++)
        if (jobs[i].status == JOB_QUEUED || jobs[i].status == JOB_RUNNING)
            return "a job is not over";
    return NULL;
}

static const char *trouble_of_node(struct sim_node *n, uint64_t epoch)
{
    struct cluster *c = n->node.cluster;
    struct view *v;
    bool serves;

    if (!n->is_up)
        return "is not up";
    if (cluster_epoch(c) != epoch)
        return "has another map";
    if (cluster_adopted(c) != epoch)
        return "has not adopted the map";
    v = cluster_view(c);
    serves = n->node.store == NULL || v->self < 0 ||
             cluster_serves(c, n->world->ops->mono_ns(n->world));
    view_unref(v);
    return serves ? NULL : "holds no lease";
}

/* NULL, or the first trouble and whose it is. */
static const char *trouble(struct fleet *f, const char **who)
{
    struct leader *l = fleet_leader(f);
    const struct map *map = l != NULL ? leader_map(l) : NULL;
    const char *words;

    *who = "leader";
    if (map == NULL)
        return "has no map";
    if ((words = trouble_of_map(map)) != NULL || (words = trouble_of_jobs(l)) != NULL)
        return words;
    for (unsigned i = 0; i < f->n; i++) {
        *who = f->nodes[i].name;
        if ((words = trouble_of_node(&f->nodes[i], map->epoch)) != NULL)
            return words;
    }
    return NULL;
}

bool fleet_is_settled(struct fleet *f)
{
    const char *who;

    return trouble(f, &who) == NULL;
}

void fleet_tell(struct fleet *f, char *out, size_t size)
{
    static const char *const phases[MAP_PHASES] = { "STABLE", "JOINT", "SWITCHED" };
    static const char *const states[MEMBER_STATES] = { "?", "UP", "SUSPENDED", "EJECTED" };
    struct leader *l = fleet_leader(f);
    const struct map *map = l != NULL ? leader_map(l) : NULL;
    const char *who, *words = trouble(f, &who);
    size_t len = (size_t)snprintf(out, size, "%s: %s", who, words != NULL ? words : "all well");

    if (map == NULL)
        return;
    len += (size_t)snprintf(out + len, size - len, "; epoch %llu %s",
                            (unsigned long long)map->epoch, phases[map->phase]);
    for (size_t i = 0; i < map->n && len < size; i++) {
        const struct member *m = &map->members[i];

        len += (size_t)snprintf(out + len, size - len, " %s:%s %u/%u/%u%s", m->name,
                                states[m->state], m->weight, m->next_weight, m->wanted_weight,
                                m->filling ? " filling" : "");
    }
}
