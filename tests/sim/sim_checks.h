/*
 * sim_checks - what must hold of the nodes, seen from inside
 */
#ifndef TESTS_SIM_SIM_CHECKS_H
#define TESTS_SIM_SIM_CHECKS_H

#include "sim_fleet.h"

struct checks {
    struct fleet *fleet;
    unsigned n_keys;
    bool stopped;
};

/*
 * From now on, now and then: at most one node may serve a key as its owner, and
 * no process goes back to an older map.
 */
void checks_begin(struct checks *c, struct fleet *fleet, unsigned n_keys);
void checks_end(struct checks *c);

/* Whether each key is in its chain and nowhere else, everywhere the same and
 * confirmed; else the first thing that is not so, in words. */
bool checks_copies(struct checks *c, char *why, size_t size);

/* Who has to do with a key and what each has of it, into the trace. */
void checks_tell(struct checks *c, unsigned key);

#endif
