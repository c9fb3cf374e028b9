#include "option_table.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "nearest.h"
#include "option_fail.h"

const struct option_row option_rows[] = {
#define ROW(id, name, letter, manner, TYPE, dflt, min, max, SECTION, WHEN, ARG, help) \
    { name, letter, manner, TYPE, offsetof(struct options, id), \
      sizeof(((struct options *)0)->id), dflt, { min, max }, SECTION_##SECTION, WHEN, ARG, \
      help },
#define OPTION(id, name, letter, TYPE, dflt, min, max, SECTION, WHEN, ARG, help) \
    ROW(id, name, letter, MANNER_COMMON, TYPE, dflt, min, max, SECTION, WHEN, ARG, help)
#define OPTION_RARE(id, name, letter, TYPE, dflt, min, max, SECTION, WHEN, ARG, help) \
    ROW(id, name, letter, MANNER_RARE, TYPE, dflt, min, max, SECTION, WHEN, ARG, help)
#define OPTION_IGNORED(name, letter, ARG, reason) \
    { name, letter, MANNER_IGNORED, STRING, 0, 0, "", { "", "" }, SECTION_NONE, START, ARG, reason },
#define OPTION_REFUSED(name, letter, reason) \
    { name, letter, MANNER_REFUSED, FLAG, 0, 0, "", { "", "" }, SECTION_NONE, START, NULL, reason },
#include "options.def"
#undef ROW
};

#define N_ROWS (sizeof(option_rows) / sizeof(option_rows[0]))

const size_t n_option_rows = N_ROWS;

static const char *const section_words[] = {
    [SECTION_NODE] = "node", [SECTION_FRONT] = "front", [SECTION_ADMIN] = "admin",
    [SECTION_CLUSTER] = "cluster", [SECTION_LOG] = "log", [SECTION_SHARD] = "shard",
};

const char *option_section_word(enum option_section section)
{
    assert(section < SECTION_NONE);
    return section_words[section];
}

enum option_section option_section_of(const char *word)
{
    enum option_section s = SECTION_NODE;

    while (s < SECTION_NONE && strcmp(section_words[s], word) != 0)
        s++;
    return s;
}

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

const char *option_nearest(const char *name, size_t len, bool in_file)
{
    const char *names[N_ROWS];
    size_t n = 0;

    for (size_t i = 0; i < N_ROWS; i++)
        if (!in_file || option_rows[i].section < SECTION_SHARD)
            names[n++] = option_rows[i].name;
    return nearest_word(name, len, names, n);
}

/* The field has nothing of its own. */
static void set_default(struct options *o, const struct option_row *r)
{
    void *field = option_field(o, r);
    bool in_range = true;

    memset(field, 0, r->size);
    if (r->type == STRING)
        *(char **)field = xstrdup(r->dflt);
    else if (*r->dflt != '\0')
        in_range = option_value_parse(r->type, r->range, r->dflt, field);
    assert(in_range);
}

void option_defaults(struct options *o)
{
    memset(o, 0, sizeof(*o));
    for (size_t i = 0; i < N_OPTIONS; i++)
        set_default(o, &option_rows[i]);
}

void option_default(struct options *o, const struct option_row *r)
{
    option_value_fini(r->type, option_field(o, r));
    set_default(o, r);
    o->given[r - option_rows] = false;
    o->line[r - option_rows] = 0;
}

void option_exchange(struct options *a, struct options *b, enum option_id id)
{
    const struct option_row *r = &option_rows[id];
    const bool given = a->given[id];
    const unsigned line = a->line[id];
    char kept[64];

    assert(r->size <= sizeof(kept));
    memcpy(kept, option_field(a, r), r->size);
    memcpy(option_field(a, r), option_field(b, r), r->size);
    memcpy(option_field(b, r), kept, r->size);
    a->given[id] = b->given[id];
    a->line[id] = b->line[id];
    b->given[id] = given;
    b->line[id] = line;
}

static int bad_value(const struct options *o, const struct option_row *r, const char *s)
{
    const enum option_id id = (enum option_id)(r - option_rows);
    const char *expected = option_value_expected(r->type);

    if (*r->range.max == '\0')
        return option_fail_of(o, id, "--%s: read \"%s\", expected %s", r->name, s, expected);
    return option_fail_of(o, id, "--%s: read \"%s\", expected %s, from %s to %s", r->name, s,
                          expected, r->range.min, r->range.max);
}

int option_take(struct options *o, const struct option_row *r, const char *value,
                unsigned line)
{
    const size_t id = (size_t)(r - option_rows);

    assert(id < N_OPTIONS);
    /* The first that is written takes the place of a list's default. */
    if (r->type == LIST && !o->given[id])
        option_value_fini(r->type, option_field(o, r));
    o->given[id] = true;
    o->line[id] = line;
    if (!option_value_parse(r->type, r->range, value, option_field(o, r)))
        return bad_value(o, r, value);
    return -1;
}
