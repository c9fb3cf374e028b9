/*
 * lock - for some hundred instructions at a time
 *
 * Where nobody else is there it takes one atomic exchange and a store, about
 * half of what a mutex takes.  Who finds it taken waits for a moment, as the
 * holder will be gone before a sleep could begin, and then sleeps.
 */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct lock {
    _Atomic uint32_t taken;     /* 0 or 1 */
    _Atomic uint32_t sleepers;
};

static inline void lock_init(struct lock *l)
{
    atomic_init(&l->taken, 0);
    atomic_init(&l->sleepers, 0);
}

/* For the two below. */
void lock_wait(struct lock *l);
void lock_wake(struct lock *l);

static inline bool lock_try(struct lock *l)
{
    return atomic_exchange_explicit(&l->taken, 1, memory_order_acquire) == 0;
}

static inline void lock_take(struct lock *l)
{
    if (__builtin_expect(!lock_try(l), 0))
        lock_wait(l);
}

static inline void lock_give(struct lock *l)
{
    atomic_store_explicit(&l->taken, 0, memory_order_release);
    if (__builtin_expect(atomic_load_explicit(&l->sleepers, memory_order_relaxed) != 0, 0))
        lock_wake(l);
}

#endif
