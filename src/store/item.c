#include "store/item.h"

#include <stdlib.h>

/*
 * What glibc's malloc takes: a word of its own, in steps of two; three words
 * and whole pages from the size on where it asks the kernel for each block.
 */
#define MALLOC_WORD sizeof(size_t)
#define MALLOC_STEP (2 * MALLOC_WORD)
#define MALLOC_LARGE_WORDS (3 * MALLOC_WORD)
#define MALLOC_LARGE ((size_t)128 << 10)
#define PAGE ((size_t)4096)

static size_t round_up(size_t n, size_t step)
{
    return (n + step - 1) & ~(step - 1);
}

size_t item_bytes(size_t key_len, size_t value_len, unsigned marks)
{
    const size_t n = sizeof(struct item) + key_len + value_len + item_tail(marks);
    const size_t bytes = round_up(n + MALLOC_WORD, MALLOC_STEP);

    return bytes < MALLOC_LARGE ? bytes : round_up(n + MALLOC_LARGE_WORDS, PAGE);
}

void *store_memory(size_t size, bool zeroed)
{
    return zeroed ? calloc(1, size) : malloc(size);
}

struct item *item_new(size_t key_len, size_t value_len, unsigned marks)
{
    const size_t bytes = item_bytes(key_len, value_len, marks);

    /* all that is paid for: an item of the same cost can then take its place */
    return store_memory(bytes - (bytes < MALLOC_LARGE ? MALLOC_WORD : MALLOC_LARGE_WORDS),
                        false);
}

void item_fill(struct item *it, const struct draft *d, int64_t at_ms)
{
    const size_t first = d->piece[0].len, second = d->piece[1].len;

    it->version = d->version;
    it->expires_at = d->expires_at & ITEM_EXPIRES_MAX;
    it->key_len = d->key_len & 0xff;
    it->marks = d->marks & ITEM_MARKS;
    it->client_flags = d->client_flags;
    it->value_len = (uint32_t)d->value_len;
    it->used_at_s = (uint32_t)(at_ms / 1000);
    memcpy(item_key(it), d->key, d->key_len);

    /* The second piece first: a prepend moves the old value up in its place. */
    char *value = item_value(it);

    if (second > 0)
        memmove(value + first, d->piece[1].data, second);
    if (first > 0)
        memmove(value, d->piece[0].data, first);
    memset(value + first + second, ' ', d->value_len - first - second);
    if ((d->marks & ITEM_TOKEN) != 0)
        memcpy(value + d->value_len, &d->token, sizeof(d->token));
}
