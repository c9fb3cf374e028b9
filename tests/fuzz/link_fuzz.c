/*
 * link_fuzz - a hostile shard: bytes into a front's link, commands in flight
 *
 *      input: | how | bytes that the shard sends, in pieces ... |
 *
 * Beside the sanitizers: each command that a client sent gets one answer, well
 * formed and fit for it, in the order sent, whatever the shard says; all
 * memory comes back.  Of the two shards of the map one is never there.
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

/* Silence is given up, as often as there is a link that is silent. */
static void check_answers(struct stage *st, int client)
{
    const char *p, *end;
    size_t len;

    stage_run(st, 10000);
    p = fake_take(st->world, client, &len);
    end = p + len;
    check(!fake_is_closed(st->world, client));
    for (size_t i = 0; i < N_COMMANDS; i++)
        p = skip_answer(p, end, i);
    check(p == end);
}

static int open_link(struct stage *st, uint8_t how)
{
    struct map *map = stage_map(1, 2);
    struct hello h = stage_hello(st, "s1", map);
    int shard;

    stage_run(st, 0);
    shard = fake_accept(st->world, "shard:1");
    check(shard >= 0);
    if (how & GREETED)
        stage_send_hello(st, shard, &h);
    stage_run(st, 0);
    free(map);
    return shard;
}

static void attack(struct stage *st, int shard, uint8_t how, const uint8_t *data, size_t size)
{
    size_t piece = how >> PIECE_SHIFT == 0 ? size : (size_t)(how >> PIECE_SHIFT) * 5;

    if (how & SMALL_GULPS)
        fake_set_gulp(st->world, shard, 3);
    if (how & READS_LITTLE)
        fake_set_room(st->world, shard, 100);
    for (size_t at = 0; at < size && !fake_is_closed(st->world, shard); at += piece) {
        fake_write(st->world, shard, data + at, size - at < piece ? size - at : piece);
        stage_run(st, 1);
    }
    if (how & CLOSES)
        fake_reset(st->world, shard);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stage st;
    int client, shard;

    if (size == 0)
        return 0;
    stage_init(&st, &front_handler);
    st.world->ops->listen(st.world, "shard:1", 10, 0);
    stage_add_front(&st, 2);
    shard = open_link(&st, data[0]);
    client = stage_client(&st);
    say_commands(&st, client);
    attack(&st, shard, data[0], data + 1, size - 1);
    check_answers(&st, client);
    say_commands(&st, client);  /* under whatever map there is now */
    check_answers(&st, client);
    stage_fini(&st);
    return 0;
}
