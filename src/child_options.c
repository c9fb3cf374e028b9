#include "child_options.h"

#include <stdlib.h>

#include "base/mem.h"
#include "option_table.h"

/* What a shard has as its front has it. */
static const enum option_id same[] = {
    OPTION_cluster, OPTION_disable_cas, OPTION_disable_evictions, OPTION_enable_coredumps,
    OPTION_lock_memory, OPTION_log_file, OPTION_log_format, OPTION_max_item_size,
    OPTION_move_rate, OPTION_shard_timeout,
};

#define N_SAME (sizeof(same) / sizeof(same[0]))
#define N_OTHERS 3

/* NULL where nothing is to be said: off, or no text. */
static char *word_of(const struct options *o, enum option_id id)
{
    const struct option_row *r = &option_rows[id];
    char *value, *word = NULL;

    if (r->type == FLAG)
        return *(const bool *)((const char *)o + r->at) ? xasprintf("--%s", r->name) : NULL;
    value = option_value_text(r->type, (const char *)o + r->at);
    if (value[0] != '\0')
        word = xasprintf("--%s=%s", r->name, value);
    free(value);
    return word;
}

char **child_options(const struct options *o)
{
    char **words = xzalloc((N_SAME + N_OTHERS + 1) * sizeof(*words));
    size_t n = 0;

    words[n++] = xasprintf("--memory-limit=%lluk",
                           (unsigned long long)(o->memory_limit / o->local_shards / 1024));
    words[n++] = xasprintf("--log-level=%s", o->verbose > 0 ? "debug" : o->log_level);
    words[n++] = xstrdup("--threads=1");
    for (size_t i = 0; i < N_SAME; i++)
        if ((words[n] = word_of(o, same[i])) != NULL)
            n++;
    return words;
}

void child_options_free(char **words)
{
    for (size_t i = 0; words != NULL && words[i] != NULL; i++)
        free(words[i]);
    free(words);
}
