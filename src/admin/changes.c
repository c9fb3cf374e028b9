#include <event2/util.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "admin/forecast.h"
#include "admin/parts.h"
#include "admin/report.h"
#include "base/mem.h"

#define NAME_MAX_BYTES 60       /* as --name takes it */
#define LOCATION_MAX 40

/* ---- what may be said ----------------------------------------------------- */

static bool is_name(const char *s)
{
    static const char fine[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "0123456789._-";
    const size_t len = strlen(s);

    return len > 0 && len <= NAME_MAX_BYTES && strspn(s, fine) == len;
}

/* As struct world takes it: a number with a port, a path, or "@name". */
static bool is_address(const char *s)
{
    struct sockaddr_storage to;
    int len = sizeof(to);
    const char *colon = strrchr(s, ':');

    if (strlen(s) >= ADDRESS_MAX)
        return false;
    for (const char *p = s; *p != '\0'; p++)
        if (*p <= ' ' || *p > '~')
            return false;
    if ((s[0] == '/' || s[0] == '@') && s[1] != '\0')
        return true;
    return colon != NULL && strspn(colon + 1, "0123456789") == strlen(colon + 1)
        && atoi(colon + 1) > 0
        && evutil_parse_sockaddr_port(s, (struct sockaddr *)&to, &len) == 0;
}

/* Names that the body may have; NULL at the end.  False: refused. */
static bool has_only(struct http_call *call, const char *const *names)
{
    json_t *body = (json_t *)http_call_body(call);      /* iterating changes nothing */

    for (void *at = json_object_iter(body); at != NULL; at = json_object_iter_next(body, at)) {
        size_t i = 0;

        while (names[i] != NULL && strcmp(names[i], json_object_iter_key(at)) != 0)
            i++;
        if (names[i] == NULL) {
            http_refuse(call, 400, "the body has a field \"%.60s\", which means nothing here",
                        json_object_iter_key(at));
            return false;
        }
    }
    return true;
}

/* A text of the body, `dflt` where it has none; NULL: refused. */
static const char *text_of(struct http_call *call, const char *field, const char *dflt)
{
    const json_t *value = json_object_get(http_call_body(call), field);

    if (value == NULL && dflt != NULL)
        return dflt;
    if (json_is_string(value))
        return json_string_value(value);
    http_refuse(call, 400, "the body needs a text \"%s\"", field);
    return NULL;
}

/* 0: refused.  `dflt` 0: there must be one. */
static unsigned weight_of(struct http_call *call, unsigned dflt)
{
    const json_t *value = json_object_get(http_call_body(call), "weight");
    const json_int_t weight = json_integer_value(value);

    if (value == NULL && dflt != 0)
        return dflt;
    if (json_is_integer(value) && weight >= 1 && weight <= MAP_MAX_WEIGHT)
        return (unsigned)weight;
    http_refuse(call, 400, "the body needs a \"weight\", a whole number from 1 to %d",
                MAP_MAX_WEIGHT);
    return 0;
}

/* ---- a dry run ------------------------------------------------------------ */

static void forecast_told(struct question *q, const struct admin_answer *answers)
{
    const struct map *map = q->view->map;
    const struct admin_change *change = &q->change;
    const unsigned weight = change->kind == JOB_ADD || change->kind == JOB_WEIGHT
                          ? change->weight : 0;
    uint64_t items = 0;
    struct forecast f;
    double keys;

    if (!forecast(map, change->name, change->zone != NULL ? change->zone : "", weight, &f)) {
        http_refuse(q->call, 409, "no shard would be left that holds items");
        return;
    }
    for (size_t i = 0; i < map->n; i++)
        items += answers[i].usage[USAGE_curr_items];
    keys = f.copies > 0 ? (double)items / f.copies : 0;
    http_answer(q->call, 200, json_pack("{s:b, s:s, s:s, s:f, s:I, s:I, s:I}", "dry_run", 1,
                                        "kind", report_kind(change->kind), "node", change->name,
                                        "share", f.share,
                                        "keys", (json_int_t)(keys + 0.5),
                                        "keys_moved", (json_int_t)(keys * f.share + 0.5),
                                        "items_sent", (json_int_t)(keys * f.sent + 0.5)));
}

static void foretell(struct admin *a, struct http_call *call, const struct admin_change *change,
                     struct view *v)
{
    admin_ask(&(struct question){ .admin = a, .call = call, .view = view_ref(v),
                                  .change = *change, .told = forecast_told }, NULL, 0);
}

/* ---- a change ------------------------------------------------------------- */

static void carry_out(struct admin *a, struct http_call *call,
                      const struct admin_change *change)
{
    const char *why = "it cannot be done";
    char location[LOCATION_MAX];
    uint64_t id;

    if (!admin_leads(a, call))
        return;
    id = a->ops->change(a->arg, change, &why);
    if (id == 0) {
        http_refuse(call, 409, "%s", why);
        return;
    }
    snprintf(location, sizeof(location), "/v1/jobs/%llu", (unsigned long long)id);
    http_add_header(call, "Location", location);
    http_answer(call, 202, json_pack("{s:I}", "job", (json_int_t)id));
}

/* Of a member that is there, or for JOB_ADD one that is not. */
static void take_change(struct admin *a, struct http_call *call,
                        const struct admin_change *change)
{
    struct view *v = a->ops->view(a->arg);
    const int at = v != NULL ? map_find(v->map, change->name) : -1;
    const bool is_there = at >= 0;

    if (v == NULL)
        http_refuse(call, 503, "there is no map yet");
    else if (change->kind != JOB_ADD && !is_there)
        http_refuse(call, 404, "there is no member \"%.64s\"", change->name);
    else if (change->kind == JOB_ADD && is_there && v->map->members[at].weight == 0)
        http_refuse(call, 409, "\"%.64s\" is a member that was drained; to give it its share "
                    "again: chcachectl nodes weight %.64s 1", change->name, change->name);
    else if (change->kind == JOB_ADD && is_there)
        http_refuse(call, 409, "there is a member \"%.64s\" already", change->name);
    else if (http_call_flag(call, "dry_run"))
        foretell(a, call, change, v);
    else
        carry_out(a, call, change);
    view_unref(v);
}

void changes_add(struct admin *a, struct http_call *call)
{
    static const char *const fields[] = { "name", "address", "zone", "weight", NULL };
    struct admin_change change = { .kind = JOB_ADD };

    if (!has_only(call, fields)
        || (change.name = text_of(call, "name", NULL)) == NULL
        || (change.address = text_of(call, "address", NULL)) == NULL
        || (change.zone = text_of(call, "zone", "")) == NULL
        || (change.weight = weight_of(call, 1)) == 0)
        return;
    if (!is_name(change.name) || (change.zone[0] != '\0' && !is_name(change.zone)))
        http_refuse(call, 400, "expected names of 1 to %d letters, digits, '.', '_' or '-'",
                    NAME_MAX_BYTES);
    else if (!is_address(change.address))
        http_refuse(call, 400, "expected an address, ADDR:PORT with the address as a number, "
                    "or the path of a socket");
    else
        take_change(a, call, &change);
}

/* False: refused. */
static bool is_members_name(struct http_call *call, const char *name)
{
    if (name != NULL && is_name(name))
        return true;
    http_refuse(call, 404, "that is no member's name");
    return false;
}

/* False: refused.  The name is that of the path. */
static bool begin(struct http_call *call, struct admin_change *change,
                  const char *const *fields)
{
    change->name = http_call_part(call, 2, NULL);
    return is_members_name(call, change->name) && has_only(call, fields);
}

static const char *const no_fields[] = { NULL };

void changes_remove(struct admin *a, struct http_call *call)
{
    struct admin_change change = { .kind = JOB_REMOVE,
                                   .force = http_call_flag(call, "force") };

    if (begin(call, &change, no_fields))
        take_change(a, call, &change);
}

void changes_remove_named(struct admin *a, struct http_call *call, const char *name)
{
    struct admin_change change = { .kind = JOB_REMOVE, .name = name,
                                   .force = http_call_flag(call, "force") };

    if (is_members_name(call, name))
        take_change(a, call, &change);
}

void changes_drain(struct admin *a, struct http_call *call)
{
    struct admin_change change = { .kind = JOB_DRAIN };

    if (begin(call, &change, no_fields))
        take_change(a, call, &change);
}

void changes_weight(struct admin *a, struct http_call *call)
{
    static const char *const fields[] = { "weight", NULL };
    struct admin_change change = { .kind = JOB_WEIGHT };

    if (begin(call, &change, fields) && (change.weight = weight_of(call, 0)) != 0)
        take_change(a, call, &change);
}
