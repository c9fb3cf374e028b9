#include "cluster/relay.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "wire/events.h"

struct follower {
    struct follower *next;      /* relay->followers */
    uint64_t process;
    unsigned streams;
    int64_t asked_ms;
    uint64_t missed;            /* since it last asked */
    size_t len;
    char events[RELAY_PAGE];
};

struct relay {
    pthread_mutex_t lock;       /* of all, and of the followers */
    struct follower *followers;
    unsigned n;                 /* atomic: of them */
};

struct relay *relay_new(void)
{
    struct relay *r = calloc(1, sizeof(*r));

    if (r != NULL)
        pthread_mutex_init(&r->lock, NULL);
    return r;
}

void relay_free(struct relay *r)
{
    if (r == NULL)
        return;
    assert(r->followers == NULL);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static bool has_followers(const struct relay *r)
{
    return __atomic_load_n(&r->n, __ATOMIC_RELAXED) > 0;
}

/* Locked, as what follows. */
static struct follower *join(struct relay *r, uint64_t process)
{
    struct follower *f = r->n < RELAY_FOLLOWERS ? malloc(sizeof(*f)) : NULL;

    if (f == NULL)
        return NULL;
    f->process = process;
    f->missed = 0;
    f->len = 0;
    f->next = r->followers;
    r->followers = f;
    __atomic_store_n(&r->n, r->n + 1, __ATOMIC_RELAXED);
    return f;
}

static void leave(struct relay *r, struct follower **mine)
{
    struct follower **at = &r->followers;

    while (*at != *mine)
        at = &(*at)->next;
    *at = (*mine)->next;
    __atomic_store_n(&r->n, r->n - 1, __ATOMIC_RELAXED);
    free(*mine);
    *mine = NULL;
}

static size_t take(struct follower *f, char *out, uint64_t *missed)
{
    const size_t len = f->len;

    memcpy(out, f->events, len);
    *missed = f->missed;
    f->len = 0;
    f->missed = 0;
    return len;
}

size_t relay_ask(struct relay *r, struct follower **mine, uint64_t process, unsigned streams,
                 int64_t now_ms, char *out, uint64_t *missed)
{
    size_t len = 0;

    *missed = 0;
    if (*mine == NULL && streams == 0)
        return 0;
    pthread_mutex_lock(&r->lock);
    if (streams == 0)
        leave(r, mine);
    else if (*mine == NULL)
        *mine = join(r, process);
    else
        len = take(*mine, out, missed);
    if (*mine != NULL) {
        (*mine)->streams = streams;
        (*mine)->asked_ms = now_ms;
    }
    pthread_mutex_unlock(&r->lock);
    return len;
}

void relay_leave(struct relay *r, struct follower **mine)
{
    if (*mine == NULL)
        return;
    pthread_mutex_lock(&r->lock);
    leave(r, mine);
    pthread_mutex_unlock(&r->lock);
}

/* Only its owner's calls change asked_ms. */
void relay_look(struct relay *r, struct follower **mine, int64_t now_ms)
{
    if (*mine != NULL && now_ms - (*mine)->asked_ms > RELAY_MS)
        relay_leave(r, mine);
}

static void tell(struct follower *f, const struct event *e)
{
    if ((f->streams >> e->stream & 1) == 0)
        return;
    if (f->len + EVENT_HEAD + e->len > RELAY_PAGE) {
        f->missed++;
        return;
    }
    memcpy(events_put_head(f->events + f->len, e->stream, e->len), e->line, e->len);
    f->len += EVENT_HEAD + e->len;
}

void relay_add(struct relay *r, uint64_t process, const char *events, size_t len,
               uint64_t missed)
{
    struct event e;

    if (!has_followers(r))
        return;
    pthread_mutex_lock(&r->lock);
    for (struct follower *f = r->followers; f != NULL; f = f->next)
        if (f->process != process)
            f->missed += missed;
    for (size_t pos = 0; events_next(events, len, &pos, &e);)
        for (struct follower *f = r->followers; f != NULL; f = f->next)
            if (f->process != process)
                tell(f, &e);
    pthread_mutex_unlock(&r->lock);
}

unsigned relay_wanted(struct relay *r, uint64_t process)
{
    unsigned streams = 0;

    if (!has_followers(r))
        return 0;
    pthread_mutex_lock(&r->lock);
    for (const struct follower *f = r->followers; f != NULL; f = f->next)
        if (f->process != process)
            streams |= f->streams;
    pthread_mutex_unlock(&r->lock);
    return streams;
}
