/*
 * The line's end is looked for first (memchr is faster than any machine, and
 * remembers by one number how far it got), so the machine runs once, over one
 * line, and all that it notes lives on the stack.
 */
#include "wire/text.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/num.h"
#include "base/unset.h"
#include "wire/meta.h"

#define LINE_MIN 4              /* memcached calls a shorter one malformed, not unknown */

/* It counts the \r\n in and has an int for the sum. */
#define MEMCACHED_BYTES_MAX (INT32_MAX - 2)

struct word {
    uint32_t at, end;           /* offsets into the line; end 0: not there */
};

/* What the machine noted. */
struct line {
    const char *data;
    enum verb verb;
    char meta;                  /* the g of mg; 0: no meta command */
    bool whole;                 /* it has the form of its command */
    bool stray;                 /* a NUL or CR inside */
    bool long_key;
    unsigned n_words;           /* begun */
    uint32_t args;              /* where they begin */
    struct word last, key, flags, exptime, bytes, cas_unique, delta;
    struct meta_flags meta_flags;
};

%%{
    machine text;
    alphtype unsigned char;

    action begin { n_words++; at = HERE; }
    action end   { end = HERE; }
    action stray { l->stray = true; }
    action whole { l->whole = true; }

    action key_begun  { p += run_len((const char *)p + 1, (size_t)(pe - p) - 1); }
    action key        { l->key = WORD; l->long_key |= end - at > KEY_MAX; }
    action flags      { l->flags = WORD; }
    action exptime    { l->exptime = WORD; }
    action bytes      { l->bytes = WORD; }
    action cas_unique { l->cas_unique = WORD; }
    action delta      { l->delta = WORD; }
    action args       { l->args = HERE; }

    action flag {
        if (l->meta_flags.n < META_LETTERS_MAX + 1) {
            l->meta_flags.word[l->meta_flags.n] = data + at;
            l->meta_flags.len[l->meta_flags.n] = end - at < 255 ? (uint8_t)(end - at) : 255;
        }
        l->meta_flags.n++;
    }

    action mg             { l->verb = VERB_GET; l->meta = 'g'; }
    action ms             { l->verb = VERB_SET; l->meta = 's'; }
    action md             { l->verb = VERB_DELETE; l->meta = 'd'; }
    action ma             { l->verb = VERB_INCR; l->meta = 'a'; }
    action me             { l->verb = VERB_GET; l->meta = 'e'; }
    action noop           { l->verb = VERB_NOOP; }
    action get            { l->verb = VERB_GET; }
    action gets           { l->verb = VERB_GETS; }
    action gat            { l->verb = VERB_GAT; }
    action gats           { l->verb = VERB_GATS; }
    action set            { l->verb = VERB_SET; }
    action add            { l->verb = VERB_ADD; }
    action replace        { l->verb = VERB_REPLACE; }
    action append         { l->verb = VERB_APPEND; }
    action prepend        { l->verb = VERB_PREPEND; }
    action cas            { l->verb = VERB_CAS; }
    action delete         { l->verb = VERB_DELETE; }
    action incr           { l->verb = VERB_INCR; }
    action decr           { l->verb = VERB_DECR; }
    action touch          { l->verb = VERB_TOUCH; }
    action flush_all      { l->verb = VERB_FLUSH_ALL; }
    action stats          { l->verb = VERB_STATS; }
    action version        { l->verb = VERB_VERSION; }
    action verbosity      { l->verb = VERB_VERBOSITY; }
    action quit           { l->verb = VERB_QUIT; }
    action shutdown       { l->verb = VERB_SHUTDOWN; }
    action watch          { l->verb = VERB_WATCH; }
    action lru_crawler    { l->verb = VERB_LRU_CRAWLER; }
    action slabs          { l->verb = VERB_SLABS; }
    action cache_memlimit { l->verb = VERB_CACHE_MEMLIMIT; }

    # by its whole way: the name alone would be found to be this file
    include text_grammar "../../proto/text.rl";

    main := line;

    write data noerror nofinal noentry;
}%%

#define HERE ((uint32_t)(p - start))
#define WORD ((struct word){ at, end })

/*
 * How many bytes above blanks and controls the text begins with.  The machine
 * has nothing to learn from them once it is in a key, and is led past them.
 */
static size_t run_len(const char *text, size_t len)
{
    const uint64_t ones = UINT64_MAX / 255;     /* 0x01 in each byte */
    size_t at = 0;

    for (; len - at >= 8; at += 8) {
        const uint64_t word = bytes_get_u64(text + at);
        const uint64_t ends = (word - ones * (' ' + 1)) & ~word & (ones << 7);

        if (ends != 0)          /* above the lowest, carries may have set others */
            return at + (size_t)__builtin_ctzll(ends) / 8;
    }
    while (at < len && (unsigned char)text[at] > ' ')
        at++;
    return at;
}

/* `ended`: the line ends at data[len]; otherwise more of it would follow. */
static void line_scan(struct line *l, const char *data, size_t len, bool ended)
{
    const unsigned char *const start = (const unsigned char *)data;
    const unsigned char *p = start;
    const unsigned char *const pe = start + len;
    const unsigned char *const eof = ended ? pe : NULL;
    uint32_t at = 0, end = 0;   /* the word begun last */
    unsigned n_words = 0;
    int cs;

    l->data = data;
    l->verb = VERB_UNKNOWN;
    l->meta = '\0';
    l->whole = l->stray = l->long_key = false;
    l->args = 0;
    l->key = l->flags = l->exptime = l->bytes = l->cas_unique = l->delta = (struct word){ 0, 0 };
    l->meta_flags.n = 0;
    %% write init;
    %% write exec;
    l->n_words = n_words;
    l->last = WORD;
}

static size_t word_len(const struct word *w)
{
    return w->end - w->at;
}

static bool word_is(const struct line *l, const struct word *w, const char *s)
{
    size_t len = strlen(s);

    return word_len(w) == len && memcmp(l->data + w->at, s, len) == 0;
}

static bool word_u32(const struct line *l, const struct word *w, uint32_t *out)
{
    return num_parse_u32(l->data + w->at, word_len(w), out);
}

static bool word_u64(const struct line *l, const struct word *w, uint64_t *out)
{
    return num_parse_u64(l->data + w->at, word_len(w), out);
}

static bool word_i64(const struct line *l, const struct word *w, int64_t *out)
{
    return num_parse_i64(l->data + w->at, word_len(w), out);
}

static bool wants_silence(const struct line *l)
{
    return word_is(l, &l->last, "noreply");
}

static void take_key(const struct line *l, struct cmd *cmd)
{
    cmd->key = l->data + l->key.at;
    cmd->key_len = word_len(&l->key);
}

/* All of the line from `args` on; the machine saw where its last word ends. */
static void take_args(const struct line *l, struct cmd *cmd)
{
    if (l->args == 0)
        return;
    cmd->args = l->data + l->args;
    cmd->args_len = l->last.end - l->args;
}

/* Words before the keys: the verb, and the exptime of a gat. */
static unsigned words_before_keys(enum verb verb)
{
    return verb == VERB_GAT || verb == VERB_GATS ? 2 : 1;
}

static enum cmd_error judge_get(const struct line *l, struct parse *p, struct cmd *cmd)
{
    unsigned before = words_before_keys(l->verb);

    if (!l->whole || l->stray)
        return CMD_BAD_FORMAT;
    if (before == 2 && !word_i64(l, &l->exptime, &cmd->exptime))
        return CMD_BAD_EXPTIME;
    if (l->long_key)
        return CMD_BAD_FORMAT;

    p->n_keys = l->n_words - before;
    if (p->n_keys == 1)
        take_key(l, cmd);
    else
        take_args(l, cmd);
    return CMD_OK;
}

/*
 * A storage line without all its words.  If the last one is a number it may be
 * the length, of a block that follows: an empty key makes such lines.
 */
static enum cmd_error judge_short(const struct line *l, struct parse *p)
{
    uint64_t number;

    p->close = word_u64(l, &l->last, &number);
    return CMD_BAD_FORMAT;
}

/*
 * What follows the line is the client's data, and must never be read as
 * commands.  So a block is swallowed whatever else is wrong, and where its
 * length cannot be read the connection ends.
 */
static enum cmd_error judge_store(const struct line *l, struct parse *p, struct cmd *cmd)
{
    uint32_t bytes;

    if (l->bytes.end == 0)
        return judge_short(l, p);
    if (!word_u32(l, &l->bytes, &bytes) || bytes > INT32_MAX) {
        p->close = true;
        return CMD_BAD_FORMAT;
    }
    cmd->value_len = bytes;
    cmd->form.quiet = wants_silence(l);
    if (l->stray || l->long_key || bytes > MEMCACHED_BYTES_MAX
        || !word_u32(l, &l->flags, &cmd->client_flags)
        || !word_i64(l, &l->exptime, &cmd->exptime)
        || (l->verb == VERB_CAS && !word_u64(l, &l->cas_unique, &cmd->cas))) {
        p->swallow = true;
        return CMD_BAD_FORMAT;
    }
    take_key(l, cmd);
    return CMD_OK;
}

/* Old clients send a delay of 0, which means nothing; any other would. */
static enum cmd_error judge_delete(const struct line *l, struct cmd *cmd)
{
    if (l->key.end == 0)
        return CMD_BAD_FORMAT;
    cmd->form.quiet = wants_silence(l);
    if (l->stray || l->long_key)
        return CMD_BAD_FORMAT;
    if (!l->whole)
        return CMD_BAD_DELETE;
    take_key(l, cmd);
    return CMD_OK;
}

/* incr, decr, touch: a key and a number.  Too short a line is never silent. */
static enum cmd_error judge_change(const struct line *l, struct cmd *cmd)
{
    if (!l->whole)
        return CMD_BAD_FORMAT;
    cmd->form.quiet = wants_silence(l);
    if (l->stray || l->long_key)
        return CMD_BAD_FORMAT;
    if (l->verb == VERB_TOUCH) {
        if (!word_i64(l, &l->exptime, &cmd->exptime))
            return CMD_BAD_EXPTIME;
    } else if (!word_u64(l, &l->delta, &cmd->delta)) {
        return CMD_BAD_DELTA;
    }
    take_key(l, cmd);
    return CMD_OK;
}

static enum cmd_error judge_flush_all(const struct line *l, struct cmd *cmd)
{
    cmd->form.quiet = wants_silence(l);
    if (l->stray)
        return CMD_BAD_FORMAT;
    if (!l->whole)
        return CMD_BAD_EXPTIME;
    if (l->exptime.end != 0 && !word_i64(l, &l->exptime, &cmd->exptime))
        return CMD_BAD_EXPTIME;
    return CMD_OK;
}

/* verbosity, cache_memlimit: a number, and `otherwise` for want of one. */
static enum cmd_error judge_setting(const struct line *l, struct cmd *cmd,
                                    enum cmd_error otherwise)
{
    uint32_t number;

    cmd->form.quiet = wants_silence(l);
    if (l->stray)
        return CMD_BAD_FORMAT;
    if (!word_u32(l, &l->delta, &number))
        return otherwise;
    cmd->delta = number;
    return CMD_OK;
}

static bool plain_may_be_quiet(enum verb verb)
{
    return verb == VERB_SHUTDOWN || verb == VERB_LRU_CRAWLER || verb == VERB_SLABS;
}

static enum cmd_error judge_plain(const struct line *l, struct cmd *cmd)
{
    cmd->form.quiet = plain_may_be_quiet(l->verb) && wants_silence(l);
    if (l->stray)
        return CMD_BAD_FORMAT;
    take_args(l, cmd);
    return CMD_OK;
}

static enum cmd_error judge_unknown(const struct line *l, struct parse *p, struct cmd *cmd)
{
    static const char http[] = "HTTP/";

    if (p->len < LINE_MIN)
        return CMD_BAD_FORMAT;
    if (l->n_words > 1 && word_len(&l->last) >= strlen(http)
        && memcmp(l->data + l->last.at, http, strlen(http)) == 0) {
        p->close = true;
        return CMD_HANG_UP;
    }
    cmd->form.quiet = wants_silence(l);
    return CMD_ERROR;
}

static enum cmd_error judge_noop(const struct line *l, const struct parse *p)
{
    return l->stray || p->len < LINE_MIN ? CMD_BAD_FORMAT : CMD_OK;
}

/* ms: as any storage line, its block is swallowed whatever else is wrong. */
static enum cmd_error judge_meta(const struct line *l, struct parse *p, struct cmd *cmd)
{
    enum cmd_error error = CMD_BAD_FORMAT;
    uint32_t bytes = 0;

    if (!l->whole)
        return l->meta == 's' ? judge_short(l, p) : CMD_BAD_FORMAT;
    cmd->form.protocol = PROTOCOL_META;
    cmd->form.meta = l->meta;
    if (l->meta == 's') {
        if (!word_u32(l, &l->bytes, &bytes) || bytes > INT32_MAX) {
            p->close = true;
            return CMD_BAD_FORMAT;
        }
        cmd->value_len = bytes;
    }
    if (!l->stray && bytes <= MEMCACHED_BYTES_MAX) {
        take_key(l, cmd);
        error = meta_judge(cmd, &l->meta_flags, p);
    }
    p->swallow = l->meta == 's' && error != CMD_OK;
    return error;
}

static enum cmd_error judge(const struct line *l, struct parse *p, struct cmd *cmd)
{
    if (l->meta != '\0')
        return judge_meta(l, p, cmd);
    switch (l->verb) {
    case VERB_GET: case VERB_GETS: case VERB_GAT: case VERB_GATS:
        return judge_get(l, p, cmd);
    case VERB_SET: case VERB_ADD: case VERB_REPLACE: case VERB_APPEND:
    case VERB_PREPEND: case VERB_CAS:
        return judge_store(l, p, cmd);
    case VERB_DELETE:
        return judge_delete(l, cmd);
    case VERB_INCR: case VERB_DECR: case VERB_TOUCH:
        return judge_change(l, cmd);
    case VERB_FLUSH_ALL:
        return judge_flush_all(l, cmd);
    case VERB_VERBOSITY:
        return judge_setting(l, cmd, CMD_BAD_FORMAT);
    case VERB_CACHE_MEMLIMIT:
        return judge_setting(l, cmd, CMD_ERROR);
    case VERB_STATS: case VERB_VERSION: case VERB_QUIT: case VERB_SHUTDOWN:
    case VERB_WATCH: case VERB_LRU_CRAWLER: case VERB_SLABS:
        return judge_plain(l, cmd);
    case VERB_NOOP:
        return judge_noop(l, p);
    case VERB_UNKNOWN: case N_VERBS:
        break;
    }
    return judge_unknown(l, p, cmd);
}

/*
 * TEXT_LINE_MAX bytes without an end.  Clients do send gets of thousands of
 * keys, so those are handed on unjudged, key by key.
 */
static enum parse_status judge_endless(struct parse *p, const char *data, struct cmd *cmd)
{
    struct line l;
    bool has_exptime;

    line_scan(&l, data, TEXT_LINE_MAX, false);
    has_exptime = words_before_keys(l.verb) == 2;
    cmd->verb = l.verb;
    if (!verb_is_get(l.verb) || l.meta != '\0' || (has_exptime && l.exptime.end == 0)) {
        cmd->error = CMD_TOO_LONG;
    } else if (has_exptime && !word_i64(&l, &l.exptime, &cmd->exptime)) {
        cmd->error = CMD_BAD_EXPTIME;
    } else {
        p->len = l.args != 0 ? l.args : TEXT_LINE_MAX;
        return PARSE_KEYS;
    }
    p->len = TEXT_LINE_MAX;
    p->close = true;
    return PARSE_DONE;
}

enum parse_status text_parse(struct parse *p, const char *data, size_t len, struct cmd *cmd)
{
    size_t end = len < TEXT_LINE_MAX ? len : TEXT_LINE_MAX;
    const char *newline = NULL;
    UNSET struct line l;        /* line_scan() fills it */

    assert(p->pos <= end);
    if (p->pos < end)
        newline = memchr(data + p->pos, '\n', end - p->pos);
    p->pos = end;
    if (newline == NULL && end < TEXT_LINE_MAX)
        return PARSE_MORE;

    cmd_clear(cmd);
    p->block_end = 2;
    if (newline == NULL)
        return judge_endless(p, data, cmd);

    end = (size_t)(newline - data);
    p->len = end + 1;
    if (end > 0 && data[end - 1] == '\r')
        end--;
    line_scan(&l, data, end, true);
    cmd->verb = l.verb;         /* meta flags may make it another */
    cmd->error = judge(&l, p, cmd);
    return PARSE_DONE;
}

static bool ends_key(char c)
{
    return c == ' ' || c == '\r' || c == '\n' || c == '\0';
}

enum keys_status text_keys_next(const char *data, size_t len, size_t *pos, bool whole,
                                const char **key, size_t *key_len)
{
    size_t at = *pos, end;

    while (at < len && data[at] == ' ')
        at++;
    *pos = at;
    end = at + run_len(data + at, len - at);
    if (end < len && data[end] == ' ' && end > at && end - at <= KEY_MAX) {
        *key = data + at;       /* as nearly all of them */
        *key_len = end - at;
        *pos = end;
        return KEYS_KEY;
    }
    while (end < len && end - at <= KEY_MAX && !ends_key(data[end]))
        end++;
    if (end - at > KEY_MAX)
        return KEYS_BAD;

    /* A \r is the line's end if a \n follows it, there or beyond `whole`. */
    if (end < len && data[end] == '\r' && end + 1 < len && data[end + 1] != '\n')
        return KEYS_BAD;
    if (end < len && data[end] == '\0')
        return KEYS_BAD;
    if (!whole && (end == len || (data[end] == '\r' && end + 1 == len)))
        return KEYS_MORE;

    if (end > at) {
        *key = data + at;
        *key_len = end - at;
        *pos = end;
        return KEYS_KEY;
    }
    while (at < len && data[at] != '\n')    /* at most a \r */
        at++;
    *pos = at < len ? at + 1 : len;
    return KEYS_END;
}
