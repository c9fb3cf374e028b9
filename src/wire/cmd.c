#include "wire/cmd.h"

#include <assert.h>

#define RELATIVE_MAX ((int64_t)60 * 60 * 24 * 30)   /* seconds */

const char *verb_word(enum verb v)
{
    static const char *const words[N_VERBS] = {
#define X(name, word) [VERB_##name] = word,
        VERBS(X)
#undef X
    };

    assert(v < N_VERBS);
    return words[v];
}

const char *cmd_error_text(enum cmd_error error)
{
    static const char *const texts[] = {
#define X(name, text) [CMD_##name] = sizeof(text) > 1 ? text "\r\n" : "",
        CMD_ERRORS(X)
#undef X
    };

    assert(error <= CMD_HANG_UP);
    return texts[error];
}

int64_t exptime_to_ttl(int64_t exptime, int64_t wall_ms)
{
    int64_t at_ms;

    assert(wall_ms >= 0);
    if (exptime == 0)
        return TTL_NEVER;
    if (exptime < 0)
        return TTL_OVER;
    if (exptime <= RELATIVE_MAX)
        return exptime * 1000;

    at_ms = exptime > INT64_MAX / 1000 ? INT64_MAX : exptime * 1000;
    return at_ms > wall_ms ? at_ms - wall_ms : TTL_OVER;
}

void cmd_settle_options(struct cmd *cmd, int64_t wall_ms)
{
    cmd->vivify_ttl_ms = exptime_to_ttl(cmd->vivify_exptime, wall_ms);
    cmd->recache_ttl_ms = exptime_to_ttl(cmd->recache_exptime, wall_ms);
    cmd->form.vivify_ttl_ms = cmd->vivify_ttl_ms;
    if (cmd->ttl_is_last)
        cmd->vivify_ttl_ms = cmd->ttl_ms;
}

void copy_of_sent(struct copy *copy, const struct cmd *cmd, const struct answer *a)
{
    *copy = (struct copy){
        .kind = COPY_DELETED, .key = cmd->key, .key_len = cmd->key_len, .version = a->version,
    };
    if (a->status != STATUS_STORED || cmd->ttl_ms < 0)
        return;
    copy->kind = COPY_VALUE;
    copy->marks = ((cmd->options & OPTION_KEY_ENCODED) != 0 ? MARK_KEY_ENCODED : 0u)
                | (a->marks & MARK_TOKEN);
    copy->token = cmd->token;
    copy->client_flags = cmd->client_flags;
    copy->ttl_ms = cmd->ttl_ms;
    copy->value = cmd->value;
    copy->value_len = cmd->value_len;
}

int64_t ttl_seconds(int64_t ttl_ms)
{
    if (ttl_ms == TTL_NEVER)
        return -1;
    return ttl_ms < 0 ? 0 : ttl_ms / 1000 + (ttl_ms % 1000 != 0);
}

bool key_is_text(const char *key, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (key[i] == ' ' || key[i] == '\0' || key[i] == '\r' || key[i] == '\n')
            return false;
    return true;
}
