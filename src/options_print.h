/*
 * options_print - the settings of a process as a file for --config
 */
#ifndef OPTIONS_PRINT_H
#define OPTIONS_PRINT_H

#include "options.h"

/*
 * Prints what options_parse() came to on stdout, and where each setting is from.
 * Returns the exit code: 0, or that of a line on stderr about a value that no
 * file can hold.
 */
int options_print(const struct options *o);

#endif
