#include "front/elsewhere.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/unset.h"
#include "cluster/relay.h"
#include "front/dump.h"
#include "front/watchers.h"
#include "front/way.h"
#include "wire/listing.h"

static_assert(RELAY_PAGE <= REPORT_BYTES, "what a shard has kept fits a report");

/* How far this worker has seen a shard's evictions, and whether it follows there. */
struct place {
    uint64_t cursor;
    bool asked;                 /* for evictions */
    bool stale;                 /* who wanted the answer is gone */
    bool follows, asked_events;
};

static uint64_t self(const struct front_worker *fw)
{
    return cluster_incarnation(fw->front->cluster);
}

/* Links outlive maps, places do not: NULL where it was asked under an older one. */
static struct place *place_of(const struct request *r)
{
    const struct front_worker *fw = r->owner;

    if (fw->places == NULL || r->part >= fw->links.n || fw->links.link[r->part] != r->link)
        return NULL;
    return &fw->places[r->part];
}

/* evictions */

/* `n`: so many there were; the page has the last of them. */
static void note_evictions(struct front_worker *fw, const char *page, size_t len, uint64_t n)
{
    struct report *r = report_new();
    char key[3 * KEY_MAX + 1];
    struct listed l;

    if (r == NULL)
        return;
    r->missed = n;
    for (size_t pos = 0; listing_next(page, len, &pos, &l) && r->missed > 0; r->missed--) {
        *dump_put_key(key, l.key, l.key_len) = '\0';
        report_add(r, fw, STREAM_EVICTIONS,
                   "eviction key=%s fetch=%s ttl=%" PRId64 " la=%" PRIu32 " clsid=1 size=%zu\n",
                   key, (l.marks & MARK_FETCHED) != 0 ? "yes" : "no", ttl_seconds(l.ttl_ms),
                   l.idle_s, l.value_len);
    }
    watchers_tell(fw, r);       /* every worker asks for its own watchers */
    free(r);
}

static void on_evictions(struct request *r)
{
    struct front_worker *fw = r->owner;
    struct place *place = place_of(r);

    if (place != NULL && r->outcome == ANSWERED && !place->stale) {
        /* a version that falls is another life of the shard: it begins anew */
        if (place->cursor != 0 && r->reply.version > place->cursor &&
            r->reply.value_len <= EVICTIONS_PAGE)
            note_evictions(fw, r->reply.value, r->reply.value_len,
                           r->reply.version - place->cursor);
        place->cursor = r->reply.version;
    }
    if (place != NULL)
        place->asked = place->stale = false;
    request_free(&fw->links, r);
}

/* False: memory is short. */
static bool ask(struct front_worker *fw, unsigned i, const struct frame *f,
                void (*done)(struct request *r))
{
    struct request *r = request_new(&fw->links);

    if (r == NULL)
        return false;
    r->owner = fw;
    r->part = i;
    r->answer_op = FRAME_DONE;
    r->done = done;
    link_send(fw->links.link[i], r, f, NULL);
    return true;
}

static void ask_for_evictions(struct front_worker *fw, unsigned i)
{
    struct place *place = &fw->places[i];
    const struct frame f = { .op = FRAME_EVICTIONS, .number = place->cursor };

    if (place->asked)
        return;
    place->asked = true;
    if (!ask(fw, i, &f, on_evictions))
        place->asked = false;
}

static void look_for_evictions_here(struct front_worker *fw)
{
    UNSET char page[EVICTIONS_PAGE];
    uint64_t *cursor = &fw->places[fw->self].cursor, before = *cursor;
    const size_t len = store_evictions(fw->front->store, cursor, worker_now(fw->worker), page);

    if (len > 0)
        note_evictions(fw, page, len, *cursor - before);
}

void elsewhere_forget_evictions(struct front_worker *fw)
{
    for (size_t i = 0; fw->places != NULL && i < fw->links.n; i++) {
        fw->places[i].cursor = 0;
        fw->places[i].stale = fw->places[i].asked;
    }
}

/* events of other fronts */

static void note_events(struct front_worker *fw, const char *page, size_t len, uint64_t missed)
{
    struct report *r = len > 0 || missed > 0 ? report_new() : NULL;

    if (r == NULL)
        return;
    report_copy(r, page, len, STREAMS_OF_FRONTS, "");
    r->missed += missed;
    if (r->missed > 0)
        r->streams = STREAMS_OF_FRONTS;         /* of which they were is not known */
    watchers_tell(fw, r);       /* as with evictions */
    free(r);
}

static void on_events(struct request *r)
{
    struct front_worker *fw = r->owner;
    struct place *place = place_of(r);

    if (place != NULL)
        place->asked_events = false;
    if (r->outcome == ANSWERED && r->reply.value_len <= RELAY_PAGE)
        note_events(fw, r->reply.value, r->reply.value_len, r->reply.version);
    request_free(&fw->links, r);
}

/* Once more when nobody wants any: that it hears. */
static void ask_for_events(struct front_worker *fw, unsigned i, unsigned streams)
{
    struct place *place = &fw->places[i];
    const struct frame f = { .op = FRAME_WATCH, .st = (uint8_t)streams };

    if (!link_tells_events(fw->links.link[i])) {
        place->follows = false;
        return;
    }
    if (place->asked_events || (streams == 0 && !place->follows))
        return;
    place->asked_events = true;
    place->follows = streams != 0;
    if (!ask(fw, i, &f, on_events))
        place->asked_events = false;
}

static void look_for_events_here(struct front_worker *fw, unsigned streams)
{
    UNSET char page[RELAY_PAGE];
    uint64_t missed;
    size_t len;

    if (fw->front->relay == NULL || (streams == 0 && fw->follower == NULL))
        return;
    len = relay_ask(fw->front->relay, &fw->follower, self(fw), streams, worker_now(fw->worker),
                    page, &missed);
    note_events(fw, page, len, missed);
}

/* what others want */

static void look_who_wants(struct front_worker *fw)
{
    unsigned wanted = fw->front->relay != NULL ? relay_wanted(fw->front->relay, self(fw)) : 0;

    for (size_t i = 0; i < fw->links.n; i++)
        if (fw->links.link[i] != NULL)
            wanted |= link_watched(fw->links.link[i]);
    if (wanted == fw->wanted)
        return;
    watchers_count(fw->front, wanted & ~fw->wanted, 1);
    watchers_count(fw->front, fw->wanted & ~wanted, -1);
    fw->wanted = wanted;
    if (wanted == 0)
        fw->unsent = 0;         /* who missed them is gone */
}

/* To one that takes it: its own shard, or the first after a place that is each front's
 * own, so that all of one front's events go one way. */
static bool send_to_one(struct front_worker *fw, const struct frame *f)
{
    const size_t n = fw->links.n;
    const size_t first = fw->self >= 0 ? (size_t)fw->self : n > 0 ? self(fw) % n : 0;

    for (size_t k = 0; k < n; k++) {
        const unsigned i = (unsigned)((first + k) % n);
        struct link *l = fw->links.link[i];

        if (!way_reaches(fw, i))
            continue;
        if ((int)i == fw->self) {
            relay_add(fw->front->relay, self(fw), f->value, f->value_len, f->version);
            return true;
        }
        if (link_tells_events(l) && link_post(l, f))
            return true;
    }
    return false;
}

static uint64_t lines_of(const struct report *r)
{
    struct event e;
    uint64_t n = 0;

    for (size_t pos = 0; events_next(r->lines, r->len, &pos, &e);)
        n++;
    return n;
}

void elsewhere_send(struct front_worker *fw, const struct report *r)
{
    struct frame f = { .op = FRAME_EVENTS };
    char behind[MAP_NAME_MAX + 16];
    struct report *out;
    uint64_t n;

    if ((fw->wanted & r->streams) == 0 || (out = report_new()) == NULL)
        return;
    snprintf(behind, sizeof(behind), " front=%s", cluster_self(fw->front->cluster));
    report_copy(out, r->lines, r->len, fw->wanted, behind);
    f.value = out->lines;
    f.value_len = out->len;
    f.version = fw->unsent + r->missed + out->missed;
    n = lines_of(out);
    /* a shard keeps no more for who asks it once a tick */
    if (fw->sent_events + out->len <= RELAY_PAGE && send_to_one(fw, &f)) {
        fw->sent_events += out->len;
        fw->unsent = 0;
        STAT_ADD(&fw->worker->stats, events_relayed, n);
    } else {
        fw->unsent = f.version + n;
    }
    free(out);
}

/* all of it */

static void ask_all(struct front_worker *fw, unsigned streams)
{
    const bool evictions = (streams >> STREAM_EVICTIONS & 1) != 0;

    for (unsigned i = 0; i < fw->links.n; i++) {
        if ((int)i == fw->self && evictions)
            look_for_evictions_here(fw);
        if (fw->links.link[i] == NULL)
            continue;
        if (evictions)
            ask_for_evictions(fw, i);
        ask_for_events(fw, i, streams & STREAMS_OF_FRONTS);
    }
}

void elsewhere_tick(struct front_worker *fw)
{
    const unsigned streams = watchers_streams(fw);

    fw->sent_events = 0;
    look_who_wants(fw);
    look_for_events_here(fw, streams & STREAMS_OF_FRONTS);
    if (streams != 0 && fw->places == NULL)
        fw->places = calloc(fw->links.n, sizeof(*fw->places));
    if (fw->places != NULL)
        ask_all(fw, streams);
}

void elsewhere_forget_links(struct front_worker *fw)
{
    free(fw->places);
    fw->places = NULL;
}

void elsewhere_fini(struct front_worker *fw)
{
    elsewhere_forget_links(fw);
    if (fw->follower != NULL)
        relay_leave(fw->front->relay, &fw->follower);
}
