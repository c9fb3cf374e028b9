#include "options.h"

#include "config.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "option_value.h"
#include "options_check.h"

enum manner { COMMON, RARE, IGNORED, REFUSED };

/* What becomes of an option, and where its value goes. */
struct row {
    const char *name;
    char letter;                /* 0: has none */
    enum manner manner;
    enum option_type type;
    size_t at;                  /* of the field in struct options */
    const char *dflt;
    struct option_range range;
    const char *arg;            /* NULL: takes no value */
    const char *help;           /* or the reason why not */
};

/* The first N_OPTIONS are those of enum option_id, in its order. */
static const struct row rows[] = {
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

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static const struct row *row_by_letter(char letter)
{
    for (size_t i = 0; i < N_ROWS; i++)
        if (rows[i].letter == letter)
            return &rows[i];
    return NULL;
}

static const struct row *row_by_name(const char *name, size_t len)
{
    for (size_t i = 0; i < N_ROWS; i++)
        if (strlen(rows[i].name) == len && memcmp(rows[i].name, name, len) == 0)
            return &rows[i];
    return NULL;
}

/* Letters to put in, take out or change to make `b` of `a` (Levenshtein 1965). */
static size_t distance(const char *a, size_t a_len, const char *b)
{
    size_t far[32], b_len = strlen(b);

    assert(b_len < sizeof(far) / sizeof(far[0]));
    for (size_t j = 0; j <= b_len; j++)
        far[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t before = far[0];

        far[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t least = before + (a[i - 1] != b[j - 1]);

            before = far[j];
            if (far[j] + 1 < least)
                least = far[j] + 1;
            if (far[j - 1] + 1 < least)
                least = far[j - 1] + 1;
            far[j] = least;
        }
    }
    return far[b_len];
}

static int unknown_name(const char *name, size_t len)
{
    const char *nearest = NULL;
    size_t least = 2 + len / 4;

    for (size_t i = 0; i < N_ROWS; i++) {
        size_t far = distance(name, len, rows[i].name);

        /* The start of a word is meant to be that word. */
        if (len >= 3 && far > 1 && strncmp(name, rows[i].name, len) == 0)
            far = 1;
        if (far < least) {
            least = far;
            nearest = rows[i].name;
        }
    }
    if (nearest == NULL)
        return options_fail("unknown option --%.*s, see chcached --help", (int)len, name);
    return options_fail("unknown option --%.*s, did you mean --%s?", (int)len, name, nearest);
}

static int bad_value(const struct row *r, const char *s)
{
    const char *expected = option_value_expected(r->type);

    if (*r->range.max == '\0')
        return options_fail("--%s: read \"%s\", expected %s", r->name, s, expected);
    return options_fail("--%s: read \"%s\", expected %s, from %s to %s", r->name, s, expected,
                        r->range.min, r->range.max);
}

static int help(void)
{
    int column = 0;

    puts("Usage: chcached [OPTION]...\n"
         "A distributed cache that speaks memcached's protocol.\n");
    for (const struct row *r = rows; r < rows + N_ROWS; r++) {
        char flags[64];
        bool has_dflt = *r->dflt != '\0' && strcmp(r->dflt, "0") != 0;

        if (r->manner != COMMON)
            continue;
        if (r->letter != 0)
            printf("  -%c,", r->letter);
        else
            printf("     ");
        snprintf(flags, sizeof(flags), "--%s%s%s", r->name, r->arg != NULL ? "=" : "",
                 r->arg != NULL ? r->arg : "");
        printf(" %-27s %s%s%s%s\n", flags, r->help, has_dflt ? " (" : "",
               has_dflt ? r->dflt : "", has_dflt ? ")" : "");
    }
    for (const struct row *r = rows; r < rows + N_ROWS; r++) {
        if (r->manner != RARE)
            continue;
        if (column == 0 || column + 4 + (int)strlen(r->name) > 78)
            column = printf("%s", column == 0 ? "\nAlso" : "\n    ") - 1;
        column += printf(" --%s", r->name);
    }
    puts(".\nAll of them are explained in: man chcached");
    return 0;
}

static int version(void)
{
    puts("chcached " PACKAGE_VERSION);
    return 0;
}

static int license(void)
{
    puts("chcached " PACKAGE_VERSION "\n"
         "Copyright (c) 2026, chcached contributors.  BSD-3-Clause:\n"
         "\n"
         "Redistribution and use in source and binary forms, with or without\n"
         "modification, are permitted if the copyright notice, these conditions and\n"
         "this disclaimer are kept with the source or shown with the binary, and if\n"
         "the names of the contributors are not used to endorse what is derived.\n"
         "The software is provided \"as is\", without warranty of any kind; nobody\n"
         "is liable for damage that arises from its use.  The whole text is in the\n"
         "file LICENSE.");
    return 0;
}

/* Acts on one option; `value` is NULL for one that takes none. */
static int take(struct options *o, const struct row *r, const char *value)
{
    size_t index = (size_t)(r - rows);
    void *field = (char *)o + r->at;

    switch (r->manner) {
    case IGNORED:
        fprintf(stderr, "chcached: --%s is ignored: %s\n", r->name, r->help);
        return -1;
    case REFUSED:
        return options_fail("--%s: %s", r->name, r->help);
    case COMMON:
    case RARE:
        break;
    }
    /* The first that is written takes the place of a list's default. */
    if (r->type == LIST && !o->given[index])
        option_value_fini(r->type, field);
    o->given[index] = true;
    if (!option_value_parse(r->type, r->range, value, field))
        return bad_value(r, value);
    return o->help ? help() : o->version ? version() : o->license ? license() : -1;
}

/* "--name", "--name=value", "--name value". */
static int take_long(struct options *o, char **argv, int *i)
{
    const char *name = argv[*i] + 2;
    size_t len = strcspn(name, "=");
    const struct row *r = row_by_name(name, len);
    const char *value = name[len] == '=' ? name + len + 1 : NULL;

    if (r == NULL)
        return unknown_name(name, len);
    if (r->arg == NULL && value != NULL)
        return options_fail("--%s takes no value, read \"%s\"", r->name, value);
    if (r->arg != NULL && value == NULL && (value = argv[++*i]) == NULL)
        return options_fail("--%s needs a value, %s", r->name, r->arg);
    return take(o, r, value);
}

/* "-p 11211", "-p11211", "-vvd". */
static int take_short(struct options *o, char **argv, int *i)
{
    for (const char *letter = argv[*i] + 1; *letter != '\0'; letter++) {
        const struct row *r = row_by_letter(*letter);
        const char *value;
        int rc;

        if (r == NULL)
            return options_fail("unknown option -%c, see chcached --help", *letter);
        if (r->arg == NULL) {
            if ((rc = take(o, r, NULL)) != -1)
                return rc;
            continue;
        }
        value = letter[1] != '\0' ? letter + 1 : argv[++*i];
        if (value == NULL)
            return options_fail("-%c (--%s) needs a value, %s", r->letter, r->name, r->arg);
        return take(o, r, value);
    }
    return -1;
}

static void defaults(struct options *o)
{
    memset(o, 0, sizeof(*o));
    for (const struct row *r = rows; r < rows + N_OPTIONS; r++) {
        void *field = (char *)o + r->at;

        bool in_range = true;

        if (r->type == STRING)
            *(char **)field = xstrdup(r->dflt);
        else if (*r->dflt != '\0')
            in_range = option_value_parse(r->type, r->range, r->dflt, field);
        assert(in_range);
    }
}

int options_parse(struct options *o, int argc, char **argv)
{
    defaults(o);
    for (int i = 1; i < argc; i++) {
        int rc;

        if (strncmp(argv[i], "--", 2) == 0 && argv[i][2] != '\0')
            rc = take_long(o, argv, &i);
        else if (argv[i][0] == '-' && argv[i][1] != '\0' && argv[i][1] != '-')
            rc = take_short(o, argv, &i);
        else
            rc = options_fail("read \"%s\", expected an option", argv[i]);
        if (rc != -1)
            return rc;
    }
    return options_check(o);
}

void options_fini(struct options *o)
{
    for (const struct row *r = rows; r < rows + N_OPTIONS; r++)
        option_value_fini(r->type, (char *)o + r->at);
}
