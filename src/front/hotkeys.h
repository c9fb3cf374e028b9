/*
 * hotkeys - which keys clients ask for most, of one worker, in the last minute or so
 *
 *      request --one in `every`--> sample --hash--> set of 8 entries: count, writes, key
 *
 * At a few thousand requests a second all are looked at, above that as few as make
 * SAMPLES_A_SECOND: what it costs is bounded, and most requests pay a count-down.
 * A sample stands for `every` requests.
 *
 * Each set is a Space-Saving summary (Metwally, Agrawal, El Abbadi 2005): a key
 * that is not in it takes the place of the least, and what that one had counts as
 * the newcomer's possible error.  All counts fade, by half in 21 seconds, so what
 * was hot a while ago is forgotten.
 */
#ifndef FRONT_HOTKEYS_H
#define FRONT_HOTKEYS_H

#include "net/batch.h"
#include "wire/cmd.h"

#define HOTKEYS_SETS 64
#define HOTKEYS_WAYS 8

struct hotkey {
    uint8_t key_len;            /* 0: a free entry */
    char key[KEY_MAX];
    double count, error;        /* requests, faded; of them, perhaps another key's */
    double writes;              /* of those that were surely its own */
};

struct hotkeys {
    unsigned left;              /* requests until the next sample, that one included */
    unsigned every;             /* one in so many is looked at, about */
    unsigned n_samples;         /* since `every` last grew, or the last tick */
    uint64_t seen;              /* requests since the last tick, by samples */
    uint64_t chance;            /* state of a generator, never 0 */
    const uint64_t *secret;     /* borrowed: a stranger must not choose who shares a set */
    double total;               /* requests, faded as the counts are */
    double span_s;              /* seconds that these stand for, faded the same */
    int64_t tick_ms, fade_ms;   /* monotonic: of the last tick; up to which they have faded */
    struct hotkey_set *sets;    /* owned; HOTKEYS_SETS of them */
};

/* All memory that it will ever have.  False: there is none. */
bool hotkeys_init(struct hotkeys *h, const uint64_t secret[2], int64_t now_ms);
void hotkeys_fini(struct hotkeys *h);

/* Now and then: counts fade, and how many requests are looked at is chosen anew. */
void hotkeys_tick(struct hotkeys *h, int64_t now_ms);

/* For those below: looks at a request, and chooses the next. */
void hotkeys_sample(struct hotkeys *h, bool writes, const char *key, size_t key_len);

static inline void hotkeys_count(struct hotkeys *h, enum verb verb, const char *key,
                                 size_t key_len)
{
    if (__builtin_expect(--h->left == 0, 0))
        hotkeys_sample(h, !verb_is_get(verb), key, key_len);
}

/* The first `n` of them. */
static inline void hotkeys_count_gets(struct hotkeys *h, const struct gets *gets, unsigned n)
{
    unsigned at = 0;

    while (__builtin_expect(h->left <= n - at, 0)) {
        const struct lookup *one = &gets->keys[at + h->left - 1];

        at += h->left;
        hotkeys_sample(h, false, one->key, one->key_len);
    }
    h->left -= n - at;
}

/*
 * The keys that had a thousandth of all requests or more: each is told, in no
 * order, with its rates a second.  `total` of all keys is returned.
 */
struct hot {
    const char *key;            /* gone when told() returns */
    size_t key_len;
    double rate, writes;        /* requests a second; of them, no reads */
};
typedef void hotkeys_told(void *arg, const struct hot *hot);
double hotkeys_tell(const struct hotkeys *h, int64_t now_ms, hotkeys_told *told, void *arg);

#endif
