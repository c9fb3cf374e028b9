/*
 * sim_scenario - what befalls a cluster under load
 */
#ifndef TESTS_SIM_SIM_SCENARIO_H
#define TESTS_SIM_SIM_SCENARIO_H

#include "sim_checks.h"
#include "sim_crowd.h"

/* One simulation, from its seed on. */
struct run {
    struct sim *sim;
    struct complaints complaints;
    struct fleet fleet;
    struct crowd *crowd;
    struct checks checks;
    bool is_rough;              /* slow ways: no outage is held against anybody */
    bool is_mixing;
    bool is_hushed;             /* clients fell silent: none can be measured */
};

enum trait {
    LOSES = 1,                  /* all copies of something may go */
    FLUSHES = 2,
    ONE_COPY = 4,               /* may be tried with replicas 1 */
    SHORT_HOLD_DOWN = 8,        /* lost members are replaced soon */
    SHARDS_ONLY = 16,           /* the leader keeps no items */
    IN_ORDER = 32               /* no request of a client may end in doubt */
};

struct scenario {
    const char *name;
    void (*play)(struct run *r);
    int64_t outage_ms;          /* no key may be longer without an answer; 0: it may */
    unsigned traits;            /* enum trait, together */
};

extern const struct scenario scenarios[];
extern const unsigned n_scenarios;

/* NULL: there is none of that name. */
const struct scenario *scenario_find(const char *name);

/* Ways between nodes are slow, each in its own way. */
void scenario_roughen(struct run *r);

/* All that was done to the world is taken back, who is down is started. */
void scenario_heal(struct run *r);

#endif
