/*
 * bench_load - clients at work, until their time is over
 *
 * Closed loop: each client has `depth` requests in flight and sends another when
 * one is answered.  Open loop (plan->rate): requests are due at fixed times,
 * whether the server keeps up or not, and latency counts from then; those that
 * no client was free for at the end count with what they have waited.
 */
#ifndef CTL_BENCH_LOAD_H
#define CTL_BENCH_LOAD_H

#include "base/histogram.h"
#include "ctl/bench_plan.h"

enum { BENCH_GET, BENCH_SET, BENCH_KINDS };

struct bench_result {
    struct histogram took[BENCH_KINDS];         /* nanoseconds */
    uint64_t n[BENCH_KINDS], hits;      /* answered as they should be, or wrong */
    uint64_t refused, wrong;    /* other answers; values of another key or length */
    uint64_t lost, unanswered;  /* requests of connections that broke, 1 at least; at the end */
    uint64_t unsent;            /* open loop: due, and not sent */
    double seconds;
    char refusal[128];          /* the first one, or why a connection was lost */
};

/*
 * Every key is set once, if `fill`; else the load.  `each_second` (or NULL) is
 * called meanwhile.  *result is added to.  Ends early at an interrupt.  YES; or
 * UNREACHED, which is said: not reached, no answer for 10 s, or none any more.
 */
int bench_load_run(struct bench_plan *p, const char *server, bool fill,
                   void (*each_second)(const struct bench_result *, void *arg), void *arg,
                   struct bench_result *result);

/* From now on Ctrl-C ends a load, and not the program. */
void bench_load_catch(void);

#endif
