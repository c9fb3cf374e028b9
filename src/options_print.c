#include "options_print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config_file.h"
#include "option_table.h"

/* Where a value is from, as the comment behind it.  Free with free(). */
static char *origin(const struct options *o, enum option_id id)
{
    if (o->line[id] > 0)
        return xasprintf("; %s:%u", o->config, o->line[id]);
    return xstrdup(o->given[id] ? "; command line" : "; default");
}

/* Behind it, or above it where there is no room for both. */
static void print_setting(const char *name, const char *value, const char *comment)
{
    char *quoted = config_file_quote(value);
    char *text = xasprintf("%-20s = %s", name, quoted);

    if (strlen(text) + 1 + strlen(comment) <= CONFIG_LINE_MAX)
        printf("%-50s %s\n", text, comment);
    else
        printf("%s\n%s\n", comment, text);
    free(text);
    free(quoted);
}

/* "" where there is nothing to say: no socket, no pid file. */
static char *text_of(const struct options *o, enum option_id id)
{
    const struct option_row *r = &option_rows[id];

    if (id == OPTION_http && o->http[0] == '\0')
        return xstrdup("off");
    return option_value_text(r->type, (const char *)o + r->at);
}

/* A row without a value is a comment: nobody said anything, and nothing is the default. */
static void print_option(const struct options *o, enum option_id id)
{
    const struct option_row *r = &option_rows[id];
    char *text = text_of(o, id), *comment = origin(o, id);

    for (size_t i = 0; r->type == LIST && i < o->listen.n; i++)
        print_setting(r->name, o->listen.items[i], comment);
    if (text[0] != '\0')
        print_setting(r->name, text, comment);
    else if (r->type != LIST || o->listen.n == 0)
        printf("; %-18s is not set %*s\n", r->name, (int)strlen(comment) + 18, comment);
    free(text);
    free(comment);
}

static void print_section(const struct options *o, enum option_section section)
{
    printf("%s[%s]\n", section != SECTION_NODE ? "\n" : "", option_section_word(section));
    for (size_t i = 0; i < N_OPTIONS; i++)
        if (option_rows[i].section == section)
            print_option(o, (enum option_id)i);
}

static void print_shards(const struct options *o)
{
    char *comment = origin(o, OPTION_shards), weight[16];

    for (size_t i = 0; i < o->shards.n; i++) {
        const struct shard_spec *s = &o->shards.items[i];

        snprintf(weight, sizeof(weight), "%u", s->weight);
        printf("\n[shard \"%s\"]\n", s->name);
        print_setting("address", s->address, comment);
        print_setting("weight", weight, comment);
    }
    free(comment);
}

void options_print(const struct options *o)
{
    for (int section = SECTION_NODE; section < SECTION_SHARD; section++)
        print_section(o, (enum option_section)section);
    print_shards(o);
}
