#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"

/*
 * _exit(), not exit(): other threads may run, and handlers that want memory
 * too would only fail again.
 */
static _Noreturn void out_of_memory(size_t size)
{
    log_error("mem", "out of memory wanted=%zu", size);
    log_flush();
    _exit(EX_OSERR);
}

void *xmalloc(size_t size)
{
    void *p = malloc(size > 0 ? size : 1);

    if (p == NULL)
        out_of_memory(size);
    return p;
}

void *xzalloc(size_t size)
{
    void *p = calloc(1, size > 0 ? size : 1);

    if (p == NULL)
        out_of_memory(size);
    return p;
}

void *xrealloc(void *p, size_t size)
{
    void *q = realloc(p, size > 0 ? size : 1);

    if (q == NULL)
        out_of_memory(size);
    return q;
}

char *xstrdup(const char *s)
{
    size_t size = strlen(s) + 1;

    return memcpy(xmalloc(size), s, size);
}

char *xasprintf(const char *format, ...)
{
    char *s = NULL;
    va_list args;
    int n;

    va_start(args, format);
    n = vasprintf(&s, format, args);
    va_end(args);
    if (n < 0)
        out_of_memory(0);
    return s;
}
