/* Pages of a store's items as records, for clients that want to see them all. */
#include <stdlib.h>

#include "store/parts.h"
#include "wire/listing.h"

#define PAGE_ITEMS 256          /* looked at for one page */

struct page {
    char *data;
    size_t len, size;
    bool failed;
};

static void add_record(void *arg, const struct copy *copy)
{
    struct page *page = arg;
    const struct listed l = {
        .key = copy->key, .key_len = copy->key_len, .marks = copy->marks,
        .client_flags = copy->client_flags, .ttl_ms = copy->ttl_ms,
        .idle_s = copy->idle_s, .token = copy->token, .value_len = copy->value_len,
    };

    if (copy->kind == COPY_DELETED)
        return;
    if (page->len + LISTED_MAX > page->size) {
        const size_t size = page->size == 0 ? PAGE_ITEMS * 64 : 2 * page->size;
        char *wider = realloc(page->data, size);

        if (wider == NULL) {
            page->failed = true;
            return;
        }
        page->data = wider;
        page->size = size;
    }
    page->len = (size_t)(listing_put(page->data + page->len, &l) - page->data);
}

bool store_list(struct store *s, uint64_t *cursor, int64_t now_ms, char **page, size_t *len)
{
    const struct arc all = { 0, UINT32_MAX };
    struct page p = { .data = NULL };

    store_walk(s, all, cursor, PAGE_ITEMS, now_ms, add_record, &p);
    if (p.failed) {
        free(p.data);
        return false;
    }
    *page = p.data;
    *len = p.len;
    return true;
}
