#include "ctl/conn.h"

#include <errno.h>
#include <netdb.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "ctl/say.h"

#define TIMEOUT_S 5             /* for each step: connect, send, receive */

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

/* A number that is one, or a name that /etc/services may have. */
static bool is_port(const char *port)
{
    uint64_t n;

    if (port[strspn(port, "0123456789")] != '\0')
        return true;
    return num_parse_u64(port, strlen(port), &n) && n >= 1 && n <= 65535;
}

int conn_open(struct conn *c, const char *server, const char *port)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
    const char *s = server, *colon = strrchr(s, ':');
    size_t len = strlen(s);
    char *host;
    int rc;

    c->server = server;
    c->fd = -1;
    c->at = c->end = 0;
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
        rc = is_port(port) ? getaddrinfo(host, port, &hints, &list) : EAI_SERVICE;
        free(host);
        if (rc == EAI_SERVICE)
            return say(EX_USAGE, "%s: behind the colon, expected a port from 1 to 65535", c->server);
        if (rc != 0)
            return say(UNREACHED, "%s: %s", c->server, gai_strerror(rc));
        c->fd = connect_all(list);
        freeaddrinfo(list);
    }
    if (c->fd < 0)
        return conn_lost(c);
    return YES;
}

void conn_set_patience(struct conn *c, int seconds)
{
    const struct timeval timeout = { seconds, 0 };

    (void)setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
}

void conn_close(struct conn *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

bool conn_send(struct conn *c, const char *data, size_t len)
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

bool conn_fill(struct conn *c)
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

char *conn_line(struct conn *c)
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
        if (c->end >= CONN_LINE_MAX) {
            errno = EPROTO;
            return NULL;
        }
        if (!conn_fill(c))
            return NULL;
    }
}

int conn_lost(const struct conn *c)
{
    return say(UNREACHED, "%s: %s", c->server, say_why());
}
