/*
 * load - clients that remember: a mix of operations through one or more fronts,
 * and whether what they were answered can be
 *
 *      load --front 127.0.0.1:11211 --front 127.0.0.1:11212 --seconds 10
 *
 * Every key is written first, then the mix runs, then every key is read back
 * through every front, twice.  What a key is used for follows from its number:
 *
 *      0 to 4 of 8   values that are set, replaced, cas'ed, touched, never deleted
 *      5             deleted as well, and set too large with --too-large
 *      6             appended and prepended to
 *      7             counted: up only, or up and down
 *
 * It says "ready" when the mix begins, and takes lines meanwhile, each of which
 * it says again when it is in force:
 *
 *      window begin    from now on values may vanish
 *      window end
 *      count           answers "count OPERATIONS FAULTS"
 *      stop            the mix ends
 *
 * At the end a line for each figure, "NAME VALUE", and "fault ..." in words;
 * "get 7 1 0 0 0" says how many were done, absent, present, refused, unknown.
 * Exit status: 0 no fault, 1 some, or a key that no front would give an answer
 * for; 2 an answer that is none; 64 bad options.
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "client.h"
#include "value.h"

#define MAX_FRONTS 16
#define MAX_CLIENTS 1024
#define AGAIN_US 20000          /* what failed is tried again after this */
#define VERIFY_BOUND_US 30000000
#define MOST_PIECES 40
#define LATENCIES 400           /* steps of a tenth of a doubling from 1 us on */

struct options {
    struct sockaddr_in fronts[MAX_FRONTS];
    uint32_t n_fronts, clients, keys, preload, pipeline, too_large, passes, flush_per_million;
    uint64_t rate, seed;
    int64_t seconds, timeout_ms, unknown_lasts_ms;
    char prefix[200];
};

enum phase { FILL, MIX, DRAIN, VERIFY };

/* A client and what it means to do. */
struct player {
    struct client client;
    uint32_t front;
    int64_t due_us;             /* its next operation */
    struct history_op then;     /* what it does next, if `is_then` */
    bool is_then;
    bool again;                 /* it has failed before: the same kind, whatever it is */
    uint64_t token;             /* for a CAS */
};

struct load {
    struct options options;
    struct history *history;
    struct client_shared shared;
    struct player *players;
    uint32_t *n_pieces;         /* by key: appended since it was set, about */
    bool *is_read;              /* by key: answered in this pass */
    enum phase phase;
    uint32_t n_keys;            /* keys of the mix and preloaded ones */
    uint32_t next_key;          /* FILL, VERIFY */
    uint32_t n_left;            /* keys that were not answered yet */
    uint32_t front;             /* VERIFY: through this */
    uint32_t n_absent;          /* VERIFY: in this pass, of those that nobody deletes */
    uint32_t n_missing, n_unread;   /* most in one pass; in all */
    uint64_t random;
    uint64_t n_ended;
    uint64_t latencies[LATENCIES];
    int64_t slowest_us;
    bool is_stopped;
    char line[200];
    size_t line_len;
};

/* xorshift64*, Sebastiano Vigna 2014. */
static uint64_t chance(struct load *l)
{
    l->random ^= l->random >> 12;
    l->random ^= l->random << 25;
    l->random ^= l->random >> 27;
    return (l->random * 2685821657736338717u) >> 16;
}

static bool one_in(struct load *l, uint32_t n)
{
    return chance(l) % n == 0;
}

/* ---- what to do ---- */

static bool is_counted(const struct load *l, uint32_t key)
{
    return key < l->options.keys && key % 8 == 7;
}

static bool is_deleted(const struct load *l, uint32_t key)
{
    return key < l->options.keys && key % 8 == 5;
}

static uint32_t random_len(struct load *l)
{
    const uint64_t dice = chance(l) % 100;
    const uint32_t most = dice < 70 ? 200 : dice < 90 ? 2000 : dice < 98 ? 16000 : 60000;

    return VALUE_MIN_BYTES + (uint32_t)(chance(l) % most);
}

static enum history_kind kind_for(struct load *l, uint32_t key)
{
    const uint64_t dice = chance(l) % 100;

    if (key >= l->options.keys)
        return HISTORY_GET;
    switch (key % 8) {
    default:
        return dice < 60 ? HISTORY_GET : dice < 63 ? HISTORY_GAT : dice < 66 ? HISTORY_TOUCH :
               dice < 70 ? HISTORY_ADD : dice < 75 ? HISTORY_REPLACE : HISTORY_SET;
    case 5:
        return dice < 45 ? HISTORY_GET : dice < 65 ? HISTORY_SET : dice < 78 ? HISTORY_ADD :
               dice < 80 && l->options.too_large > 0 ? HISTORY_DROP : HISTORY_DELETE;
    case 6:
        return dice < 40 || l->n_pieces[key] > MOST_PIECES * 2 ? HISTORY_GET :
               l->n_pieces[key] > MOST_PIECES ? HISTORY_SET :
               dice < 85 ? HISTORY_APPEND : dice < 97 ? HISTORY_PREPEND : HISTORY_SET;
    case 7:
        return dice < 30 ? HISTORY_GET :
               dice < 60 && key / 8 % 2 == 1 ? HISTORY_DECR : HISTORY_INCR;
    }
}

static uint32_t len_of(struct load *l, const struct said *r)
{
    switch (r->op.kind) {
    case HISTORY_DROP:
        return l->options.too_large;
    case HISTORY_APPEND:
    case HISTORY_PREPEND:
        return VALUE_MIN_BYTES + (uint32_t)(chance(l) % 30);
    default:
        return random_len(l);
    }
}

static void begin(struct load *l, struct player *p, const struct history_op *op)
{
    struct said r = { .op = *op, .meta = one_in(l, 2) };

    if (op->kind == HISTORY_SET && is_counted(l, op->key))
        r.op.counter = true;
    if (op->kind == HISTORY_INCR || op->kind == HISTORY_DECR)
        r.op.delta = 1 + (uint32_t)(chance(l) % 9);
    r.token = (op->kind == HISTORY_GET || op->kind == HISTORY_GAT) && op->key % 8 <= 5 &&
              op->key < l->options.keys && one_in(l, 3);
    client_begin(&p->client, &r, len_of(l, &r), p->token);
}

static void mix(struct load *l, struct player *p)
{
    struct history_op op = p->then;

    if (!p->is_then || p->again) {
        const bool again = p->is_then && p->again, is_get = op.kind == HISTORY_GET;

        op = (struct history_op){ .key = op.key };
        if (!again)
            op.key = (uint32_t)(l->options.preload > 0 && one_in(l, 8) ?
                                l->options.keys + chance(l) % l->options.preload :
                                chance(l) % l->options.keys);
        do {
            op.kind = kind_for(l, op.key);
        } while (again && (op.kind == HISTORY_GET) != is_get && op.key < l->options.keys);
        if (l->options.flush_per_million > 0 && chance(l) % 1000000 < l->options.flush_per_million)
            op.kind = HISTORY_FLUSH;
    }
    p->is_then = p->again = false;
    begin(l, p, &op);
}

static void then(struct player *p, enum history_kind kind, uint32_t key)
{
    p->then = (struct history_op){ .kind = kind, .key = key };
    p->is_then = true;
}

static void plan(struct load *l, struct player *p, const struct said *r,
                 const struct history_answer *answer, uint64_t seen)
{
    const uint32_t key = r->op.key;

    if (answer->outcome == HISTORY_REFUSED || answer->outcome == HISTORY_UNKNOWN) {
        then(p, r->op.kind == HISTORY_GET ? HISTORY_GET : HISTORY_SET, key);
        p->again = true;
        p->due_us = now_us() + AGAIN_US;
    } else if (answer->outcome == HISTORY_ABSENT && key < l->options.keys && !is_deleted(l, key)) {
        then(p, HISTORY_SET, key);          /* it must not stay away */
    } else if (r->token && seen != 0 && one_in(l, 2)) {
        then(p, HISTORY_CAS, key);
        p->then.expects = seen;
        p->token = answer->token;
    }
    if (key >= l->options.keys)
        return;
    if (r->op.kind == HISTORY_APPEND || r->op.kind == HISTORY_PREPEND)
        l->n_pieces[key]++;
    else if (r->op.kind == HISTORY_SET && answer->outcome == HISTORY_DONE)
        l->n_pieces[key] = 0;
}

static void note_latency(struct load *l, int64_t us)
{
    size_t step = 0;

    if (us > l->slowest_us)
        l->slowest_us = us;
    for (double at = 1; at < (double)us && step < LATENCIES - 1; at *= 1.0718)
        step++;
    l->latencies[step]++;
}

static void on_ended(struct client *c, const struct said *r,
                     const struct history_answer *answer, uint64_t seen)
{
    struct player *p = c->owner;
    struct load *l = (struct load *)((char *)c->shared - offsetof(struct load, shared));
    const uint32_t key = r->op.key;
    const bool is_answered = answer->outcome != HISTORY_REFUSED &&
                             answer->outcome != HISTORY_UNKNOWN;

    l->n_ended++;
    if (l->phase == MIX)
        note_latency(l, now_us() - r->begun_us);
    if (l->phase == MIX) {
        plan(l, p, r, answer, seen);
    } else if (l->phase != DRAIN && !l->is_read[key] && is_answered) {
        l->is_read[key] = true;
        l->n_left--;
        l->n_absent += answer->outcome == HISTORY_ABSENT && !is_deleted(l, key);
    }
}

/* The next key of a pass that was not answered. */
static void next_of_pass(struct load *l, struct player *p)
{
    struct history_op op = { .kind = l->phase == FILL ? HISTORY_SET : HISTORY_GET };

    for (uint32_t i = 0; i < l->n_keys && l->is_read[l->next_key % l->n_keys]; i++)
        l->next_key++;
    op.key = l->next_key++ % l->n_keys;
    begin(l, p, &op);
    if (l->next_key % l->n_keys == 0)
        p->due_us = now_us() + AGAIN_US;    /* what is left has failed, or is in flight */
}

/* ---- the loop ---- */

static void step(struct load *l, struct player *p, int64_t at_us)
{
    const uint32_t depth = l->phase == MIX ? l->options.pipeline : CLIENT_DEPTH / 2;

    if (p->client.state == CLIENT_DOWN && p->due_us <= at_us) {
        if (l->phase == VERIFY)
            p->front = l->front;
        client_connect(&p->client, &l->options.fronts[p->front]);
        p->front = (p->front + 1) % l->options.n_fronts;    /* if this one fails */
        p->due_us = at_us + AGAIN_US;
    }
    while (p->client.state == CLIENT_UP && client_in_flight(&p->client) < depth &&
           p->due_us <= at_us && l->phase != DRAIN && (l->phase == MIX || l->n_left > 0)) {
        if (l->phase != MIX) {
            next_of_pass(l, p);
            continue;
        }
        if (l->options.rate > 0)
            p->due_us = at_us + (int64_t)(chance(l) % (2 * 1000000 * l->options.clients /
                                                       l->options.rate + 1));
        mix(l, p);
    }
    client_turn(&p->client);
}

static void obey(struct load *l, const char *line)
{
    if (strcmp(line, "window begin") == 0)
        history_window_begin(l->history, HISTORY_ALL_KEYS);
    else if (strcmp(line, "window end") == 0)
        history_window_end(l->history, HISTORY_ALL_KEYS);
    else if (strcmp(line, "stop") == 0)
        l->is_stopped = true;
    if (strcmp(line, "count") == 0)
        printf("count %" PRIu64 " %" PRIu64 "\n", l->n_ended, history_n_faults(l->history));
    else
        printf("%s\n", line);
    fflush(stdout);
}

static void listen_to_stdin(struct load *l)
{
    ssize_t n = read(0, l->line + l->line_len, sizeof(l->line) - 1 - l->line_len);
    char *end;

    if (n <= 0) {
        epoll_ctl(l->shared.epoll, EPOLL_CTL_DEL, 0, NULL);
        return;
    }
    l->line_len += (size_t)n;
    while ((end = memchr(l->line, '\n', l->line_len)) != NULL) {
        *end++ = '\0';
        obey(l, l->line);
        l->line_len -= (size_t)(end - l->line);
        memmove(l->line, end, l->line_len);
    }
}

static int wait_ms(const struct load *l, int64_t at_us)
{
    int64_t due_us = at_us + 10000;

    for (uint32_t i = 0; i < l->options.clients; i++) {
        const struct player *p = &l->players[i];

        if (client_in_flight(&p->client) == 0 && p->due_us < due_us && l->phase != DRAIN)
            due_us = p->due_us;
    }
    return due_us <= at_us ? 0 : (int)((due_us - at_us + 999) / 1000);
}

static void turn(struct load *l)
{
    struct epoll_event events[64];
    int64_t at_us = now_us();
    int n = epoll_wait(l->shared.epoll, events, 64, wait_ms(l, at_us));

    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr == NULL)
            listen_to_stdin(l);
        else
            client_on_event(events[i].data.ptr, events[i].events);
    }
    at_us = now_us();
    for (uint32_t i = 0; i < l->options.clients; i++)
        step(l, &l->players[i], at_us);
}

static void drain(struct load *l)
{
    bool is_busy = true;

    l->phase = DRAIN;
    while (is_busy) {
        is_busy = false;
        turn(l);
        for (uint32_t i = 0; i < l->options.clients; i++)
            is_busy |= client_in_flight(&l->players[i].client) > 0;
    }
}

/* Every key once, until all are answered; how many were not. */
static uint32_t pass(struct load *l, enum phase phase, int64_t bound_us)
{
    const int64_t end_us = now_us() + bound_us;

    l->phase = phase;
    l->next_key = l->n_absent = 0;
    l->n_left = l->n_keys;
    memset(l->is_read, 0, l->n_keys * sizeof(*l->is_read));
    while (l->n_left > 0 && now_us() < end_us)
        turn(l);
    return l->n_left;
}

static void verify(struct load *l)
{
    for (uint32_t i = 0; i < l->options.n_fronts * l->options.passes; i++) {
        drain(l);
        l->front = i % l->options.n_fronts;
        for (uint32_t j = 0; j < l->options.clients; j++)
            client_drop(&l->players[j].client);
        l->n_unread += pass(l, VERIFY, VERIFY_BOUND_US);
        if (l->n_absent > l->n_missing)
            l->n_missing = l->n_absent;
    }
    drain(l);
}

/* ---- what was seen ---- */

static int64_t percentile_us(const struct load *l, double part)
{
    uint64_t n = 0, sum = 0;
    double at = 1;

    for (size_t i = 0; i < LATENCIES; i++)
        n += l->latencies[i];
    for (size_t i = 0; i < LATENCIES; i++, at *= 1.0718) {
        sum += l->latencies[i];
        if ((double)sum >= part * (double)n)
            break;
    }
    return (int64_t)at;
}

static void figure(const char *name, uint64_t value)
{
    printf("%s %" PRIu64 "\n", name, value);
}

static void report(const struct load *l)
{
    const struct history_counts *c = history_counts(l->history);
    const char *said;

    figure("operations", l->n_ended);
    figure("acknowledged", c->acknowledged);
    figure("refused", c->refused);
    figure("unknown", c->unknown);
    figure("hits", c->hits);
    figure("misses", c->misses);
    figure("allowed_misses", c->allowed_misses);
    for (unsigned i = 0; i < HISTORY_N_KINDS; i++) {
        printf("%s", history_kind_name(i));
        for (unsigned j = 0; j < HISTORY_N_OUTCOMES; j++)
            printf(" %" PRIu64, c->kinds[i][j]);
        printf("\n");
    }
    figure("longest_read_outage_ms", (uint64_t)c->longest_read_outage_ms);
    figure("longest_read_outage_key", c->longest_read_outage_key);
    figure("longest_write_outage_ms", (uint64_t)c->longest_write_outage_ms);
    figure("longest_write_outage_key", c->longest_write_outage_key);
    figure("lost_connections", l->shared.n_lost);
    figure("p50_us", (uint64_t)percentile_us(l, 0.5));
    figure("p99_us", (uint64_t)percentile_us(l, 0.99));
    figure("max_us", (uint64_t)l->slowest_us);
    figure("missing_at_end", l->n_missing);
    figure("unread_at_end", l->n_unread);
    for (unsigned i = 0; i < HISTORY_N_FAULTS; i++)
        figure(history_fault_name(i), c->faults[i]);
    for (size_t i = 0; (said = history_fault(l->history, i)) != NULL; i++)
        printf("fault %s\n", said);
    figure("faults", history_n_faults(l->history));
}

/* ---- start ---- */

static void usage(void)
{
    fprintf(stderr, "usage: load --front HOST:PORT [--front ...]\n"
            "  --seconds N        of the mix (10; 0: until told to stop)\n"
            "  --clients N        connections (16)\n"
            "  --keys N           of the mix (160)\n"
            "  --preload N        more keys that are written once and read (0)\n"
            "  --rate N           operations a second in all (0: as fast as it goes)\n"
            "  --pipeline N       in flight on a connection (1)\n"
            "  --timeout N        milliseconds until an operation is given up (5000)\n"
            "  --too-large N      bytes of a value that the server refuses (0: none)\n"
            "  --flush N          flush_all in a million operations (0)\n"
            "  --passes N         times that all is read through each front at the end (2)\n"
            "  --unknown-lasts N  milliseconds after which what was unknown is over (0: never)\n"
            "  --prefix TEXT      of keys (history-PID-)\n"
            "  --seed N           (1)\n");
    exit(64);
}

static uint64_t number(const char *text, uint64_t least, uint64_t most)
{
    uint64_t n;

    if (!num_parse_u64(text, strlen(text), &n) || n < least || n > most)
        usage();
    return n;
}

static void add_front(struct options *o, char *text)
{
    char *colon = strrchr(text, ':');
    struct sockaddr_in *to = &o->fronts[o->n_fronts];

    if (colon == NULL || o->n_fronts == MAX_FRONTS)
        usage();
    *colon = '\0';
    to->sin_family = AF_INET;
    to->sin_port = htons((uint16_t)number(colon + 1, 1, 65535));
    if (inet_pton(AF_INET, text, &to->sin_addr) != 1)
        usage();
    o->n_fronts++;
}

static void read_options(struct options *o, int argc, char **argv)
{
    enum { FRONT, SECONDS, CLIENTS, KEYS, PRELOAD, RATE, PIPELINE, TIMEOUT, TOO_LARGE, FLUSH,
           PASSES, UNKNOWN_LASTS, PREFIX, SEED };
    static const struct option names[] = {
        { "front", 1, NULL, FRONT }, { "seconds", 1, NULL, SECONDS },
        { "clients", 1, NULL, CLIENTS }, { "keys", 1, NULL, KEYS },
        { "preload", 1, NULL, PRELOAD }, { "rate", 1, NULL, RATE },
        { "pipeline", 1, NULL, PIPELINE }, { "timeout", 1, NULL, TIMEOUT },
        { "too-large", 1, NULL, TOO_LARGE }, { "flush", 1, NULL, FLUSH },
        { "passes", 1, NULL, PASSES }, { "unknown-lasts", 1, NULL, UNKNOWN_LASTS },
        { "prefix", 1, NULL, PREFIX }, { "seed", 1, NULL, SEED }, { NULL, 0, NULL, 0 },
    };
    int chosen;

    *o = (struct options){ .clients = 16, .keys = 160, .pipeline = 1, .passes = 2, .seed = 1,
                           .seconds = 10, .timeout_ms = 5000 };
    while ((chosen = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (chosen) {
        case FRONT: add_front(o, optarg); break;
        case SECONDS: o->seconds = (int64_t)number(optarg, 0, 1000000); break;
        case CLIENTS: o->clients = (uint32_t)number(optarg, 1, MAX_CLIENTS); break;
        case KEYS: o->keys = (uint32_t)number(optarg, 8, 10000000); break;
        case PRELOAD: o->preload = (uint32_t)number(optarg, 0, 100000000); break;
        case RATE: o->rate = number(optarg, 0, 100000000); break;
        case PIPELINE: o->pipeline = (uint32_t)number(optarg, 1, CLIENT_DEPTH); break;
        case TIMEOUT: o->timeout_ms = (int64_t)number(optarg, 1, 1000000); break;
        case TOO_LARGE: o->too_large = (uint32_t)number(optarg, 0, 64 << 20); break;
        case FLUSH: o->flush_per_million = (uint32_t)number(optarg, 0, 1000000); break;
        case PASSES: o->passes = (uint32_t)number(optarg, 0, 100); break;
        case UNKNOWN_LASTS: o->unknown_lasts_ms = (int64_t)number(optarg, 0, 1000000); break;
        case PREFIX: snprintf(o->prefix, sizeof(o->prefix), "%s", optarg); break;
        case SEED: o->seed = number(optarg, 0, UINT64_MAX); break;
        default: usage();
        }
    }
    if (o->n_fronts == 0 || optind != argc)
        usage();
}

static void start(struct load *l)
{
    struct options *o = &l->options;
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = NULL };

    if (o->prefix[0] == '\0')
        snprintf(o->prefix, sizeof(o->prefix), "history-%d-", (int)getpid());
    l->n_keys = o->keys + o->preload;
    l->random = o->seed * 0x9e3779b97f4a7c15u + 1;
    l->history = history_new(l->n_keys, o->unknown_lasts_ms);
    l->shared = (struct client_shared){ .history = l->history, .prefix = o->prefix,
                                        .epoll = epoll_create1(EPOLL_CLOEXEC),
                                        .timeout_us = o->timeout_ms * 1000, .ended = on_ended };
    l->players = xzalloc(o->clients * sizeof(*l->players));
    l->n_pieces = xzalloc(o->keys * sizeof(*l->n_pieces));
    l->is_read = xzalloc(l->n_keys * sizeof(*l->is_read));
    epoll_ctl(l->shared.epoll, EPOLL_CTL_ADD, 0, &ev);     /* a file is no news: never mind */
    for (uint32_t i = 0; i < o->clients; i++) {
        client_init(&l->players[i].client, &l->shared, i, &l->players[i]);
        l->players[i].front = i % o->n_fronts;
    }
}

static void stop(struct load *l)
{
    for (uint32_t i = 0; i < l->options.clients; i++)
        client_fini(&l->players[i].client);
    free(l->players);
    free(l->n_pieces);
    free(l->is_read);
    close(l->shared.epoll);
    history_free(l->history);
}

int main(int argc, char **argv)
{
    struct load l = { .phase = FILL };
    int64_t end_us;
    uint64_t n_faults;

    read_options(&l.options, argc, argv);
    start(&l);
    l.n_unread = pass(&l, FILL, VERIFY_BOUND_US + (int64_t)l.n_keys * 100);
    drain(&l);
    l.phase = MIX;
    printf("ready\n");
    fflush(stdout);
    end_us = now_us() + l.options.seconds * 1000000;
    while (!l.is_stopped && (l.options.seconds == 0 || now_us() < end_us))
        turn(&l);
    verify(&l);
    history_finish(l.history, now_us() / 1000);
    report(&l);
    n_faults = history_n_faults(l.history) + l.n_unread;
    stop(&l);
    return n_faults > 0;
}
