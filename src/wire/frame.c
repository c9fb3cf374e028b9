#include "wire/frame.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "base/bytes.h"

/* What stands between key and value, and what may stand there at all. */
enum {
    HAS_KEY = 1,
    HAS_ATTRIBUTES = 2,         /* u32 client flags, i64 ttl_ms */
    HAS_NUMBER = 4,             /* u64 */
    HAS_VALUE = 8,
    HAS_IDLE = 16,              /* u32 */
    HAS_TOKEN = 32,             /* u64 */
    HAS_ARGUMENTS = 64,         /* u32 options >> 8, u64 token, i64 vivify_ttl_ms,
                                   i64 recache_ttl_ms, u64 initial */
    IS_OP = 128,
    IS_COMMAND = 256,           /* st has options */
    IS_COPY = 512               /* st has a kind */
};

#define ARGUMENTS_FOLLOW 0x80   /* in st of a command */
#define KIND 0x0f               /* in st of a copy */
#define KEY_LEN 0xffu           /* in kl of all but answers */

static_assert(KEY_MAX <= KEY_LEN, "a key's length is one byte");

static const uint16_t fields_of_op[256] = {
    [FRAME_HELLO] = IS_OP | HAS_VALUE,
    [FRAME_MAP] = IS_OP | HAS_VALUE,
    [FRAME_PING] = IS_OP | HAS_VALUE,
    [FRAME_STATS] = IS_OP | HAS_KEY,
    [FRAME_CLOCK] = IS_OP,
    [FRAME_FLUSH] = IS_OP,
    [FRAME_LIMIT] = IS_OP | HAS_NUMBER,
    [FRAME_WALK] = IS_OP | HAS_NUMBER,
    [FRAME_EVICTIONS] = IS_OP | HAS_NUMBER,
    [FRAME_DIGEST] = IS_OP | HAS_NUMBER,
    [FRAME_WATCH] = IS_OP,
    [FRAME_EVENTS] = IS_OP | HAS_VALUE,
    [FRAME_COMMAND + VERB_GET] = IS_OP | IS_COMMAND | HAS_KEY,
    [FRAME_COMMAND + VERB_GETS] = IS_OP | IS_COMMAND | HAS_KEY,
    [FRAME_COMMAND + VERB_GAT] = IS_OP | IS_COMMAND | HAS_KEY | HAS_ATTRIBUTES,
    [FRAME_COMMAND + VERB_GATS] = IS_OP | IS_COMMAND | HAS_KEY | HAS_ATTRIBUTES,
    [FRAME_COMMAND + VERB_SET] = IS_OP | IS_COMMAND | HAS_KEY | HAS_ATTRIBUTES | HAS_VALUE,
    [FRAME_COMMAND + VERB_ADD] = IS_OP | IS_COMMAND | HAS_KEY | HAS_ATTRIBUTES | HAS_VALUE,
    [FRAME_COMMAND + VERB_REPLACE] = IS_OP | IS_COMMAND | HAS_KEY | HAS_ATTRIBUTES | HAS_VALUE,
    [FRAME_COMMAND + VERB_APPEND] = IS_OP | IS_COMMAND | HAS_KEY | HAS_ATTRIBUTES | HAS_VALUE,
    [FRAME_COMMAND + VERB_PREPEND] = IS_OP | IS_COMMAND | HAS_KEY | HAS_ATTRIBUTES | HAS_VALUE,
    [FRAME_COMMAND + VERB_CAS] = IS_OP | IS_COMMAND | HAS_KEY | HAS_ATTRIBUTES | HAS_VALUE,
    [FRAME_COMMAND + VERB_DELETE] = IS_OP | IS_COMMAND | HAS_KEY,
    [FRAME_COMMAND + VERB_INCR] = IS_OP | IS_COMMAND | HAS_KEY | HAS_NUMBER,
    [FRAME_COMMAND + VERB_DECR] = IS_OP | IS_COMMAND | HAS_KEY | HAS_NUMBER,
    [FRAME_COMMAND + VERB_TOUCH] = IS_OP | IS_COMMAND | HAS_KEY | HAS_ATTRIBUTES,
    [FRAME_APPLY] = IS_OP | IS_COPY | HAS_KEY,
    [FRAME_USED] = IS_OP | HAS_KEY,
    [FRAME_CONFIRM] = IS_OP,
    [FRAME_ANSWER] = IS_OP,     /* and what its status says, see below */
    [FRAME_DONE] = IS_OP | HAS_VALUE,
    [FRAME_REFUSED] = IS_OP | HAS_VALUE,
    [FRAME_APPLIED] = IS_OP,
    [FRAME_TOLD] = IS_OP | IS_COPY,
    [FRAME_WATCHED] = IS_OP,
};

static const uint16_t fields_of_status[N_STATUSES] = {
    [STATUS_HIT] = HAS_ATTRIBUTES | HAS_IDLE | HAS_VALUE,
    [STATUS_HEAD] = HAS_ATTRIBUTES | HAS_IDLE | HAS_NUMBER,
    [STATUS_NUMBER] = HAS_ATTRIBUTES | HAS_NUMBER,
    [STATUS_STORED] = HAS_NUMBER,
};

static inline unsigned fields_of_answer(uint8_t st, unsigned marks)
{
    const unsigned fields = st < N_STATUSES ? fields_of_status[st] : 0;

    return fields | ((marks & MARK_TOKEN) != 0 && fields != 0 ? HAS_TOKEN : 0u);
}

static inline unsigned fields_of_copy(uint8_t st, unsigned marks)
{
    switch (st & KIND) {
    case COPY_VALUE:
        return HAS_ATTRIBUTES | HAS_VALUE | ((st & FRAME_ANY_AGE) != 0 ? HAS_IDLE : 0u)
             | ((marks & MARK_TOKEN) != 0 ? HAS_TOKEN : 0u);
    case COPY_TOUCHED:
        return HAS_ATTRIBUTES;
    default:
        return 0;
    }
}

/* Of a command beyond what its op has.  `st` as it travels. */
static inline unsigned fields_of_options(uint8_t st)
{
    if ((st & (ARGUMENTS_FOLLOW | OPTION_REMOVE_VALUE)) == 0)
        return 0;
    return HAS_ATTRIBUTES               /* the flags of what stays */
         | ((st & ARGUMENTS_FOLLOW) != 0 ? HAS_ARGUMENTS : 0u);
}

/* Bytes of fields, by the bits from HAS_ATTRIBUTES to HAS_ARGUMENTS: looked up, as
 * this is on the way of every command. */
#define LEN(i) ((i) % 2 * 12 + (i) / 2 % 2 * 8 + (i) / 8 % 2 * 4 + (i) / 16 % 2 * 8 \
                + (i) / 32 % 2 * 36)
#define LEN_4(i) LEN(i), LEN((i) + 1), LEN((i) + 2), LEN((i) + 3)
#define LEN_16(i) LEN_4(i), LEN_4((i) + 4), LEN_4((i) + 8), LEN_4((i) + 12)

static const uint8_t len_of_fields[64] = { LEN_16(0), LEN_16(16), LEN_16(32), LEN_16(48) };

static inline size_t fields_len(unsigned fields)
{
    return len_of_fields[fields / HAS_ATTRIBUTES % 64];
}

static const char *read_arguments(struct frame *f, const char *p)
{
    f->options |= (bytes_get_u32(p) << 8) & OPTIONS_WITH_ARGUMENT;
    f->token = bytes_get_u64(p + 4);
    f->vivify_ttl_ms = (int64_t)bytes_get_u64(p + 12);
    f->recache_ttl_ms = (int64_t)bytes_get_u64(p + 20);
    f->initial = bytes_get_u64(p + 28);
    return p + 36;
}

static inline const char *read_fields(struct frame *f, unsigned fields, const char *p)
{
    memset(&f->client_flags, 0, sizeof(*f) - offsetof(struct frame, client_flags));
    if (fields & HAS_ATTRIBUTES) {
        f->client_flags = bytes_get_u32(p);
        f->ttl_ms = (int64_t)bytes_get_u64(p + 4);
        p += 12;
    }
    if (fields & HAS_NUMBER) {
        f->number = bytes_get_u64(p);
        p += 8;
    }
    if (fields & HAS_IDLE) {
        f->idle_s = bytes_get_u32(p);
        p += 4;
    }
    if (fields & HAS_TOKEN) {
        f->token = bytes_get_u64(p);
        p += 8;
    }
    return (fields & HAS_ARGUMENTS) != 0 ? read_arguments(f, p) : p;
}

/* Only a value has marks, and only those that there are. */
static inline bool copy_fits(const struct frame *f)
{
    const unsigned known = (f->st & KIND) == COPY_VALUE ? MARKS_OF_COPY : 0;

    return (f->st & KIND) <= COPY_TOUCHED
        && (f->st & ~(KIND | FRAME_ANY_AGE | FRAME_RENEW)) == 0 && (f->marks & ~known) == 0;
}

static inline bool plain_fits(const struct frame *f, unsigned fields, uint16_t kl)
{
    const bool has_key = (fields & HAS_KEY) != 0;

    return kl <= (has_key ? KEY_MAX : 0) && (kl > 0 || !has_key || f->op == FRAME_STATS)
        && (f->op != FRAME_APPLIED || f->st <= APPLIED_LAST);
}

/*
 * What the u16 of the head stands for, and which fields follow; false: there is
 * no such head.  A length is another matter.
 */
static inline bool read_head(struct frame *f, uint16_t kl, unsigned *fields)
{
    unsigned has = fields_of_op[f->op];

    f->marks = f->flags = f->options = 0;
    f->key_len = kl & KEY_LEN;
    if ((has & IS_COMMAND) != 0) {
        f->flags = kl & ~KEY_LEN;
        f->options = f->st & ~(unsigned)ARGUMENTS_FOLLOW;
        *fields = has | fields_of_options(f->st);
        return f->key_len - 1u < KEY_MAX && (f->flags & ~FRAME_FLAGS_ALL) == 0;
    }
    if (f->op == FRAME_ANSWER) {
        f->key_len = 0;
        f->marks = kl;
        *fields = has | fields_of_answer(f->st, kl);
        return (kl & ~MARKS_ALL) == 0;
    }
    if ((has & IS_COPY) != 0) {
        f->marks = kl >> 8;
        *fields = has | fields_of_copy(f->st, f->marks);
        return copy_fits(f)
            && ((has & HAS_KEY) != 0 ? f->key_len - 1u < KEY_MAX : f->key_len == 0);
    }
    *fields = has;
    return (has & IS_OP) != 0 && plain_fits(f, has, kl);
}

enum frame_status frame_read(const char *data, size_t len, struct frame *f)
{
    size_t body, fixed;
    unsigned fields;
    const char *p;
    uint16_t kl;

    f->len = FRAME_HEAD;
    if (len < FRAME_HEAD)
        return FRAME_MORE;
    body = bytes_get_u32(data);
    f->op = (uint8_t)data[4];
    f->st = (uint8_t)data[5];
    kl = bytes_get_u16(data + 6);
    f->version = bytes_get_u64(data + 8);

    if (!read_head(f, kl, &fields))
        return FRAME_BAD;
    fixed = f->key_len + fields_len(fields);
    if (body < fixed)
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
    p = read_fields(f, fields, p);
    f->value = p;
    return FRAME_WHOLE;
}

/* What the head says of a frame that is to be written, and which fields follow. */
struct head {
    unsigned fields;
    uint16_t kl;
    uint8_t st;
};

static inline struct head head_of(const struct frame *f)
{
    struct head h = { fields_of_op[f->op], f->key_len, f->st };

    if ((h.fields & IS_COMMAND) != 0) {
        h.st = (uint8_t)((f->options & 0x7f)
                         | ((f->options & OPTIONS_WITH_ARGUMENT) != 0 ? ARGUMENTS_FOLLOW : 0));
        h.kl = (uint16_t)(f->key_len | f->flags);
        h.fields |= fields_of_options(h.st);
    } else if (f->op == FRAME_ANSWER) {
        h.kl = (uint16_t)f->marks;
        h.fields |= fields_of_answer(f->st, f->marks);
    } else if ((h.fields & IS_COPY) != 0) {
        h.kl = (uint16_t)(f->key_len | f->marks << 8);
        h.fields |= fields_of_copy(f->st, f->marks);
    }
    return h;
}

size_t frame_head_len(const struct frame *f)
{
    return FRAME_HEAD + f->key_len + fields_len(head_of(f).fields);
}

static char *put_arguments(char *out, const struct frame *f)
{
    out = bytes_put_u32(out, f->options >> 8);
    out = bytes_put_u64(out, f->token);
    out = bytes_put_u64(out, (uint64_t)f->vivify_ttl_ms);
    out = bytes_put_u64(out, (uint64_t)f->recache_ttl_ms);
    return bytes_put_u64(out, f->initial);
}

static inline char *put_head(char *out, size_t body, uint8_t op, uint8_t st, uint16_t kl,
                             uint64_t version)
{
    out = bytes_put_u32(out, (uint32_t)body);
    *out++ = (char)op;
    *out++ = (char)st;
    out = bytes_put_u16(out, kl);
    return bytes_put_u64(out, version);
}

char *frame_put_applied(char *out, uint64_t version, enum applied applied)
{
    return put_head(out, 0, FRAME_APPLIED, (uint8_t)applied, 0, version);
}

/* Inlined by force: of an answer that is written at once nothing is ever a frame. */
static inline __attribute__((always_inline)) char *put(char *out, const struct frame *f)
{
    const struct head h = head_of(f);
    const unsigned fields = h.fields;

    out = put_head(out, f->key_len + fields_len(fields) + f->value_len, f->op, h.st, h.kl,
                   f->version);
    out = bytes_put(out, f->key, f->key_len);
    if (fields & HAS_ATTRIBUTES) {
        out = bytes_put_u32(out, f->client_flags);
        out = bytes_put_u64(out, (uint64_t)f->ttl_ms);
    }
    if (fields & HAS_NUMBER)
        out = bytes_put_u64(out, f->number);
    if (fields & HAS_IDLE)
        out = bytes_put_u32(out, f->idle_s);
    if (fields & HAS_TOKEN)
        out = bytes_put_u64(out, f->token);
    if (fields & HAS_ARGUMENTS)
        out = put_arguments(out, f);
    return out;
}

char *frame_put(char *out, const struct frame *f)
{
    return put(out, f);
}

void frame_from_cmd(struct frame *f, const struct cmd *cmd)
{
    *f = (struct frame){
        .op = (uint8_t)(FRAME_COMMAND + cmd->verb),
        .key = cmd->key,
        .key_len = (uint16_t)cmd->key_len,
        .version = cmd->cas,
        .client_flags = cmd->client_flags,
        .ttl_ms = cmd->ttl_ms,
        .number = cmd->delta,
        .flags = (cmd->copies ? FRAME_COPIES : 0u) | (cmd->as_copy ? FRAME_AS_COPY : 0u)
               | (cmd->pending ? FRAME_PENDING : 0u),
        .options = cmd->options,
        .token = cmd->token,
        .initial = cmd->initial,
        .vivify_ttl_ms = cmd->vivify_ttl_ms,
        .recache_ttl_ms = cmd->recache_ttl_ms,
        .value = cmd->value,
        .value_len = verb_has_value(cmd->verb) ? cmd->value_len : 0,
    };
}

void frame_to_cmd(const struct frame *f, struct cmd *cmd)
{
    memset(cmd, 0, offsetof(struct cmd, form));
    cmd->verb = (enum verb)(f->op - FRAME_COMMAND);
    cmd->key = f->key;
    cmd->key_len = f->key_len;
    cmd->client_flags = f->client_flags;
    cmd->ttl_ms = f->ttl_ms;
    cmd->cas = f->version;
    cmd->delta = f->number;
    cmd->copies = (f->flags & FRAME_COPIES) != 0;
    cmd->as_copy = (f->flags & FRAME_AS_COPY) != 0;
    cmd->pending = (f->flags & FRAME_PENDING) != 0;
    cmd->options = f->options;
    cmd->token = f->token;
    cmd->initial = f->initial;
    cmd->vivify_ttl_ms = f->vivify_ttl_ms;
    cmd->recache_ttl_ms = f->recache_ttl_ms;
    cmd->value = f->value;
    cmd->value_len = f->value_len;
}

void frame_from_copy(struct frame *f, enum frame_op op, const struct copy *copy)
{
    const bool told = op == FRAME_TOLD, value = copy->kind == COPY_VALUE;

    *f = (struct frame){
        .op = (uint8_t)op,
        .st = (uint8_t)(copy->kind | (copy->any_age ? FRAME_ANY_AGE : 0u)
                        | (copy->renew ? FRAME_RENEW : 0u)),
        .key = told ? NULL : copy->key,
        .key_len = told ? 0 : (uint16_t)copy->key_len,
        .version = copy->version,
        .marks = value ? copy->marks & MARKS_OF_COPY : 0,
        .client_flags = copy->client_flags,
        .ttl_ms = copy->ttl_ms,
        .idle_s = copy->idle_s,
        .token = copy->token,
        .value = copy->value,
        .value_len = value ? copy->value_len : 0,
    };
}

void frame_to_copy(const struct frame *f, struct copy *copy)
{
    *copy = (struct copy){
        .kind = (enum copy_kind)(f->st & KIND),
        .any_age = (f->st & FRAME_ANY_AGE) != 0,
        .renew = (f->st & FRAME_RENEW) != 0,
        .key = f->key,
        .key_len = f->key_len,
        .marks = f->marks,
        .version = f->version,
        .token = f->token,
        .client_flags = f->client_flags,
        .ttl_ms = f->ttl_ms,
        .idle_s = f->idle_s,
        .value = f->value,
        .value_len = f->value_len,
    };
}

#define AT_OP 4
#define AT_ST 5
#define AT_KL 6
#define AT_VERSION 8

/* Behind the key and the client flags. */
static size_t at_ttl(const char *command)
{
    return FRAME_HEAD + (bytes_get_u16(command + AT_KL) & KEY_LEN) + 4;
}

int64_t frame_sent_ttl(const char *command)
{
    return (int64_t)bytes_get_u64(command + at_ttl(command));
}

size_t frame_sent_len(const char *command)
{
    const unsigned verb = (unsigned char)command[AT_OP] - (unsigned)FRAME_COMMAND;

    if (verb >= N_KEYED_VERBS || !verb_has_value((enum verb)verb) || command[AT_ST] != 0 ||
        frame_sent_ttl(command) < 0)
        return 0;
    return FRAME_HEAD + bytes_get_u32(command);
}

void frame_make_copy(char *command, uint64_t version, int64_t ttl_ms)
{
    bytes_put_u64(command + at_ttl(command), (uint64_t)ttl_ms);
    bytes_put_u16(command + AT_KL, bytes_get_u16(command + AT_KL) & KEY_LEN);
    bytes_put_u64(command + AT_VERSION, version);
    command[AT_OP] = FRAME_APPLY;
    command[AT_ST] = COPY_VALUE;
}

static inline struct frame answer_frame(const struct answer *a)
{
    return (struct frame){
        .op = FRAME_ANSWER,
        .st = (uint8_t)a->status,
        .version = a->version,
        .marks = a->marks,
        .client_flags = a->client_flags,
        .ttl_ms = a->ttl_ms,
        .idle_s = a->idle_s,
        .number = a->number,
        .token = a->token,
        .value = a->value,
        .value_len = a->status == STATUS_HIT ? a->value_len : 0,
    };
}

void frame_from_answer(struct frame *f, const struct answer *a)
{
    *f = answer_frame(a);
}

char *frame_put_answer(char *out, const struct answer *a)
{
    const struct frame f = answer_frame(a);

    return put(out, &f);
}

bool frame_to_answer(const struct frame *f, struct answer *a)
{
    if (f->op != FRAME_ANSWER || f->st >= N_STATUSES)
        return false;
    *a = (struct answer){
        .status = (enum status)f->st,
        .marks = f->marks,
        .version = f->version,
        .token = f->token,
        .number = f->number,
        .client_flags = f->client_flags,
        .ttl_ms = f->ttl_ms,
        .idle_s = f->idle_s,
        .value = f->value,
        .value_len = f->value_len,
    };
    return true;
}
