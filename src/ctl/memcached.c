#include "ctl/memcached.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "ctl/say.h"

#define KEY_MAX 250
#define VALUE_MAX ((size_t)INT32_MAX)   /* the protocol's, servers take less */

static int send_and_read(struct conn *c, const char *request, size_t len, char **line)
{
    bool sent = conn_send(c, request, len);
    int cause = errno;

    /* Who hangs up while we send may have said why. */
    *line = conn_line(c);
    if (*line == NULL && !sent)
        errno = cause;
    return *line != NULL ? YES : conn_lost(c);
}

int memcached_check_key(const char *key)
{
    size_t len = strlen(key);

    if (len < 1 || len > KEY_MAX)
        return say(EX_USAGE, "the key has %zu bytes, expected 1 to %d", len, KEY_MAX);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)key[i] <= ' ' || key[i] == 0x7f)
            return say(EX_USAGE, "the key has a blank or a control character at byte %zu",
                       i + 1);
    return YES;
}

/* `len` bytes of the value to stdout, as they come. */
static int copy_value(struct conn *c, size_t len)
{
    while (len > 0) {
        size_t n = c->end - c->at;

        if (n > len)
            n = len;
        if (fwrite(c->buf + c->at, 1, n, stdout) != n)
            return say(NO, "stdout: %s", strerror(errno));
        c->at += n;
        len -= n;
        if (len > 0 && n == 0) {
            c->at = c->end = 0;
            if (!conn_fill(c))
                return conn_lost(c);
        }
    }
    return YES;
}

int memcached_get(struct conn *c, char **argv)
{
    char request[KEY_MAX + 8], *line, *bytes;
    int n = snprintf(request, sizeof(request), "get %s\r\n", argv[0]);
    uint64_t len;
    int rc = send_and_read(c, request, (size_t)n, &line);

    if (rc != YES)
        return rc;
    if (strcmp(line, "END") == 0)
        return say(NO, "%s: not found", argv[0]);
    bytes = strrchr(line, ' ');
    if (strncmp(line, "VALUE ", 6) != 0 || !num_parse_u64(bytes + 1, strlen(bytes + 1), &len)
        || len > VALUE_MAX)
        return say_refused(line);
    if ((rc = copy_value(c, (size_t)len)) != YES)
        return rc;
    if (isatty(STDOUT_FILENO))
        putchar('\n');
    /* A value counts when all that belongs to it has come. */
    if ((line = conn_line(c)) == NULL || *line != '\0'
        || (line = conn_line(c)) == NULL || strcmp(line, "END") != 0)
        return say(UNREACHED, "%s: the answer broke off", c->server);
    if (fflush(stdout) != 0)
        return say(NO, "stdout: %s", strerror(errno));
    return YES;
}

static int read_stdin(char **value, size_t *len)
{
    size_t room = 0;

    *value = NULL;
    *len = 0;
    do {
        if (*len == room) {
            room = room == 0 ? 65536 : 2 * room;
            *value = xrealloc(*value, room);
        }
        *len += fread(*value + *len, 1, room - *len, stdin);
        if (*len > VALUE_MAX)
            return say(NO, "stdin: the value is longer than 2 GiB");
    } while (!feof(stdin) && !ferror(stdin));
    if (ferror(stdin))
        return say(NO, "stdin: %s", strerror(errno));
    return YES;
}

int memcached_set(struct conn *c, char **argv)
{
    char *value = NULL, *request, *line;
    size_t len, head;
    int rc = YES;

    if (strcmp(argv[1], "-") == 0) {
        rc = read_stdin(&value, &len);
    } else {
        value = xstrdup(argv[1]);
        len = strlen(value);
    }
    if (rc == YES) {
        request = xasprintf("set %s 0 0 %zu\r\n", argv[0], len);
        head = strlen(request);
        request = xrealloc(request, head + len + 2);
        memcpy(request + head, value, len);
        memcpy(request + head + len, "\r\n", 2);
        rc = send_and_read(c, request, head + len + 2, &line);
        free(request);
        if (rc == YES && strcmp(line, "STORED") != 0)
            rc = say_refused(line);
    }
    free(value);
    return rc;
}

int memcached_delete(struct conn *c, char **argv)
{
    char request[KEY_MAX + 16], *line;
    int n = snprintf(request, sizeof(request), "delete %s\r\n", argv[0]);
    int rc = send_and_read(c, request, (size_t)n, &line);

    if (rc != YES || strcmp(line, "DELETED") == 0)
        return rc;
    if (strcmp(line, "NOT_FOUND") == 0)
        return say(NO, "%s: not found", argv[0]);
    return say_refused(line);
}

/* With YES, *version is what the server calls itself. */
static int ask_version(struct conn *c, const char **version)
{
    static const char request[] = "version\r\n";
    char *line;
    int rc = send_and_read(c, request, sizeof(request) - 1, &line);

    if (rc != YES)
        return rc;
    if (strncmp(line, "VERSION ", 8) != 0)
        return say_refused(line);
    *version = line + 8;
    return YES;
}

int memcached_version(struct conn *c, char **argv)
{
    const char *version;
    int rc = ask_version(c, &version);

    (void)argv;
    if (rc == YES)
        puts(version);
    return rc;
}

int memcached_ping(struct conn *c, char **argv)
{
    const char *version;
    int rc = ask_version(c, &version);

    (void)argv;
    if (rc == YES)
        printf("%s answers\n", c->server);
    return rc;
}
