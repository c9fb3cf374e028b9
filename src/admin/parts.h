/*
 * parts - what the files of this room share, and nobody else sees
 */
#ifndef ADMIN_PARTS_H
#define ADMIN_PARTS_H

#include "admin/admin.h"
#include "admin/http.h"

struct admin {
    const struct admin_ops *ops;        /* borrowed */
    void *arg;                  /* of ops */
    struct http *http;
    struct event_base *base;    /* borrowed */
    bool has_keys, cas;         /* see struct admin_config, as what follows */
    size_t max_item_bytes;
    struct replicas *replicas;  /* being counted, or NULL */
    struct metrics_kept *kept;  /* owned: see metrics.h */
    struct recent *recent;      /* owned: how commands went lately */
    char address[64];           /* "127.0.0.1:11280": where it listens; "": not known */
};

/* A call that waits for what members say. */
struct question {
    struct admin *admin;
    struct http_call *call;
    struct view *view;          /* a reference, or NULL: no map yet */
    uint32_t position;          /* of a key */
    struct admin_change change; /* of a dry run; its strings are the call's */
    json_t *hot;                /* of the page: owned by `told` */
    void (*told)(struct question *q, const struct admin_answer *answers);
};

/* Asks the members, or none without a map; then q->told, and q is gone.  `q` is
 * copied, its view taken over. */
void admin_ask(const struct question *q, const char *key, size_t key_len);

/* False: the call was refused, as another process leads. */
bool admin_leads(struct admin *a, struct http_call *call);

/* A path, and what it takes. */
#define ROUTE_WORDS_MAX 4

struct route {
    unsigned methods;
    const char *words[ROUTE_WORDS_MAX]; /* "*" is any */
    const char *query[4];       /* names that may stand behind a "?" */
    void (*handle)(struct admin *a, struct http_call *call);
    /* What it tells and changes.  The body is JSON, of a key the value, of a form what
     * `handle` takes it for; all may ask for health. */
    enum { OF_CLUSTER, OF_KEY, OF_FORM, OF_HEALTH } of;
};

/* aliases.c: */
extern const struct route aliases[];
extern const size_t n_aliases;

/* admin.c: */
void cluster_get(struct admin *a, struct http_call *call);

/* changes.c: */
void changes_add(struct admin *a, struct http_call *call);
void changes_remove(struct admin *a, struct http_call *call);
void changes_remove_named(struct admin *a, struct http_call *call, const char *name);
void changes_drain(struct admin *a, struct http_call *call);
void changes_weight(struct admin *a, struct http_call *call);

/* health.c: */
void health_alive(struct admin *a, struct http_call *call);
void health_ready(struct admin *a, struct http_call *call);
void health_heartbeat(struct admin *a, struct http_call *call);
void health_metrics(struct admin *a, struct http_call *call);
/* keys.c: the key is the path's last part. */
void keys_get_of(struct admin *a, struct http_call *call, const char *key, size_t len);
void keys_put_of(struct admin *a, struct http_call *call, const char *key, size_t len,
                 struct span value);
void keys_get(struct admin *a, struct http_call *call);
void keys_put(struct admin *a, struct http_call *call);
void keys_delete(struct admin *a, struct http_call *call);
/* "123", with its quotes: NUM_U64_MAX_LEN + 3 bytes. */
void keys_put_etag(char *out, uint64_t version);
void keys_refuse_shard(struct http_call *call);
/* many.c: */
void keys_get_many(struct admin *a, struct http_call *call);
/* hotkeys.c: */
void hotkeys_get(struct admin *a, struct http_call *call);
/* As GET /v1/hotkeys has it. */
json_t *hotkeys_json(struct admin *a, const struct admin_hotkey *keys, size_t n, double rate);

/* page_get.c: */
void page_get(struct admin *a, struct http_call *call);

/* replicas.c: */
void replicas_get(struct admin *a, struct http_call *call);
void replicas_free(struct replicas *r); /* answers nothing; copes with NULL */

#endif
