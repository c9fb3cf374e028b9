#include "front/stats_text.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "config.h"
#include "front/latencies.h"

#define STATS_VALUE_MAX (3 * KEY_MAX + 64)      /* a key as watch prints it */
#define STATS_LINE_MAX (STATS_VALUE_MAX + 256)

void stats_line(struct sendq *q, const struct form *form, const char *name,
                const char *format, ...)
{
    char *const start = sendq_room(q, PACKET_HEAD + STATS_LINE_MAX);
    char value[STATS_VALUE_MAX];
    const size_t room = sizeof(value);
    va_list args;
    size_t len;

    if (start == NULL)
        return;
    va_start(args, format);
    len = (size_t)vsnprintf(value, room, format, args);
    va_end(args);
    if (len >= room)
        len = room - 1;         /* a long path is cut */
    if (form->protocol == PROTOCOL_BINARY)
        len = (size_t)(packet_put(start, form, PACKET_OK, name, strlen(name), value, len) - start);
    else
        len = (size_t)snprintf(start, STATS_LINE_MAX, "STAT %s %.*s\r\n", name, (int)len, value);
    (void)sendq_commit(q, len);
}

bool stats_packet(struct sendq *q, const struct form *form, const char *name,
                  struct sendq *value)
{
    char *start = sendq_room(q, PACKET_HEAD + strlen(name)), *end;

    if (start == NULL)
        return false;
    end = packet_put_head(start, form, strlen(name), value->bytes);
    memcpy(end, name, strlen(name));
    return sendq_commit(q, (size_t)(end - start) + strlen(name)) && sendq_move(q, value);
}

void stats_end(struct sendq *q, const struct form *form)
{
    (void)answer_say(q, form, "END\r\n", PACKET_OK, "");
}

static void put_number(struct sendq *q, const struct form *form, const char *name, uint64_t v)
{
    stats_line(q, form, name, "%" PRIu64, v);
}

static void put_yes_no(struct sendq *q, const struct form *form, const char *name, bool yes)
{
    stats_line(q, form, name, "%s", yes ? "yes" : "no");
}

void stats_sum(struct front *front, struct stats *sum)
{
    *sum = (struct stats){ 0 };
    stats_add(sum, &front->accept_stats);
    for (unsigned i = 0; i < front->n_workers; i++)
        stats_add(sum, &front->workers[i].stats);
}

/* All workers together, since the last reset. */
static void sum_since_reset(struct front *front, struct stats *sum)
{
    stats_sum(front, sum);
    pthread_mutex_lock(&front->reset_lock);
    stats_since(sum, &front->reset_at);
    pthread_mutex_unlock(&front->reset_lock);
}

void stats_reset(struct front *front)
{
    struct stats now;

    stats_sum(front, &now);
    pthread_mutex_lock(&front->reset_lock);
    front->reset_at = now;
    pthread_mutex_unlock(&front->reset_lock);
    latencies_reset(front);
    prefixes_reset(&front->prefixes);
}

static void put_cpu(struct sendq *q, const struct form *form, const char *name, const struct timeval *t)
{
    stats_line(q, form, name, "%ld.%06ld", (long)t->tv_sec, (long)t->tv_usec);
}

static void put_process(struct sendq *q, const struct form *form, struct worker *w, struct front *front)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    put_number(q, form, "pid", (uint64_t)getpid());
    put_number(q, form, "uptime", (uint64_t)((worker_now(w) - front->started_ms) / 1000));
    put_number(q, form, "time", (uint64_t)(worker_wall(w) / 1000));
    stats_line(q, form, "version", "%s", FRONT_MEMCACHED_VERSION);
    stats_line(q, form, "chcached_version", "%s", PACKAGE_VERSION);
    stats_line(q, form, "libevent", "%s", event_get_version());
    put_number(q, form, "pointer_size", 8 * sizeof(void *));
    put_cpu(q, form, "rusage_user", &usage.ru_utime);
    put_cpu(q, form, "rusage_system", &usage.ru_stime);
}

static size_t shards_up(const struct gather *g)
{
    size_t up = 0;

    for (size_t i = 0; i < g->n; i++)
        up += g->parts[i].reason == NULL && !g->parts[i].absent;
    return up;
}

void stats_put_general(struct gather *g)
{
    struct front *front = g->fw->front;
    const struct form *form = &g->form;
    struct sendq *q = &g->out;
    struct stats sum;

    sum_since_reset(front, &sum);
    put_process(q, form, g->fw->worker, front);
    put_number(q, form, "max_connections", front->config.conn_limit);
    put_number(q, form, "threads", front->config.n_threads);
    put_number(q, form, "accepting_conns", 1);
#define STAT(name, kind, help, metric) put_number(q, form, #name, sum.name);
#define USAGE(name, field, help, metric) put_number(q, form, #name, gather_sum(g, USAGE_##name));
#define INSIDE(name, field, how, help, metric)
#include "stats.def"
#undef STAT
#undef USAGE
    put_number(q, form, "map_epoch", g->view->map->epoch);
    put_number(q, form, "replicas", g->view->map->replicas);
    put_number(q, form, "shards", g->n);
    put_number(q, form, "shards_up", shards_up(g));
}

/* memcached prints a block for each slab class; here all items are of one. */
void stats_put_items(struct gather *g)
{
    const struct form *form = &g->form;
    struct sendq *q = &g->out;

    if (gather_sum(g, USAGE_curr_items) == 0)
        return;
    put_number(q, form, "items:1:number", gather_sum(g, USAGE_curr_items));
    put_number(q, form, "items:1:age", gather_max(g, USAGE_oldest_ms) / 1000);
    put_number(q, form, "items:1:mem_requested", gather_sum(g, USAGE_bytes));
    put_number(q, form, "items:1:evicted", gather_sum(g, USAGE_evictions));
    put_number(q, form, "items:1:evicted_unfetched", gather_sum(g, USAGE_evicted_unfetched));
    put_number(q, form, "items:1:expired_unfetched", gather_sum(g, USAGE_expired_unfetched));
    put_number(q, form, "items:1:reclaimed", gather_sum(g, USAGE_reclaimed));
}

void stats_put_segments(struct gather *g)
{
#define STAT(name, kind, help, metric)
#define USAGE(name, field, help, metric)
#define INSIDE(name, field, how, help, metric) \
    put_number(&g->out, &g->form, #name, gather_##how(g, USAGE_##name));
#include "stats.def"
#undef STAT
#undef USAGE
}

/* There are no slabs; tools that ask want to see the end of the list. */
void stats_put_slabs(struct gather *g)
{
    put_number(&g->out, &g->form, "active_slabs", 0);
    put_number(&g->out, &g->form, "total_malloced", gather_sum(g, USAGE_resident_bytes));
}

void stats_put_shards(struct gather *g)
{
    for (size_t i = 0; i < g->n; i++) {
        const struct gather_part *part = &g->parts[i];
        char name[MAP_NAME_MAX + 40];
        const uint64_t *usage = part->usage;

#define LINE(key, ...) \
        snprintf(name, sizeof(name), "%s:%s", part->member->name, key); \
        stats_line(&g->out, &g->form, name, __VA_ARGS__)

        LINE("state", "%s", part->absent ? "ejected" : part->reason == NULL ? "up" : "down");
        LINE("address", "%s", part->member->address[0] != '\0' ? part->member->address : "here");
        LINE("weight", "%u", part->member->weight);
        if (part->reason != NULL) {
            LINE("reason", "%s", part->reason);
            continue;
        }
        if (part->absent)
            continue;
#define STAT(stat, kind, help, metric)
#define USAGE(stat, field, help, metric) LINE(#stat, "%" PRIu64, usage[USAGE_##stat]);
#define INSIDE(stat, field, how, help, metric)
#include "stats.def"
#undef STAT
#undef USAGE
#undef LINE
    }
}

void stats_put_settings(struct sendq *q, const struct form *form, struct front *front)
{
    const struct front_config *c = &front->config;

    put_number(q, form, "maxbytes", __atomic_load_n(&front->memory_bytes, __ATOMIC_RELAXED));
    put_number(q, form, "maxconns", c->conn_limit);
    put_number(q, form, "tcpport", c->port);
    put_number(q, form, "udpport", 0);
    stats_line(q, form, "inter", "%s", c->listen);
    put_number(q, form, "verbosity", __atomic_load_n(&front->verbosity, __ATOMIC_RELAXED));
    stats_line(q, form, "evictions", "%s", c->evict ? "on" : "off");
    stats_line(q, form, "domain_socket", "%s", c->unix_socket[0] != '\0' ? c->unix_socket : "NULL");
    put_number(q, form, "num_threads", c->n_threads);
    put_yes_no(q, form, "cas_enabled", c->cas);
    put_number(q, form, "tcp_backlog", c->backlog);
    put_number(q, form, "reqs_per_event", c->max_requests);
    put_yes_no(q, form, "auth_enabled_sasl", false);
    put_yes_no(q, form, "auth_enabled_ascii", false);
    put_number(q, form, "item_size_max", c->max_item_bytes);
    put_yes_no(q, form, "maxconns_fast", true);
    put_yes_no(q, form, "flush_enabled", c->flush_all);
    put_yes_no(q, form, "shutdown_command", c->shutdown);
    put_yes_no(q, form, "detail_enabled",
               __atomic_load_n(&front->prefixes.on, __ATOMIC_RELAXED));
    stats_line(q, form, "binding_protocol", "%s",
               strcmp(c->protocol, "ascii") == 0 ? "ascii" : "auto-negotiate");
    put_number(q, form, "shard_timeout_ms", (uint64_t)c->shard_timeout_ms);
    put_number(q, form, "slow_request_ms", (uint64_t)c->slow_request_ms);
    put_number(q, form, "link_queue_limit", c->link_queue_bytes);
}
