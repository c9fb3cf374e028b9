/*
 * say - what chcachectl tells people, and what it ends with
 *
 * stdout is data, stderr is talk; the exit status is the answer.
 */
#ifndef CTL_SAY_H
#define CTL_SAY_H

#include <jansson.h>
#include <stdbool.h>
#include <sysexits.h>

enum { YES = 0, NO = 1, DEGRADED = 2, UNREACHED = 3 };

/* What the command line asks for, commands apart. */
struct ctl {
    const char *server;         /* the memcached port */
    const char *admin;          /* the admin address */
    const char *token_file;     /* what has to be shown there; NULL: nothing */
    bool json, no_color, no_wait, dry_run, force;
    int patience_s;             /* for an answer of the admin address; 0: as usual */
    const char *zone;           /* nodes add */
    const char *ttl, *flags;    /* set, get, bench */
    const char *name;           /* config check */
    const char *limit;          /* keys, monitor */
    bool fetchers, mutations, deletions, evictions, connevents;         /* monitor */
    bool once;                  /* top */
    const char *sort;
    bool svg;                   /* ring */
    const char *shards, *weights, *to_shards, *to_weights, *keys, *n_keys;      /* simulate */
    const char *clients, *depth, *size, *ratio, *duration, *requests, *rate, *zipf;     /* bench */
    bool no_fill;
};

/* One line on stderr.  Returns `rc`. */
int say(int rc, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What would be said with `rc` from here on is not; -1: all is. */
void say_hush(int rc);

/* What would be said from here on goes into `out` instead; NULL: to stderr again. */
void say_into(char *out, size_t room);

/* What a server sent instead of an answer: its bytes are not trusted. */
int say_refused(char *line);

/* The cause of a socket call that failed, in words. */
const char *say_why(void);

/* Data for programs: taken over, written to stdout.  Returns `rc`. */
int say_json(int rc, json_t *data);
/* One line of many; each is written at once. */
void say_json_line(json_t *data);

/* Whether stdout is a terminal that wants colours and bars. */
bool say_in_color(const struct ctl *ctl);

#endif
