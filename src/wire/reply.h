/*
 * reply - answers as memcached's text protocol writes them
 */
#ifndef WIRE_REPLY_H
#define WIRE_REPLY_H

#include "wire/cmd.h"

/* "VALUE " key " flags bytes cas\r\n", the longest there is. */
#define REPLY_HEAD_MAX (6 + KEY_MAX + 1 + 10 + 1 + 20 + 1 + 20 + 2)

/* Writes the VALUE line before a value, with the version where `with_cas`;
 * returns the end.  Value and \r\n follow. */
char *reply_put_value_head(char *out, const char *key, size_t key_len,
                           const struct answer *a, bool with_cas);

/*
 * The line that answers `verb` with `a`: not for a STATUS_HIT, and a get's
 * miss has none.  Returns its length; at most REPLY_LINE_MAX.
 */
#define REPLY_LINE_MAX 80
size_t reply_put_line(char *out, enum verb verb, const struct answer *a);

#endif
