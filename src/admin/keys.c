#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/parts.h"
#include "base/mem.h"
#include "base/num.h"

#define TTL_SECONDS_MAX UINT32_MAX

/* A call for one key, until it is answered. */
struct keyed {
    struct admin *admin;
    struct http_call *call;
    struct cmd cmd;             /* its value is the request's body */
    struct etags match;         /* If-Match */
    struct etags none;          /* If-None-Match, of a get */
    bool has_match;
    unsigned n_tried;           /* of the match's versions */
    char *value;                /* owned: a copy, where there are more of those; or NULL */
    char key[KEY_MAX];
};

/* ---- what is answered ----------------------------------------------------- */

void keys_put_etag(char *out, uint64_t version)
{
    *out++ = '"';
    out = num_put_u64(out, version);
    *out++ = '"';
    *out = '\0';
}

static void add_etag(const struct keyed *k, const struct answer *a)
{
    char etag[NUM_U64_MAX_LEN + 3];

    if (!k->admin->cas || answer_token(a) == 0)
        return;
    keys_put_etag(etag, answer_token(a));
    http_add_header(k->call, "ETag", etag);
}

static void answer_hit(const struct keyed *k, const struct answer *a)
{
    const uint64_t token = answer_token(a);
    char flags[NUM_U64_MAX_LEN + 1];

    if (k->has_match && !etags_have(&k->match, token, false)) {
        http_refuse(k->call, 412, "the item has another ETag");
        return;
    }
    add_etag(k, a);
    http_add_header(k->call, "Cache-Control", "no-cache");
    if (etags_have(&k->none, token, true)) {
        http_answer_bytes(k->call, 304, NULL, NULL, 0);
        return;
    }
    *num_put_u64(flags, a->client_flags) = '\0';
    if (a->client_flags != 0)
        http_add_header(k->call, "X-Flags", flags);
    http_answer_bytes(k->call, 200, "application/octet-stream", a->value, a->value_len);
}

static void answer_stored(const struct keyed *k, const struct answer *a)
{
    add_etag(k, a);
    http_answer_bytes(k->call, 204, NULL, NULL, 0);
}

static void answer_not_there(const struct keyed *k)
{
    if (k->has_match && !verb_is_get(k->cmd.verb))
        http_refuse(k->call, 412, "there is no such item");
    else
        http_refuse(k->call, 404, "there is no such item");
}

static void answer_not_stored(const struct keyed *k)
{
    http_refuse(k->call, 412, k->cmd.verb == VERB_ADD ? "there is such an item already"
                                                      : "there is no such item");
}

static void answer(const struct keyed *k, const struct answer *a)
{
    switch (a->status) {
    case STATUS_HIT:
        answer_hit(k, a);
        return;
    case STATUS_STORED:
        answer_stored(k, a);
        return;
    case STATUS_DELETED:
        http_answer_bytes(k->call, 204, NULL, NULL, 0);
        return;
    case STATUS_NOT_FOUND:
        answer_not_there(k);
        return;
    case STATUS_NOT_STORED:
        answer_not_stored(k);
        return;
    case STATUS_EXISTS:
        http_advise(k->call, 412, "get it, and decide anew", "the item has another ETag");
        return;
    case STATUS_TOO_LARGE:
        http_advise(k->call, 413, "see --max-item-size of chcached(8)",
                    "key and value are more than an item may have, %zu bytes",
                    k->admin->max_item_bytes);
        return;
    default:
        http_advise(k->call, 507, "see --memory-limit of chcached(8)",
                    "there is no memory for the item");
        return;
    }
}

void keys_refuse_shard(struct http_call *call)
{
    http_advise(call, 503, "ask a front", "this process is a shard alone");
}

static void answer_unreached(struct http_call *call, const char *why, bool unknown)
{
    if (unknown) {
        http_advise(call, 504, "get the key to see whether it was done", "%s", why);
        return;
    }
    http_add_header(call, "Retry-After", "1");
    http_advise(call, 503, "nothing was done: ask again", "%s", why);
}

/* ---- what is asked -------------------------------------------------------- */

static void execute(struct keyed *k);

static void keyed_free(struct keyed *k)
{
    free(k->value);
    free(k);
}

/* Another of the tags may be the item's.  False: there is none, or nobody waits. */
static bool tries_next_tag(struct keyed *k)
{
    if (!k->has_match || k->match.any || !http_call_waits(k->call)
        || ++k->n_tried >= k->match.n - k->match.n_weak)
        return false;
    k->cmd.cas = k->match.versions[k->n_tried];
    k->cmd.value = k->value;
    execute(k);
    return true;
}

static void on_executed(void *arg, const struct answer *a, const char *why, bool unknown)
{
    struct keyed *k = arg;

    if (a != NULL && a->status == STATUS_EXISTS && tries_next_tag(k))
        return;
    if (a != NULL)
        answer(k, a);
    else
        answer_unreached(k->call, why, unknown);
    keyed_free(k);
}

static void execute(struct keyed *k)
{
    k->admin->ops->execute(k->admin->arg, &k->cmd, on_executed, k);
}

/* ---- what it says --------------------------------------------------------- */

/* False: the call was refused. */
static bool take_key(struct keyed *k, const char *key, size_t len)
{
    if (!k->admin->has_keys) {
        keys_refuse_shard(k->call);
        return false;
    }
    if (len == 0 || len > KEY_MAX) {
        http_refuse(k->call, 400, "the key has %zu bytes, expected 1 to %d", len, KEY_MAX);
        return false;
    }
    memcpy(k->key, key, len);
    k->cmd.key = k->key;
    k->cmd.key_len = len;
    return true;
}

/* False: as above.  *there: the header is. */
static bool take_tags(struct keyed *k, const char *name, struct etags *out, bool *there)
{
    const char *text = http_call_header(k->call, name);

    *there = text != NULL;
    if (text == NULL)
        return true;
    if (!k->admin->cas) {
        http_refuse(k->call, 400, "there are no ETags: chcached was started with --disable-cas");
        return false;
    }
    if (etags_read((struct span){ text, strlen(text) }, out))
        return true;
    http_refuse(k->call, 400, "%s: expected *, or at most %d ETags as they were sent, with "
                "their quotes", name, ETAGS_MAX);
    return false;
}

/* What may be done only where the item is, or is not. */
static bool take_match(struct keyed *k, enum verb where_there)
{
    const unsigned n = k->match.n - k->match.n_weak;

    if (k->match.any) {
        k->cmd.verb = where_there;
        return true;
    }
    if (n == 0) {               /* of another making, or weak: they match nothing */
        http_refuse(k->call, 412, "the item has another ETag");
        return false;
    }
    k->cmd.cas = k->match.versions[0];
    return true;
}

static bool take_conditions_of_put(struct keyed *k)
{
    struct etags none;
    bool has_none;

    if (!take_tags(k, "If-Match", &k->match, &k->has_match)
        || !take_tags(k, "If-None-Match", &none, &has_none))
        return false;
    if (has_none && (k->has_match || !none.any)) {
        http_refuse(k->call, 400, "with a PUT go If-Match, or If-None-Match: *");
        return false;
    }
    k->cmd.verb = has_none ? VERB_ADD : k->has_match ? VERB_CAS : VERB_SET;
    return !k->has_match || take_match(k, VERB_REPLACE);
}

static bool take_ttl(struct keyed *k)
{
    struct span value;
    uint64_t seconds;

    if (!http_call_value(k->call, "ttl", &value))
        return true;
    if (!num_parse_u64(value.at, value.len, &seconds) || seconds > TTL_SECONDS_MAX) {
        http_refuse(k->call, 400, "ttl: expected seconds, 0 to %u; 0: it does not expire",
                    TTL_SECONDS_MAX);
        return false;
    }
    k->cmd.ttl_ms = (int64_t)seconds * 1000;
    return true;
}

static bool take_flags(struct keyed *k)
{
    const char *text = http_call_header(k->call, "X-Flags");

    if (text == NULL || num_parse_u32(text, strlen(text), &k->cmd.client_flags))
        return true;
    http_refuse(k->call, 400, "X-Flags: expected a number, 0 to %u", UINT32_MAX);
    return false;
}

static struct keyed *keyed_new(struct admin *a, struct http_call *call, enum verb verb)
{
    struct keyed *k = xzalloc(sizeof(*k));

    k->admin = a;
    k->call = call;
    k->cmd.verb = verb;
    return k;
}

/* `fine`: nothing was refused. */
static void go(struct keyed *k, bool fine)
{
    if (fine)
        execute(k);
    else
        keyed_free(k);
}

/* ---- calls ---------------------------------------------------------------- */

static const char *last_part(const struct http_call *call, size_t *len)
{
    return http_call_part(call, http_call_n_parts(call) - 1, len);
}

void keys_get_of(struct admin *a, struct http_call *call, const char *key, size_t len)
{
    struct keyed *k = keyed_new(a, call, VERB_GETS);
    bool has_none;

    go(k, take_key(k, key, len) && take_tags(k, "If-Match", &k->match, &k->has_match)
          && take_tags(k, "If-None-Match", &k->none, &has_none));
}

void keys_put_of(struct admin *a, struct http_call *call, const char *key, size_t len,
                 struct span value)
{
    struct keyed *k = keyed_new(a, call, VERB_SET);
    bool fine;

    k->cmd.value = value.at;
    k->cmd.value_len = value.len;
    fine = take_key(k, key, len) && take_ttl(k) && take_flags(k) && take_conditions_of_put(k);
    if (fine && k->match.n - k->match.n_weak > 1) {     /* the caller's is gone by then */
        k->value = xmalloc(value.len + 1);
        if (value.len > 0)
            memcpy(k->value, value.at, value.len);
    }
    go(k, fine);
}

void keys_get(struct admin *a, struct http_call *call)
{
    size_t len;
    const char *key = last_part(call, &len);

    keys_get_of(a, call, key, len);
}

void keys_put(struct admin *a, struct http_call *call)
{
    size_t len;
    const char *key = last_part(call, &len);

    keys_put_of(a, call, key, len, http_call_bytes(call));
}

void keys_delete(struct admin *a, struct http_call *call)
{
    size_t len;
    const char *key = last_part(call, &len);
    struct keyed *k = keyed_new(a, call, VERB_DELETE);
    bool fine = take_key(k, key, len)
             && take_tags(k, "If-Match", &k->match, &k->has_match);

    if (fine && http_call_header(call, "If-None-Match") != NULL) {
        http_refuse(call, 400, "with a DELETE goes If-Match alone");
        fine = false;
    }
    if (fine && k->has_match) {
        k->cmd.options = k->match.any ? 0 : OPTION_COMPARE;
        fine = take_match(k, VERB_DELETE);
    }
    go(k, fine);
}
