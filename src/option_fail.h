/*
 * option_fail - what an operator is told of an option that cannot be
 *
 * One line on stderr, or to who catches it, which begins with where to look: "chcached: " for the
 * command line, "FILE:LINE: " for a line of --config.  The rest is the same.
 * Control characters in what was read come out as '?'.
 */
#ifndef OPTION_FAIL_H
#define OPTION_FAIL_H

#include "options.h"

/* What would be said is written to `line` from here on, cut to `size`, without the
 * newline; NULL: to stderr again. */
void option_fail_catch(char *line, size_t size);

/* About the command line.  Returns EX_USAGE. */
int option_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* About line `line` (from 1) of the file `path`.  Returns EX_CONFIG. */
int option_fail_line(const char *path, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* About the file as a whole.  Returns EX_CONFIG. */
int option_fail_file(const char *path, const char *why);

/* No failure: what is taken, and does nothing. */
void option_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* About the value of option `id`: one or the other, as it is from there or here. */
int option_fail_of(const struct options *o, enum option_id id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
