/*
 * child_options - the command line of a local shard, from that of its front
 */
#ifndef CHILD_OPTIONS_H
#define CHILD_OPTIONS_H

#include "options.h"

/* Words, NULL behind the last.  Free with child_options_free(). */
char **child_options(const struct options *o);
void child_options_free(char **words);

#endif
