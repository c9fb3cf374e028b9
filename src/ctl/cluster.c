#include "ctl/cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/human.h"
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
    char items[HUMAN_MAX], used[HUMAN_MAX], limit[HUMAN_MAX];
    const long long copies = ask_number(cluster, "replicas");
    char *name = table_clean(ask_text(cluster, "name"));
    char *words = table_clean(ask_text(cluster, "words"));

    printf("%s: %s%s%s  %s, %lld %s, map epoch %lld, %s items, %s of %s\n", name,
           color ? colors[code] : "",
           code == YES ? "OK" : code == DEGRADED ? "DEGRADED" : "DOWN",
           color ? "\033[0m" : "", words, copies, copies == 1 ? "copy" : "copies",
           ask_number(cluster, "epoch"), human_count(items, ask_number(cluster, "items")),
           human_bytes(used, ask_number(cluster, "bytes")),
           human_bytes(limit, ask_number(cluster, "limit_bytes")));
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

/* "97.1"; "-": nobody has asked it for anything. */
static const char *hits_of(const json_t *node, char *out)
{
    const double hits = (double)ask_number(node, "hits"), misses = (double)ask_number(node, "misses");

    if (hits + misses == 0)
        return "-";
    snprintf(out, HUMAN_MAX, "%.1f", 100 * hits / (hits + misses));
    return out;
}

/* Without a place on the ring a shard has no keys, and so no copies. */
static const char *copies_of(const json_t *node, char *out)
{
    const long long copies = ask_number(node, "copies");

    snprintf(out, HUMAN_MAX, "%lld", copies);
    return copies > 0 ? out : "-";
}

static void add_node(struct table *t, const json_t *node)
{
    char share[HUMAN_MAX], items[HUMAN_MAX], used[HUMAN_MAX], limit[HUMAN_MAX];
    char memory[2 * HUMAN_MAX + 4], hits[HUMAN_MAX], p99[HUMAN_MAX], copies[HUMAN_MAX];
    const bool known = ask_flag(node, "answers");
    const bool timed = json_is_integer(json_object_get(node, "p99_ns"));

    snprintf(memory, sizeof(memory), "%s / %s", human_bytes(used, ask_number(node, "bytes")),
             human_bytes(limit, ask_number(node, "limit_bytes")));
    table_add(t, (const char *const[]){
        ask_text(node, "name"), ask_text(node, "address"), state_of(node),
        human_share(share, ask_real(node, "share")),
        known ? human_count(items, ask_number(node, "items")) : "-", known ? memory : "-",
        known ? hits_of(node, hits) : "-",
        known && timed ? human_time(p99, ask_number(node, "p99_ns")) : "-",
        known ? copies_of(node, copies) : "-" });
}

static void print_nodes(const json_t *nodes)
{
    static const char *const titles[] = { "SHARD", "ADDRESS", "STATE", ">SHARE", ">ITEMS",
                                          ">MEMORY", ">HIT %", ">P99", ">COPIES" };
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
    char *names = xstrdup(""), *items = xstrdup(""), number[HUMAN_MAX];
    size_t i;

    json_array_foreach(members, i, member) {
        char *more = xasprintf("%s%s%s", names, i > 0 ? ", " : "", ask_text(member, "name"));
        char *more_items = xasprintf("%s%s%s", items, i > 0 ? ", " : "",
                                     human_count(number, ask_number(member, "items")));

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
