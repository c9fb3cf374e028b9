#include "front/elsewhere.h"

#include <inttypes.h>
#include <stdlib.h>

#include "front/dump.h"
#include "front/watchers.h"
#include "wire/listing.h"

/* How far this worker has seen a shard's evictions. */
struct place {
    uint64_t cursor;
    bool asked;
    bool stale;                 /* who wanted the answer is gone */
};

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
    char page[EVICTIONS_PAGE];
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

/* all of it */

void elsewhere_tick(struct front_worker *fw)
{
    if ((watchers_streams(fw) >> STREAM_EVICTIONS & 1) == 0)
        return;
    if (fw->places == NULL)
        fw->places = calloc(fw->links.n, sizeof(*fw->places));
    for (unsigned i = 0; fw->places != NULL && i < fw->links.n; i++) {
        if ((int)i == fw->self)
            look_for_evictions_here(fw);
        else if (fw->links.link[i] != NULL)
            ask_for_evictions(fw, i);
    }
}

void elsewhere_forget_links(struct front_worker *fw)
{
    free(fw->places);
    fw->places = NULL;
}

void elsewhere_fini(struct front_worker *fw)
{
    elsewhere_forget_links(fw);
}
