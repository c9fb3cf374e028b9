/*
 * options - what may stand behind "--", and what its values are
 */
#ifndef CTL_OPTIONS_H
#define CTL_OPTIONS_H

#include <stdint.h>

#include "ctl/say.h"

struct option_row;

/*
 * The option that `word`, "--name" or "--name=value", is to a command which
 * takes those of `letters`, and what all take; NULL: none.
 */
const struct option_row *options_find(const char *letters, const char *word);

/* Takes argv[*i], and the next where that is its value.  YES, or what was said. */
int options_take(struct ctl *ctl, const struct option_row *o, char **argv, int *i);

/* What a command with these letters takes, beyond what all do; a line each. */
void options_print(const char *letters);

/*
 * Values; `text` NULL leaves *out alone.  YES, or what was said: "read the WHAT
 * ..., expected ...".
 */
int options_number(const char *text, const char *what, uint32_t least, uint32_t most,
                   uint32_t *out);
/* "1.5", to six places. */
int options_decimal(const char *text, const char *what, double most, double *out);
/* "60", "5m", "250ms" */
int options_duration(const char *text, const char *what, int64_t most_ms, int64_t *out_ms);
/* A time to live as servers want it: seconds, since 1970 from 30 days on; 0: for ever. */
int options_ttl(const char *text, int64_t *out);

#endif
