#include "front/answer.h"

#include <string.h>

#include "wire/meta.h"

/* What may follow a value: as much of it as the protocol has, copied whole. */
static const char tail[8] = "\r\nEND\r\n";

static inline size_t text_tail_len(const struct asked *asked)
{
    return asked->form->more ? 2 : strlen("\r\nEND\r\n");
}

static inline char *put_text_head(char *out, const struct asked *asked, const struct answer *a)
{
    return reply_put_value_head(out, asked->key, asked->key_len, a,
                                asked->verb == VERB_GETS || asked->verb == VERB_GATS);
}

char *answer_write_hit(char *out, const struct asked *asked, const struct answer *a)
{
    out = put_text_head(out, asked, a);
    out = bytes_put(out, a->value, a->value_len);
    memcpy(out, tail, sizeof(tail));
    return out + text_tail_len(asked);
}

/* What was written at `start` up to `end`, the value and `tail_len` bytes of
 * the tail.  Room for all of it is there. */
static bool put_with_value(struct sendq *q, const char *start, char *end, const struct answer *a,
                           size_t tail_len, struct chunk *by_ref)
{
    if (by_ref != NULL)
        return sendq_commit(q, (size_t)(end - start)) &&
               sendq_add_ref(q, by_ref, a->value, a->value_len) &&
               sendq_add(q, tail, tail_len);
    memcpy(end, a->value, a->value_len);
    end += a->value_len;
    memcpy(end, tail, sizeof(tail));
    return sendq_commit(q, (size_t)(end - start) + tail_len);
}

/* Bytes for an answer: a head, and the value if it is copied. */
static size_t room_for(size_t head, const struct answer *a, const struct chunk *by_ref)
{
    return head + (by_ref == NULL ? a->value_len + sizeof(tail) : 0);
}

/* The chunk, if the value is better sent from there than copied. */
static struct chunk *better_sent(const struct answer *a, struct chunk *chunk)
{
    return a->value_len >= SENDQ_REF_BYTES ? chunk : NULL;
}

static bool put_text_hit(struct sendq *q, const struct asked *asked, const struct answer *a,
                         struct chunk *chunk)
{
    struct chunk *by_ref = better_sent(a, chunk);
    char *start = sendq_room(q, room_for(REPLY_HEAD_MAX, a, by_ref));

    if (start == NULL)
        return false;
    if (by_ref == NULL)
        return sendq_commit(q, (size_t)(answer_write_hit(start, asked, a) - start));
    return put_with_value(q, start, put_text_head(start, asked, a), a, text_tail_len(asked),
                          by_ref);
}

static bool put_text(struct sendq *q, const struct asked *asked, const struct answer *a,
                     struct chunk *chunk)
{
    char *p;

    if (a->status == STATUS_HIT)
        return put_text_hit(q, asked, a, chunk);
    if (asked->form->quiet)
        return true;
    if (verb_is_get(asked->verb))
        return asked->form->more || sendq_add(q, "END\r\n", 5);
    p = sendq_room(q, REPLY_LINE_MAX);
    return p != NULL && sendq_commit(q, reply_put_line(p, asked->verb, a));
}

static bool put_meta(struct sendq *q, const struct asked *asked, const struct answer *a,
                     struct chunk *chunk)
{
    const bool hit = a->status == STATUS_HIT;
    struct chunk *by_ref = hit ? better_sent(a, chunk) : NULL;
    char *start = sendq_room(q, hit ? room_for(META_LINE_MAX, a, by_ref) : META_LINE_MAX), *end;

    if (start == NULL)
        return false;
    end = meta_put(start, asked->form, asked->verb, asked->key, asked->key_len, a);
    if (hit)
        return put_with_value(q, start, end, a, 2, by_ref);
    return sendq_commit(q, (size_t)(end - start));
}

static bool put_binary(struct sendq *q, const struct asked *asked, const struct answer *a,
                       struct chunk *chunk)
{
    const bool hit = a->status == STATUS_HIT;
    struct chunk *by_ref = hit ? better_sent(a, chunk) : NULL;
    char *start = sendq_room(q, hit ? room_for(PACKET_ANSWER_MAX, a, by_ref) : PACKET_ANSWER_MAX);
    char *end;

    if (start == NULL)
        return false;
    end = packet_put_answer(start, asked->form, asked->verb, asked->key, asked->key_len, a);
    if (hit)
        return put_with_value(q, start, end, a, 0, by_ref);
    return sendq_commit(q, (size_t)(end - start));
}

static bool say_packet(struct sendq *q, const struct form *form, const char *line,
                       enum packet_status status, const char *body)
{
    const char *words = body != NULL ? body : line;
    const size_t len = body != NULL ? strlen(body) : strlen(line) - 2;
    char *start;

    if (form->quiet && status == PACKET_OK)
        return true;
    start = sendq_room(q, PACKET_HEAD + len);
    return start != NULL &&
           sendq_commit(q, (size_t)(packet_put(start, form, status, NULL, 0, words, len) - start));
}

bool answer_say(struct sendq *q, const struct form *form, const char *line,
                enum packet_status status, const char *body)
{
    if (form->protocol == PROTOCOL_BINARY)
        return say_packet(q, form, line, status, body);
    return form->quiet || sendq_add(q, line, strlen(line));
}

bool answer_put(struct sendq *q, const struct asked *asked, const struct answer *a,
                struct chunk *chunk)
{
    if (asked->form->protocol == PROTOCOL_BINARY)
        return put_binary(q, asked, a, chunk);
    if (asked->form->protocol == PROTOCOL_META)
        return put_meta(q, asked, a, chunk);
    return put_text(q, asked, a, chunk);
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
        count_found(stats, verb, status != STATUS_NOT_FOUND && status != STATUS_EXISTS);
}
