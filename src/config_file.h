/*
 * config_file - a file of [sections] and "name = value" lines
 *
 *      bytes --lines, checked--> inih --config_handler--> who knows the names
 *
 * inih makes names and values of lines: '#' and ';' begin a comment, also behind
 * a value where a blank stands before, ':' does what '=' does, and an indented
 * line is one more value of the name above it.  What inih would cut in silence
 * does not get to it: long lines are an error, and headings and values in quotes
 * are read here.
 */
#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

#include <stdbool.h>
#include <stdio.h>

#define CONFIG_LINE_MAX 199     /* bytes of a line, less its end; comments may be longer */
#define CONFIG_QUOTED_LINE_MAX 8399     /* the same with a value in quotes */

/* Each returns 0 to go on, or what config_file_read() is to return.  What they
 * are given is borrowed for the call; lines count from 1. */
struct config_handler {
    /* [word], or [word "name"]; `name` is NULL where none is written. */
    int (*section)(void *arg, unsigned line, const char *word, const char *name);
    int (*setting)(void *arg, unsigned line, const char *name, const char *value);
    /* The line, or the file from this line on, cannot be read, for the reason `why`. */
    int (*bad)(void *arg, unsigned line, const char *why);
    void *arg;
};

/* Reads `in` to its end, or to the first that does not return 0; 0 where all did. */
int config_file_read(FILE *in, const struct config_handler *handler);

/*
 * What stands behind "name = " so that `value`, text without control characters,
 * is read: itself, or in quotes.  Free with free().
 */
char *config_file_quote(const char *value);

#endif
