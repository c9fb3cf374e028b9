#include "front/dump.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/num.h"
#include "wire/base64.h"
#include "wire/listing.h"

#define LINE_MAX_BYTES (3 * KEY_MAX + 200)
#define PAGE_BYTES_MAX (1u << 20)       /* no honest page is as long */

struct dump {
    struct slot slot;
    struct mail mail;           /* to our own worker: the next page, a turn later */
    struct front_worker *fw;
    struct view *view;          /* a reference: the members that are asked */
    enum dump_kind kind;
    unsigned at;                /* the member whose turn it is */
    uint64_t cursor;            /* in its items */
    char *own;                  /* the page at hand: malloc'd, */
    struct chunk *chunk;        /* or a reference to where it was received */
    const char *page;
    size_t len;
    bool begun, over;
    uint32_t left;              /* items to list; UINT32_MAX: all */
    char failure[160];          /* the line that ends it early, or "" */
};

static void drop_page(struct dump *d)
{
    free(d->own);
    chunk_unref(d->chunk);
    d->own = NULL;
    d->chunk = NULL;
    d->len = 0;
}

static void dump_free(struct dump *d)
{
    drop_page(d);
    view_unref(d->view);
    free(d);
}

/* ---- lines ---- */

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
        || c == '-' || c == '.' || c == '_' || c == '~';
}

char *dump_put_key(char *out, const char *key, size_t len)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)key[i];

        if (is_plain(key[i])) {
            *out++ = key[i];
        } else {
            *out++ = '%';
            *out++ = hex[c >> 4];
            *out++ = hex[c & 15];
        }
    }
    return out;
}

/* Times are seconds since 1970, as memcached prints them. */
static char *put_metadump(char *out, const struct listed *l, int64_t wall_ms)
{
    out = dump_put_key(bytes_put_text(out, "key="), l->key, l->key_len);
    out = bytes_put_text(out, " exp=");
    if (l->ttl_ms == TTL_NEVER)
        out = bytes_put_text(out, "-1");
    else
        out = num_put_u64(out, ((uint64_t)wall_ms + (uint64_t)l->ttl_ms + 999) / 1000);
    out = num_put_u64(bytes_put_text(out, " la="), (uint64_t)(wall_ms / 1000) - l->idle_s);
    out = num_put_u64(bytes_put_text(out, " cas="), l->token);
    out = bytes_put_text(out, (l->marks & MARK_FETCHED) != 0 ? " fetch=yes" : " fetch=no");
    out = bytes_put_text(out, " cls=1 size=");
    out = num_put_u64(out, l->key_len + l->value_len + ITEM_OVERHEAD);
    out = num_put_u64(bytes_put_text(out, " flags="), l->client_flags);
    return bytes_put_text(out, " \n");
}

static char *put_mgdump(char *out, const struct listed *l)
{
    out = bytes_put_text(out, "mg ");
    if ((l->marks & MARK_KEY_ENCODED) != 0 || !key_is_text(l->key, l->key_len))
        return bytes_put_text(base64_put(out, l->key, l->key_len), " b\r\n");
    memcpy(out, l->key, l->key_len);
    return bytes_put_text(out + l->key_len, "\r\n");
}

static char *put_cachedump(char *out, const struct listed *l, int64_t wall_ms)
{
    if ((l->marks & MARK_KEY_ENCODED) != 0 || !key_is_text(l->key, l->key_len))
        return out;
    out = bytes_put_text(out, "ITEM ");
    memcpy(out, l->key, l->key_len);
    out = num_put_u64(bytes_put_text(out + l->key_len, " ["), l->value_len);
    out = bytes_put_text(out, " b; ");
    out = num_put_u64(out, l->ttl_ms == TTL_NEVER ? 0 : ((uint64_t)wall_ms + (uint64_t)l->ttl_ms) / 1000);
    return bytes_put_text(out, " s]\r\n");
}

static char *put_item(const struct dump *d, char *out, const struct listed *l, int64_t wall_ms)
{
    switch (d->kind) {
    case DUMP_METADUMP:
        return put_metadump(out, l, wall_ms);
    case DUMP_MGDUMP:
        return put_mgdump(out, l);
    case DUMP_CACHEDUMP:
        break;
    }
    return put_cachedump(out, l, wall_ms);
}

/* Copies are shown by their owner alone. */
static bool is_owners(const struct dump *d, const struct listed *l)
{
    return d->view->simple ||
           view_owner(d->view, ring_hash(l->key, l->key_len)) == (int)d->at;
}

static bool put_page(struct dump *d, struct session *s)
{
    const int64_t wall_ms = worker_wall(s->worker);
    struct listed l;

    for (size_t pos = 0; d->left > 0 && listing_next(d->page, d->len, &pos, &l);) {
        char *start, *end;

        if (!is_owners(d, &l))
            continue;
        start = sendq_room(&s->out, LINE_MAX_BYTES);
        if (start == NULL)
            return false;
        if (!d->fw->front->config.cas)
            l.token = 0;
        end = put_item(d, start, &l, wall_ms);
        if (!sendq_commit(&s->out, (size_t)(end - start)))
            return false;
        d->left -= d->left != UINT32_MAX && end > start;
    }
    return true;
}

/* ---- pages ---- */

static void fail(struct dump *d, const char *reason)
{
    snprintf(d->failure, sizeof(d->failure), "SERVER_ERROR shard %s: %s\r\n",
             d->view->map->members[d->at].name, reason);
}

static void on_page(struct request *r)
{
    struct dump *d = r->owner;

    if (r->outcome == ANSWERED && r->reply.value_len > PAGE_BYTES_MAX) {
        fail(d, "it answered nonsense");
    } else if (r->outcome == ANSWERED) {
        d->cursor = r->reply.version;
        d->page = r->reply.value;
        d->len = r->reply.value_len;
        d->chunk = r->reply_chunk;
        r->reply_chunk = NULL;
    } else {
        fail(d, r->reason);
    }
    request_free(&d->fw->links, r);
    slot_ready(&d->slot);
}

/* One page a turn: others are served in between. */
static void on_own_turn(struct worker *w, struct mail *m)
{
    struct dump *d = (struct dump *)((char *)m - offsetof(struct dump, mail));

    if (d->slot.session != NULL) {
        if (!store_list(d->fw->front->store, &d->cursor, worker_now(w), &d->own, &d->len))
            fail(d, "out of memory here");
        d->page = d->own;
    }
    slot_ready(&d->slot);
}

static void ask_there(struct dump *d)
{
    struct frame f = { .op = FRAME_WALK, .number = d->cursor };
    struct link *l = d->fw->links.link[d->at];
    struct request *r = l != NULL ? request_new(&d->fw->links) : NULL;

    if (r == NULL) {
        fail(d, "out of memory here");
        slot_ready(&d->slot);
        return;
    }
    r->owner = d;
    r->answer_op = FRAME_DONE;
    r->done = on_page;
    link_send(l, r, &f, NULL);
}

static void ask(struct dump *d)
{
    const struct map *map = d->view->map;

    while (d->at < map->n && map->members[d->at].state == MEMBER_EJECTED)
        d->at++;
    if (d->at == d->view->map->n) {
        d->over = true;
        slot_ready(&d->slot);
    } else if (d->view != d->fw->links.view) {
        fail(d, "the map has changed");
        slot_ready(&d->slot);
    } else if ((int)d->at == d->fw->self) {
        worker_post(d->fw->worker, &d->mail);
    } else {
        ask_there(d);
    }
}

/* ---- its slot ---- */

static bool dump_emit(struct slot *slot, struct session *s)
{
    struct dump *d = (struct dump *)slot;
    const char *end = d->kind == DUMP_MGDUMP ? "EN\r\n" : "END\r\n";

    if ((!d->begun && d->kind != DUMP_CACHEDUMP && !sendq_add(&s->out, "OK\r\n", 4)) ||
        !put_page(d, s))
        s->broken = true;
    d->begun = true;
    d->over |= d->left == 0;
    drop_page(d);
    if (!d->over && d->failure[0] == '\0') {
        d->at += d->cursor == 0;        /* this member has shown all */
        ask(d);
        return false;
    }
    end = d->over ? end : d->failure;
    if (!sendq_add(&s->out, end, strlen(end)))
        s->broken = true;
    s->streams = false;
    session_resume(s);
    dump_free(d);
    return true;
}

static void dump_drop(struct slot *slot)
{
    dump_free((struct dump *)slot);
}

static const struct slot_ops dump_ops = { dump_emit, dump_drop };

void dump_begin(struct session *s, enum dump_kind kind, uint32_t most)
{
    struct front_worker *fw = s->worker->front;
    struct dump *d = calloc(1, sizeof(*d));

    if (d == NULL) {
        s->broken = true;
        return;
    }
    d->fw = fw;
    d->view = view_ref(fw->links.view);
    d->kind = kind;
    d->left = most > 0 ? most : UINT32_MAX;
    d->mail.read = on_own_turn;
    d->slot.ops = &dump_ops;
    session_stream(s);
    session_expect(s, &d->slot);
    session_hold(s);
    ask(d);
}
