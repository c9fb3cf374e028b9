#include "admin/admin.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin/metrics.h"
#include "admin/parts.h"
#include "admin/recent.h"
#include "admin/report.h"
#include "base/mem.h"
#include "base/num.h"
#include "wire/cmd.h"

/* ---- who has to be asked -------------------------------------------------- */

static void on_told(void *arg, const struct admin_answer *answers)
{
    struct question *q = arg;

    q->told(q, answers);
    view_unref(q->view);
    free(q);
}

void admin_ask(const struct question *question, const char *key, size_t key_len)
{
    struct question *q = xzalloc(sizeof(*q));
    struct admin *a = question->admin;

    *q = *question;
    if (q->view == NULL)
        on_told(q, NULL);
    else
        a->ops->ask(a->arg, q->view, key, key_len, on_told, q);
}

bool admin_leads(struct admin *a, struct http_call *call)
{
    struct view *v;

    if (a->ops->leads(a->arg))
        return true;
    v = a->ops->view(a->arg);
    if (v == NULL)
        http_refuse(call, 503, "not the leader, and there is no map yet that names it");
    else if (v->map->leader[0] == '\0')
        http_refuse(call, 503, "this cluster has no leader: its members are those of the "
                    "command line");
    else
        http_refuse(call, 503, "not the leader: ask the admin address, --http, of %s, whose peer "
                    "address is %s", v->map->leader, v->map->leader_address);
    view_unref(v);
    return false;
}

/* ---- what is only read ---------------------------------------------------- */

static void cluster_told(struct question *q, const struct admin_answer *answers)
{
    struct admin *a = q->admin;

    http_answer(q->call, 200, report_cluster(a->ops->cluster_name(a->arg),
                                             a->ops->leads(a->arg), q->view, answers));
}

void cluster_get(struct admin *a, struct http_call *call)
{
    admin_ask(&(struct question){ .admin = a, .call = call, .view = a->ops->view(a->arg),
                                  .told = cluster_told }, NULL, 0);
}

static void nodes_told(struct question *q, const struct admin_answer *answers)
{
    struct admin *a = q->admin;
    json_t *recent = recent_look(a->recent, q->view);

    http_answer(q->call, 200, report_nodes(q->view, answers, recent, a->ops->silence_ms, a->arg));
    json_decref(recent);
}

static void get_nodes(struct admin *a, struct http_call *call)
{
    admin_ask(&(struct question){ .admin = a, .call = call, .view = a->ops->view(a->arg),
                                  .told = nodes_told }, NULL, 0);
}

static void get_ring(struct admin *a, struct http_call *call)
{
    struct view *v = a->ops->view(a->arg);

    http_answer(call, 200, report_ring(v));
    view_unref(v);
}

static void where_told(struct question *q, const struct admin_answer *answers)
{
    http_answer(q->call, 200, report_where(q->view, q->position, answers));
}

static void get_where(struct admin *a, struct http_call *call)
{
    size_t len;
    const char *key = http_call_part(call, 3, &len);
    struct view *v;

    if (len > KEY_MAX) {
        http_refuse(call, 400, "the key has %zu bytes, expected 1 to %d", len, KEY_MAX);
        return;
    }
    if ((v = a->ops->view(a->arg)) == NULL) {
        http_refuse(call, 503, "there is no map yet");
        return;
    }
    admin_ask(&(struct question){ .admin = a, .call = call, .view = v, .told = where_told,
                                  .position = ring_hash(key, len) }, key, len);
}

static void get_latency(struct admin *a, struct http_call *call)
{
    struct view *v = a->ops->view(a->arg);
    json_t *told = recent_look(a->recent, v);

    view_unref(v);
    if (told == NULL) {
        http_refuse(call, 403, "this shard has no clients: ask a front");
        return;
    }
    /* So that who asks both addresses knows that they are of one process. */
    (void)json_object_set_new(told, "pid", json_integer(getpid()));
    http_answer(call, 200, told);
}

/* ---- jobs ----------------------------------------------------------------- */

static void get_jobs(struct admin *a, struct http_call *call)
{
    const struct job *jobs;
    size_t n;

    if (!admin_leads(a, call))
        return;
    jobs = a->ops->jobs(a->arg, &n);
    http_answer(call, 200, report_jobs(jobs, n));
}

/* NULL: the call was refused. */
static const struct job *job_of(struct admin *a, struct http_call *call)
{
    const char *text = http_call_part(call, 2, NULL);
    const struct job *jobs;
    uint64_t id;
    size_t n;

    if (text == NULL || !num_parse_u64(text, strlen(text), &id)) {
        http_refuse(call, 400, "a job is known by its number");
        return NULL;
    }
    jobs = a->ops->jobs(a->arg, &n);
    for (size_t i = 0; i < n; i++)
        if (jobs[i].id == id)
            return &jobs[i];
    http_refuse(call, 404, "there is no job %llu, or it ended long ago", (unsigned long long)id);
    return NULL;
}

static void get_job(struct admin *a, struct http_call *call)
{
    const struct job *job = admin_leads(a, call) ? job_of(a, call) : NULL;

    if (job != NULL)
        http_answer(call, 200, report_job(job));
}

static void abort_job(struct admin *a, struct http_call *call)
{
    const struct job *job = admin_leads(a, call) ? job_of(a, call) : NULL;
    const char *why = "it cannot be";
    uint64_t id;

    if (job == NULL)
        return;
    id = job->id;
    if (!a->ops->abort(a->arg, id, &why))
        http_refuse(call, 409, "%s", why);
    else if ((job = job_of(a, call)) != NULL)
        http_answer(call, 200, report_job(job));
}

/* ---- which path ----------------------------------------------------------- */

/* Paths behind "/v1/"; those that begin with "/" stand alone. */
static const struct route routes[] = {
    { HTTP_GET, { "keys", "*" }, { NULL }, keys_get, OF_KEY },
    { HTTP_PUT, { "keys", "*" }, { "ttl" }, keys_put, OF_KEY },
    { HTTP_DELETE, { "keys", "*" }, { NULL }, keys_delete, OF_KEY },
    { HTTP_POST, { "keys:get" }, { NULL }, keys_get_many, OF_KEY },
    { HTTP_GET, { "cluster" }, { NULL }, cluster_get, OF_CLUSTER },
    { HTTP_GET, { "nodes" }, { NULL }, get_nodes, OF_CLUSTER },
    { HTTP_POST, { "nodes" }, { "dry_run" }, changes_add, OF_CLUSTER },
    { HTTP_DELETE, { "nodes", "*" }, { "dry_run", "force" }, changes_remove, OF_CLUSTER },
    { HTTP_POST, { "nodes", "*", "drain" }, { "dry_run" }, changes_drain, OF_CLUSTER },
    { HTTP_POST | HTTP_PUT, { "nodes", "*", "weight" }, { "dry_run" }, changes_weight,
      OF_CLUSTER },
    { HTTP_GET, { "ring" }, { NULL }, get_ring, OF_CLUSTER },
    { HTTP_GET, { "ring", "where", "*" }, { NULL }, get_where, OF_CLUSTER },
    { HTTP_GET, { "replicas" }, { NULL }, replicas_get, OF_CLUSTER },
    { HTTP_GET, { "hotkeys" }, { NULL }, hotkeys_get, OF_CLUSTER },
    { HTTP_GET, { "latency" }, { NULL }, get_latency, OF_CLUSTER },
    { HTTP_GET, { "jobs" }, { NULL }, get_jobs, OF_CLUSTER },
    { HTTP_GET, { "jobs", "*" }, { NULL }, get_job, OF_CLUSTER },
    { HTTP_DELETE, { "jobs", "*" }, { NULL }, abort_job, OF_CLUSTER },
    { HTTP_GET, { "heartbeat" }, { NULL }, health_heartbeat, OF_HEALTH },
    { HTTP_GET, { "/" }, { NULL }, page_get, OF_CLUSTER },
    { HTTP_GET, { "/", "healthz" }, { NULL }, health_alive, OF_HEALTH },
    { HTTP_GET, { "/", "readyz" }, { NULL }, health_ready, OF_HEALTH },
    { HTTP_GET, { "/", "metrics" }, { NULL }, health_metrics, OF_CLUSTER },
};

#define N_ROUTES (sizeof(routes) / sizeof(routes[0]))

static bool leads_to(const struct route *r, const struct http_call *call)
{
    const char *version = http_call_part(call, 0, NULL);
    const bool alone = strcmp(r->words[0], "/") == 0;
    size_t n = alone ? 1 : 0;

    if (!alone && (version == NULL || strcmp(version, "v1") != 0))
        return false;
    for (; n < ROUTE_WORDS_MAX && r->words[n] != NULL; n++) {
        const char *word = http_call_part(call, alone ? n - 1 : n + 1, NULL);

        if (strcmp(r->words[n], "*") != 0 && (word == NULL || strcmp(word, r->words[n]) != 0))
            return false;
    }
    return http_call_n_parts(call) == (alone ? n - 1 : n + 1);
}

static void refuse_query(struct http_call *call, const struct route *r)
{
    http_refuse(call, 400, "behind the ? stands what has no meaning here, or twice%s%s%s%s%s%s",
                r->query[0] != NULL ? ", expected " : "",
                r->query[0] != NULL ? r->query[0] : "",
                r->query[0] != NULL && r->query[1] != NULL ? " or " : "",
                r->query[0] != NULL && r->query[1] != NULL ? r->query[1] : "",
                r->query[0] != NULL && r->query[2] != NULL ? " or " : "",
                r->query[0] != NULL && r->query[2] != NULL ? r->query[2] : "");
}

/* A POST that only reads is as harmless as a GET. */
static enum access_kind access_of(const struct route *r, const struct http_call *call)
{
    if (r->of == OF_HEALTH)
        return ACCESS_OPEN;
    if (http_call_method(call) == HTTP_GET || r->handle == keys_get_many)
        return ACCESS_READ;
    return r->of == OF_KEY ? ACCESS_WRITE : ACCESS_CHANGE;
}

static void follow(struct admin *a, struct http_call *call, const struct route *r)
{
    if (!http_call_may(call, access_of(r, call)))
        return;
    if (!http_call_only(call, r->query))
        refuse_query(call, r);
    else if (r->of == OF_KEY || r->of == OF_FORM || http_call_method(call) == HTTP_GET
             || http_call_read_json(call, false))
        r->handle(a, call);
}

/* The row that takes the call, or NULL; *methods: what others of its path take. */
static const struct route *find(const struct route *rows, size_t n, const struct http_call *call,
                                unsigned *methods)
{
    for (const struct route *r = rows; r < rows + n; r++) {
        if (!leads_to(r, call))
            continue;
        *methods |= r->methods;
        if ((r->methods & http_call_method(call)) != 0)
            return r;
    }
    return NULL;
}

/* RFC 9110 wants the methods in a header as well. */
static void refuse_method(struct http_call *call, unsigned methods)
{
    static const struct { enum http_method method; const char *words, *header; } all[] = {
        { HTTP_GET, " GET", "GET, HEAD" }, { HTTP_POST, " POST", "POST" },
        { HTTP_PUT, " PUT", "PUT" }, { HTTP_DELETE, " DELETE", "DELETE" },
    };
    char words[32] = "", allow[40] = "";

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if ((methods & all[i].method) == 0)
            continue;
        strcat(words, all[i].words);
        strcat(strcat(allow, allow[0] != '\0' ? ", " : ""), all[i].header);
    }
    http_add_header(call, "Allow", allow);
    http_refuse(call, 405, "that path does not take this method, it takes%s", words);
}

static void on_call(void *arg, struct http_call *call)
{
    struct admin *a = arg;
    unsigned methods = 0;
    const struct route *r = find(routes, N_ROUTES, call, &methods);

    if (r == NULL)
        r = find(aliases, n_aliases, call, &methods);
    if (r != NULL)
        follow(a, call, r);
    else if (methods == 0)
        http_refuse(call, 404, "there is no such path");
    else
        refuse_method(call, methods);
}

/* ---- life ----------------------------------------------------------------- */

/* A list of keys is no smaller than where items are small. */
static size_t body_max(const struct admin_config *config)
{
    return config->max_item_bytes > HTTP_JSON_MAX ? config->max_item_bytes : HTTP_JSON_MAX;
}

/* "127.0.0.1:11280", "[::1]:80"; "" where it cannot be told. */
static void note_address(struct admin *a, int fd)
{
    union { struct sockaddr any; struct sockaddr_storage room; } at;
    socklen_t len = sizeof(at);
    char host[48], port[8];

    if (getsockname(fd, &at.any, &len) == 0
        && getnameinfo(&at.any, len, host, sizeof(host), port, sizeof(port),
                       NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        snprintf(a->address, sizeof(a->address),
                 at.any.sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

struct admin *admin_new(struct event_base *base, const struct admin_config *config,
                        const struct admin_ops *ops, void *arg)
{
    const struct http_config http = {
        .fd = config->fd,
        .body_max = body_max(config),
        .access = { config->token, config->loopback },
    };
    struct admin *a = xzalloc(sizeof(*a));

    note_address(a, config->fd);
    a->ops = ops;
    a->arg = arg;
    a->base = base;
    a->has_keys = config->has_keys;
    a->cas = config->cas;
    a->max_item_bytes = config->max_item_bytes;
    a->http = http_new(base, &http, on_call, a);
    if (a->http == NULL) {
        free(a);
        return NULL;
    }
    a->recent = recent_new(base, ops, arg);
    return a;
}

void admin_drain(struct admin *a)
{
    if (a != NULL)
        http_drain(a->http);
}

bool admin_is_drained(const struct admin *a)
{
    return a == NULL || http_is_drained(a->http);
}

void admin_leave(struct admin *a)
{
    if (a != NULL)
        http_leave(a->http);
}

bool admin_has_left(const struct admin *a)
{
    return a == NULL || http_has_left(a->http);
}

void admin_stay(struct admin *a)
{
    if (a != NULL)
        http_stay(a->http);
}

void admin_free(struct admin *a)
{
    if (a == NULL)
        return;
    if (a->ops->fini != NULL)
        a->ops->fini(a->arg);
    replicas_free(a->replicas);
    http_free(a->http);
    metrics_kept_free(a->kept);
    recent_free(a->recent);
    free(a);
}
