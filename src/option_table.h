/*
 * option_table - options.def as an array, for who goes over all options
 */
#ifndef OPTION_TABLE_H
#define OPTION_TABLE_H

#include "option_value.h"

enum option_manner { COMMON, RARE, IGNORED, REFUSED };

/* What becomes of an option, and where its value goes. */
struct option_row {
    const char *name;
    char letter;                /* 0: has none */
    enum option_manner manner;
    enum option_type type;
    size_t at;                  /* of the field in struct options */
    const char *dflt;
    struct option_range range;
    const char *arg;            /* NULL: takes no value on the command line */
    const char *help;           /* or the reason why not */
};

/* The first N_OPTIONS are those of enum option_id, in its order. */
extern const struct option_row option_rows[];
extern const size_t n_option_rows;

/* NULL where there is none. */
const struct option_row *option_row_by_letter(char letter);
const struct option_row *option_row_by_name(const char *name, size_t len);

/* The option that `name` was most likely meant to be, or NULL. */
const char *option_nearest(const char *name, size_t len);

static inline void *option_field(struct options *o, const struct option_row *r)
{
    return (char *)o + r->at;
}

/* All fields, from nothing. */
void option_defaults(struct options *o);

/*
 * Sets a row that has a field.  -1 to go on, or the exit code after a line on
 * stderr.
 */
int option_take(struct options *o, const struct option_row *r, const char *value);

#endif
