#include "client.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t now_ms(void)
{
    return now_us() / 1000;
}

/* ---- the connection ---- */

void client_init(struct client *c, struct client_shared *shared, uint32_t number, void *owner)
{
    *c = (struct client){ .number = number, .fd = -1, .shared = shared, .owner = owner };
}

void client_fini(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    free(c->in.data);
    free(c->out.data);
}

void client_connect(struct client *c, const struct sockaddr_in *to)
{
    struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT, .data.ptr = c };
    int on = 1;

    assert(c->state == CLIENT_DOWN);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if ((connect(c->fd, (const struct sockaddr *)to, sizeof(*to)) < 0 && errno != EINPROGRESS) ||
        epoll_ctl(c->shared->epoll, EPOLL_CTL_ADD, c->fd, &ev) < 0) {
        close(c->fd);
        c->fd = -1;
        return;
    }
    c->state = CLIENT_CONNECTING;
    c->is_full = true;
    c->connecting_us = now_us();
}

static void end_oldest(struct client *c, const struct history_answer *answer)
{
    const struct said r = c->flight[c->n_ended++ % CLIENT_DEPTH];
    const uint64_t seen = history_end(c->shared->history, r.handle, answer, now_ms());

    c->shared->ended(c, &r, answer, seen);
}

void client_drop(struct client *c)
{
    const struct history_answer unknown = { .outcome = HISTORY_UNKNOWN };

    if (c->state == CLIENT_DOWN)
        return;
    c->state = CLIENT_DOWN;
    close(c->fd);
    c->fd = -1;
    c->in.at = c->in.end = c->out.at = c->out.end = 0;
    while (client_in_flight(c) > 0)
        end_oldest(c, &unknown);
}

/* Not by our own wish. */
static void lose(struct client *c)
{
    c->shared->n_lost += c->state == CLIENT_UP;
    client_drop(c);
}

/* ---- operations out ---- */

void client_begin(struct client *c, const struct said *r, uint32_t len, uint64_t cas)
{
    struct said *mine = &c->flight[c->n_begun % CLIENT_DEPTH];

    assert(c->state == CLIENT_UP && client_in_flight(c) < CLIENT_DEPTH);
    c->n_begun++;
    *mine = *r;
    mine->op.client = c->number;
    mine->begun_us = now_us();
    mine->handle = history_begin(c->shared->history, &mine->op, now_ms());
    talk_say(&c->out, mine, c->shared->history, c->shared->prefix, len, cas);
}

/* ---- answers in ---- */

static void bad_answer(const struct client *c, const struct said *said)
{
    const size_t len = c->in.end - c->in.at;

    fprintf(stderr, "client %" PRIu32 ": %s was answered \"%.*s\"\n", c->number,
            history_kind_name(said->op.kind), (int)(len < 200 ? len : 200),
            c->in.data + c->in.at);
    exit(2);
}

static void read_answers(struct client *c)
{
    while (c->state == CLIENT_UP && c->in.at < c->in.end) {
        struct history_answer answer = { .outcome = HISTORY_DONE };
        size_t used;

        if (client_in_flight(c) == 0)
            bad_answer(c, &c->flight[0]);
        if (!talk_hear(&c->flight[c->n_ended % CLIENT_DEPTH], c->in.data + c->in.at,
                       c->in.end - c->in.at, &used, &answer))
            bad_answer(c, &c->flight[c->n_ended % CLIENT_DEPTH]);
        if (used == 0)
            return;
        c->in.at += used;
        end_oldest(c, &answer);
    }
}

static void receive(struct client *c)
{
    const size_t most = 1 << 17;
    ssize_t n;

    if (c->in.at > c->in.room / 2) {
        memmove(c->in.data, c->in.data + c->in.at, c->in.end - c->in.at);
        c->in.end -= c->in.at;
        c->in.at = 0;
    }
    n = recv(c->fd, bytes_room(&c->in, most), most, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        lose(c);
        return;
    }
    c->in.end += (size_t)n;
    read_answers(c);
}

/* Whether it waits for room to send. */
static void watch(struct client *c, bool is_full)
{
    struct epoll_event ev = { .events = is_full ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = c };

    if (c->is_full != is_full)
        epoll_ctl(c->shared->epoll, EPOLL_CTL_MOD, c->fd, &ev);
    c->is_full = is_full;
}

static void send_queued(struct client *c)
{
    ssize_t n;

    if (c->out.at == c->out.end)
        return;
    n = send(c->fd, c->out.data + c->out.at, c->out.end - c->out.at, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) {
        lose(c);
        return;
    }
    if (n > 0)
        c->out.at += (size_t)n;
    watch(c, c->out.at < c->out.end);
}

void client_on_event(struct client *c, uint32_t events)
{
    if (c->state == CLIENT_CONNECTING) {
        int error = 0;
        socklen_t len = sizeof(error);

        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
        if (error != 0) {
            lose(c);
            return;
        }
        c->state = CLIENT_UP;
        watch(c, false);
        return;
    }
    if (c->state == CLIENT_UP && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        receive(c);
    if (c->state == CLIENT_UP && (events & EPOLLOUT))
        send_queued(c);
}

void client_turn(struct client *c)
{
    int64_t since_us;

    if (c->state == CLIENT_UP)
        send_queued(c);
    if (c->state == CLIENT_DOWN || (c->state == CLIENT_UP && client_in_flight(c) == 0))
        return;
    since_us = c->state == CLIENT_CONNECTING ? c->connecting_us
                                             : c->flight[c->n_ended % CLIENT_DEPTH].begun_us;
    if (now_us() - since_us > c->shared->timeout_us)
        lose(c);
}
