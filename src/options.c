#include "options.h"

#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "option_extended.h"
#include "option_fail.h"
#include "option_table.h"
#include "options_check.h"
#include "options_file.h"
#include "options_print.h"

static int unknown_name(const char *name, size_t len)
{
    const char *nearest = option_nearest(name, len, false);

    if (nearest == NULL)
        return option_fail("unknown option --%.*s, see chcached --help", (int)len, name);
    return option_fail("unknown option --%.*s, did you mean --%s?", (int)len, name, nearest);
}

static int unknown_letter(char letter)
{
    const char other = (char)(isupper((unsigned char)letter) ? tolower((unsigned char)letter)
                                                             : toupper((unsigned char)letter));
    const struct option_row *r = option_row_by_letter(other);

    if (letter == other || r == NULL)
        return option_fail("unknown option -%c, see chcached --help", letter);
    return option_fail("unknown option -%c, did you mean -%c (--%s)?", letter, r->letter, r->name);
}

static int help(void)
{
    puts("Usage: chcached [OPTION]...\n"
         "A distributed cache that speaks memcached's protocol.\n");
    for (const struct option_row *r = option_rows; r < option_rows + n_option_rows; r++) {
        char flags[64];
        bool has_dflt = *r->dflt != '\0' && strcmp(r->dflt, "0") != 0;

        if (r->manner != MANNER_COMMON)
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
    puts("\nThese are the most used.  All are explained in: man chcached");
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
static int take(struct options *o, const struct option_row *r, const char *value)
{
    int rc;

    switch (r->manner) {
    case MANNER_IGNORED:
        if (r->letter == 'o' && (rc = option_extended_check(value)) != -1)
            return rc;
        option_warn("--%s is ignored: %s", r->name, r->help);
        return -1;
    case MANNER_REFUSED:
        return option_fail("--%s: %s", r->name, r->help);
    case MANNER_COMMON:
    case MANNER_RARE:
        break;
    }
    rc = option_take(o, r, value, 0);
    if (rc != -1)
        return rc;
    return o->help ? help() : o->version ? version() : o->license ? license() : -1;
}

/* "--name", "--name=value", "--name value". */
static int take_long(struct options *o, char **argv, int *i)
{
    const char *name = argv[*i] + 2;
    size_t len = strcspn(name, "=");
    const struct option_row *r = option_row_by_name(name, len);
    const char *value = name[len] == '=' ? name + len + 1 : NULL;

    if (r == NULL)
        return unknown_name(name, len);
    if (r->arg == NULL && value != NULL && r->manner != MANNER_REFUSED)
        return option_fail("--%s takes no value, read \"%s\"", r->name, value);
    if (r->arg != NULL && value == NULL && (value = argv[++*i]) == NULL)
        return option_fail("--%s needs a value, %s", r->name, r->arg);
    return take(o, r, value);
}

/* "-threads", which would be -t with a value that nobody meant. */
static bool is_long_name(const char *word)
{
    const size_t len = strcspn(word, "=");

    return len > 1 && option_row_by_name(word, len) != NULL;
}

/* As memcached reads "-m 64" that is one word: many a container is given such. */
static const char *past_blanks(const char *s)
{
    return s + strspn(s, " ");
}

/* "-p 11211", "-p11211", "-vvd". */
static int take_short(struct options *o, char **argv, int *i)
{
    const char *word = argv[*i];

    if (is_long_name(word + 1))
        return option_fail("read \"%s\", did you mean -%s?", word, word);
    for (const char *letter = word + 1; *letter != '\0'; letter++) {
        const struct option_row *r = option_row_by_letter(*letter);
        const char *value;
        int rc;

        if (r == NULL)
            return unknown_letter(*letter);
        if (r->arg == NULL) {
            if ((rc = take(o, r, NULL)) != -1)
                return rc;
            continue;
        }
        value = letter[1] != '\0' ? past_blanks(letter + 1) : argv[++*i];
        if (value == NULL)
            return option_fail("-%c (--%s) needs a value, %s", r->letter, r->name, r->arg);
        return take(o, r, value);
    }
    return -1;
}

static int parse_words(struct options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        int rc;

        if (argv[i][0] == '\0')         /* "${OPTIONS}" of a unit, and there are none */
            continue;
        if (strncmp(argv[i], "--", 2) == 0 && argv[i][2] != '\0')
            rc = take_long(o, argv, &i);
        else if (argv[i][0] == '-' && argv[i][1] != '\0' && argv[i][1] != '-')
            rc = take_short(o, argv, &i);
        else
            rc = option_fail("read \"%s\", expected an option", argv[i]);
        if (rc != -1)
            return rc;
    }
    return -1;
}

static int say_fine(const struct options *o)
{
    printf("%s: OK\n", o->given[OPTION_config] ? o->config : "command line");
    return 0;
}

int options_parse(struct options *o, int argc, char **argv)
{
    int rc;

    option_defaults(o);
    if ((rc = parse_words(o, argc, argv)) != -1
        || (o->given[OPTION_config] && (rc = options_file_read(o)) != -1)
        || (rc = options_check(o)) != -1)
        return rc;
    if (o->print_config)
        options_print(o);
    return o->print_config ? 0 : o->test_config ? say_fine(o) : -1;
}

void options_fini(struct options *o)
{
    for (const struct option_row *r = option_rows; r < option_rows + N_OPTIONS; r++)
        option_value_fini(r->type, option_field(o, r));
}
