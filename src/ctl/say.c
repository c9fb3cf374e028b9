#include "ctl/say.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int hushed = -1;

void say_hush(int rc)
{
    hushed = rc;
}

int say(int rc, const char *format, ...)
{
    va_list args;

    if (rc == hushed)
        return rc;
    fputs("chcachectl: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return rc;
}

int say_refused(char *line)
{
    for (char *p = line; *p != '\0'; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
    return say(NO, "%s", *line != '\0' ? line : "an empty line for an answer");
}

const char *say_why(void)
{
    if (errno == EAGAIN || errno == EINPROGRESS)
        return "no answer within 5 s";
    return strerror(errno);
}

int say_json(int rc, json_t *data)
{
    (void)json_dumpf(data, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15));
    putchar('\n');
    json_decref(data);
    return rc;
}

void say_json_line(json_t *data)
{
    (void)json_dumpf(data, stdout, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15));
    putchar('\n');
    fflush(stdout);
    json_decref(data);
}

bool say_in_color(const struct ctl *ctl)
{
    return !ctl->no_color && isatty(STDOUT_FILENO);
}
