#include "store/evictions.h"

#include <stdlib.h>

#include "wire/listing.h"

#define KEPT 200                /* all of them fit one page */
#define WANTED_MS 2000

struct eviction_record {
    uint16_t len;
    char data[LISTED_MAX];
};

static_assert(KEPT * LISTED_MAX <= EVICTIONS_PAGE, "what is kept fits a page");

bool evictions_init(struct evictions *e)
{
    atomic_init(&e->wanted_until_ms, 0);
    e->ring = NULL;
    e->next = 1;
    return pthread_mutex_init(&e->lock, NULL) == 0;
}

void evictions_fini(struct evictions *e)
{
    free(e->ring);
    pthread_mutex_destroy(&e->lock);
}

void evictions_add(struct evictions *e, const struct item *it, int64_t at_ms)
{
    const struct listed l = {
        .key = it->key, .key_len = it->key_len, .marks = item_told(it),
        .client_flags = it->client_flags, .ttl_ms = item_ttl(it, at_ms),
        .idle_s = item_idle_s(it, at_ms),
        .token = item_token(it), .value_len = it->value_len,
    };

    pthread_mutex_lock(&e->lock);
    if (e->ring != NULL) {
        struct eviction_record *r = &e->ring[e->next++ % KEPT];

        r->len = (uint16_t)(listing_put(r->data, &l) - r->data);
    }
    pthread_mutex_unlock(&e->lock);
}

size_t evictions_take(struct evictions *e, uint64_t *cursor, int64_t at_ms, char *out)
{
    size_t len = 0;

    pthread_mutex_lock(&e->lock);
    if (e->ring == NULL)
        e->ring = calloc(KEPT, sizeof(*e->ring));
    atomic_store_explicit(&e->wanted_until_ms, at_ms + WANTED_MS, memory_order_relaxed);
    if (*cursor == 0 || *cursor > e->next)
        *cursor = e->next;
    if (e->next - *cursor > KEPT)
        *cursor = e->next - KEPT;
    for (; *cursor < e->next; (*cursor)++) {
        const struct eviction_record *r = &e->ring[*cursor % KEPT];

        memcpy(out + len, r->data, r->len);
        len += r->len;
    }
    pthread_mutex_unlock(&e->lock);
    return len;
}
