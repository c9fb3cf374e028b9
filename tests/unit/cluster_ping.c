#include "cluster_help.h"

#include "cluster/ping.h"
#include "cluster/state.h"

static const struct ping full = {
    .role = PING_SHARD | PING_LEADER, .marks = PING_ASKS | PING_DONE, .number = 1023,
    .incarnation = 1, .seen = 2, .adopted = 3, .digest = 4, .ended = 5, .purged = 6, .go = 7,
    .wall_ms = -9, .flush_version = 10, .move_epoch = 11, .items_sent = 12,
    .bytes_sent = 13, .items_left = 14, .bytes_left = UINT64_MAX,
    .name = "s1", .address = "/run/a folder/s1.sock",
};

static void a_ping_is_read_as_it_was_written(void **state)
{
    struct ping p = full, got;
    char data[PING_LEN_MAX + 10];
    size_t len;

    (void)state;
    memset(p.name, 'n', MAP_NAME_MAX);
    memset(p.address, 'a', ADDRESS_MAX - 1);
    for (unsigned turn = 0; turn < 2; turn++, p = full) {
        len = ping_put(data, &p);
        assert_true(len <= PING_LEN_MAX);
        assert_true(ping_read(data, len, &got));
        assert_null(got.map);
        assert_memory_equal(&got, &p, sizeof(p));
        memcpy(data + len, "map", 3);
        assert_true(ping_read(data, len + 3, &got));
        assert_int_equal(got.map_len, 3);
        assert_ptr_equal(got.map, data + len);
    }
}

static void what_is_cut_or_damaged_is_no_ping(void **state)
{
    enum { LENGTHS = 5 + 14 * 8 };
    static const struct { size_t at; char byte; } damages[] = {
        { 0, 0 }, { 0, 2 },             /* another format */
        { 4, 4 },                       /* a number that nobody can have */
        { LENGTHS, 0 }, { LENGTHS, 65 }, { LENGTHS, (char)0xff },
        { LENGTHS + 1, (char)ADDRESS_MAX }, { LENGTHS + 1, (char)0xff },
        { LENGTHS + 2, '\n' }, { LENGTHS + 2, '\0' }, { LENGTHS + 3, ' ' },
        { LENGTHS + 4, '\x7f' },
    };
    char data[PING_LEN_MAX];
    size_t len = ping_put(data, &full);
    struct ping got;

    (void)state;
    for (size_t cut = 0; cut < len; cut++) {
        char *piece = malloc(cut + 1);

        assert_non_null(piece);
        memcpy(piece + 1, data, cut);
        assert_false(ping_read(piece + 1, cut, &got));
        free(piece);
    }
    for (size_t i = 0; i < N_OF(damages); i++) {
        char old = data[damages[i].at];

        data[damages[i].at] = damages[i].byte;
        if (ping_read(data, len, &got))
            fail_msg("case %zu was read", i);
        data[damages[i].at] = old;
    }
}

/* ---- the state file --------------------------------------------------------- */

static void fill(struct state *s, size_t n_jobs)
{
    memset(s, 0, sizeof(*s));
    s->map = map_of(77, 2, MAP_JOINT, "11Uv 11S 01Uf");
    s->next_job = 1000;
    s->n_jobs = n_jobs;
    s->numbers[0] = 14;
    s->numbers[15] = 1;
    for (size_t i = 0; i < n_jobs; i++) {
        struct job *job = &s->jobs[i];

        *job = (struct job){ .id = 10 * i + 1, .kind = (enum job_kind)(i % JOB_KINDS),
                             .status = (enum job_status)(i % JOB_STATUSES),
                             .weight = i % JOB_KINDS == JOB_WEIGHT ? 100 : 0, .old_weight = 3, .asked_ms = -1, .began_ms = 2,
                             .ended_ms = 3, .items_done = 4, .items_left = 5, .bytes_done = 6,
                             .bytes_left = 7, .eta_ms = -1 };
        memset(job->member, 'm', 1 + i % MAP_NAME_MAX);
        memset(job->zone, 'z', i % (MAP_NAME_MAX + 1));
        memset(job->address, 'a', ADDRESS_MAX - 1);
        strcpy(job->words, "waits for s4 to answer");
    }
}

static void a_state_is_read_as_it_was_written(void **state)
{
    static const size_t n_jobs[] = { 0, 1, STATE_MAX_JOBS };

    (void)state;
    for (size_t i = 0; i < N_OF(n_jobs); i++) {
        struct state s, got;
        const char *why = NULL;
        size_t len;
        char *data;

        fill(&s, n_jobs[i]);
        data = state_put(&s, &len);
        assert_non_null(data);
        assert_true(state_read(data, len, &got, &why));
        assert_int_equal(map_digest(got.map), map_digest(s.map));
        assert_int_equal(got.next_job, s.next_job);
        assert_int_equal(got.n_jobs, s.n_jobs);
        assert_memory_equal(got.jobs, s.jobs, sizeof(s.jobs));
        assert_memory_equal(got.numbers, s.numbers, sizeof(s.numbers));
        free(got.map);
        free(s.map);
        free(data);
    }
}

static void damaged_states_are_refused_with_words(void **state)
{
    struct state s, got;
    const char *why;
    size_t len;
    char *data, *more;

    (void)state;
    fill(&s, 3);
    data = state_put(&s, &len);
    assert_non_null(data);
    for (size_t cut = 0; cut < len; cut++) {
        char *piece = malloc(cut + 1);

        assert_non_null(piece);
        memcpy(piece + 1, data, cut);
        why = NULL;
        assert_false(state_read(piece + 1, cut, &got, &why));
        assert_non_null(why);
        assert_null(got.map);
        free(piece);
    }
    for (size_t at = 0; at < len; at++) {
        data[at] ^= 0x10;
        why = NULL;
        if (state_read(data, len, &got, &why) || why == NULL)
            fail_msg("byte %zu", at);
        data[at] ^= 0x10;
    }
    more = malloc(len + 1);
    assert_non_null(more);
    memcpy(more, data, len);
    more[len] = 0;
    assert_false(state_read(more, len + 1, &got, &why));
    assert_string_equal(why, "it is shorter or longer than what was written");
    data[len - 1] ^= 1;
    assert_false(state_read(data, len, &got, &why));
    assert_string_equal(why, "its checksum differs: bytes have changed since it was written");
    free(more);
    free(data);
    free(s.map);
}

/* A checksum is right over anything that was written so. */
static void a_state_that_cannot_be_is_none(void **state)
{
    static const char *const why_not =
        "its checksum is right, but it holds no map that can be";

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        struct state s, got;
        const char *why = NULL;
        size_t len;
        char *data;

        fill(&s, 3);
        switch (i) {
        case 0: s.map->epoch = 0; break;
        case 1: s.jobs[1].id = s.jobs[0].id; break;
        case 2: s.next_job = 5; break;
        case 3: s.jobs[2].kind = JOB_KINDS; break;
        case 4: s.jobs[2].weight = 1; break;    /* a drain to another weight */
        case 5: s.jobs[1].member[0] = '\0'; break;
        case 6: s.jobs[1].member[0] = ' '; break;
        default: s.jobs[2].words[3] = '\n';
        }
        data = state_put(&s, &len);
        assert_non_null(data);
        if (state_read(data, len, &got, &why))
            fail_msg("case %u was read", i);
        assert_string_equal(why, why_not);
        free(data);
        free(s.map);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ping_is_read_as_it_was_written),
        cmocka_unit_test(what_is_cut_or_damaged_is_no_ping),
        cmocka_unit_test(a_state_is_read_as_it_was_written),
        cmocka_unit_test(damaged_states_are_refused_with_words),
        cmocka_unit_test(a_state_that_cannot_be_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
