#include "ctl/top_sample.h"

#include <string.h>
#include <time.h>

#include "ctl/ask.h"
#include "ctl/stats.h"

#define PATIENCE_S 2            /* who looks each second does not want to wait for five */

static json_t *ask_admin(const struct ctl *ctl, const char *path)
{
    struct ctl patient = *ctl;
    json_t *answer;

    patient.patience_s = PATIENCE_S;
    return ask(&patient, "GET", path, NULL, &answer) == YES ? answer : NULL;
}

/* Whoever has another address for operators does not tell of this cluster. */
static bool is_same(const struct top_sample *s)
{
    const json_t *node;
    size_t i, known = 0, n = 0;

    json_array_foreach(json_object_get(s->nodes, "nodes"), i, node) {
        char name[256];

        snprintf(name, sizeof(name), "%s:state", ask_text(node, "name"));
        known += json_object_get(s->shards, name) != NULL;
        n++;
    }
    return n > 0 && known == n;
}

/* Another front of the same cluster has clients of its own. */
static void take_recent(struct top_sample *s, const struct ctl *ctl)
{
    s->recent = ask_admin(ctl, "/v1/latency");
    if (ask_number(s->recent, "pid") == ask_number(s->stats, "pid"))
        return;
    json_decref(s->recent);
    s->recent = NULL;
}

static void take_admin(struct top_sample *s, const struct ctl *ctl)
{
    s->nodes = ask_admin(ctl, "/v1/nodes");
    if (s->nodes != NULL && is_same(s)) {
        s->cluster = ask_admin(ctl, "/v1/cluster");
        s->jobs = ask_admin(ctl, "/v1/jobs");
        take_recent(s, ctl);
        return;
    }
    json_decref(s->nodes);
    s->nodes = NULL;
}

int top_sample_take(struct top_sample *s, const struct ctl *ctl, struct conn *c)
{
    char words[256];
    struct timespec t;
    int rc;

    memset(s, 0, sizeof(*s));
    if ((rc = stats_ask(c, "stats\r\n", &s->stats)) != YES)
        return rc;
    clock_gettime(CLOCK_MONOTONIC, &t);
    s->at_s = (double)t.tv_sec + (double)t.tv_nsec / 1e9;
    /* The rest is not there with every server. */
    say_into(words, sizeof(words));
    (void)stats_ask(c, "stats shards\r\n", &s->shards);
    (void)stats_ask(c, "stats latency\r\n", &s->latency);
    if (s->shards != NULL && json_object_size(s->shards) > 0)
        take_admin(s, ctl);
    say_into(NULL, 0);
    return YES;
}

void top_sample_drop(struct top_sample *s)
{
    json_decref(s->stats);
    json_decref(s->shards);
    json_decref(s->latency);
    json_decref(s->cluster);
    json_decref(s->nodes);
    json_decref(s->jobs);
    json_decref(s->recent);
    memset(s, 0, sizeof(*s));
}
