/*
 * httpload - the same GET again and again, over connections that stay open
 *
 *   ./httpload PORT PATH CONNECTIONS BODY_BYTES SECONDS
 *
 * One thread, epoll.  Each connection has one request open.  Prints how many were
 * answered; ends with 1 when an answer is not 200, or its body not so many bytes
 * of 'x', or a connection is closed.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_CONNECTIONS 1024
#define HEAD_MAX 4096

struct connection {
    int fd;
    char *in;                   /* HEAD_MAX and the body */
    size_t len;
};

static struct connection connections[MAX_CONNECTIONS];
static char request[512];
static size_t request_len, body_bytes;
static unsigned long answered;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void wrong(const char *what)
{
    fprintf(stderr, "httpload: %s\n", what);
    exit(1);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void ask(struct connection *c)
{
    c->len = 0;
    if (send(c->fd, request, request_len, MSG_NOSIGNAL) != (ssize_t)request_len)
        die("send");
}

static void open_one(struct connection *c, int port)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((unsigned short)port) };
    const int one = 1;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0)
        die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    c->in = malloc(HEAD_MAX + body_bytes);
    if (c->in == NULL)
        die("malloc");
}

/* The whole answer is there. */
static bool is_whole(const struct connection *c)
{
    const char *end = memmem(c->in, c->len, "\r\n\r\n", 4);
    size_t head;

    if (end == NULL)
        return false;
    head = (size_t)(end - c->in) + 4;
    if (c->len > head + body_bytes)
        wrong("an answer is longer than its body may be");
    return c->len == head + body_bytes;
}

static void take(struct connection *c)
{
    const ssize_t got = recv(c->fd, c->in + c->len, HEAD_MAX + body_bytes - c->len, 0);

    if (got <= 0)
        wrong("a connection was closed");
    c->len += (size_t)got;
    if (!is_whole(c))
        return;
    if (c->len < 12 || memcmp(c->in, "HTTP/1.1 200", 12) != 0)
        wrong("an answer is not 200");
    if (body_bytes > 0 && (c->in[c->len - 1] != 'x' || c->in[c->len - body_bytes] != 'x'))
        wrong("an answer has another body");
    answered++;
    ask(c);
}

int main(int argc, char **argv)
{
    struct epoll_event events[64];
    const int epoll = epoll_create1(0);
    int n;
    double until;

    if (argc != 6 || (n = atoi(argv[3])) < 1 || n > MAX_CONNECTIONS)
        wrong("usage: httpload PORT PATH CONNECTIONS BODY_BYTES SECONDS");
    request_len = (size_t)snprintf(request, sizeof(request),
                                   "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", argv[2]);
    body_bytes = (size_t)atol(argv[4]);
    for (int i = 0; i < n; i++) {
        struct epoll_event e = { .events = EPOLLIN, .data.ptr = &connections[i] };

        open_one(&connections[i], atoi(argv[1]));
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, connections[i].fd, &e) != 0)
            die("epoll_ctl");
        ask(&connections[i]);
    }
    for (until = now() + atof(argv[5]); now() < until;) {
        const int ready = epoll_wait(epoll, events, 64, 100);

        for (int i = 0; i < ready; i++)
            take(events[i].data.ptr);
    }
    printf("%lu\n", answered);
    return 0;
}
