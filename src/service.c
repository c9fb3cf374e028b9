#include "service.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/sdnotify.h"

#define BEAT_MS 10000           /* without a watchdog */
#define EXTEND_MS 60000         /* a start that makes progress may take so long again */

static void __attribute__((format(printf, 2, 3)))
say(struct service *s, const char *format, ...)
{
    char status[sizeof(s->status)];
    va_list args;

    va_start(args, format);
    vsnprintf(status, sizeof(status), format, args);
    va_end(args);
    if (strcmp(status, s->status) != 0 && sdnotify(status))
        memcpy(s->status, status, sizeof(status));
}

static bool is_to_hold_items(const struct member *m)
{
    return m->weight > 0 || m->next_weight > 0 || m->wanted_weight > 0;
}

static void say_map(struct service *s, const struct view *v)
{
    size_t n = 0, up = 0;

    for (size_t i = 0; i < v->map->n; i++) {
        const struct member *m = &v->map->members[i];

        n += is_to_hold_items(m);
        up += is_to_hold_items(m) && m->state == MEMBER_UP && !m->filling;
    }
    say(s, "STATUS=%s: %zu of %zu shards up, %u %s, map epoch %llu%s",
        s->ready ? "serving" : "starting", up, n, v->map->replicas,
        v->map->replicas == 1 ? "copy" : "copies", (unsigned long long)v->map->epoch,
        v->map->phase != MAP_STABLE ? ", members change" : "");
}

static void say_status(struct service *s, struct node *n)
{
    struct view *v = cluster_view(n->cluster);

    s->epoch = cluster_epoch(n->cluster);
    s->looked = true;
    if (v == NULL)
        say(s, "STATUS=%s: no map yet%s%s", s->ready ? "ready" : "starting",
            n->options->coordinator[0] != '\0' ? ", from " : "", n->options->coordinator);
    else if (n->store != NULL && v->self < 0)
        say(s, "STATUS=waiting: no map names this shard, map epoch %llu",
            (unsigned long long)v->map->epoch);
    else if (s->ready && n->store != NULL &&
             !cluster_serves(n->cluster, n->world->ops->mono_ns(n->world)))
        say(s, "STATUS=not serving: no lease from the voters, map epoch %llu",
            (unsigned long long)v->map->epoch);
    else
        say_map(s, v);
    view_unref(v);
}

/* Now, or as soon as it can be said. */
static void say_ready(struct service *s)
{
    s->owes_ready = !sdnotify("READY=1");
}

void service_look(struct service *s, struct node *n)
{
    if (s->stopping)
        return;
    if (!s->ready && node_is_ready(n)) {
        s->ready = true;
        say_status(s, n);
        say_ready(s);
    } else if (s->owes_ready) {
        say_ready(s);
    } else if (!s->looked || s->epoch != cluster_epoch(n->cluster)) {
        say_status(s, n);
    }
}

void service_begin_reload(struct service *s)
{
    if (s->ready && !s->stopping)
        sdnotify_reloading();
}

void service_end_reload(struct service *s)
{
    if (s->ready && !s->stopping)
        say_ready(s);
}

void service_stop(struct service *s)
{
    s->stopping = true;
    (void)sdnotify("STOPPING=1\nSTATUS=stopping: what was asked is finished");
}

/* Each worker has answered since the last time, or was not asked. */
static bool all_turn(struct node *n)
{
    for (unsigned i = 0; i < n->options->threads; i++)
        if (!worker_has_pulse(&n->workers[i]))
            return false;
    return true;
}

static void look_at_workers(struct service *s, struct node *n)
{
    const bool turn = all_turn(n);

    if (turn)
        (void)sdnotify("WATCHDOG=1");
    if (!turn && !s->stuck)
        log_error("main", "a thread does not take its turns, so the watchdog is not told that "
                  "all is well");
    else if (turn && s->stuck)
        log_info("main", "all threads take their turns again");
    s->stuck = !turn;
    for (unsigned i = 0; i < n->options->threads; i++)
        worker_ask_pulse(&n->workers[i]);
}

int64_t service_beat(struct service *s, struct node *n)
{
    const int64_t watchdog_ms = sdnotify_watchdog_ms();

    if (s->looked && !s->stopping)
        say_status(s, n);       /* a lease may have come or gone */
    if (!s->ready && !s->stopping && n->store != NULL && node_has_map(n))
        sdnotify_extend(EXTEND_MS);     /* it is being filled */
    if (watchdog_ms <= 0)
        return BEAT_MS;
    look_at_workers(s, n);
    return watchdog_ms / 4 > 0 ? watchdog_ms / 4 : 1;
}
