/*
 * hotkeys - GET /v1/hotkeys: what clients of this process ask for most
 */
#include <event2/http.h>
#include <stdlib.h>

#include "admin/parts.h"
#include "base/mem.h"
#include "ring/ring.h"

struct hot_question {
    struct admin *admin;
    struct http_call *call;
};

/* As a path to the key has it: any byte may be in one. */
static json_t *key_json(const struct admin_hotkey *hot)
{
    char *encoded = evhttp_uriencode(hot->key, (ev_ssize_t)hot->key_len, 0);
    json_t *key = json_string(encoded);

    free(encoded);
    return key;
}

static json_t *owner_json(const struct view *v, const struct admin_hotkey *hot)
{
    const int owner = v != NULL ? view_owner(v, ring_hash(hot->key, hot->key_len)) : -1;

    return owner >= 0 ? json_string(v->map->members[owner].name) : json_null();
}

static json_t *hot_json(const struct view *v, const struct admin_hotkey *hot, double rate)
{
    return json_pack("{s:o, s:f, s:f, s:f, s:o}", "key", key_json(hot),
                     "requests_per_second", hot->rate, "share", hot->rate / rate,
                     "write_share", hot->writes / hot->rate, "owner", owner_json(v, hot));
}

json_t *hotkeys_json(struct admin *a, const struct admin_hotkey *keys, size_t n, double rate)
{
    struct view *v = a->ops->view(a->arg);
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        (void)json_array_append_new(list, hot_json(v, &keys[i], rate));
    view_unref(v);
    return json_pack("{s:f, s:o}", "requests_per_second", rate, "keys", list);
}

static void on_told(void *arg, const struct admin_hotkey *keys, size_t n, double rate)
{
    struct hot_question *q = arg;

    http_answer(q->call, 200, hotkeys_json(q->admin, keys, n, rate));
    free(q);
}

void hotkeys_get(struct admin *a, struct http_call *call)
{
    struct hot_question *q = xzalloc(sizeof(*q));
    const char *why;

    *q = (struct hot_question){ a, call };
    why = a->ops->hotkeys(a->arg, on_told, q);
    if (why == NULL)
        return;
    http_refuse(call, 403, "%s", why);
    free(q);
}
