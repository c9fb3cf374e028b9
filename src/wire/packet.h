/*
 * packet - answers as memcached's binary protocol writes them
 *
 *      magic opcode key_length extras_length type status body_length opaque cas
 *        1     1        2            1         1     2        4         4    8
 *
 * then extras, key and value.  Numbers are big-endian.
 */
#ifndef WIRE_PACKET_H
#define WIRE_PACKET_H

#include "wire/cmd.h"

#define PACKET_HEAD 24
#define PACKET_OPAQUE 4

enum packet_status {
    PACKET_OK = 0x00,
    PACKET_NOT_FOUND = 0x01,
    PACKET_EXISTS = 0x02,
    PACKET_TOO_LARGE = 0x03,
    PACKET_INVALID = 0x04,
    PACKET_NOT_STORED = 0x05,
    PACKET_NON_NUMERIC = 0x06,
    PACKET_FORBIDDEN = 0x20,
    PACKET_UNKNOWN_COMMAND = 0x81,
    PACKET_NO_MEMORY = 0x82,
    PACKET_TRY_AGAIN = 0x86
};

/* A whole packet: head, key and value (either may have length 0).  Returns the
 * end, PACKET_HEAD + key_len + len bytes on. */
char *packet_put(char *out, const struct form *form, enum packet_status status,
                 const char *key, size_t key_len, const char *value, size_t len);

/* The head of a packet of success; key_len bytes of key and value_len of value follow. */
char *packet_put_head(char *out, const struct form *form, size_t key_len, size_t value_len);

/* What `error` is in this protocol. */
enum packet_status packet_status_of(enum cmd_error error);
/* What memcached says along with a status; "" with PACKET_OK. */
const char *packet_words(enum packet_status status);

/*
 * The answer to a keyed command, of a hit all before the value; nothing where
 * the client wants none.  At most PACKET_ANSWER_MAX bytes.  Returns the end.
 */
#define PACKET_ANSWER_MAX (PACKET_HEAD + 4 + KEY_MAX + 64)
char *packet_put_answer(char *out, const struct form *form, enum verb verb, const char *key,
                        size_t key_len, const struct answer *a);

#endif
