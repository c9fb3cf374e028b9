#include "sim_scenario.h"

#include <errno.h>
#include <string.h>

#define KILLED_MS 1200          /* a key's longest outage */
#define CUT_MS 2500
#define LATE_MS 200             /* an answer that was given up comes after that */
#define SETTLE_MS 60000
#define STOP_MS 5000

static uint64_t pick(struct run *r, uint64_t n)
{
    return sim_pick(r->sim, n);
}

static bool one_in(struct run *r, uint64_t n)
{
    return pick(r, n) == 0;
}

/* Some time under load passes. */
static void pass(struct run *r, int64_t ms)
{
    sim_run(r->sim, ms);
}

static bool is_settled(void *arg)
{
    struct run *r = arg;

    return fleet_is_settled(&r->fleet);
}

static void settle(struct run *r)
{
    char words[400];

    if (is_settled(r) || sim_run_until(r->sim, SETTLE_MS, is_settled, r))
        return;
    fleet_tell(&r->fleet, words, sizeof(words));
    complain(&r->complaints, "does not settle: %s", words);
}

static struct sim_node *some_shard(struct run *r)
{
    return fleet_some_shard(&r->fleet);
}

static struct sim_node *some_node(struct run *r)
{
    return &r->fleet.nodes[pick(r, r->fleet.n)];
}

static struct sim_node *other_node(struct run *r, const struct sim_node *than)
{
    const unsigned i = (unsigned)(than - r->fleet.nodes);

    return &r->fleet.nodes[(i + 1 + pick(r, r->fleet.n - 1)) % r->fleet.n];
}

/* ---- faults ---- */

static void kill_and_start(struct run *r, struct sim_node *n, int64_t away_ms)
{
    sim_node_crash(n, CRASH_PROCESS);
    pass(r, away_ms);
    fleet_start(&r->fleet, n);
}

static void kill_shard(struct run *r)
{
    crowd_window(r->crowd, KILLED_MS + LATE_MS);
    kill_and_start(r, some_shard(r), (int64_t)pick(r, 5000));
}

static void kill_machine(struct run *r)
{
    struct sim_node *n = some_shard(r);

    crowd_window(r->crowd, CUT_MS);
    sim_node_crash(n, CRASH_MACHINE);
    pass(r, (int64_t)pick(r, 8000));
    fleet_start(&r->fleet, n);
}

static bool is_stopped(void *arg)
{
    return sim_node_is_stopped(arg);
}

/* As systemctl does it. */
static void restart(struct run *r, struct sim_node *n)
{
    sim_node_stop(n);
    if (!sim_run_until(r->sim, STOP_MS, is_stopped, n))
        complain(&r->complaints, "%s does not stop", n->name);
    kill_and_start(r, n, (int64_t)pick(r, 1500));
    settle(r);
}

/* One after the other; the leader's process too where clients can go elsewhere. */
static void restart_all(struct run *r)
{
    const bool everywhere = r->fleet.config.shards_have_fronts;

    for (unsigned i = everywhere ? 0 : FLEET_FRONTS; i < r->fleet.n; i++) {
        if (i == 0 || i >= FLEET_FRONTS)
            restart(r, &r->fleet.nodes[i]);
        pass(r, (int64_t)pick(r, 500));
    }
}

static void freeze_shard(struct run *r)
{
    const int64_t ms = 100 + (int64_t)pick(r, 10000);

    crowd_window(r->crowd, CUT_MS);
    sim_freeze(some_shard(r)->world, ms);
    pass(r, ms);
}

static void cut_shard_off(struct run *r)
{
    crowd_window(r->crowd, CUT_MS);
    sim_cut_off(some_shard(r)->world);
    pass(r, (int64_t)pick(r, 10000));
    sim_heal_all(r->sim);
}

/* It hears nobody, or nobody hears it. */
static void cut_one_way(struct run *r)
{
    struct sim_node *n = some_shard(r);
    const bool deaf = one_in(r, 2);

    crowd_window(r->crowd, CUT_MS);
    for (unsigned i = 0; i < r->fleet.n; i++) {
        struct sim_node *other = &r->fleet.nodes[i];

        if (other != n && deaf)
            sim_cut(other->world, n->world);
        else if (other != n)
            sim_cut(n->world, other->world);
    }
    pass(r, (int64_t)pick(r, 10000));
    sim_heal_all(r->sim);
}

/* Two members do not reach each other, all others do. */
static void cut_pair(struct run *r)
{
    struct sim_node *a = some_shard(r), *b = other_node(r, a);
    const int64_t ms = (int64_t)pick(r, 6000);

    crowd_window(r->crowd, ms + CUT_MS);
    sim_cut(a->world, b->world);
    if (one_in(r, 2))
        sim_cut(b->world, a->world);
    pass(r, ms);
    sim_heal_all(r->sim);
}

/* A front and a shard, or two, on one side, the others on the other; clients
 * reach both sides. */
static void split(struct run *r)
{
    bool aside[FLEET_MAX] = { false };
    const int64_t ms = 500 + (int64_t)pick(r, 8000);

    aside[pick(r, FLEET_FRONTS)] = true;
    aside[some_shard(r) - r->fleet.nodes] = true;
    if (one_in(r, 3))
        aside[some_shard(r) - r->fleet.nodes] = true;
    crowd_window(r->crowd, ms + CUT_MS);
    for (unsigned i = 0; i < r->fleet.n; i++)
        for (unsigned j = 0; j < r->fleet.n; j++)
            if (aside[i] != aside[j])
                sim_cut(r->fleet.nodes[i].world, r->fleet.nodes[j].world);
    pass(r, ms);
    sim_heal_all(r->sim);
}

static void kill_front(struct run *r)
{
    kill_and_start(r, &r->fleet.nodes[1], (int64_t)pick(r, 5000));
}

static void freeze_front(struct run *r)
{
    const int64_t ms = 100 + (int64_t)pick(r, 8000);

    sim_freeze(r->fleet.nodes[1].world, ms);
    pass(r, ms);
}

static void kill_leader(struct run *r)
{
    const bool items = r->fleet.config.leader_has_shard;
    const int64_t ms = (int64_t)pick(r, 5000);

    if (items)
        crowd_window(r->crowd, ms + CUT_MS);
    kill_and_start(r, fleet_leader_node(&r->fleet), ms);
}

static void freeze_leader(struct run *r)
{
    const int64_t ms = 100 + (int64_t)pick(r, 8000);

    if (r->fleet.config.leader_has_shard)
        crowd_window(r->crowd, ms + CUT_MS);
    sim_freeze(fleet_leader_node(&r->fleet)->world, ms);
    pass(r, ms);
}

static void slow_net(struct run *r)
{
    for (unsigned i = 0; i < 6; i++) {
        struct sim_node *a = some_node(r), *b = other_node(r, a);

        sim_set_delay(a->world, b->world, 100, 1000 + (int64_t)pick(r, 60000));
        if (one_in(r, 2))
            sim_set_loss(a->world, b->world, (unsigned)pick(r, 30));
    }
    crowd_window(r->crowd, 6000 + CUT_MS);
    pass(r, 6000);
}

static void slow_disk(struct run *r)
{
    struct sim_node *leader = fleet_leader_node(&r->fleet);

    sim_set_disk(leader->world, 10, 400, one_in(r, 3) ? ENOSPC : 0);
    crowd_window(r->crowd, 20000);
    kill_and_start(r, some_shard(r), (int64_t)pick(r, 5000));
    sim_set_disk(leader->world, 0, 400, 0);
    pass(r, 3000);
}

static void skew(struct run *r)
{
    for (unsigned i = 0; i < r->fleet.n; i++)
        sim_set_clock(r->fleet.nodes[i].world, (int64_t)pick(r, 4001) - 2000,
                      (int)pick(r, 401) - 200);
}

/* Their clocks are wrong, and one is started anew, which reads the wrong time. */
static void clocks(struct run *r)
{
    skew(r);
    pass(r, 1000);
    for (unsigned i = 0; i < 3; i++) {
        crowd_window(r->crowd, KILLED_MS + LATE_MS);
        kill_and_start(r, some_shard(r), (int64_t)pick(r, 3000));
        settle(r);
        pass(r, 500);
    }
}

static void resets(struct run *r)
{
    struct sim_node *n;

    for (unsigned i = 0; i < 12; i++) {
        crowd_window(r->crowd, KILLED_MS + LATE_MS);
        n = some_node(r);
        sim_reset(n->world, other_node(r, n)->world, 1 + (unsigned)pick(r, 3));
        pass(r, (int64_t)pick(r, 400));
    }
}

/* Threads lose their processor in the middle of things. */
static void stalls(struct run *r)
{
    for (unsigned i = 0; i < r->fleet.n; i++)
        sim_set_stalls(r->fleet.nodes[i].world, 20000, 1 + (int64_t)pick(r, 1200));
    crowd_window(r->crowd, 10000 + CUT_MS);
    pass(r, 8000);
    for (unsigned i = 0; i < r->fleet.n; i++)
        sim_set_stalls(r->fleet.nodes[i].world, 0, 0);
}

/* ---- several ---- */

static void three_kills(struct run *r)
{
    for (unsigned i = 0; i < 3; i++) {
        kill_shard(r);
        settle(r);
        pass(r, (int64_t)pick(r, 1000));
    }
}

/* The same or another while the last one is still being filled. */
static void ten_kills(struct run *r)
{
    for (unsigned i = 0; i < 10; i++) {
        crowd_window(r->crowd, 6000);
        kill_and_start(r, some_shard(r), (int64_t)pick(r, 1000));
        pass(r, (int64_t)pick(r, 1000));
    }
}

static void kill_and_freeze(struct run *r)
{
    struct sim_node *a = some_shard(r), *b = some_shard(r);

    crowd_window(r->crowd, 20000);
    sim_node_crash(a, CRASH_PROCESS);
    pass(r, (int64_t)pick(r, 3000));
    sim_freeze(b->world, (int64_t)pick(r, 5000));
    pass(r, (int64_t)pick(r, 5000));
    fleet_start(&r->fleet, a);
    pass(r, 5000);
}

/* Nobody can eject while the leader is away. */
static void kill_with_leader(struct run *r)
{
    struct sim_node *n = some_shard(r);

    crowd_window(r->crowd, 20000);
    sim_node_crash(fleet_leader_node(&r->fleet), CRASH_PROCESS);
    pass(r, (int64_t)pick(r, 1000));
    sim_node_crash(n, CRASH_PROCESS);
    pass(r, (int64_t)pick(r, 3000));
    fleet_start(&r->fleet, fleet_leader_node(&r->fleet));
    pass(r, (int64_t)pick(r, 3000));
    fleet_start(&r->fleet, n);
}

static void disturb(struct run *r)
{
    struct sim_node *n = some_node(r);

    switch (pick(r, 7)) {
    case 0:
        sim_node_crash(n, CRASH_PROCESS);
        break;
    case 1:
        sim_freeze(n->world, (int64_t)pick(r, 3000));
        break;
    case 2:
        sim_cut_off(n->world);
        break;
    case 3:
        sim_cut(n->world, other_node(r, n)->world);
        break;
    case 4:
        sim_heal_all(r->sim);
        break;
    case 5:
        sim_reset(n->world, other_node(r, n)->world, 2);
        break;
    default:
        fleet_start_all(&r->fleet);
        break;
    }
}

static void chaos(struct run *r)
{
    if (one_in(r, 3))
        skew(r);
    crowd_window(r->crowd, 40000);
    for (unsigned i = 0; i < 14; i++) {
        disturb(r);
        pass(r, (int64_t)pick(r, 1500));
    }
}

/* ---- an operator ---- */

static uint64_t add(struct run *r)
{
    struct sim_node *n = fleet_joiner(&r->fleet);
    char address[ADDRESS_MAX];
    const struct leader_member m = { n->name, "", address, 1 };
    const char *why;
    uint64_t id;

    fleet_address(&r->fleet, n, address);
    id = leader_add(fleet_leader(&r->fleet), &m, &why);
    if (id == 0)
        complain(&r->complaints, "%s cannot be added: %s", n->name, why);
    return id;
}

static uint64_t drain(struct run *r, const char *name)
{
    const char *why;
    const uint64_t id = leader_drain(fleet_leader(&r->fleet), name, &why);

    if (id == 0)
        complain(&r->complaints, "%s cannot be drained: %s", name, why);
    return id;
}

static uint64_t change_weight(struct run *r, const char *name)
{
    const char *why;
    const unsigned weight = 2 + (unsigned)pick(r, 2);
    const uint64_t id = leader_weight(fleet_leader(&r->fleet), name, weight, &why);

    if (id == 0)
        complain(&r->complaints, "%s cannot get weight %u: %s", name, weight, why);
    return id;
}

static uint64_t remove_shard(struct run *r, const char *name)
{
    const char *why;
    const uint64_t id = leader_remove(fleet_leader(&r->fleet), name, false, &why);

    if (id == 0)
        complain(&r->complaints, "%s cannot be removed: %s", name, why);
    return id;
}

/* Nothing else happens, so it must come to its end. */
static void finish(struct run *r, uint64_t id)
{
    const struct job *job;

    settle(r);
    job = leader_job(fleet_leader(&r->fleet), id);
    if (job == NULL || job->status != JOB_DONE)
        complain(&r->complaints, "job %llu was not done: %s", (unsigned long long)id,
                 job != NULL ? job->words : "forgotten");
}

static uint64_t change_something(struct run *r)
{
    switch (pick(r, 3)) {
    case 0:
        return add(r);
    case 1:
        return drain(r, some_shard(r)->name);
    default:
        return change_weight(r, some_shard(r)->name);
    }
}

static void op_add(struct run *r)
{
    finish(r, add(r));
}

static void op_drain(struct run *r)
{
    finish(r, drain(r, some_shard(r)->name));
}

static void op_weight(struct run *r)
{
    finish(r, change_weight(r, some_shard(r)->name));
}

static void op_remove(struct run *r)
{
    finish(r, remove_shard(r, some_shard(r)->name));
}

static void op_abort(struct run *r)
{
    const uint64_t id = change_something(r);
    const char *why;

    pass(r, (int64_t)pick(r, 600));
    (void)leader_abort(fleet_leader(&r->fleet), id, &why);      /* it may be too late */
    settle(r);
}

static void op_kill(struct run *r)
{
    struct sim_node *n;

    change_something(r);
    pass(r, (int64_t)pick(r, 500));
    n = &r->fleet.nodes[FLEET_FRONTS + pick(r, r->fleet.n - FLEET_FRONTS)];
    crowd_window(r->crowd, KILLED_MS + LATE_MS);
    kill_and_start(r, n, (int64_t)pick(r, 3000));
    settle(r);
}

static void op_freeze(struct run *r)
{
    change_something(r);
    pass(r, (int64_t)pick(r, 500));
    freeze_shard(r);
    settle(r);
}

static void op_kill_leader(struct run *r)
{
    change_something(r);
    pass(r, (int64_t)pick(r, 500));
    kill_leader(r);
    settle(r);
}

static void op_many(struct run *r)
{
    add(r);
    pass(r, (int64_t)pick(r, 400));
    change_weight(r, r->fleet.nodes[FLEET_FRONTS].name);
    drain(r, r->fleet.nodes[FLEET_FRONTS + 1].name);
    settle(r);
    pass(r, 300);
    change_weight(r, r->fleet.nodes[FLEET_FRONTS + 1].name);
    settle(r);
}

/* Long enough away that its arcs go to others. */
static void replace(struct run *r)
{
    crowd_window(r->crowd, KILLED_MS + LATE_MS);
    kill_and_start(r, some_shard(r), 3000 + (int64_t)pick(r, 4000));
}

static void calm(struct run *r)
{
    pass(r, 2000);
}

/* ---- all ---- */

const struct scenario scenarios[] = {
    { "calm", calm, 500, ONE_COPY },
    { "restart", restart_all, 500, IN_ORDER },
    { "kill", kill_shard, KILLED_MS, SHARDS_ONLY },
    { "kill-machine", kill_machine, CUT_MS, SHARDS_ONLY },
    { "freeze", freeze_shard, CUT_MS, 0 },
    { "cut", cut_shard_off, CUT_MS, 0 },
    { "cut-one-way", cut_one_way, CUT_MS, 0 },
    { "cut-pair", cut_pair, 0, 0 },
    { "split", split, 0, 0 },
    { "kill-front", kill_front, KILLED_MS, 0 },
    { "freeze-front", freeze_front, CUT_MS, 0 },
    { "kill-leader", kill_leader, KILLED_MS, SHARDS_ONLY },
    { "freeze-leader", freeze_leader, CUT_MS, SHARDS_ONLY },
    { "lose-leader", kill_leader, 0, 0 },
    { "slow-net", slow_net, 0, 0 },
    { "slow-disk", slow_disk, 0, 0 },
    { "clocks", clocks, KILLED_MS, 0 },
    { "resets", resets, 0, 0 },
    { "stalls", stalls, 0, LOSES },
    { "kill-one-copy", kill_shard, 0, ONE_COPY | LOSES },
    { "flush", kill_shard, 0, FLUSHES },
    { "three-kills", three_kills, 0, 0 },
    { "ten-kills", ten_kills, 0, LOSES },
    { "kill-and-freeze", kill_and_freeze, 0, LOSES },
    { "kill-with-leader", kill_with_leader, 0, 0 },
    { "chaos", chaos, 0, LOSES },
    { "add", op_add, KILLED_MS, ONE_COPY },
    { "drain", op_drain, KILLED_MS, ONE_COPY },
    { "weight", op_weight, KILLED_MS, ONE_COPY },
    { "remove", op_remove, KILLED_MS, ONE_COPY },
    { "abort", op_abort, KILLED_MS, ONE_COPY },
    { "change-kill", op_kill, 0, 0 },
    { "change-freeze", op_freeze, 0, 0 },
    { "change-kill-leader", op_kill_leader, 0, 0 },
    { "change-many", op_many, KILLED_MS, 0 },
    { "replace", replace, 0, SHORT_HOLD_DOWN },
};

const unsigned n_scenarios = sizeof(scenarios) / sizeof(scenarios[0]);

const struct scenario *scenario_find(const char *name)
{
    for (unsigned i = 0; i < n_scenarios; i++)
        if (strcmp(scenarios[i].name, name) == 0)
            return &scenarios[i];
    return NULL;
}

void scenario_roughen(struct run *r)
{
    for (unsigned i = 0; i < r->fleet.n; i++)
        for (unsigned j = 0; j < r->fleet.n; j++)
            sim_set_delay(r->fleet.nodes[i].world, r->fleet.nodes[j].world, 20,
                          200 + (int64_t)pick(r, one_in(r, 4) ? 60000 : 3000));
}

void scenario_heal(struct run *r)
{
    sim_heal_all(r->sim);
    for (unsigned i = 0; i < r->fleet.n; i++) {
        struct sim_node *n = &r->fleet.nodes[i];

        sim_set_disk(n->world, 0, 0, 0);
        for (unsigned j = 0; j < r->fleet.n; j++) {
            sim_set_delay(n->world, r->fleet.nodes[j].world, 20, 200);
            sim_set_loss(n->world, r->fleet.nodes[j].world, 0);
        }
    }
    fleet_start_all(&r->fleet);
    settle(r);
}
