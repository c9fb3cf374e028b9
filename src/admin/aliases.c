#include <stdlib.h>
#include <string.h>

#include "admin/parts.h"
#include "base/mem.h"
#include "base/num.h"

/* ---- forms ---------------------------------------------------------------- */

/* Whole numbers become numbers.  Decoded in `room`, of s.len bytes; NULL: it is none. */
static json_t *json_of(struct span s, char *room)
{
    uint32_t number;
    size_t len;

    if (num_parse_u32(s.at, s.len, &number))
        return json_integer(number);
    return uri_decode(s, true, room, &len) ? json_stringn(room, len) : NULL;
}

/* "name=s4&weight=2" as {"name": "s4", "weight": 2}; NULL: it is no form. */
static json_t *read_form(struct span form)
{
    json_t *body = json_object();
    char *room = xmalloc(form.len + 1);
    struct span name, value;
    bool fine = true;

    while (fine && uri_next_pair(&form, &name, &value)) {
        json_t *key = json_stringn(name.at, name.len);

        fine = key != NULL
            && json_object_set_new(body, json_string_value(key), json_of(value, room)) == 0;
        json_decref(key);
    }
    free(room);
    if (fine)
        return body;
    json_decref(body);
    return NULL;
}

/* ---- members -------------------------------------------------------------- */

static void add(struct admin *a, struct http_call *call)
{
    const struct span bytes = http_call_bytes(call);
    const bool is_json = bytes.len > 0 && bytes.at[0] == '{';
    json_t *body = is_json ? NULL : read_form(bytes);

    if (is_json ? !http_call_read_json(call, false) : !http_call_take_body(call, body))
        return;
    changes_add(a, call);
}

static void rm(struct admin *a, struct http_call *call)
{
    struct span name;

    if (!http_call_value(call, "name", &name)) {
        http_refuse(call, 400, "expected ?name= and a member");
        return;
    }
    if (http_call_take_body(call, json_pack("{s:o?}", "name", json_stringn(name.at, name.len))))
        changes_remove_named(a, call, json_string_value(json_object_get(http_call_body(call),
                                                                        "name")));
}

/* ---- keys ----------------------------------------------------------------- */

/* The field of a form, decoded into `room`, of form.len bytes.  False: refused. */
static bool take_field(struct http_call *call, struct span form, const char *field, char *room,
                       struct span *out)
{
    struct span name, value;

    while (uri_next_pair(&form, &name, &value)) {
        if (!span_is(name, field))
            continue;
        out->at = room;
        if (uri_decode(value, true, room, &out->len))
            return true;
        break;
    }
    http_refuse(call, 400, "expected %s=, percent-encoded", field);
    return false;
}

static void route_get(struct admin *a, struct http_call *call)
{
    const struct span query = http_call_query(call);
    char *room = xmalloc(query.len + 1);
    struct span key;

    if (take_field(call, query, "key", room, &key))
        keys_get_of(a, call, key.at, key.len);
    free(room);
}

/* The value is copied by whom it is given to, or has become the store's. */
static void route_post(struct admin *a, struct http_call *call)
{
    const struct span form = http_call_bytes(call);
    char *room = xmalloc(form.len + 1);
    struct span key, value;

    if (take_field(call, form, "key", room, &key)
        && take_field(call, form, "val", room + key.len, &value))
        keys_put_of(a, call, key.at, key.len, value);
    free(room);
}

/* ---- which path ----------------------------------------------------------- */

const struct route aliases[] = {
    { HTTP_GET, { "/", "data", "*" }, { NULL }, keys_get, OF_KEY },
    { HTTP_PUT, { "/", "data", "*" }, { "ttl" }, keys_put, OF_KEY },
    { HTTP_DELETE, { "/", "data", "*" }, { NULL }, keys_delete, OF_KEY },
    { HTTP_GET, { "/", "route" }, { "key" }, route_get, OF_KEY },
    { HTTP_POST, { "/", "route" }, { "ttl" }, route_post, OF_KEY },
    { HTTP_GET, { "/", "home" }, { NULL }, cluster_get, OF_CLUSTER },
    { HTTP_GET, { "/", "heartbeat" }, { NULL }, health_heartbeat, OF_HEALTH },
    { HTTP_GET, { "/", "rep" }, { NULL }, replicas_get, OF_CLUSTER },
    { HTTP_POST, { "/", "add" }, { "dry_run" }, add, OF_FORM },
    { HTTP_DELETE, { "/", "rm" }, { "name", "dry_run", "force" }, rm, OF_FORM },
};

const size_t n_aliases = sizeof(aliases) / sizeof(aliases[0]);
