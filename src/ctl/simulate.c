#include "ctl/simulate.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/human.h"
#include "base/mem.h"
#include "base/num.h"
#include "ctl/table.h"
#include "ring/ring.h"

#define KEYS 100000             /* where none are given */
#define KEYS_MAX 1000000000
#define WEIGHT_MAX 100
#define NAME_BYTES 16

/* A ring of "shard-1", "shard-2"...; those of weight 0 are not on it. */
struct side {
    size_t n;                   /* shards, those too */
    unsigned *weights;          /* owned */
    char (*names)[NAME_BYTES];  /* owned */
    struct ring *ring;
    unsigned *shards;           /* owned; by index in the ring: which shard */
    uint64_t *keys;             /* owned; of each shard */
};

struct simulation {
    struct side now, then;      /* then.n 0: nothing changes */
    uint64_t keys, moved;
};

/* ---- what was asked ------------------------------------------------------- */

/* "3" shards of weight 1, or "1,2,1". */
static int read_side(struct side *s, const char *shards, const char *weights)
{
    uint32_t v;

    if (shards != NULL && weights != NULL)
        return say(EX_USAGE, "a number of shards and their weights do not go together");
    if (shards != NULL) {
        if (!num_parse_u32(shards, strlen(shards), &v) || v < 1 || v > RING_MAX_MEMBERS)
            return say(EX_USAGE, "read \"%s\" shards, expected 1 to %d", shards,
                       RING_MAX_MEMBERS);
        s->n = v;
        s->weights = xzalloc(v * sizeof(*s->weights));
        for (size_t i = 0; i < v; i++)
            s->weights[i] = 1;
        return YES;
    }
    for (const char *at = weights; at != NULL; ) {
        const size_t len = strcspn(at, ",");

        if (!num_parse_u32(at, len, &v) || v > WEIGHT_MAX || s->n == RING_MAX_MEMBERS)
            return say(EX_USAGE, "read the weights \"%s\", expected whole numbers from 0 to %d "
                       "with commas between them", weights, WEIGHT_MAX);
        s->weights = xrealloc(s->weights, (s->n + 1) * sizeof(*s->weights));
        s->weights[s->n++] = v;
        at = at[len] == ',' ? at + len + 1 : NULL;
    }
    return YES;
}

static int make_ring(struct side *s)
{
    struct ring_member *members = xzalloc(s->n * sizeof(*members));
    size_t n = 0;

    s->names = xzalloc(s->n * sizeof(*s->names));
    s->shards = xzalloc(s->n * sizeof(*s->shards));
    s->keys = xzalloc(s->n * sizeof(*s->keys));
    for (size_t i = 0; i < s->n; i++) {
        snprintf(s->names[i], NAME_BYTES, "shard-%u", (unsigned)(i + 1));
        if (s->weights[i] == 0)
            continue;
        s->shards[n] = (unsigned)i;
        members[n++] = (struct ring_member){ s->names[i], "", s->weights[i] };
    }
    s->ring = n > 0 ? ring_new(members, n) : NULL;
    free(members);
    if (n == 0)
        return say(EX_USAGE, "no shard has a weight");
    if (s->ring == NULL)
        return say(EX_USAGE, "the weights sum to more than %d, or memory is short",
                   RING_MAX_WEIGHT);
    return YES;
}

static void side_free(struct side *s)
{
    free(s->weights);
    free(s->names);
    ring_free(s->ring);
    free(s->shards);
    free(s->keys);
}

/* ---- the keys ------------------------------------------------------------- */

static void take_key(struct simulation *s, const char *key, size_t len)
{
    const uint32_t position = ring_hash(key, len);
    const unsigned now = s->now.shards[ring_owner(s->now.ring, position)];
    unsigned then;

    s->keys++;
    s->now.keys[now]++;
    if (s->then.n == 0)
        return;
    then = s->then.shards[ring_owner(s->then.ring, position)];
    s->then.keys[then]++;
    s->moved += then != now;
}

static int make_keys(struct simulation *s, const char *text)
{
    uint32_t n = KEYS;
    char key[NAME_BYTES + 8];

    if (text != NULL && (!num_parse_u32(text, strlen(text), &n) || n < 1 || n > KEYS_MAX))
        return say(EX_USAGE, "read \"%s\" keys, expected 1 to %d", text, KEYS_MAX);
    for (uint32_t i = 0; i < n; i++)
        take_key(s, key, (size_t)snprintf(key, sizeof(key), "key-%u", i));
    return YES;
}

/* One a line. */
static int read_keys(struct simulation *s, const char *path)
{
    const bool from_stdin = strcmp(path, "-") == 0;
    FILE *file = from_stdin ? stdin : fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    ssize_t len;
    int rc = YES;

    if (file == NULL)
        return say(EX_USAGE, "%s: %s", path, strerror(errno));
    while ((len = getline(&line, &room, file)) > 0) {
        if (line[len - 1] == '\n')
            len--;
        if (len > 0)
            take_key(s, line, (size_t)len);
    }
    if (ferror(file))
        rc = say(EX_USAGE, "%s: %s", path, strerror(errno));
    else if (s->keys == 0)
        rc = say(EX_USAGE, "%s: there is no key in it", path);
    free(line);
    if (!from_stdin)
        fclose(file);
    return rc;
}

/* ---- what comes of it ----------------------------------------------------- */

static unsigned sum_weights(const struct side *s)
{
    unsigned sum = 0;

    for (size_t i = 0; i < s->n; i++)
        sum += s->weights[i];
    return sum;
}

static double fair_share(const struct side *s, size_t shard)
{
    return shard < s->n ? (double)s->weights[shard] / sum_weights(s) : 0;
}

static double real_share(const struct side *s, size_t shard)
{
    for (unsigned i = 0; i < ring_n_members(s->ring); i++)
        if (s->shards[i] == shard)
            return ring_share(s->ring, i);
    return 0;
}

/* What any placing by weight would have to move. */
static double least_share(const struct simulation *s)
{
    double sum = 0;

    for (size_t i = 0; i < s->then.n; i++) {
        const double more = fair_share(&s->then, i) - fair_share(&s->now, i);

        if (more > 0)
            sum += more;
    }
    return sum;
}

/* How far a shard of weight is off its keys: the standard deviation, 0 is none. */
static double variation(const struct side *s, uint64_t keys)
{
    double sum = 0;
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++) {
        const double fair = fair_share(s, i) * (double)keys;

        if (fair > 0) {
            sum += ((double)s->keys[i] / fair - 1) * ((double)s->keys[i] / fair - 1);
            n++;
        }
    }
    return sqrt(sum / (double)n);
}

static void print_side(const struct side *s, uint64_t keys)
{
    static const char *const titles[] = { "SHARD", ">WEIGHT", ">SHARE", ">KEYS", ">OFF" };
    struct table *t = table_new(titles, sizeof(titles) / sizeof(titles[0]));

    for (size_t i = 0; i < s->n; i++) {
        const double fair = fair_share(s, i) * (double)keys;
        char weight[HUMAN_MAX], share[HUMAN_MAX], number[HUMAN_MAX];
        char off[HUMAN_MAX] = "-";

        snprintf(weight, sizeof(weight), "%u", s->weights[i]);
        if (fair > 0)
            snprintf(off, sizeof(off), "%+.1f %%", 100 * ((double)s->keys[i] / fair - 1));
        table_add(t, (const char *const[]){ s->names[i], weight,
                                            human_share(share, real_share(s, i)),
                                            human_count(number, (long long)s->keys[i]), off });
    }
    table_end(t);
    printf("variation: %.1f %%\n", 100 * variation(s, keys));
}

static json_t *side_json(const struct side *s)
{
    json_t *list = json_array();

    for (size_t i = 0; i < s->n; i++)
        (void)json_array_append_new(list, json_pack("{s:s, s:i, s:f, s:f, s:I}", "name",
                                                    s->names[i], "weight", (int)s->weights[i],
                                                    "fair_share", fair_share(s, i),
                                                    "share", real_share(s, i),
                                                    "keys", (json_int_t)s->keys[i]));
    return list;
}

static int print_json(const struct simulation *s)
{
    json_t *o = json_pack("{s:I, s:o, s:f}", "keys", (json_int_t)s->keys, "nodes",
                          side_json(&s->now), "variation", variation(&s->now, s->keys));

    if (s->then.n > 0) {
        (void)json_object_set_new(o, "then", side_json(&s->then));
        (void)json_object_set_new(o, "then_variation", json_real(variation(&s->then, s->keys)));
        (void)json_object_set_new(o, "keys_moved", json_integer((json_int_t)s->moved));
        (void)json_object_set_new(o, "least_share", json_real(least_share(s)));
    }
    return say_json(YES, o);
}

static void print(const struct simulation *s)
{
    char moved[HUMAN_MAX], keys[HUMAN_MAX], share[HUMAN_MAX];
    char least[HUMAN_MAX];

    print_side(&s->now, s->keys);
    if (s->then.n == 0)
        return;
    puts("\nthen");
    print_side(&s->then, s->keys);
    printf("\nmoved: %s of %s keys, %s; the least that could be is %s\n",
           human_count(moved, (long long)s->moved), human_count(keys, (long long)s->keys),
           human_share(share, (double)s->moved / (double)s->keys),
           human_share(least, least_share(s)));
}

static int run(const struct ctl *ctl, struct simulation *s)
{
    int rc;

    if ((rc = read_side(&s->now, ctl->shards, ctl->weights)) != YES
        || (rc = read_side(&s->then, ctl->to_shards, ctl->to_weights)) != YES)
        return rc;
    if (s->now.n == 0)
        return say(EX_USAGE, "expected --shards N or --weights W,W,...");
    if (ctl->keys != NULL && ctl->n_keys != NULL)
        return say(EX_USAGE, "--keys and --n-keys do not go together");
    if ((rc = make_ring(&s->now)) != YES || (s->then.n > 0 && (rc = make_ring(&s->then)) != YES))
        return rc;
    return ctl->keys != NULL ? read_keys(s, ctl->keys) : make_keys(s, ctl->n_keys);
}

int simulate(const struct ctl *ctl, char **argv)
{
    struct simulation s = { .keys = 0 };
    int rc = run(ctl, &s);

    (void)argv;
    if (rc == YES && ctl->json)
        rc = print_json(&s);
    else if (rc == YES)
        print(&s);
    side_free(&s.now);
    side_free(&s.then);
    return rc;
}
