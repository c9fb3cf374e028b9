#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/parts.h"
#include "base/mem.h"
#include "base/num.h"
#include "wire/base64.h"

#define KEYS_MAX 256
#define AT_ONCE 8               /* keys asked for and not answered: their values are held */
#define VALUES_MAX ((size_t)8 << 20)    /* bytes of all values of an answer */

/* A call for many keys, until all are answered. */
struct many {
    struct admin *admin;
    struct http_call *call;
    json_t *keys;               /* owned, as they came */
    json_t *rows;               /* owned: one for each, in their order */
    size_t n, next;             /* keys; the next to be asked for */
    unsigned open;              /* asked for and not answered */
    size_t bytes;               /* of values */
    bool goes;                  /* go() is at work */
};

struct one {
    struct many *many;
    size_t i;
};

/* ---- keys ----------------------------------------------------------------- */

/* "text", or {"base64": "dGV4dA=="}.  0: it is no key. */
static size_t read_key(const json_t *key, char *out)
{
    const json_t *encoded = json_object_get(key, "base64");
    const json_t *text = encoded != NULL && json_object_size(key) == 1 ? encoded : key;
    const size_t len = json_string_length(text);

    if (!json_is_string(text) || len == 0 || len > BASE64_LEN(KEY_MAX))
        return 0;
    if (text == encoded)
        return base64_read(out, json_string_value(text), len);
    memcpy(out, json_string_value(text), len);
    return len;
}

#define KEY_ROOM BASE64_LEN(KEY_MAX)

/* ---- answers -------------------------------------------------------------- */

static void put_row(struct many *m, size_t i, json_t *row)
{
    json_object_set(row, "key", json_array_get(m->keys, i));
    json_array_set_new(m->rows, i, row);
}

static json_t *encoded(const char *value, size_t len)
{
    char *text = xmalloc(BASE64_LEN(len) + 1);
    const char *end = base64_put(text, value, len);
    json_t *json = json_stringn_nocheck(text, (size_t)(end - text));

    free(text);
    return json;
}

static json_t *row_of_hit(struct many *m, const struct answer *a)
{
    char etag[NUM_U64_MAX_LEN + 3];
    json_t *row;

    if (m->bytes + a->value_len > VALUES_MAX)
        return json_pack("{s:i, s:s}", "status", 413, "error",
                         "the values are too much for one answer: ask for this one again");
    m->bytes += a->value_len;
    row = json_pack("{s:i, s:I, s:o}", "status", 200, "flags", (json_int_t)a->client_flags,
                    "value", encoded(a->value, a->value_len));
    if (m->admin->cas) {
        keys_put_etag(etag, answer_token(a));
        json_object_set_new(row, "etag", json_string(etag));
    }
    return row;
}

/* All are answered. */
static void end(struct many *m)
{
    http_answer(m->call, 200, json_pack("{s:O}", "items", m->rows));
    json_decref(m->keys);
    json_decref(m->rows);
    free(m);
}

static void go(struct many *m);

static void on_executed(void *arg, const struct answer *a, const char *why, bool unknown)
{
    struct one *one = arg;
    struct many *m = one->many;

    (void)unknown;
    if (a == NULL)
        put_row(m, one->i, json_pack("{s:i, s:s}", "status", 503, "error", why));
    else if (a->status == STATUS_HIT)
        put_row(m, one->i, row_of_hit(m, a));
    else
        put_row(m, one->i, json_pack("{s:i}", "status", 404));
    free(one);
    m->open--;
    if (!m->goes)
        go(m);
}

/* ---- questions ------------------------------------------------------------ */

static void ask(struct many *m, size_t i)
{
    char key[KEY_ROOM];
    struct one *one = xmalloc(sizeof(*one));
    struct cmd cmd = { .verb = VERB_GETS, .key = key };

    cmd.key_len = read_key(json_array_get(m->keys, i), key);
    *one = (struct one){ m, i };
    m->open++;
    m->admin->ops->execute(m->admin->arg, &cmd, on_executed, one);
}

/* Nobody is asked for what nobody waits for. */
static void go(struct many *m)
{
    m->goes = true;
    while (m->next < m->n && m->open < AT_ONCE && http_call_waits(m->call))
        ask(m, m->next++);
    m->goes = false;
    if (m->open == 0)
        end(m);
}

/* False: the call was refused. */
static bool are_keys(struct http_call *call, const json_t *keys)
{
    char key[KEY_ROOM];

    if (json_array_size(keys) > KEYS_MAX) {
        http_refuse(call, 400, "these are %zu keys, at most %d are taken", json_array_size(keys),
                    KEYS_MAX);
        return false;
    }
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const size_t len = read_key(json_array_get(keys, i), key);

        if (len > 0 && len <= KEY_MAX)
            continue;
        http_advise(call, 400, "bytes that are no UTF-8 are written {\"base64\": \"...\"}",
                    "number %zu of the list is no key of 1 to %d bytes", i + 1, KEY_MAX);
        return false;
    }
    return true;
}

void keys_get_many(struct admin *a, struct http_call *call)
{
    struct many *m;
    json_t *keys;

    if (!a->has_keys) {
        keys_refuse_shard(call);
        return;
    }
    if (!http_call_read_json(call, true) || !are_keys(call, http_call_body(call)))
        return;
    keys = json_incref((json_t *)http_call_body(call));
    m = xzalloc(sizeof(*m));
    *m = (struct many){ .admin = a, .call = call, .keys = keys, .rows = json_array(),
                        .n = json_array_size(keys) };
    for (size_t i = 0; i < m->n; i++)
        json_array_append_new(m->rows, json_null());
    go(m);
}
