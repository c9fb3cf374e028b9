#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/stage.h"
#include "wire/text.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))
#define MANY 10000

/*
 * A handler that notes what it is given, as "get k," or "set k=value,", and
 * answers with that in brackets.  Keys that begin with an 'l' are answered
 * later, by answer(); with an 'x', at the end of the turn; with a 'b' at once,
 * with BIG bytes.  A watch makes the session deaf, and a stream.
 */
#define BIG 10000

struct later {
    struct slot slot;
    struct later *next;
    char text[300];
    bool on_turn_end;
};

static struct stage stage;
static struct later *laters;
static char notes[1 << 20];
static size_t notes_len;
static char foreseen[4096];     /* as "a c d;e;": a batch ends with a ; */
static size_t foreseen_len;
static unsigned n_handled;
static bool handled_over;       /* ... one while too many answers were unsent */

static bool later_emit(struct slot *slot, struct session *s)
{
    struct later *l = (struct later *)slot;

    assert_true(sendq_add(&s->out, l->text, strlen(l->text)));
    free(l);
    return true;
}

static void later_drop(struct slot *slot)
{
    free(slot);
}

static const struct slot_ops later_ops = { later_emit, later_drop };

/* Its turn has come; the oldest whose text begins so. */
static void answer(const char *text)
{
    struct later **at = &laters, *l;

    while (*at != NULL && strncmp((*at)->text, text, strlen(text)) != 0)
        at = &(*at)->next;
    l = *at;
    assert_non_null(l);
    *at = l->next;
    slot_ready(&l->slot);
}

static void open_slot(struct session *s, const char *text, bool on_turn_end)
{
    struct later *l = calloc(1, sizeof(*l)), **last = &laters;

    assert_non_null(l);
    snprintf(l->text, sizeof(l->text), "[%s]", text);
    l->on_turn_end = on_turn_end;
    l->slot.ops = &later_ops;
    session_expect(s, &l->slot);
    while (*last != NULL)
        last = &(*last)->next;
    *last = l;
}

static void say_big(struct session *s, char what)
{
    struct sendq *q = session_reply(s);
    char *room = sendq_room(q, BIG);

    memset(room, what, BIG);
    assert_true(sendq_commit(q, BIG));
}

static uint64_t hash_of(const char *key, size_t len)
{
    uint64_t hash = len;

    while (len-- > 0)
        hash = hash * 31 + (unsigned char)key[len];
    return hash;
}

static void foresee(struct worker *w, struct lookup *keys, unsigned n)
{
    (void)w;
    for (unsigned i = 0; i < n; i++) {
        keys[i].hash = hash_of(keys[i].key, keys[i].key_len);
        foreseen_len += (size_t)snprintf(foreseen + foreseen_len, sizeof(foreseen) - foreseen_len,
                                         "%.*s%s", (int)keys[i].key_len, keys[i].key,
                                         i + 1 < n ? " " : ";");
        if (foreseen_len >= sizeof(foreseen))
            foreseen_len = sizeof(foreseen) - 1;
    }
}

static void handle(struct session *s, struct cmd *cmd)
{
    char text[280], reply[300];
    size_t len = cmd->value != NULL && cmd->value_len < 20 ? cmd->value_len : 0;
    size_t key_len = cmd->key_len < 250 ? cmd->key_len : 250;

    if (cmd->hash != 0)         /* what was foreseen is what comes */
        assert_int_equal(cmd->hash, hash_of(cmd->key, cmd->key_len));
    n_handled++;
    handled_over |= worker_is_over(s->worker);
    snprintf(text, sizeof(text), "%s%s%.*s%s%.*s", verb_word(cmd->verb),
             key_len > 0 ? " " : "", (int)key_len, key_len > 0 ? cmd->key : "",
             len > 0 ? "=" : "", (int)len, len > 0 ? cmd->value : "");
    notes_len += (size_t)snprintf(notes + notes_len, sizeof(notes) - notes_len, "%s,", text);
    if (cmd->verb == VERB_QUIT) {
        session_finish(s);
    } else if (cmd->verb == VERB_FLUSH_ALL) {
        open_slot(s, "flush", false);
        session_hold(s);
    } else if (key_len > 0 && (cmd->key[0] == 'l' || cmd->key[0] == 'x')) {
        open_slot(s, text, cmd->key[0] == 'x');
    } else if (key_len > 0 && cmd->key[0] == 'b') {
        say_big(s, cmd->key[1]);
    } else if (!cmd->form.quiet) {
        if (cmd->verb == VERB_WATCH)
            session_deafen(s);
        snprintf(reply, sizeof(reply), "[%s]", text);
        session_say(s, reply, strlen(reply));
    }
}

static void turn_end(struct worker *w)
{
    struct later **at = &laters, *l;

    (void)w;
    while ((l = *at) != NULL) {
        if (l->on_turn_end) {
            *at = l->next;
            slot_ready(&l->slot);
        } else {
            at = &l->next;
        }
    }
}

static const struct handler stub = {
    .handle = handle, .foresee = foresee, .turn_end = turn_end,
};

static void forget_notes(void)
{
    notes_len = foreseen_len = 0;
    notes[0] = foreseen[0] = '\0';
    n_handled = 0;
    handled_over = false;
}

static int set_up(void **state)
{
    (void)state;
    stage_init(&stage, &stub);
    forget_notes();
    return 0;
}

/* Slots that nobody answered are let go first, as links do. */
static int tear_down(void **state)
{
    struct later *l;

    (void)state;
    while (stage.worker.sessions != NULL)
        session_free(stage.worker.sessions);
    while ((l = laters) != NULL) {
        laters = l->next;
        slot_ready(&l->slot);
    }
    assert_int_equal(stage.worker.pool.bytes_out, 0);
    stage_fini(&stage);
    return 0;
}

static void close_far(int far)
{
    stage.world->ops->close(stage.world, far);
}

/* order */

static void nothing_goes_by_what_is_new_before_what_is_open_is_answered(void **state)
{
    int c = stage_client(&stage), d = stage_client(&stage);

    (void)state;
    assert_string_equal(stage_ask(&stage, c, "get l1\r\nget l2\r\n"), "");
    stage.worker.order++;
    assert_string_equal(stage_ask(&stage, c, "get a\r\nget l3\r\nget c\r\n"), "");
    assert_string_equal(stage_ask(&stage, d, "get d\r\n"), "[get d]");
    answer("[get l1");
    stage_run(&stage, 0);
    assert_string_equal(notes, "get l1,get l2,get d,");
    answer("[get l2");
    stage_run(&stage, 0);
    assert_string_equal(notes, "get l1,get l2,get d,get a,get l3,get c,");
    answer("[get l3");
    stage_run(&stage, 0);
    assert_string_equal(stage_heard(&stage, c), "[get l1][get l2][get a][get l3][get c]");
}

static void a_command_to_be_asked_again_lets_none_pass(void **state)
{
    int c = stage_client(&stage);

    (void)state;
    assert_string_equal(stage_ask(&stage, c, "get l1\r\n"), "");
    session_settle_first(stage.worker.sessions);
    assert_string_equal(stage_ask(&stage, c, "get a\r\n"), "");
    assert_string_equal(notes, "get l1,");
    answer("[get l1");
    stage_run(&stage, 0);
    assert_string_equal(stage_heard(&stage, c), "[get l1][get a]");
}

static bool serving;

static bool serves(struct worker *w)
{
    (void)w;
    return serving;
}

/* As a handler does that has just executed something. */
static void handle_under_lease(struct session *s, struct cmd *cmd)
{
    s->lease = true;
    stub.handle(s, cmd);
}

/* Once the lease was there after something was executed, it was when it was. */
static void what_is_executed_under_a_lease_is_answered_at_any_time(void **state)
{
    struct handler leased = stub;
    int c = stage_client(&stage), d = stage_client(&stage);

    (void)state;
    leased.handle = handle_under_lease;
    leased.serves = serves;
    stage.worker.handler = &leased;
    serving = true;
    assert_string_equal(stage_ask(&stage, c, "get l1\r\n"), "");
    serving = false;
    answer("[get l1");
    stage_run(&stage, 0);
    assert_string_equal(stage_heard(&stage, c), "[get l1]");
    assert_string_equal(stage_ask(&stage, c, "get l2\r\n"), "");
    assert_true(fake_is_closed(stage.world, c));
    stage.worker.handler = &stub;
    answer("[get l2");
    assert_string_equal(stage_ask(&stage, d, "get d\r\n"), "[get d]");
}

/* reading */

#define K251 "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk" \
             "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk" \
             "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"

/* A command may arrive in pieces: cut the stream at every byte, expect the same. */
static void commands_may_be_cut_anywhere(void **state)
{
    static const struct { const char *in, *notes, *out; } cases[] = {
        { "get a\r\nset k 0 0 5\r\nhello\r\nget c\r\n", "get a,set k=hello,get c,",
          "[get a][set k=hello][get c]" },
        { "get a c d\r\nversion\r\n", "get a,get c,get d,version,",
          "[get a][get c][get d]END\r\n[version]" },
        { "set k 0 0 2 noreply\r\n\r\n\r\nget a\r\n", "set k=\r\n,get a,", "[get a]" },
        { "set k 0 0 0\r\n\r\nget a\r\n", "set k,get a,", "[set k][get a]" },
        { "set k 0 0 5\r\nhelloworld\r\nget a\r\n", "get a,",
          "CLIENT_ERROR bad data chunk\r\nERROR\r\n[get a]" },
        { "set " K251 " 0 0 7\r\nget zz\n\r\nget a\r\n", "get a,",
          "CLIENT_ERROR bad command line format\r\n[get a]" },
        { "nonsense\r\nget a\r\n", "get a,", "ERROR\r\n[get a]" },
        { "get a\r\nquit\r\nget c\r\n", "get a,quit,", "[get a]" },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        size_t len = strlen(cases[i].in);

        for (size_t cut = 0; cut < len; cut++) {
            int c = stage_client(&stage);

            forget_notes();
            fake_write(stage.world, c, cases[i].in, cut);
            stage_run(&stage, 0);
            fake_write(stage.world, c, cases[i].in + cut, len - cut);
            stage_run(&stage, 0);
            assert_string_equal(notes, cases[i].notes);
            assert_string_equal(stage_heard(&stage, c), cases[i].out);
            close_far(c);
            stage_run(&stage, 0);
        }
    }
}

/* What needs nothing but to be executed; all else is left for its turn. */
static void keys_are_foreseen_before_they_are_asked_for(void **state)
{
    static const struct { const char *in, *foreseen, *notes; } cases[] = {
        { "get a\r\nget c\r\nset d 0 0 1\r\n1\r\ndelete e\r\n", "a c d e;",
          "get a,get c,set d=1,delete e," },
        { "get a c d\r\n", "a c d;", "get a,get c,get d," },
        { "get a\r\nget c d\r\nget e\r\n", "a;c d;e;", "get a,get c,get d,get e," },
        { "get a\r\nversion\r\nget c\r\nget d\r\n", "a;c d;", "get a,version,get c,get d," },
        { "get a\r\nnonsense\r\nget c\r\n", "a;c;", "get a,get c," },
        { "get a\r\nset d 0 0 2\r\n1", "a;", "get a," },
        { "get a\r\nset d 0 0 2\r\n123\r\nget c\r\n", "a;c;", "get a,get c," },
        { "get a\r\nset d 0 0 50\r\n12345678901234567890123456789012345678901234567890\r\n"
          "get c\r\n", "a;c;", "get a,set d,get c," },
        { "get a\r\nmg Yw== b\r\nmg ZA== b\r\nget e\r\n", "a;e;", "get a,get c,get d,get e," },
        { "get a\r\nquit\r\nget c\r\n", "a;", "get a,quit," },
        { "get a\r\nflush_all\r\nget c\r\n", "a;", "get a,flush_all," },
        { "get a\r\nwatch\r\nget c\r\n", "a;", "get a,watch," },
        { "get k1\r\nget k2\r\nget k3\r\nget k4\r\nget k5\r\nget k6\r\nget k7\r\n",
          "k1 k2 k3 k4 k5;k6 k7;", "get k1,get k2,get k3,get k4,get k5,get k6,get k7," },
        { "get k1 k2 k3 k4 k5 k6\r\n", "k1 k2 k3 k4 k5;k6;",
          "get k1,get k2,get k3,get k4,get k5,get k6," },
    };

    (void)state;
    stage.config.max_requests = 5;
    stage.config.max_item_bytes = 40;
    for (size_t i = 0; i < N_OF(cases); i++) {
        int c = stage_client(&stage);

        forget_notes();
        (void)stage_ask(&stage, c, cases[i].in);
        assert_string_equal(foreseen, cases[i].foreseen);
        assert_string_equal(notes, cases[i].notes);
        while (laters != NULL)
            answer("[flush");
        close_far(c);
        stage_run(&stage, 0);
    }
}

/* Commands of all kinds, several batches of them; x: answered at the turn's end. */
static const char *const kinds[] = {
    "get a\r\n", "get x\r\n", "set k 0 0 5\r\nhello\r\n", "get a c d\r\n",
    "set k 0 0 2 noreply\r\n\r\n\r\n", "set k 0 0 5\r\nhelloworld\r\n", "get a x c x e\r\n",
    "set " K251 " 0 0 7\r\nget zz\n\r\n", "nonsense\r\n", "get " K251 "\r\n", "delete c\r\n",
    "set k 0 0 50\r\n12345678901234567890123456789012345678901234567890\r\n", "version\r\n",
    "mg Yw== b k\r\n", "ms ZA== 3 b\r\nabc\r\n", "mg a v\r\n", "ms x 2\r\nok\r\n", "mn\r\n",
    "incr n 1\r\n", "incr n one\r\n", "touch a 0\r\n", "gat 0 a c\r\n", "set x 0 0 0\r\n\r\n",
};

#define N_KINDS_SAID 200

#define KINDS_BYTES (N_KINDS_SAID * 400)

/* A pipeline of them; `fd` is said it command by command (-1: nobody is). */
static size_t put_kinds(unsigned seed, char *out, int fd)
{
    size_t len = 0;

    forget_notes();
    for (unsigned i = 0; i < N_KINDS_SAID; i++) {
        const char *kind = kinds[seed % N_OF(kinds)];

        seed = (seed * 1103515245u + 12345u) % 0x7fffffffu;
        if (fd >= 0) {
            stage_say(&stage, fd, kind);
            stage_run(&stage, 0);
        }
        memcpy(out + len, kind, strlen(kind));
        len += strlen(kind);
    }
    return len;
}

/* Says them in pieces of `piece` bytes, 0: a command each; takes all down. */
static char *say_kinds(unsigned seed, size_t piece, char *said)
{
    static char in[KINDS_BYTES];
    int c = stage_client(&stage);
    const size_t len = put_kinds(seed, in, piece == 0 ? c : -1);
    char *heard;

    for (size_t at = 0; piece > 0 && at < len; at += piece) {
        fake_write(stage.world, c, in + at, len - at < piece ? len - at : piece);
        stage_run(&stage, 0);
    }
    strcpy(said, notes);
    heard = strdup(stage_heard(&stage, c));
    assert_non_null(heard);
    close_far(c);
    stage_run(&stage, 0);
    return heard;
}

static void a_batch_is_answered_as_its_commands_one_by_one(void **state)
{
    static const size_t pieces[] = { 1, 7, 61, 250, 1000, 5000, SIZE_MAX };
    static char alone[1 << 16], together[1 << 16];

    (void)state;
    stage.config.max_requests = 100;
    stage.config.max_item_bytes = 40;
    for (unsigned seed = 1; seed <= 10; seed++) {
        char *one_by_one = say_kinds(seed, 0, alone);

        for (size_t i = 0; i < N_OF(pieces); i++) {
            char *heard = say_kinds(seed, pieces[i], together);

            assert_string_equal(together, alone);
            assert_string_equal(heard, one_by_one);
            free(heard);
        }
        free(one_by_one);
    }
}

static void keys_of_several_sessions_are_foreseen_together(void **state)
{
    static const char *const said[] = {
        "get a\r\n", "get c\r\nget d\r\nversion\r\n", "get e f\r\n", "set g 0 0 2\r\n1", "get h",
        "nonsense\r\nget i\r\n", "delete j\r\n",
    };

    (void)state;
    for (size_t i = 0; i < N_OF(said); i++)
        stage_say(&stage, stage_client(&stage), said[i]);
    stage_run(&stage, 0);
    assert_string_equal(foreseen, "a c d j;e f;i;");
}

static void sessions_that_run_together_are_answered_as_alone(void **state)
{
    enum { N = 7 };
    static const size_t pieces[] = { 13, 200, 1500, SIZE_MAX };
    static char in[N][KINDS_BYTES], said[1 << 16];
    size_t len[N];

    (void)state;
    stage.config.max_requests = 100;
    stage.config.max_item_bytes = 40;
    for (unsigned i = 0; i < N; i++)
        len[i] = put_kinds(i + 1, in[i], -1);
    for (size_t k = 0; k < N_OF(pieces); k++) {
        int c[N];

        forget_notes();
        for (unsigned i = 0; i < N; i++)
            c[i] = stage_client(&stage);
        for (size_t at = 0; at < KINDS_BYTES; at += at + pieces[k] > at ? pieces[k] : KINDS_BYTES) {
            for (unsigned i = 0; i < N; i++)
                if (at < len[i])
                    fake_write(stage.world, c[i], in[i] + at,
                               len[i] - at < pieces[k] ? len[i] - at : pieces[k]);
            stage_run(&stage, 0);
        }
        for (unsigned i = 0; i < N; i++) {
            char *alone = say_kinds(i + 1, 0, said);

            assert_string_equal(stage_heard(&stage, c[i]), alone);
            free(alone);
            close_far(c[i]);
        }
        stage_run(&stage, 0);
    }
}

/* It is executed when its turn comes, and what is behind it when it is done. */
static void a_barrier_in_a_pipeline_keeps_its_place(void **state)
{
    int c = stage_client(&stage);

    (void)state;
    assert_string_equal(stage_ask(&stage, c, "get a\r\nget c\r\nflush_all\r\nget d\r\nget e f\r\n"),
                        "[get a][get c]");
    assert_string_equal(notes, "get a,get c,flush_all,");
    answer("[flush");
    session_resume(stage.worker.sessions);
    stage_run(&stage, 0);
    assert_string_equal(stage_heard(&stage, c), "[flush][get d][get e][get f]END\r\n");
}

static void a_large_value_arrives_whole(void **state)
{
    static const size_t gulps[] = { 1000, 32768, SIZE_MAX };
    const size_t len = 1 << 20;
    char *value = malloc(len);

    (void)state;
    assert_non_null(value);
    memset(value, 'v', len);
    for (size_t i = 0; i < N_OF(gulps); i++) {
        int c = stage_client(&stage);

        forget_notes();
        fake_set_gulp(stage.world, c, gulps[i]);
        stage_say(&stage, c, "set k 0 0 1048576\r\n");
        fake_write(stage.world, c, value, len);
        stage_say(&stage, c, "\r\nget a\r\n");
        stage_run(&stage, 0);
        assert_string_equal(notes, "set k,get a,");
        assert_string_equal(stage_heard(&stage, c), "[set k][get a]");
        assert_int_equal(stage.worker.pool.bytes_out, 0);
        close_far(c);
        stage_run(&stage, 0);
    }
    free(value);
}

/* The handler hears of it without a value; its block is no command. */
static void a_value_that_is_too_large_is_swallowed(void **state)
{
    int c = stage_client(&stage);

    (void)state;
    stage.config.max_item_bytes = 10;
    assert_string_equal(stage_ask(&stage, c, "set k 0 0 12\r\nget x\r\nget y\r\nget a\r\n"),
                        "[set k][get a]");
    assert_string_equal(notes, "set k,get a,");
    stage_say(&stage, c, "set k 0 0 2000000000\r\n");
    for (int i = 0; i < 100; i++)
        (void)stage_ask(&stage, c, "get x\r\n");
    assert_string_equal(notes, "set k,get a,set k,");
    assert_int_equal(stage.worker.pool.bytes_out, 0);
}

/* More keys than a line may have bytes: they are executed as they come. */
static void a_get_of_many_keys_is_streamed(void **state)
{
    static const size_t pieces[] = { 1, 1000, 65536, 1 << 20 };
    char *line = malloc(MANY * 12), *p = line;
    size_t len;

    (void)state;
    assert_non_null(line);
    p += sprintf(p, "get");
    for (unsigned i = 0; i < MANY; i++)
        p += sprintf(p, " key%05u", i);
    p += sprintf(p, "\r\n");
    len = (size_t)(p - line);
    for (size_t i = 0; i < N_OF(pieces); i++) {
        int c = stage_client(&stage);

        forget_notes();
        for (size_t at = 0; at < len; at += pieces[i]) {
            size_t left = len - at;

            /* byte by byte only where the line's beginning and its limit are */
            if (pieces[i] == 1 && at == 100)
                at = TEXT_LINE_MAX - 100;
            if (pieces[i] == 1 && at == TEXT_LINE_MAX - 100)
                fake_write(stage.world, c, line + 100, TEXT_LINE_MAX - 200);
            if (pieces[i] == 1 && at == TEXT_LINE_MAX + 100) {
                fake_write(stage.world, c, line + at, len - at);
                break;
            }
            fake_write(stage.world, c, line + at, left < pieces[i] ? left : pieces[i]);
            stage_run(&stage, 0);
            assert_in_range(stage.worker.pool.bytes_out, 0, 4 * TEXT_LINE_MAX);
        }
        stage_say(&stage, c, "version\r\n");
        stage_run(&stage, 0);
        assert_int_equal(n_handled, MANY + 1);
        assert_memory_equal(notes, "get key00000,get key00001,", 26);
        assert_string_equal(notes + notes_len - 21, "get key09999,version,");
        p = (char *)stage_heard(&stage, c);
        assert_string_equal(p + strlen(p) - 14, "END\r\n[version]");
        close_far(c);
        stage_run(&stage, 0);
    }
    free(line);
}

static void a_bad_key_among_many_ends_its_line_alone(void **state)
{
    char *line = malloc(MANY * 12 + 1000), *p = line;
    int c = stage_client(&stage);

    (void)state;
    assert_non_null(line);
    p += sprintf(p, "get");
    for (unsigned i = 0; i < MANY; i++)
        p += sprintf(p, " key%05u", i);
    p += sprintf(p, " " K251 " more and more\r\nversion\r\n");
    p = (char *)stage_ask(&stage, c, line);
    assert_int_equal(n_handled, MANY + 1);
    p += strlen(p) - 47;
    assert_string_equal(p, "CLIENT_ERROR bad command line format\r\n[version]");
    free(line);
}

/* answers */

static void answers_leave_in_the_order_of_the_commands(void **state)
{
    static const struct { const char *first, *second, *third; const char *out[3]; } cases[] = {
        { "[get l1", "[get l2", "[get l3",
          { "[get l1]", "[get l2][get a]", "[get l3][get c]" } },
        { "[get l3", "[get l2", "[get l1", { "", "", "[get l1][get l2][get a][get l3][get c]" } },
        { "[get l2", "[get l1", "[get l3", { "", "[get l1][get l2][get a]", "[get l3][get c]" } },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        int c = stage_client(&stage);

        stage_say(&stage, c, "get l1\r\nget l2\r\nget a\r\nget l3\r\nget c\r\n");
        stage_run(&stage, 0);
        assert_string_equal(stage_heard(&stage, c), "");
        answer(cases[i].first);
        stage_run(&stage, 0);
        assert_string_equal(stage_heard(&stage, c), cases[i].out[0]);
        answer(cases[i].second);
        stage_run(&stage, 0);
        assert_string_equal(stage_heard(&stage, c), cases[i].out[1]);
        answer(cases[i].third);
        stage_run(&stage, 0);
        assert_string_equal(stage_heard(&stage, c), cases[i].out[2]);
        close_far(c);
        stage_run(&stage, 0);
    }
}

/* Answered on the spot, at the turn's end, or both: one call to the kernel. */
static void a_session_sends_once_a_turn(void **state)
{
    static const char *const pipelines[] = {
        "get a\r\nget c\r\nget d\r\nget e\r\n",
        "get x1\r\nget x2\r\nget x3\r\n",
        "get a\r\nget x1\r\nget c\r\nget x2\r\nget d\r\n",
        "get a x1 c x2\r\nset x 0 0 1\r\n1\r\nversion\r\n",
    };

    (void)state;
    for (size_t i = 0; i < N_OF(pipelines); i++) {
        int c = stage_client(&stage);

        (void)stage_ask(&stage, c, pipelines[i]);
        assert_int_equal(fake_counts(stage.world, c).sends, 1);
        assert_int_equal(fake_counts(stage.world, c).recvs, 1);
        assert_int_equal(fake_counts(stage.world, c).watch_sets, 1);
        close_far(c);
        stage_run(&stage, 0);
    }
}

/* However many are readable in a turn, some of them at a time hold buffers. */
static void sessions_that_are_read_together_are_bounded(void **state)
{
    int clients[5 * READY_MAX / 2];

    (void)state;
    for (size_t i = 0; i < N_OF(clients); i++) {
        clients[i] = stage_client(&stage);
        stage_say(&stage, clients[i], i % 3 == 0 ? "get x\r\nget a\r\n" : "get a\r\n");
    }
    stage_run(&stage, 0);
    for (size_t i = 0; i < N_OF(clients); i++) {
        assert_string_equal(stage_heard(&stage, clients[i]), i % 3 == 0 ? "[get x][get a]" : "[get a]");
        assert_int_equal(fake_counts(stage.world, clients[i]).sends, 1);
    }
    assert_in_range(stage.worker.pool.peak_bytes, 2 * CHUNK_SIZE, (READY_MAX + 8) * CHUNK_SIZE);
}

/* The one that is run first closes the other, which has received. */
static struct session *victim;

static void close_victim(struct session *s, struct cmd *cmd)
{
    (void)cmd;
    n_handled++;
    assert_ptr_not_equal(s, victim);
    session_close(victim);
}

static void a_session_that_is_closed_before_it_runs_is_not_run(void **state)
{
    static const struct handler closer = { .handle = close_victim, .turn_end = turn_end };

    int b = stage_client(&stage), c = stage_client(&stage);

    (void)state;
    victim = stage.worker.sessions;
    stage.worker.handler = &closer;
    stage_say(&stage, b, "get a\r\n");
    stage_say(&stage, c, "get a\r\n");
    stage_run(&stage, 0);
    assert_int_equal(n_handled, 1);
    assert_true(fake_is_closed(stage.world, c));
}

static void an_idle_session_holds_no_memory(void **state)
{
    int c = stage_client(&stage);

    (void)state;
    (void)stage_ask(&stage, c, "get a\r\nget b1\r\nget x\r\n");
    assert_int_equal(stage.worker.pool.bytes_out, 0);
}

/* bounds */

static void a_client_that_does_not_read_is_not_executed(void **state)
{
    int c = stage_client(&stage);
    size_t seen = 0, len;
    unsigned handled;

    (void)state;
    fake_set_room(stage.world, c, 100000);
    for (unsigned i = 0; i < 1000; i++)
        stage_say(&stage, c, "get b1\r\n");
    stage_run(&stage, 0);
    /* what the socket took, what may wait, and the one that was too much */
    assert_in_range(n_handled, 1, (100000 + SESSION_OUTPUT_PAUSE) / BIG + 1);
    assert_false(fake_is_watched(stage.world, c, WATCH_READ));
    handled = n_handled;
    stage_run(&stage, 10000);
    assert_int_equal(n_handled, handled);
    do {                        /* it reads: all goes on to the end */
        const char *data = fake_take(stage.world, c, &len);

        for (size_t i = 0; i < len; i++)
            assert_int_equal(data[i], '1');
        seen += len;
        stage_run(&stage, 0);
    } while (len > 0);
    assert_int_equal(n_handled, 1000);
    assert_int_equal(seen, 1000 * BIG);
    assert_true(fake_is_watched(stage.world, c, WATCH_READ));
}

static void large_answers_that_wait_for_another_are_bounded(void **state)
{
    int c = stage_client(&stage);

    (void)state;
    stage_say(&stage, c, "get l1\r\n");
    for (unsigned i = 0; i < 1000; i++)
        stage_say(&stage, c, "get b1\r\n");
    stage_run(&stage, 0);
    assert_in_range(n_handled, 2, 2 + SESSION_OUTPUT_PAUSE / BIG + 1);
    answer("[get l1");
    stage_run(&stage, 0);
    assert_int_equal(n_handled, 1001);
    assert_int_equal(strlen(stage_heard(&stage, c)), 8 + 1000 * BIG);
}

/* One slot becomes several, wherever it stands among the others; or none. */
static void others_may_take_the_place_of_a_slot(void **state)
{
    static const char *const lines[] = { "get l0\r\n", "get l1\r\n", "get l2\r\n" };

    (void)state;
    for (unsigned place = 0; place < 3; place++) {
        for (unsigned n = 0; n <= 2; n++) {
            int c = stage_client(&stage);
            struct session *s = stage.worker.sessions;
            struct later **at = &laters, *old;
            char want[100] = "", name[24];

            for (unsigned i = 0; i < 3; i++)
                assert_string_equal(stage_ask(&stage, c, lines[i]), "");
            for (unsigned i = 0; i < place; i++)
                at = &(*at)->next;
            old = *at;
            *at = old->next;
            for (unsigned i = 0; i < n; i++) {
                struct later *l = calloc(1, sizeof(*l)), **last = &laters;

                assert_non_null(l);
                snprintf(l->text, sizeof(l->text), "[new%u]", i);
                l->slot.ops = &later_ops;
                session_expect_before(s, &l->slot, &old->slot);
                while (*last != NULL)
                    last = &(*last)->next;
                *last = l;
            }
            session_forgo(s, &old->slot);
            assert_null(old->slot.session);
            free(old);
            assert_int_equal(s->n_slots, 2 + n);
            /* what is asked now is still the last */
            assert_string_equal(stage_ask(&stage, c, "get l3\r\n"), "");
            for (unsigned i = n; i-- > 0;) {
                snprintf(name, sizeof(name), "[new%u", i);
                answer(name);
            }
            for (unsigned i = 4; i-- > 0;) {
                snprintf(name, sizeof(name), "[get l%u", i);
                if (i != place)
                    answer(name);
            }
            for (unsigned i = 0; i < 4; i++) {
                if (i != place)
                    sprintf(want + strlen(want), "[get l%u]", i);
                for (unsigned k = 0; i == place && k < n; k++)
                    sprintf(want + strlen(want), "[new%u]", k);
            }
            assert_string_equal(stage_ask(&stage, c, ""), want);
            assert_int_equal(s->n_slots, 0);
            assert_null(s->first);
            assert_ptr_equal(s->last, &s->first);
            fake_reset(stage.world, c);
            stage_run(&stage, 0);
        }
    }
}

static void open_slots_are_bounded(void **state)
{
    int c = stage_client(&stage);

    (void)state;
    for (unsigned i = 0; i < 3000; i++)
        stage_say(&stage, c, "get l1\r\n");
    stage_run(&stage, 0);
    assert_int_equal(n_handled, SESSION_SLOTS_MAX);
    answer("[get l1");
    stage_run(&stage, 0);
    assert_int_equal(n_handled, SESSION_SLOTS_MAX + 1);
    while (laters != NULL) {
        answer("[get l1");
        stage_run(&stage, 0);
    }
    assert_int_equal(n_handled, 3000);
    assert_int_equal(strlen(stage_heard(&stage, c)), 3000 * 8);
}

static void two_sessions_take_turns(void **state)
{
    int c = stage_client(&stage), d = stage_client(&stage);

    (void)state;
    stage.config.max_requests = 2;
    stage_say(&stage, c, "get a\r\nget a\r\nget a\r\nget a\r\nget a\r\n");
    stage_say(&stage, d, "get d d d d d\r\n");
    stage_run(&stage, 0);
    assert_string_equal(notes, "get a,get a,get d,get d,get a,get a,get d,get d,get a,get d,");
    assert_string_equal(stage_heard(&stage, c), "[get a][get a][get a][get a][get a]");
    assert_string_equal(stage_heard(&stage, d), "[get d][get d][get d][get d][get d]END\r\n");
    assert_int_equal(stage.worker.stats.conn_yields, 4);
}

static void a_barrier_keeps_what_follows_it_waiting(void **state)
{
    int c = stage_client(&stage), d = stage_client(&stage);
    struct session *s = stage.worker.sessions->next;

    (void)state;
    assert_string_equal(stage_ask(&stage, c, "get a\r\nflush_all\r\nget c\r\n"), "[get a]");
    assert_string_equal(stage_ask(&stage, c, "get e\r\n"), "");
    assert_string_equal(stage_ask(&stage, d, "get d\r\n"), "[get d]");
    assert_string_equal(notes, "get a,flush_all,get d,");
    session_resume(s);
    answer("[flush");
    stage_run(&stage, 0);
    assert_string_equal(stage_heard(&stage, c), "[flush][get c][get e]");
}

static void the_greediest_is_closed_at_the_output_limit(void **state)
{
    int c = stage_client(&stage), d = stage_client(&stage), e = stage_client(&stage);

    (void)state;
    stage.config.output_limit_bytes = 200000;
    fake_set_room(stage.world, c, 1000);
    fake_set_room(stage.world, d, 1000);
    fake_set_room(stage.world, e, 1000);
    for (unsigned i = 0; i < 5; i++)
        stage_say(&stage, c, "get b1\r\n");
    for (unsigned i = 0; i < 10; i++)
        stage_say(&stage, d, "get b2\r\n");
    stage_run(&stage, 0);
    assert_false(fake_is_closed(stage.world, d));
    for (unsigned i = 0; i < 8; i++)
        stage_say(&stage, e, "get b3\r\n");
    stage_run(&stage, 0);
    assert_false(fake_is_closed(stage.world, c));
    assert_true(fake_is_closed(stage.world, d));
    assert_false(fake_is_closed(stage.world, e));
    assert_int_equal(stage.worker.stats.idle_kicks, 1);
}

/* As many as it takes, in the turn in which it is seen. */
static void the_greediest_are_closed_within_one_turn(void **state)
{
    static const unsigned unread[] = { 3, 8, 1, 9, 7, 2 };      /* answers, of BIG bytes */
    static const bool stays[] = { true, false, true, false, false, true };
    int clients[N_OF(unread)];

    (void)state;
    for (size_t i = 0; i < N_OF(unread); i++) {
        clients[i] = stage_client(&stage);
        fake_set_room(stage.world, clients[i], 1000);
        for (unsigned n = 0; n < unread[i]; n++)
            stage_say(&stage, clients[i], "get b1\r\n");
    }
    stage_run(&stage, 0);
    for (size_t i = 0; i < N_OF(unread); i++)
        assert_false(fake_is_closed(stage.world, clients[i]));
    stage.config.output_limit_bytes = 7 * BIG;
    stage_run(&stage, 0);               /* nothing happens: it is one turn */
    for (size_t i = 0; i < N_OF(unread); i++)
        assert_int_equal(fake_is_closed(stage.world, clients[i]), !stays[i]);
    assert_int_equal(stage.worker.stats.idle_kicks, 3);
}

/* Over the limit nothing more is executed in this turn; its end makes room. */
static void the_output_limit_holds_within_a_turn(void **state)
{
    enum { CLIENTS = 20, ANSWERS = 9, LIMIT = 30 * BIG };
    int clients[CLIENTS];
    unsigned n_closed = 0;

    (void)state;
    stage.config.output_limit_bytes = LIMIT;
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i] = stage_client(&stage);
        fake_set_room(stage.world, clients[i], 1000);
        for (unsigned n = 0; n < ANSWERS; n++)
            stage_say(&stage, clients[i], "get b1\r\n");
    }
    stage_run(&stage, 0);
    assert_int_equal(n_handled, CLIENTS * ANSWERS);
    assert_false(handled_over);
    for (unsigned i = 0; i < CLIENTS; i++)
        n_closed += fake_is_closed(stage.world, clients[i]);
    assert_in_range(n_closed, CLIENTS - LIMIT / (ANSWERS * BIG) - 1, CLIENTS - 1);
}

/* the deaf */

static void what_a_deaf_session_is_sent_is_thrown_away(void **state)
{
    int c = stage_client(&stage), d = stage_client(&stage);

    (void)state;
    stage.config.request_timeout_ms = 5000;
    assert_string_equal(stage_ask(&stage, c, "get a\r\nwatch\r\nget c\r\n"), "[get a][watch]");
    for (int i = 0; i < 1000; i++)
        stage_say(&stage, c, "get e\r\nset k 0 0 1000000\r\nnonsense");
    assert_string_equal(stage_ask(&stage, c, "quit\r\n"), "");
    assert_string_equal(notes, "get a,watch,");
    assert_int_equal(stage.worker.pool.bytes_out, 0);
    stage_run(&stage, 20000);           /* no command of it is late */
    assert_false(fake_is_closed(stage.world, c));
    assert_string_equal(stage_ask(&stage, d, "get a\r\n"), "[get a]");
    close_far(c);
    stage_run(&stage, 0);
    assert_int_equal(stage.worker.stats.curr_connections, 1);
}

static void a_deaf_session_ends_when_its_client_sends_no_more(void **state)
{
    int c = stage_client(&stage);

    (void)state;
    (void)stage_ask(&stage, c, "watch\r\nget a");
    fake_shut(stage.world, c);
    stage_run(&stage, 0);
    assert_true(fake_is_closed(stage.world, c));
    assert_int_equal(stage.worker.stats.curr_connections, 0);
}

static void a_deaf_session_ends_at_a_drain(void **state)
{
    int c = stage_client(&stage), d = stage_client(&stage);

    (void)state;
    (void)stage_ask(&stage, c, "watch\r\nget a\r\n");
    (void)stage_ask(&stage, d, "watch\r\n");
    stage_say(&stage, d, "get a\r\n");
    worker_drain(&stage.worker);
    stage_run(&stage, 0);
    assert_true(fake_is_closed(stage.world, c));
    assert_true(fake_is_closed(stage.world, d));
    assert_string_equal(notes, "watch,watch,");
}

/* streams */

#define STALL_MS 10000          /* so long one may stand still */
#define LOOK_MS 1000            /* a look is taken so often */

/* The only session is given BIG bytes to send that nobody asked for. */
static void stream_more(void)
{
    struct session *s = stage.worker.sessions;

    say_big(s, 's');
    session_join_flush(s);
    stage_run(&stage, 0);
}

static void a_stream_that_stands_still_is_closed(void **state)
{
    int c = stage_client(&stage);

    (void)state;
    assert_string_equal(stage_ask(&stage, c, "watch\r\n"), "[watch]");
    fake_set_room(stage.world, c, 100);
    stream_more();
    stage_run(&stage, STALL_MS);
    assert_false(fake_is_closed(stage.world, c));
    stage_run(&stage, LOOK_MS + 1);
    assert_true(fake_is_closed(stage.world, c));
    assert_int_equal(stage.worker.stats.idle_kicks, 1);
}

/* However slowly; and one that has nothing to send does not stand still. */
static void a_stream_that_moves_or_is_read_to_the_end_is_kept(void **state)
{
    int c = stage_client(&stage);
    size_t len;

    (void)state;
    (void)stage_ask(&stage, c, "watch\r\n");
    fake_set_room(stage.world, c, 100);
    stream_more();
    for (int i = 0; i < 10; i++) {
        stage_run(&stage, STALL_MS - LOOK_MS);
        assert_false(fake_is_closed(stage.world, c));
        (void)fake_take(stage.world, c, &len);
        assert_int_equal(len, 100);
        stage_run(&stage, 0);
    }
    fake_set_room(stage.world, c, SIZE_MAX);
    stage_run(&stage, 10 * STALL_MS);
    assert_false(fake_is_closed(stage.world, c));
    (void)fake_take(stage.world, c, &len);
    assert_int_equal(len, BIG - 1000);
}

/* What it was asked for a client may read as late as it likes. */
static void answers_that_stand_still_are_kept(void **state)
{
    int c = stage_client(&stage);

    (void)state;
    fake_set_room(stage.world, c, 100);
    (void)stage_ask(&stage, c, "get b1\r\n");
    stage_run(&stage, 10 * STALL_MS);
    assert_false(fake_is_closed(stage.world, c));
}

/* the end */

static void quit_is_answered_by_closing_after_all_else(void **state)
{
    int c = stage_client(&stage);

    (void)state;
    assert_string_equal(stage_ask(&stage, c, "get l1\r\nget a\r\nquit\r\nget c\r\n"), "");
    assert_false(fake_is_closed(stage.world, c));
    answer("[get l1");
    stage_run(&stage, 0);
    assert_string_equal(stage_heard(&stage, c), "[get l1][get a]");
    assert_true(fake_is_closed(stage.world, c));
    assert_string_equal(notes, "get l1,get a,quit,");
}

/* As nc does when its input ends. */
static void a_client_that_sends_no_more_still_gets_its_answers(void **state)
{
    static const struct { const char *in, *out; } cases[] = {
        { "get l1\r\nget a\r\n", "[get l1][get a]" },
        { "get l1\r\nget a", "[get l1]" },
        { "get l1\r\nset k 0 0 10\r\nhel", "[get l1]" },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        int c = stage_client(&stage);

        stage_say(&stage, c, cases[i].in);
        fake_shut(stage.world, c);
        stage_run(&stage, 0);
        assert_false(fake_is_closed(stage.world, c));
        answer("[get l1");
        stage_run(&stage, 0);
        assert_string_equal(stage_heard(&stage, c), cases[i].out);
        assert_true(fake_is_closed(stage.world, c));
    }
    assert_int_equal(stage.worker.stats.curr_connections, 0);
}

static void a_client_that_sends_no_more_is_executed_to_the_end(void **state)
{
    int c = stage_client(&stage);

    (void)state;
    stage.config.max_requests = 1;
    fake_set_room(stage.world, c, 5 * BIG);
    for (unsigned i = 0; i < 100; i++)
        stage_say(&stage, c, "get b1\r\n");
    fake_shut(stage.world, c);
    for (size_t seen = 0, len; seen < 100 * BIG; seen += len) {
        stage_run(&stage, 0);
        (void)fake_take(stage.world, c, &len);
        assert_int_not_equal(len, 0);
    }
    stage_run(&stage, 0);
    assert_true(fake_is_closed(stage.world, c));
}

static void an_answer_for_a_client_that_is_gone_goes_nowhere(void **state)
{
    int c = stage_client(&stage), d = stage_client(&stage);

    (void)state;
    (void)stage_ask(&stage, c, "get l1\r\nget l2\r\nget a\r\n");
    answer("[get l2");
    fake_reset(stage.world, c);
    stage_run(&stage, 0);
    assert_int_equal(stage.worker.stats.curr_connections, 1);
    answer("[get l1");
    assert_string_equal(stage_ask(&stage, d, "get a\r\n"), "[get a]");
}

static void http_is_hung_up_on(void **state)
{
    int c = stage_client(&stage);

    (void)state;
    assert_string_equal(stage_ask(&stage, c, "GET / HTTP/1.1\r\nHost: x\r\n\r\nget a\r\n"), "");
    assert_true(fake_is_closed(stage.world, c));
    assert_string_equal(notes, "");
}

/* Else the kernel would reset the connection, and take back what was answered. */
static void who_goes_on_sending_is_listened_to_until_it_ends_too(void **state)
{
    enum { MUCH = 300 << 10 };
    char *much = calloc(1, MUCH);

    (void)state;
    assert_non_null(much);
    memset(much, 'x', MUCH);
    for (unsigned ends = 0; ends < 2; ends++) {
        const int c = stage_client(&stage);

        stage_say(&stage, c, "get a\r\nquit\r\n");
        fake_write(stage.world, c, much, MUCH);
        stage_run(&stage, 0);
        assert_string_equal(stage_heard(&stage, c), "[get a]");
        assert_true(fake_is_closed(stage.world, c));        /* it reads the end */
        assert_int_equal(stage.worker.stats.curr_connections, 1);
        fake_write(stage.world, c, much, MUCH);
        stage_run(&stage, 0);
        assert_int_equal(stage.worker.stats.curr_connections, 1);
        if (ends)
            stage.world->ops->close(stage.world, c);
        stage_run(&stage, ends ? 0 : 3000);                 /* or stays, for a moment */
        assert_int_equal(stage.worker.stats.curr_connections, 0);
    }
    free(much);
}

static void a_drain_lets_sessions_finish_what_they_have_begun(void **state)
{
    int idle = stage_client(&stage), waits = stage_client(&stage), sends = stage_client(&stage);
    int slow = stage_client(&stage);

    (void)state;
    stage_say(&stage, waits, "get l1\r\n");
    stage_say(&stage, sends, "set k 0 0 5\r\nhel");
    stage_run(&stage, 0);
    stage_say(&stage, slow, "get a\r\n");       /* not read yet */
    worker_drain(&stage.worker);
    stage_run(&stage, 0);
    assert_true(fake_is_closed(stage.world, idle));
    assert_false(fake_is_closed(stage.world, waits));
    assert_false(fake_is_closed(stage.world, sends));
    assert_string_equal(stage_heard(&stage, slow), "[get a]");
    answer("[get l1");
    stage_say(&stage, sends, "lo\r\nget a\r\n");
    stage_run(&stage, 0);
    assert_string_equal(stage_heard(&stage, waits), "[get l1]");
    assert_true(fake_is_closed(stage.world, waits));
    assert_string_equal(stage_heard(&stage, sends), "[set k=hello][get a]");
    assert_true(fake_is_closed(stage.world, sends));
    assert_int_equal(stage.worker.stats.curr_connections, 0);
}

/* A slow sender is told; who is slow to read, or only idle, is left alone. */
static void a_command_may_not_take_for_ever_to_arrive(void **state)
{
    static const char late[] = "CLIENT_ERROR the command took too long to arrive\r\n";
    static const char *const begun[] = {
        "get", "set k 0 0 5\r\n", "set k 0 0 5\r\nhel", "set " K251 " 0 0 9\r\n123",
    };

    (void)state;
    stage.config.request_timeout_ms = 5000;
    for (size_t i = 0; i < N_OF(begun); i++) {
        int c = stage_client(&stage), idle = stage_client(&stage);

        assert_string_equal(stage_ask(&stage, idle, "get a\r\n"), "[get a]");
        (void)stage_ask(&stage, c, begun[i]);
        stage_run(&stage, 4000);
        assert_string_equal(stage_heard(&stage, c), "");
        stage_run(&stage, 3000);
        assert_string_equal(stage_heard(&stage, c), late);
        assert_true(fake_is_closed(stage.world, c));
        assert_string_equal(stage_ask(&stage, idle, "get a\r\n"), "[get a]");
        close_far(idle);
        stage_run(&stage, 0);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_goes_by_what_is_new_before_what_is_open_is_answered),
        TEST(a_command_to_be_asked_again_lets_none_pass),
        TEST(what_is_executed_under_a_lease_is_answered_at_any_time),
        TEST(commands_may_be_cut_anywhere),
        TEST(keys_are_foreseen_before_they_are_asked_for),
        TEST(a_batch_is_answered_as_its_commands_one_by_one),
        TEST(keys_of_several_sessions_are_foreseen_together),
        TEST(sessions_that_run_together_are_answered_as_alone),
        TEST(a_barrier_in_a_pipeline_keeps_its_place),
        TEST(a_large_value_arrives_whole),
        TEST(a_value_that_is_too_large_is_swallowed),
        TEST(a_get_of_many_keys_is_streamed),
        TEST(a_bad_key_among_many_ends_its_line_alone),
        TEST(answers_leave_in_the_order_of_the_commands),
        TEST(a_session_sends_once_a_turn),
        TEST(sessions_that_are_read_together_are_bounded),
        TEST(a_session_that_is_closed_before_it_runs_is_not_run),
        TEST(an_idle_session_holds_no_memory),
        TEST(a_client_that_does_not_read_is_not_executed),
        TEST(large_answers_that_wait_for_another_are_bounded),
        TEST(others_may_take_the_place_of_a_slot),
        TEST(open_slots_are_bounded),
        TEST(two_sessions_take_turns),
        TEST(a_barrier_keeps_what_follows_it_waiting),
        TEST(the_greediest_is_closed_at_the_output_limit),
        TEST(the_greediest_are_closed_within_one_turn),
        TEST(the_output_limit_holds_within_a_turn),
        TEST(what_a_deaf_session_is_sent_is_thrown_away),
        TEST(a_deaf_session_ends_when_its_client_sends_no_more),
        TEST(a_deaf_session_ends_at_a_drain),
        TEST(a_stream_that_stands_still_is_closed),
        TEST(a_stream_that_moves_or_is_read_to_the_end_is_kept),
        TEST(answers_that_stand_still_are_kept),
        TEST(quit_is_answered_by_closing_after_all_else),
        TEST(who_goes_on_sending_is_listened_to_until_it_ends_too),
        TEST(a_client_that_sends_no_more_still_gets_its_answers),
        TEST(a_client_that_sends_no_more_is_executed_to_the_end),
        TEST(an_answer_for_a_client_that_is_gone_goes_nowhere),
        TEST(http_is_hung_up_on),
        TEST(a_drain_lets_sessions_finish_what_they_have_begun),
        TEST(a_command_may_not_take_for_ever_to_arrive),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
