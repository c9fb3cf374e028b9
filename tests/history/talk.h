/*
 * talk - what clients say and are answered, in bytes
 *
 * Both the classic and the meta commands.  No sockets and no clock: clients of
 * real processes talk so, and simulated ones do.
 */
#ifndef HISTORY_TALK_H
#define HISTORY_TALK_H

#include "history.h"

/* A queue: what is in it is between `at` and `end`.  free() its data. */
struct bytes {
    char *data;
    size_t at, end, room;
};

/* Room for `n` more bytes at the end. */
char *bytes_room(struct bytes *b, size_t n);

/* An operation as it is said. */
struct said {
    struct history_op op;
    uint32_t handle;
    int64_t begun_us;
    bool meta;                  /* as a meta command */
    bool token;                 /* asks for it */
};

/* A store has `len` bytes of value, a CAS names the token `cas`. */
void talk_say(struct bytes *out, const struct said *said, const struct history *history,
              const char *prefix, uint32_t len, uint64_t cas);

/*
 * The answer that `len` bytes begin with, into `answer`; *used is its length, 0
 * when it is not whole yet.  False: that is no answer to what was said.
 */
bool talk_hear(const struct said *said, const char *data, size_t len, size_t *used,
               struct history_answer *answer);

#endif
