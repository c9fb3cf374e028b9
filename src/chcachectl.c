/*
 * chcachectl - ask a running cache
 *
 * Speaks the text protocol over one plain blocking socket, so it works with
 * memcached too.  stdout is data, stderr is talk; the exit status is the answer.
 */
#include "config.h"

#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"

#define SERVER "127.0.0.1:11211"
#define TIMEOUT_S 5             /* for each step: connect, send, receive */
#define KEY_MAX 250
#define LINE_MAX_BYTES 2048     /* no answer's first line is longer */
#define VALUE_MAX ((size_t)INT32_MAX)   /* the protocol's, servers take less */

enum { YES = 0, NO = 1, UNREACHED = 3 };

/* Bytes come through `buf`: those from `at` to `end` are not used yet. */
struct conn {
    const char *server;
    int fd;
    size_t at, end;
    char buf[65536];
};

static int __attribute__((format(printf, 2, 3))) say(int rc, const char *format, ...)
{
    va_list args;

    fputs("chcachectl: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return rc;
}

/* The cause of a socket call that failed, in words. */
static const char *why(void)
{
    if (errno == EAGAIN || errno == EINPROGRESS)
        return "no answer within 5 s";
    return strerror(errno);
}

/* ---- the connection ---- */

static int socket_connect(int family, const struct sockaddr *to, socklen_t len)
{
    struct timeval timeout = { TIMEOUT_S, 0 };
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), cause;

    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) == 0
        && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) == 0
        && connect(fd, to, len) == 0)
        return fd;
    cause = errno;
    close(fd);
    errno = cause;
    return -1;
}

static int connect_unix(const char *path)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    size_t len = strlen(path);

    if (len >= sizeof(to.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(to.sun_path, path, len);
    if (to.sun_path[0] == '@')  /* an abstract one */
        to.sun_path[0] = '\0';
    else
        len++;
    return socket_connect(AF_UNIX, (struct sockaddr *)&to,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
}

static int connect_all(const struct addrinfo *list)
{
    int fd = -1;

    for (; list != NULL && fd < 0; list = list->ai_next)
        fd = socket_connect(list->ai_family, list->ai_addr, list->ai_addrlen);
    return fd;
}

/* "HOST:PORT", "[ADDR6]:PORT", "HOST"; a path or "@name". */
static int conn_open(struct conn *c)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
    const char *s = c->server, *colon = strrchr(s, ':'), *port = "11211";
    size_t len = strlen(s);
    char *host;
    int rc;

    if (s[0] == '@' || strchr(s, '/') != NULL) {
        c->fd = connect_unix(s);
    } else {
        /* Several colons without brackets are an IPv6 address without a port. */
        if (colon != NULL && (s[0] == '[' ? colon[-1] == ']' : strchr(s, ':') == colon)) {
            port = colon + 1;
            len = (size_t)(colon - s);
        }
        if (len > 2 && s[0] == '[' && s[len - 1] == ']') {
            s++;
            len -= 2;
        }
        host = xasprintf("%.*s", (int)len, s);
        rc = getaddrinfo(host, port, &hints, &list);
        free(host);
        if (rc != 0)
            return say(UNREACHED, "%s: %s", c->server, gai_strerror(rc));
        c->fd = connect_all(list);
        freeaddrinfo(list);
    }
    if (c->fd < 0)
        return say(UNREACHED, "%s: %s", c->server, why());
    return YES;
}

static bool conn_send(struct conn *c, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

/* More bytes behind those that are there; there must be room. */
static bool conn_fill(struct conn *c)
{
    ssize_t n;

    do
        n = recv(c->fd, c->buf + c->end, sizeof(c->buf) - c->end, 0);
    while (n < 0 && errno == EINTR);
    if (n == 0)
        errno = ECONNRESET;
    if (n <= 0)
        return false;
    c->end += (size_t)n;
    return true;
}

/* One line, without its end and with a terminator; NULL when none comes. */
static char *conn_line(struct conn *c)
{
    memmove(c->buf, c->buf + c->at, c->end - c->at);
    c->end -= c->at;
    c->at = 0;
    for (;;) {
        char *newline = memchr(c->buf, '\n', c->end);

        if (newline != NULL) {
            c->at = (size_t)(newline - c->buf) + 1;
            if (newline > c->buf && newline[-1] == '\r')
                newline--;
            *newline = '\0';
            return c->buf;
        }
        if (c->end >= LINE_MAX_BYTES) {
            errno = EPROTO;
            return NULL;
        }
        if (!conn_fill(c))
            return NULL;
    }
}

static int lost(const struct conn *c)
{
    return say(UNREACHED, "%s: %s", c->server, why());
}

/* What the server says instead of an answer; its bytes are not trusted. */
static int refused(char *line)
{
    for (char *p = line; *p != '\0'; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
    return say(NO, "%s", line);
}

static int send_and_read(struct conn *c, const char *request, size_t len, char **line)
{
    bool sent = conn_send(c, request, len);
    int cause = errno;

    /* Who hangs up while we send may have said why. */
    *line = conn_line(c);
    if (*line == NULL && !sent)
        errno = cause;
    return *line != NULL ? YES : lost(c);
}

/* ---- the commands ---- */

static int check_key(const char *key)
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
                return lost(c);
        }
    }
    return YES;
}

static int run_get(struct conn *c, char **argv)
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
        return refused(line);
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

static int run_set(struct conn *c, char **argv)
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
            rc = refused(line);
    }
    free(value);
    return rc;
}

static int run_delete(struct conn *c, char **argv)
{
    char request[KEY_MAX + 16], *line;
    int n = snprintf(request, sizeof(request), "delete %s\r\n", argv[0]);
    int rc = send_and_read(c, request, (size_t)n, &line);

    if (rc != YES || strcmp(line, "DELETED") == 0)
        return rc;
    if (strcmp(line, "NOT_FOUND") == 0)
        return say(NO, "%s: not found", argv[0]);
    return refused(line);
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
        return refused(line);
    *version = line + 8;
    return YES;
}

static int run_version(struct conn *c, char **argv)
{
    const char *version;
    int rc = ask_version(c, &version);

    (void)argv;
    if (rc == YES)
        puts(version);
    return rc;
}

static int run_ping(struct conn *c, char **argv)
{
    const char *version;
    int rc = ask_version(c, &version);

    (void)argv;
    if (rc == YES)
        printf("%s answers\n", c->server);
    return rc;
}

static const struct command {
    const char *word, *args, *help;
    int n_args;
    bool has_key;               /* as the first of its arguments */
    int (*run)(struct conn *c, char **argv);
} commands[] = {
    { "get", " KEY", "write the value to stdout", 1, true, run_get },
    { "set", " KEY VALUE", "store a value; - reads it from stdin", 2, true, run_set },
    { "delete", " KEY", "forget the key", 1, true, run_delete },
    { "ping", "", "does the server answer?", 0, false, run_ping },
    { "version", "", "the server's version", 0, false, run_version },
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int help(void)
{
    puts("Usage: chcachectl [--server HOST:PORT] COMMAND\n");
    for (size_t i = 0; i < N_COMMANDS; i++)
        printf("  %s%-*s %s\n", commands[i].word, (int)(18 - strlen(commands[i].word)),
               commands[i].args, commands[i].help);
    puts("  help               this text\n\n"
         "The server may be a path of a Unix socket.  Without --server it is that of\n"
         "the environment variable CHCACHED_SERVER, else " SERVER ".\n"
         "Exit status: 0 yes; 1 no: absent or refused; 3 not reached; 64 usage.");
    return YES;
}

static const struct command *command_of(const char *word)
{
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(commands[i].word, word) == 0)
            return &commands[i];
    return NULL;
}

static int run(const struct command *command, const char *server, char **args)
{
    struct conn *c = xzalloc(sizeof(*c));
    int rc;

    c->server = server;
    c->fd = -1;
    rc = conn_open(c);
    if (rc == YES)
        rc = command->run(c, args);
    if (c->fd >= 0)
        close(c->fd);
    free(c);
    if (fflush(stdout) != 0 && rc == YES)
        rc = say(NO, "stdout: %s", strerror(errno));
    return rc;
}

int main(int argc, char **argv)
{
    const char *server = getenv("CHCACHED_SERVER");
    const struct command *command;
    int i = 1, rc;

    if (server == NULL || *server == '\0')
        server = SERVER;
    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        if (strncmp(argv[i], "--server=", 9) == 0)
            server = argv[i] + 9;
        else if (strcmp(argv[i], "--server") == 0 && i + 1 < argc)
            server = argv[++i];
        else if (strcmp(argv[i], "--server") == 0)
            return say(EX_USAGE, "--server needs a value, HOST:PORT");
        else if (strcmp(argv[i], "--help") == 0)
            return help();
        else if (strcmp(argv[i], "--version") == 0)
            return puts("chcachectl " PACKAGE_VERSION) < 0;
        else
            return say(EX_USAGE, "unknown option %s, see chcachectl help", argv[i]);
    }
    if (i == argc)
        return say(EX_USAGE, "expected a command, see chcachectl help");
    if (strcmp(argv[i], "help") == 0 || strcmp(argv[i], "-h") == 0)
        return help();
    command = command_of(argv[i]);
    if (command == NULL)
        return say(EX_USAGE, "unknown command %s, see chcachectl help", argv[i]);
    if (argc - i - 1 != command->n_args)
        return say(EX_USAGE, "usage: chcachectl %s%s", command->word, command->args);
    if (command->has_key && (rc = check_key(argv[i + 1])) != YES)
        return rc;
    return run(command, server, argv + i + 1);
}
