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

static void write_value(struct verdict *v, const struct cmd *cmd)
{
    verdict(v, STATUS_STORED, DEED_WRITE);
    v->piece[0] = (struct piece){ cmd->value, cmd->value_len };
    v->piece[1] = (struct piece){ NULL, 0 };
    v->value_len = cmd->value_len;
}

static void judge_cas(struct verdict *v, const struct cmd *cmd, const struct item *it,
                      const struct judge_rules *rules)
{
    if (it == NULL)
        verdict(v, STATUS_NOT_FOUND, 0);
    else if (rules->cas && cmd->cas != 0 && cmd->cas == it->version)
        write_value(v, cmd);
    else
        verdict(v, STATUS_EXISTS, 0);
}

static void judge_join(struct verdict *v, const struct cmd *cmd, const struct item *it,
                       const struct judge_rules *rules)
{
    const size_t len = it == NULL ? 0 : it->value_len + cmd->value_len;

    if (it == NULL || !item_fits(it->key_len, len, rules->max_item_bytes)) {
        verdict(v, STATUS_NOT_STORED, 0);
        return;
    }

    const struct piece old = { item_value(it), it->value_len };
    const struct piece more = { cmd->value, cmd->value_len };
    const bool append = cmd->verb == VERB_APPEND;

    verdict(v, STATUS_STORED, DEED_WRITE);
    v->keep = true;
    v->piece[0] = append ? old : more;
    v->piece[1] = append ? more : old;
    v->value_len = len;
}

static void judge_number(struct verdict *v, const struct cmd *cmd, const struct item *it,
                         const struct judge_rules *rules)
{
    uint64_t n;
    size_t len;

    if (it == NULL) {
        verdict(v, STATUS_NOT_FOUND, 0);
        return;
    }
    if (!read_number(item_value(it), it->value_len, &n)) {
        verdict(v, STATUS_NON_NUMERIC, 0);
        return;
    }
    if (cmd->verb == VERB_INCR)
        n += cmd->delta;
    else
        n = n > cmd->delta ? n - cmd->delta : 0;

    len = (size_t)(num_put_u64(v->digits, n) - v->digits);
    v->value_len = len > it->value_len ? len : it->value_len;
    if (len > it->value_len && !item_fits(it->key_len, len, rules->max_item_bytes)) {
        verdict(v, STATUS_NO_MEMORY, 0);
        return;
    }
    verdict(v, STATUS_NUMBER, DEED_WRITE);
    v->keep = true;
    v->number = n;
    v->piece[0] = (struct piece){ v->digits, len };
    v->piece[1] = (struct piece){ NULL, 0 };
}

/* Commands that only want an item to be there. */
static void judge_found(struct verdict *v, const struct item *it, enum status status,
                        unsigned deeds)
{
    if (it == NULL)
        verdict(v, STATUS_NOT_FOUND, 0);
    else
        verdict(v, status, deeds);
}

void judge(struct verdict *v, const struct cmd *cmd, const struct item *it,
           const struct judge_rules *rules)
{
    v->keep = false;
    v->number = 0;
    if (verb_has_value(cmd->verb)
        && !item_fits(cmd->key_len, cmd->value_len, rules->max_item_bytes)) {
        /* before any condition, as memcached; only a set says what is there is old */
        verdict(v, STATUS_TOO_LARGE, cmd->verb == VERB_SET ? DEED_REMOVE : 0);
        return;
    }

    switch (cmd->verb) {
    case VERB_GET:
    case VERB_GETS:
        judge_found(v, it, STATUS_HIT, DEED_SHOW);
        return;
    case VERB_GAT:
    case VERB_GATS:
        judge_found(v, it, STATUS_HIT, DEED_SHOW | DEED_TOUCH);
        return;
    case VERB_TOUCH:
        judge_found(v, it, STATUS_TOUCHED, DEED_TOUCH);
        return;
    case VERB_DELETE:
        judge_found(v, it, STATUS_DELETED, DEED_REMOVE);
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
    case VERB_UNKNOWN:
    case N_VERBS:
        break;
    }
    assert(verb_is_keyed(cmd->verb));
}
