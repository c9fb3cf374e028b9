/*
 * wire_help - what the tests of the parsers share: lines that are told in
 * words, and bytes that arrive in pieces
 */
#ifndef WIRE_HELP_H
#define WIRE_HELP_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/text.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

#define K50 "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
#define K250 K50 K50 K50 K50 K50

/* A line without its end, and what it means in the words of a describe(). */
struct line_case {
    const char *line;
    size_t len;
    const char *meaning;
};

#define LINE(text) text, sizeof(text) - 1

/* One line of words for all that was parsed. */
struct description {
    char text[600];
    size_t len;
};

__attribute__((format(printf, 2, 3)))
static inline void say(struct description *d, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(d->text + d->len, sizeof(d->text) - d->len, format, args);
    va_end(args);
    assert_true(n >= 0 && (size_t)n < sizeof(d->text) - d->len);
    d->len += (size_t)n;
}

static inline const char *error_name(enum cmd_error error)
{
    static const char *const names[] = {
        [CMD_ERROR] = "unknown", [CMD_BAD_FORMAT] = "format",
        [CMD_BAD_EXPTIME] = "exptime", [CMD_BAD_DELTA] = "delta",
        [CMD_BAD_DELETE] = "delete", [CMD_BAD_CHUNK] = "chunk",
        [CMD_TOO_LONG] = "long", [CMD_HANG_UP] = "hangup",
        [CMD_MANY_FLAGS] = "many", [CMD_TWICE_FLAG] = "twice", [CMD_BAD_FLAG] = "flag",
        [CMD_BAD_MA_FLAG] = "maflag", [CMD_BAD_KEY] = "key", [CMD_BAD_TOKEN] = "token",
        [CMD_BAD_INITIAL] = "initial", [CMD_BAD_META_DELTA] = "metadelta",
        [CMD_BAD_OPAQUE] = "opaque", [CMD_BAD_MS_MODE] = "msmode",
        [CMD_BAD_MA_MODE] = "mamode",
    };

    assert_true(error < N_OF(names) && names[error] != NULL);
    return names[error];
}

/* Where bytes in error leave the stream. */
static inline void say_rest(struct description *d, const struct parse *p, const struct cmd *cmd)
{
    if (p->swallow)
        say(d, " swallow=%zu", cmd->value_len);
    if (p->close)
        say(d, " close");
}

/* The verb, and what is wrong with the line; true when nothing is. */
static inline bool say_verb(struct description *d, const struct parse *p, const struct cmd *cmd)
{
    say(d, "%s%s", verb_word(cmd->verb), cmd->form.quiet ? " quiet" : "");
    if (cmd->error == CMD_OK) {
        assert_false(p->swallow || p->close);
        return true;
    }
    say(d, " !%s", error_name(cmd->error));
    say_rest(d, p, cmd);
    return false;
}

typedef enum parse_status parse_fn(struct parse *p, const char *data, size_t len,
                                   struct cmd *cmd);
typedef void describe_fn(struct description *d, const struct parse *p, const struct cmd *cmd);

/* Who parses, and who tells what came of it. */
struct dialect {
    parse_fn *parse;
    describe_fn *describe;
};

struct result {
    struct parse parse;
    struct cmd cmd;
    struct description told;    /* of the last that was done */
};

/* `data` and `more` behind it, in a block of just their size. */
static inline char *joined(const char *data, size_t len, const char *more, size_t more_len)
{
    char *block = malloc(len + more_len > 0 ? len + more_len : 1);

    assert_non_null(block);
    memcpy(block, data, len);
    memcpy(block + len, more, more_len);
    return block;
}

/* Parses a copy in a block of just its size, so that a sanitizer sees who
 * reads on; what came of it is told while the copy is there. */
static inline enum parse_status parse_piece(const struct dialect *dialect, struct result *r,
                                            const char *data, size_t len)
{
    char *piece = joined(data, len, "", 0);
    enum parse_status status = dialect->parse(&r->parse, piece, len, &r->cmd);

    if (status == PARSE_DONE) {
        r->told.len = 0;
        dialect->describe(&r->told, &r->parse, &r->cmd);
    }
    free(piece);
    return status;
}

/*
 * Data comes in pieces which end at cuts[0], cuts[1]..., each time at another
 * address: its line is there after the last, whole, and means that.
 */
static inline void arrives(const struct dialect *dialect, struct result *r, const char *data,
                           const size_t *cuts, size_t n_cuts, const char *meaning)
{
    parse_init(&r->parse);
    for (size_t i = 0; i < n_cuts; i++)
        assert_int_equal(parse_piece(dialect, r, data, cuts[i]),
                         i < n_cuts - 1 ? PARSE_MORE : PARSE_DONE);
    assert_int_equal(r->parse.len, cuts[n_cuts - 1]);
    if (strcmp(r->told.text, meaning) != 0)
        fail_msg("%.*s\n is: %s\nnot: %s", (int)cuts[n_cuts - 1], data, r->told.text, meaning);
}

/* A whole line, and nothing but. */
static inline void parse_line(struct result *r, const char *data, size_t len)
{
    parse_init(&r->parse);
    assert_int_equal(text_parse(&r->parse, data, len, &r->cmd), PARSE_DONE);
}

#endif
