#include "net/chunk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void chunk_pool_init(struct chunk_pool *pool)
{
    memset(pool, 0, sizeof(*pool));
}

void chunk_pool_fini(struct chunk_pool *pool)
{
    struct chunk *c;

    assert(pool->bytes_out == 0);
    while ((c = pool->free) != NULL) {
        pool->free = c->next;
        free(c);
    }
}

static struct chunk *chunk_make(struct chunk_pool *pool, size_t size)
{
    struct chunk *c;

    if (size > SIZE_MAX - sizeof(*c))
        return NULL;
    c = malloc(sizeof(*c) + size);
    if (c != NULL) {
        c->pool = pool;
        c->size = size;
    }
    return c;
}

static void count_out(struct chunk_pool *pool, size_t bytes)
{
    pool->bytes_out += bytes;
    if (pool->bytes_out > pool->peak_bytes)
        pool->peak_bytes = pool->bytes_out;
}

struct chunk *chunk_new(struct chunk_pool *pool, size_t size)
{
    struct chunk *c = size <= CHUNK_SIZE ? pool->free : NULL;

    if (c != NULL) {
        pool->free = c->next;
        pool->n_free--;
    } else {
        c = chunk_make(pool, size <= CHUNK_SIZE ? CHUNK_SIZE : size);
        if (c == NULL)
            return NULL;
    }
    c->refs = 1;
    c->lent = false;
    c->next = NULL;
    count_out(pool, c->size);
    return c;
}

struct chunk *chunk_grow(struct chunk *c, size_t size)
{
    struct chunk_pool *pool = c->pool;
    size_t old_size = c->size;

    assert(c->refs == 1 && size >= old_size);
    c = realloc(c, sizeof(*c) + size);
    if (c != NULL) {
        c->size = size;
        count_out(pool, size - old_size);
    }
    return c;
}

/* What a lent chunk has for data. */
struct loan {
    chunk_give_back *give_back;
    void *lender, *what;
};

struct chunk *chunk_lent(struct chunk_pool *pool, size_t size, chunk_give_back *give_back,
                         void *lender, void *what)
{
    struct chunk *c = chunk_make(pool, sizeof(struct loan));
    struct loan loan = { give_back, lender, what };

    if (c == NULL)
        return NULL;
    memcpy(c->data, &loan, sizeof(loan));
    c->size = size;
    c->refs = 1;
    c->lent = true;
    count_out(pool, size);
    return c;
}

static void end_loan(struct chunk *c)
{
    struct loan loan;

    memcpy(&loan, c->data, sizeof(loan));
    loan.give_back(loan.lender, loan.what);
    free(c);
}

void chunk_free(struct chunk *c)
{
    struct chunk_pool *pool = c->pool;

    pool->bytes_out -= c->size;
    if (c->lent) {
        end_loan(c);
    } else if (c->size == CHUNK_SIZE && pool->n_free < CHUNK_POOL_KEEP) {
        c->next = pool->free;
        pool->free = c;
        pool->n_free++;
    } else {
        free(c);
    }
}
