#include "store/item.h"

static size_t len_bytes(size_t value_len)
{
    if (value_len < ITEM_LEN_16)
        return 0;
    return value_len <= UINT16_MAX ? 2 : 4;
}

/* Before the key. */
static size_t head_bytes(const struct draft *d)
{
    return ITEM_HEAD + len_bytes(d->value_len) + (d->client_flags != 0 ? 4 : 0)
         + (d->expires_at != 0 ? 6 : 0);
}

/* Behind the value. */
static size_t tail_bytes(unsigned marks)
{
    return (marks & ITEM_TOKEN) != 0 ? sizeof(uint64_t) : 0;
}

size_t draft_bytes(const struct draft *d)
{
    return head_bytes(d) + d->key_len + d->value_len + tail_bytes(d->marks);
}

size_t item_bytes(const struct item *it)
{
    return (size_t)(it->value - it->at) + it->value_len + tail_bytes(it->marks);
}

bool item_can_become(const struct item *it, const struct draft *d)
{
    return head_bytes(d) == (size_t)(it->key - it->at);
}

static void put_word(char *at, uint32_t used_at_s, unsigned uses, unsigned marks)
{
    bytes_put_u32(at + ITEM_AT_WORD,
                  (used_at_s & (ITEM_USED_SPAN - 1)) | uses << 20 | marks << 24);
}

static char *put_expiry(char *p, uint64_t expires_at)
{
    p = bytes_put_u32(p, (uint32_t)expires_at);
    return bytes_put_u16(p, (uint16_t)(expires_at >> 32));
}

static char *put_lens(char *at, size_t key_len, size_t value_len)
{
    char *p = at + ITEM_HEAD;

    at[ITEM_AT_KEY_LEN] = (char)key_len;
    switch (len_bytes(value_len)) {
    case 0:
        at[ITEM_AT_VALUE_LEN] = (char)value_len;
        return p;
    case 2:
        at[ITEM_AT_VALUE_LEN] = (char)ITEM_LEN_16;
        return bytes_put_u16(p, (uint16_t)value_len);
    default:
        at[ITEM_AT_VALUE_LEN] = (char)ITEM_LEN_32;
        return bytes_put_u32(p, (uint32_t)value_len);
    }
}

/* The second piece first: a prepend moves the old value up in its place. */
static void put_value(char *value, const struct draft *d)
{
    const size_t first = d->piece[0].len, second = d->piece[1].len;

    if (second > 0)
        memmove(value + first, d->piece[1].data, second);
    if (first > 0)
        memmove(value, d->piece[0].data, first);
    memset(value + first + second, ' ', d->value_len - first - second);
}

void item_write(char *at, const struct draft *d)
{
    unsigned marks = d->marks & (ITEM_TOLD | ITEM_DELETED);
    char *p;

    if (d->client_flags != 0)
        marks |= ITEM_FLAGS;
    if (d->expires_at != 0)
        marks |= ITEM_TTL;
    bytes_put_u64(at, d->version | (d->open ? ITEM_OPEN : 0));
    put_word(at, d->used_at_s, d->uses, marks);
    p = put_lens(at, d->key_len, d->value_len);
    if (d->client_flags != 0)
        p = bytes_put_u32(p, d->client_flags);
    if (d->expires_at != 0)
        p = put_expiry(p, d->expires_at);
    p = bytes_put(p, d->key, d->key_len);
    put_value(p, d);
    if ((marks & ITEM_TOKEN) != 0)
        bytes_put_u64(p + d->value_len, d->token);
}

struct copy item_copy(const struct item *it, int64_t at_ms)
{
    const bool deleted = item_is_deleted(it);

    return (struct copy){
        .kind = deleted ? COPY_DELETED : COPY_VALUE,
        .key = it->key, .key_len = it->key_len,
        .marks = item_told(it), .version = it->version, .token = item_token(it),
        .client_flags = it->client_flags,
        .ttl_ms = deleted ? TTL_NEVER : item_ttl(it, at_ms),
        .idle_s = item_idle_s(it, at_ms),
        .value = it->value, .value_len = it->value_len,
    };
}

void item_set_open(struct item *it, bool open)
{
    bytes_put_u64(it->at, it->version | (open ? ITEM_OPEN : 0));
    it->open = open;
}

void item_set_expiry(struct item *it, uint64_t expires_at)
{
    char *at_expiry = it->at + (it->key - it->at) - 6;

    assert((it->marks & ITEM_TTL) != 0 && expires_at != 0);
    put_expiry(at_expiry, expires_at);
    it->expires_at = expires_at;
}

void item_set_used(struct item *it, uint32_t used_at_s, unsigned uses, unsigned marks)
{
    it->used_at_s = used_at_s & (ITEM_USED_SPAN - 1);
    it->uses = uses;
    it->marks = marks;
    put_word(it->at, used_at_s, uses, marks);
}
