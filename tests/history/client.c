#include "client.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "value.h"

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

/* ---- bytes ---- */

/* Room for `n` more bytes at the end. */
static char *bytes_room(struct bytes *b, size_t n)
{
    if (b->at == b->end)
        b->at = b->end = 0;
    if (b->room - b->end < n) {
        b->room = (b->end + n) * 2;
        b->data = xrealloc(b->data, b->room);
    }
    return b->data + b->end;
}

static void say(struct bytes *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct bytes *b, const char *format, ...)
{
    char *out = bytes_room(b, 400);
    va_list args;

    va_start(args, format);
    b->end += (size_t)vsnprintf(out, 400, format, args);
    va_end(args);
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
    const struct request r = c->flight[c->n_ended++ % CLIENT_DEPTH];
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

static void say_value(struct client *c, const struct request *r, uint32_t len)
{
    struct value_record record = {
        .len = len, .key = r->op.key, .writer = c->number,
        .seq = history_seq(c->shared->history, r->handle),
        .piece = r->op.kind == HISTORY_APPEND || r->op.kind == HISTORY_PREPEND };
    char *out = bytes_room(&c->out, len + 2);

    value_write(out, &record);
    memcpy(out + len, "\r\n", 2);
    c->out.end += len + 2;
}

static int number_text(const struct client *c, const struct request *r, char out[24])
{
    return snprintf(out, 24, "%" PRIu64,
                    history_number(history_seq(c->shared->history, r->handle)));
}

static void say_store(struct client *c, const struct request *r, uint32_t len, uint64_t cas)
{
    static const char *const verbs[HISTORY_N_KINDS] = {
        [HISTORY_SET] = "set", [HISTORY_DROP] = "set", [HISTORY_ADD] = "add",
        [HISTORY_REPLACE] = "replace", [HISTORY_CAS] = "cas", [HISTORY_APPEND] = "append",
        [HISTORY_PREPEND] = "prepend" };
    static const char *const modes[HISTORY_N_KINDS] = {
        [HISTORY_SET] = "", [HISTORY_DROP] = " MS", [HISTORY_ADD] = " ME",
        [HISTORY_REPLACE] = " MR", [HISTORY_CAS] = "", [HISTORY_APPEND] = " MA",
        [HISTORY_PREPEND] = " MP" };
    char number[24], token[32] = "";

    if (r->op.counter)
        len = (uint32_t)number_text(c, r, number);
    if (r->op.kind == HISTORY_CAS)
        snprintf(token, sizeof(token), r->meta ? " C%" PRIu64 : " %" PRIu64, cas);
    if (r->meta)
        say(&c->out, "ms %s%" PRIu32 " %" PRIu32 "%s%s\r\n", c->shared->prefix, r->op.key, len,
            modes[r->op.kind], token);
    else
        say(&c->out, "%s %s%" PRIu32 " 0 0 %" PRIu32 "%s\r\n", verbs[r->op.kind],
            c->shared->prefix, r->op.key, len, token);
    if (r->op.counter)
        say(&c->out, "%s\r\n", number);
    else
        say_value(c, r, len);
}

static void say_request(struct client *c, const struct request *r, uint32_t len, uint64_t cas)
{
    const char *prefix = c->shared->prefix;
    const uint32_t key = r->op.key;
    struct bytes *out = &c->out;

    switch (r->op.kind) {
    case HISTORY_GET:
        if (r->meta)
            say(out, "mg %s%" PRIu32 " v%s\r\n", prefix, key, r->token ? " c" : "");
        else
            say(out, "get%s %s%" PRIu32 "\r\n", r->token ? "s" : "", prefix, key);
        break;
    case HISTORY_GAT:
        say(out, "gat%s 0 %s%" PRIu32 "\r\n", r->token ? "s" : "", prefix, key);
        break;
    case HISTORY_SET:
    case HISTORY_DROP:
    case HISTORY_ADD:
    case HISTORY_REPLACE:
    case HISTORY_CAS:
    case HISTORY_APPEND:
    case HISTORY_PREPEND:
        say_store(c, r, len, cas);
        break;
    case HISTORY_INCR:
    case HISTORY_DECR:
        if (r->meta)
            say(out, "ma %s%" PRIu32 " D%" PRIu32 " v%s\r\n", prefix, key, r->op.delta,
                r->op.kind == HISTORY_DECR ? " MD" : "");
        else
            say(out, "%s %s%" PRIu32 " %" PRIu32 "\r\n", history_kind_name(r->op.kind), prefix,
                key, r->op.delta);
        break;
    case HISTORY_TOUCH:
        say(out, "touch %s%" PRIu32 " 0\r\n", prefix, key);
        break;
    case HISTORY_DELETE:
        say(out, "%s %s%" PRIu32 "\r\n", r->meta ? "md" : "delete", prefix, key);
        break;
    case HISTORY_FLUSH:
        say(out, "flush_all\r\n");
        break;
    case HISTORY_N_KINDS:
        break;
    }
}

void client_begin(struct client *c, const struct request *r, uint32_t len, uint64_t cas)
{
    struct request *mine = &c->flight[c->n_begun % CLIENT_DEPTH];

    assert(c->state == CLIENT_UP && client_in_flight(c) < CLIENT_DEPTH);
    c->n_begun++;
    *mine = *r;
    mine->op.client = c->number;
    mine->begun_us = now_us();
    mine->handle = history_begin(c->shared->history, &mine->op, now_ms());
    say_request(c, mine, len, cas);
}

/* ---- answers in ---- */

struct line {
    const char *text;
    size_t len;                 /* without its end */
};

static bool begins(struct line l, const char *word)
{
    return l.len >= strlen(word) && memcmp(l.text, word, strlen(word)) == 0;
}

static bool contains(struct line l, const char *words)
{
    return memmem(l.text, l.len, words, strlen(words)) != NULL;
}

/* The n-th word of a line, the first is 0; empty: it has not so many. */
static struct line word(struct line l, unsigned n)
{
    const char *at = l.text, *end = l.text + l.len, *blank;

    while (n > 0 && at < end) {
        n -= *at == ' ';
        at++;
    }
    blank = memchr(at, ' ', (size_t)(end - at));
    return (struct line){ at, (size_t)((blank == NULL ? end : blank) - at) };
}

static void bad_answer(const struct client *c, const struct request *r, struct line l)
{
    fprintf(stderr, "client %" PRIu32 ": %s was answered \"%.*s\"\n", c->number,
            history_kind_name(r->op.kind), (int)(l.len < 200 ? l.len : 200), l.text);
    exit(2);
}

static enum history_outcome outcome_of(const struct client *c, const struct request *r,
                                       struct line l)
{
    static const struct {
        const char *word;
        enum history_outcome outcome;
    } words[] = {
        { "STORED", HISTORY_DONE }, { "HD", HISTORY_DONE }, { "DELETED", HISTORY_DONE },
        { "TOUCHED", HISTORY_DONE }, { "OK", HISTORY_DONE }, { "EXISTS", HISTORY_PRESENT },
        { "EX", HISTORY_PRESENT }, { "NOT_FOUND", HISTORY_ABSENT }, { "NF", HISTORY_ABSENT },
        { "END", HISTORY_ABSENT }, { "EN", HISTORY_ABSENT },
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (l.len == strlen(words[i].word) && begins(l, words[i].word))
            return words[i].outcome;
    }
    if (begins(l, "NOT_STORED") || begins(l, "NS"))
        return r->op.kind == HISTORY_ADD ? HISTORY_PRESENT : HISTORY_ABSENT;
    if (!begins(l, "SERVER_ERROR"))
        bad_answer(c, r, l);
    if (contains(l, "outcome unknown"))
        return HISTORY_UNKNOWN;
    if (r->op.kind == HISTORY_DROP && contains(l, "too large"))
        return HISTORY_DONE;
    return HISTORY_REFUSED;
}

static bool is_read(const struct request *r)
{
    return r->op.kind == HISTORY_GET || r->op.kind == HISTORY_GAT;
}

/* One answer, if it is whole: its bytes. */
static size_t parse(const struct client *c, const struct request *r, const char *data,
                    size_t len, struct history_answer *answer)
{
    const char *end = memchr(data, '\n', len);
    struct line l = { data, 0 }, token;
    size_t head, need;
    uint64_t n;

    if (end == NULL)
        return 0;
    head = (size_t)(end - data) + 1;
    l.len = head - 1;
    if (l.len > 0 && l.text[l.len - 1] == '\r')
        l.len--;

    if (!begins(l, "VALUE ") && !begins(l, "VA ")) {
        answer->outcome = HISTORY_DONE;
        if (!num_parse_u64(l.text, l.len, &answer->number))
            answer->outcome = outcome_of(c, r, l);
        return head;
    }
    token = word(l, begins(l, "VALUE ") ? 3 : 1);
    if (!num_parse_u64(token.text, token.len, &n) || n > 64u << 20)
        bad_answer(c, r, l);
    need = head + n + 2 + (begins(l, "VALUE ") ? strlen("END\r\n") : 0);
    if (len < need)
        return 0;
    *answer = (struct history_answer){ .outcome = HISTORY_DONE, .value = data + head,
                                       .value_len = n };
    if (memcmp(data + need - 2, "\r\n", 2) != 0 || data[head + n] != '\r')
        bad_answer(c, r, l);
    token = word(l, begins(l, "VALUE ") ? 4 : 2);
    if (r->token && token.len > 0 && *token.text == 'c') {
        token.text++;
        token.len--;
    }
    if (r->token && !num_parse_u64(token.text, token.len, &answer->token))
        bad_answer(c, r, l);
    if (!is_read(r) && !num_parse_u64(answer->value, n, &answer->number))
        bad_answer(c, r, l);
    return need;
}

static void read_answers(struct client *c)
{
    while (c->state == CLIENT_UP && c->in.at < c->in.end) {
        struct history_answer answer = { .outcome = HISTORY_DONE };
        size_t used;

        if (client_in_flight(c) == 0)
            bad_answer(c, &c->flight[0], (struct line){ c->in.data + c->in.at, 20 });
        used = parse(c, &c->flight[c->n_ended % CLIENT_DEPTH], c->in.data + c->in.at,
                     c->in.end - c->in.at, &answer);
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
