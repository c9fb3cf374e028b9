#include "front/hotkeys.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define SAMPLES_A_SECOND 5000
#define EVERY_MAX 65536
#define FADE_MS 1000
#define FADE (1 - 1.0 / 30)     /* of what is counted, after FADE_MS */
#define FADES_MAX 600           /* nothing is left */
#define NOTHING 0.01            /* what is left of a request after two minutes */
#define LEAST_SHARE 0.001

/* The hashes stand together: most samples look at no entry but their own. */
struct hotkey_set {
    uint64_t hashes[HOTKEYS_WAYS];
    struct hotkey ways[HOTKEYS_WAYS];
};

bool hotkeys_init(struct hotkeys *h, const uint64_t secret[2], int64_t now_ms)
{
    *h = (struct hotkeys){ .left = 1, .every = 1, .chance = secret[0] | 1, .secret = secret,
                           .tick_ms = now_ms, .fade_ms = now_ms };
    h->sets = calloc(HOTKEYS_SETS, sizeof(*h->sets));
    return h->sets != NULL;
}

void hotkeys_fini(struct hotkeys *h)
{
    free(h->sets);
    h->sets = NULL;
}

/* ---- a sample ------------------------------------------------------------- */

/* Steps of equal length would see always the same of requests that repeat. */
static unsigned next_step(struct hotkeys *h)
{
    h->chance ^= h->chance << 13;
    h->chance ^= h->chance >> 7;
    h->chance ^= h->chance << 17;
    return 1 + (unsigned)(h->chance % (2 * h->every - 1));
}

static struct hotkey *least_of(struct hotkey_set *set)
{
    struct hotkey *least = &set->ways[0];

    for (unsigned i = 1; i < HOTKEYS_WAYS; i++)
        if (set->ways[i].count < least->count)
            least = &set->ways[i];
    return least;
}

static struct hotkey *find(struct hotkey_set *set, uint64_t hash, const char *key, size_t len)
{
    for (unsigned i = 0; i < HOTKEYS_WAYS; i++) {
        struct hotkey *e = &set->ways[i];

        if (set->hashes[i] == hash && e->key_len == len && memcmp(e->key, key, len) == 0)
            return e;
    }
    return NULL;
}

static struct hotkey *take_over(struct hotkey_set *set, uint64_t hash, const char *key, size_t len)
{
    struct hotkey *e = least_of(set);

    set->hashes[e - set->ways] = hash;
    e->key_len = (uint8_t)len;
    memcpy(e->key, key, len);
    e->error = e->count;
    e->writes = 0;
    return e;
}

void hotkeys_sample(struct hotkeys *h, bool writes, const char *key, size_t key_len)
{
    const uint64_t hash = hash_sip13(h->secret, key, key_len);
    struct hotkey_set *set = &h->sets[hash % HOTKEYS_SETS];
    struct hotkey *e = find(set, hash, key, key_len);

    if (e == NULL)
        e = take_over(set, hash, key, key_len);
    e->count += h->every;
    e->writes += writes ? h->every : 0;
    h->total += h->every;
    h->seen += h->every;
    /* faster than at the last tick: not all of it is to be looked at until the next */
    if (++h->n_samples >= SAMPLES_A_SECOND / 10 && h->every < EVERY_MAX) {
        h->every *= 2;
        h->n_samples = 0;
    }
    h->left = next_step(h);
}

/* ---- time ----------------------------------------------------------------- */

static void fade_one(struct hotkey *e)
{
    e->count *= FADE;
    e->error *= FADE;
    e->writes *= FADE;
    if (e->count < NOTHING)
        memset(e, 0, sizeof(*e));       /* nor does its key stay in memory */
}

static void fade(struct hotkeys *h)
{
    h->total *= FADE;
    h->span_s = (h->span_s + FADE_MS / 1000.0) * FADE;
    for (unsigned i = 0; i < HOTKEYS_SETS; i++)
        for (unsigned k = 0; k < HOTKEYS_WAYS; k++)
            if (h->sets[i].ways[k].key_len > 0)
                fade_one(&h->sets[i].ways[k]);
}

/* What was skipped is not counted: that is less than two samples. */
static void choose_every(struct hotkeys *h, int64_t took_ms)
{
    const uint64_t samples = SAMPLES_A_SECOND * (uint64_t)took_ms / 1000;
    const uint64_t every = samples > 0 ? h->seen / samples : 0;
    const unsigned next = every < 1 ? 1 : every > EVERY_MAX ? EVERY_MAX : (unsigned)every;

    if (next < h->every) {
        h->every = next;
        h->left = next_step(h);
    }
    h->every = next;
    h->seen = 0;
    h->n_samples = 0;
}

void hotkeys_tick(struct hotkeys *h, int64_t now_ms)
{
    if (now_ms > h->tick_ms)
        choose_every(h, now_ms - h->tick_ms);
    h->tick_ms = now_ms;
    for (unsigned n = 0; now_ms - h->fade_ms >= FADE_MS && n < FADES_MAX; n++) {
        fade(h);
        h->fade_ms += FADE_MS;
    }
    if (now_ms - h->fade_ms >= FADE_MS)
        h->fade_ms = now_ms;
}

/* ---- what it has seen ----------------------------------------------------- */

double hotkeys_tell(const struct hotkeys *h, int64_t now_ms, hotkeys_told *told, void *arg)
{
    const double more_s = h->span_s > 0 ? (double)(now_ms - h->fade_ms) / 1000 : 1;
    const double seconds = h->span_s + more_s;  /* it begins with a whole one */

    for (unsigned i = 0; i < HOTKEYS_SETS; i++)
        for (unsigned k = 0; k < HOTKEYS_WAYS; k++) {
            const struct hotkey *e = &h->sets[i].ways[k];
            const double count = e->count - e->error;

            if (e->key_len == 0 || count < h->total * LEAST_SHARE || count <= 0)
                continue;
            told(arg, &(struct hot){ e->key, e->key_len, count / seconds, e->writes / seconds });
        }
    return h->total / seconds;
}
