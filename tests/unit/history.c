/*
 * history: small histories of one key and what must be said of them.
 *
 * A history is written as steps.  A letter names an operation:
 *      a:set  b:cas<a     it begins; the cas has the token of what a wrote
 *      a+ a0 a! a- a?     done, absent, present, refused, unknown
 *      r=a  r=a,p,q  r=a~5    the read saw a's value; with pieces; with a token
 *      r%  r^             the read saw bytes that are no value, another key's
 *      i#a+3              the counter showed 3 more than a began with
 *      [ ]                a window in which values may vanish
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../history/history.h"
#include "../history/value.h"

#define KEY 3
#define RECORD_BYTES 50

struct player {
    struct history *h;
    struct {
        uint32_t handle;
        uint64_t seq;
        enum history_kind kind;
    } ops[26];
    int64_t now_ms;
};

static size_t put_record(char *out, uint32_t key, uint64_t seq, bool piece)
{
    value_write(out, &(struct value_record){ .len = RECORD_BYTES, .key = key, .writer = 1,
                                             .seq = seq, .piece = piece });
    return RECORD_BYTES;
}

static void begin(struct player *p, size_t label, const char *step)
{
    struct history_op op = { .key = KEY, .client = (uint32_t)label, .delta = 1 };
    const size_t len = strcspn(step, "<#");

    for (unsigned i = 0; i < HISTORY_N_KINDS; i++) {
        if (strlen(history_kind_name(i)) == len && memcmp(history_kind_name(i), step, len) == 0)
            op.kind = i;
    }
    if (step[len] == '<')
        op.expects = p->ops[step[len + 1] - 'a'].seq;
    op.counter = step[len] == '#';
    p->ops[label].handle = history_begin(p->h, &op, p->now_ms);
    p->ops[label].seq = history_seq(p->h, p->ops[label].handle);
    p->ops[label].kind = op.kind;
}

static void end(struct player *p, size_t label, const char *step)
{
    struct history_answer answer = { .outcome = HISTORY_DONE };
    char value[20 * RECORD_BYTES] = "";
    const uint64_t other = 1;

    switch (*step) {
    case '+':
        break;
    case '0':
        answer.outcome = HISTORY_ABSENT;
        break;
    case '!':
        answer.outcome = HISTORY_PRESENT;
        break;
    case '-':
        answer.outcome = HISTORY_REFUSED;
        break;
    case '?':
        answer.outcome = HISTORY_UNKNOWN;
        break;
    case '%':
        answer.value_len = put_record(value, KEY, other, false);
        value[RECORD_BYTES - 1] ^= 1;
        break;
    case '^':
        answer.value_len = put_record(value, KEY + 1, other, false);
        break;
    case '=':
        do {
            size_t named = (size_t)(*++step - 'a');
            bool piece = p->ops[named].kind == HISTORY_APPEND ||
                         p->ops[named].kind == HISTORY_PREPEND;

            answer.value_len += put_record(value + answer.value_len, KEY, p->ops[named].seq,
                                           piece);
        } while (*++step == ',');
        if (*step == '~')
            answer.token = (uint64_t)(step[1] - '0');
        break;
    case '#':
        answer.number = history_number(p->ops[step[1] - 'a'].seq) +
                        (uint64_t)strtoll(step + 2, NULL, 10);
        answer.value_len = (size_t)sprintf(value, "%llu", (unsigned long long)answer.number);
        break;
    default:
        fail_msg("no step: %s", step);
    }
    answer.value = value;
    history_end(p->h, p->ops[label].handle, &answer, p->now_ms);
}

/* Plays the steps, a millisecond each, and says what was found: "stale 1 lost 1". */
static const char *play(const char *steps, int64_t unknown_lasts_ms)
{
    static char found[200];
    struct player p = { .h = history_new(KEY + 2, unknown_lasts_ms) };
    char copy[500], *rest = copy, *step;

    assert_true(strlen(steps) < sizeof(copy));
    strcpy(copy, steps);
    while ((step = strtok_r(rest, " ", &rest)) != NULL) {
        p.now_ms++;
        if (*step == '[')
            history_window_begin(p.h, KEY);
        else if (*step == ']')
            history_window_end(p.h, KEY);
        else if (step[1] == ':')
            begin(&p, (size_t)(step[0] - 'a'), step + 2);
        else
            end(&p, (size_t)(step[0] - 'a'), step + 1);
    }
    history_finish(p.h, p.now_ms);

    *found = '\0';
    for (unsigned i = 0; i < HISTORY_N_FAULTS; i++) {
        uint64_t n = history_counts(p.h)->faults[i];

        if (n > 0)
            sprintf(found + strlen(found), "%s%s %d", *found ? " " : "",
                    history_fault_name(i), (int)n);
    }
    history_free(p.h);
    return found;
}

struct row {
    const char *steps;
    const char *found;
};

static void play_all(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *found = play(rows[i].steps, 0);

        if (strcmp(found, rows[i].found) != 0)
            fail_msg("%s: expected \"%s\", found \"%s\"", rows[i].steps, rows[i].found, found);
    }
}

#define PLAY_ALL(rows) play_all(rows, sizeof(rows) / sizeof((rows)[0]))

static void reads_see_the_last_write_or_one_that_overlaps(void **state)
{
    static const struct row rows[] = {
        { "a:set a+ r:get r=a", "" },
        { "a:set r:get r=a a+", "" },
        { "r:get a:set r=a a+", "" },
        { "a:set a+ b:set r:get r=a b+", "" },
        { "a:set a+ b:set r:get r=b b+ s:get s=b", "" },
        { "a:set a+ r:get b:set b+ r=a s:get s=b", "" },
        { "a:set a+ b:set b+ r:get r=a", "stale 1" },
        { "a:set a+ b:set b+ c:set c+ r:get r=a", "stale 1" },
        /* Seen by one and not by who began later. */
        { "a:set a+ b:set r:get r=b s:get s=a b+", "stale 1" },
        { "a:set a+ b:set r:get s:get r=b s=a b+", "" },
        { "a:set a+ b:set b? r:get r=b s:get s=a", "stale 1" },
        /* Writers that overlap: any order, but one. */
        { "a:set b:set a+ b+ r:get r=a", "" },
        { "a:set b:set a+ b+ r:get r=b", "" },
        { "a:set b:set a+ b+ r:get r=a s:get s=b", "stale 1" },
        { "a:set b:set b+ r:get r=a a+ s:get s=a", "" },
        { "a:set b:set b+ r:get r=a s:get s=b a+", "stale 1" },
        { "a:add a+ b:replace b+ r:get r=b", "" },
    };

    (void)state;
    PLAY_ALL(rows);
}

static void a_write_of_unknown_outcome_happens_once_at_any_time_or_never(void **state)
{
    static const struct row rows[] = {
        { "a:set a+ b:set b? r:get r=a s:get s=a", "" },
        { "a:set a+ b:set b? r:get r=b s:get s=b", "" },
        { "a:set a+ b:set b? r:get r=a s:get s=b", "" },
        { "a:set a+ b:set b? c:set c+ r:get r=c s:get s=b", "" },
        { "a:set a+ b:set b? c:set c+ r:get r=b s:get s=c", "stale 1" },
        { "a:set a+ b:set b? c:set c+ r:get r=c s:get s=b t:get t=c", "stale 1" },
        { "a:set a+ b:set b? c:set c+ r:get r=b s:get s=b d:set d+ t:get t=b", "stale 1" },
        { "a:set a+ d:delete d? r:get r=a s:get s0", "" },
        { "a:set a+ d:delete d? b:set b+ r:get r0", "" },
        { "a:set a+ f:flush f? b:set b+ r:get r0 s:get s=b", "" },
    };

    (void)state;
    PLAY_ALL(rows);

    /* Unless it is known for how long it may go on: six steps here, then two. */
    assert_string_equal(play("a:set a+ b:set b? c:set c+ r:get r=b", 6), "");
    assert_string_equal(play("a:set a+ b:set b? r:get r=a s:get s=a c:set c+ t:get t=b", 2),
                        "stale 1");
    assert_string_equal(play("a:set a+ d:delete d? r:get r=a s:get s=a t:get t0", 9), "");
    assert_string_equal(play("a:set a+ d:delete d? r:get r=a s:get s=a t:get t=a u:get u0", 2),
                        "miss 1");
}

static void an_acknowledged_write_that_is_never_seen_again_is_lost(void **state)
{
    static const struct row rows[] = {
        { "a:set a+ b:set b+ r:get r=a s:get s=a", "lost 1 stale 2" },
        { "a:set a+ b:set b+ r:get r=a s:get s=a c:set c+ t:get t=c", "lost 1 stale 2" },
        { "a:set a+ b:set b+ r:get r=a s:get s=a t:get t=b", "stale 2" },
        { "a:set a+ b:set b? q:get q=b r:get r=a s:get s=a", "stale 2" },
    };

    (void)state;
    PLAY_ALL(rows);
}

static void what_was_refused_stays_unseen(void **state)
{
    static const struct row rows[] = {
        { "a:set a+ b:set b- r:get r=a", "" },
        { "a:set a+ b:set b- r:get r=b", "phantom 1" },
        { "a:set a+ b:set r:get r=b b-", "phantom 1" },
        { "a:set a+ b:add b! r:get r=b", "phantom 1" },
        { "a:set a+ b:cas<a b- r:get r=b", "phantom 1" },
        { "a:set a+ d:drop d+ r:get r=d", "phantom 1" },
        { "a:set a+ p:append p- r:get r=a,p", "phantom 1" },
        { "a:set a+ p:append r:get r=a,p p-", "phantom 1" },
    };

    (void)state;
    PLAY_ALL(rows);
}

static void a_value_is_whole_and_of_its_key(void **state)
{
    static const struct row rows[] = {
        { "a:set a+ r:get r%", "torn 1" },
        { "a:set a+ r:get r^", "foreign 1" },
        { "a:set a+ r:get b:set r=b", "" },
        { "a:set a+ b:set b+ r:get r=a,b", "torn 1" },
        { "a:set#1 a+ r:get r%", "torn 1" },
        { "p:append p0 r:get r=p", "torn 1" },
    };

    (void)state;
    PLAY_ALL(rows);
}

static void a_key_is_absent_for_a_reason(void **state)
{
    static const struct row rows[] = {
        { "r:get r0 d:delete d0 t:touch t0 i:incr i0 a:replace a0 p:append p0", "" },
        { "a:set r:get r0 a+", "" },
        { "r:get a:set a+ r0", "" },
        { "a:set a+ r:get r0", "miss 1" },
        { "a:set r:get r=a s:get s0 a+", "miss 1" },
        { "a:set a+ d:delete d+ r:get r0", "" },
        { "a:set a+ d:delete r:get r0 d+", "" },
        { "a:set a+ r:get d:delete r0 d+", "" },
        { "a:set a+ d:delete d+ b:set b+ r:get r0", "miss 1" },
        { "a:set a+ d:delete b:set b+ r:get r0 d+", "" },
        { "a:set a+ d:delete d- r:get r0", "miss 1" },
        { "a:set a+ d:drop d+ r:get r0", "" },
        { "a:set a+ f:flush f+ r:get r0", "" },
        { "a:set a+ t:touch t0", "miss 1" },
        { "a:set a+ b:add b+", "miss 1" },
        { "a:set a+ b:add b! r:get r=a", "" },
        { "a:set a+ d:delete d0", "miss 1" },
        { "a:set a+ p:append p0", "miss 1" },
        { "a:set a+ r:get r=a b:cas<a b0", "miss 1" },
    };

    (void)state;
    PLAY_ALL(rows);
}

static void windows_excuse_misses_and_nothing_else(void **state)
{
    static const struct row rows[] = {
        { "a:set a+ [ r:get r0 ] b:set b+ s:get s=b", "" },
        { "a:set a+ [ r:get ] r0", "" },
        { "a:set a+ r:get [ r0 ]", "" },
        { "a:set a+ [ ] r:get r0 s:get s0", "" },
        { "a:set a+ [ ] r:get r=a s:get s0", "miss 1" },
        { "a:set a+ [ ] b:set b+ s:get s0", "miss 1" },
        { "a:set a+ [ b:set b+ ] s:get s0", "" },
        { "a:set a+ b:set b+ [ r:get r=a ]", "stale 1" },
        { "a:set a+ [ r:get r0 s:get s=a ]", "" },
        { "a:set a+ [ d:delete d0 ] r:get r=a", "undeleted 1" },
    };

    (void)state;
    PLAY_ALL(rows);
}

static void what_was_deleted_stays_deleted(void **state)
{
    static const struct row rows[] = {
        { "a:set a+ d:delete d+ r:get r=a", "undeleted 1" },
        { "a:set a+ r:get d:delete d+ r=a", "" },
        { "a:set a+ d:delete r:get r=a d+ s:get s0", "" },
        { "a:set a+ d:delete d- r:get r=a", "" },
        { "a:set d:delete d+ a+ r:get r=a", "" },
        { "a:set a+ f:flush f+ r:get r=a", "undeleted 1" },
        { "a:set a+ f:flush f- r:get r=a", "" },
        { "a:set#1 a+ i:incr i#a+1 f:flush f+ r:get r#a+1", "undeleted 1" },
        { "a:set#1 a+ f:flush i:incr i#a+1 f+ r:get r#a+1", "" },
        { "a:set a+ p:append f:flush f+ p+ r:get r=a,p", "" },
        { "a:set a+ d:drop d+ r:get r=a", "undeleted 1" },
        { "a:set a+ d:delete d+ t:touch t+", "undeleted 1" },
        { "a:set a+ d:delete d+ b:add b!", "undeleted 1" },
        { "a:set a+ d:delete d+ b:replace b+", "undeleted 1" },
        { "a:set a+ d:delete d+ p:append p+", "undeleted 1" },
        { "a:set a+ d:delete d+ b:set b+ r:get r=a", "stale 1" },
        { "a:set a? d:delete d+ r:get r=a", "" },
    };

    (void)state;
    PLAY_ALL(rows);
}

static void a_cas_wins_over_the_value_that_it_names_only(void **state)
{
    static const struct row rows[] = {
        { "a:set a+ r:get r=a~1 b:cas<a b+ s:get s=b~2", "" },
        { "a:set a+ b:cas<a c:cas<a b+ c! r:get r=b", "" },
        { "a:set a+ b:cas<a c:cas<a b+ c+", "cas 1" },
        { "a:set a+ b:cas<a c:cas<a c? b+ r:get r=c", "cas 1" },
        { "a:set a+ b:cas<a b? c:set c+ r:get r=c s:get s=b", "stale 1" },
        { "a:set a+ b:cas<a b+ c:cas<a c+", "cas 1" },
        { "a:set a+ b:set b+ c:cas<a c+", "cas 1" },
        { "a:set a+ b:set c:cas<a c+ b+", "" },
        { "a:set a+ b:set b+ c:cas<a r:get r=b s:get s=b c!", "" },
        { "a:set a+ q:get b:set b+ c:cas<a q=b d:set d+ r:get r=d c!", "" },
        { "a:set a+ b:set c:cas<a c+ b+ r:get r=b", "" },
        { "a:set a+ b:set c:cas<a c+ b+ r:get r=c", "cas 1" },
        { "a:set b:set r:get r=a a+ c:cas<a c+ b+ s:get s=c", "" },
        { "a:set a+ b:set c:cas<a c? b+ r:get r=c", "cas 1" },
        { "a:set a+ d:delete d+ c:cas<a c+", "cas 1" },
        { "a:set a+ b:cas<a b+ r:get r=a", "stale 1" },
        { "a:set a+ b:cas<a b!", "cas 1" },
        { "a:set a+ b:cas<a d:delete d- b!", "" },
        { "a:set a+ b:set b? c:cas<a c!", "" },
        { "a:set a+ r:get r=a~1 t:touch t+ s:get s=a~1", "" },
        { "a:set a+ r:get r=a~1 s:get s=a~2", "cas 1" },
        { "a:set a+ r:get r=a~1 b:set b+ s:get s=b~1", "" },
        { "a:set a+ r:get r=a~1 b:set q:get s:get s=b~1 b+", "cas 1" },
    };

    (void)state;
    PLAY_ALL(rows);
}

static void counters_count_what_was_acknowledged_and_no_more(void **state)
{
    static const struct row rows[] = {
        { "a:set#1 a+ i:incr i#a+1 j:incr j#a+2 r:get r#a+2", "" },
        { "a:set#1 a+ i:incr i#a+1 r:get r#a+0", "counter 1" },
        { "a:set#1 a+ i:incr i#a+2", "counter 1" },
        { "a:set#1 a+ i:incr i#a+0", "counter 1" },
        { "a:set#1 a+ i:incr j:incr i#a+2 j#a+1", "" },
        { "a:set#1 a+ i:incr j:incr i#a+1 j#a+1", "counter 1" },
        { "a:set#1 a+ i:incr r:get r#a+1 i#a+1", "" },
        { "a:set#1 a+ i:incr r:get r#a+1 s:get s#a+0 i#a+1", "counter 1" },
        { "a:set#1 a+ i:incr i? r:get r#a+0 s:get s#a+1", "" },
        { "a:set#1 a+ i:incr i? r:get r#a+1 s:get s#a+0", "counter 1" },
        { "a:set#1 a+ i:incr i? r:get r#a+2", "counter 1" },
        { "a:set#1 a+ i:incr i- r:get r#a+1", "counter 1" },
        { "a:set#1 a+ i:incr i#a+1 d:decr d#a+0 e:decr e#a-1 r:get r#a-1", "" },
        { "a:set#1 a+ i:incr i#a+1 d:decr d#a+1", "counter 1" },
        { "a:set#1 a+ i:incr d:decr r:get r#a-1 s:get s#a+1 i#a+0 d#a+0", "" },
        { "a:set#1 a+ d:decr d? r:get r#a-2", "counter 1" },
        { "a:set#1 a+ i:incr b:set#1 b+ j:incr i#a+1 j#b+1", "" },
        /* Begun anew. */
        { "a:set#1 a+ i:incr i#a+1 b:set#1 b+ j:incr j#b+1", "" },
        { "a:set#1 a+ i:incr i#a+1 b:set#1 b+ j:incr j#a+2", "stale 1" },
        { "a:set#1 a+ i:incr b:set#1 b+ i#b+1 r:get r#b+1", "" },
        { "a:set#1 a+ i:incr b:set#1 b+ i#b+1 r:get r#b+0", "counter 1" },
        { "a:set#1 a+ b:set#1 b- j:incr j#b+1", "phantom 1" },
        { "a:set#1 a+ d:delete d+ j:incr j#a+1", "undeleted 1" },
    };

    (void)state;
    PLAY_ALL(rows);
}

static void what_was_appended_is_there_once_and_in_order(void **state)
{
    static const struct row rows[] = {
        { "a:set a+ p:append p+ q:append q+ r:get r=a,p,q", "" },
        { "a:set a+ p:prepend p+ q:prepend q+ r:get r=q,p,a", "" },
        { "a:set a+ p:prepend p+ q:append q+ r:get r=p,a,q", "" },
        { "a:set a+ p:append p+ q:append q+ r:get r=a,q,p", "torn 1" },
        { "a:set a+ p:prepend p+ q:prepend q+ r:get r=p,q,a", "torn 1" },
        { "a:set a+ p:append q:append p+ q+ r:get r=a,q,p", "" },
        { "a:set a+ p:append p+ r:get r=a", "stale 1" },
        { "a:set a+ p:append p+ r:get r=a s:get s=a", "lost 1 stale 2" },
        { "a:set a+ p:append p+ r:get r=a s:get s=a t:get t=a,p", "stale 2" },
        { "a:set a+ p:append p+ r:get r=a,p,p", "doubled 1" },
        { "a:set a+ p:append p? r:get r=a s:get s=a,p", "" },
        { "a:set a+ p:append p? r:get r=a,p s:get s=a", "stale 1" },
        { "a:set a+ p:append p+ b:set b+ r:get r=b", "" },
        { "a:set a+ p:append p+ b:set b+ r:get r=b,p", "torn 1" },
        { "a:set a+ p:append b:set b+ p+ r:get r=b,p", "" },
        { "a:set a+ p:append b:set b+ p+ r:get r=b", "" },
        { "a:set a+ p:append b:set b+ p+ r:get r=a,p", "stale 1" },
        { "a:set a+ p:append p? b:set b+ r:get r=b,p", "" },
    };

    (void)state;
    PLAY_ALL(rows);
}

static void outages_last_from_the_first_try_to_the_first_answer(void **state)
{
    struct history *h = history_new(2, 0);
    const struct history_answer refused = { .outcome = HISTORY_REFUSED };
    const struct history_answer absent = { .outcome = HISTORY_ABSENT };
    const struct history_op get = { .kind = HISTORY_GET, .key = 1 };
    const struct history_op touch = { .kind = HISTORY_TOUCH, .key = 1 };
    uint32_t first, second;

    (void)state;
    history_end(h, history_begin(h, &get, 100), &absent, 110);
    history_end(h, history_begin(h, &get, 200), &refused, 210);
    first = history_begin(h, &get, 300);
    second = history_begin(h, &get, 310);
    history_end(h, history_begin(h, &touch, 320), &absent, 325);
    history_end(h, second, &absent, 350);
    assert_int_equal(history_outage_ms(h, 1, false), 150);
    assert_int_equal(history_outage_ms(h, 1, true), 5);
    history_end(h, first, &absent, 360);
    history_end(h, history_begin(h, &touch, 400), &refused, 401);
    history_finish(h, 1000);
    assert_int_equal(history_counts(h)->longest_read_outage_ms, 150);
    assert_int_equal(history_counts(h)->longest_write_outage_ms, 600);
    assert_int_equal(history_counts(h)->longest_write_outage_key, 1);
    history_free(h);
}

static void faults_are_told_in_words(void **state)
{
    struct player p = { .h = history_new(KEY + 2, 0) };

    (void)state;
    begin(&p, 0, "set");
    end(&p, 0, "+");
    for (size_t i = 0; i < 100; i++) {
        begin(&p, 17, "get");
        end(&p, 17, "0");
    }
    assert_string_equal(history_fault(p.h, 0),
                        "miss: key 3: get of client 17, 0 to 0 ms, found nothing");
    assert_non_null(history_fault(p.h, 3));
    assert_null(history_fault(p.h, 4));
    assert_int_equal(history_n_faults(p.h), 100);
    history_free(p.h);
}

static void no_record_passes_for_another(void **state)
{
    char bytes[300];
    struct value_record in = { .key = 7, .writer = 9, .seq = 11 }, out;

    (void)state;
    for (in.len = VALUE_MIN_BYTES; in.len <= sizeof(bytes); in.len++) {
        value_write(bytes, &in);
        assert_true(value_read(bytes, in.len, &out));
        assert_int_equal(out.len, in.len);
        assert_int_equal(out.key, in.key);
        assert_int_equal(out.writer, in.writer);
        assert_int_equal(out.seq, in.seq);
        assert_false(value_read(bytes, in.len - 1, &out));
        for (size_t i = 0; i < in.len; i++) {
            bytes[i] ^= 4;
            assert_false(value_read(bytes, in.len, &out));
            bytes[i] ^= 4;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_see_the_last_write_or_one_that_overlaps),
        cmocka_unit_test(a_write_of_unknown_outcome_happens_once_at_any_time_or_never),
        cmocka_unit_test(an_acknowledged_write_that_is_never_seen_again_is_lost),
        cmocka_unit_test(what_was_refused_stays_unseen),
        cmocka_unit_test(a_value_is_whole_and_of_its_key),
        cmocka_unit_test(a_key_is_absent_for_a_reason),
        cmocka_unit_test(windows_excuse_misses_and_nothing_else),
        cmocka_unit_test(what_was_deleted_stays_deleted),
        cmocka_unit_test(a_cas_wins_over_the_value_that_it_names_only),
        cmocka_unit_test(counters_count_what_was_acknowledged_and_no_more),
        cmocka_unit_test(what_was_appended_is_there_once_and_in_order),
        cmocka_unit_test(outages_last_from_the_first_try_to_the_first_answer),
        cmocka_unit_test(faults_are_told_in_words),
        cmocka_unit_test(no_record_passes_for_another),
    };

    return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}
