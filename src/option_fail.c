#include "option_fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <sysexits.h>

int option_fail(const char *format, ...)
{
    va_list args;

    fputs("chcached: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return EX_USAGE;
}
