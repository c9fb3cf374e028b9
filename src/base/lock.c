#include "base/lock.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LOOKS 100               /* at a lock that is taken, before a sleep */

/*
 * lock_give() may look for sleepers before others see its store: who falls
 * asleep just then is not woken.  No sleep is longer than this.
 */
#define SLEEP_NS 1000000

static void pause_cpu(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static bool take_soon(struct lock *l)
{
    for (unsigned i = 0; i < LOOKS; i++) {
        if (atomic_load_explicit(&l->taken, memory_order_relaxed) == 0 && lock_try(l))
            return true;
        pause_cpu();
    }
    return false;
}

void lock_wait(struct lock *l)
{
    const struct timespec longest = { 0, SLEEP_NS };

    if (take_soon(l))
        return;
    atomic_fetch_add(&l->sleepers, 1);
    while (!lock_try(l))
        syscall(SYS_futex, &l->taken, FUTEX_WAIT_PRIVATE, 1, &longest, NULL, 0);
    atomic_fetch_sub(&l->sleepers, 1);
}

void lock_wake(struct lock *l)
{
    syscall(SYS_futex, &l->taken, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
