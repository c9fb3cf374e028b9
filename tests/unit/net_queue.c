#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/fake_world.h"
#include "net/recvq.h"
#include "net/sendq.h"

#define MIB ((size_t)1 << 20)
#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

/* A pool and a pair of sockets; all must be back at the end. */
struct bench {
    struct world *world;
    struct chunk_pool pool;
    int fd, far;
};

static int set_up(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));

    assert_non_null(b);
    b->world = fake_world_new(1);
    b->fd = fake_pair(b->world, &b->far);
    chunk_pool_init(&b->pool);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;

    assert_int_equal(b->pool.bytes_out, 0);
    chunk_pool_fini(&b->pool);
    fake_world_free(b->world);
    free(b);
    return 0;
}

static char pattern(size_t i)
{
    return (char)('a' + i * 7 % 26);
}

static void fill_pattern(char *to, size_t from, size_t len)
{
    for (size_t i = 0; i < len; i++)
        to[i] = pattern(from + i);
}

static void check_pattern(const char *data, size_t from, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (data[i] != pattern(from + i))
            fail_msg("byte %zu is not what was sent", from + i);
}

/* chunk */

static void a_pool_counts_what_is_held(void **state)
{
    struct bench *b = *state;
    struct chunk *small = chunk_new(&b->pool, 1), *large = chunk_new(&b->pool, MIB);

    assert_int_equal(small->size, CHUNK_SIZE);
    assert_int_equal(large->size, MIB);
    assert_int_equal(b->pool.bytes_out, CHUNK_SIZE + MIB);
    large = chunk_grow(large, 2 * MIB);
    assert_int_equal(b->pool.bytes_out, CHUNK_SIZE + 2 * MIB);
    chunk_ref(small);
    chunk_unref(small);
    assert_int_equal(b->pool.bytes_out, CHUNK_SIZE + 2 * MIB);
    chunk_unref(small);
    chunk_unref(large);
    chunk_unref(NULL);
    assert_int_equal(b->pool.bytes_out, 0);
    assert_int_equal(b->pool.n_free, 1);        /* the large one is malloc's again */
}

static void a_pool_keeps_no_more_than_it_should(void **state)
{
    struct bench *b = *state;
    struct chunk *chunks[CHUNK_POOL_KEEP + 5];

    for (size_t i = 0; i < N_OF(chunks); i++)
        chunks[i] = chunk_new(&b->pool, CHUNK_SIZE);
    for (size_t i = 0; i < N_OF(chunks); i++)
        chunk_unref(chunks[i]);
    assert_int_equal(b->pool.n_free, CHUNK_POOL_KEEP);
    chunk_unref(chunk_new(&b->pool, 1));
    assert_int_equal(b->pool.n_free, CHUNK_POOL_KEEP);
}

static void a_chunk_nobody_can_have_is_refused(void **state)
{
    struct bench *b = *state;

    assert_null(chunk_new(&b->pool, SIZE_MAX));
    assert_int_equal(b->pool.bytes_out, 0);
}

/* sendq */

/* Bytes [from, from + len) of the pattern, copied or by reference. */
static void queue(struct bench *b, struct sendq *q, size_t from, size_t len, bool by_ref)
{
    struct chunk *c = chunk_new(&b->pool, len);

    fill_pattern(c->data, from, len);
    if (by_ref)
        assert_true(sendq_add_ref(q, c, c->data, len));
    else
        assert_true(sendq_add(q, c->data, len));
    chunk_unref(c);
}

static void what_is_queued_leaves_in_order(void **state)
{
    static const struct { size_t len; bool by_ref; } pieces[] = {
        { 1, false }, { 5000, true }, { 100, false }, { 100, false }, { 1, true },
        { CHUNK_SIZE + 1000, false }, { 300 * 1024, true }, { 0, true }, { 0, false },
        { 30000, false }, { 30000, false }, { 1, true }, { 1, true }, { 1, true }, { 7, false },
    };
    static const size_t rooms[] = { SIZE_MAX, 1000, 4097, 65536 };
    struct bench *b = *state;

    for (size_t r = 0; r < N_OF(rooms); r++) {
        struct sendq q;
        size_t total = 0, seen = 0, len;
        uint64_t sent = 0;
        enum io io;

        sendq_init(&q, &b->pool);
        for (size_t i = 0; i < N_OF(pieces); i++) {
            queue(b, &q, total, pieces[i].len, pieces[i].by_ref);
            total += pieces[i].len;
            assert_int_equal(q.bytes, total);
        }
        fake_set_room(b->world, b->far, rooms[r]);
        do {
            const char *data;

            io = sendq_flush(&q, b->world, b->fd, &sent);
            data = fake_take(b->world, b->far, &len);
            check_pattern(data, seen, len);
            seen += len;
            assert_int_equal(sent, seen);
            assert_int_equal(q.bytes, total - seen);
        } while (io == IO_AGAIN);
        assert_int_equal(io, IO_OK);
        assert_int_equal(seen, total);
        assert_int_equal(b->pool.bytes_out, 0);         /* an idle queue holds nothing */
    }
}

static void small_things_share_one_piece_and_one_send(void **state)
{
    struct bench *b = *state;
    struct sendq q;
    uint64_t sent = 0;

    sendq_init(&q, &b->pool);
    for (int i = 0; i < 1000; i++)
        assert_true(sendq_add(&q, "STORED\r\n", 8));
    assert_int_equal(q.n, 1);
    assert_int_equal(b->pool.bytes_out, CHUNK_SIZE);
    assert_int_equal(sendq_flush(&q, b->world, b->fd, &sent), IO_OK);
    assert_int_equal(sent, 8000);
    assert_int_equal(fake_counts(b->world, b->far).sends, 1);
}

/* A value is copied when that is cheaper, else its chunk is shared. */
static void a_value_is_shared_from_a_size_on(void **state)
{
    static const struct { size_t len; bool shared; } cases[] = {
        { 1, false }, { SENDQ_REF_BYTES - 1, false }, { SENDQ_REF_BYTES, true }, { 20000, true },
    };
    struct bench *b = *state;

    for (size_t i = 0; i < N_OF(cases); i++) {
        struct chunk *c = chunk_new(&b->pool, cases[i].len);
        struct sendq q;

        fill_pattern(c->data, 0, cases[i].len);
        sendq_init(&q, &b->pool);
        assert_true(sendq_add_value(&q, c, c->data, cases[i].len));
        assert_int_equal(c->refs, cases[i].shared ? 2 : 1);
        sendq_fini(&q);
        assert_int_equal(c->refs, 1);
        chunk_unref(c);
    }
}

static void a_queue_moves_to_the_end_of_another(void **state)
{
    struct bench *b = *state;
    struct sendq to, from;
    uint64_t sent = 0;
    size_t len;

    sendq_init(&to, &b->pool);
    sendq_init(&from, &b->pool);
    queue(b, &to, 0, 10, false);
    for (size_t i = 0; i < 50; i++)
        queue(b, &from, 10 + i * 6000, 6000, i % 3 == 0);
    queue(b, &from, 10 + 50 * 6000, 5, false);
    assert_true(sendq_move(&to, &from));
    assert_int_equal(from.bytes, 0);
    assert_int_equal(from.n, 0);
    assert_int_equal(to.bytes, 300015);
    queue(b, &from, 0, 3, false);       /* it may be used again */
    sendq_fini(&from);
    assert_int_equal(sendq_flush(&to, b->world, b->fd, &sent), IO_OK);
    check_pattern(fake_take(b->world, b->far, &len), 0, 300015);
    assert_int_equal(len, 300015);
}

static void a_socket_that_is_gone_is_told_of(void **state)
{
    struct bench *b = *state;
    struct sendq q;
    uint64_t sent = 0;

    sendq_init(&q, &b->pool);
    assert_int_equal(sendq_flush(&q, b->world, b->fd, &sent), IO_OK);   /* nothing to send */
    assert_int_equal(fake_counts(b->world, b->far).sends, 0);
    queue(b, &q, 0, 10, false);
    fake_set_room(b->world, b->far, 0);
    assert_int_equal(sendq_flush(&q, b->world, b->fd, &sent), IO_AGAIN);
    fake_reset(b->world, b->far);
    assert_int_equal(sendq_flush(&q, b->world, b->fd, &sent), IO_FAILED);
    assert_int_equal(sent, 0);
    sendq_fini(&q);
}

/* recvq */

static void bytes_are_in_one_piece_however_they_come(void **state)
{
    static const struct { size_t len, gulp, consume; } cases[] = {
        { 10, 1, 3 }, { 5000, 7, 100 }, { 100000, 4096, 1000 }, { 200000, SIZE_MAX, 31 },
        { 40000, 1000, 40000 },
    };
    struct bench *b = *state;

    for (size_t i = 0; i < N_OF(cases); i++) {
        size_t taken = 0;
        char *data = malloc(cases[i].len);
        struct recvq q;
    
        assert_non_null(data);
        fill_pattern(data, 0, cases[i].len);
        fake_write(b->world, b->far, data, cases[i].len);
        fake_set_gulp(b->world, b->far, cases[i].gulp);
        recvq_init(&q, &b->pool);
        while (taken < cases[i].len) {
            size_t left = cases[i].len - taken;
            size_t want = left < cases[i].consume ? left : cases[i].consume;

            while (recvq_len(&q) < want)
                assert_int_equal(recvq_fill(&q, b->world, b->fd, want), IO_OK);
            check_pattern(recvq_data(&q), taken, recvq_len(&q));
            recvq_consume(&q, want);
            taken += want;
            recvq_settle(&q);
        }
        assert_int_equal(recvq_len(&q), 0);
        assert_int_equal(b->pool.bytes_out, 0);         /* it holds nothing when idle */
        assert_int_equal(recvq_fill(&q, b->world, b->fd, 0), IO_AGAIN);
        recvq_fini(&q);
        free(data);
    }
}

/* Whoever declares 100 MiB and sends ten bytes gets memory for ten bytes. */
static void memory_is_taken_as_bytes_arrive(void **state)
{
    struct bench *b = *state;
    const size_t want = 100 * MIB;
    size_t arrived = 0;
    struct recvq q;

    recvq_init(&q, &b->pool);
    for (size_t step = 10; arrived < 4 * MIB; step *= 2) {
        char *data = malloc(step);

        assert_non_null(data);
        fill_pattern(data, arrived, step);
        fake_write(b->world, b->far, data, step);
        free(data);
        arrived += step;
        while (recvq_len(&q) < arrived)
            assert_int_equal(recvq_fill(&q, b->world, b->fd, want), IO_OK);
        assert_in_range(b->pool.bytes_out, arrived, 2 * arrived + 2 * CHUNK_SIZE);
    }
    check_pattern(recvq_data(&q), 0, arrived);
    recvq_fini(&q);
}

static void bytes_that_somebody_keeps_stay_where_they_are(void **state)
{
    struct bench *b = *state;
    char *data = malloc(CHUNK_SIZE);
    struct chunk *kept;
    const char *at;
    struct recvq q;

    assert_non_null(data);
    fill_pattern(data, 0, CHUNK_SIZE);
    recvq_init(&q, &b->pool);
    fake_write(b->world, b->far, data, 20000);
    assert_int_equal(recvq_fill(&q, b->world, b->fd, 0), IO_OK);
    kept = chunk_ref(q.chunk);
    at = recvq_data(&q);
    recvq_consume(&q, 10000);
    fake_write(b->world, b->far, data, CHUNK_SIZE);     /* more than has room behind it */
    while (recvq_len(&q) < 10000 + CHUNK_SIZE)
        assert_int_equal(recvq_fill(&q, b->world, b->fd, 10000 + CHUNK_SIZE), IO_OK);
    assert_ptr_not_equal(q.chunk, kept);
    check_pattern(recvq_data(&q), 10000, 10000);
    check_pattern(recvq_data(&q) + 10000, 0, CHUNK_SIZE);
    recvq_fini(&q);
    check_pattern(at, 0, 10000);        /* still there */
    chunk_unref(kept);
    free(data);
}

static void a_small_rest_does_not_keep_a_large_chunk(void **state)
{
    struct bench *b = *state;
    char *data = malloc(MIB + 5);
    struct recvq q;

    assert_non_null(data);
    fill_pattern(data, 0, MIB + 5);
    fake_write(b->world, b->far, data, MIB + 5);
    recvq_init(&q, &b->pool);
    while (recvq_len(&q) < MIB + 5)
        assert_int_equal(recvq_fill(&q, b->world, b->fd, MIB + 5), IO_OK);
    recvq_consume(&q, MIB);
    recvq_settle(&q);
    assert_int_equal(b->pool.bytes_out, CHUNK_SIZE);
    check_pattern(recvq_data(&q), MIB, 5);
    recvq_fini(&q);
    free(data);
}

static void a_fill_says_what_the_socket_said(void **state)
{
    struct bench *b = *state;
    struct recvq q;

    recvq_init(&q, &b->pool);
    assert_int_equal(recvq_fill(&q, b->world, b->fd, 0), IO_AGAIN);
    recvq_settle(&q);
    assert_int_equal(b->pool.bytes_out, 0);
    fake_write(b->world, b->far, "rest", 4);
    fake_shut(b->world, b->far);
    assert_int_equal(recvq_fill(&q, b->world, b->fd, 0), IO_OK);
    assert_int_equal(recvq_fill(&q, b->world, b->fd, 0), IO_EOF);
    assert_int_equal(recvq_len(&q), 4);
    fake_reset(b->world, b->far);
    assert_int_equal(recvq_fill(&q, b->world, b->fd, 0), IO_FAILED);
    recvq_fini(&q);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_pool_counts_what_is_held),
        TEST(a_pool_keeps_no_more_than_it_should),
        TEST(a_chunk_nobody_can_have_is_refused),
        TEST(what_is_queued_leaves_in_order),
        TEST(small_things_share_one_piece_and_one_send),
        TEST(a_value_is_shared_from_a_size_on),
        TEST(a_queue_moves_to_the_end_of_another),
        TEST(a_socket_that_is_gone_is_told_of),
        TEST(bytes_are_in_one_piece_however_they_come),
        TEST(memory_is_taken_as_bytes_arrive),
        TEST(bytes_that_somebody_keeps_stay_where_they_are),
        TEST(a_small_rest_does_not_keep_a_large_chunk),
        TEST(a_fill_says_what_the_socket_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
