/*
 * worker - one thread, one loop, the sessions it was given
 *
 * A turn of the loop is a batch: every readable session is read and its
 * commands are handled, then each link and each session is flushed once.
 * Some sessions at a time are read, then all of them are run, then what is
 * answered is sent: that repeats code and memory that a processor has at hand.
 *
 *      wait -> callbacks (read, run, send) -> mail -> run queue -> turn_end (links) -> sessions
 *
 * What a worker owns no other thread touches; they send it mail.
 */
#ifndef NET_WORKER_H
#define NET_WORKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/stats.h"
#include "base/world.h"
#include "net/batch.h"
#include "net/chunk.h"
#include "net/latency.h"

struct session;
struct worker;

/* What clients may cost.  Lives as long as the daemon. */
struct net_config {
    unsigned max_requests;      /* commands of one session in one turn */
    bool binary;                /* the binary protocol is understood */
    size_t max_item_bytes;
    bool keeps_items;           /* the process has a store: its heap is not trimmed */
    size_t first_answer_bytes;  /* what the answer to a session's first get may be */
    size_t output_limit_bytes;  /* unsent answers of one worker's sessions */
    int64_t request_timeout_ms; /* from a command's first byte to its last; 0: none */
    unsigned *n_clients;        /* atomic: open or about to be, all workers */
};

/* Who executes what sessions read; one for all workers. */
struct handler {
    /* cmd->error is CMD_OK.  Answers now or later, through the session's slots. */
    void (*handle)(struct session *s, struct cmd *cmd);
    /* These come next: how many of them, from the first on, were handled together;
     * for the others handle() is called.  Not called unless gathers_gets is set. */
    unsigned (*handle_gets)(struct session *s, const struct gets *gets);
    /* Commands with these keys come next, if nothing stops them; what is found
     * of their hashes goes with them, in cmd->hash.  NULL: not interested. */
    void (*foresee)(struct worker *w, struct lookup *keys, unsigned n);
    /* All sessions of this turn were read: send what has gathered. */
    void (*turn_end)(struct worker *w);
    /* May answers that need a lease leave now?  Asked for such sessions only. */
    bool (*serves)(struct worker *w);
    bool restless;              /* of the loop: see struct world_ops */
    /* A session begins, and ends; NULL where nobody wants to know. */
    void (*opened)(struct session *s);
    void (*closed)(struct session *s);
};

/* A message to a worker; embedded in what it is about, so sending cannot fail. */
struct mail {
    struct mail *next;
    void (*read)(struct worker *w, struct mail *m);     /* m is the reader's then */
};

struct session_list { struct session *first, *last; };

/* Sessions that go through each step together: as many buffers are held. */
#define READY_MAX 32

struct worker {
    unsigned id;
    struct worker *guest;       /* takes its turns behind ours, or NULL */
    bool is_guest;              /* its loop is another's */
    struct world *world;
    struct loop *loop;
    const struct net_config *config;
    const struct handler *handler;
    void *front;                /* the handler's own part of this worker */
    void *shard;                /* and the shard's */
    struct chunk_pool pool;
    struct stats stats;
    struct latency latency;

    int64_t now_ns, now_ms;     /* see worker_now() */
    bool now_known;
    int64_t wall_offset_ms;     /* wall clock - monotonic, read at the start */

    /* What commands go by has changed when this has: a session executes nothing
     * under a new one while answers are open that went by the old. */
    uint64_t order;
    bool leaving;               /* sessions execute nothing more: they go elsewhere */
    bool gathers_gets;          /* the handler's: it has use for handle_gets() */
    struct session *sessions;   /* all */
    struct session *ready[READY_MAX];   /* have received, and were not run yet */
    unsigned n_ready;
    struct session_list run;    /* stopped by their share of the turn */
    struct session_list flush;  /* have answers ready or output waiting */
    size_t unsent_bytes;        /* of all sessions, or more: see worker_add_unsent() */
    struct session *closed;     /* to be freed at the end of the turn */
    struct batch ahead;         /* of sessions that are ready: what each begins with */
    struct batch batch;         /* of the session that runs: what comes after that */
    struct slot *free_texts;    /* see slot.c */
    struct chunk *kept;         /* answers of this turn that wait for others are */
    size_t kept_used;           /* written into it; a reference, or NULL */
    struct timer *look;         /* for commands that take too long to come */

    pthread_mutex_t mail_lock;
    struct mail *mail_first, **mail_last;
    bool has_mail;              /* atomic: a look without the lock */
    struct mail drain, stop;    /* see worker_drain(), worker_stop() */
    struct mail leave, pulse;   /* worker_leave(), worker_ask_pulse() */
    bool asked;                 /* atomic: for a pulse that is still owed */
    bool settled;               /* atomic: leaving, and nothing is under way */
    pthread_t thread;
    bool stopping;              /* sessions end as they fall idle */
    bool drained;               /* atomic: stopping, and all have ended */
    bool stopped;               /* the loop ends */

    char apart[64];             /* a cache line: workers are an array, and each writes its own */
};

/* False when memory is short: worker_fini() copes. */
bool worker_init(struct worker *w, unsigned id, struct world *world,
                 const struct net_config *config, const struct handler *handler);
void worker_fini(struct worker *w);

/*
 * The same of a guest, without a thread, a loop or sessions: it is called on in the
 * loop of `host`, and each turn of that one ends with its own.  It goes first.
 */
bool worker_init_guest(struct worker *w, unsigned id, struct worker *host,
                       const struct handler *handler);

/* One turn: waits for something to do, but not with `poll`. */
void worker_turn(struct worker *w, bool poll);
/* Turns, until worker_stop(). */
void worker_run(struct worker *w);

/* From any thread: m->read is called in the worker's own. */
void worker_post(struct worker *w, struct mail *m);

/* Once its thread has ended: what was still posted is read. */
void worker_read_mail(struct worker *w);

/* From any thread: sessions finish what they have begun, and end. */
void worker_drain(struct worker *w);
/* From any thread: have they?  Links and mail are served until worker_stop(). */
bool worker_is_drained(struct worker *w);
/* From any thread: the loop ends now. */
void worker_stop(struct worker *w);

/*
 * From any thread: sessions execute nothing more and read no more than they must
 * to be between two commands, so that they can be moved to another program.
 * Those that cannot be, as they watch, are closed.
 */
void worker_leave(struct worker *w);
/* From any thread: nothing that was executed waits for an answer any more. */
bool worker_is_settled(struct worker *w);
/* Its thread has ended: all is as before once it runs again. */
void worker_stay(struct worker *w);

/*
 * Does its thread turn?  From one other thread: asks, unless an answer is still
 * owed; and whether none is.
 */
void worker_ask_pulse(struct worker *w);
bool worker_has_pulse(struct worker *w);

/* For sessions: it has received, and runs in this turn. */
void worker_add_ready(struct worker *w, struct session *s);

/* For sessions: the handler is shown the keys. */
static inline void worker_foresee(struct worker *w, struct batch *b)
{
    if (w->handler->foresee != NULL && b->n > 0)
        w->handler->foresee(w, b->keys, b->n);
}

/* For sessions: more unsent answers wait than config->output_limit_bytes. */
static inline bool worker_is_over(const struct worker *w)
{
    return w->unsent_bytes > w->config->output_limit_bytes;
}

/*
 * A session that was run has so many bytes unsent.  They are added up while a
 * turn lasts and counted at its end, and only where there may be too many.
 */
static inline void worker_add_unsent(struct worker *w, size_t bytes)
{
    if (w->pool.bytes_out > w->config->output_limit_bytes)
        w->unsent_bytes += bytes;
}

/* Monotonic nanoseconds, read once a turn. */
static inline int64_t worker_now_ns(struct worker *w)
{
    if (!w->now_known) {
        w->now_ns = w->world->ops->mono_ns(w->world);
        w->now_ms = w->now_ns / 1000000;
        w->now_known = true;
    }
    return w->now_ns;
}

/* The same in milliseconds. */
static inline int64_t worker_now(struct worker *w)
{
    (void)worker_now_ns(w);
    return w->now_ms;
}

/* Milliseconds since 1970, by the clock read at the start. */
static inline int64_t worker_wall(struct worker *w)
{
    return worker_now(w) + w->wall_offset_ms;
}

#endif
