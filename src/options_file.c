#include "options_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config_file.h"
#include "nearest.h"
#include "option_fail.h"
#include "option_table.h"
#include "options_check.h"

/* [shard "NAME"] */
struct part {
    char *name, *address;       /* owned; the address NULL until it is read */
    unsigned weight;
    uint64_t memory_limit;      /* with its line */
    unsigned line, address_line, weight_line, memory_line;      /* 0: not said */
};

struct file {
    struct options said;        /* by the file alone */
    const char *path;           /* borrowed */
    bool in_section;
    enum option_section section;
    struct part *parts;         /* owned; the last one is being read */
    size_t n_parts;
};

static const char *const part_keys[] = { "address", "weight", "memory-limit" };

/* sections */

static int add_part(struct file *f, unsigned line, const char *name)
{
    if (!option_value_is_name(name, strlen(name)))
        return option_fail_line(f->path, line,
                                "[shard]: read \"%s\", expected 1 to %d letters, digits, '.', "
                                "'_' or '-'", name, OPTION_NAME_MAX);
    for (size_t i = 0; i < f->n_parts; i++)
        if (strcmp(f->parts[i].name, name) == 0)
            return option_fail_line(f->path, line,
                                    "[shard \"%s\"] is there twice, first at line %u", name,
                                    f->parts[i].line);
    f->parts = xrealloc(f->parts, (f->n_parts + 1) * sizeof(*f->parts));
    f->parts[f->n_parts++] = (struct part){ .name = xstrdup(name), .weight = 1, .line = line };
    return 0;
}

static int unknown_section(const struct file *f, unsigned line, const char *word)
{
    const char *words[SECTION_NONE], *nearest;

    for (size_t i = 0; i < SECTION_NONE; i++)
        words[i] = option_section_word((enum option_section)i);
    nearest = nearest_word(word, strlen(word), words, SECTION_NONE);
    if (nearest == NULL)
        return option_fail_line(f->path, line, "unknown section [%s], expected [node], [front], "
                                "[admin], [cluster], [log] or [shard \"NAME\"]", word);
    return option_fail_line(f->path, line, "unknown section [%s], did you mean [%s]?", word,
                            nearest);
}

static int on_section(void *arg, unsigned line, const char *word, const char *name)
{
    struct file *f = arg;

    f->section = option_section_of(word);
    f->in_section = true;
    if (f->section == SECTION_NONE)
        return unknown_section(f, line, word);
    if (f->section == SECTION_SHARD && name == NULL)
        return option_fail_line(f->path, line, "read [shard], expected [shard \"NAME\"]");
    if (f->section != SECTION_SHARD && name != NULL)
        return option_fail_line(f->path, line, "read [%s \"%s\"], expected [%s]", word, name,
                                word);
    return f->section == SECTION_SHARD ? add_part(f, line, name) : 0;
}

/* settings */

static int unknown_key(const struct file *f, unsigned line, const char *key, const char *nearest)
{
    if (nearest == NULL)
        return option_fail_line(f->path, line, "unknown key \"%s\", see man chcached.conf", key);
    return option_fail_line(f->path, line, "unknown key \"%s\", did you mean \"%s\"?", key,
                            nearest);
}

static int misplaced_key(const struct file *f, unsigned line, const char *key,
                         enum option_section section)
{
    const char *home = option_section_word(section);

    if (!f->in_section)
        return option_fail_line(f->path, line, "\"%s\" is in no section, expected it in [%s]",
                                key, home);
    return option_fail_line(f->path, line, "\"%s\" is in [%s], expected it in [%s]", key,
                            option_section_word(f->section), home);
}

static int twice(const struct file *f, unsigned line, const char *key, unsigned first)
{
    return option_fail_line(f->path, line, "\"%s\" is there twice, first at line %u", key, first);
}

static int take_address(struct file *f, struct part *p, unsigned line, const char *value)
{
    p->address = option_value_member(value);
    if (p->address == NULL)
        return option_fail_line(f->path, line,
                                "address: read \"%s\", expected ADDR:PORT with the address as a "
                                "number, or a path", value);
    return 0;
}

static int take_weight(struct file *f, struct part *p, unsigned line, const char *value)
{
    const struct option_range range = { "1", OPTION_WEIGHT_MAX_TEXT };

    if (!option_value_parse(COUNT, range, value, &p->weight))
        return option_fail_line(f->path, line,
                                "weight: read \"%s\", expected %s, from %s to %s", value,
                                option_value_expected(COUNT), range.min, range.max);
    return 0;
}

/* The option's own words say what is wrong with it. */
static int take_memory(struct file *f, struct part *p, unsigned line, const char *value)
{
    struct options scratch;
    int rc;

    option_defaults(&scratch);
    free(scratch.config);
    scratch.config = xstrdup(f->path);
    rc = option_take(&scratch, &option_rows[OPTION_memory_limit], value, line);
    p->memory_limit = scratch.memory_limit;
    options_fini(&scratch);
    return rc == -1 ? 0 : rc;
}

/* A setting of a [shard "NAME"]. */
static int take_part_key(struct file *f, unsigned line, const char *key, const char *value)
{
    struct part *p = &f->parts[f->n_parts - 1];
    unsigned *first = strcmp(key, "address") == 0 ? &p->address_line
                    : strcmp(key, "weight") == 0  ? &p->weight_line
                                                  : &p->memory_line;

    if (*first != 0)
        return twice(f, line, key, *first);
    *first = line;
    if (first == &p->address_line)
        return take_address(f, p, line, value);
    if (first == &p->weight_line)
        return take_weight(f, p, line, value);
    return take_memory(f, p, line, value);
}

static bool is_part_key(const char *key)
{
    for (size_t i = 0; i < sizeof(part_keys) / sizeof(part_keys[0]); i++)
        if (strcmp(key, part_keys[i]) == 0)
            return true;
    return false;
}

static int take_option(struct file *f, const struct option_row *r, unsigned line,
                       const char *value)
{
    const size_t id = (size_t)(r - option_rows);
    const size_t had = f->said.given[OPTION_listen] ? f->said.listen.n : 0;
    int rc;

    if (f->said.given[id] && r->type != LIST)
        return twice(f, line, r->name, f->said.line[id]);
    rc = option_take(&f->said, r, value, line);
    if (rc == -1 && id == OPTION_listen)        /* the line is not known any more later */
        rc = options_check_addresses(&f->said, had);
    return rc == -1 ? 0 : rc;
}

static int on_setting(void *arg, unsigned line, const char *key, const char *value)
{
    struct file *f = arg;
    const struct option_row *r = option_row_by_name(key, strlen(key));
    const bool in_part = f->in_section && f->section == SECTION_SHARD;
    const char *nearest;

    if (in_part && is_part_key(key))
        return take_part_key(f, line, key, value);
    if (r != NULL && (r->manner == MANNER_IGNORED || r->manner == MANNER_REFUSED))
        return option_fail_line(f->path, line, "\"%s\" is not for a file: %s", key, r->help);
    if (r != NULL && r->section == SECTION_NONE)
        return option_fail_line(f->path, line, "\"%s\" is not for a file: it says what one start "
                                "is to do, on its command line", key);
    if (r != NULL && r->section == SECTION_SHARD)
        return option_fail_line(f->path, line, "\"%s\" is not for a file: each shard has its "
                                "section, [shard \"NAME\"]", key);
    if (r != NULL && (!f->in_section || r->section != f->section))
        return misplaced_key(f, line, key, r->section);
    if (r != NULL)
        return take_option(f, r, line, value);
    nearest = in_part ? nearest_word(key, strlen(key), part_keys, 3)
                      : option_nearest(key, strlen(key), true);
    return unknown_key(f, line, key, nearest);
}

static int on_bad(void *arg, unsigned line, const char *why)
{
    return option_fail_line(((struct file *)arg)->path, line, "%s", why);
}

/* what it comes to */

static int check_parts(const struct file *f)
{
    for (size_t i = 0; i < f->n_parts; i++) {
        const struct part *p = &f->parts[i];

        if (p->address == NULL)
            return option_fail_line(f->path, p->line,
                                    "[shard \"%s\"] has no address, expected "
                                    "\"address = ADDR:PORT\" in it", p->name);
        for (size_t j = 0; j < i; j++)
            if (strcmp(f->parts[j].address, p->address) == 0)
                return option_fail_line(f->path, p->address_line,
                                        "--shard: %s and %s have one address, %s",
                                        f->parts[j].name, p->name, p->address);
    }
    return -1;
}

/* The command line wins; its fields stay. */
static void merge(struct options *o, struct options *said)
{
    for (enum option_id id = 0; id < N_OPTIONS; id++)
        if (!o->given[id] && said->given[id])
            option_exchange(o, said, id);
}

static const struct part *own_part(const struct file *f, const struct options *o)
{
    char host[OPTION_NAME_MAX + 1];
    const char *name = o->name;

    if (!o->given[OPTION_name]) {
        options_host_name(host);
        name = host;
    }
    for (size_t i = 0; i < f->n_parts; i++)
        if (strcmp(f->parts[i].name, name) == 0)
            return &f->parts[i];
    return NULL;
}

static void give(struct options *o, enum option_id id, unsigned line)
{
    o->given[id] = true;
    o->line[id] = line;
}

/* What its own section says of this process, where the command line does not. */
static void play_part(struct options *o, const struct part *p)
{
    if (!o->given[OPTION_name]) {
        free(o->name);
        o->name = xstrdup(p->name);
        give(o, OPTION_name, p->line);
    }
    if (!o->given[OPTION_peer]) {
        free(o->peer);
        o->peer = xstrdup(p->address);
        give(o, OPTION_peer, p->address_line);
    }
    if (p->memory_line != 0
        && (!o->given[OPTION_memory_limit] || o->line[OPTION_memory_limit] > 0)) {
        o->memory_limit = p->memory_limit;
        give(o, OPTION_memory_limit, p->memory_line);
    }
}

/* For who makes the first map, or is told no other. */
static void list_shards(struct options *o, const struct file *f)
{
    o->shards.items = xzalloc(f->n_parts * sizeof(*o->shards.items));
    for (size_t i = 0; i < f->n_parts; i++)
        o->shards.items[o->shards.n++] = (struct shard_spec){
            xstrdup(f->parts[i].name), xstrdup(f->parts[i].address), f->parts[i].weight,
        };
    give(o, OPTION_shards, f->parts[0].line);
}

/* The addresses of clients and operators in a file are those of its fronts. */
static void pass_over_fronts(struct options *o)
{
    static const enum option_id ids[] = {
        OPTION_port, OPTION_listen, OPTION_unix_socket, OPTION_http,
    };

    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
        if (o->line[ids[i]] > 0)
            option_default(o, &option_rows[ids[i]]);
}

/* Who this process is among the shards of the file: the one of its name, or a front. */
static void choose_part(struct options *o, const struct file *f)
{
    const struct part *own = own_part(f, o);
    const bool by_name = f->n_parts > 0 && !o->given[OPTION_shards] && !o->given[OPTION_role];

    if (by_name) {
        o->role = own != NULL ? ROLE_SHARD : ROLE_FRONT;
        give(o, OPTION_role, own != NULL ? own->line : f->parts[0].line);
    }
    if (own != NULL && o->role != ROLE_FRONT && !o->given[OPTION_shards])
        play_part(o, own);
    if (f->n_parts > 0 && !o->given[OPTION_shards]
        && !(by_name && own != NULL && !options_leads(o)))
        list_shards(o, f);
    if (o->role == ROLE_SHARD)
        pass_over_fronts(o);
}

static int read_all(struct file *f, const char *path)
{
    const struct config_handler handler = { on_section, on_setting, on_bad, f };
    FILE *in = fopen(path, "re");
    int rc;

    if (in == NULL)
        return option_fail_file(path, strerror(errno));
    rc = config_file_read(in, &handler);
    fclose(in);
    return rc != 0 ? rc : check_parts(f);
}

int options_file_read(struct options *o)
{
    struct file f = { .path = o->config };
    int rc;

    option_defaults(&f.said);
    free(f.said.config);
    f.said.config = xstrdup(o->config);
    rc = read_all(&f, o->config);
    if (rc == -1) {
        merge(o, &f.said);
        choose_part(o, &f);
    }
    for (size_t i = 0; i < f.n_parts; i++) {
        free(f.parts[i].name);
        free(f.parts[i].address);
    }
    free(f.parts);
    options_fini(&f.said);
    return rc;
}
