/*
 * text - memcached's classic text protocol, bytes to commands
 *
 * proto/text.rl says what a line may be; text.rl has the actions of
 * the machine that ragel makes of it, and the judging of limits after it.
 * Values are not its business: it ends at the end of a line, the caller then
 * collects `value_len` bytes and a \r\n.
 *
 *      bytes --text_parse--> a whole line --machine--> words --judge--> struct cmd
 *      keys of a get --text_keys_next--> one key after the other
 */
#ifndef WIRE_TEXT_H
#define WIRE_TEXT_H

#include "wire/cmd.h"

#define TEXT_LINE_MAX 65536     /* bytes of a line that is judged whole, its end included */

enum text_status {
    TEXT_MORE,                  /* no end of line yet */
    TEXT_LINE,                  /* a whole line: cmd is filled, t->len consumed */
    TEXT_KEYS                   /* a get longer than TEXT_LINE_MAX: cmd is filled
                                   but for its key; t->len is where the keys
                                   start, to be taken with text_keys_next() */
};

struct text {
    size_t pos;                 /* bytes that hold no end of line: not looked at again */
    size_t len;                 /* see enum text_status */
    unsigned n_keys;            /* keys of a get that is TEXT_LINE and CMD_OK */
    bool swallow;               /* a storage line that is in error, with a readable
                                   length: cmd->value_len bytes and \r\n follow */
    bool close;                 /* after the error the connection must end: its
                                   bytes can no longer be told apart */
};

/* Ready for the first byte of a line. */
void text_init(struct text *t);

/*
 * Goes on with the line that starts at data[0], of which `len` bytes are there
 * now (those seen before included).  On TEXT_LINE and TEXT_KEYS `cmd` is
 * filled and points into `data`; call text_init() before the next line.
 *
 * A line in error is TEXT_LINE too, with cmd->error set; then only verb,
 * noreply and the value_len of a block to swallow are filled.  A line of
 * TEXT_LINE_MAX bytes without an end that is no get becomes TEXT_LINE with
 * CMD_TOO_LONG and t->close.
 *
 * A get of one key has it in cmd->key.  A get of more has cmd->key NULL and
 * cmd->args, args_len: the keys, to be taken with text_keys_next(); all of
 * them have been judged already.
 */
enum text_status text_parse(struct text *t, const char *data, size_t len, struct cmd *cmd);

enum keys_status {
    KEYS_KEY,                   /* *key, *key_len: the next one */
    KEYS_MORE,                  /* the data ends: before a key, or in one */
    KEYS_END,                   /* the end of the line was taken */
    KEYS_BAD                    /* a key is too long or has a stray byte; all up to
                                   the end of the line is to be thrown away */
};

/*
 * The next key at data[*pos]; *pos moves to what follows it.  With KEYS_MORE it
 * stays at the start of a key that is cut, so that the caller can keep the
 * rest (at most KEY_MAX + 1 bytes) and come back with more.  With KEYS_BAD it is
 * at the offending key.  `whole` says that data[len] is the end of the line
 * (the newline may be there or not): the last key then needs no delimiter, and
 * KEYS_MORE never comes.
 */
enum keys_status text_keys_next(const char *data, size_t len, size_t *pos, bool whole,
                                const char **key, size_t *key_len);

#endif
