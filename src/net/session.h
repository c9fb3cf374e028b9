/*
 * session - a client's connection: bytes to commands, answers in order
 *
 * Commands are handed to the worker's handler one by one.  What is not
 * answered on the spot waits in a slot; slots leave in the order they came.
 *
 *      out: [ bytes to send ] <- slot <- slot <- slot   (oldest first)
 *
 * A session whose client does not read is not executed: bounded output,
 * bounded slots.
 */
#ifndef NET_SESSION_H
#define NET_SESSION_H

#include "net/recvq.h"
#include "net/sendq.h"
#include "net/slot.h"
#include "net/worker.h"
#include "wire/cmd.h"
#include "wire/parse.h"

/* Unsent bytes, or held_bytes, at which a session is not executed. */
#define SESSION_OUTPUT_PAUSE (256u << 10)
/* Open slots at which the same holds. */
#define SESSION_SLOTS_MAX 256

enum session_state {
    READ_LINE, READ_VALUE, READ_KEYS, SWALLOW, SWALLOW_LINE, DEAF, FINISH,
    N_SESSION_STATES, YIELD
};

struct session {
    struct worker *worker;
    struct session *prev, *next;        /* worker->sessions */
    struct session *run_next, *flush_next, *closed_next;
    int fd;
    struct watch *watch;                /* owned */
    enum session_state state;

    struct recvq in;
    enum { DIALECT_UNKNOWN, DIALECT_TEXT, DIALECT_BINARY } dialect;    /* by the first byte */
    struct parse parse;         /* how far the command has been understood */
    struct cmd cmd;             /* borrows from `in` */
    size_t key_at;              /* READ_VALUE: of the key, from the line's start; or */
#define KEY_DECODED SIZE_MAX    /* it lies in `parse` */
    size_t line_len;            /* READ_VALUE: before the block */
    size_t left;                /* READ_KEYS, SWALLOW: bytes still to take */
    bool whole_line;            /* READ_KEYS: the line's end is in `left` */
    int64_t keys_began_ns;      /* READ_KEYS: the turn in which the line was parsed */
    unsigned turn_commands;     /* handled in this turn */
    struct batch *batch;        /* has its whole commands: batch_n of them */
    unsigned batch_at, batch_n; /* from batch_at on */
    bool looked;                /* by session_look_ahead(), which found this: */
    enum parse_status found;

    struct sendq out;
    struct slot *first, **last; /* open slots, oldest first */
    unsigned n_slots;
    size_t held_bytes;          /* of commands in flight and answers in slots */
    unsigned n_writes;          /* open slots of commands that change items */
    uint64_t written;           /* the handler's: which these may be, 0 without any */
    unsigned n_again;           /* gets to be asked again: nothing may overtake them */
    uint64_t order;             /* see worker.order */
    uint64_t tried;             /* the handler's: when those of its slots that wait were */
    size_t answer_bytes;        /* what the next get's answer may be, see below */
    struct text_slot *open_text;        /* being written: not yet in held_bytes */

    bool in_run, in_flush, closed;
    bool faulty;                /* its client sent what cannot be understood */
    bool blocked;               /* not executed until its output drains */
    bool barrier;               /* a command that must finish alone is open */
    bool broken;                /* memory ran out in the middle of an answer */
    bool output_full;           /* the socket took no more */
    bool lease;                 /* something was executed that wants one, this turn */
    bool streams;               /* sent more than it asks for: it must read */
    bool lingers;               /* all is said; its client is still sending */
    int64_t moved_ms;           /* when output last left */

    int64_t last_cmd_ms;
    int64_t begun_ms;           /* when a command began that is not whole; 0: none */
};

/* Takes over `fd`; closes it when memory is short. */
void session_open(struct worker *w, int fd);

/* The same, for a connection that another program had: what that had received and
 * not executed, and what it had not sent.  Both are copied. */
void session_open_moved(struct worker *w, int fd, const char *in, size_t in_len,
                        const char *out, size_t out_len);

/* For the handler */

/*
 * The answer to a get had that many bytes.  A get in flight is charged with
 * what its answer may be, going by those before it: at once up, slowly down;
 * what the first one takes is in the configuration.
 * A client that asks for much and reads little then has little on its way.
 */
static inline void session_expect_bytes(struct session *s, size_t bytes)
{
    if (bytes > s->answer_bytes || s->answer_bytes == s->worker->config->first_answer_bytes)
        s->answer_bytes = bytes;
    else
        s->answer_bytes -= (s->answer_bytes - bytes) / 4;
}

/* May more answers go to `out`?  Where the connection moves, all that are ready
 * move along. */
static inline bool session_has_room(const struct session *s)
{
    return s->out.bytes < SESSION_OUTPUT_PAUSE || (s->worker->leaving && !s->streams);
}

/* No further command until session_resume(): flush_all, stats. */
void session_hold(struct session *s);
void session_resume(struct session *s);

/* No further command until all that are open are answered: one of them has to
 * be asked once more. */
static inline void session_settle_first(struct session *s)
{
    s->order = UINT64_MAX;
}

/* The chunk in which the bytes of the command at hand lie. */
static inline struct chunk *session_chunk(struct session *s)
{
    return s->in.chunk;
}

/* No further command; closed when all answers are out: quit. */
void session_finish(struct session *s);
/* Its client is sent more than it asks for from here on: it must read. */
void session_stream(struct session *s);
/* What comes is thrown away from here on; it ends when its client closes: watch. */
void session_deafen(struct session *s);
/* What has come is still executed, then as above. */
void session_drain(struct session *s);

/* Closed at the end of the turn, whatever is open. */
void session_close(struct session *s);

/* It has something to emit or to send: flushed at the end of the turn. */
void session_join_flush(struct session *s);

/* For the worker, which leaves, and in the end does not. */
void session_leave(struct session *s);
void session_stay(struct session *s);

/*
 * A session of a worker that leaves: all that was executed is answered, and what
 * else it has is bytes, in `in` from the start of a command on, and in `out`.
 */
bool session_can_move(const struct session *s);

/*
 * For the worker: what it has received is understood, as far as worker->ahead
 * has room; then its commands are executed; then what came of them is sent.
 */
void session_look_ahead(struct session *s);
void session_run(struct session *s);
void session_send(struct session *s);
/* Now and then: a client that takes too long over one command is told so. */
void session_look(struct session *s);
void session_flush(struct session *s);
void session_free(struct session *s);

#endif
