/*
 * option_value - one value of an option, text to field
 */
#ifndef OPTION_VALUE_H
#define OPTION_VALUE_H

#include "options.h"

#define OPTION_TEXT_MAX 4095    /* bytes of a STRING: a path */

enum option_type {
    FLAG, TALLY, COUNT, OCTAL, SIZE, MEGABYTES, DURATION, STRING, LIST, ROLE, SHARDS
};

/* "1k", "128m": of the type.  "": there is no limit. */
struct option_range { const char *min, *max; };

/*
 * Puts what `s` says into `field`, which is of the type's FIELD_.  False, and
 * the field as it was, when `s` is not of the type or out of range.  TALLY,
 * LIST and SHARDS add to what is there.  `s` is NULL for a FLAG and a TALLY
 * that is there and says no more: yes, and one more.
 */
bool option_value_parse(enum option_type type, struct option_range range, const char *s,
                        void *field);

/*
 * What option_value_parse() reads as `field`; "" for an empty string.  Not for
 * LIST and SHARDS.  Free with free().
 */
char *option_value_text(enum option_type type, const void *field);

/* Whether two fields of the type hold the same. */
bool option_value_equal(enum option_type type, const void *a, const void *b);

/* What the type wants, in words: "a whole number". */
const char *option_value_expected(enum option_type type);

/* Frees what a field of the type owns. */
void option_value_fini(enum option_type type, void *field);

/* Letters, digits, '.', '_' and '-', 1 to OPTION_NAME_MAX. */
bool option_value_is_name(const char *s, size_t len);

/*
 * "ADDR", "ADDR:PORT", "[ADDR6]:PORT" or a bare ADDR6, made whole with `port`
 * where none is written; *written says whether one was.  "localhost" is
 * 127.0.0.1; no other name is one.  NULL when it is no address.  Free with free().
 */
char *option_value_address(const char *s, unsigned port, bool *written);

/* The same of a member, which may be a path or "@name" too. */
char *option_value_member(const char *s);

#endif
