/*
 * option_table - options.def as an array, for who goes over all options
 */
#ifndef OPTION_TABLE_H
#define OPTION_TABLE_H

#include "option_value.h"

enum option_manner { MANNER_COMMON, MANNER_RARE, MANNER_IGNORED, MANNER_REFUSED };

/* Of a file.  What one start is to do stands in none. */
enum option_section {
    SECTION_NODE, SECTION_FRONT, SECTION_ADMIN, SECTION_CLUSTER, SECTION_LOG,
    SECTION_SHARD,              /* [shard "NAME"], made of several keys */
    SECTION_NONE
};

/* "node"; not for SECTION_NONE. */
const char *option_section_word(enum option_section section);
/* SECTION_NONE where there is no such section. */
enum option_section option_section_of(const char *word);

/* When another value of it takes effect: at the next SIGHUP, or start. */
enum option_when { LIVE, START };

/* What becomes of an option, and where its value goes. */
struct option_row {
    const char *name;
    char letter;                /* 0: has none */
    enum option_manner manner;
    enum option_type type;
    size_t at, size;            /* of the field in struct options */
    const char *dflt;
    struct option_range range;
    enum option_section section;
    enum option_when when;
    const char *arg;            /* NULL: takes no value on the command line */
    const char *help;           /* or the reason why not */
};

/* The first N_OPTIONS are those of enum option_id, in its order. */
extern const struct option_row option_rows[];
extern const size_t n_option_rows;

/* NULL where there is none. */
const struct option_row *option_row_by_letter(char letter);
const struct option_row *option_row_by_name(const char *name, size_t len);

/*
 * The option that `name` was most likely meant to be, or NULL; `in_file`: of
 * those that a file may have.
 */
const char *option_nearest(const char *name, size_t len, bool in_file);

static inline void *option_field(struct options *o, const struct option_row *r)
{
    return (char *)o + r->at;
}

/* All fields, from nothing; one field, back from what was said. */
void option_defaults(struct options *o);
void option_default(struct options *o, const struct option_row *r);

/* One setting of each for the other's, and where they are from. */
void option_exchange(struct options *a, struct options *b, enum option_id id);

/*
 * Sets a row that has a field: to `value`, which is from line `line` of
 * o->config, or from the command line (0).  What a file says takes the place of
 * a default, and so does the first of several values.  -1 to go on, or the exit
 * code after a line on stderr.
 */
int option_take(struct options *o, const struct option_row *r, const char *value,
                unsigned line);

#endif
