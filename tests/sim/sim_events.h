/*
 * sim_events - what will happen, the next one first
 *
 * By time, then by a tie that chance drew, then in the order they were added.
 */
#ifndef TESTS_SIM_SIM_EVENTS_H
#define TESTS_SIM_SIM_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event {
    int64_t at_ns;
    uint64_t tie, order;
    void (*fn)(void *what, int64_t at_ns);
    void *what;
};

struct sim_events {
    struct event *heap;
    size_t n, cap;
    uint64_t n_added;
};

void sim_events_fini(struct sim_events *q);

/* `order` is given here. */
void sim_events_add(struct sim_events *q, struct event e);

/* The first, when it is not after `until_ns`. */
bool sim_events_take(struct sim_events *q, int64_t until_ns, struct event *e);

#endif
