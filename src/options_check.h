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

/* The addresses for clients, from the one of index `from` on; the same answer. */
int options_check_addresses(const struct options *o, size_t from);

/* What this host is called, or "" where that is no name of a member. */
void options_host_name(char name[OPTION_NAME_MAX + 1]);

#endif
