#include "talk.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "value.h"

/* ---- bytes ---- */

char *bytes_room(struct bytes *b, size_t n)
{
    if (b->at == b->end)
        b->at = b->end = 0;
    if (b->room - b->end < n) {
        b->room = (b->end + n) * 2;
        b->data = xrealloc(b->data, b->room);
    }
    return b->data + b->end;
}

static void say(struct bytes *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct bytes *b, const char *format, ...)
{
    char *out = bytes_room(b, 400);
    va_list args;

    va_start(args, format);
    b->end += (size_t)vsnprintf(out, 400, format, args);
    va_end(args);
}

/* ---- operations out ---- */

static void say_value(struct bytes *b, const struct said *r, uint64_t seq, uint32_t len)
{
    struct value_record record = {
        .len = len, .key = r->op.key, .writer = r->op.client,
        .seq = seq,
        .piece = r->op.kind == HISTORY_APPEND || r->op.kind == HISTORY_PREPEND };
    char *out = bytes_room(b, len + 2);

    value_write(out, &record);
    memcpy(out + len, "\r\n", 2);
    b->end += len + 2;
}

static void say_store(struct bytes *out, const struct said *r, uint64_t seq, const char *prefix,
                      uint32_t len, uint64_t cas)
{
    static const char *const verbs[HISTORY_N_KINDS] = {
        [HISTORY_SET] = "set", [HISTORY_DROP] = "set", [HISTORY_ADD] = "add",
        [HISTORY_REPLACE] = "replace", [HISTORY_CAS] = "cas", [HISTORY_APPEND] = "append",
        [HISTORY_PREPEND] = "prepend" };
    static const char *const modes[HISTORY_N_KINDS] = {
        [HISTORY_SET] = "", [HISTORY_DROP] = " MS", [HISTORY_ADD] = " ME",
        [HISTORY_REPLACE] = " MR", [HISTORY_CAS] = "", [HISTORY_APPEND] = " MA",
        [HISTORY_PREPEND] = " MP" };
    char number[24] = "", token[32] = "";

    if (r->op.counter)
        len = (uint32_t)snprintf(number, sizeof(number), "%" PRIu64, history_number(seq));
    if (r->op.kind == HISTORY_CAS)
        snprintf(token, sizeof(token), r->meta ? " C%" PRIu64 : " %" PRIu64, cas);
    if (r->meta)
        say(out, "ms %s%" PRIu32 " %" PRIu32 "%s%s\r\n", prefix, r->op.key, len,
            modes[r->op.kind], token);
    else
        say(out, "%s %s%" PRIu32 " 0 0 %" PRIu32 "%s\r\n", verbs[r->op.kind],
            prefix, r->op.key, len, token);
    if (r->op.counter)
        say(out, "%s\r\n", number);
    else
        say_value(out, r, seq, len);
}

void talk_say(struct bytes *out, const struct said *r, const struct history *history,
              const char *prefix, uint32_t len, uint64_t cas)
{
    const uint32_t key = r->op.key;

    switch (r->op.kind) {
    case HISTORY_GET:
        if (r->meta)
            say(out, "mg %s%" PRIu32 " v%s\r\n", prefix, key, r->token ? " c" : "");
        else
            say(out, "get%s %s%" PRIu32 "\r\n", r->token ? "s" : "", prefix, key);
        break;
    case HISTORY_GAT:
        say(out, "gat%s 0 %s%" PRIu32 "\r\n", r->token ? "s" : "", prefix, key);
        break;
    case HISTORY_SET:
    case HISTORY_DROP:
    case HISTORY_ADD:
    case HISTORY_REPLACE:
    case HISTORY_CAS:
    case HISTORY_APPEND:
    case HISTORY_PREPEND:
        say_store(out, r, history_seq(history, r->handle), prefix, len, cas);
        break;
    case HISTORY_INCR:
    case HISTORY_DECR:
        if (r->meta)
            say(out, "ma %s%" PRIu32 " D%" PRIu32 " v%s\r\n", prefix, key, r->op.delta,
                r->op.kind == HISTORY_DECR ? " MD" : "");
        else
            say(out, "%s %s%" PRIu32 " %" PRIu32 "\r\n", history_kind_name(r->op.kind), prefix,
                key, r->op.delta);
        break;
    case HISTORY_TOUCH:
        say(out, "touch %s%" PRIu32 " 0\r\n", prefix, key);
        break;
    case HISTORY_DELETE:
        say(out, "%s %s%" PRIu32 "\r\n", r->meta ? "md" : "delete", prefix, key);
        break;
    case HISTORY_FLUSH:
        say(out, "flush_all\r\n");
        break;
    case HISTORY_N_KINDS:
        break;
    }
}

/* ---- answers in ---- */

struct line {
    const char *text;
    size_t len;                 /* without its end */
};

static bool begins(struct line l, const char *word)
{
    return l.len >= strlen(word) && memcmp(l.text, word, strlen(word)) == 0;
}

static bool contains(struct line l, const char *words)
{
    return memmem(l.text, l.len, words, strlen(words)) != NULL;
}

/* The n-th word of a line, the first is 0; empty: it has not so many. */
static struct line word(struct line l, unsigned n)
{
    const char *at = l.text, *end = l.text + l.len, *blank;

    while (n > 0 && at < end) {
        n -= *at == ' ';
        at++;
    }
    blank = memchr(at, ' ', (size_t)(end - at));
    return (struct line){ at, (size_t)((blank == NULL ? end : blank) - at) };
}

/* False: it means nothing after what was said. */
static bool outcome_of(const struct said *r, struct line l, enum history_outcome *outcome)
{
    static const struct {
        const char *word;
        enum history_outcome outcome;
    } words[] = {
        { "STORED", HISTORY_DONE }, { "HD", HISTORY_DONE }, { "DELETED", HISTORY_DONE },
        { "TOUCHED", HISTORY_DONE }, { "OK", HISTORY_DONE }, { "EXISTS", HISTORY_PRESENT },
        { "EX", HISTORY_PRESENT }, { "NOT_FOUND", HISTORY_ABSENT }, { "NF", HISTORY_ABSENT },
        { "END", HISTORY_ABSENT }, { "EN", HISTORY_ABSENT },
    };

    *outcome = HISTORY_REFUSED;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (l.len == strlen(words[i].word) && begins(l, words[i].word)) {
            *outcome = words[i].outcome;
            return true;
        }
    }
    if (begins(l, "NOT_STORED") || begins(l, "NS")) {
        *outcome = r->op.kind == HISTORY_ADD ? HISTORY_PRESENT : HISTORY_ABSENT;
        return true;
    }
    if (contains(l, "outcome unknown") || r->op.kind == HISTORY_FLUSH)
        *outcome = HISTORY_UNKNOWN;         /* a flush may have reached some */
    else if (r->op.kind == HISTORY_DROP && contains(l, "too large"))
        *outcome = HISTORY_DONE;
    return begins(l, "SERVER_ERROR");
}

static bool is_read(const struct said *r)
{
    return r->op.kind == HISTORY_GET || r->op.kind == HISTORY_GAT;
}

/* A value, after its line `l`; *used is 0 while it is not whole. */
static bool hear_value(const struct said *r, struct line l, size_t head, size_t len,
                       size_t *used, struct history_answer *answer)
{
    const bool classic = begins(l, "VALUE ");
    struct line token = word(l, classic ? 3 : 1);
    size_t need;
    uint64_t n;

    *used = 0;
    if (!num_parse_u64(token.text, token.len, &n) || n > 64u << 20)
        return false;
    need = head + n + 2 + (classic ? strlen("END\r\n") : 0);
    if (len < need)
        return true;
    *used = need;
    *answer = (struct history_answer){ .outcome = HISTORY_DONE, .value = l.text + head,
                                       .value_len = n };
    if (memcmp(l.text + need - 2, "\r\n", 2) != 0 || l.text[head + n] != '\r')
        return false;
    token = word(l, classic ? 4 : 2);
    if (r->token && token.len > 0 && *token.text == 'c') {
        token.text++;
        token.len--;
    }
    if (r->token && !num_parse_u64(token.text, token.len, &answer->token))
        return false;
    return is_read(r) || num_parse_u64(answer->value, n, &answer->number);
}

bool talk_hear(const struct said *r, const char *data, size_t len, size_t *used,
               struct history_answer *answer)
{
    const char *end = memchr(data, '\n', len);
    struct line l = { data, 0 };

    *used = 0;
    if (end == NULL)
        return true;
    l.len = (size_t)(end - data);
    if (l.len > 0 && l.text[l.len - 1] == '\r')
        l.len--;
    if (begins(l, "VALUE ") || begins(l, "VA "))
        return hear_value(r, l, (size_t)(end - data) + 1, len, used, answer);
    *used = (size_t)(end - data) + 1;
    *answer = (struct history_answer){ .outcome = HISTORY_DONE };
    return num_parse_u64(l.text, l.len, &answer->number)
        || outcome_of(r, l, &answer->outcome);
}
