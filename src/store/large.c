#include "store/large.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define WORD_PAGES 64
#define WORD_FULL UINT64_MAX

bool larges_init(struct larges *ls, size_t reserve)
{
    const size_t n_words = reserve / REGION_PAGE / WORD_PAGES;

    *ls = (struct larges){ .n_words = n_words };
    if (!region_init(&ls->region, n_words * WORD_PAGES * REGION_PAGE))
        return false;
    ls->taken = store_may_take(n_words) ? calloc(n_words, sizeof(*ls->taken)) : NULL;
    if (ls->taken == NULL) {
        region_fini(&ls->region);
        return false;
    }
    return true;
}

void larges_fini(struct larges *ls)
{
    while (ls->newest != NULL)
        large_remove(ls, ls->newest);
    assert(ls->n_pages == 0);
    free(ls->by_id);
    free(ls->taken);
    region_fini(&ls->region);
}

/* ---- pages ---- */

static void mark(struct larges *ls, size_t page, size_t n, bool taken)
{
    for (size_t i = page; i < page + n; i++) {
        const uint64_t bit = (uint64_t)1 << i % WORD_PAGES;

        if (taken)
            ls->taken[i / WORD_PAGES] |= bit;
        else
            ls->taken[i / WORD_PAGES] &= ~bit;
    }
}

/* The first page from `page` on, and below `end`, that is taken or is not. */
static size_t next_page(const struct larges *ls, size_t page, size_t end, bool taken)
{
    while (page < end) {
        const uint64_t word = ls->taken[page / WORD_PAGES] ^ (taken ? 0 : WORD_FULL);
        const uint64_t rest = word >> page % WORD_PAGES;

        if (rest != 0) {
            page += (size_t)__builtin_ctzll(rest);
            break;
        }
        page += WORD_PAGES - page % WORD_PAGES;
    }
    return page < end ? page : end;
}

/* The first run of `n` free pages: low ones are used first, so that long runs
 * stay together behind them.  SIZE_MAX when there is none. */
static size_t find_run(struct larges *ls, size_t n)
{
    const size_t end = ls->n_words * WORD_PAGES;
    size_t first, behind;

    while (ls->first_free < ls->n_words && ls->taken[ls->first_free] == WORD_FULL)
        ls->first_free++;
    for (size_t page = ls->first_free * WORD_PAGES; ; page = behind) {
        first = next_page(ls, page, end, false);
        if (end - first < n)
            return SIZE_MAX;
        behind = next_page(ls, first, first + n, true);
        if (behind == first + n)
            return first;
    }
}

static char *take_pages(struct larges *ls, size_t n)
{
    const size_t page = find_run(ls, n);

    if (page == SIZE_MAX || !region_use(&ls->region, (page + n) * REGION_PAGE))
        return NULL;
    mark(ls, page, n, true);
    ls->n_pages += n;
    return ls->region.base + page * REGION_PAGE;
}

static void give_pages(struct larges *ls, const char *at, size_t n)
{
    const size_t page = (size_t)(at - ls->region.base) / REGION_PAGE;

    region_discard(&ls->region, page * REGION_PAGE, n * REGION_PAGE);
    mark(ls, page, n, false);
    if (page / WORD_PAGES < ls->first_free)
        ls->first_free = page / WORD_PAGES;
    ls->n_pages -= n;
}

/* ---- items ---- */

static bool take_id(struct larges *ls, struct large *lg)
{
    struct large **wider;

    if (ls->n == LARGES_MAX)
        return false;
    while (ls->free_id < ls->n_ids && ls->by_id[ls->free_id] != NULL)
        ls->free_id++;
    if (ls->free_id == ls->n_ids) {
        const uint32_t n = ls->n_ids == 0 ? 16 : 2 * ls->n_ids;

        wider = store_may_take(n) ? realloc(ls->by_id, n * sizeof(struct large *)) : NULL;
        if (wider == NULL)
            return false;
        memset(wider + ls->n_ids, 0, (n - ls->n_ids) * sizeof(struct large *));
        ls->by_id = wider;
        ls->n_ids = n;
    }
    lg->id = ls->free_id;
    ls->by_id[lg->id] = lg;
    return true;
}

static void queue_put(struct larges *ls, struct large *lg)
{
    lg->newer = NULL;
    lg->older = ls->newest;
    if (ls->newest != NULL)
        ls->newest->newer = lg;
    else
        ls->oldest = lg;
    ls->newest = lg;
}

static void queue_take(struct larges *ls, struct large *lg)
{
    if (lg->newer != NULL)
        lg->newer->older = lg->older;
    else
        ls->newest = lg->older;
    if (lg->older != NULL)
        lg->older->newer = lg->newer;
    else
        ls->oldest = lg->newer;
}

struct large *large_new(struct larges *ls, size_t bytes, uint64_t stamp)
{
    const size_t n_pages = region_round(bytes) / REGION_PAGE;
    struct large *lg = store_may_take(sizeof(*lg)) ? malloc(sizeof(*lg)) : NULL;

    if (lg == NULL)
        return NULL;
    *lg = (struct large){ .n_pages = n_pages, .stamp = stamp };
    if (!take_id(ls, lg)) {
        free(lg);
        return NULL;
    }
    lg->at = take_pages(ls, n_pages);
    if (lg->at == NULL) {
        ls->by_id[lg->id] = NULL;
        free(lg);
        return NULL;
    }
    queue_put(ls, lg);
    ls->n++;
    return lg;
}

static void end(struct larges *ls, struct large *lg)
{
    give_pages(ls, lg->at, lg->n_pages);
    free(lg);
}

void large_remove(struct larges *ls, struct large *lg)
{
    queue_take(ls, lg);
    ls->by_id[lg->id] = NULL;
    if (lg->id < ls->free_id)
        ls->free_id = lg->id;
    ls->n--;
    lg->gone = true;
    if (lg->loans == 0)
        end(ls, lg);
}

void large_to_front(struct larges *ls, struct large *lg, uint64_t stamp)
{
    lg->stamp = stamp;
    if (ls->newest == lg)
        return;
    queue_take(ls, lg);
    queue_put(ls, lg);
}

void large_lend(struct larges *ls, struct large *lg)
{
    if (lg->loans++ == 0)
        ls->n_lent_pages += lg->n_pages;
}

void large_back(struct larges *ls, struct large *lg)
{
    assert(lg->loans > 0);
    if (--lg->loans > 0)
        return;
    ls->n_lent_pages -= lg->n_pages;
    if (lg->gone)
        end(ls, lg);
}
