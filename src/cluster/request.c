#include "cluster/request.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "cluster/links.h"
#include "net/sendq.h"

struct request *request_new(struct links *ls)
{
    struct request *r = ls->free_requests;

    if (r != NULL)
        ls->free_requests = r->next;
    else if ((r = malloc(ls->config->request_bytes)) == NULL)
        return NULL;
    memset(r, 0, offsetof(struct request, reply));
    return r;
}

void request_free(struct links *ls, struct request *r)
{
    link_unref(r->link);
    chunk_unref(r->frame_chunk);
    chunk_unref(r->value_chunk);
    chunk_unref(r->told_chunk);
    chunk_unref(r->reply_chunk);
    free(r->own_key);
    r->next = ls->free_requests;
    ls->free_requests = r;
}

void request_set_link(struct request *r, struct link *l)
{
    if (r->link == l)
        return;
    if (l != NULL)
        link_ref(l);
    link_unref(r->link);
    r->link = l;
}

void request_forget_answer(struct request *r)
{
    chunk_unref(r->told_chunk);
    chunk_unref(r->reply_chunk);
    r->told_chunk = r->reply_chunk = NULL;
    r->told = NULL;
    r->open = 0;
}

char *request_room(struct links *ls, size_t len)
{
    if (ls->kept == NULL || ls->kept->size - ls->kept_used < len) {
        struct chunk *c = chunk_new(&ls->worker->pool, len);

        if (c == NULL)
            return NULL;
        chunk_unref(ls->kept);
        ls->kept = c;
        ls->kept_used = 0;
    }
    ls->kept_used += len;
    return ls->kept->data + ls->kept_used - len;
}

bool request_keep(struct links *ls, struct request *r, const struct frame *f,
                  struct chunk *chunk)
{
    const bool by_ref = chunk != NULL && f->value_len >= SENDQ_REF_BYTES;
    char *at = request_room(ls, frame_head_len(f) + (by_ref ? 0 : f->value_len)), *end;

    if (at == NULL)
        return false;
    end = frame_put(at, f);
    if (!by_ref && f->value_len > 0)
        memcpy(end, f->value, f->value_len);
    r->frame_chunk = chunk_ref(ls->kept);
    r->key = at + FRAME_HEAD;
    r->key_len = (uint8_t)f->key_len;
    r->value_chunk = by_ref ? chunk_ref(chunk) : NULL;
    r->value = by_ref ? f->value : end;
    return true;
}

bool request_keep_all(struct links *ls, struct request *r, const char *frames, size_t len)
{
    char *at = request_room(ls, len);

    if (at == NULL)
        return false;
    r->frame_chunk = chunk_ref(ls->kept);
    r->value = memcpy(at, frames, len);
    return true;
}

bool request_answer(struct links *ls, struct request *r, const struct answer *a,
                    struct chunk *loan)
{
    char *at;

    frame_from_answer(&r->reply, a);
    r->reply_chunk = loan;
    if (loan != NULL || r->reply.value_len == 0)
        return true;
    at = request_room(ls, r->reply.value_len);
    if (at == NULL)
        return false;
    r->reply_chunk = chunk_ref(ls->kept);
    r->reply.value = memcpy(at, a->value, r->reply.value_len);
    return true;
}

bool request_tell(struct links *ls, struct request *r, const struct copy *copy)
{
    struct frame f;
    char *at, *end;

    frame_from_copy(&f, FRAME_TOLD, copy);
    at = request_room(ls, frame_head_len(&f) + f.value_len);
    if (at == NULL)
        return false;
    end = frame_put(at, &f);
    if (f.value_len > 0)
        memcpy(end, f.value, f.value_len);
    r->told_chunk = chunk_ref(ls->kept);
    r->told = at;
    return true;
}

/* The value need not lie behind the head: only that one is looked at. */
static bool read_held(const char *at, struct frame *f)
{
    return frame_read(at, FRAME_HEAD + (size_t)bytes_get_u32(at), f) == FRAME_WHOLE;
}

bool request_frame(const struct request *r, struct frame *f)
{
    if (r->frame_chunk == NULL || !read_held(r->key - FRAME_HEAD, f))
        return false;
    f->value = r->value;
    return true;
}

struct chunk *request_value_chunk(const struct request *r)
{
    return r->value_chunk != NULL ? r->value_chunk : r->frame_chunk;
}

bool request_told(const struct request *r, struct copy *copy)
{
    struct frame f;

    if (r->told == NULL || !read_held(r->told, &f))
        return false;
    frame_to_copy(&f, copy);
    return true;
}
