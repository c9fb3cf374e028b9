/*
 * link_fuzz - a hostile shard: bytes into a front's link, commands in flight
 *
 *      input: | how | bytes that the shard sends, in pieces ... |
 *
 * Beside the sanitizers: each command that a client sent gets one answer, well
 * formed and fit for it, in the order sent, whatever the shard says; all
 * memory comes back.  Of the two shards of the map one is never there; or, in a
 * second life of the same bytes, it is an honest one, and each is the other's
 * copy until the hostile one is ejected.  In a third one somebody watches, and
 * must be told nothing but lines.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/stage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Bits of `how`. */
enum { GREETED = 1, SMALL_GULPS = 2, READS_LITTLE = 4, CLOSES = 8, PIECE_SHIFT = 4 };

enum kind { LINE, NUMBER, VALUES, STATS };

/* What the client sends, and what kind of answer it must get. */
static const struct {
    const char *text;
    enum kind kind;
    bool with_cas;
} commands[] = {
    { "get a\r\n", VALUES, false },
    { "set b 1 0 5\r\nhello\r\n", LINE, false },
    { "gets a b c d e f\r\n", VALUES, true },
    { "add c 0 0 0\r\n\r\n", LINE, false },
    { "incr d 1\r\n", NUMBER, false },
    { "cas e 0 0 1 7\r\n1\r\n", LINE, false },
    { "delete f\r\n", LINE, false },
    { "gat 10 g h a\r\n", VALUES, false },
    { "touch h 10\r\n", LINE, false },
    { "append i 0 0 1\r\n1\r\n", LINE, false },
    { "decr d 18446744073709551615\r\n", NUMBER, false },
    { "stats\r\n", STATS, false },
    { "flush_all\r\n", LINE, false },
    { "get a a a\r\n", VALUES, false },
    { "get a\r\n", VALUES, false },     /* gets in a row are asked together */
    { "get b\r\n", VALUES, false },
    { "get k\r\n", VALUES, false },
    { "gets b\r\n", VALUES, true },
    { "gets a\r\n", VALUES, true },
    { "set a 0 0 1\r\n1\r\n", LINE, false },
    { "gets a b j k l m n o p q r s t u v w x y z b a k i c\r\n", VALUES, true },
    { "delete k\r\n", LINE, false },
    { "stats shards\r\n", STATS, false },
    { "version\r\n", LINE, false },
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* The end of the line at p; it holds words and nothing else. */
static const char *end_of_line(const char *p, const char *end)
{
    const char *eol = memchr(p, '\n', (size_t)(end - p));

    check(eol != NULL && eol > p && eol[-1] == '\r');
    for (const char *c = p; c < eol - 1; c++)
        check(*c == ' ' || isgraph((unsigned char)*c));
    return eol + 1;
}

static bool begins(const char *p, const char *end, const char *word)
{
    return (size_t)(end - p) >= strlen(word) && memcmp(p, word, strlen(word)) == 0;
}

static const char *skip_line(const char *p, const char *end)
{
    check(!begins(p, end, "VALUE ") && !begins(p, end, "END") && !begins(p, end, "STAT "));
    return end_of_line(p, end);
}

static const char *skip_number(const char *p, const char *end)
{
    const char *next = end_of_line(p, end);

    if (isdigit((unsigned char)*p))
        for (; p < next - 2; p++)
            check(isdigit((unsigned char)*p));
    return next;
}

/* "VALUE a 0 5", of a key that was asked for after `keys`; moves on in it. */
static const char *skip_value(const char *p, const char *end, const char **keys, bool with_cas)
{
    const char *next = end_of_line(p, end);
    unsigned long long flags, cas;
    size_t len;
    char key;
    int n;

    n = sscanf(p, "VALUE %c %llu %zu %llu", &key, &flags, &len, &cas);
    check(n == 3 + with_cas && flags <= UINT32_MAX);
    *keys = strchr(*keys, key);
    check(*keys != NULL);
    ++*keys;
    check((size_t)(end - next) >= len + 2);
    check(memcmp(next + len, "\r\n", 2) == 0);
    return next + len + 2;
}

static const char *skip_answer(const char *p, const char *end, size_t i)
{
    const char *keys = strchr(commands[i].text, ' ');

    switch (commands[i].kind) {
    case LINE:
        return skip_line(p, end);
    case NUMBER:
        return skip_number(p, end);
    case VALUES:
        while (begins(p, end, "VALUE "))
            p = skip_value(p, end, &keys, commands[i].with_cas);
        break;
    case STATS:
        while (begins(p, end, "STAT "))
            p = end_of_line(p, end);
        break;
    }
    check(begins(p, end, "END\r\n"));
    return p + 5;
}

static void say_commands(struct stage *st, int client)
{
    for (size_t i = 0; i < N_COMMANDS; i++)
        stage_say(st, client, commands[i].text);
    stage_run(st, 0);
}

static bool is_busy(const struct stage *st)
{
    const struct session *s = st->worker.sessions;

    return s != NULL && (s->first != NULL || recvq_len(&s->in) > 0 || s->out.bytes > 0);
}

/* Silence is given up, as often as there is a link that is silent. */
static void check_answers(struct stage *st, int client)
{
    const char *p, *end;
    size_t len;

    /* they may wait for members, each in its turn */
    for (unsigned s = 0; s < 400 && is_busy(st); s++)
        stage_run(st, 1000);
    p = fake_take(st->world, client, &len);
    end = p + len;
    check(!fake_is_closed(st->world, client));
    for (size_t i = 0; i < N_COMMANDS; i++)
        p = skip_answer(p, end, i);
    check(p == end);
}

/* The front's connection to shard s`i`. */
static int open_link(struct stage *st, unsigned i, bool greets, const struct map *map)
{
    struct hello h;
    char name[8], address[ADDRESS_MAX];
    struct frame f;
    int shard;

    snprintf(name, sizeof(name), "s%u", i);
    snprintf(address, sizeof(address), "shard:%u", i);
    stage_run(st, 0);
    shard = fake_accept(st->world, address);
    check(shard >= 0);
    check(stage_take_frame(st, shard, &f) && f.op == FRAME_HELLO);
    h = stage_hello(st, name, map);
    if (greets)
        stage_send_hello(st, shard, &h);
    stage_run(st, 0);
    return shard;
}

/* What an honest shard without items says. */
static struct frame honest(const struct frame *f)
{
    static uint64_t version = 1 << 20;
    const bool open = (f->flags & FRAME_COPIES) != 0;
    const enum verb verb = (enum verb)(f->op - FRAME_COMMAND);

    if (f->op == FRAME_APPLY)
        return (struct frame){ .op = FRAME_APPLIED, .st = APPLIED };
    if (f->op < FRAME_COMMAND)
        return (struct frame){ .op = FRAME_DONE, .version = f->op == FRAME_MAP ? f->version : 1 };
    return (struct frame){
        .op = FRAME_ANSWER, .st = verb_has_value(verb) ? STATUS_STORED : STATUS_NOT_FOUND,
        .marks = open && verb_has_value(verb) ? MARK_OPEN : 0, .version = ++version,
    };
}

static void answer_honestly(struct stage *st, int shard)
{
    struct frame f, answer;

    while (shard >= 0 && stage_take_frame(st, shard, &f)) {
        if (f.op == FRAME_CONFIRM || f.op == FRAME_USED || f.op == FRAME_EVENTS)
            continue;
        answer = honest(&f);
        stage_send_frame(st, shard, &answer);
        stage_run(st, 0);
    }
}

/* `friend`: the honest shard, or -1. */
static void attack(struct stage *st, int shard, int friend, uint8_t how, const uint8_t *data,
                   size_t size)
{
    size_t piece = how >> PIECE_SHIFT == 0 ? size : (size_t)(how >> PIECE_SHIFT) * 5;

    if (how & SMALL_GULPS)
        fake_set_gulp(st->world, shard, 3);
    if (how & READS_LITTLE)
        fake_set_room(st->world, shard, 100);
    for (size_t at = 0; at < size && !fake_is_closed(st->world, shard); at += piece) {
        fake_write(st->world, shard, data + at, size - at < piece ? size - at : piece);
        stage_run(st, 1);
        answer_honestly(st, friend);
    }
    if (how & CLOSES)
        fake_reset(st->world, shard);
}

static void live_alone(const uint8_t *data, size_t size)
{
    struct map *map = stage_map(1, 2);
    struct stage st;
    int client, shard;

    stage_init(&st, &front_handler);
    st.world->ops->listen(st.world, "shard:1", 10, 0);
    stage_add_front(&st, 2);
    shard = open_link(&st, 1, data[0] & GREETED, map);
    client = stage_client(&st);
    say_commands(&st, client);
    attack(&st, shard, -1, data[0], data + 1, size - 1);
    check_answers(&st, client);
    say_commands(&st, client);  /* under whatever map there is now */
    check_answers(&st, client);
    free(map);
    stage_fini(&st);
}

/* Two copies of everything, and somebody who says when one is gone. */
static struct map *copies_map(uint64_t epoch)
{
    struct map *map = stage_map(epoch, 2);

    map->replicas = 2;
    snprintf(map->leader, sizeof(map->leader), "leader");
    return map;
}

static void live_with_copies(const uint8_t *data, size_t size)
{
    struct map *map = copies_map(1), *ejecting;
    struct stage st;
    int client, shard, friend;

    stage_init(&st, &front_handler);
    st.world->ops->listen(st.world, "shard:1", 10, 0);
    st.world->ops->listen(st.world, "shard:2", 10, 0);
    stage_add_front_by(&st, copies_map(1));
    shard = open_link(&st, 1, data[0] & GREETED, map);
    friend = open_link(&st, 2, true, map);
    client = stage_client(&st);
    say_commands(&st, client);
    answer_honestly(&st, friend);
    attack(&st, shard, friend, data[0], data + 1, size - 1);
    /* unless it has sent us a map of its own */
    ejecting = copies_map(cluster_epoch(st.cluster) + 1);
    ejecting->members[0].state = MEMBER_EJECTED;
    (void)cluster_adopt(st.cluster, ejecting);
    for (unsigned ms = 0; ms < 5000; ms += 100) {
        answer_honestly(&st, friend);
        stage_run(&st, 100);
    }
    check_answers(&st, client);
    free(map);
    stage_fini(&st);
}

static void live_watched(const uint8_t *data, size_t size)
{
    struct map *map = stage_map(1, 1);
    struct stage st;
    int watcher, shard;
    size_t len;
    const char *told;

    stage_init(&st, &front_handler);
    st.world->ops->listen(st.world, "shard:1", 10, 0);
    stage_add_front(&st, 1);
    st.front.config.watch = true;
    shard = open_link(&st, 1, data[0] & GREETED, map);
    watcher = stage_client(&st);
    stage_say(&st, watcher, "watch fetchers mutations deletions connevents evictions\r\n");
    attack(&st, shard, -1, data[0], data + 1, size - 1);
    stage_run(&st, 300);
    told = fake_take(st.world, watcher, &len);
    check(!fake_is_closed(st.world, watcher));
    check(begins(told, told + len, "OK\r\n") && told[len - 1] == '\n');
    for (size_t i = 4; i < len; i++)
        check(told[i] == '\n' || (told[i] >= ' ' && told[i] <= '~'));
    free(map);
    stage_fini(&st);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    live_watched(data, size);
    live_alone(data, size);
    live_with_copies(data, size);
    return 0;
}
