#include "admin/report.h"

#include <stdio.h>

#include "admin/coverage.h"
#include "admin/verdict.h"
#include "wire/cmd.h"

#define LINE_MAX 256

static const char *const phases[MAP_PHASES] = {
    [MAP_STABLE] = "stable", [MAP_JOINT] = "joint", [MAP_SWITCHED] = "switched",
};

static const char *const states[MEMBER_STATES] = {
    [MEMBER_UP] = "up", [MEMBER_SUSPENDED] = "suspended", [MEMBER_EJECTED] = "ejected",
};

static const char *const kinds[JOB_KINDS] = {
    [JOB_ADD] = "add", [JOB_REMOVE] = "remove", [JOB_DRAIN] = "drain",
    [JOB_WEIGHT] = "weight", [JOB_HEAL] = "heal", [JOB_REPLACE] = "replace",
};

static const char *const statuses[JOB_STATUSES] = {
    [JOB_QUEUED] = "queued", [JOB_RUNNING] = "running",
    [JOB_ABORTING] = "aborting", [JOB_DONE] = "done", [JOB_ABORTED] = "aborted",
    [JOB_FAILED] = "failed",
};

const char *report_kind(enum job_kind kind)
{
    return kinds[kind];
}

static void set(json_t *object, const char *name, json_t *value)
{
    (void)json_object_set_new(object, name, value);
}

static void set_number(json_t *object, const char *name, uint64_t v)
{
    set(object, name, json_integer((json_int_t)v));
}

/* ---- the cluster ---------------------------------------------------------- */

json_t *report_cluster(const char *name, bool leads, const struct view *v,
                       const struct admin_answer *answers)
{
    struct verdict verdict;
    json_t *o = json_object();

    verdict_of(v, answers, &verdict);
    set(o, "name", json_string(name));
    set(o, "verdict", json_string(verdict_word(verdict.kind)));
    set(o, "words", json_string(verdict.words));
    set_number(o, "epoch", v != NULL ? v->map->epoch : 0);
    set(o, "phase", v != NULL ? json_string(phases[v->map->phase]) : json_null());
    set(o, "leader", v != NULL && v->map->leader[0] != '\0' ? json_string(v->map->leader)
                                                             : json_null());
    set(o, "leader_address", v != NULL && v->map->leader_address[0] != '\0'
                                 ? json_string(v->map->leader_address) : json_null());
    set(o, "leads", json_boolean(leads));
    set_number(o, "replicas", v != NULL ? v->map->replicas : 0);
    set(o, "copies_missing", json_real(coverage_missing(v)));
    set_number(o, "shards", verdict.n);
    set_number(o, "shards_up", verdict.n_up);
    set_number(o, "items", verdict.items);
    set_number(o, "bytes", verdict.bytes);
    set_number(o, "limit_bytes", verdict.limit_bytes);
    return o;
}

/* ---- members -------------------------------------------------------------- */

/* Shares by index in the map; members without a place on the ring have none. */
static double share_of(const struct ring *ring, const uint16_t *members, size_t i)
{
    if (members == NULL)
        return i < ring_n_members(ring) ? ring_share(ring, (unsigned)i) : 0;
    for (unsigned j = 0; j < ring_n_members(ring); j++)
        if (members[j] == i)
            return ring_share(ring, j);
    return 0;
}

double report_share(const struct view *v, size_t i)
{
    return share_of(v->ring, v->members, i);
}

static double next_share(const struct view *v, size_t i)
{
    return share_of(v->next, v->next_members, i);
}

static json_t *member_json(const struct view *v, size_t i)
{
    const struct member *m = &v->map->members[i];
    json_t *o = json_object();

    set(o, "name", json_string(m->name));
    set_number(o, "number", m->number);
    set(o, "address", json_string(m->address));
    set(o, "zone", json_string(m->zone));
    set(o, "state", json_string(states[m->state]));
    set(o, "filling", json_boolean(m->filling));
    set(o, "voter", json_boolean(m->voter));
    set_number(o, "since", m->since);
    set_number(o, "weight", m->weight);
    set_number(o, "next_weight", m->next_weight);
    set_number(o, "wanted_weight", m->wanted_weight);
    set(o, "share", json_real(report_share(v, i)));
    set(o, "next_share", json_real(next_share(v, i)));
    return o;
}

static void set_usage(json_t *o, const struct admin_answer *a)
{
    set(o, "answers", json_boolean(a->known));
    if (!a->known) {
        set(o, "reason", json_string(a->reason));
        return;
    }
    set_number(o, "items", a->usage[USAGE_curr_items]);
    set_number(o, "bytes", a->usage[USAGE_bytes]);
    set_number(o, "limit_bytes", a->usage[USAGE_limit_maxbytes]);
    set_number(o, "hits", a->usage[USAGE_read_hits]);
    set_number(o, "misses", a->usage[USAGE_read_misses]);
}

/* How long it took lately to answer what was sent from here; null: nothing was. */
static json_t *p99_of(const json_t *recent, const char *name)
{
    const json_t *of = json_object_get(json_object_get(recent, "shards"), name);
    const json_t *p99 = json_object_get(of, "p99_ns");

    return json_integer_value(json_object_get(of, "n")) > 0
           ? json_integer(json_integer_value(p99)) : json_null();
}

json_t *report_nodes(const struct view *v, const struct admin_answer *answers,
                     const json_t *recent,
                     int64_t (*silence_ms)(void *arg, const char *member), void *arg)
{
    json_t *o = json_object(), *list = json_array();

    set_number(o, "epoch", v != NULL ? v->map->epoch : 0);
    for (size_t i = 0; v != NULL && i < v->map->n; i++) {
        json_t *node = member_json(v, i);

        set_usage(node, &answers[i]);
        set(node, "p99_ns", p99_of(recent, v->map->members[i].name));
        set_number(node, "copies", coverage_copies(v, i));
        if (silence_ms != NULL)
            set(node, "silence_ms", json_integer(silence_ms(arg, v->map->members[i].name)));
        (void)json_array_append_new(list, node);
    }
    set(o, "nodes", list);
    return o;
}

/* ---- the ring ------------------------------------------------------------- */

json_t *report_ring(const struct view *v)
{
    json_t *o = json_object(), *list = json_array();

    set_number(o, "epoch", v != NULL ? v->map->epoch : 0);
    set(o, "phase", v != NULL ? json_string(phases[v->map->phase]) : json_null());
    set_number(o, "points", v != NULL ? ring_n_points(v->ring) : 0);
    for (size_t i = 0; v != NULL && i < v->map->n; i++) {
        const struct member *m = &v->map->members[i];
        json_t *node = json_object();

        set(node, "name", json_string(m->name));
        set_number(node, "weight", m->weight);
        set_number(node, "next_weight", m->next_weight);
        set_number(node, "points", (uint64_t)m->weight * RING_POINTS);
        set(node, "share", json_real(report_share(v, i)));
        set(node, "next_share", json_real(next_share(v, i)));
        (void)json_array_append_new(list, node);
    }
    set(o, "nodes", list);
    return o;
}

static json_t *holder_json(const struct view *v, int i, const struct admin_answer *answers)
{
    const struct admin_answer *a = &answers[i];
    json_t *o = json_object();

    set(o, "name", json_string(v->map->members[i].name));
    set(o, "state", json_string(states[v->map->members[i].state]));
    set(o, "holds", a->known ? json_boolean(a->holds) : json_null());
    if (!a->known)
        set(o, "reason", json_string(a->reason));
    if (a->known && a->holds) {
        set_number(o, "version", a->version);
        set(o, "open", json_boolean(a->open));
        set_number(o, "size", a->value_len);
        set(o, "ttl_ms", a->ttl_ms != TTL_NEVER ? json_integer(a->ttl_ms) : json_null());
    }
    return o;
}

static json_t *holders_json(const struct view *v, const int *members, unsigned n,
                            const struct admin_answer *answers)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < n; i++)
        (void)json_array_append_new(list, holder_json(v, members[i], answers));
    return list;
}

json_t *report_where(const struct view *v, uint32_t position,
                     const struct admin_answer *answers)
{
    struct placing p;
    char hash[16];
    json_t *o = json_object();

    view_place(v, position, &p);
    snprintf(hash, sizeof(hash), "%08x", position);
    set(o, "hash", json_string(hash));
    set_number(o, "position", position);
    set_number(o, "epoch", v->map->epoch);
    set(o, "phase", json_string(phases[v->map->phase]));
    set(o, "owner", p.owner >= 0 ? holder_json(v, p.owner, answers) : json_null());
    set(o, "old_owner", p.old_owner >= 0 ? holder_json(v, p.old_owner, answers) : json_null());
    set(o, "copies", holders_json(v, p.copies, p.n_copies, answers));
    set(o, "pending", holders_json(v, p.pending, p.n_pending, answers));
    return o;
}

/* ---- jobs ----------------------------------------------------------------- */

json_t *report_job(const struct job *j)
{
    json_t *o = json_object();

    set_number(o, "id", j->id);
    set(o, "kind", json_string(kinds[j->kind]));
    set(o, "status", json_string(statuses[j->status]));
    set(o, "node", json_string(j->member));
    set(o, "words", json_string(j->words));
    set_number(o, "weight", j->weight);
    set_number(o, "old_weight", j->old_weight);
    set(o, "asked_ms", json_integer(j->asked_ms));
    set(o, "began_ms", json_integer(j->began_ms));
    set(o, "ended_ms", json_integer(j->ended_ms));
    set_number(o, "items_done", j->items_done);
    set_number(o, "items_left", j->items_left);
    set_number(o, "bytes_done", j->bytes_done);
    set_number(o, "bytes_left", j->bytes_left);
    set_number(o, "items_a_second", j->rate_items);
    set(o, "eta_ms", json_integer(j->eta_ms));
    return o;
}

json_t *report_jobs(const struct job *jobs, size_t n)
{
    json_t *o = json_object(), *list = json_array();

    for (size_t i = 0; i < n; i++)
        (void)json_array_append_new(list, report_job(&jobs[i]));
    set(o, "jobs", list);
    return o;
}
