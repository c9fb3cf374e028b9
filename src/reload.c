#include "reload.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "daemon.h"
#include "option_fail.h"
#include "option_table.h"

#define WHY_MAX 1024

/* shards: only what differs from the settings before, so that what operators have
 * changed meanwhile stays */

static const struct shard_spec *find(const struct shard_specs *specs, const char *name)
{
    for (size_t i = 0; i < specs->n; i++)
        if (strcmp(specs->items[i].name, name) == 0)
            return &specs->items[i];
    return NULL;
}

static void ask_leader(struct node *n, const struct admin_change *change)
{
    const char *what = change->kind == JOB_ADD ? "joins" : "gets another weight", *why;
    const uint64_t id = node_change(n, change, &why);

    if (id != 0)
        log_info("reload", "a shard %s name=%s weight=%u job=%llu", what, change->name,
                 change->weight, (unsigned long long)id);
    else
        log_error("reload", "no shard %s: %s name=%s", what, why, change->name);
}

static void take_shards(struct node *n, const struct shard_specs *old,
                        const struct shard_specs *new)
{
    for (size_t i = 0; i < new->n; i++) {
        const struct shard_spec *s = &new->items[i], *was = find(old, s->name);
        const struct admin_change change = {
            .kind = was == NULL ? JOB_ADD : JOB_WEIGHT,
            .name = s->name, .address = s->address, .zone = "", .weight = s->weight,
        };

        if (was == NULL || was->weight != s->weight)
            ask_leader(n, &change);
        if (was != NULL && strcmp(was->address, s->address) != 0)
            log_info("reload", "a shard's address is what it says itself once it is started there "
                     "name=%s addr=%s", s->name, s->address);
    }
    for (size_t i = 0; i < old->n; i++)
        if (find(new, old->items[i].name) == NULL)
            log_warn("reload", "a shard is in the settings no more, and stays a member until: "
                     "chcachectl nodes remove %s", old->items[i].name);
}

/* settings */

static bool take_log_file(const char *path)
{
    if (log_open(path))
        return true;
    log_error("reload", "the log file cannot be opened: %m file=%s", path);
    return false;
}

/* What may fail.  False where this process has to be started again for it. */
static bool take(struct node *n, enum option_id id, const struct options *new)
{
    const bool by_children = id == OPTION_memory_limit || id == OPTION_log_file ||
                             id == OPTION_move_rate;

    if (by_children && n->options->local_shards > 0)
        return false;           /* they have theirs by their command lines */
    if (id == OPTION_shards)    /* others hear of them from who makes the maps */
        return n->leader != NULL || n->options->coordinator[0] != '\0';
    if (id == OPTION_memory_limit)
        return node_set_memory(n, new->memory_limit);
    if (id == OPTION_log_file)
        return take_log_file(new->log_file);
    return true;
}

/* What came of it, for one line each: "conn-limit: 100 to 200, verbose: 0 to 1". */
struct changes {
    char *text;                 /* owned; NULL: none */
    unsigned n;
};

static void note(struct changes *c, const struct option_row *r, const struct options *old,
                 const struct options *new)
{
    const char *before = c->n > 0 ? c->text : "", *comma = c->n > 0 ? ", " : "";
    char *text;

    if (r->type == LIST || r->type == SHARDS) {
        text = xasprintf("%s%s%s", before, comma, r->name);
    } else {
        char *from = option_value_text(r->type, (const char *)old + r->at);
        char *to = option_value_text(r->type, (const char *)new + r->at);

        text = xasprintf("%s%s%s: %s to %s", before, comma, r->name, from, to);
        free(from);
        free(to);
    }
    free(c->text);
    c->text = text;
    c->n++;
}

static void apply(struct options *o, struct node *n, struct options *new)
{
    struct changes applied = { NULL, 0 }, waiting = { NULL, 0 };

    for (enum option_id id = 0; id < N_OPTIONS; id++) {
        const struct option_row *r = &option_rows[id];

        if (o->fixed[id] || option_value_equal(r->type, option_field(o, r), option_field(new, r)))
            continue;
        if (r->when == LIVE && take(n, id, new)) {
            note(&applied, r, o, new);
            option_exchange(o, new, id);
        } else {
            note(&waiting, r, o, new);
        }
    }
    node_reconfigure(n);
    daemon_raise_descriptors(o);
    daemon_set_log(o);
    if (applied.n > 0)
        log_info("reload", "settings are applied changes=%s", applied.text);
    if (waiting.n > 0)
        log_warn("reload", "settings wait for a restart changes=%s", waiting.text);
    if (n->leader != NULL)      /* they were exchanged: `new` has the old ones */
        take_shards(n, &new->shards, &o->shards);
    log_info("reload", "settings were read again applied=%u waiting=%u", applied.n, waiting.n);
    free(applied.text);
    free(waiting.text);
}

void reload(struct options *o, struct node *n, int argc, char **argv)
{
    char why[WHY_MAX] = "";
    struct options new;

    option_fail_catch(why, sizeof(why));
    if (options_parse(&new, argc, argv) < 0)
        apply(o, n, &new);
    else
        log_error("reload", "all settings stay as they were: %s", why);
    option_fail_catch(NULL, 0);
    options_fini(&new);
}
