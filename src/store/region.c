#include "store/region.h"

#include <stdint.h>
#include <sys/mman.h>

/* As much is made usable at a time, so that there are few calls. */
#define STEP ((size_t)2 << 20)

bool store_may_take(size_t bytes)
{
    return bytes <= PTRDIFF_MAX;
}

bool region_init(struct region *r, size_t bytes)
{
    void *base;

    *r = (struct region){ .bytes = region_round(bytes) };
    if (!store_may_take(bytes))
        return false;
    base = mmap(NULL, r->bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return false;
    r->base = base;
    return true;
}

void region_fini(struct region *r)
{
    if (r->base != NULL)
        munmap(r->base, r->bytes);
    r->base = NULL;
}

bool region_use(struct region *r, size_t bytes)
{
    size_t end;

    if (bytes <= r->in_use)
        return true;
    if (bytes > r->bytes || !store_may_take(bytes - r->in_use))
        return false;
    end = (bytes + STEP - 1) & ~(STEP - 1);
    if (end > r->bytes)
        end = r->bytes;
    if (mprotect(r->base + r->in_use, end - r->in_use, PROT_READ | PROT_WRITE) != 0)
        return false;
    r->in_use = end;
    return true;
}

void region_discard(struct region *r, size_t at, size_t bytes)
{
    const size_t first = region_round(at), end = (at + bytes) & ~(REGION_PAGE - 1);

    if (first < end)
        madvise(r->base + first, end - first, MADV_DONTNEED);
}
