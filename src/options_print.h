/*
 * options_print - the settings of a process as a file for --config
 */
#ifndef OPTIONS_PRINT_H
#define OPTIONS_PRINT_H

#include "options.h"

/*
 * Prints what options_parse() came to on stdout, and where each setting is from;
 * what has no value, as a comment.
 */
void options_print(const struct options *o);

#endif
