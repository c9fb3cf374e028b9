/* Connections of a HTTP server, on a clock that stands still: client and server in one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin/conns.h"

#define MAX 3
#define SPARE 1
#define INPUT_MAX 65536
#define TURNS_MAX 10000
#define LARGE (32 << 20)        /* more than sockets hold */

struct bench {
    struct event_base *base;
    struct evhttp *server;
    struct conns *conns;
    struct sockaddr_in at;
    struct evhttp_request *held;        /* of GET /hold, the last one */
    unsigned n_gone;
};

static int64_t clock_ms;

static int64_t now_ms(void)
{
    return clock_ms;
}

static void on_gone(void *arg)
{
    ((struct bench *)arg)->n_gone++;
}

static void answer(struct bench *b, struct evhttp_request *request, size_t len)
{
    struct evbuffer *out = evhttp_request_get_output_buffer(request);
    const bool takes = conns_takes(b->conns, request);
    char *bytes = calloc(1, len);

    if (!takes)
        evhttp_add_header(evhttp_request_get_output_headers(request), "Connection", "close");
    assert_int_equal(evbuffer_add(out, bytes, len), 0);
    free(bytes);
    conns_end(b->conns, request);
    evhttp_send_reply(request, takes ? 200 : 503, NULL, NULL);
}

static void on_request(struct evhttp_request *request, void *arg)
{
    struct bench *b = arg;
    const char *path = evhttp_request_get_uri(request);

    conns_begin(b->conns, request, on_gone, b);
    if (strcmp(path, "/hold") == 0 && conns_takes(b->conns, request))
        b->held = request;
    else
        answer(b, request, strcmp(path, "/large") == 0 ? LARGE : 1);
}

static int set_up(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));
    socklen_t len = sizeof(b->at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct evhttp_bound_socket *bound;

    b->at.sin_family = AF_INET;
    b->at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&b->at, len), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&b->at, &len), 0);
    b->base = event_base_new();
    b->server = evhttp_new(b->base);
    bound = evhttp_accept_socket_with_handle(b->server, fd);
    b->conns = conns_new(&(struct conns_config){
        .base = b->base, .server = b->server,
        .listener = evhttp_bound_socket_get_listener(bound),
        .max = MAX, .spare = SPARE, .input_max = INPUT_MAX, .now_ms = now_ms });
    assert_non_null(b->conns);
    evhttp_set_gencb(b->server, on_request, b);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;

    conns_stop(b->conns);
    evhttp_free(b->server);
    conns_free(b->conns);
    event_base_free(b->base);
    free(b);
    return 0;
}

static void turn(struct bench *b)
{
    (void)event_base_loop(b->base, EVLOOP_NONBLOCK);
}

static int dial(struct bench *b)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&b->at, sizeof(b->at)), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: localhost\r\n\r\n"

/* The status of the answer; 0: none comes, or the connection ends. */
static int status_of(struct bench *b, int fd)
{
    char text[4096];
    ssize_t n = -1;
    int status = 0;

    for (int i = 0; i < TURNS_MAX && n < 0; i++) {
        turn(b);
        n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
        if (n < 0)
            usleep(100);
    }
    if (n <= 0)
        return 0;
    text[n] = '\0';
    assert_int_equal(sscanf(text, "HTTP/1.1 %d", &status), 1);
    return status;
}

static int ask(struct bench *b, int fd)
{
    say(fd, GET("/"));
    return status_of(b, fd);
}

/* Until the server has as many. */
static void expect_conns(struct bench *b, size_t n)
{
    for (int i = 0; i < TURNS_MAX && conns_count(b->conns) != n; i++) {
        turn(b);
        usleep(100);
    }
    assert_int_equal(conns_count(b->conns), n);
}

static void hold(struct bench *b, int fd)
{
    b->held = NULL;
    say(fd, GET("/hold"));
    for (int i = 0; i < TURNS_MAX && b->held == NULL; i++) {
        turn(b);
        usleep(100);
    }
    assert_non_null(b->held);
}

/* The server has, and does not read what is not its turn. */
static bool is_shut(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}

/* A part of a request, which the server has seen. */
static void begin(struct bench *b, int fd)
{
    say(fd, "GET / HTTP/1.1\r\n");
    for (int i = 0; i < TURNS_MAX && conns_rest(b->conns); i++)
        turn(b);
    turn(b);
    turn(b);
    assert_false(conns_rest(b->conns));
}

static void pass(struct bench *b, int64_t ms)
{
    clock_ms += ms;
    conns_look(b->conns);
}

/* ---- time ----------------------------------------------------------------- */

static void who_is_idle_may_be_so_for_long(void **state)
{
    struct bench *b = *state;
    int fd = dial(b), silent = dial(b);

    assert_int_equal(ask(b, fd), 200);
    expect_conns(b, 2);
    pass(b, CONNS_IDLE_MS - 1);
    assert_false(is_shut(fd) || is_shut(silent));
    assert_int_equal(ask(b, fd), 200);
    pass(b, 1);
    assert_true(is_shut(silent));
    pass(b, CONNS_IDLE_MS - 2);
    assert_false(is_shut(fd));
    pass(b, 1);
    assert_true(is_shut(fd));
    assert_int_equal(conns_count(b->conns), 0);
    close(fd);
    close(silent);
}

static void a_request_that_was_begun_comes_to_its_end_soon(void **state)
{
    struct bench *b = *state;
    int fd = dial(b), other = dial(b);

    assert_int_equal(ask(b, fd), 200);
    assert_int_equal(ask(b, other), 200);
    pass(b, 2 * CONNS_PATIENCE_MS);     /* idle so far */
    begin(b, fd);
    begin(b, other);
    pass(b, CONNS_PATIENCE_MS - 1);
    assert_false(is_shut(fd));
    say(fd, "X: y\r\n");                /* a byte now and then does not help */
    say(other, "Host: localhost\r\n\r\n");
    assert_int_equal(status_of(b, other), 200);
    pass(b, 1);
    assert_true(is_shut(fd));
    assert_false(is_shut(other));
    close(fd);
    close(other);
}

static void the_next_request_may_be_begun_before_the_answer(void **state)
{
    struct bench *b = *state;
    int fd = dial(b);

    say(fd, GET("/") "GET /");
    assert_int_equal(status_of(b, fd), 200);
    pass(b, CONNS_PATIENCE_MS);
    assert_true(is_shut(fd));
    close(fd);
}

static void who_does_not_read_his_answer_is_hung_up_on(void **state)
{
    struct bench *b = *state;
    char *some = malloc(LARGE);
    size_t got = 0;
    int fd = dial(b);

    say(fd, GET("/large"));
    assert_int_equal(status_of(b, fd), 200);
    for (int slow = 0; slow < 5; slow++) {      /* who reads a part has time for the next */
        for (int i = 0; i < TURNS_MAX && got < (size_t)(slow + 1) * (LARGE / 8); i++) {
            const ssize_t n = recv(fd, some, LARGE / 16, MSG_DONTWAIT);

            got += n > 0 ? (size_t)n : 0;
            turn(b);
        }
        pass(b, CONNS_PATIENCE_MS - 1);
        assert_int_equal(conns_count(b->conns), 1);
    }
    pass(b, CONNS_PATIENCE_MS);
    assert_int_equal(conns_count(b->conns), 0);
    close(fd);
    free(some);
}

static void who_waits_for_a_shard_is_not_hung_up_on(void **state)
{
    struct bench *b = *state;
    int fd = dial(b);

    hold(b, fd);
    pass(b, 10 * CONNS_IDLE_MS);
    assert_false(is_shut(fd));
    answer(b, b->held, 1);
    assert_int_equal(status_of(b, fd), 200);
    close(fd);
    expect_conns(b, 0);
    assert_int_equal(b->n_gone, 0);
}

/* ---- number --------------------------------------------------------------- */

static void who_was_idle_longest_makes_room(void **state)
{
    struct bench *b = *state;
    int fd[MAX], late, later;

    for (int i = 0; i < MAX; i++) {
        fd[i] = dial(b);
        assert_int_equal(ask(b, fd[i]), 200);
    }
    assert_int_equal(ask(b, fd[0]), 200);
    late = dial(b);
    assert_int_equal(ask(b, late), 200);
    assert_true(is_shut(fd[1]));
    later = dial(b);
    assert_int_equal(ask(b, later), 200);
    assert_true(is_shut(fd[2]));
    assert_false(is_shut(fd[0]) || is_shut(late) || is_shut(later));
    assert_int_equal(conns_count(b->conns), MAX);
    for (int i = 0; i < MAX; i++)
        close(fd[i]);
    close(late);
    close(later);
}

static void who_has_asked_makes_no_room(void **state)
{
    struct bench *b = *state;
    int fd[MAX], late;

    for (int i = 0; i < MAX; i++) {
        fd[i] = dial(b);
        assert_int_equal(ask(b, fd[i]), 200);
    }
    say(fd[0], GET("/"));       /* the server has not read it when the next comes */
    late = dial(b);
    assert_int_equal(ask(b, late), 200);
    assert_int_equal(status_of(b, fd[0]), 200);
    assert_true(is_shut(fd[1]));
    for (int i = 0; i < MAX; i++)
        close(fd[i]);
    close(late);
}

static void where_all_are_busy_the_next_is_turned_down(void **state)
{
    struct bench *b = *state;
    int fd[MAX], late;

    for (int i = 0; i < MAX; i++)
        fd[i] = dial(b);
    hold(b, fd[0]);
    hold(b, fd[1]);
    begin(b, fd[2]);
    late = dial(b);
    assert_int_equal(ask(b, late), 503);
    expect_conns(b, MAX);
    assert_true(is_shut(late));
    for (int i = 0; i < MAX; i++)
        assert_false(is_shut(fd[i]));
    close(late);

    late = dial(b);             /* there is room when it asks */
    expect_conns(b, MAX + 1);
    close(fd[2]);
    expect_conns(b, MAX);
    assert_int_equal(ask(b, late), 200);
    assert_int_equal(ask(b, late), 200);
    close(fd[0]);
    close(fd[1]);
    close(late);
}

static void more_than_can_be_turned_down_wait(void **state)
{
    struct bench *b = *state;
    int fd[MAX + SPARE], late;

    for (int i = 0; i < MAX; i++) {
        fd[i] = dial(b);
        hold(b, fd[i]);
    }
    fd[MAX] = dial(b);
    begin(b, fd[MAX]);
    late = dial(b);
    say(late, GET("/"));
    for (int i = 0; i < 20; i++)
        turn(b);
    conns_look(b->conns);
    for (int i = 0; i < 20; i++)
        turn(b);
    assert_int_equal(conns_count(b->conns), MAX + SPARE);
    answer(b, b->held, 1);      /* its connection is idle then, and makes room */
    assert_int_equal(status_of(b, fd[MAX - 1]), 200);
    assert_int_equal(status_of(b, late), 503);
    for (int i = 0; i < MAX + SPARE; i++)
        close(fd[i]);
    close(late);
}

static void without_a_descriptor_they_wait_as_well(void **state)
{
    struct bench *b = *state;
    int fd = dial(b), next = dup(fd);
    struct rlimit limit, tight;

    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    tight = limit;
    tight.rlim_cur = (rlim_t)next;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    turn(b);
    turn(b);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (int i = 0; i < 20; i++)
        turn(b);
    assert_int_equal(conns_count(b->conns), 0); /* it rests */
    conns_look(b->conns);
    assert_int_equal(ask(b, fd), 200);
    close(fd);
}

/* ---- bytes ---------------------------------------------------------------- */

static void what_is_sent_ahead_is_bounded(void **state)
{
    struct bench *b = *state;
    static char bytes[65536];
    const int small = 65536;
    size_t sent = 0;
    int fd = dial(b), refused = 0;

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
    say(fd, GET("/large"));
    assert_int_equal(status_of(b, fd), 200);
    while (refused < 100 && sent < LARGE) {
        const ssize_t n = send(fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);

        sent += n > 0 ? (size_t)n : 0;
        refused = n > 0 ? 0 : refused + 1;
        turn(b);
    }
    assert_true(sent < LARGE);
    close(fd);
}

/* ---- the end -------------------------------------------------------------- */

static void it_rests_when_nobody_waits(void **state)
{
    struct bench *b = *state;
    int fd = dial(b), idle = dial(b);

    assert_true(conns_rest(b->conns));
    expect_conns(b, 2);
    assert_true(conns_rest(b->conns));
    hold(b, fd);
    assert_false(conns_rest(b->conns));
    answer(b, b->held, 1);
    assert_int_equal(status_of(b, fd), 200);
    turn(b);
    assert_true(conns_rest(b->conns));
    say(idle, "G");             /* whether it is read yet or not */
    assert_false(conns_rest(b->conns));
    turn(b);
    assert_false(conns_rest(b->conns));
    close(fd);
    close(idle);
}

static void who_leaves_closes_the_idle_and_accepts_nobody(void **state)
{
    struct bench *b = *state;
    int idle = dial(b), busy = dial(b), late;

    assert_int_equal(ask(b, idle), 200);
    hold(b, busy);
    conns_leave(b->conns);
    assert_true(is_shut(idle));
    assert_false(is_shut(busy));
    late = dial(b);
    say(late, GET("/"));
    answer(b, b->held, 1);
    assert_int_equal(status_of(b, busy), 200);
    conns_look(b->conns);
    for (int i = 0; i < 20; i++)
        turn(b);
    assert_int_equal(conns_count(b->conns), 1);
    conns_stay(b->conns);
    assert_int_equal(status_of(b, late), 200);
    close(idle);
    close(busy);
    close(late);
}

static void who_waits_is_told_when_the_server_ends(void **state)
{
    struct bench *b = *state;
    int fd = dial(b);

    hold(b, fd);
    conns_stop(b->conns);
    evhttp_free(b->server);
    b->server = evhttp_new(b->base);    /* for tear_down() */
    assert_int_equal(b->n_gone, 1);
    assert_int_equal(conns_count(b->conns), 0);
    close(fd);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_is_idle_may_be_so_for_long),
        TEST(a_request_that_was_begun_comes_to_its_end_soon),
        TEST(the_next_request_may_be_begun_before_the_answer),
        TEST(who_does_not_read_his_answer_is_hung_up_on),
        TEST(who_waits_for_a_shard_is_not_hung_up_on),
        TEST(who_was_idle_longest_makes_room),
        TEST(who_has_asked_makes_no_room),
        TEST(where_all_are_busy_the_next_is_turned_down),
        TEST(more_than_can_be_turned_down_wait),
        TEST(without_a_descriptor_they_wait_as_well),
        TEST(what_is_sent_ahead_is_bounded),
        TEST(it_rests_when_nobody_waits),
        TEST(who_leaves_closes_the_idle_and_accepts_nobody),
        TEST(who_waits_is_told_when_the_server_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
