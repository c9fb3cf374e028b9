/*
 * memcached - the text protocol, as all commands that speak it need it
 *
 * A command takes a connection, which is opened when something is asked first,
 * and its own arguments, and returns the exit status, having said what there was
 * to say.
 */
#ifndef CTL_MEMCACHED_H
#define CTL_MEMCACHED_H

#include <stdint.h>

#include "ctl/conn.h"
#include "ctl/say.h"

#define MEMCACHED_KEY_MAX 250

int memcached_ping(const struct ctl *ctl, struct conn *c, char **argv);
int memcached_version(const struct ctl *ctl, struct conn *c, char **argv);

/* Sends, and reads one line, valid until the next is read.  YES, or what was said. */
int memcached_ask(struct conn *c, const char *request, size_t len, char **line);

/* YES, or what was said: it has no length that can be, or a blank. */
int memcached_check_key(const char *key);
int memcached_check_word(const char *word, const char *what);

/* "name" to the bytes, in base64 as "name_base64" if they are no text. */
void memcached_set_bytes(json_t *object, const char *name, const char *data, size_t len);

/* "12" and "0.5" are numbers, "1.6.45" and "0x1f" are text. */
json_t *memcached_value(const char *text);

/* "a%2Fb" becomes "a/b", in place; returns the length, for there may be a NUL. */
size_t memcached_decode(char *text);

/* The words of a line, in place; returns how many, `most` at most. */
size_t memcached_split(char *line, char **words, size_t most);

#endif
