/*
 * reply - answers as memcached's text protocol writes them
 */
#ifndef WIRE_REPLY_H
#define WIRE_REPLY_H

#include <assert.h>

#include "base/bytes.h"
#include "base/num.h"
#include "wire/cmd.h"

/* "VALUE " key " flags bytes cas\r\n", the longest there is. */
#define REPLY_HEAD_MAX (6 + KEY_MAX + 1 + 10 + 1 + 20 + 1 + 20 + 2)

/* Writes the VALUE line before a value, with the version where `with_cas`;
 * returns the end.  Value and \r\n follow.  Inlined, because every hit takes
 * this way. */
static inline char *reply_put_value_head(char *out, const char *key, size_t key_len,
                                         const struct answer *a, bool with_cas)
{
    assert(key_len <= KEY_MAX);
    out = bytes_put(out, "VALUE ", 6);
    out = bytes_put(out, key, key_len);
    *out++ = ' ';
    out = num_put_u64(out, a->client_flags);
    *out++ = ' ';
    out = num_put_u64(out, a->value_len);
    if (with_cas) {
        *out++ = ' ';
        out = num_put_u64(out, answer_token(a));
    }
    return bytes_put(out, "\r\n", 2);
}

/*
 * The line that answers `verb` with `a`: not for a STATUS_HIT, and a get's
 * miss has none.  Returns its length; at most REPLY_LINE_MAX.
 */
#define REPLY_LINE_MAX 80
size_t reply_put_line(char *out, enum verb verb, const struct answer *a);

#endif
