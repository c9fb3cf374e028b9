#include "store/judge.h"

#include <assert.h>

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/*
 * A value as memcached's strtoull reads it: blanks and a sign may come first,
 * a blank or a NUL may end it.  With a '-' the number is taken modulo 2^64 and
 * refused where it would then be negative: "-0" is a number, "-1" is none.
 */
static bool read_number(const char *s, size_t len, uint64_t *out)
{
    bool minus = false;
    size_t i = 0, first;

    while (i < len && is_space(s[i]))
        i++;
    if (i < len && (s[i] == '+' || s[i] == '-'))
        minus = s[i++] == '-';
    first = i;
    while (i < len && is_digit(s[i]))
        i++;
    if (i < len && s[i] != '\0' && !is_space(s[i]))
        return false;
    if (!num_parse_u64(s + first, i - first, out))
        return false;
    if (minus)
        *out = 0 - *out;
    return !minus || *out <= INT64_MAX;
}

static void verdict(struct verdict *v, enum status status, unsigned deeds)
{
    v->status = status;
    v->deeds = deeds;
}

static bool wants(const struct cmd *cmd, enum option option)
{
    return (cmd->options & option) != 0;
}

/* The block of the command becomes the value. */
static void write_value(struct verdict *v, const struct cmd *cmd)
{
    verdict(v, STATUS_STORED, DEED_WRITE);
    v->client_flags = cmd->client_flags;
    v->marks = wants(cmd, OPTION_KEY_ENCODED) ? ITEM_KEY_ENCODED : 0;
    v->token = cmd->token;
    v->keep_ttl = false;
    v->ttl_ms = cmd->ttl_ms;
    v->piece[0] = (struct piece){ cmd->value, cmd->value_len };
    v->piece[1] = (struct piece){ NULL, 0 };
    v->value_len = cmd->value_len;
}

/* What is there becomes something else: it keeps what is not said anew. */
static void rewrite(struct verdict *v, const struct cmd *cmd, const struct item *it,
                    enum status status)
{
    verdict(v, status, DEED_WRITE);
    v->client_flags = it->client_flags;
    v->marks = item_told(it) & ~(unsigned)ITEM_TOKEN;
    v->token = cmd->token;
    v->keep_ttl = !wants(cmd, OPTION_TTL);
    v->ttl_ms = cmd->ttl_ms;
    v->piece[0] = (struct piece){ it->value, it->value_len };
    v->piece[1] = (struct piece){ NULL, 0 };
    v->value_len = it->value_len;
}

/* There was nothing, and the command makes an item of its own. */
static void vivify(struct verdict *v, const struct cmd *cmd)
{
    write_value(v, cmd);
    v->ttl_ms = cmd->vivify_ttl_ms;
    v->told = MARK_CREATED;
}

static bool is_other(const struct cmd *cmd, const struct item *it,
                     const struct judge_rules *rules)
{
    return !rules->cas || cmd->cas == 0 || cmd->cas != item_token(it);
}

/* ---- reading ---- */

/* One reader of an item that is stale, or will be soon, is told to renew it. */
static bool wins(const struct cmd *cmd, const struct item *it, int64_t ttl_ms)
{
    if (!wants(cmd, OPTION_WIN) || (it->marks & ITEM_WON) != 0)
        return false;
    if ((it->marks & ITEM_STALE) != 0)
        return true;
    if (wants(cmd, OPTION_TTL_FIRST))
        ttl_ms = cmd->ttl_ms;
    return wants(cmd, OPTION_RECACHE) && ttl_ms != TTL_NEVER
        && ttl_seconds(ttl_ms) < ttl_seconds(cmd->recache_ttl_ms);
}

static void judge_get(struct verdict *v, const struct cmd *cmd, const struct item *it,
                      int64_t ttl_ms, const struct judge_rules *rules)
{
    const bool touches = cmd->verb == VERB_GAT || cmd->verb == VERB_GATS;
    enum status status = wants(cmd, OPTION_NO_VALUE) ? STATUS_HEAD : STATUS_HIT;

    if (it == NULL && wants(cmd, OPTION_VIVIFY)) {
        vivify(v, cmd);
        v->status = wants(cmd, OPTION_COMPARE) && cmd->cas != 0 && cmd->cas == cmd->token
                  ? STATUS_HEAD : status;
        v->client_flags = 0;
        v->marks |= ITEM_WON | (wants(cmd, OPTION_NO_USE) ? 0 : ITEM_FETCHED);
        v->told |= MARK_WIN;
        return;
    }
    if (it == NULL) {
        verdict(v, STATUS_NOT_FOUND, 0);
        return;
    }
    if (wants(cmd, OPTION_COMPARE) && !is_other(cmd, it, rules))
        status = STATUS_HEAD;
    verdict(v, status, DEED_SHOW | (touches ? DEED_TOUCH : 0u)
                       | (wants(cmd, OPTION_NO_USE) ? 0u : DEED_USE));
    if (wins(cmd, it, ttl_ms)) {
        v->deeds |= DEED_WIN;
        v->told = MARK_WIN;
    }
}

/* ---- storing ---- */

/*
 * With OPTION_INVALIDATE a token older than the item's stores too: the value
 * is newer than nothing, but stale, and lives no longer than what it replaces.
 */
static void judge_cas(struct verdict *v, const struct cmd *cmd, const struct item *it,
                      const struct judge_rules *rules)
{
    if (it == NULL) {
        verdict(v, STATUS_NOT_FOUND, 0);
    } else if (!is_other(cmd, it, rules)) {
        write_value(v, cmd);
    } else if (wants(cmd, OPTION_INVALIDATE) && rules->cas && cmd->cas != 0
               && cmd->cas < item_token(it)) {
        write_value(v, cmd);
        v->keep_ttl = true;
        v->marks |= ITEM_STALE | (it->marks & ITEM_WON);
    } else {
        verdict(v, STATUS_EXISTS, 0);
    }
}

static void judge_join(struct verdict *v, const struct cmd *cmd, const struct item *it,
                       const struct judge_rules *rules)
{
    const size_t len = it == NULL ? 0 : it->value_len + cmd->value_len;

    if (it == NULL && wants(cmd, OPTION_VIVIFY)) {
        vivify(v, cmd);
        return;
    }
    if (it != NULL && wants(cmd, OPTION_COMPARE) && cmd->cas != 0 && is_other(cmd, it, rules)) {
        verdict(v, STATUS_EXISTS, 0);
        return;
    }
    if (it == NULL || !item_fits(it->key_len, len, rules->max_item_bytes)) {
        verdict(v, STATUS_NOT_STORED, 0);
        return;
    }

    const struct piece old = { it->value, it->value_len };
    const struct piece more = { cmd->value, cmd->value_len };
    const bool append = cmd->verb == VERB_APPEND;

    rewrite(v, cmd, it, STATUS_STORED);
    v->marks &= ITEM_KEY_ENCODED;       /* memcached's is a new item */
    v->piece[0] = append ? old : more;
    v->piece[1] = append ? more : old;
    v->value_len = len;
}

/* ---- changing ---- */

static void write_number(struct verdict *v, uint64_t n)
{
    const size_t len = (size_t)(num_put_u64(v->digits, n) - v->digits);

    v->status = STATUS_NUMBER;
    v->number = n;
    v->piece[0] = (struct piece){ v->digits, len };
    v->value_len = len > v->value_len ? len : v->value_len;
}

static void judge_number(struct verdict *v, const struct cmd *cmd, const struct item *it,
                         const struct judge_rules *rules)
{
    uint64_t n;

    if (it == NULL && wants(cmd, OPTION_VIVIFY)) {
        vivify(v, cmd);
        v->client_flags = 0;
        v->value_len = 0;
        write_number(v, cmd->initial);
        return;
    }
    if (it == NULL) {
        verdict(v, STATUS_NOT_FOUND, 0);
        return;
    }
    if (it->value_len == 0) {
        verdict(v, STATUS_NON_NUMERIC, 0);
        return;
    }
    if (wants(cmd, OPTION_COMPARE) && cmd->cas != 0 && is_other(cmd, it, rules)) {
        verdict(v, STATUS_EXISTS, 0);
        return;
    }
    if (!read_number(it->value, it->value_len, &n)) {
        verdict(v, STATUS_NON_NUMERIC, 0);
        return;
    }
    if (cmd->verb == VERB_INCR)
        n += cmd->delta;
    else
        n = n > cmd->delta ? n - cmd->delta : 0;

    rewrite(v, cmd, it, STATUS_NUMBER);
    write_number(v, n);
    if (v->value_len > it->value_len) {         /* memcached's is a new item then */
        if (!item_fits(it->key_len, v->value_len, rules->max_item_bytes))
            verdict(v, STATUS_NO_MEMORY, 0);
        v->marks &= ITEM_KEY_ENCODED;
    }
}

/* A delete that leaves something: a stale item, or an empty one. */
static void judge_delete(struct verdict *v, const struct cmd *cmd, const struct item *it,
                         const struct judge_rules *rules)
{
    if (it == NULL) {
        verdict(v, STATUS_NOT_FOUND, 0);
        return;
    }
    if (wants(cmd, OPTION_COMPARE) && is_other(cmd, it, rules)) {
        verdict(v, STATUS_EXISTS, 0);
        return;
    }
    if (!wants(cmd, OPTION_INVALIDATE) && !wants(cmd, OPTION_REMOVE_VALUE)) {
        verdict(v, STATUS_DELETED, DEED_REMOVE);
        return;
    }
    rewrite(v, cmd, it, STATUS_DELETED);
    if (wants(cmd, OPTION_REMOVE_VALUE)) {
        v->client_flags = cmd->client_flags;
        v->keep_ttl = false;
        v->marks &= ITEM_KEY_ENCODED;
        v->piece[0].len = v->value_len = 0;
        if (!wants(cmd, OPTION_TOKEN) && !wants(cmd, OPTION_INVALIDATE))
            v->token = item_token(it);  /* clients see no other item */
    }
    if (wants(cmd, OPTION_INVALIDATE))
        v->marks = (v->marks | ITEM_STALE) & ~(unsigned)ITEM_WON;
}

/* Refused before any condition is looked at, as memcached does; only a set
 * says that what is there is old. */
static bool is_too_large(const struct cmd *cmd, const struct judge_rules *rules)
{
    return verb_has_value(cmd->verb)
        && !item_fits(cmd->key_len, cmd->value_len, rules->max_item_bytes);
}

void judge(struct verdict *v, const struct cmd *cmd, const struct item *it, int64_t ttl_ms,
           const struct judge_rules *rules)
{
    v->told = 0;
    v->number = 0;
    if (is_too_large(cmd, rules)) {
        verdict(v, STATUS_TOO_LARGE, cmd->verb == VERB_SET ? DEED_REMOVE : 0);
        return;
    }

    switch (cmd->verb) {
    case VERB_GET:
    case VERB_GETS:
    case VERB_GAT:
    case VERB_GATS:
        judge_get(v, cmd, it, ttl_ms, rules);
        return;
    case VERB_TOUCH:
        if (it == NULL)
            verdict(v, STATUS_NOT_FOUND, 0);
        else
            verdict(v, STATUS_TOUCHED, DEED_TOUCH | DEED_USE);
        return;
    case VERB_DELETE:
        judge_delete(v, cmd, it, rules);
        return;
    case VERB_SET:
        write_value(v, cmd);
        v->deeds |= DEED_REMOVE;
        return;
    case VERB_ADD:
        if (it == NULL)
            write_value(v, cmd);
        else
            verdict(v, STATUS_NOT_STORED, DEED_USE);
        return;
    case VERB_REPLACE:
        if (it != NULL)
            write_value(v, cmd);
        else
            verdict(v, STATUS_NOT_STORED, 0);
        return;
    case VERB_CAS:
        judge_cas(v, cmd, it, rules);
        return;
    case VERB_APPEND:
    case VERB_PREPEND:
        judge_join(v, cmd, it, rules);
        return;
    case VERB_INCR:
    case VERB_DECR:
        judge_number(v, cmd, it, rules);
        return;
    case VERB_FLUSH_ALL:
    case VERB_STATS:
    case VERB_VERSION:
    case VERB_VERBOSITY:
    case VERB_QUIT:
    case VERB_SHUTDOWN:
    case VERB_CACHE_MEMLIMIT:
    case VERB_WATCH:
    case VERB_LRU_CRAWLER:
    case VERB_SLABS:
    case VERB_NOOP:
    case VERB_UNKNOWN:
    case N_VERBS:
        break;
    }
    assert(verb_is_keyed(cmd->verb));
}
