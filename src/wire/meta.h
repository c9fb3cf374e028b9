/*
 * meta - memcached's meta commands: flags to a command, an answer to a line
 *
 *      "mg" key flag*     "ms" key bytes flag*      flag: a letter, its argument
 *
 * The machine of text.rl takes the line apart; what its flags mean is judged
 * here.  memcached's code is followed where its document says otherwise.
 */
#ifndef WIRE_META_H
#define WIRE_META_H

#include "wire/parse.h"

/* A line without verb, key and bytes: the words after them. */
struct meta_flags {
    const char *word[META_LETTERS_MAX + 1];
    uint8_t len[META_LETTERS_MAX + 1];  /* 255: as long or longer */
    unsigned n;                         /* may be more than fit */
};

/*
 * Fills all of `cmd` but its value; key, however long, and value_len are there,
 * cmd->form.meta says which command it is.  A key in base64 is decoded into
 * p->key.
 */
enum cmd_error meta_judge(struct cmd *cmd, const struct meta_flags *flags, struct parse *p);

/* A line, and the number that follows it for ma with v. */
#define META_LINE_MAX 640

/*
 * Writes the line that answers with `a`, for a hit all before the value; 0
 * bytes where the command was to be quiet.  Returns the end.
 */
char *meta_put(char *out, const struct form *form, enum verb verb, const char *key,
               size_t key_len, const struct answer *a);

#endif
