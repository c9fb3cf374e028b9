#include <stdlib.h>

#include "net/chunk.h"
#include "store/parts.h"

/* From here on a loan costs less than a copy. */
#define LEND_BYTES 16384

/* No more of a partition is lent at a time than the part that this says: who
 * does not read shall not keep it from the others. */
#define LENT_SHARE 2

static void give_back(void *lender, void *what)
{
    struct partition *p = lender;

    lock_take(&p->lock);
    large_back(&p->larges, what);
    lock_give(&p->lock);
}

static bool would_lend_much(const struct large *lg)
{
    const struct partition *p = lg->partition;

    return larges_lent_bytes(&p->larges) + large_bytes(lg) > p->limit_bytes / LENT_SHARE;
}

struct chunk *store_lend(const struct answer *a, struct chunk_pool *pool)
{
    struct large *lg = a->item;
    struct chunk *c;

    if (lg == NULL || a->value_len < LEND_BYTES || lg->loans == LARGE_LOANS_MAX ||
        (lg->loans == 0 && would_lend_much(lg)))
        return NULL;
    c = chunk_lent(pool, a->value_len, give_back, lg->partition, lg);
    if (c != NULL)
        large_lend(&lg->partition->larges, lg);
    return c;
}
