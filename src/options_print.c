#include "options_print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config_file.h"
#include "option_fail.h"
#include "option_table.h"

/* Where a value is from, as the comment behind it.  Free with free(). */
static char *origin(const struct options *o, enum option_id id)
{
    if (o->line[id] > 0)
        return xasprintf("; %s:%u", o->config, o->line[id]);
    return xstrdup(o->given[id] ? "; command line" : "; default");
}

static void print_setting(const char *name, const char *value, const char *comment)
{
    /* A blank before ';' would make a comment of a value that begins with it. */
    char *text = xasprintf("%-20s =%s%s", name, value[0] == ';' ? "" : " ", value);

    if (strlen(text) + 1 + strlen(comment) <= CONFIG_LINE_MAX)
        printf("%-50s %s\n", text, comment);
    else
        printf("%s\n%s\n", comment, text);
    free(text);
}

/* "" where there is nothing to say: no socket, no pid file. */
static char *text_of(const struct options *o, enum option_id id)
{
    const struct option_row *r = &option_rows[id];

    if (id == OPTION_http && o->http[0] == '\0')
        return xstrdup("off");
    return option_value_text(r->type, (const char *)o + r->at);
}

static int cannot_hold(const struct options *o, enum option_id id, const char *value)
{
    return option_fail_of(o, id, "--%s: a file cannot hold \"%s\"", option_rows[id].name, value);
}

static int print_option(const struct options *o, enum option_id id)
{
    const struct option_row *r = &option_rows[id];
    char *text = text_of(o, id), *comment = origin(o, id);
    int rc = 0;

    if (r->type == LIST) {
        for (size_t i = 0; i < o->listen.n; i++)
            print_setting(r->name, o->listen.items[i], comment);
    } else if (text[0] != '\0' && !config_file_can_hold(text)) {
        rc = cannot_hold(o, id, text);
    } else if (text[0] != '\0') {
        print_setting(r->name, text, comment);
    }
    free(text);
    free(comment);
    return rc;
}

static int print_section(const struct options *o, enum option_section section)
{
    int rc = 0;

    printf("%s[%s]\n", section != SECTION_NODE ? "\n" : "", option_section_word(section));
    for (size_t i = 0; i < N_OPTIONS && rc == 0; i++)
        if (option_rows[i].section == section)
            rc = print_option(o, (enum option_id)i);
    return rc;
}

static int print_shards(const struct options *o)
{
    char *comment = origin(o, OPTION_shards), weight[16];
    int rc = 0;

    for (size_t i = 0; i < o->shards.n; i++) {
        const struct shard_spec *s = &o->shards.items[i];

        if (!config_file_can_hold(s->address))
            rc = cannot_hold(o, OPTION_shards, s->address);
        if (rc != 0)
            break;

        snprintf(weight, sizeof(weight), "%u", s->weight);
        printf("\n[shard \"%s\"]\n", s->name);
        print_setting("address", s->address, comment);
        print_setting("weight", weight, comment);
    }
    free(comment);
    return rc;
}

int options_print(const struct options *o)
{
    int rc = 0;

    for (int section = SECTION_NODE; section < SECTION_SHARD && rc == 0; section++)
        rc = print_section(o, (enum option_section)section);
    if (rc == 0)
        rc = print_shards(o);
    return rc;
}
