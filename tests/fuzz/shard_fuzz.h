/*
 * shard_fuzz - what the parts of the target share
 *
 *      shard_fuzz.c    chooses, sends and compares
 *      shard_text.c, shard_meta.c, shard_binary.c
 *                      an operation as that protocol writes it, and its answer
 *      model.c         what the operation does
 */
#ifndef TESTS_FUZZ_SHARD_FUZZ_H
#define TESTS_FUZZ_SHARD_FUZZ_H

#include <stdlib.h>
#include <string.h>

#include "../lib/stage.h"
#include "model.h"

#define HOLES_MAX 256
#define MODEL_KEYS 4
#define MAX_ITEM_BYTES 8192

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

struct input {
    const uint8_t *at, *end;
};

struct text {
    char data[1 << 19];
    size_t len;
};

/* Where the answer has a token. */
struct hole {
    size_t at;
    struct cell *cell;
};

struct fuzz {
    struct input in;
    struct stage st;
    struct model m;
    int clients[2];             /* of text and meta; of binary */
    bool binary;                /* to whom what is pending goes */
    struct text out, expected;
    struct hole holes[HOLES_MAX];
    size_t n_holes;
    uint32_t opaque;
};

extern const struct fuzz_key { const char *raw, *base64; } fuzz_keys[MODEL_KEYS];

/* Lines that text and meta have in common. */
#define TOO_LARGE "SERVER_ERROR object too large for cache\r\n"
#define NO_NUMBER "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"

static inline void check(bool holds)
{
    if (!holds)
        abort();
}

/* The next byte of the input, 0 after its end; the same below `n`. */
static inline unsigned take(struct input *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

static inline unsigned pick(struct input *in, size_t n)
{
    return take(in) % (unsigned)n;
}

/* What an operation may have, by the next bytes. */
void fuzz_value(struct input *in, struct op *op);
int64_t fuzz_exptime(struct input *in, const struct model *m);
uint64_t fuzz_number(struct input *in);
/* A token that the item has, or had, or one of those that E may have given. */
uint64_t fuzz_cas(struct input *in, struct model *m, unsigned key);

void fuzz_add(struct text *t, const void *data, size_t len);
__attribute__((format(printf, 2, 3)))
void fuzz_print(struct text *t, const char *format, ...);
/* The answer goes on with this token. */
void fuzz_add_token(struct fuzz *f, struct cell *cell);

/* One operation on op->key: its request to f->out, its answer to f->expected. */
void fuzz_text(struct fuzz *f, struct op *op);
void fuzz_meta(struct fuzz *f, struct op *op);
void fuzz_binary(struct fuzz *f, struct op *op);

/* A request that is a head and nothing else, and so is its answer. */
void fuzz_binary_plain(struct fuzz *f, uint8_t opcode);
/* " t30", of a time left. */
void fuzz_seconds(struct fuzz *f, int64_t left_ms);

#endif
