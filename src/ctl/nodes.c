#include "ctl/nodes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/human.h"
#include "base/mem.h"
#include "base/num.h"
#include "ctl/ask.h"
#include "ctl/cluster.h"
#include "ctl/progress.h"
#include "ctl/table.h"

#define WEIGHT_MAX 100

/* ---- changes -------------------------------------------------------------- */

static int tell_forecast(const struct ctl *ctl, json_t *dry)
{
    char keys[HUMAN_MAX], moved[HUMAN_MAX], sent[HUMAN_MAX];
    char share[HUMAN_MAX];

    if (ctl->json)
        return say_json(YES, dry);
    printf("would move %s of all keys, %s of %s; %s items would be sent\n",
           human_share(share, ask_real(dry, "share")),
           human_count(moved, ask_number(dry, "keys_moved")),
           human_count(keys, ask_number(dry, "keys")),
           human_count(sent, ask_number(dry, "items_sent")));
    json_decref(dry);
    return YES;
}

/* `path` and `body` are taken over. */
static int change(const struct ctl *ctl, const char *method, char *path, json_t *body)
{
    char *whole = xasprintf("%s%s%s", path, ctl->dry_run || ctl->force ? "?" : "",
                            ctl->dry_run ? "dry_run" : ctl->force ? "force" : "");
    json_t *answer;
    long long job;
    int rc = ask(ctl, method, whole, body, &answer);

    free(whole);
    free(path);
    json_decref(body);
    if (rc != YES)
        return rc;
    if (ctl->dry_run)
        return tell_forecast(ctl, answer);
    job = ask_number(answer, "job");
    if (ctl->no_wait && ctl->json)
        return say_json(YES, answer);
    if (ctl->no_wait)
        printf("%lld\n", job);
    json_decref(answer);
    return ctl->no_wait ? YES : progress_wait(ctl, job);
}

static char *path_of(const char *name, const char *rest)
{
    char *encoded = ask_encode(name), *path = xasprintf("/v1/nodes/%s%s", encoded, rest);

    free(encoded);
    return path;
}

static bool is_weight(const char *text, uint32_t *weight)
{
    return num_parse_u32(text, strlen(text), weight) && *weight >= 1 && *weight <= WEIGHT_MAX;
}

static int bad_weight(const char *text)
{
    return say(EX_USAGE, "read the weight \"%s\", expected a whole number from 1 to %d", text,
               WEIGHT_MAX);
}

/* NAME=ADDRESS, NAME=ADDRESS*WEIGHT */
int nodes_add(const struct ctl *ctl, char **argv)
{
    const char *equals = strchr(argv[0], '='), *star = strrchr(argv[0], '*'), *end;
    uint32_t weight = 1;
    char *name, *address;
    json_t *body;

    if (equals == NULL || equals == argv[0])
        return say(EX_USAGE, "read \"%s\", expected NAME=ADDR:PORT or NAME=ADDR:PORT*WEIGHT",
                   argv[0]);
    if (star != NULL && star > equals && !is_weight(star + 1, &weight))
        return bad_weight(star + 1);
    end = star != NULL && star > equals ? star : equals + strlen(equals);
    name = xasprintf("%.*s", (int)(equals - argv[0]), argv[0]);
    address = xasprintf("%.*s", (int)(end - equals - 1), equals + 1);
    body = json_pack("{s:s, s:s, s:s, s:i}", "name", name, "address", address, "zone",
                     ctl->zone != NULL ? ctl->zone : "", "weight", (int)weight);
    free(name);
    free(address);
    if (body == NULL)
        return say(EX_USAGE, "read \"%s\", expected printable text", argv[0]);
    return change(ctl, "POST", xstrdup("/v1/nodes"), body);
}

int nodes_remove(const struct ctl *ctl, char **argv)
{
    return change(ctl, "DELETE", path_of(argv[0], ""), NULL);
}

int nodes_drain(const struct ctl *ctl, char **argv)
{
    return change(ctl, "POST", path_of(argv[0], "/drain"), NULL);
}

int nodes_weight(const struct ctl *ctl, char **argv)
{
    uint32_t weight;

    if (!is_weight(argv[1], &weight))
        return bad_weight(argv[1]);
    return change(ctl, "PUT", path_of(argv[0], "/weight"),
                  json_pack("{s:i}", "weight", (int)weight));
}

/* ---- lists ---------------------------------------------------------------- */

static const char *yes_no(bool yes)
{
    return yes ? "yes" : "no";
}

static void add_node(struct table *t, const json_t *node)
{
    const long long now = ask_number(node, "weight"), next = ask_number(node, "next_weight");
    char number[HUMAN_MAX], weight[HUMAN_MAX];

    snprintf(number, sizeof(number), "%lld", ask_number(node, "number"));
    snprintf(weight, sizeof(weight), now == next ? "%lld" : "%lld > %lld", now, next);
    table_add(t, (const char *const[]){
        ask_text(node, "name"), number, ask_text(node, "address"),
        *ask_text(node, "zone") != '\0' ? ask_text(node, "zone") : "-", ask_text(node, "state"),
        weight, yes_no(ask_flag(node, "voter")), yes_no(ask_flag(node, "answers")) });
}

int nodes_list(const struct ctl *ctl, char **argv)
{
    static const char *const titles[] = { "NAME", ">NUMBER", "ADDRESS", "ZONE", "STATE",
                                          ">WEIGHT", "VOTER", "ANSWERS" };
    const json_t *node;
    struct table *t;
    json_t *nodes;
    size_t i;
    int rc = ask(ctl, "GET", "/v1/nodes", NULL, &nodes);

    (void)argv;
    if (rc != YES)
        return rc;
    if (ctl->json)
        return say_json(YES, nodes);
    t = table_new(titles, sizeof(titles) / sizeof(titles[0]));
    json_array_foreach(json_object_get(nodes, "nodes"), i, node)
        add_node(t, node);
    table_end(t);
    json_decref(nodes);
    return YES;
}

static void add_job(struct table *t, const json_t *job)
{
    const long long done = ask_number(job, "items_done"), left = ask_number(job, "items_left");
    char id[HUMAN_MAX], items[2 * HUMAN_MAX], a[HUMAN_MAX], b[HUMAN_MAX];

    snprintf(id, sizeof(id), "%lld", ask_number(job, "id"));
    snprintf(items, sizeof(items), "%s / %s", human_count(a, done), human_count(b, done + left));
    table_add(t, (const char *const[]){ id, ask_text(job, "kind"), ask_text(job, "node"),
                                        ask_text(job, "status"), items,
                                        ask_text(job, "words") });
}

int jobs_list(const struct ctl *ctl, char **argv)
{
    static const char *const titles[] = { ">JOB", "KIND", "NODE", "STATUS", ">ITEMS", "" };
    const json_t *job;
    struct table *t;
    json_t *jobs;
    size_t i;
    int rc = ask(ctl, "GET", "/v1/jobs", NULL, &jobs);

    (void)argv;
    if (rc != YES)
        return rc;
    if (ctl->json)
        return say_json(YES, jobs);
    t = table_new(titles, sizeof(titles) / sizeof(titles[0]));
    json_array_foreach(json_object_get(jobs, "jobs"), i, job)
        add_job(t, job);
    table_end(t);
    json_decref(jobs);
    return YES;
}

/* ---- one job -------------------------------------------------------------- */

/* False: it is no number, which is said. */
static bool read_id(const char *text, uint32_t *id)
{
    if (num_parse_u32(text, strlen(text), id))
        return true;
    say(EX_USAGE, "read the job \"%s\", expected its number", text);
    return false;
}

int jobs_wait(const struct ctl *ctl, char **argv)
{
    uint32_t id;

    return read_id(argv[0], &id) ? progress_wait(ctl, id) : EX_USAGE;
}

int jobs_abort(const struct ctl *ctl, char **argv)
{
    char path[64];
    json_t *job;
    uint32_t id;
    int rc;

    if (!read_id(argv[0], &id))
        return EX_USAGE;
    snprintf(path, sizeof(path), "/v1/jobs/%u", id);
    rc = ask(ctl, "DELETE", path, NULL, &job);
    if (rc == YES && ctl->json)
        return say_json(YES, job);
    json_decref(job);
    return rc;
}
