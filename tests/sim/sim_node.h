/*
 * sim_node - a process of chcached on a simulated machine
 *
 *      argv --options--> struct node, its workers as loops of one world
 *
 * Crashed, it is gone with all that it had in memory; started again, it is a
 * new process with the same command line and the same files.
 */
#ifndef TESTS_SIM_SIM_NODE_H
#define TESTS_SIM_SIM_NODE_H

#include "node.h"
#include "sim_world.h"

#define SIM_ARGS_MAX 24

struct sim_node;

/* A loop's turns, and whose they are. */
struct sim_turns {
    struct sim_node *node;
    struct worker *worker;
};

struct sim_node {
    struct sim *sim;
    struct world *world;
    char name[16];
    char *argv[SIM_ARGS_MAX];   /* owned */
    int argc;
    bool is_up;                 /* there is a process, and all below is its own */
    struct options options;
    struct node node;
    struct sim_turns *turns;    /* of the control worker, then of the others */
    bool open_to_clients;
    uint64_t epoch;             /* the last that was seen of it: sim_checks */
};

/* A machine; no process yet. */
void sim_node_init(struct sim_node *n, struct sim *sim, const char *name);
void sim_node_fini(struct sim_node *n);

void sim_node_arg(struct sim_node *n, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* False, with words: it would have ended with an error. */
bool sim_node_start(struct sim_node *n, const char **why);
void sim_node_crash(struct sim_node *n, enum crash how);

/* As a SIGTERM: it ends in order, and is over when it says so. */
void sim_node_stop(struct sim_node *n);
bool sim_node_is_stopped(struct sim_node *n);

/* What all nodes log is written there, a line with its node each; NULL: nowhere. */
void sim_node_log(FILE *to);

#endif
