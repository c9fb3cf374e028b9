#include "ctl/bench_client.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/num.h"

#define HEAD_MAX (BENCH_KEY_MAX + 64)

int bench_client_open(struct bench_client *c, const struct bench_plan *p, const char *server)
{
    const int on = 1;
    int rc = conn_open(&c->conn, server, "11211");

    if (rc != YES)
        return rc;
    if (fcntl(c->conn.fd, F_SETFL, O_NONBLOCK) != 0) {
        rc = conn_lost(&c->conn);
        conn_close(&c->conn);
        return rc;
    }
    /* What is sent late because of the kernel would count as the server's. */
    (void)setsockopt(c->conn.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (c->sent == NULL)
        c->sent = xzalloc(p->depth * sizeof(*c->sent));
    return YES;
}

void bench_client_close(struct bench_client *c)
{
    conn_close(&c->conn);
    c->first = c->n = 0;
    c->out_at = c->out_end = c->skip = 0;
    c->has_value = c->is_wrong = c->waits = false;
}

void bench_client_free(struct bench_client *c)
{
    bench_client_close(c);
    free(c->sent);
    free(c->out);
}

/* ---- out ------------------------------------------------------------------ */

static void make_room(struct bench_client *c, size_t len)
{
    if (c->out_at == c->out_end)
        c->out_at = c->out_end = 0;
    if (c->out_room - c->out_end >= len)
        return;
    c->out_room = 2 * (c->out_end + len);
    c->out = xrealloc(c->out, c->out_room);
}

void bench_client_put(struct bench_client *c, const struct bench_plan *p,
                      const struct bench_request *r)
{
    const uint32_t bytes = bench_plan_bytes(p, r->key);
    char key[BENCH_KEY_MAX];

    (void)bench_plan_name(p, r->key, key);
    make_room(c, HEAD_MAX + (r->is_get ? 0 : bytes + 2));
    if (r->is_get) {
        c->out_end += (size_t)snprintf(c->out + c->out_end, HEAD_MAX, "get %s\r\n", key);
    } else {
        c->out_end += (size_t)snprintf(c->out + c->out_end, HEAD_MAX,
                                       "set %s 0 %" PRId64 " %" PRIu32 "\r\n", key, p->ttl, bytes);
        memset(c->out + c->out_end, 'x', bytes);
        memcpy(c->out + c->out_end + bytes, "\r\n", 2);
        c->out_end += bytes + 2;
    }
    c->sent[(c->first + c->n++) % p->depth] = *r;
}

bool bench_client_flush(struct bench_client *c)
{
    while (c->out_at < c->out_end) {
        ssize_t n = send(c->conn.fd, c->out + c->out_at, c->out_end - c->out_at, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN;
        c->out_at += (size_t)n;
    }
    return true;
}

/* ---- in ------------------------------------------------------------------- */

/* "VALUE key flags bytes": is it what was asked for?  False: it is no such line. */
static bool read_head(struct bench_client *c, const struct bench_plan *p,
                      const struct bench_request *r, const char *line)
{
    char key[BENCH_KEY_MAX];
    const size_t len = bench_plan_name(p, r->key, key);
    const char *last = strrchr(line, ' ');
    uint32_t bytes;

    if (strncmp(line, "VALUE ", 6) != 0 || !num_parse_u32(last + 1, strlen(last + 1), &bytes)
        || bytes > INT32_MAX)
        return false;
    c->is_wrong = bytes != bench_plan_bytes(p, r->key) || strncmp(line + 6, key, len) != 0
                  || line[6 + len] != ' ';
    c->skip = (size_t)bytes + 2;
    return true;
}

/* A whole line of an answer. */
static void take_line(struct bench_client *c, const struct bench_plan *p, char *line,
                      bench_told *told, void *arg)
{
    struct bench_request *r = &c->sent[c->first];
    enum bench_outcome outcome = BENCH_REFUSED;

    if (r->is_get && !c->has_value && read_head(c, p, r, line)) {
        c->has_value = r->is_hit = true;
        return;
    }
    if (strcmp(line, r->is_get ? "END" : "STORED") == 0)
        outcome = c->is_wrong ? BENCH_WRONG : BENCH_GOOD;
    c->has_value = c->is_wrong = false;
    c->first = (c->first + 1) % p->depth;
    c->n--;
    told(arg, r, outcome, line);
}

/* All that has come.  False: it is no answer. */
static bool take_all(struct bench_client *c, const struct bench_plan *p, bench_told *told,
                     void *arg)
{
    struct conn *in = &c->conn;

    for (;;) {
        const size_t n = in->end - in->at, pass = c->skip < n ? c->skip : n;
        char *line, *newline;

        in->at += pass;
        c->skip -= pass;
        line = in->buf + in->at;
        newline = memchr(line, '\n', in->end - in->at);
        if (newline == NULL)
            break;
        if (c->n == 0 || newline - line >= CONN_LINE_MAX)
            return false;
        in->at = (size_t)(newline - in->buf) + 1;
        if (newline > line && newline[-1] == '\r')
            newline--;
        *newline = '\0';
        take_line(c, p, line, told, arg);
    }
    memmove(in->buf, in->buf + in->at, in->end - in->at);
    in->end -= in->at;
    in->at = 0;
    return in->end < CONN_LINE_MAX;
}

bool bench_client_read(struct bench_client *c, const struct bench_plan *p, bench_told *told,
                       void *arg)
{
    if (!conn_fill(&c->conn))
        return errno == EAGAIN;
    if (take_all(c, p, told, arg))
        return true;
    errno = EPROTO;
    return false;
}
