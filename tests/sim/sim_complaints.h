/*
 * sim_complaints - what a run has done that it must not, in words
 */
#ifndef TESTS_SIM_SIM_COMPLAINTS_H
#define TESTS_SIM_SIM_COMPLAINTS_H

#include "sim_world.h"

#define COMPLAINTS_KEPT 12      /* the first; the others are counted */

struct complaints {
    struct sim *sim;
    unsigned n;
    char *words[COMPLAINTS_KEPT];       /* owned */
};

void complain(struct complaints *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void complaints_fini(struct complaints *c);

#endif
