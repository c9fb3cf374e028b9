/*
 * chunk - memory for bytes on their way, shared by count
 *
 * Input is received into chunks and output is built in them.  Whoever needs
 * bytes of a chunk for longer holds a reference; nobody copies a value only to
 * keep it.  Chunks of CHUNK_SIZE come from a pool and go back to it, so steady
 * traffic does not call malloc; larger ones are made for one large value.
 *
 * A pool and its chunks belong to one worker: the counts are plain numbers.
 */
#ifndef NET_CHUNK_H
#define NET_CHUNK_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chunk_pool;

struct chunk {
    struct chunk_pool *pool;
    struct chunk *next;         /* in the pool's list of free ones */
    uint32_t refs;
    bool lent;                  /* see chunk_lent() */
    size_t size;                /* bytes of data */
    char data[];
};

#define CHUNK_SIZE (65536 - sizeof(struct chunk))

/* Free ones that a pool keeps; more go back to malloc. */
#define CHUNK_POOL_KEEP 256

struct chunk_pool {
    struct chunk *free;
    size_t n_free;
    size_t bytes_out;           /* of all chunks that somebody holds */
    size_t peak_bytes;          /* the most there were since the worker last looked */
};

void chunk_pool_init(struct chunk_pool *pool);
/* All its chunks must be back. */
void chunk_pool_fini(struct chunk_pool *pool);

/* At least `size` bytes, one reference.  NULL when memory is short. */
struct chunk *chunk_new(struct chunk_pool *pool, size_t size);

/* The same bytes in a chunk of `size` >= the old; only its sole holder may
 * ask.  NULL when memory is short: the old one is as it was. */
struct chunk *chunk_grow(struct chunk *c, size_t size);

/*
 * A chunk that stands for `size` bytes elsewhere, lent until the last reference
 * goes: then give_back(lender, what) is called.  NULL when memory is short.
 */
typedef void chunk_give_back(void *lender, void *what);
struct chunk *chunk_lent(struct chunk_pool *pool, size_t size, chunk_give_back *give_back,
                         void *lender, void *what);

static inline struct chunk *chunk_ref(struct chunk *c)
{
    c->refs++;
    return c;
}

/* For chunk_unref(): nobody holds it any longer. */
void chunk_free(struct chunk *c);

/* Copes with NULL. */
static inline void chunk_unref(struct chunk *c)
{
    if (c == NULL)
        return;
    assert(c->refs > 0);
    if (--c->refs == 0)
        chunk_free(c);
}

#endif
