#include "option_fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <sysexits.h>

/* `line` 0: of the command line. */
static int say(const char *path, unsigned line, const char *format, va_list args)
{
    if (line > 0)
        fprintf(stderr, "%s:%u: ", path, line);
    else
        fputs("chcached: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    return line > 0 ? EX_CONFIG : EX_USAGE;
}

int option_fail(const char *format, ...)
{
    va_list args;
    int rc;

    va_start(args, format);
    rc = say(NULL, 0, format, args);
    va_end(args);
    return rc;
}

int option_fail_line(const char *path, unsigned line, const char *format, ...)
{
    va_list args;
    int rc;

    va_start(args, format);
    rc = say(path, line, format, args);
    va_end(args);
    return rc;
}

int option_fail_of(const struct options *o, enum option_id id, const char *format, ...)
{
    va_list args;
    int rc;

    va_start(args, format);
    rc = say(o->config, o->line[id], format, args);
    va_end(args);
    return rc;
}
