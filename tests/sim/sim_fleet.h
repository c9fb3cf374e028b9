/*
 * sim_fleet - the nodes of one cluster: a leader, a front, shards
 *
 *      nodes[0]    makes the maps; a front, or a front with a shard
 *      nodes[1]    a front
 *      nodes[2..]  shards; one more than begin with, which may join
 */
#ifndef TESTS_SIM_SIM_FLEET_H
#define TESTS_SIM_SIM_FLEET_H

#include "sim_complaints.h"
#include "sim_node.h"

#define FLEET_FRONTS 2
#define FLEET_SHARDS_MAX 5      /* who may join is one of them */
#define FLEET_MAX (FLEET_FRONTS + FLEET_SHARDS_MAX)

struct fleet_config {
    unsigned n_shards;          /* in the first map, the leader's own not counted */
    unsigned replicas;
    unsigned threads;           /* most of a node */
    bool leader_has_shard;
    bool shards_have_fronts;    /* clients are served there too */
    int64_t hold_down_ms;
};

struct fleet {
    struct sim *sim;
    struct complaints *complaints;
    struct fleet_config config;
    struct sim_node nodes[FLEET_MAX];
    unsigned n;                 /* without who may join, until it is started */
};

void fleet_init(struct fleet *f, struct sim *sim, struct complaints *complaints,
                const struct fleet_config *config);
void fleet_fini(struct fleet *f);

/* Whoever is not up; a complaint when one cannot. */
void fleet_start(struct fleet *f, struct sim_node *n);
void fleet_start_all(struct fleet *f);

/* A shard of the first map, by chance; not the leader's own. */
struct sim_node *fleet_some_shard(struct fleet *f);
/* It is started for the first time, and belongs to no map yet. */
struct sim_node *fleet_joiner(struct fleet *f);

static inline struct sim_node *fleet_leader_node(struct fleet *f)
{
    return &f->nodes[0];
}

/* NULL while its process is away. */
struct leader *fleet_leader(struct fleet *f);

/* Nothing is left to be done, everybody goes by the same map and serves. */
bool fleet_is_settled(struct fleet *f);
/* Who or what is not, in words. */
void fleet_tell(struct fleet *f, char *out, size_t size);

const char *fleet_client_address(unsigned front);
/* Where a shard is reached. */
void fleet_address(const struct fleet *f, const struct sim_node *n, char out[ADDRESS_MAX]);

#endif
