/*
 * request - a frame on its way to a member, and what became of it
 *
 *      WAITING --> ANSWERED | NOT_SENT | REFUSED | LOST
 *
 * It holds the chunk in which its frame lies, so nothing of it need be copied
 * to be used or sent once more.  Usually the first field of what wants the
 * answer.
 */
#ifndef CLUSTER_REQUEST_H
#define CLUSTER_REQUEST_H

#include "net/chunk.h"
#include "wire/frame.h"

struct link;
struct links;

enum request_outcome {
    WAITING,
    ANSWERED,                   /* request->reply */
    NOT_SENT,                   /* the member has not seen it: surely not done */
    REFUSED,                    /* request->refusal: the same, it said so */
    LOST                        /* it may have been done, or not */
};

struct request {
    struct request *next;       /* on the link, or among the free */
    struct link *link;          /* a reference: it may have been link_free()d; or NULL */
    void (*done)(struct request *r);    /* once a sending, when outcome is not WAITING */
    void *owner;                /* of what it is part, */
    unsigned part;              /* and which: for who asks */

    struct chunk *frame_chunk;  /* a reference: holds frame head and key; or NULL */
    const char *key;
    char *own_key;              /* owned: `key`, where no frame holds it, or NULL */
    struct chunk *value_chunk;  /* a reference: holds the value; NULL: frame_chunk does */
    const char *value;          /* of a frame that is held */
    uint64_t at;                /* place in the link's stream of bytes */
    size_t bytes;               /* of the frame */
    int64_t sent_ns;            /* the turn in which it was queued */

    uint8_t answer_op;          /* that is expected: FRAME_ANSWER ... */
    uint16_t statuses;          /* of a FRAME_ANSWER: 1 << enum status, that it may be */
    uint8_t key_len;
    bool needs_key;             /* when it is done, whether it was sent or not */
    bool needs_frame;           /* the same, all of it: see request_frame() */
    /* Of several commands at once: see link_send_all(); else NULL and 0. */
    void (*each)(struct request *r, const struct frame *answer, struct chunk *chunk);
    unsigned n_open;            /* of them, not answered yet */
    enum request_outcome outcome;
    enum refusal refusal;       /* of REFUSED */
    const char *reason;         /* of NOT_SENT, REFUSED and LOST, in words; static */
    struct chunk *told_chunk;   /* a reference: holds what copies must be told; or NULL */
    const char *told;           /* the FRAME_TOLD in it */
    uint64_t open;              /* of an answer with MARK_OPEN: see link_confirm(); or 0 */
    struct chunk *reply_chunk;  /* a reference, or NULL */
    struct frame reply;         /* of ANSWERED; points into reply_chunk */
};

/* From the worker's pool; NULL when memory is short. */
struct request *request_new(struct links *ls);
void request_free(struct links *ls, struct request *r);

/* It is of `l` (NULL: of none) from here on. */
void request_set_link(struct request *r, struct link *l);

/* `len` bytes in ls->kept, the chunk for what has to wait; NULL when memory is short. */
char *request_room(struct links *ls, size_t len);

/* Before it is sent once more. */
void request_forget_answer(struct request *r);

/*
 * Holds `f` where sending would have: in r->frame_chunk, and a large value where
 * it lies in `chunk` (NULL: it is copied).  False when memory is short.
 */
bool request_keep(struct links *ls, struct request *r, const struct frame *f,
                  struct chunk *chunk);

/* The same for `len` bytes of frames, to be found at r->value. */
bool request_keep_all(struct links *ls, struct request *r, const char *frames, size_t len);

/* The frame that is held, as it was given; false: none is. */
bool request_frame(const struct request *r, struct frame *f);
/* Where its value lies: for sending it once more. */
struct chunk *request_value_chunk(const struct request *r);

/* For an answer that comes from this process: it, and what it tells of copies.
 * `loan` (taken over; or NULL: it is copied) holds a hit's value.  False when
 * memory is short. */
bool request_answer(struct links *ls, struct request *r, const struct answer *a,
                    struct chunk *loan);
bool request_tell(struct links *ls, struct request *r, const struct copy *copy);

/* What the answer told of the copies, without a key; false: nothing. */
bool request_told(const struct request *r, struct copy *copy);

#endif
