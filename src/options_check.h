/*
 * options_check - options against each other
 */
#ifndef OPTIONS_CHECK_H
#define OPTIONS_CHECK_H

#include "options.h"

/*
 * Judges values that are right alone but not together, and fills in what
 * follows from others (see struct options).  -1 to go on, or the exit code.
 */
int options_check(struct options *o);

#endif
