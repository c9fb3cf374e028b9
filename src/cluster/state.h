/*
 * state - what a leader keeps on disk: its map, its jobs, the numbers it gave
 *
 *      | magic, format | length | checksum | map | jobs | numbers |
 *
 * Bytes that are not just that are refused, with words: nothing is guessed.
 */
#ifndef CLUSTER_STATE_H
#define CLUSTER_STATE_H

#include "cluster/map.h"

enum job_kind {
    JOB_ADD,                    /* a new member gets its share */
    JOB_REMOVE,                 /* a member gives its share away and is forgotten */
    JOB_DRAIN,                  /* a member gives its share away */
    JOB_WEIGHT,                 /* a member's share becomes another */
    JOB_HEAL,                   /* the leader's own: who was lost is back and is filled */
    JOB_REPLACE,                /* the leader's own: who was lost is not waited for */
    JOB_KINDS
};

enum job_status {
    JOB_QUEUED, JOB_RUNNING,
    JOB_ABORTING,               /* all becomes as it was */
    JOB_DONE, JOB_ABORTED, JOB_FAILED, JOB_STATUSES
};

#define JOB_WORDS_MAX 96

struct job {
    uint64_t id;                /* from 1 on, never the same twice */
    enum job_kind kind;
    enum job_status status;
    uint16_t weight;            /* to become: JOB_ADD, JOB_WEIGHT */
    uint16_t old_weight;        /* to be again if it is given up */
    char member[MAP_NAME_MAX + 1];
    char zone[MAP_NAME_MAX + 1];        /* JOB_ADD */
    char address[ADDRESS_MAX];          /* JOB_ADD */
    char words[JOB_WORDS_MAX];  /* why it waits, or how it ended; "" */
    int64_t asked_ms, began_ms, ended_ms;       /* wall clock; 0: not yet */
    uint64_t items_done, items_left, bytes_done, bytes_left;
    /* not on disk: */
    uint64_t rate_items;        /* a second, lately */
    int64_t eta_ms;             /* from now; -1: not known */
};

#define STATE_MAX_JOBS 64       /* of those that ended the oldest go first */

struct state {
    struct map *map;            /* owned; NULL: none yet */
    uint64_t next_job;          /* id of the next one */
    size_t n_jobs;
    struct job jobs[STATE_MAX_JOBS];    /* in the order of their ids */
    uint64_t numbers[(MAP_MAX_MEMBERS + 64) / 64];      /* bit n: number n was given */
};

/* The bytes; free() them. */
char *state_put(const struct state *s, size_t *len);

/* Makes the first STATE_HEAD of `len` bytes a head: magic, length, checksum. */
#define STATE_HEAD 24
void state_seal(char *data, size_t len);

/* Fills `s`, whose map the caller frees; false, with *why as words, when the
 * bytes are damaged or memory is short. */
bool state_read(const char *data, size_t len, struct state *s, const char **why);

#endif
