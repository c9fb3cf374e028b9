/*
 * report - what happened at this worker in one turn, a line for each event
 *
 *      command answered, client came or went --> report --turn's end--> watchers.h
 *
 * As long as nobody watches, here or at another front, an event costs one load.
 */
#ifndef FRONT_REPORT_H
#define FRONT_REPORT_H

#include "front/answer.h"
#include "front/front.h"
#include "wire/events.h"

#define REPORT_BYTES 65536      /* of one worker and turn; what is more is missed */

struct report {
    struct mail mail;
    size_t len;
    unsigned streams;           /* that have a line in it */
    uint64_t missed;            /* lines that found no room */
    char lines[REPORT_BYTES];   /* as wire/events.h has them, and evictions too */
};

/* An empty one; NULL when memory is short: nothing is told then. */
struct report *report_new(void);

/* Adds a line: "ts= gid= type=" and the rest, which ends with '\n'. */
void report_add(struct report *r, struct front_worker *fw, enum stream stream,
                const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Adds the events of these streams (see wire/events.h), with `behind` at the end of each
 * line. */
void report_copy(struct report *to, const char *events, size_t len, unsigned streams,
                 const char *behind);

/* A client has come, or goes: `reason` is more to say of it. */
void report_client(struct session *s, const char *what, const char *reason);

void report_note(struct front_worker *fw, int fd, const struct asked *asked,
                 const struct answer *a);

/* A command was answered with `a`.  `fd` is its client's, -1: gone. */
static inline void report_answered(struct front_worker *fw, int fd, const struct asked *asked,
                                   const struct answer *a)
{
    if (__builtin_expect(__atomic_load_n(&fw->front->streams, __ATOMIC_RELAXED) != 0, 0))
        report_note(fw, fd, asked, a);
}

#endif
