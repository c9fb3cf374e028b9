/*
 * parse - how far the bytes of one command have been understood
 *
 * The same for all protocols: a session hands over what has arrived, again and
 * again, until a command is whole.  See text.h and binary.h.
 */
#ifndef WIRE_PARSE_H
#define WIRE_PARSE_H

#include "wire/cmd.h"

enum parse_status {
    PARSE_MORE,                 /* not whole yet */
    PARSE_DONE,                 /* cmd is filled, p->len consumed */
    PARSE_KEYS                  /* a text get longer than TEXT_LINE_MAX: cmd is filled
                                   but for its key; p->len is where the keys
                                   start, to be taken with text_keys_next() */
};

struct parse {
    size_t pos;                 /* bytes that need not be looked at again */
    size_t len;                 /* see enum parse_status */
    unsigned n_keys;            /* keys of a text get that is PARSE_DONE and CMD_OK */
    unsigned block_end;         /* bytes behind a block: \r\n or none */
    bool swallow;               /* in error, and its length is known: a block of
                                   cmd->value_len bytes follows all the same */
    bool close;                 /* after the error the connection must end: its bytes
                                   can no longer be told apart; p->len says nothing */
    char key[KEY_MAX];          /* a key that was sent in base64 */
};

/* Ready for the first byte of a command. */
static inline void parse_init(struct parse *p)
{
    p->pos = p->len = 0;
    p->n_keys = p->block_end = 0;
    p->swallow = p->close = false;
}

#endif
