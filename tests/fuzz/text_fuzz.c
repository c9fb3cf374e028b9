/*
 * text_fuzz - the text protocol and the meta commands, whatever a client sends
 *
 * Beside the sanitizers: bytes that arrive in pieces give the same commands as
 * the same bytes at once, and the keys of a line are as many as it was said; a
 * command is the same after its way over a link; and the answer to a meta
 * command is a line.  Every piece is parsed in a block of just its size, at an
 * address of its own.
 */
#include <stdlib.h>
#include <string.h>

#include "events.h"
#include "wire/frame.h"
#include "wire/meta.h"
#include "wire/text.h"

#define LINES_MAX 256           /* of one input */

/* The keys of a line that was judged whole. */
static unsigned note_keys(struct events *e, const char *data, size_t len)
{
    const char *key;
    size_t key_len, pos = 0;
    unsigned n = 0;
    enum keys_status status;

    while ((status = text_keys_next(data, len, &pos, true, &key, &key_len)) == KEYS_KEY) {
        check(key_len > 0 && key_len <= KEY_MAX);
        check(key >= data && key + key_len <= data + len);
        note_bytes(e, key, key_len);
        n++;
    }
    check(status == KEYS_END && pos == len);
    return n;
}

static void note_meta(struct events *e, const struct cmd *cmd)
{
    const struct form *form = &cmd->form;

    check(form->n_letters <= META_LETTERS_MAX && form->opaque_len <= META_OPAQUE_MAX);
    note(e, (uint64_t)form->meta << 16 | (uint64_t)form->key_encoded << 8 | cmd->ttl_is_last);
    note_bytes(e, form->letters, form->n_letters);
    note_bytes(e, form->opaque, form->opaque_len);
    note(e, cmd->options);
    note(e, (uint64_t)cmd->vivify_exptime);
    note(e, (uint64_t)cmd->recache_exptime);
    note(e, cmd->token);
    note(e, cmd->initial);
    note(e, form->value_len);
}

/* What the shard that owns the key is told. */
static void check_sent(struct cmd cmd)
{
    char *head;
    struct frame f;
    struct cmd got;

    cmd_settle_times(&cmd, 1000000000000);
    frame_from_cmd(&f, &cmd);
    f.value_len = 0;
    head = malloc(frame_head_len(&f));
    check(head != NULL && frame_put(head, &f) == head + frame_head_len(&f));
    check(frame_read(head, frame_head_len(&f), &f) == FRAME_WHOLE);
    frame_to_cmd(&f, &got);
    check(got.verb == cmd.verb && got.options == cmd.options);
    check(got.key_len == cmd.key_len && memcmp(got.key, cmd.key, cmd.key_len) == 0);
    if (verb_has_value(cmd.verb) || (cmd.options & OPTION_REMOVE_VALUE) != 0)
        check(got.client_flags == cmd.client_flags);
    if (cmd.verb <= VERB_CAS && cmd.verb >= VERB_GAT)
        check(got.ttl_ms == cmd.ttl_ms);
    if ((cmd.options & OPTION_TTL) != 0)
        check(got.ttl_ms == cmd.ttl_ms);
    if (cmd.verb == VERB_INCR || cmd.verb == VERB_DECR)
        check(got.delta == cmd.delta);
    if (cmd.verb == VERB_CAS || (cmd.options & OPTION_COMPARE) != 0)
        check(got.cas == cmd.cas);
    if ((cmd.options & OPTION_TOKEN) != 0)
        check(got.token == cmd.token);
    if ((cmd.options & OPTION_VIVIFY) != 0)
        check(got.vivify_ttl_ms == cmd.vivify_ttl_ms && got.initial == cmd.initial);
    if ((cmd.options & OPTION_RECACHE) != 0)
        check(got.recache_ttl_ms == cmd.recache_ttl_ms);
    free(head);
}

/* Whatever there may be to say, it is one line, and ma's number another. */
static void check_answers(const struct cmd *cmd)
{
    char *out = malloc(META_LINE_MAX);

    check(out != NULL);
    for (unsigned i = 0; i < N_STATUSES; i++) {
        const struct answer a = {
            .status = (enum status)i, .marks = MARKS_ALL, .token = UINT64_MAX,
            .number = UINT64_MAX, .client_flags = UINT32_MAX, .ttl_ms = INT64_MAX,
            .idle_s = UINT32_MAX, .value_len = SIZE_MAX,
        };
        const char *end = meta_put(out, &cmd->form, cmd->verb, cmd->key, cmd->key_len, &a);
        const char *p = out;
        unsigned n_lines = 0;

        check(end - out <= META_LINE_MAX);
        for (; p < end; n_lines++) {
            p = memchr(p, '\n', (size_t)(end - p));
            check(p != NULL && p > out && p[-1] == '\r');
            p++;
        }
        check(n_lines <= (i == STATUS_NUMBER ? 2 : 1));
    }
    free(out);
}

static void note_cmd(struct events *e, enum parse_status status, const struct parse *t,
                     const struct cmd *cmd)
{
    note(e, status);
    note(e, (uint64_t)cmd->verb << 32 | (uint64_t)cmd->error << 8
            | (uint64_t)cmd->form.quiet << 2 | (uint64_t)t->swallow << 1 | t->close);
    note(e, t->len);
    note(e, cmd->client_flags);
    note(e, (uint64_t)cmd->exptime);
    note(e, cmd->cas);
    note(e, cmd->delta);
    note(e, cmd->value_len);
    if (cmd->error == CMD_OK) {
        note_bytes(e, cmd->key, cmd->key_len);
        note_bytes(e, cmd->args, cmd->args_len);
    }
    if (cmd->form.protocol == PROTOCOL_META && cmd->error == CMD_OK)
        note_meta(e, cmd);

    if (status == PARSE_KEYS) {
        check(verb_is_get(cmd->verb) && cmd->error == CMD_OK && cmd->key == NULL);
    } else if (cmd->error != CMD_OK) {
        check(cmd->args == NULL && (cmd->key == NULL || cmd->form.meta != '\0'));
        check(!t->swallow || verb_has_value(cmd->verb));
    } else {
        check(!t->swallow && !t->close);
        check(cmd->verb != VERB_UNKNOWN && cmd->key_len <= KEY_MAX);
        check(!verb_is_keyed(cmd->verb) || (cmd->key == NULL) == (t->n_keys > 1));
        if (t->n_keys > 1)
            check(note_keys(e, cmd->args, cmd->args_len) == t->n_keys);
        if (cmd->key != NULL && verb_is_keyed(cmd->verb))
            check_sent(*cmd);
        if (cmd->form.meta != '\0')
            check_answers(cmd);
    }
}

/*
 * One line at the start of data, in pieces where there is a state to draw
 * `cuts` from.  False when no line can be read after it; else *taken is where
 * that one starts.
 */
static bool parse_line(struct events *e, const char *data, size_t len, uint64_t *cuts,
                       size_t *taken)
{
    size_t seen = cuts != NULL ? 0 : len;
    enum parse_status status;
    struct parse t;
    struct cmd cmd;

    parse_init(&t);
    for (;;) {
        char *block = block_of(data, seen);

        status = text_parse(&t, block, seen, &cmd);
        if (status != PARSE_MORE) {
            check(t.len > 0 && t.len <= seen);
            note_cmd(e, status, &t, &cmd);
        }
        free(block);
        if (status != PARSE_MORE || seen == len)
            break;
        /* small steps at first: most lines are short */
        seen += 1 + chance(cuts, 2 * seen + 16);
        seen = seen < len ? seen : len;
    }
    if (status != PARSE_DONE || t.close)
        return false;
    *taken = t.len;
    if (t.swallow || (cmd.error == CMD_OK && verb_has_value(cmd.verb)))
        *taken += cmd.value_len + 2;
    return true;
}

static void parse_lines(struct events *e, const char *data, size_t len, uint64_t *cuts)
{
    size_t taken;

    e->n = 0;
    for (unsigned i = 0; i < LINES_MAX; i++) {
        if (!parse_line(e, data, len, cuts, &taken) || taken > len)
            return;
        data += taken;
        len -= taken;
    }
}

/* The input as the keys of an endless get, in pieces of `step` bytes. */
static void parse_keys(struct events *e, const char *data, size_t len, size_t step)
{
    size_t at = 0, there = 0;

    e->n = 0;
    for (;;) {
        char *block = block_of(data + at, there - at);
        const char *key;
        size_t key_len, pos = 0;
        enum keys_status status;

        while ((status = text_keys_next(block, there - at, &pos, false, &key, &key_len))
               == KEYS_KEY) {
            check(key_len > 0 && key_len <= KEY_MAX && pos <= there - at);
            note_bytes(e, key, key_len);
        }
        free(block);
        check(pos <= there - at);
        at += pos;
        if (status != KEYS_MORE || there == len) {
            note(e, status);
            note(e, at);
            return;
        }
        check(there - at <= KEY_MAX + 1);
        there = there + step < len ? there + step : len;
    }
}

static void check_equal(const struct events *a, const struct events *b)
{
    check(a->n == b->n);
    check(memcmp(a->words, b->words, a->n * sizeof(a->words[0])) == 0);
}

/* The same in pieces gives the same. */
static void try_lines(const char *data, size_t len, uint64_t *cuts)
{
    static struct events whole, pieces;

    parse_lines(&whole, data, len, NULL);
    for (int i = 0; i < 3; i++) {
        parse_lines(&pieces, data, len, cuts);
        check_equal(&whole, &pieces);
    }
}

static void try_keys(const char *data, size_t len, uint64_t *cuts)
{
    static struct events whole, pieces;

    parse_keys(&whole, data, len, len);
    for (int i = 0; i < 2; i++) {
        parse_keys(&pieces, data, len, 1 + chance(cuts, 64));
        check_equal(&whole, &pieces);
    }
}

/* The first blank drawn out to the limit of a line: no fuzzer goes that far. */
static void try_endless(const char *data, size_t len, uint64_t *cuts)
{
    const char *blank = memchr(data, ' ', len);
    size_t before = blank != NULL ? (size_t)(blank - data) : len;
    size_t gap = TEXT_LINE_MAX - chance(cuts, 64);
    char *line = malloc(len + gap);

    check(line != NULL);
    memcpy(line, data, before);
    memset(line + before, ' ', gap);
    memcpy(line + before + gap, data + before, len - before);
    try_lines(line, len + gap, cuts);
    free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    uint64_t cuts = size;

    for (size_t i = 0; i < size; i++)
        cuts = (cuts ^ data[i]) * 1099511628211u;

    try_lines(text, size, &cuts);
    try_keys(text, size, &cuts);
    if (size > 0 && data[0] == 'g')
        try_endless(text, size, &cuts);
    return 0;
}
