/*
 * links - a worker's links to the members of the map it goes by
 *
 * Links outlive maps: those whose member stays where it is are kept and told
 * of the new epoch; what was sent under the old one is answered or refused.
 */
#ifndef CLUSTER_LINKS_H
#define CLUSTER_LINKS_H

#include "cluster/link.h"

/* Confirms wait so long for something else to be sent. */
#define LINKS_CONFIRM_MS 1

struct links_config {
    uint8_t role;               /* enum hello_role: what we say that we are */
    int64_t timeout_ms;         /* that a member may take to answer */
    size_t queue_bytes;         /* of frames on one link, unanswered */
    size_t request_bytes;       /* of a request and what it is part of */
    bool timed;                 /* how long members take is kept: link_add_took() */
    /* A link was opened, went down, or was refused something; NULL: nobody cares. */
    void (*changed)(struct links *ls);
};

struct links {
    const struct links_config *config;  /* borrowed */
    struct worker *worker;
    struct cluster *cluster;    /* borrowed */
    struct view *view;          /* a reference: what is sent goes by it; or NULL */
    struct link **link;         /* by index in view->map; NULL: this process */
    size_t n;
    struct link *dirty;         /* have something to send */
    struct request *free_requests;
    struct timer *confirm;      /* owned; NULL before there was something to confirm, */
    bool confirms_soon;         /* it runs */
    struct chunk *kept;         /* a reference: frames that wait are written */
    size_t kept_used;           /* into it; or NULL */
    void *owner;
};

void links_init(struct links *ls, const struct links_config *config, struct worker *w,
                struct cluster *c);
void links_fini(struct links *ls);

/*
 * Goes by `v` (a reference that is taken over) from here on: links are made,
 * kept, given up.  `self`: the member that needs no link, or -1.  False when
 * memory is short: nothing has changed, and `v` is let go of.
 */
bool links_take_view(struct links *ls, struct view *v, int self);

/* For links: config->changed is called, if there is one. */
void links_changed(struct links *ls);

/* For links: those that owe a confirm are dirty in a moment. */
void links_confirm_soon(struct links *ls);

/* At the end of a turn: what was refused is spoken of, what was queued leaves. */
void links_flush(struct links *ls);
/* Now and then. */
void links_tick(struct links *ls);

#endif
