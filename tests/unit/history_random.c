/*
 * history: what it says of random histories, beside what every order of the
 * operations says, and of a cache that is simple enough to be right.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "../history/history.h"
#include "../history/value.h"

#define RECORD_BYTES VALUE_MIN_BYTES
#define ABSENT (-1)

static uint64_t random_state;

/* xorshift64*, Sebastiano Vigna 2014: the same numbers in every run. */
static int chance(int n)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (int)((random_state * 2685821657736338717u >> 33) % (uint64_t)n);
}

static size_t put_record(char *out, uint64_t seq, bool piece)
{
    value_write(out, &(struct value_record){ .len = RECORD_BYTES, .seq = seq, .piece = piece });
    return RECORD_BYTES;
}

/* ---- all orders of a few operations ---- */

#define N_OPS 6

struct small {
    enum history_kind kind;
    enum history_outcome outcome;
    int seen;                   /* GET: the operation that wrote it; ABSENT */
    int expects;                /* CAS: the same */
    int begin, end;             /* an end that is unknown holds nobody back */
    uint32_t client;            /* its operations are done in order */
};

static bool is_over(const struct small *op)
{
    return op->outcome != HISTORY_UNKNOWN;
}

/* Does `ops[i]` fit a key that holds `value`?  Then what it holds after it. */
static bool fits(const struct small *ops, int i, int *value)
{
    const struct small *op = &ops[i];
    const bool matches = *value == op->expects;

    if (op->outcome == HISTORY_REFUSED)
        return true;
    switch (op->kind) {
    case HISTORY_GET:
        return !is_over(op) || *value == op->seen;
    case HISTORY_SET:
        *value = i;
        return true;
    case HISTORY_CAS:
        if (op->outcome == HISTORY_PRESENT)
            return *value != ABSENT && !matches;
        if (op->outcome == HISTORY_ABSENT)
            return *value == ABSENT;
        if (matches)
            *value = i;
        return matches || op->outcome == HISTORY_UNKNOWN;
    case HISTORY_DELETE:
        if (op->outcome == HISTORY_ABSENT)
            return *value == ABSENT;
        *value = ABSENT;
        return true;
    default:
        fail();
        return false;
    }
}

/* Is there an order for the operations that are not in `placed`? */
static bool has_order(const struct small *ops, unsigned placed, int value)
{
    bool is_all = true;

    for (int i = 0; i < N_OPS; i++)
        is_all &= (placed >> i & 1) || !is_over(&ops[i]);
    if (is_all)
        return true;
    for (int i = 0; i < N_OPS; i++) {
        bool may_be_next = !(placed >> i & 1);
        int after = value;

        for (int j = 0; j < N_OPS; j++) {
            const bool is_behind = ops[j].end < ops[i].begin ||
                                   (j < i && ops[j].client == ops[i].client);

            if (!(placed >> j & 1) && is_over(&ops[j]) && is_behind)
                may_be_next = false;
        }
        if (may_be_next && fits(ops, i, &after) && has_order(ops, placed | 1u << i, after))
            return true;
    }
    return false;
}

static bool writes(const struct small *op)
{
    return op->kind == HISTORY_SET || op->kind == HISTORY_CAS;
}

/* A write whose value `ops[i]` may name: one that has begun when that ends. */
static int some_write(const struct small *ops, int i, int before)
{
    int found = ABSENT, n = 0;

    for (int j = 0; j < N_OPS; j++) {
        if (j != i && writes(&ops[j]) && ops[j].begin < before && chance(++n) == 0)
            found = j;
    }
    return found;
}

/* The oldest in flight of some client. */
static int some_open(const struct small *ops, const int *open, int n_open)
{
    int at = chance(n_open);

    for (int i = 0; i < n_open; i++)
        if (ops[open[i]].client == ops[open[at]].client && open[i] < open[at])
            at = i;
    return at;
}

static void make(struct small *ops, bool only_sets, int n_clients)
{
    static const enum history_kind kinds[] = { HISTORY_GET, HISTORY_GET, HISTORY_SET,
                                               HISTORY_SET, HISTORY_CAS, HISTORY_DELETE };
    int open[N_OPS], n_open = 0, n_begun = 0, tick = 0;

    while (n_begun < N_OPS || n_open > 0) {
        if (n_begun < N_OPS && (n_open == 0 || chance(2) == 0)) {
            ops[n_begun] = (struct small){
                .kind = kinds[chance(only_sets ? 4 : 6)], .begin = tick,
                .client = (uint32_t)(n_clients == N_OPS ? n_begun : chance(n_clients)),
            };
            open[n_open++] = n_begun++;
        } else {
            int at = some_open(ops, open, n_open);

            ops[open[at]].end = tick;
            open[at] = open[--n_open];
        }
        tick++;
    }
    for (int i = 0; i < N_OPS; i++) {
        struct small *op = &ops[i];

        op->outcome = chance(5) == 0 ? HISTORY_UNKNOWN :
                      chance(8) == 0 && op->kind != HISTORY_GET ? HISTORY_REFUSED : HISTORY_DONE;
        op->seen = some_write(ops, i, op->end);
        op->expects = some_write(ops, i, op->begin);
        if (op->kind == HISTORY_CAS && op->expects == ABSENT)
            op->kind = HISTORY_SET;
        if (op->outcome == HISTORY_DONE && op->kind == HISTORY_GET &&
            (op->seen == ABSENT || chance(5) == 0)) {
            op->outcome = HISTORY_ABSENT;
            op->seen = ABSENT;
        } else if (op->outcome == HISTORY_DONE && op->kind >= HISTORY_CAS && chance(3) == 0) {
            op->outcome = op->kind == HISTORY_CAS && chance(2) == 0 ? HISTORY_PRESENT
                                                                    : HISTORY_ABSENT;
        }
    }
}

static bool is_accused(const struct small *ops)
{
    struct history *h = history_new(1, 0);
    uint32_t handles[N_OPS];
    uint64_t seqs[N_OPS];
    char value[RECORD_BYTES];
    bool accused;

    for (int tick = 0; tick < 2 * N_OPS; tick++) {
        for (int i = 0; i < N_OPS; i++) {
            const struct small *op = &ops[i];
            struct history_answer answer = { .outcome = op->outcome };

            if (op->begin == tick) {
                const uint64_t expects = op->kind == HISTORY_CAS ? seqs[op->expects] : 0;

                handles[i] = history_begin(h, &(struct history_op){ .kind = op->kind,
                                                                    .client = op->client,
                                                                    .expects = expects }, tick);
                seqs[i] = history_seq(h, handles[i]);
            } else if (op->end == tick) {
                if (op->seen != ABSENT)
                    answer.value_len = put_record(value, seqs[op->seen], false);
                answer.value = value;
                history_end(h, handles[i], &answer, tick);
            }
        }
    }
    history_finish(h, 2 * N_OPS);
    accused = history_n_faults(h) > 0;
    history_free(h);
    return accused;
}

static void tell(const struct small *ops)
{
    for (int i = 0; i < N_OPS; i++)
        print_message("# %d: %s of client %u from %d to %d, outcome %d, seen %d, expects %d\n",
                      i, history_kind_name(ops[i].kind), ops[i].client, ops[i].begin,
                      ops[i].end, (int)ops[i].outcome, ops[i].seen, ops[i].expects);
}

static void sets_and_reads_are_accused_when_no_order_fits_them(void **state)
{
    int n_accused = 0;

    (void)state;
    random_state = 1;
    for (int i = 0; i < 100000; i++) {
        struct small ops[N_OPS];
        bool accused;

        make(ops, true, N_OPS);
        accused = is_accused(ops);
        n_accused += accused;
        if (accused == has_order(ops, 0, ABSENT)) {
            tell(ops);
            fail_msg("history %d is %saccused", i, accused ? "" : "not ");
        }
    }
    assert_in_range(n_accused, 20000, 80000);
}

/* Of those that have no order at least so many in a hundred are found. */
static void compare(int n_clients, int least)
{
    int n_accused = 0, n_wrong = 0;

    for (int i = 0; i < 200000; i++) {
        struct small ops[N_OPS];
        bool accused, ordered;

        make(ops, false, n_clients);
        accused = is_accused(ops);
        ordered = has_order(ops, 0, ABSENT);
        n_accused += accused;
        n_wrong += !ordered;
        if (accused && ordered) {
            tell(ops);
            fail_msg("history %d is accused", i);
        }
    }
    print_message("# accused %d of %d\n", n_accused, n_wrong);
    assert_true(n_accused > n_wrong * least / 100);
}

static void what_has_an_order_is_not_accused(void **state)
{
    (void)state;
    random_state = 2;
    compare(N_OPS, 90);
}

static void what_has_the_order_of_each_client_is_not_accused(void **state)
{
    (void)state;
    random_state = 4;
    compare(2, 65);
}

/* ---- a cache that is right ---- */

#define N_CLIENTS 8
#define MOST_RECORDS 30

enum use { VALUES, PIECES, NUMBERS, N_USES };

struct held {
    bool is_there;
    char value[MOST_RECORDS * RECORD_BYTES];
    size_t len;
    uint64_t seq, token, number;
};

/* What a client has asked for; nobody waits for a ghost, but it may be done. */
struct asked {
    enum { IDLE, SENT, APPLIED, GHOST } state;
    struct history_op op;
    uint32_t handle;
    uint64_t seq, token;
    struct history_answer answer;
    struct held saw;
};

struct scene {
    struct history *h;
    enum use use;
    struct held held;
    struct asked clients[N_CLIENTS], ghosts[N_CLIENTS];
    uint64_t last_token, known_seq, known_token;
    bool is_window;
    int now_ms;
};

static enum history_kind some_kind(enum use use)
{
    static const enum history_kind kinds[N_USES][10] = {
        [VALUES] = { HISTORY_GET, HISTORY_GET, HISTORY_SET, HISTORY_ADD, HISTORY_REPLACE,
                     HISTORY_CAS, HISTORY_CAS, HISTORY_TOUCH, HISTORY_DELETE, HISTORY_GAT },
        [PIECES] = { HISTORY_GET, HISTORY_GET, HISTORY_GET, HISTORY_SET, HISTORY_APPEND,
                     HISTORY_APPEND, HISTORY_PREPEND, HISTORY_ADD, HISTORY_DROP, HISTORY_APPEND },
        [NUMBERS] = { HISTORY_GET, HISTORY_INCR, HISTORY_INCR, HISTORY_INCR, HISTORY_DECR,
                      HISTORY_SET, HISTORY_ADD, HISTORY_DELETE, HISTORY_GET, HISTORY_FLUSH },
    };

    return kinds[use][chance(10)];
}

static void ask(struct scene *s, struct asked *a)
{
    *a = (struct asked){ .state = SENT, .token = s->known_token };
    a->op = (struct history_op){ .kind = some_kind(s->use), .counter = s->use == NUMBERS,
                                 .client = (uint32_t)(a - s->clients),
                                 .expects = s->known_seq, .delta = 1 + (uint32_t)chance(3) };
    if (a->op.kind == HISTORY_CAS && s->known_seq == 0)
        a->op.kind = HISTORY_SET;
    if (a->op.kind == HISTORY_DECR && random_state % 3 != 0)
        a->op.kind = HISTORY_INCR;
    if (a->op.kind != HISTORY_CAS)
        a->op.expects = 0;
    a->handle = history_begin(s->h, &a->op, ++s->now_ms);
    a->seq = history_seq(s->h, a->handle);
}

static void hold(struct scene *s, const struct asked *a)
{
    s->held.is_there = true;
    s->held.seq = a->seq;
    s->held.token = ++s->last_token;
    s->held.number = history_number(a->seq);
    s->held.len = put_record(s->held.value, a->seq, false);
}

/* The cache does it, now. */
static enum history_outcome apply(struct scene *s, struct asked *a)
{
    struct held *held = &s->held;
    const bool was_there = held->is_there;

    if (chance(12) == 0)
        return HISTORY_REFUSED;
    switch (a->op.kind) {
    case HISTORY_ADD:
        if (was_there)
            return HISTORY_PRESENT;
        hold(s, a);
        return HISTORY_DONE;
    case HISTORY_SET:
        hold(s, a);
        return HISTORY_DONE;
    case HISTORY_DROP:
    case HISTORY_FLUSH:
        held->is_there = false;
        return HISTORY_DONE;
    default:
        break;
    }
    if (!was_there)
        return HISTORY_ABSENT;
    switch (a->op.kind) {
    case HISTORY_GET:
    case HISTORY_GAT:
        a->saw = *held;
        return HISTORY_DONE;
    case HISTORY_CAS:
        if (a->token != held->token)
            return HISTORY_PRESENT;
        hold(s, a);
        return HISTORY_DONE;
    case HISTORY_REPLACE:
        hold(s, a);
        return HISTORY_DONE;
    case HISTORY_DELETE:
        held->is_there = false;
        return HISTORY_DONE;
    case HISTORY_APPEND:
    case HISTORY_PREPEND:
        if (held->len == sizeof(held->value))
            return HISTORY_REFUSED;
        if (a->op.kind == HISTORY_PREPEND)
            memmove(held->value + RECORD_BYTES, held->value, held->len);
        put_record(held->value + (a->op.kind == HISTORY_PREPEND ? 0 : held->len), a->seq, true);
        held->len += RECORD_BYTES;
        return HISTORY_DONE;
    case HISTORY_INCR:
        held->number += a->op.delta;
        a->answer.number = held->number;
        return HISTORY_DONE;
    case HISTORY_DECR:
        held->number -= a->op.delta;
        a->answer.number = held->number;
        return HISTORY_DONE;
    default:
        return HISTORY_DONE;
    }
}

static void answer(struct scene *s, struct asked *a)
{
    char number[24];
    uint64_t seen;

    if (a->answer.outcome == HISTORY_DONE && a->saw.is_there) {
        a->answer.value = s->use == NUMBERS ? number : a->saw.value;
        a->answer.value_len = s->use != NUMBERS ? a->saw.len :
            (size_t)sprintf(number, "%llu", (unsigned long long)a->saw.number);
        a->answer.token = s->use == VALUES && chance(2) == 0 ? a->saw.token : 0;
    }
    seen = history_end(s->h, a->handle, &a->answer, ++s->now_ms);
    if (seen != 0 && a->answer.token != 0) {
        s->known_seq = seen;
        s->known_token = a->answer.token;
    }
    a->state = IDLE;
}

/* Nobody waits for it any more; it may have been done, or be done one day. */
static void abandon(struct scene *s, struct asked *a)
{
    if (a->state == SENT) {
        s->ghosts[chance(N_CLIENTS)] = *a;
    }
    a->answer = (struct history_answer){ .outcome = HISTORY_UNKNOWN };
    a->saw.is_there = false;
    answer(s, a);
}

static void step(struct scene *s)
{
    struct asked *a = &s->clients[chance(N_CLIENTS)];
    struct asked *ghost = &s->ghosts[chance(N_CLIENTS)];

    if (chance(60) == 0) {
        if (s->is_window)
            history_window_end(s->h, HISTORY_ALL_KEYS);
        else
            history_window_begin(s->h, HISTORY_ALL_KEYS);
        s->is_window = !s->is_window;
    }
    if (s->is_window && chance(20) == 0)
        s->held.is_there = false;
    if (chance(30) == 0 && ghost->state == SENT) {
        apply(s, ghost);
        ghost->state = GHOST;
    }
    if (a->state == IDLE) {
        ask(s, a);
    } else if (chance(40) == 0) {
        abandon(s, a);
    } else if (a->state == SENT) {
        a->answer.outcome = apply(s, a);
        a->state = APPLIED;
    } else {
        answer(s, a);
    }
}

static void a_cache_that_is_right_is_not_accused(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct scene s = { .h = history_new(1, 0), .use = (enum use)(i % N_USES) };

        random_state = 7 + (uint64_t)i;
        for (int j = 0; j < 2000; j++)
            step(&s);
        history_finish(s.h, s.now_ms);
        if (history_n_faults(s.h) > 0)
            fail_msg("scene %d: %s", i, history_fault(s.h, 0));
        history_free(s.h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_and_reads_are_accused_when_no_order_fits_them),
        cmocka_unit_test(what_has_an_order_is_not_accused),
        cmocka_unit_test(what_has_the_order_of_each_client_is_not_accused),
        cmocka_unit_test(a_cache_that_is_right_is_not_accused),
    };

    return cmocka_run_group_tests_name("history_random", tests, NULL, NULL);
}
