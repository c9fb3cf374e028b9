#include "front/prefixes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define PREFIXES_MAX 10000
#define N_BUCKETS 4096u
#define LINE_MAX_BYTES (KEY_MAX + 128)

struct prefix {
    struct prefix *next;
    uint64_t gets, hits, sets, deletes;
    size_t len;
    char name[];
};

void prefixes_init(struct prefixes *p, char delimiter, const uint64_t hash_key[2])
{
    *p = (struct prefixes){ .on = delimiter != '\0',
                            .delimiter = delimiter != '\0' ? delimiter : ':',
                            .hash_key = { hash_key[0], hash_key[1] } };
    pthread_mutex_init(&p->lock, NULL);
}

static void clear(struct prefixes *p)
{
    struct prefix *one;

    for (unsigned i = 0; p->buckets != NULL && i < N_BUCKETS; i++)
        while ((one = p->buckets[i]) != NULL) {
            p->buckets[i] = one->next;
            free(one);
        }
    p->n = 0;
}

void prefixes_fini(struct prefixes *p)
{
    clear(p);
    free(p->buckets);
    pthread_mutex_destroy(&p->lock);
}

void prefixes_switch(struct prefixes *p, bool on)
{
    __atomic_store_n(&p->on, on, __ATOMIC_RELAXED);
}

void prefixes_reset(struct prefixes *p)
{
    pthread_mutex_lock(&p->lock);
    clear(p);
    pthread_mutex_unlock(&p->lock);
}

/* With the lock held.  NULL when it is one too many. */
static struct prefix *find(struct prefixes *p, const char *name, size_t len)
{
    struct prefix **bucket, *one;

    if (p->buckets == NULL)
        p->buckets = calloc(N_BUCKETS, sizeof(*p->buckets));
    if (p->buckets == NULL)
        return NULL;
    bucket = &p->buckets[hash_sip13(p->hash_key, name, len) % N_BUCKETS];
    for (one = *bucket; one != NULL; one = one->next)
        if (one->len == len && memcmp(one->name, name, len) == 0)
            return one;
    if (p->n == PREFIXES_MAX || (one = calloc(1, sizeof(*one) + len)) == NULL)
        return NULL;
    one->len = len;
    memcpy(one->name, name, len);
    one->next = *bucket;
    *bucket = one;
    p->n++;
    return one;
}

void prefixes_count(struct prefixes *p, const struct asked *asked, enum status status)
{
    const char *end = memchr(asked->key, p->delimiter, asked->key_len);
    const bool get = verb_is_get(asked->verb), set = verb_has_value(asked->verb);
    struct prefix *one;

    /* memcached counts no meta commands either */
    if (end == NULL || asked->form->protocol == PROTOCOL_META
        || !(get || set || asked->verb == VERB_DELETE))
        return;
    pthread_mutex_lock(&p->lock);
    one = find(p, asked->key, (size_t)(end - asked->key));
    if (one != NULL) {
        one->gets += get;
        one->hits += get && status != STATUS_NOT_FOUND;
        one->sets += set;
        one->deletes += asked->verb == VERB_DELETE;
    }
    pthread_mutex_unlock(&p->lock);
}

static bool put_one(struct sendq *q, const struct prefix *one)
{
    char *line = sendq_room(q, LINE_MAX_BYTES);
    char name[KEY_MAX + 1];
    int len;

    if (line == NULL)
        return false;
    /* the binary protocol lets any byte into a key */
    for (size_t i = 0; i < one->len; i++)
        name[i] = one->name[i] > ' ' && one->name[i] != 127 ? one->name[i] : '?';
    name[one->len] = '\0';
    len = snprintf(line, LINE_MAX_BYTES,
                   "PREFIX %s get %" PRIu64 " hit %" PRIu64 " set %" PRIu64 " del %" PRIu64 "\r\n",
                   name, one->gets, one->hits, one->sets, one->deletes);
    return sendq_commit(q, (size_t)len);
}

bool prefixes_put(struct prefixes *p, struct sendq *q)
{
    bool ok = true;

    pthread_mutex_lock(&p->lock);
    for (unsigned i = 0; p->buckets != NULL && i < N_BUCKETS; i++)
        for (struct prefix *one = p->buckets[i]; one != NULL && ok; one = one->next)
            ok = put_one(q, one);
    pthread_mutex_unlock(&p->lock);
    return ok;
}
