/*
 * mem - memory that start-up cannot do without
 *
 * For what lives as long as the daemon and for small, rare things: these end
 * the process when memory is short for half a second.  The data path uses pools
 * and checks.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdarg.h>
#include <stddef.h>

void *xmalloc(size_t size);
void *xzalloc(size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);

/* printf into a new string.  Free with free(). */
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *xvasprintf(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

#endif
