#include "option_table.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "nearest.h"
#include "option_fail.h"

const struct option_row option_rows[] = {
#define ROW(id, name, letter, manner, TYPE, dflt, min, max, ARG, help) \
    { name, letter, manner, TYPE, offsetof(struct options, id), dflt, { min, max }, ARG, help },
#define OPTION(id, name, letter, TYPE, dflt, min, max, ARG, help) \
    ROW(id, name, letter, COMMON, TYPE, dflt, min, max, ARG, help)
#define OPTION_RARE(id, name, letter, TYPE, dflt, min, max, ARG, help) \
    ROW(id, name, letter, RARE, TYPE, dflt, min, max, ARG, help)
#define OPTION_IGNORED(name, letter, ARG, reason) \
    { name, letter, IGNORED, STRING, 0, "", { "", "" }, ARG, reason },
#define OPTION_REFUSED(name, letter, reason) \
    { name, letter, REFUSED, FLAG, 0, "", { "", "" }, NULL, reason },
#include "options.def"
#undef ROW
};

#define N_ROWS (sizeof(option_rows) / sizeof(option_rows[0]))

const size_t n_option_rows = N_ROWS;

const struct option_row *option_row_by_letter(char letter)
{
    for (size_t i = 0; i < N_ROWS; i++)
        if (option_rows[i].letter == letter)
            return &option_rows[i];
    return NULL;
}

const struct option_row *option_row_by_name(const char *name, size_t len)
{
    for (size_t i = 0; i < N_ROWS; i++)
        if (strlen(option_rows[i].name) == len && memcmp(option_rows[i].name, name, len) == 0)
            return &option_rows[i];
    return NULL;
}

const char *option_nearest(const char *name, size_t len)
{
    const char *names[N_ROWS];

    for (size_t i = 0; i < N_ROWS; i++)
        names[i] = option_rows[i].name;
    return nearest_word(name, len, names, N_ROWS);
}

void option_defaults(struct options *o)
{
    memset(o, 0, sizeof(*o));
    for (const struct option_row *r = option_rows; r < option_rows + N_OPTIONS; r++) {
        void *field = option_field(o, r);
        bool in_range = true;

        if (r->type == STRING)
            *(char **)field = xstrdup(r->dflt);
        else if (*r->dflt != '\0')
            in_range = option_value_parse(r->type, r->range, r->dflt, field);
        assert(in_range);
    }
}

static int bad_value(const struct option_row *r, const char *s)
{
    const char *expected = option_value_expected(r->type);

    if (*r->range.max == '\0')
        return option_fail("--%s: read \"%s\", expected %s", r->name, s, expected);
    return option_fail("--%s: read \"%s\", expected %s, from %s to %s", r->name, s, expected,
                       r->range.min, r->range.max);
}

int option_take(struct options *o, const struct option_row *r, const char *value)
{
    const size_t id = (size_t)(r - option_rows);

    assert(id < N_OPTIONS);
    /* The first that is written takes the place of a list's default. */
    if (r->type == LIST && !o->given[id])
        option_value_fini(r->type, option_field(o, r));
    o->given[id] = true;
    if (!option_value_parse(r->type, r->range, value, option_field(o, r)))
        return bad_value(r, value);
    return -1;
}
