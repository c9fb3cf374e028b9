/*
 * repairs - open writes that their links did not confirm, to their copies
 *
 *      inbox --> todo --> errand --to owner, copies, pending--> confirmed
 *                 ^---- later <----' not all have answered
 *
 * An errand shows the item as it is now, if it is still open.  An answer counts
 * under the map that the frame went by; when that changes it goes once more.
 */
#ifndef SHARD_REPAIRS_H
#define SHARD_REPAIRS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct keeper;
struct view;

struct repair {
    uint64_t hash, version;
    uint64_t epoch;             /* judged under this one, or before */
    bool walked;                /* found by the walk */
};

struct repair_list {
    struct repair *items;       /* owned */
    size_t at, n, cap;          /* those from `at` on, to n, are left */
};

struct errand {
    struct errand *next;        /* free, or back */
    struct keeper *keeper;
    struct repair what;
    uint64_t under;             /* epoch */
    unsigned n_out;             /* targets that have not answered */
    size_t bytes;
    bool is_out, starting, failed;
};

#define ERRANDS 64

struct repairs {
    struct keeper *keeper;
    pthread_mutex_t lock;       /* of the inbox */
    struct repair_list inbox;
    bool lost;                  /* atomic: memory was short: a walk must find what is open */
    struct repair_list todo, later;
    int64_t later_at_ms;        /* then it is todo again */
    int64_t stuck_until_ms;     /* so many found nobody that none is tried */
    struct errand errands[ERRANDS];
    struct errand *free, *back;
    unsigned n_out;             /* errands */
    size_t bytes_out;
    size_t n_old;               /* all that were judged before the present map */
    bool hands_on;              /* of what the walk finds, not the owned alone */
    bool walking, unsettled;
    bool for_others;            /* the walk looks for keys of other owners as well */
    uint64_t unsettled_from;    /* version: what is as new counts as open */
    uint64_t cursor;
    size_t n_walked;            /* found by the walk and not done */
};

void repairs_init(struct repairs *r, struct keeper *keeper);
void repairs_fini(struct repairs *r);

/* From any thread. */
void repairs_add(struct repairs *r, const struct repair *what);

/* There is a newer map than `old`, which may be NULL; before it is noted. */
void repairs_prepare(struct repairs *r, const struct view *old, const struct view *v);
/* It is gone by. */
void repairs_take_view(struct repairs *r);

void repairs_step(struct repairs *r);
/* Nothing that was judged before the present map is left. */
bool repairs_are_current(struct repairs *r);
/* Nothing at all is left. */
bool repairs_are_done(struct repairs *r);
/* When it wants to be stepped again, -1: when there is something. */
int64_t repairs_wait_ms(const struct repairs *r);

#endif
