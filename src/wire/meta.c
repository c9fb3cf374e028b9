#include "wire/meta.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/num.h"
#include "wire/base64.h"
#include "wire/reply.h"

/* ---- flags to a command ---- */

static bool argument_u64(const char *word, size_t len, uint64_t *out)
{
    return num_parse_u64(word + 1, len - 1, out);
}

static enum cmd_error argument_exptime(const char *word, size_t len, int64_t *out)
{
    return num_parse_i64(word + 1, len - 1, out) ? CMD_OK : CMD_BAD_TOKEN;
}

/* What one flag asks for.  CMD_BAD_FLAG ends the line, others may be followed. */
static enum cmd_error take_flag(struct cmd *cmd, const char *word, size_t len, struct parse *p)
{
    struct form *form = &cmd->form;

    switch (word[0]) {
    case 'b':
        cmd->key_len = base64_read(p->key, cmd->key, cmd->key_len);
        cmd->key = p->key;
        cmd->options |= OPTION_KEY_ENCODED;
        form->key_encoded = true;
        return cmd->key_len > 0 ? CMD_OK : CMD_BAD_KEY;
    case 'T':
        cmd->options |= OPTION_TTL;
        return argument_exptime(word, len, &cmd->exptime);
    case 'N':
        cmd->options |= OPTION_VIVIFY;
        return argument_exptime(word, len, &cmd->vivify_exptime);
    case 'R':
        cmd->options |= OPTION_RECACHE;
        cmd->options |= (cmd->options & OPTION_TTL) != 0 ? OPTION_TTL_FIRST : 0;
        return argument_exptime(word, len, &cmd->recache_exptime);
    case 'C':
        cmd->options |= OPTION_COMPARE;
        return argument_u64(word, len, &cmd->cas) ? CMD_OK : CMD_BAD_TOKEN;
    case 'E':
        if (!argument_u64(word, len, &cmd->token))
            return CMD_BAD_TOKEN;
        cmd->options |= cmd->token != 0 ? OPTION_TOKEN : 0;
        return CMD_OK;
    case 'F':
        return num_parse_u32(word + 1, len - 1, &cmd->client_flags) ? CMD_OK : CMD_BAD_FORMAT;
    case 'J':
        return argument_u64(word, len, &cmd->initial) ? CMD_OK : CMD_BAD_INITIAL;
    case 'D':
        return argument_u64(word, len, &cmd->delta) ? CMD_OK : CMD_BAD_META_DELTA;
    case 'O':
        form->opaque_len = (uint8_t)len;        /* judged last */
        memcpy(form->opaque, word, len <= META_OPAQUE_MAX ? len : 0);
        return CMD_OK;
    case 'v':
        cmd->options &= ~(unsigned)OPTION_NO_VALUE;
        return CMD_OK;
    case 'u':
        cmd->options |= OPTION_NO_USE;
        return CMD_OK;
    case 'x':
        cmd->options |= OPTION_REMOVE_VALUE;
        return CMD_OK;
    case 'I':
        cmd->options |= OPTION_INVALIDATE;
        return CMD_OK;
    case 'q':
        form->quiet = true;
        return CMD_OK;
    case 'c': case 'f': case 'h': case 'k': case 'l': case 's': case 't':
    case 'L': case 'M': case 'P':
        return CMD_OK;
    default:
        return CMD_BAD_FLAG;
    }
}

/* memcached's scanner lets no other byte begin a word here. */
static bool begins_flag(char c)
{
    return (c >= 'A' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool are_flags(const struct meta_flags *flags)
{
    for (unsigned i = 0; i < flags->n && i <= META_LETTERS_MAX; i++)
        if (!begins_flag(flags->word[i][0]))
            return false;
    return true;
}

/* Of several that are wrong the last is told, but for those that end the line. */
static enum cmd_error take_flags(struct cmd *cmd, const struct meta_flags *flags,
                                 struct parse *p, char *mode)
{
    uint64_t seen[2] = { 0, 0 };
    enum cmd_error error = CMD_OK;

    if (flags->n > META_LETTERS_MAX - (cmd->form.meta == 's'))
        return CMD_MANY_FLAGS;
    for (unsigned i = 0; i < flags->n; i++) {
        const char *word = flags->word[i];
        const unsigned char letter = (unsigned char)word[0];
        enum cmd_error wrong;

        if ((seen[letter / 64] >> letter % 64 & 1) != 0)
            return CMD_TWICE_FLAG;
        seen[letter / 64] |= UINT64_C(1) << letter % 64;
        wrong = take_flag(cmd, word, flags->len[i], p);
        if (wrong == CMD_BAD_FLAG)
            return wrong;
        if (wrong != CMD_OK && (wrong != CMD_BAD_FORMAT || error == CMD_OK))
            error = wrong;
        if (letter == 'M')
            *mode = flags->len[i] > 1 ? word[1] : '?';
        cmd->form.letters[i] = (char)letter;
    }
    cmd->form.n_letters = (uint8_t)flags->n;
    return error;
}

/* A later T is the time to live of what N makes, too. */
static void settle_vivify(struct cmd *cmd)
{
    const struct form *form = &cmd->form;
    const unsigned both = OPTION_VIVIFY | OPTION_TTL;
    const char *n, *t;

    if ((cmd->options & both) != both)
        return;
    n = memchr(form->letters, 'N', form->n_letters);
    t = memchr(form->letters, 'T', form->n_letters);
    cmd->ttl_is_last = n != NULL && t != NULL && t > n;
}

static enum cmd_error judge_mg(struct cmd *cmd)
{
    cmd->verb = (cmd->options & OPTION_TTL) != 0 ? VERB_GAT : VERB_GET;
    cmd->options |= OPTION_WIN;
    settle_vivify(cmd);
    return CMD_OK;
}

static enum cmd_error judge_ms(struct cmd *cmd, char mode)
{
    switch (mode) {
    case '\0': case 'S':
        cmd->verb = VERB_SET;
        break;
    case 'E':
        cmd->verb = VERB_ADD;
        break;
    case 'R':
        cmd->verb = VERB_REPLACE;
        break;
    case 'A':
        cmd->verb = VERB_APPEND;
        break;
    case 'P':
        cmd->verb = VERB_PREPEND;
        break;
    default:
        return CMD_BAD_MS_MODE;
    }
    if ((cmd->verb == VERB_SET || cmd->verb == VERB_REPLACE) && (cmd->options & OPTION_COMPARE))
        cmd->verb = VERB_CAS;
    return CMD_OK;
}

static enum cmd_error judge_ma(struct cmd *cmd, char mode)
{
    switch (mode) {
    case '\0': case 'I': case '+':
        cmd->verb = VERB_INCR;
        break;
    case 'D': case '-':
        cmd->verb = VERB_DECR;
        break;
    default:
        return CMD_BAD_MA_MODE;
    }
    settle_vivify(cmd);
    return CMD_OK;
}

/* What options each command has a meaning for: the others change nothing. */
static unsigned meaningful(const struct cmd *cmd)
{
    switch (cmd->form.meta) {
    case 'g':
        return OPTION_WIN | OPTION_NO_VALUE | OPTION_NO_USE | OPTION_COMPARE | OPTION_KEY_ENCODED
             | OPTION_TOKEN | OPTION_VIVIFY | OPTION_RECACHE | OPTION_TTL_FIRST;
    case 's':
        if (cmd->verb == VERB_APPEND || cmd->verb == VERB_PREPEND)
            return OPTION_COMPARE | OPTION_KEY_ENCODED | OPTION_TOKEN | OPTION_VIVIFY;
        return OPTION_KEY_ENCODED | OPTION_TOKEN
             | (cmd->verb == VERB_CAS ? OPTION_INVALIDATE : 0u);
    case 'd':
        return OPTION_COMPARE | OPTION_TOKEN | OPTION_TTL | OPTION_INVALIDATE
             | OPTION_REMOVE_VALUE | OPTION_KEY_ENCODED;
    case 'a':
        return OPTION_COMPARE | OPTION_TOKEN | OPTION_TTL | OPTION_VIVIFY | OPTION_KEY_ENCODED;
    default:                    /* me */
        return OPTION_NO_VALUE | OPTION_NO_USE;
    }
}

/* An option without a purpose would only make the frame longer. */
static void drop_idle_options(struct cmd *cmd)
{
    cmd->options &= meaningful(cmd);
    if (cmd->form.meta == 'g' && (cmd->options & OPTION_VIVIFY) == 0)
        cmd->options &= ~(unsigned)(OPTION_TOKEN | OPTION_KEY_ENCODED);
}

/* me has no flags but a b, and overlooks all else. */
static enum cmd_error judge_me(struct cmd *cmd, const struct meta_flags *flags, struct parse *p)
{
    cmd->verb = VERB_GET;
    cmd->options = OPTION_NO_VALUE | OPTION_NO_USE;
    if (cmd->key_len > KEY_MAX)
        return CMD_BAD_FORMAT;
    if (flags->n > 0 && flags->len[0] == 1 && flags->word[0][0] == 'b')
        return take_flag(cmd, flags->word[0], 1, p) == CMD_OK ? CMD_OK : CMD_BAD_FORMAT;
    return CMD_OK;
}

static enum cmd_error judge_flags(struct cmd *cmd, const struct meta_flags *flags,
                                  struct parse *p)
{
    enum cmd_error error;
    char mode = '\0';

    cmd->options = cmd->form.meta == 'g' || cmd->form.meta == 'a' ? OPTION_NO_VALUE : 0;
    cmd->delta = 1;
    error = cmd->key_len <= KEY_MAX ? take_flags(cmd, flags, p, &mode) : CMD_BAD_FORMAT;
    if (error != CMD_OK)
        return cmd->form.meta == 'a' ? CMD_BAD_MA_FLAG : error;
    switch (cmd->form.meta) {
    case 'g':
        return judge_mg(cmd);
    case 's':
        return judge_ms(cmd, mode);
    case 'd':
        cmd->verb = VERB_DELETE;
        return CMD_OK;
    default:
        return judge_ma(cmd, mode);
    }
}

enum cmd_error meta_judge(struct cmd *cmd, const struct meta_flags *flags, struct parse *p)
{
    enum cmd_error error;

    if (!are_flags(flags))
        return CMD_BAD_FORMAT;
    error = cmd->form.meta == 'e' ? judge_me(cmd, flags, p) : judge_flags(cmd, flags, p);
    if (error == CMD_OK && cmd->form.opaque_len > META_OPAQUE_MAX)
        error = CMD_BAD_OPAQUE;
    if (error != CMD_OK)
        cmd->form.quiet = false;        /* errors are always told */
    drop_idle_options(cmd);
    return error;
}

/* ---- an answer to a line ---- */

static char *put_number(char *out, char letter, uint64_t n)
{
    *out++ = ' ';
    *out++ = letter;
    return num_put_u64(out, n);
}

static char *put_ttl(char *out, int64_t ttl_ms)
{
    const int64_t seconds = ttl_seconds(ttl_ms);

    if (seconds >= 0)
        return put_number(out, 't', (uint64_t)seconds);
    memcpy(out, " t-1", 4);
    return out + 4;
}

static char *put_key(char *out, const char *key, size_t len, bool encoded)
{
    *out++ = ' ';
    *out++ = 'k';
    if (encoded) {
        out = base64_put(out, key, len);
        memcpy(out, " b", 2);
        return out + 2;
    }
    memcpy(out, key, len);
    return out + len;
}

static char *put_opaque(char *out, const struct form *form)
{
    *out++ = ' ';
    return bytes_put(out, form->opaque, form->opaque_len);
}

/* What t says: it changes along the line, where T and N set it. */
struct life {
    int64_t ttl_ms;
    bool created;
};

static void pass_flag(struct life *life, const struct form *form, char letter)
{
    if (letter == 'T')
        life->ttl_ms = form->ttl_ms;
    else if (letter == 'N' && life->created)
        life->ttl_ms = form->vivify_ttl_ms;
}

/* The flags of an item that was found or left. */
static char *put_flags(char *out, const struct form *form, const char *key, size_t key_len,
                       const struct answer *a, size_t value_len, bool encoded)
{
    struct life life = { a->ttl_ms, (a->marks & MARK_CREATED) != 0 };

    if (life.created)
        life.ttl_ms = TTL_NEVER;
    for (unsigned i = 0; i < form->n_letters; i++) {
        switch (form->letters[i]) {
        case 'O':
            out = put_opaque(out, form);
            break;
        case 'k':
            out = put_key(out, key, key_len, encoded);
            break;
        case 'c':
            if (form->meta != 'd')
                out = put_number(out, 'c', answer_token(a));
            break;
        case 's':
            if (form->meta == 'g' || form->meta == 's')
                out = put_number(out, 's', value_len);
            break;
        case 't':
            if (form->meta == 'g' || form->meta == 'a')
                out = put_ttl(out, life.ttl_ms);
            break;
        case 'f':
            if (form->meta == 'g')
                out = put_number(out, 'f', a->client_flags);
            break;
        case 'l':
            if (form->meta == 'g')
                out = put_number(out, 'l', a->idle_s);
            break;
        case 'h':
            if (form->meta == 'g')
                out = put_number(out, 'h', (a->marks & MARK_FETCHED) != 0);
            break;
        default:
            pass_flag(&life, form, form->letters[i]);
            break;
        }
    }
    return out;
}

/* Where there is no item: opaque and key only. */
static char *put_echo(char *out, const struct form *form, const char *key, size_t key_len)
{
    for (unsigned i = 0; i < form->n_letters; i++) {
        if (form->letters[i] == 'k') {
            out = put_key(out, key, key_len, form->key_encoded);
        } else if (form->letters[i] == 'O') {
            out = put_opaque(out, form);
        }
    }
    return out;
}

static char *put_wins(char *out, unsigned marks)
{
    if ((marks & MARK_WON) != 0)
        out = bytes_put_text(out, " Z");
    if ((marks & MARK_STALE) != 0)
        out = bytes_put_text(out, " X");
    if ((marks & MARK_WIN) != 0)
        out = bytes_put_text(out, " W");
    return out;
}

static char *put_value_status(char *out, size_t value_len)
{
    return num_put_u64(bytes_put_text(out, "VA "), value_len);
}

/* mg: a hit with its value or without. */
static char *put_hit(char *out, const struct form *form, const char *key, size_t key_len,
                     const struct answer *a)
{
    const bool head = a->status == STATUS_HEAD;
    const size_t value_len = head ? a->number : a->value_len;
    const bool encoded = (a->marks & MARK_KEY_ENCODED) != 0
                      || (form->key_encoded && !key_is_text(key, key_len));

    out = head ? bytes_put_text(out, "HD") : put_value_status(out, value_len);
    out = put_flags(out, form, key, key_len, a, value_len, encoded);
    return bytes_put_text(put_wins(out, a->marks), "\r\n");
}

/* me: all that there is to know.  There are no slab classes: all is class 1. */
static char *put_debug(char *out, const char *key, size_t key_len, const struct answer *a)
{
    const int64_t seconds = ttl_seconds(a->ttl_ms);

    out = bytes_put_text(out, "ME ");
    if ((a->marks & MARK_KEY_ENCODED) != 0 || !key_is_text(key, key_len)) {
        out = base64_put(out, key, key_len);
    } else {
        memcpy(out, key, key_len);
        out += key_len;
    }
    out = bytes_put_text(out, " exp=");
    out = seconds < 0 ? bytes_put_text(out, "-1") : num_put_u64(out, (uint64_t)seconds);
    out = num_put_u64(bytes_put_text(out, " la="), a->idle_s);
    out = num_put_u64(bytes_put_text(out, " cas="), answer_token(a));
    out = bytes_put_text(out, (a->marks & MARK_FETCHED) != 0 ? " fetch=yes" : " fetch=no");
    out = num_put_u64(bytes_put_text(out, " cls=1 size="), key_len + a->number + ITEM_OVERHEAD);
    return bytes_put_text(out, "\r\n");
}

static char *put_sum(char *out, const struct form *form, const char *key, size_t key_len,
                     const struct answer *a)
{
    const bool with_value = memchr(form->letters, 'v', form->n_letters) != NULL;
    char number[NUM_U64_MAX_LEN];
    const size_t len = (size_t)(num_put_u64(number, a->number) - number);

    out = with_value ? put_value_status(out, len) : bytes_put_text(out, "HD");
    out = put_flags(out, form, key, key_len, a, len, form->key_encoded);
    out = bytes_put_text(out, "\r\n");
    if (!with_value)
        return out;
    memcpy(out, number, len);
    return bytes_put_text(out + len, "\r\n");
}

/* ms prints all its flags, stored or not; the others what they were sent. */
static char *put_status(char *out, const char *status, const struct form *form,
                        const char *key, size_t key_len, const struct answer *a)
{
    out = bytes_put_text(out, status);
    if (form->meta == 's')
        out = put_flags(out, form, key, key_len, a,
                        a->status == STATUS_STORED ? a->number : form->value_len,
                        form->key_encoded);
    else
        out = put_echo(out, form, key, key_len);
    return bytes_put_text(out, "\r\n");
}

char *meta_put(char *out, const struct form *form, enum verb verb, const char *key,
               size_t key_len, const struct answer *a)
{
    switch (a->status) {
    case STATUS_HIT:
    case STATUS_HEAD:
        return form->meta == 'e' ? put_debug(out, key, key_len, a)
                                 : put_hit(out, form, key, key_len, a);
    case STATUS_NOT_FOUND:
        if (form->meta == 'e')
            return bytes_put_text(out, "EN\r\n");
        if (form->meta == 'g')
            return form->quiet ? out : put_status(out, "EN", form, key, key_len, a);
        return put_status(out, "NF", form, key, key_len, a);
    case STATUS_STORED:
    case STATUS_DELETED:
    case STATUS_TOUCHED:
        return form->quiet ? out : put_status(out, "HD", form, key, key_len, a);
    case STATUS_NUMBER:
        return form->quiet ? out : put_sum(out, form, key, key_len, a);
    case STATUS_NOT_STORED:
        return put_status(out, "NS", form, key, key_len, a);
    case STATUS_EXISTS:
        return put_status(out, "EX", form, key, key_len, a);
    case STATUS_NON_NUMERIC:
    case STATUS_TOO_LARGE:
    case STATUS_NO_MEMORY:
    case N_STATUSES:
        break;
    }
    return out + reply_put_line(out, verb, a);
}
