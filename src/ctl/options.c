#include "ctl/options.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/num.h"

#define MONTH_S (30 * 24 * 3600)        /* servers take what is longer for a date */
#define TTL_MOST_MS ((int64_t)10 * 365 * 24 * 3600 * 1000)

/* Those of commands are taken by commands that name their letter. */
struct option_row {
    const char *name, *arg;     /* arg NULL: takes no value */
    char letter;                /* ' ': all commands' */
    size_t at;                  /* of the field in struct ctl */
};

static const struct option_row options[] = {
    { "--server", "HOST:PORT", ' ', offsetof(struct ctl, server) },
    { "--admin", "HOST:PORT", ' ', offsetof(struct ctl, admin) },
    { "--token-file", "FILE", ' ', offsetof(struct ctl, token_file) },
    { "--no-color", NULL, ' ', offsetof(struct ctl, no_color) },
    { "--json", NULL, 'j', offsetof(struct ctl, json) },
    { "--ttl", "TIME", 't', offsetof(struct ctl, ttl) },
    { "--flags", "NUMBER", 'F', offsetof(struct ctl, flags) },
    { "--limit", "N", 'l', offsetof(struct ctl, limit) },
    { "--fetchers", NULL, 'm', offsetof(struct ctl, fetchers) },
    { "--mutations", NULL, 'm', offsetof(struct ctl, mutations) },
    { "--deletions", NULL, 'm', offsetof(struct ctl, deletions) },
    { "--evictions", NULL, 'm', offsetof(struct ctl, evictions) },
    { "--connevents", NULL, 'm', offsetof(struct ctl, connevents) },
    { "--once", NULL, 'o', offsetof(struct ctl, once) },
    { "-1", NULL, 'o', offsetof(struct ctl, once) },
    { "--sort", "COLUMN", 'o', offsetof(struct ctl, sort) },
    { "--name", "NAME", 'n', offsetof(struct ctl, name) },
    { "--clients", "N", 'b', offsetof(struct ctl, clients) },
    { "--depth", "N", 'b', offsetof(struct ctl, depth) },
    { "--size", "BYTES", 'b', offsetof(struct ctl, size) },
    { "--ratio", "GETS:SETS", 'b', offsetof(struct ctl, ratio) },
    { "--keys", "N", 'b', offsetof(struct ctl, keys) },
    { "--zipf", "EXPONENT", 'b', offsetof(struct ctl, zipf) },
    { "--duration", "TIME", 'b', offsetof(struct ctl, duration) },
    { "--requests", "N", 'b', offsetof(struct ctl, requests) },
    { "--rate", "N", 'b', offsetof(struct ctl, rate) },
    { "--no-fill", NULL, 'b', offsetof(struct ctl, no_fill) },
    { "--no-wait", NULL, 'w', offsetof(struct ctl, no_wait) },
    { "--dry-run", NULL, 'd', offsetof(struct ctl, dry_run) },
    { "--force", NULL, 'f', offsetof(struct ctl, force) },
    { "--zone", "NAME", 'z', offsetof(struct ctl, zone) },
    { "--svg", NULL, 'v', offsetof(struct ctl, svg) },
    { "--shards", "N", 's', offsetof(struct ctl, shards) },
    { "--weights", "W,W,...", 's', offsetof(struct ctl, weights) },
    { "--to-shards", "N", 's', offsetof(struct ctl, to_shards) },
    { "--to-weights", "W,W,...", 's', offsetof(struct ctl, to_weights) },
    { "--keys", "FILE", 's', offsetof(struct ctl, keys) },
    { "--n-keys", "N", 's', offsetof(struct ctl, n_keys) },
};

#define N_OPTIONS (sizeof(options) / sizeof(options[0]))

const struct option_row *options_find(const char *letters, const char *word)
{
    const size_t len = strcspn(word, "=");

    for (const struct option_row *o = options; o < options + N_OPTIONS; o++)
        if (strlen(o->name) == len && memcmp(o->name, word, len) == 0
            && (o->letter == ' ' || strchr(letters, o->letter) != NULL))
            return o;
    return NULL;
}

int options_take(struct ctl *ctl, const struct option_row *o, char **argv, int *i)
{
    const char *value = strchr(argv[*i], '=');
    void *field = (char *)ctl + o->at;

    if (o->arg == NULL && value != NULL)
        return say(EX_USAGE, "%s takes no value", o->name);
    if (o->arg == NULL) {
        *(bool *)field = true;
        return YES;
    }
    value = value != NULL ? value + 1 : argv[++*i];
    if (value == NULL)
        return say(EX_USAGE, "%s needs a value, %s", o->name, o->arg);
    *(const char **)field = value;
    return YES;
}

void options_print(const char *letters)
{
    for (const struct option_row *o = options; o < options + N_OPTIONS; o++)
        if (o->letter != ' ' && strchr(letters, o->letter) != NULL)
            printf("    %s%s%s\n", o->name, o->arg != NULL ? " " : "",
                   o->arg != NULL ? o->arg : "");
}

/* ---- values --------------------------------------------------------------- */

int options_number(const char *text, const char *what, uint32_t least, uint32_t most,
                   uint32_t *out)
{
    uint32_t v;

    if (text == NULL)
        return YES;
    if (!num_parse_u32(text, strlen(text), &v) || v < least || v > most)
        return say(EX_USAGE, "read the %s \"%s\", expected a whole number from %u to %u", what,
                   text, least, most);
    *out = v;
    return YES;
}

int options_decimal(const char *text, const char *what, double most, double *out)
{
    size_t len, places;
    uint32_t whole, part = 0;
    double v;

    if (text == NULL)
        return YES;
    len = strcspn(text, ".");
    places = text[len] == '.' ? strlen(text + len + 1) : 0;
    if (!num_parse_u32(text, len, &whole) || places > 6
        || (text[len] == '.' && !num_parse_u32(text + len + 1, places, &part)))
        return say(EX_USAGE, "read the %s \"%s\", expected a number like 0.99", what, text);
    v = part;
    while (places-- > 0)
        v /= 10;
    v += whole;
    if (v > most)
        return say(EX_USAGE, "read the %s \"%s\", expected at most %g", what, text, most);
    *out = v;
    return YES;
}

int options_duration(const char *text, const char *what, int64_t most_ms, int64_t *out_ms)
{
    int64_t v;

    if (text == NULL)
        return YES;
    if (!num_parse_duration_ms(text, strlen(text), &v) || v < 0 || v > most_ms)
        return say(EX_USAGE, "read the %s \"%s\", expected seconds, or a time like 500ms or 2m, "
                   "up to %llds", what, text, (long long)(most_ms / 1000));
    *out_ms = v;
    return YES;
}

int options_ttl(const char *text, int64_t *out)
{
    int64_t ms = 0;
    int rc = options_duration(text, "time to live", TTL_MOST_MS, &ms);

    if (text == NULL || rc != YES)
        return rc;
    if (ms % 1000 != 0)
        return say(EX_USAGE, "read the time to live \"%s\", expected whole seconds", text);
    *out = ms / 1000;
    if (*out > MONTH_S)
        *out += time(NULL);
    return YES;
}
