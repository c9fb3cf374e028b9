#include "option_fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/mem.h"

static char *caught;            /* NULL: said on stderr */
static size_t caught_size;

void option_fail_catch(char *line, size_t size)
{
    caught = line;
    caught_size = size;
}

/* What was read is anybody's: it is not to end the line or to move the cursor. */
static void replace_controls(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
}

/* `line` 0: of the command line. */
__attribute__((format(printf, 3, 0)))
static int say(const char *path, unsigned line, const char *format, va_list args)
{
    char *text = xvasprintf(format, args);
    char *whole = line > 0 ? xasprintf("%s:%u: %s", path, line, text)
                           : xasprintf("chcached: %s", text);

    replace_controls(whole);
    if (caught != NULL)
        snprintf(caught, caught_size, "%s", whole);
    else
        fprintf(stderr, "%s\n", whole);
    free(whole);
    free(text);
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

int option_fail_file(const char *path, const char *why)
{
    (void)option_fail("cannot read %s: %s", path, why);
    return EX_CONFIG;
}

void option_warn(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)say(NULL, 0, format, args);
    va_end(args);
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
