/*
 * secret - a word that is kept in a file for few
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#define SECRET_MIN 16           /* bytes: less can be guessed */
#define SECRET_MAX 512

/* The one line of a file's text: letters, digits and signs without a blank.  `out` has
 * room for SECRET_MAX + 1 bytes.  NULL, or why it is none. */
const char *secret_parse(const char *text, size_t len, char *out);

/* The same of a file that others may not read, and only its owner may write.  The words
 * hold until the next call. */
const char *secret_read(const char *path, char *out);

#endif
