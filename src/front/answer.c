#include "front/answer.h"

#include <string.h>

#include "wire/reply.h"

static const char end_text[] = "\r\nEND\r\n";

bool answer_put_hit(struct sendq *q, const char *key, size_t key_len, enum verb verb, bool more,
                    const struct answer *a, struct chunk *chunk)
{
    bool with_cas = verb == VERB_GETS || verb == VERB_GATS;
    bool by_ref = chunk != NULL && a->value_len >= SENDQ_REF_BYTES;
    size_t tail = more ? 2 : sizeof(end_text) - 1;
    char *start = sendq_room(q, REPLY_HEAD_MAX + tail + (by_ref ? 0 : a->value_len)), *p;

    if (start == NULL)
        return false;
    p = reply_put_value_head(start, key, key_len, a, with_cas);
    if (by_ref)
        return sendq_commit(q, (size_t)(p - start)) &&
               sendq_add_ref(q, chunk, a->value, a->value_len) &&
               sendq_add(q, end_text, tail);
    memcpy(p, a->value, a->value_len);
    p += a->value_len;
    memcpy(p, end_text, tail);
    return sendq_commit(q, (size_t)(p - start) + tail);
}

bool answer_put(struct sendq *q, enum verb verb, bool more, const struct answer *a)
{
    char *p;

    if (verb_is_get(verb))
        return more || sendq_add(q, end_text + 2, sizeof(end_text) - 3);
    p = sendq_room(q, REPLY_LINE_MAX);
    return p != NULL && sendq_commit(q, reply_put_line(p, verb, a));
}

static void count_found(struct stats *stats, enum verb verb, bool found)
{
    switch (verb) {
    case VERB_GET:
    case VERB_GETS:
        STAT_ADD(stats, cmd_get, 1);
        STAT_ADD(stats, get_hits, found);
        STAT_ADD(stats, get_misses, !found);
        break;
    case VERB_GAT:
    case VERB_GATS:
    case VERB_TOUCH:
        STAT_ADD(stats, cmd_touch, 1);
        STAT_ADD(stats, touch_hits, found);
        STAT_ADD(stats, touch_misses, !found);
        break;
    case VERB_DELETE:
        STAT_ADD(stats, delete_hits, found);
        STAT_ADD(stats, delete_misses, !found);
        break;
    case VERB_INCR:
        STAT_ADD(stats, incr_hits, found);
        STAT_ADD(stats, incr_misses, !found);
        break;
    case VERB_DECR:
        STAT_ADD(stats, decr_hits, found);
        STAT_ADD(stats, decr_misses, !found);
        break;
    default:
        break;
    }
}

static void count_cas(struct stats *stats, enum status status)
{
    STAT_ADD(stats, cas_hits, status == STATUS_STORED);
    STAT_ADD(stats, cas_badval, status == STATUS_EXISTS);
    STAT_ADD(stats, cas_misses, status == STATUS_NOT_FOUND);
}

void answer_count(struct stats *stats, enum verb verb, enum status status)
{
    if (status == STATUS_TOO_LARGE)
        STAT_ADD(stats, store_too_large, 1);
    else if (status == STATUS_NO_MEMORY)
        STAT_ADD(stats, store_no_memory, 1);
    else if (verb == VERB_CAS)
        count_cas(stats, status);
    else if (status != STATUS_NON_NUMERIC)
        count_found(stats, verb, status != STATUS_NOT_FOUND);
}
