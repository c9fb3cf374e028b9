#include "base/mem.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

#define TRIES 50
#define NAP_MS 10

/*
 * _exit(), not exit(): other threads may run, and handlers that want memory
 * too would only fail again.
 */
static _Noreturn void out_of_memory(size_t size)
{
    log_error("mem", "out of memory, the process ends: lower --memory-limit or give the host "
              "more wanted=%zu", size);
    log_flush();
    _exit(EX_OSERR);
}

/* What is short for a moment need not end a process: true, after a nap, while
 * there is patience left. */
static bool may_try_again(unsigned *tries)
{
    const struct timespec nap = { .tv_nsec = NAP_MS * 1000000 };

    if (++*tries > TRIES)
        return false;
    nanosleep(&nap, NULL);
    return true;
}

void *xmalloc(size_t size)
{
    return xrealloc(NULL, size);
}

void *xzalloc(size_t size)
{
    return memset(xmalloc(size), 0, size);
}

void *xrealloc(void *p, size_t size)
{
    unsigned tries = 0;
    void *q;

    do {
        q = realloc(p, size > 0 ? size : 1);
    } while (q == NULL && may_try_again(&tries));
    if (q == NULL)
        out_of_memory(size);
    return q;
}

char *xstrdup(const char *s)
{
    size_t size = strlen(s) + 1;

    return memcpy(xmalloc(size), s, size);
}

char *xvasprintf(const char *format, va_list args)
{
    char *s = NULL;

    if (vasprintf(&s, format, args) < 0)
        out_of_memory(0);
    return s;
}

char *xasprintf(const char *format, ...)
{
    va_list args;
    char *s;

    va_start(args, format);
    s = xvasprintf(format, args);
    va_end(args);
    return s;
}
