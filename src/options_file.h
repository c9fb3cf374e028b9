/*
 * options_file - what the file of --config says
 *
 *      [node] threads = 4      the option of that name, in its section
 *      [shard "s1"]            a --shard; and of the process of that name the
 *                              part that it plays
 *
 * The same file goes to every host: the name of a process says which part is
 * its own.
 */
#ifndef OPTIONS_FILE_H
#define OPTIONS_FILE_H

#include "options.h"

/*
 * Fills in what o->config says and the command line, already in `o`, does not.
 * -1 to go on, or the exit code after a line on stderr.
 */
int options_file_read(struct options *o);

#endif
