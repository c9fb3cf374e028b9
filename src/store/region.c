#include "store/region.h"

#include <stdint.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)

/* As much is made usable at a time, so that there are few calls. */
#define STEP HUGE_PAGE

#ifndef MADV_DONTNEED_LOCKED    /* Linux 5.18; older ones refuse it */
#define MADV_DONTNEED_LOCKED 24
#endif

#ifndef MADV_COLLAPSE           /* Linux 6.1; older ones refuse it */
#define MADV_COLLAPSE 25
#endif

static size_t round_up(size_t n, size_t step)
{
    return (n + step - 1) & ~(step - 1);
}

bool store_may_take(size_t bytes)
{
    return bytes <= PTRDIFF_MAX;
}

bool region_init(struct region *r, size_t bytes)
{
    void *mapped;

    *r = (struct region){ .bytes = region_round(bytes) };
    r->mapped_bytes = r->bytes + HUGE_PAGE;
    if (!store_may_take(bytes))
        return false;
    mapped = mmap(NULL, r->mapped_bytes, PROT_NONE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED)
        return false;
    r->mapped = mapped;
    r->base = (char *)mapped + (round_up((uintptr_t)mapped, HUGE_PAGE) - (uintptr_t)mapped);
    return true;
}

void region_fini(struct region *r)
{
    if (r->mapped != NULL)
        munmap(r->mapped, r->mapped_bytes);
    r->mapped = r->base = NULL;
}

bool region_use(struct region *r, size_t bytes)
{
    size_t end;

    if (bytes <= r->in_use)
        return true;
    if (bytes > r->bytes || !store_may_take(bytes - r->in_use))
        return false;
    end = round_up(bytes, STEP);
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

    if (first < end && madvise(r->base + first, end - first, MADV_DONTNEED) != 0)
        (void)madvise(r->base + first, end - first, MADV_DONTNEED_LOCKED);
}

void region_settle(struct region *r, size_t at, size_t bytes)
{
    const size_t first = round_up(at, HUGE_PAGE), end = (at + bytes) & ~(HUGE_PAGE - 1);

    if (first < end)
        (void)madvise(r->base + first, end - first, MADV_COLLAPSE);    /* a kindness */
}
