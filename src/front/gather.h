/*
 * gather - one command for every shard, one answer for the client
 *
 *      gather_new -> gather_ask -> (all have answered) -> next -> ... -> gather_say
 *                       ^------- again, if it insists -----'
 *
 * The session executes nothing else meanwhile: what its client sends after a
 * flush_all must not overtake it on another link.  Members that are ejected
 * are not asked.
 */
#ifndef FRONT_GATHER_H
#define FRONT_GATHER_H

#include "front/answer.h"
#include "front/front.h"
#include "net/sendq.h"
#include "store/usage.h"
#include "wire/frame.h"

/* What one member answered. */
struct gather_part {
    const struct member *member;        /* of g->view */
    bool here;                  /* this process */
    bool absent;                /* ejected: it is not asked */
    const char *reason;         /* why it did not answer; NULL: it did */
    char words[80];             /* where `reason` is kept: a link may go before us */
    uint64_t version;           /* answered, where that is a version; or the limit */
    uint64_t usage[N_USAGES];   /* FRAME_STATS */
};

struct gather {
    struct slot slot;
    struct front_worker *fw;
    struct view *view;          /* a reference: the members that are asked */
    unsigned open;              /* members that have not answered */
    void (*next)(struct gather *g);
    /* Begins once more, by the present map, when a member has not answered or the
     * map has changed, and somebody leads; NULL: what there is will do. */
    void (*again)(struct gather *g);
    int64_t began_ms, again_ms; /* when it may */
    struct gather *next_waiting;
    struct form form;           /* how to answer */
    int64_t delay_ms;           /* flush_all */
    uint64_t limit_bytes;       /* cache_memlimit: of all members */
    void (*print)(struct gather *g);    /* stats */
    struct sendq out;           /* the answer */
    size_t n, n_asked;
    struct gather_part *parts;  /* owned */
};

/* Opens a slot and holds the session.  NULL (session broken): no memory. */
struct gather *gather_new(struct session *s, const struct cmd *cmd);

/*
 * From here on it insists: `again` begins it, now and once more where it has to.
 * Where somebody leads it begins when all before it in its session is answered:
 * that may have to be asked once more too.
 */
void gather_insist(struct gather *g, void (*again)(struct gather *g));

/* Asks all members; g->next is called when the last has answered or failed. */
void gather_ask(struct gather *g, const struct frame *f, void (*next)(struct gather *g));

/* For parked: tries once more, if it is time; false: it waits on. */
bool gather_go_again(struct gather *g);
/* The front ends, or nobody waits for the answer: it is gone then. */
void gather_drop(struct gather *g);

/* The end: g->out is the answer. */
void gather_end(struct gather *g);

/* The end, as answer_say(). */
void gather_say(struct gather *g, const char *line, enum packet_status status, const char *body);

/* "SERVER_ERROR shard ...", for the first member that did not answer; NULL when
 * all did.  `line` has room for 256 bytes. */
const char *gather_failure(const struct gather *g, char *line);

/* The sum, and the most, over the members that answered. */
uint64_t gather_max(const struct gather *g, enum usage usage);
uint64_t gather_sum(const struct gather *g, enum usage usage);

#endif
