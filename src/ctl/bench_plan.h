/*
 * bench_plan - what a load consists of: which key is next, get or set, how long
 *
 * Keys are "bench:SIZES:NUMBER", and a key's value has the same length whenever
 * it is written, so that any answer's length can be checked.
 */
#ifndef CTL_BENCH_PLAN_H
#define CTL_BENCH_PLAN_H

#include <stdint.h>

#include "ctl/say.h"

#define BENCH_KEY_MAX 64        /* bytes, with a terminator */

struct bench_plan {
    uint32_t clients, depth;    /* requests that a client has in flight, at most */
    uint32_t least, most;       /* bytes of a value */
    uint32_t gets, sets;        /* of so many, so many */
    uint32_t n_keys;
    uint32_t rate;              /* a second, of all; 0: as soon as there is an answer */
    uint64_t requests;          /* 0: as many as there is time for */
    int64_t duration_ms, ttl;
    double zipf;                /* exponent; 0: all keys alike */
    bool fill;                  /* every key is set before */
    double h_first, h_last, cut;        /* of zipf, see bench_plan.c */
    uint64_t chance;            /* state of the generator */
};

/* YES, or what was said. */
int bench_plan_read(struct bench_plan *p, const struct ctl *ctl);

uint32_t bench_plan_key(struct bench_plan *p);  /* from 0 */
bool bench_plan_is_get(struct bench_plan *p);
uint32_t bench_plan_bytes(const struct bench_plan *p, uint32_t key);
/* Into `out`, of BENCH_KEY_MAX bytes; returns its length. */
size_t bench_plan_name(const struct bench_plan *p, uint32_t key, char *out);

#endif
