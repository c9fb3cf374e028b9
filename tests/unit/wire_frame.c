#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "wire/frame.h"
#include "wire/hello.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

#define K50 "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
#define K250 K50 K50 K50 K50 K50

#define KEY(k) .key = (k), .key_len = sizeof(k) - 1
#define VALUE(v) .value = (v), .value_len = sizeof(v) - 1
#define COMMAND(verb) .op = FRAME_COMMAND + VERB_##verb
#define ANSWER(status) .op = FRAME_ANSWER, .st = STATUS_##status

/* One of each, with all that it may carry. */
static const struct frame frames[] = {
    { .op = FRAME_HELLO, VALUE("hello") },
    { .op = FRAME_MAP, VALUE("a map\0of bytes") },
    { .op = FRAME_MAP, .version = 5 },
    { .op = FRAME_PING, .version = UINT64_MAX },
    { .op = FRAME_PING, VALUE("a member's state") },
    { .op = FRAME_STATS },
    { .op = FRAME_STATS, KEY("reset") },
    { .op = FRAME_CLOCK },
    { .op = FRAME_FLUSH, .version = 77 },
    { .op = FRAME_LIMIT, .number = UINT64_MAX - 1 },
    { .op = FRAME_DIGEST, .number = 5, .version = UINT64_C(7) << 32 | 9 },
    { .op = FRAME_WATCH, .st = 0xff },
    { .op = FRAME_EVENTS, .version = 3, VALUE("events") },
    { .op = FRAME_EVENTS },
    { .op = FRAME_WATCHED, .st = 15 },
    { COMMAND(GET), KEY("k") },
    { COMMAND(GETS), KEY(K250) },
    { COMMAND(GAT), KEY("k"), .ttl_ms = 5 },
    { COMMAND(GATS), KEY("k"), .ttl_ms = TTL_OVER },
    { COMMAND(SET), KEY("k"), .client_flags = UINT32_MAX, .ttl_ms = INT64_MAX, VALUE("v") },
    { COMMAND(SET), KEY(K250), .ttl_ms = INT64_MIN },
    { COMMAND(ADD), KEY("k"), VALUE("\0\r\n") },
    { COMMAND(REPLACE), KEY("k"), VALUE("v") },
    { COMMAND(APPEND), KEY("k"), VALUE("v") },
    { COMMAND(PREPEND), KEY("k"), VALUE("v") },
    { COMMAND(CAS), KEY("k"), .version = 9, VALUE("v") },
    { COMMAND(DELETE), KEY("k") },
    { COMMAND(INCR), KEY("k"), .number = 1 },
    { COMMAND(DECR), KEY("k"), .number = UINT64_MAX },
    { COMMAND(TOUCH), KEY("k"), .ttl_ms = 1 },
    { COMMAND(GET), KEY("k"), .version = 7,
      .options = OPTION_WIN | OPTION_NO_VALUE | OPTION_NO_USE | OPTION_COMPARE },
    { COMMAND(GET), KEY("k"), .options = OPTION_VIVIFY, .vivify_ttl_ms = INT64_MIN },
    { COMMAND(GATS), KEY("k"), .options = OPTION_RECACHE | OPTION_TTL_FIRST, .ttl_ms = 5,
      .recache_ttl_ms = INT64_MAX },
    { COMMAND(SET), KEY("k"), .options = OPTION_TOKEN | OPTION_KEY_ENCODED,
      .token = UINT64_MAX, .client_flags = 1, .ttl_ms = 2, VALUE("v") },
    { COMMAND(CAS), KEY(K250), .options = OPTION_INVALIDATE, .version = 8, VALUE("v") },
    { COMMAND(DELETE), KEY("k"), .options = OPTION_REMOVE_VALUE | OPTION_TTL,
      .client_flags = UINT32_MAX, .ttl_ms = TTL_OVER, .version = 9 },
    { COMMAND(INCR), KEY("k"), .options = OPTION_VIVIFY | OPTION_TTL, .number = 3,
      .initial = UINT64_MAX, .vivify_ttl_ms = 4, .ttl_ms = 5 },
    { COMMAND(APPEND), KEY("k"), .options = OPTIONS_ALL, .version = 1, .client_flags = 2,
      .ttl_ms = 3, .token = 4, .initial = 5, .vivify_ttl_ms = 6, .recache_ttl_ms = 7,
      VALUE("v") },
    { COMMAND(GET), KEY("k"), .flags = FRAME_AS_COPY },
    { COMMAND(SET), KEY(K250), .flags = FRAME_COPIES, VALUE("v") },
    { COMMAND(GAT), KEY("k"), .flags = FRAME_FLAGS_ALL, .options = OPTION_TTL, .ttl_ms = 1 },
    { .op = FRAME_APPLY, .st = COPY_VALUE, KEY("k"), .version = 4, .client_flags = 1,
      .ttl_ms = INT64_MAX, VALUE("value") },
    { .op = FRAME_APPLY, .st = COPY_VALUE | FRAME_ANY_AGE | FRAME_RENEW, KEY(K250),
      .marks = MARKS_OF_COPY, .version = UINT64_MAX, .token = 3, .idle_s = UINT32_MAX },
    { .op = FRAME_APPLY, .st = COPY_DELETED, KEY("k"), .version = 5 },
    { .op = FRAME_APPLY, .st = COPY_DELETED | FRAME_ANY_AGE, KEY("k"), .version = 5 },
    { .op = FRAME_APPLY, .st = COPY_TOUCHED, KEY("k"), .version = 6, .ttl_ms = 7 },
    { .op = FRAME_USED, KEY("k") },
    { .op = FRAME_CONFIRM, .version = 16 },
    { .op = FRAME_APPLIED, .st = APPLIED },
    { .op = FRAME_APPLIED, .st = APPLIED_REFUSED },
    { .op = FRAME_TOLD, .st = COPY_VALUE, .marks = MARK_TOKEN, .version = 4, .token = 3,
      VALUE("value") },
    { .op = FRAME_TOLD, .st = COPY_VALUE | FRAME_ANY_AGE | FRAME_RENEW, .version = 4,
      .idle_s = 1 },
    { .op = FRAME_TOLD, .st = COPY_DELETED, .version = 4 },
    { .op = FRAME_TOLD, .st = COPY_TOUCHED, .version = 4, .ttl_ms = 5 },
    { ANSWER(HIT), .version = 3, .client_flags = 1, .ttl_ms = 2, VALUE("value") },
    { ANSWER(HIT), .version = 3, .marks = MARK_STALE | MARK_WIN, .idle_s = UINT32_MAX },
    { ANSWER(HIT), .marks = MARKS_ALL, .version = 1, .client_flags = 2, .ttl_ms = 3,
      .idle_s = 4, .token = UINT64_MAX, VALUE("value") },
    { ANSWER(HEAD), .version = 3, .client_flags = 1, .ttl_ms = 2, .idle_s = 4,
      .number = UINT64_MAX },
    { ANSWER(HEAD), .marks = MARK_TOKEN, .token = 5, .number = 6 },
    { ANSWER(NUMBER), .marks = MARK_TOKEN | MARK_CREATED, .token = 5, .number = 6,
      .ttl_ms = 7, .version = 8 },
    { ANSWER(STORED), .marks = MARK_TOKEN, .token = 5, .number = 6, .version = 7 },
    { ANSWER(NOT_FOUND), .marks = MARK_TOKEN },
    { ANSWER(NOT_FOUND), .marks = MARK_OPEN, .version = 4 },
    { ANSWER(HIT), .version = 3 },
    { ANSWER(NOT_FOUND) },
    { ANSWER(STORED), .version = 4 },
    { ANSWER(NOT_STORED) },
    { ANSWER(EXISTS), .version = 4 },
    { ANSWER(DELETED) },
    { ANSWER(TOUCHED) },
    { ANSWER(NUMBER), .number = UINT64_MAX },
    { ANSWER(NON_NUMERIC) },
    { ANSWER(TOO_LARGE) },
    { ANSWER(NO_MEMORY) },
    { .op = FRAME_DONE, .version = 8, VALUE("curr_items 3\n") },
    { .op = FRAME_DONE },
    { .op = FRAME_REFUSED, .st = REFUSED_HELLO, VALUE("why") },
    { .op = FRAME_REFUSED, .st = REFUSED_NOT_OWNER },
};

/* The whole frame, in a block of just its size. */
static char *bytes_of(const struct frame *f, size_t *len)
{
    size_t head = frame_head_len(f);
    char *data = malloc(head + f->value_len);

    assert_non_null(data);
    assert_ptr_equal(frame_put(data, f), data + head);
    if (f->value_len > 0)
        memcpy(data + head, f->value, f->value_len);
    *len = head + f->value_len;
    return data;
}

static bool is_command(const struct frame *f)
{
    return f->op >= FRAME_COMMAND && f->op < FRAME_COMMAND + N_KEYED_VERBS;
}

static void check_equal(const struct frame *a, const struct frame *b)
{
    assert_int_equal(a->op, b->op);
    if (!is_command(a))         /* there it is some of the options */
        assert_int_equal(a->st, b->st);
    assert_int_equal(a->options, b->options);
    assert_int_equal(a->flags, b->flags);
    assert_int_equal(a->marks, b->marks);
    assert_int_equal(a->token, b->token);
    assert_int_equal(a->initial, b->initial);
    assert_int_equal(a->vivify_ttl_ms, b->vivify_ttl_ms);
    assert_int_equal(a->recache_ttl_ms, b->recache_ttl_ms);
    assert_int_equal(a->idle_s, b->idle_s);
    assert_int_equal(a->version, b->version);
    assert_int_equal(a->client_flags, b->client_flags);
    assert_int_equal(a->ttl_ms, b->ttl_ms);
    assert_int_equal(a->number, b->number);
    assert_int_equal(a->key_len, b->key_len);
    assert_int_equal(a->value_len, b->value_len);
    if (b->key_len > 0)
        assert_memory_equal(a->key, b->key, b->key_len);
    if (b->value_len > 0)
        assert_memory_equal(a->value, b->value, b->value_len);
}

static void every_frame_is_read_as_it_was_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(frames); i++) {
        size_t len;
        char *data = bytes_of(&frames[i], &len);
        struct frame f;

        memset(&f, 0xa5, sizeof(f));    /* whatever was there is overwritten */
        assert_int_equal(frame_read(data, len, &f), FRAME_WHOLE);
        assert_int_equal(f.len, len);
        check_equal(&f, &frames[i]);
        free(data);
    }
}

/* Cut at every byte: more is asked for, and how much is said as soon as it is known. */
static void a_cut_frame_says_how_long_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(frames); i++) {
        size_t len;
        char *data = bytes_of(&frames[i], &len);

        for (size_t cut = 0; cut < len; cut++) {
            char *piece = malloc(cut + 1);      /* 0 bytes are no block */
            struct frame f;

            assert_non_null(piece);
            memcpy(piece + 1, data, cut);
            assert_int_equal(frame_read(piece + 1, cut, &f), FRAME_MORE);
            assert_int_equal(f.len, cut < FRAME_HEAD ? FRAME_HEAD : len);
            free(piece);
        }
        free(data);
    }
}

/* The head alone tells; nothing behind it is waited for. */
static void a_head_that_cannot_be_is_bad_at_once(void **state)
{
    static const struct {
        uint8_t op, st;
        uint16_t key_len;
        uint32_t body;
    } cases[] = {
        { 0x00, 0, 0, 0 },                              /* no such op */
        { 0x41, 0, 0, 0 },
        { 0x58, 0, 0, 0 },                              /* kept for later */
        { FRAME_COMMAND + VERB_FLUSH_ALL, 0, 1, 1 },    /* no keyed verb */
        { FRAME_COMMAND + VERB_QUIT, 0, 0, 0 },
        { 0x86, 0, 0, 0 },
        { 0xff, 0, 0, 0 },
        { FRAME_COMMAND + VERB_GET, 0, 0, 0 },          /* no key */
        { FRAME_COMMAND + VERB_GET, 0, 251, 251 },      /* too long a key */
        { FRAME_COMMAND + VERB_GET, 0, 65535, 65535 },
        { FRAME_COMMAND + VERB_GET, 0, 5, 4 },          /* longer than its frame */
        { FRAME_COMMAND + VERB_GET, 0, 1, 2 },          /* a value that none has */
        { FRAME_COMMAND + VERB_SET, 0, 1, 12 },         /* fields cut off */
        { FRAME_COMMAND + VERB_INCR, 0, 1, 8 },
        { FRAME_COMMAND + VERB_INCR, 0, 1, 10 },
        { FRAME_COMMAND + VERB_SET, 0, 1, UINT32_MAX }, /* longer than any value */
        { FRAME_HELLO, 0, 1, 1 },                       /* a key where none is */
        { FRAME_HELLO, 0, 0, FRAME_VALUE_LIMIT + 1 },
        { FRAME_CLOCK, 0, 0, 1 },
        { FRAME_WATCH, 0, 0, 1 },
        { FRAME_EVENTS, 0, 1, 1 },
        { FRAME_WATCHED, 0, 0, 1 },
        { FRAME_LIMIT, 0, 0, 7 },
        { FRAME_LIMIT, 0, 0, 9 },
        { FRAME_STATS, 0, 251, 251 },
        { FRAME_ANSWER, STATUS_HIT, 0, 15 },
        { FRAME_ANSWER, STATUS_HIT, MARK_TOKEN, 23 },
        { FRAME_ANSWER, STATUS_HEAD, 0, 23 },
        { FRAME_ANSWER, STATUS_HEAD, 0, 25 },
        { FRAME_ANSWER, STATUS_HEAD, MARK_TOKEN, 31 },
        { FRAME_ANSWER, STATUS_NUMBER, 0, 0 },
        { FRAME_ANSWER, STATUS_NUMBER, 0, 19 },
        { FRAME_ANSWER, STATUS_NUMBER, MARK_TOKEN, 27 },
        { FRAME_ANSWER, STATUS_STORED, 0, 7 },
        { FRAME_ANSWER, STATUS_STORED, 0, 9 },
        { FRAME_ANSWER, STATUS_STORED, MARK_TOKEN, 15 },
        { FRAME_ANSWER, STATUS_NOT_FOUND, MARK_TOKEN, 8 },
        { FRAME_ANSWER, STATUS_NOT_FOUND, 0x100, 0 },   /* marks that nobody knows */
        { FRAME_ANSWER, STATUS_HIT, 0x100, 24 },
        { FRAME_ANSWER, STATUS_HIT, 0xff00, 24 },
        { FRAME_COMMAND + VERB_GET, 0, 0x801, 1 },      /* flags that nobody knows */
        { FRAME_COMMAND + VERB_GET, 0, 0x8001, 1 },
        { FRAME_COMMAND + VERB_GET, 0, 0x100, 0 },      /* flags and no key */
        { FRAME_COMMAND + VERB_GET, 0, 0x1fb, 251 },
        { FRAME_STATS, 0, 0x101, 1 },                   /* flags where none are */
        { FRAME_HELLO, 0, 0x100, 0 },
        { FRAME_USED, 0, 0x101, 1 },
        { FRAME_USED, 0, 0, 0 },
        { FRAME_USED, 0, 1, 2 },
        { FRAME_CONFIRM, 0, 0, 1 },
        { FRAME_CONFIRM, 0, 1, 1 },
        { FRAME_APPLY, COPY_VALUE, 0, 12 },             /* a copy of nothing */
        { FRAME_APPLY, COPY_VALUE, 1, 12 },             /* fields cut off */
        { FRAME_APPLY, COPY_VALUE | FRAME_ANY_AGE, 1, 16 },
        { FRAME_APPLY, COPY_VALUE, MARK_TOKEN << 8 | 1, 20 },
        { FRAME_APPLY, COPY_TOUCHED, 1, 12 },
        { FRAME_APPLY, COPY_TOUCHED, 1, 14 },           /* a value that it cannot have */
        { FRAME_APPLY, COPY_DELETED, 1, 2 },
        { FRAME_APPLY, COPY_DELETED, MARK_STALE << 8 | 1, 1 },
        { FRAME_APPLY, COPY_VALUE, MARK_WIN << 8 | 1, 13 },
        { FRAME_APPLY, COPY_VALUE, MARK_CREATED << 8 | 1, 13 },
        { FRAME_APPLY, COPY_VALUE, MARK_OPEN << 8 | 1, 13 },
        { FRAME_APPLY, COPY_TOUCHED + 1, 1, 1 },        /* no such kind */
        { FRAME_APPLY, 0x40, 1, 13 },
        { FRAME_APPLY, 0x80, 1, 13 },
        { FRAME_TOLD, COPY_VALUE, 1, 13 },              /* its key is known */
        { FRAME_TOLD, COPY_TOUCHED + 1, 0, 12 },
        { FRAME_APPLIED, APPLIED_LAST + 1, 0, 0 },
        { FRAME_APPLIED, APPLIED, 0, 1 },
        { FRAME_COMMAND + VERB_GET, 0x80, 1, 48 },      /* arguments cut off */
        { FRAME_COMMAND + VERB_DELETE, 0x80, 1, 48 },
        { FRAME_COMMAND + VERB_INCR, 0x80, 1, 56 },
        { FRAME_COMMAND + VERB_INCR, 0x80, 1, 58 },
        { FRAME_COMMAND + VERB_GET, 0x3f, 1, 2 },       /* options without any */
        { FRAME_COMMAND + VERB_DELETE, OPTION_REMOVE_VALUE, 1, 12 },
        { FRAME_ANSWER, STATUS_STORED, 0, 1 },
        { FRAME_ANSWER, STATUS_STORED, 3, 3 },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        char *head = malloc(FRAME_HEAD), *p;
        struct frame f;

        assert_non_null(head);
        p = bytes_put_u32(head, cases[i].body);
        *p++ = (char)cases[i].op;
        *p++ = (char)cases[i].st;
        p = bytes_put_u16(p, cases[i].key_len);
        bytes_put_u64(p, 0);
        if (frame_read(head, FRAME_HEAD, &f) != FRAME_BAD)
            fail_msg("case %zu is not bad", i);
        free(head);
    }
}

static void the_longest_value_is_awaited(void **state)
{
    char head[FRAME_HEAD] = { 0 };
    struct frame f;

    (void)state;
    bytes_put_u32(head, FRAME_VALUE_LIMIT);
    head[4] = (char)FRAME_MAP;
    assert_int_equal(frame_read(head, sizeof(head), &f), FRAME_MORE);
    assert_int_equal(f.len, FRAME_HEAD + FRAME_VALUE_LIMIT);
}

static void a_command_travels(void **state)
{
    static const struct cmd commands[] = {
        { .verb = VERB_GET, KEY("k") },
        { .verb = VERB_GATS, KEY("k"), .ttl_ms = 7 },
        { .verb = VERB_SET, KEY("k"), .client_flags = 3, .ttl_ms = 9, VALUE("v") },
        { .verb = VERB_CAS, KEY("k"), .cas = 11, VALUE("v") },
        { .verb = VERB_INCR, KEY("k"), .delta = 12 },
        { .verb = VERB_DELETE, KEY("k") },
        { .verb = VERB_GET, KEY("k"), .options = OPTION_WIN | OPTION_COMPARE, .cas = 11 },
        { .verb = VERB_DELETE, KEY("k"), .options = OPTION_REMOVE_VALUE, .client_flags = 3 },
        { .verb = VERB_DELETE, KEY("k"), .options = OPTION_REMOVE_VALUE | OPTION_TTL,
          .client_flags = 3, .ttl_ms = 9 },
        { .verb = VERB_INCR, KEY("k"), .options = OPTIONS_ALL, .delta = 1, .client_flags = 2,
          .ttl_ms = 3, .vivify_ttl_ms = 4, .recache_ttl_ms = 5, .cas = 6, .token = 7,
          .initial = 8 },
        { .verb = VERB_SET, KEY("k"), .copies = true, VALUE("v") },
        { .verb = VERB_GET, KEY("k"), .as_copy = true },
        { .verb = VERB_TOUCH, KEY("k"), .copies = true, .pending = true },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(commands); i++) {
        const struct cmd *want = &commands[i];
        struct frame f, g;
        struct cmd cmd;
        size_t len;
        char *data;

        frame_from_cmd(&f, want);
        data = bytes_of(&f, &len);
        assert_int_equal(frame_read(data, len, &g), FRAME_WHOLE);
        frame_to_cmd(&g, &cmd);
        assert_int_equal(cmd.verb, want->verb);
        assert_int_equal(cmd.error, CMD_OK);
        assert_int_equal(cmd.copies, want->copies);
        assert_int_equal(cmd.pending, want->pending);
        assert_int_equal(cmd.as_copy, want->as_copy);
        assert_int_equal(cmd.key_len, want->key_len);
        assert_memory_equal(cmd.key, want->key, want->key_len);
        assert_int_equal(cmd.client_flags, want->client_flags);
        assert_int_equal(cmd.ttl_ms, want->ttl_ms);
        assert_int_equal(cmd.delta, want->delta);
        assert_int_equal(cmd.value_len, want->value_len);
        assert_int_equal(cmd.cas, want->cas);
        assert_int_equal(cmd.options, want->options);
        assert_int_equal(cmd.vivify_ttl_ms, want->vivify_ttl_ms);
        assert_int_equal(cmd.recache_ttl_ms, want->recache_ttl_ms);
        assert_int_equal(cmd.token, want->token);
        assert_int_equal(cmd.initial, want->initial);
        free(data);
    }
}

static void an_answer_travels_and_a_strange_status_does_not(void **state)
{
    struct answer hit = { .status = STATUS_HIT, .version = 5, .client_flags = 6, .ttl_ms = 7,
                          .marks = MARKS_ALL, .token = 8, .idle_s = 9, .number = 10,
                          VALUE("value") };
    struct answer got;
    struct frame f;

    (void)state;
    frame_from_answer(&f, &hit);
    assert_true(frame_to_answer(&f, &got));
    assert_int_equal(got.status, STATUS_HIT);
    assert_int_equal(got.version, 5);
    assert_int_equal(got.client_flags, 6);
    assert_int_equal(got.ttl_ms, 7);
    assert_int_equal(got.value_len, 5);
    assert_int_equal(got.marks, MARKS_ALL);
    assert_int_equal(got.token, 8);
    assert_int_equal(got.idle_s, 9);
    assert_int_equal(got.number, 10);

    hit.status = STATUS_HEAD;                   /* its value stays where it is */
    frame_from_answer(&f, &hit);
    assert_int_equal(f.value_len, 0);

    f = (struct frame){ .op = FRAME_ANSWER, .st = N_STATUSES };
    assert_false(frame_to_answer(&f, &got));
    f = (struct frame){ .op = FRAME_DONE, .st = STATUS_STORED };
    assert_false(frame_to_answer(&f, &got));
}

/* Straight from what a store says, or by way of a frame: the same bytes. */
static void an_answer_is_written_as_its_frame_would_be(void **state)
{
    (void)state;
    for (unsigned status = 0; status < N_STATUSES; status++) {
        for (unsigned marks = 0; marks <= MARKS_ALL; marks++) {
            const struct answer a = {
                .status = (enum status)status, .version = 1ull << 62 | 5, .marks = marks,
                .client_flags = 0xfedcba98, .ttl_ms = -7, .token = 1ull << 63 | 8,
                .idle_s = 0x89abcdef, .number = UINT64_MAX - 10, VALUE("value"),
            };
            char direct[FRAME_HEAD + FRAME_FIELDS_MAX], *by_frame;
            struct frame f;
            size_t len, whole;

            frame_from_answer(&f, &a);
            by_frame = bytes_of(&f, &whole);
            len = frame_head_len(&f);
            assert_ptr_equal(frame_put_answer(direct, &a), direct + len);
            assert_memory_equal(direct, by_frame, len);
            assert_int_equal(frame_read(by_frame, whole, &f), FRAME_WHOLE);
            free(by_frame);
        }
    }
}

static void a_get_is_written_as_its_frame_would_be(void **state)
{
    static char key[KEY_MAX];
    char direct[FRAME_HEAD + KEY_MAX];

    (void)state;
    memset(key, 'k', sizeof(key));
    for (unsigned verb = VERB_GET; verb <= VERB_GETS; verb++) {
        for (size_t key_len = 1; key_len <= KEY_MAX; key_len++) {
            const struct cmd cmd = { .verb = (enum verb)verb, .key = key, .key_len = key_len };
            struct frame f;
            size_t len;
            uint8_t got_len;
            char *by_frame;

            frame_from_cmd(&f, &cmd);
            by_frame = bytes_of(&f, &len);
            assert_ptr_equal(frame_put_get(direct, (enum verb)verb, key, key_len), direct + len);
            assert_memory_equal(direct, by_frame, len);
            assert_ptr_equal(frame_next_get(direct, &got_len), direct + len);
            assert_int_equal(got_len, key_len);
            free(by_frame);
        }
    }
}

static void check_copy(const struct copy *got, const struct copy *want)
{
    assert_int_equal(got->kind, want->kind);
    assert_int_equal(got->any_age, want->any_age);
    assert_int_equal(got->renew, want->renew);
    assert_int_equal(got->marks, want->marks);
    assert_int_equal(got->version, want->version);
    assert_int_equal(got->token, want->token);
    assert_int_equal(got->client_flags, want->client_flags);
    assert_int_equal(got->ttl_ms, want->ttl_ms);
    assert_int_equal(got->idle_s, want->idle_s);
    assert_int_equal(got->value_len, want->value_len);
    if (want->value_len > 0)
        assert_memory_equal(got->value, want->value, want->value_len);
}

static void a_copy_travels_with_its_key_and_is_told_without(void **state)
{
    static const struct copy copies[] = {
        { COPY_VALUE, KEY("k"), .version = 1, VALUE("v") },
        { COPY_VALUE, KEY("k"), .version = 1, .client_flags = 2, .ttl_ms = TTL_OVER, VALUE("v") },
        { COPY_VALUE, KEY(K250), .any_age = true, .renew = true, .marks = MARKS_OF_COPY,
          .version = UINT64_MAX, .token = 3, .client_flags = 4, .ttl_ms = 5, .idle_s = 6 },
        { COPY_DELETED, KEY("k"), .version = 1 },
        { COPY_DELETED, KEY("k"), .any_age = true, .version = 1 },
        { COPY_TOUCHED, KEY("k"), .version = 1, .ttl_ms = INT64_MAX },
    };

    (void)state;
    for (size_t i = 0; i < 2 * N_OF(copies); i++) {
        const struct copy *want = &copies[i / 2];
        const bool told = i % 2 == 1;
        struct frame f, g;
        struct copy got;
        size_t len;
        char *data;

        frame_from_copy(&f, told ? FRAME_TOLD : FRAME_APPLY, want);
        data = bytes_of(&f, &len);
        assert_int_equal(frame_read(data, len, &g), FRAME_WHOLE);
        frame_to_copy(&g, &got);
        check_copy(&got, want);
        assert_int_equal(got.key_len, told ? 0 : want->key_len);
        assert_memory_equal(got.key, want->key, got.key_len);
        free(data);
    }
}

/* It says nothing of what it cannot carry. */
static void a_copy_is_no_more_than_its_kind(void **state)
{
    static const enum copy_kind kinds[] = { COPY_VALUE, COPY_DELETED, COPY_TOUCHED };

    (void)state;
    for (size_t i = 0; i < N_OF(kinds); i++) {
        const struct copy full = { kinds[i], KEY("k"), .open = true, .marks = MARKS_ALL,
                                   .version = 1, .token = 2, .client_flags = 3, .ttl_ms = 4,
                                   .idle_s = 5, VALUE("v") };
        struct frame f, g;
        size_t len;
        char *data;

        frame_from_copy(&f, FRAME_APPLY, &full);
        data = bytes_of(&f, &len);
        assert_int_equal(frame_read(data, len, &g), FRAME_WHOLE);
        assert_int_equal(g.marks, kinds[i] == COPY_VALUE ? MARKS_OF_COPY : 0);
        assert_int_equal(g.ttl_ms, kinds[i] == COPY_DELETED ? 0 : 4);
        assert_int_equal(g.value_len, kinds[i] == COPY_VALUE);
        assert_int_equal(g.idle_s, 0);
        free(data);
    }
}

static void what_was_sent_is_a_copy_when_nothing_else_is_told(void **state)
{
    static const struct { struct cmd cmd; struct answer a; struct copy copy; } cases[] = {
        { { VERB_SET, .client_flags = 1, .ttl_ms = 2, VALUE("v") },
          { STATUS_STORED, .marks = MARK_OPEN, .version = 3 },
          { COPY_VALUE, .version = 3, .client_flags = 1, .ttl_ms = 2, VALUE("v") } },
        { { VERB_ADD, .options = OPTION_KEY_ENCODED | OPTION_TOKEN, .token = 4, VALUE("v") },
          { STATUS_STORED, .marks = MARK_OPEN | MARK_TOKEN, .version = 3, .token = 4 },
          { COPY_VALUE, .marks = MARK_KEY_ENCODED | MARK_TOKEN, .version = 3, .token = 4,
            VALUE("v") } },
        { { VERB_CAS, .ttl_ms = TTL_OVER, .cas = 1, VALUE("v") },
          { STATUS_STORED, .marks = MARK_OPEN, .version = 3 },
          { COPY_DELETED, .version = 3 } },
        { { .verb = VERB_DELETE }, { STATUS_DELETED, .marks = MARK_OPEN, .version = 3 },
          { COPY_DELETED, .version = 3 } },
        { { VERB_SET, VALUE("v") }, { STATUS_TOO_LARGE, .marks = MARK_OPEN, .version = 3 },
          { COPY_DELETED, .version = 3 } },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        struct cmd cmd = cases[i].cmd;
        struct copy copy;

        cmd.key = "key";
        cmd.key_len = 3;
        copy_of_sent(&copy, &cmd, &cases[i].a);
        check_copy(&copy, &cases[i].copy);
        assert_ptr_equal(copy.key, cmd.key);
        assert_int_equal(copy.key_len, 3);
    }
}

/* Whoever sends more knows options that we do not. */
static void options_that_nobody_knows_are_dropped(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit <= 32; bit++) {
        const unsigned options = bit < 32 ? 1u << bit | OPTION_TOKEN : UINT_MAX;
        const struct frame sent = { COMMAND(TOUCH), KEY("k"), .options = options };
        size_t len;
        char *data = bytes_of(&sent, &len);
        struct frame f;

        bytes_put_u32(data + FRAME_HEAD + 1 + 12, options >> 8);
        assert_int_equal(frame_read(data, len, &f), FRAME_WHOLE);
        assert_int_equal(f.options, options & OPTIONS_ALL);
        free(data);
    }
}

static void options_without_an_argument_cost_nothing(void **state)
{
    (void)state;
    for (unsigned v = 0; v < N_KEYED_VERBS; v++) {
        const struct frame plain = { .op = (uint8_t)(FRAME_COMMAND + v), KEY("k") };
        struct frame with = plain;

        with.options = OPTIONS_ALL & ~(OPTIONS_WITH_ARGUMENT | OPTION_REMOVE_VALUE);
        assert_int_equal(frame_head_len(&with), frame_head_len(&plain));
        with.options = OPTION_TTL;
        assert_true(frame_head_len(&with) > frame_head_len(&plain));
        assert_true(frame_head_len(&with) <= FRAME_HEAD + 1 + FRAME_FIELDS_MAX);
    }
}

/* hello */

static const struct hello full = {
    .least = 1, .most = 3, .role = HELLO_FRONT, .cluster = "chcached", .name = "front-1",
    .number = 1023, .epoch = 4, .digest = UINT64_MAX, .wall_ms = INT64_MAX,
    .flush_version = 9, .incarnation = 7, .proof_len = 3, .proof = { 1, 0, 255 },
};

static void a_hello_is_read_as_it_was_written(void **state)
{
    struct hello longest = full, empty = { .least = 1, .most = 1 };
    const struct hello *cases[] = { &full, &longest, &empty };

    (void)state;
    memset(longest.cluster, 'c', HELLO_NAME_MAX);
    memset(longest.name, 'n', HELLO_NAME_MAX);
    longest.proof_len = HELLO_PROOF_MAX;
    for (size_t i = 0; i < N_OF(cases); i++) {
        const struct hello *want = cases[i];
        char value[HELLO_LEN_MAX];
        size_t len = hello_put(value, want);
        struct hello h;

        assert_in_range(len, 1, HELLO_LEN_MAX);
        assert_true(hello_read(value, len, &h));
        assert_int_equal(h.least, want->least);
        assert_int_equal(h.most, want->most);
        assert_int_equal(h.role, want->role);
        assert_string_equal(h.cluster, want->cluster);
        assert_string_equal(h.name, want->name);
        assert_int_equal(h.number, want->number);
        assert_int_equal(h.epoch, want->epoch);
        assert_int_equal(h.digest, want->digest);
        assert_int_equal(h.wall_ms, want->wall_ms);
        assert_int_equal(h.flush_version, want->flush_version);
        assert_int_equal(h.incarnation, want->incarnation);
        assert_int_equal(h.proof_len, want->proof_len);
        assert_memory_equal(h.proof, want->proof, want->proof_len);
    }
}

static void what_is_no_hello_is_refused(void **state)
{
    static const struct { size_t at; char byte; } damages[] = {
        { 0, 'x' },             /* the magic */
        { 9, HELLO_NAME_MAX + 1 },
        { 9, 7 },               /* lengths that do not sum up */
        { 10, HELLO_NAME_MAX + 1 },
        { 10, 100 },
        { 11, HELLO_PROOF_MAX + 1 },
        { 11, 4 },
        { 56, '\0' },           /* a NUL in the cluster's name, */
        { 64, '\0' },           /* in the member's */
    };
    char value[HELLO_LEN_MAX];
    size_t len = hello_put(value, &full);
    struct hello h;

    (void)state;
    for (size_t i = 0; i < N_OF(damages); i++) {
        char *bad = malloc(len);

        assert_non_null(bad);
        memcpy(bad, value, len);
        bad[damages[i].at] = damages[i].byte;
        if (hello_read(bad, len, &h))
            fail_msg("case %zu was read", i);
        free(bad);
    }
    for (size_t cut = 0; cut < len; cut++) {
        char *piece = malloc(cut + 1);

        assert_non_null(piece);
        memcpy(piece + 1, value, cut);
        assert_false(hello_read(piece + 1, cut, &h));
        free(piece);
    }
}

/* Lengths that agree with each other, and with no room there is for them. */
static void a_hello_with_too_long_a_name_is_refused(void **state)
{
    enum { LENGTHS_AT = 9, FIXED = 56 };
    static const uint8_t most[3] = { HELLO_NAME_MAX, HELLO_NAME_MAX, HELLO_PROOF_MAX };
    char value[HELLO_LEN_MAX];
    struct hello h;

    (void)state;
    hello_put(value, &full);
    memset(value + LENGTHS_AT, 0, 3);
    memset(value + FIXED, 'x', sizeof(value) - FIXED);
    for (size_t i = 0; i < 3; i++) {
        value[LENGTHS_AT + i] = (char)most[i];
        assert_true(hello_read(value, FIXED + most[i], &h));
        value[LENGTHS_AT + i] = (char)(most[i] + 1);
        assert_false(hello_read(value, FIXED + most[i] + 1u, &h));
        value[LENGTHS_AT + i] = 0;
    }
}

static void the_newest_protocol_that_both_know_is_spoken(void **state)
{
    static const struct { uint16_t least, most, spoken; } cases[] = {
        { HELLO_LEAST, HELLO_MOST, HELLO_MOST },
        { HELLO_LEAST, HELLO_LEAST, HELLO_LEAST },      /* an older member */
        { HELLO_MOST, HELLO_MOST + 5, HELLO_MOST },     /* newer ones */
        { 1, UINT16_MAX, HELLO_MOST },
        { HELLO_MOST + 1, HELLO_MOST + 1, 0 },          /* one that no longer knows ours */
        { HELLO_LEAST - 1, HELLO_LEAST - 1, 0 },
        { HELLO_MOST, HELLO_LEAST, 0 },                 /* nonsense */
        { 0, 0, 0 },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        const struct hello h = { .least = cases[i].least, .most = cases[i].most };

        assert_int_equal(hello_spoken(&h), cases[i].spoken);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_frame_is_read_as_it_was_written),
        cmocka_unit_test(a_cut_frame_says_how_long_it_is),
        cmocka_unit_test(a_head_that_cannot_be_is_bad_at_once),
        cmocka_unit_test(the_longest_value_is_awaited),
        cmocka_unit_test(a_command_travels),
        cmocka_unit_test(an_answer_travels_and_a_strange_status_does_not),
        cmocka_unit_test(an_answer_is_written_as_its_frame_would_be),
        cmocka_unit_test(a_get_is_written_as_its_frame_would_be),
        cmocka_unit_test(a_copy_travels_with_its_key_and_is_told_without),
        cmocka_unit_test(a_copy_is_no_more_than_its_kind),
        cmocka_unit_test(what_was_sent_is_a_copy_when_nothing_else_is_told),
        cmocka_unit_test(options_that_nobody_knows_are_dropped),
        cmocka_unit_test(options_without_an_argument_cost_nothing),
        cmocka_unit_test(a_hello_is_read_as_it_was_written),
        cmocka_unit_test(what_is_no_hello_is_refused),
        cmocka_unit_test(a_hello_with_too_long_a_name_is_refused),
        cmocka_unit_test(the_newest_protocol_that_both_know_is_spoken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
