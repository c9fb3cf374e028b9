/*
 * bench_client - one connection of a load: requests out, answers judged
 *
 * Nothing here waits: what cannot be sent stays until the socket takes it.
 */
#ifndef CTL_BENCH_CLIENT_H
#define CTL_BENCH_CLIENT_H

#include "ctl/bench_plan.h"
#include "ctl/conn.h"

struct bench_request {
    int64_t due_ns;             /* latency counts from here */
    uint32_t key;
    bool is_get, is_hit;
};

enum bench_outcome { BENCH_GOOD, BENCH_REFUSED, BENCH_WRONG };

struct bench_client {
    struct conn conn;           /* fd -1: lost */
    struct bench_request *sent; /* owned: a ring of `depth`, oldest at `first` */
    uint32_t first, n;
    char *out;                  /* owned: bytes from `out_at` to `out_end` are to be sent */
    size_t out_at, out_end, out_room;
    size_t skip;                /* bytes of a value that are still to come */
    bool has_value;             /* of the oldest; its END is to come */
    bool is_wrong;              /* and it is not what was asked for */
    bool waits;                 /* for the socket to take more */
    int64_t retry_at_ns;        /* when lost */
};

/* What became of a request; `line` is what a refusal says. */
typedef void bench_told(void *arg, const struct bench_request *r, enum bench_outcome outcome,
                        char *line);

/* Connects, which may take seconds.  YES, or what was said. */
int bench_client_open(struct bench_client *c, const struct bench_plan *p, const char *server);
/* Its requests are forgotten. */
void bench_client_close(struct bench_client *c);
void bench_client_free(struct bench_client *c);

/* One request more, to be sent by bench_client_flush(); there must be room for it. */
void bench_client_put(struct bench_client *c, const struct bench_plan *p,
                      const struct bench_request *r);
/* False: the connection is lost, errno says why. */
bool bench_client_flush(struct bench_client *c);

/* Reads once, and tells of each request that is answered.  False: as above. */
bool bench_client_read(struct bench_client *c, const struct bench_plan *p, bench_told *told,
                       void *arg);

#endif
