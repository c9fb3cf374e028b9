#include "ctl/say.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int hushed = -1;
static char *into;
static size_t into_room;

void say_hush(int rc)
{
    hushed = rc;
}

void say_into(char *out, size_t room)
{
    into = out;
    into_room = room;
}

int say(int rc, const char *format, ...)
{
    va_list args;

    if (rc == hushed)
        return rc;
    va_start(args, format);
    if (into != NULL) {
        (void)vsnprintf(into, into_room, format, args);
    } else {
        fputs("chcachectl: ", stderr);
        vfprintf(stderr, format, args);
        fputc('\n', stderr);
    }
    va_end(args);
    return rc;
}

int say_refused(char *line)
{
    if (strncmp(line, "HTTP/", 5) == 0)
        return say(NO, "this is an admin address: name it with --admin, and with --server the "
                   "address of clients");
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
