/*
 * text - memcached's text protocol, bytes to commands
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

#include "wire/parse.h"

#define TEXT_LINE_MAX 65536     /* bytes of a line that is judged whole, its end included */

/*
 * Goes on with the line that starts at data[0], of which `len` bytes are there
 * now (those seen before included).  On PARSE_DONE and PARSE_KEYS `cmd` is
 * filled and points into `data`; call parse_init() before the next line.
 *
 * A line in error is PARSE_DONE too, with cmd->error set; then only verb,
 * form and the value_len of a block to swallow are filled.  A line of
 * TEXT_LINE_MAX bytes without an end that is no get becomes PARSE_DONE with
 * CMD_TOO_LONG and p->close.
 *
 * A get of one key has it in cmd->key.  A get of more has cmd->key NULL and
 * cmd->args, args_len: the keys, to be taken with text_keys_next(); all of
 * them have been judged already.
 */
enum parse_status text_parse(struct parse *p, const char *data, size_t len, struct cmd *cmd);

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
