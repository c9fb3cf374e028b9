#include <stdlib.h>

#include "net/chunk.h"
#include "store/parts.h"

/* From here on a loan costs less than a copy. */
#define LEND_BYTES 16384

static void give_back(void *lender, void *what)
{
    struct partition *p = lender;
    struct item *it = what;

    pthread_mutex_lock(&p->lock);
    assert(it->loans > 0);
    it->loans--;
    if (it->loans == 0 && (it->marks & ITEM_GONE) != 0)
        free(it);
    pthread_mutex_unlock(&p->lock);
}

struct chunk *store_lend(struct store *s, const struct answer *a, struct chunk_pool *pool)
{
    struct item *it = a->item;
    struct chunk *c;
    uint64_t hash;

    if (a->value_len < LEND_BYTES || it->loans == ITEM_LOANS_MAX)
        return NULL;
    /* whose it is must be known before: once unlocked the item is not ours to read */
    hash = store_hash(s, item_key(it), it->key_len);
    c = chunk_lent(pool, a->value_len, give_back, store_partition(s, hash), it);
    if (c != NULL)
        it->loans++;
    return c;
}
