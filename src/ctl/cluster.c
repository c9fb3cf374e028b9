#include "ctl/cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ctl/ask.h"
#include "ctl/memcached.h"
#include "ctl/table.h"

#define REPLICAS_PATIENCE_S 300 /* every item is looked at */

/* ---- status --------------------------------------------------------------- */

static int code_of(const char *verdict)
{
    return strcmp(verdict, "ok") == 0 ? YES : strcmp(verdict, "degraded") == 0 ? DEGRADED : NO;
}

static void print_verdict(const struct ctl *ctl, const json_t *cluster)
{
    static const char *const colors[] = { [YES] = "\033[32m", [NO] = "\033[31m",
                                          [DEGRADED] = "\033[33m" };
    const bool color = say_in_color(ctl);
    const int code = code_of(ask_text(cluster, "verdict"));
    char items[TABLE_TEXT_MAX], used[TABLE_TEXT_MAX], limit[TABLE_TEXT_MAX];
    const long long copies = ask_number(cluster, "replicas");
    char *name = table_clean(ask_text(cluster, "name"));
    char *words = table_clean(ask_text(cluster, "words"));

    printf("%s: %s%s%s  %s, %lld %s, map epoch %lld, %s items, %s of %s\n", name,
           color ? colors[code] : "",
           code == YES ? "OK" : code == DEGRADED ? "DEGRADED" : "DOWN",
           color ? "\033[0m" : "", words, copies, copies == 1 ? "copy" : "copies",
           ask_number(cluster, "epoch"), table_count(items, ask_number(cluster, "items")),
           table_bytes(used, ask_number(cluster, "bytes")),
           table_bytes(limit, ask_number(cluster, "limit_bytes")));
    free(words);
    free(name);
}

/* "up", "ejected", "up, filling", "no answer" */
static const char *state_of(const json_t *node)
{
    const char *state = ask_text(node, "state");

    if (strcmp(state, "up") != 0)
        return state;
    if (!ask_flag(node, "answers"))
        return "no answer";
    return ask_flag(node, "filling") ? "filling" : state;
}

static void add_node(struct table *t, const json_t *node)
{
    char weight[TABLE_TEXT_MAX], share[TABLE_TEXT_MAX], items[TABLE_TEXT_MAX];
    char used[TABLE_TEXT_MAX], limit[TABLE_TEXT_MAX], memory[2 * TABLE_TEXT_MAX + 4];
    const bool known = ask_flag(node, "answers");
    const long long now = ask_number(node, "weight"), next = ask_number(node, "next_weight");

    snprintf(weight, sizeof(weight), now == next ? "%lld" : "%lld > %lld", now, next);
    snprintf(memory, sizeof(memory), "%s / %s", table_bytes(used, ask_number(node, "bytes")),
             table_bytes(limit, ask_number(node, "limit_bytes")));
    table_add(t, (const char *const[]){
        ask_text(node, "name"), ask_text(node, "address"), state_of(node), weight,
        table_share(share, ask_real(node, "share")),
        known ? table_count(items, ask_number(node, "items")) : "-", known ? memory : "-" });
}

static void print_nodes(const json_t *nodes)
{
    static const char *const titles[] = { "SHARD", "ADDRESS", "STATE", ">WEIGHT", ">SHARE",
                                          ">ITEMS", ">MEMORY" };
    struct table *t = table_new(titles, sizeof(titles) / sizeof(titles[0]));
    const json_t *node;
    size_t i;

    json_array_foreach(nodes, i, node)
        add_node(t, node);
    table_end(t);
}

int cluster_status(const struct ctl *ctl, char **argv)
{
    json_t *cluster, *nodes;
    int rc = ask(ctl, "GET", "/v1/cluster", NULL, &cluster);

    (void)argv;
    if (rc != YES || (rc = ask(ctl, "GET", "/v1/nodes", NULL, &nodes)) != YES) {
        json_decref(cluster);
        return rc;
    }
    rc = code_of(ask_text(cluster, "verdict"));
    if (ctl->json) {
        (void)json_object_set(cluster, "nodes", json_object_get(nodes, "nodes"));
        json_decref(nodes);
        return say_json(rc, cluster);
    }
    print_verdict(ctl, cluster);
    print_nodes(json_object_get(nodes, "nodes"));
    json_decref(nodes);
    json_decref(cluster);
    return rc;
}

/* ---- where ---------------------------------------------------------------- */

/* ", version 5, 10 bytes, expires in 59 s" */
static void print_item(const json_t *holder)
{
    const json_t *ttl = json_object_get(holder, "ttl_ms");
    const long long size = ask_number(holder, "size");

    printf(", version %lld%s, %lld byte%s", ask_number(holder, "version"),
           ask_flag(holder, "open") ? ", open" : "", size, size == 1 ? "" : "s");
    if (json_is_integer(ttl))
        printf(", expires in %lld s", (ask_number(holder, "ttl_ms") + 999) / 1000);
    else if (json_is_null(ttl))
        fputs(", never expires", stdout);
}

/* "owner s3 (has it not)"; returns whether it has. */
static bool print_holder(const char *role, const json_t *holder)
{
    const json_t *holds = json_object_get(holder, "holds");
    char *name = table_clean(ask_text(holder, "name"));
    char *state = table_clean(ask_text(holder, "state"));
    const bool up = strcmp(state, "up") == 0;

    printf("  %s %s (", role, name);
    if (json_is_true(holds)) {
        fputs("has it", stdout);
        print_item(holder);
    } else if (json_is_false(holds)) {
        fputs("has it not", stdout);
    } else {
        fputs(up ? "no answer" : state, stdout);
    }
    putchar(')');
    free(state);
    free(name);
    return json_is_true(holds);
}

static bool print_place(const char *key, const json_t *place)
{
    const json_t *owner = json_object_get(place, "owner");
    const json_t *old = json_object_get(place, "old_owner");
    const json_t *holder;
    bool found = false;
    char *text = table_clean(key);
    size_t i;

    printf("%s  hash %s", text, ask_text(place, "hash"));
    free(text);
    if (json_is_object(owner))
        found |= print_holder("owner", owner);
    else
        fputs("  no owner", stdout);
    if (json_is_object(old))
        found |= print_holder("before", old);
    json_array_foreach(json_object_get(place, "copies"), i, holder)
        found |= print_holder("copy", holder);
    json_array_foreach(json_object_get(place, "pending"), i, holder)
        found |= print_holder("pending", holder);
    putchar('\n');
    return found;
}

static bool is_found(const json_t *place)
{
    const json_t *holder;
    bool found = ask_flag(json_object_get(place, "owner"), "holds");
    size_t i;

    json_array_foreach(json_object_get(place, "copies"), i, holder)
        found |= ask_flag(holder, "holds");
    return found;
}

/* One key; its place goes to `list` for --json. */
static int where(const struct ctl *ctl, const char *key, json_t *list)
{
    char *encoded = ask_encode(key), *path = xasprintf("/v1/ring/where/%s", encoded);
    json_t *place;
    int rc = ask(ctl, "GET", path, NULL, &place);

    free(path);
    free(encoded);
    if (rc != YES)
        return rc;
    rc = is_found(place) ? YES : NO;
    if (ctl->json) {
        (void)json_object_set_new(place, "key", json_string(key));
        (void)json_array_append_new(list, place);
        return rc;
    }
    if (print_place(key, place))
        rc = YES;
    json_decref(place);
    return rc;
}

int cluster_where(const struct ctl *ctl, char **argv)
{
    json_t *list = json_array();
    int rc = YES, one;

    for (size_t i = 0; argv[i] != NULL; i++)
        if ((rc = memcached_check_key(argv[i])) != YES) {
            json_decref(list);
            return rc;
        }
    for (size_t i = 0; argv[i] != NULL && rc != UNREACHED; i++)
        if ((one = where(ctl, argv[i], list)) > rc)
            rc = one;
    if (ctl->json)
        return say_json(rc, list);
    json_decref(list);
    return rc;
}

/* ---- replicas ------------------------------------------------------------- */

/* "s1, s2" and "5 000, 4 999" of a group's members. */
static void add_group(struct table *t, const json_t *group)
{
    const json_t *members = json_object_get(group, "members"), *member;
    char *names = xstrdup(""), *items = xstrdup(""), number[TABLE_TEXT_MAX];
    size_t i;

    json_array_foreach(members, i, member) {
        char *more = xasprintf("%s%s%s", names, i > 0 ? ", " : "", ask_text(member, "name"));
        char *more_items = xasprintf("%s%s%s", items, i > 0 ? ", " : "",
                                     table_count(number, ask_number(member, "items")));

        free(names);
        free(items);
        names = more;
        items = more_items;
    }
    table_add(t, (const char *const[]){ names, items,
                                        ask_flag(group, "equal") ? "equal" : "DIFFERENT" });
    free(names);
    free(items);
}

static void print_replicas(const json_t *replicas)
{
    static const char *const titles[] = { "OWNER, COPIES", ">ITEMS", "" };
    struct table *t = table_new(titles, sizeof(titles) / sizeof(titles[0]));
    const json_t *one;
    size_t i;

    json_array_foreach(json_object_get(replicas, "groups"), i, one)
        add_group(t, one);
    table_end(t);
    json_array_foreach(json_object_get(replicas, "nodes"), i, one) {
        char *name = table_clean(ask_text(one, "name"));
        char *reason = table_clean(ask_text(one, "reason"));

        if (!ask_flag(one, "answers"))
            printf("%s: no answer, %s\n", name, reason);
        if (ask_number(one, "strays") > 0)
            printf("%s: %lld items that it is not to have\n", name, ask_number(one, "strays"));
        free(reason);
        free(name);
    }
}

int cluster_replicas(const struct ctl *ctl, char **argv)
{
    struct ctl patient = *ctl;
    json_t *replicas;
    int rc;

    (void)argv;
    patient.patience_s = REPLICAS_PATIENCE_S;
    rc = ask(&patient, "GET", "/v1/replicas", NULL, &replicas);
    if (rc != YES)
        return rc;
    rc = ask_flag(replicas, "equal") ? YES : DEGRADED;
    if (ctl->json)
        return say_json(rc, replicas);
    print_replicas(replicas);
    json_decref(replicas);
    return rc;
}
