#include "wire/packet.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"

#define MAGIC 0x81

static char *put_head(char *out, const struct form *form, enum packet_status status,
                      size_t extras_len, size_t key_len, size_t body_len, uint64_t cas)
{
    *out++ = (char)MAGIC;
    *out++ = (char)form->opcode;
    out = bytes_put_be16(out, (uint16_t)key_len);
    *out++ = (char)extras_len;
    *out++ = 0;
    out = bytes_put_be16(out, (uint16_t)status);
    out = bytes_put_be32(out, (uint32_t)body_len);
    memcpy(out, form->opaque, PACKET_OPAQUE);
    return bytes_put_be64(out + PACKET_OPAQUE, cas);
}

char *packet_put(char *out, const struct form *form, enum packet_status status,
                 const char *key, size_t key_len, const char *value, size_t len)
{
    out = put_head(out, form, status, 0, key_len, key_len + len, 0);
    return bytes_put(bytes_put(out, key, key_len), value, len);
}

char *packet_put_head(char *out, const struct form *form, size_t key_len, size_t value_len)
{
    return put_head(out, form, PACKET_OK, 0, key_len, key_len + value_len, 0);
}

const char *packet_words(enum packet_status status)
{
    switch (status) {
    case PACKET_OK:
        return "";
    case PACKET_NOT_FOUND:
        return "Not found";
    case PACKET_EXISTS:
        return "Data exists for key.";
    case PACKET_TOO_LARGE:
        return "Too large.";
    case PACKET_INVALID:
        return "Invalid arguments";
    case PACKET_NOT_STORED:
        return "Not stored.";
    case PACKET_NON_NUMERIC:
        return "Non-numeric server-side value for incr or decr";
    case PACKET_FORBIDDEN:
        return "Auth failure.";
    case PACKET_UNKNOWN_COMMAND:
        return "Unknown command";
    case PACKET_NO_MEMORY:
        return "Out of memory";
    case PACKET_TRY_AGAIN:
        return "Temporary failure";
    }
    return "";
}

enum packet_status packet_status_of(enum cmd_error error)
{
    return error == CMD_ERROR ? PACKET_UNKNOWN_COMMAND : PACKET_INVALID;
}

static char *put_error(char *out, const struct form *form, enum packet_status status)
{
    const char *words = packet_words(status);

    return packet_put(out, form, status, NULL, 0, words, strlen(words));
}

/* Flags are its extras, the value comes last.  A touch has no value. */
static char *put_hit(char *out, const struct form *form, const char *key, size_t key_len,
                     const struct answer *a)
{
    const size_t sent_key = form->with_key ? key_len : 0;
    const size_t value_len = a->status == STATUS_HIT ? a->value_len : 0;

    out = put_head(out, form, PACKET_OK, 4, sent_key, 4 + sent_key + value_len, answer_token(a));
    return bytes_put(bytes_put_be32(out, a->client_flags), key, sent_key);
}

static char *put_miss(char *out, const struct form *form, enum verb verb, const char *key,
                      size_t key_len)
{
    if (verb_is_get(verb) && form->quiet)
        return out;
    if (form->with_key)
        return packet_put(out, form, PACKET_NOT_FOUND, key, key_len, NULL, 0);
    return put_error(out, form, PACKET_NOT_FOUND);
}

static char *put_number(char *out, const struct form *form, const struct answer *a)
{
    if (form->quiet)
        return out;
    out = put_head(out, form, PACKET_OK, 0, 0, 8, answer_token(a));
    return bytes_put_be64(out, a->number);
}

static enum packet_status not_stored(enum verb verb)
{
    switch (verb) {
    case VERB_ADD:
        return PACKET_EXISTS;
    case VERB_REPLACE:
        return PACKET_NOT_FOUND;
    default:
        return PACKET_NOT_STORED;
    }
}

char *packet_put_answer(char *out, const struct form *form, enum verb verb, const char *key,
                        size_t key_len, const struct answer *a)
{
    switch (a->status) {
    case STATUS_HIT:
    case STATUS_HEAD:
        return put_hit(out, form, key, key_len, a);
    case STATUS_NOT_FOUND:
        return put_miss(out, form, verb, key, key_len);
    case STATUS_STORED:
        return form->quiet ? out : put_head(out, form, PACKET_OK, 0, 0, 0, answer_token(a));
    case STATUS_DELETED:
    case STATUS_TOUCHED:
        return form->quiet ? out : put_head(out, form, PACKET_OK, 0, 0, 0, 0);
    case STATUS_NUMBER:
        return put_number(out, form, a);
    case STATUS_NOT_STORED:
        return put_error(out, form, not_stored(verb));
    case STATUS_EXISTS:
        return put_error(out, form, PACKET_EXISTS);
    case STATUS_NON_NUMERIC:
        return put_error(out, form, PACKET_NON_NUMERIC);
    case STATUS_TOO_LARGE:
        return put_error(out, form, PACKET_TOO_LARGE);
    case STATUS_NO_MEMORY:
        return put_error(out, form, PACKET_NO_MEMORY);
    case N_STATUSES:
        break;
    }
    assert(0 && "no such status");
    return out;
}
