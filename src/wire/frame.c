#include "wire/frame.h"

#include <string.h>

#include "base/bytes.h"

/* What stands between key and value, and what may stand there at all. */
enum {
    HAS_KEY = 1,
    HAS_ATTRIBUTES = 2,         /* u32 client flags, i64 ttl_ms */
    HAS_NUMBER = 4,             /* u64 */
    HAS_VALUE = 8,
    IS_OP = 16
};

static const uint8_t fields_of_op[256] = {
    [FRAME_HELLO] = IS_OP | HAS_VALUE,
    [FRAME_MAP] = IS_OP | HAS_VALUE,
    [FRAME_PING] = IS_OP,
    [FRAME_STATS] = IS_OP | HAS_KEY,
    [FRAME_CLOCK] = IS_OP,
    [FRAME_FLUSH] = IS_OP,
    [FRAME_LIMIT] = IS_OP | HAS_NUMBER,
    [FRAME_COMMAND + VERB_GET] = IS_OP | HAS_KEY,
    [FRAME_COMMAND + VERB_GETS] = IS_OP | HAS_KEY,
    [FRAME_COMMAND + VERB_GAT] = IS_OP | HAS_KEY | HAS_ATTRIBUTES,
    [FRAME_COMMAND + VERB_GATS] = IS_OP | HAS_KEY | HAS_ATTRIBUTES,
    [FRAME_COMMAND + VERB_SET] = IS_OP | HAS_KEY | HAS_ATTRIBUTES | HAS_VALUE,
    [FRAME_COMMAND + VERB_ADD] = IS_OP | HAS_KEY | HAS_ATTRIBUTES | HAS_VALUE,
    [FRAME_COMMAND + VERB_REPLACE] = IS_OP | HAS_KEY | HAS_ATTRIBUTES | HAS_VALUE,
    [FRAME_COMMAND + VERB_APPEND] = IS_OP | HAS_KEY | HAS_ATTRIBUTES | HAS_VALUE,
    [FRAME_COMMAND + VERB_PREPEND] = IS_OP | HAS_KEY | HAS_ATTRIBUTES | HAS_VALUE,
    [FRAME_COMMAND + VERB_CAS] = IS_OP | HAS_KEY | HAS_ATTRIBUTES | HAS_VALUE,
    [FRAME_COMMAND + VERB_DELETE] = IS_OP | HAS_KEY,
    [FRAME_COMMAND + VERB_INCR] = IS_OP | HAS_KEY | HAS_NUMBER,
    [FRAME_COMMAND + VERB_DECR] = IS_OP | HAS_KEY | HAS_NUMBER,
    [FRAME_COMMAND + VERB_TOUCH] = IS_OP | HAS_KEY | HAS_ATTRIBUTES,
    [FRAME_ANSWER] = IS_OP,     /* and what its status says, see below */
    [FRAME_DONE] = IS_OP | HAS_VALUE,
    [FRAME_REFUSED] = IS_OP | HAS_VALUE,
};

static unsigned fields_of(uint8_t op, uint8_t st)
{
    if (op == FRAME_ANSWER && st == STATUS_HIT)
        return IS_OP | HAS_ATTRIBUTES | HAS_VALUE;
    if (op == FRAME_ANSWER && st == STATUS_NUMBER)
        return IS_OP | HAS_NUMBER;
    return fields_of_op[op];
}

static bool key_fits(unsigned fields, uint8_t op, size_t key_len)
{
    if (!(fields & HAS_KEY))
        return key_len == 0;
    return key_len <= KEY_MAX && (key_len > 0 || op == FRAME_STATS);
}

static size_t fields_len(unsigned fields)
{
    return (fields & HAS_ATTRIBUTES ? 12u : 0u) + (fields & HAS_NUMBER ? 8u : 0u);
}

enum frame_status frame_read(const char *data, size_t len, struct frame *f)
{
    size_t body, fixed;
    unsigned fields;
    const char *p;

    f->len = FRAME_HEAD;
    if (len < FRAME_HEAD)
        return FRAME_MORE;
    body = bytes_get_u32(data);
    f->op = (uint8_t)data[4];
    f->st = (uint8_t)data[5];
    f->key_len = bytes_get_u16(data + 6);
    f->version = bytes_get_u64(data + 8);

    fields = fields_of(f->op, f->st);
    fixed = f->key_len + fields_len(fields);
    if (!(fields & IS_OP) || !key_fits(fields, f->op, f->key_len) || body < fixed)
        return FRAME_BAD;
    f->value_len = body - fixed;
    if (f->value_len > (fields & HAS_VALUE ? FRAME_VALUE_LIMIT : 0))
        return FRAME_BAD;
    f->len = FRAME_HEAD + body;
    if (len < f->len)
        return FRAME_MORE;

    p = data + FRAME_HEAD;
    f->key = p;
    p += f->key_len;
    f->client_flags = 0;
    f->ttl_ms = 0;
    f->number = 0;
    if (fields & HAS_ATTRIBUTES) {
        f->client_flags = bytes_get_u32(p);
        f->ttl_ms = (int64_t)bytes_get_u64(p + 4);
        p += 12;
    }
    if (fields & HAS_NUMBER) {
        f->number = bytes_get_u64(p);
        p += 8;
    }
    f->value = p;
    return FRAME_WHOLE;
}

size_t frame_head_len(const struct frame *f)
{
    return FRAME_HEAD + f->key_len + fields_len(fields_of(f->op, f->st));
}

char *frame_put(char *out, const struct frame *f)
{
    unsigned fields = fields_of(f->op, f->st);
    size_t body = f->key_len + fields_len(fields) + f->value_len;

    out = bytes_put_u32(out, (uint32_t)body);
    *out++ = (char)f->op;
    *out++ = (char)f->st;
    out = bytes_put_u16(out, f->key_len);
    out = bytes_put_u64(out, f->version);
    if (f->key_len > 0)
        memcpy(out, f->key, f->key_len);
    out += f->key_len;
    if (fields & HAS_ATTRIBUTES) {
        out = bytes_put_u32(out, f->client_flags);
        out = bytes_put_u64(out, (uint64_t)f->ttl_ms);
    }
    if (fields & HAS_NUMBER)
        out = bytes_put_u64(out, f->number);
    return out;
}

void frame_from_cmd(struct frame *f, const struct cmd *cmd)
{
    *f = (struct frame){
        .op = (uint8_t)(FRAME_COMMAND + cmd->verb),
        .key = cmd->key,
        .key_len = (uint16_t)cmd->key_len,
        .version = cmd->verb == VERB_CAS ? cmd->cas : 0,
        .client_flags = cmd->client_flags,
        .ttl_ms = cmd->ttl_ms,
        .number = cmd->delta,
        .value = cmd->value,
        .value_len = verb_has_value(cmd->verb) ? cmd->value_len : 0,
    };
}

void frame_to_cmd(const struct frame *f, struct cmd *cmd)
{
    *cmd = (struct cmd){
        .verb = (enum verb)(f->op - FRAME_COMMAND),
        .key = f->key,
        .key_len = f->key_len,
        .client_flags = f->client_flags,
        .ttl_ms = f->ttl_ms,
        .cas = f->version,
        .delta = f->number,
        .value = f->value,
        .value_len = f->value_len,
    };
}

void frame_from_answer(struct frame *f, const struct answer *a)
{
    *f = (struct frame){
        .op = FRAME_ANSWER,
        .st = (uint8_t)a->status,
        .version = a->version,
        .client_flags = a->client_flags,
        .ttl_ms = a->ttl_ms,
        .number = a->number,
        .value = a->value,
        .value_len = a->status == STATUS_HIT ? a->value_len : 0,
    };
}

bool frame_to_answer(const struct frame *f, struct answer *a)
{
    if (f->op != FRAME_ANSWER || f->st >= N_STATUSES)
        return false;
    *a = (struct answer){
        .status = (enum status)f->st,
        .version = f->version,
        .number = f->number,
        .client_flags = f->client_flags,
        .ttl_ms = f->ttl_ms,
        .value = f->value,
        .value_len = f->value_len,
    };
    return true;
}
