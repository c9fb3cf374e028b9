/*
 * Preloaded into a daemon, it lets allocations fail when a test says so.
 *
 * The file that FAILING_MEMORY names is shared by the test, the daemon and its
 * children: two 64-bit numbers.  `left` allocations succeed and the `n_failing`
 * after them fail; from then on all is well again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct plan {
    int64_t left;
    int64_t n_failing;
};

static struct plan *plan;

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void *__libc_memalign(size_t align, size_t size);

__attribute__((constructor)) static void open_plan(void)
{
    const char *name = getenv("FAILING_MEMORY");
    int fd = name != NULL ? open(name, O_RDWR | O_CLOEXEC) : -1;
    void *p;

    if (fd < 0)
        return;
    p = mmap(NULL, sizeof(*plan), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (p != MAP_FAILED)
        plan = p;
}

static bool fails(void)
{
    int64_t left;

    if (plan == NULL)
        return false;
    left = __atomic_fetch_sub(&plan->left, 1, __ATOMIC_RELAXED);
    if (left > 0 || left <= -__atomic_load_n(&plan->n_failing, __ATOMIC_RELAXED))
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
    return fails() ? NULL : __libc_realloc(p, size);
}

void *aligned_alloc(size_t align, size_t size)
{
    return fails() ? NULL : __libc_memalign(align, size);
}

int posix_memalign(void **out, size_t align, size_t size)
{
    void *p = fails() ? NULL : __libc_memalign(align, size);

    if (p == NULL)
        return ENOMEM;
    *out = p;
    return 0;
}
