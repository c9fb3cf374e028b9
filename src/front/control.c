#include "front/control.h"

#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "front/conns.h"
#include "front/dump.h"
#include "front/gather.h"
#include "front/latencies.h"
#include "front/hotlist.h"
#include "front/stats_text.h"
#include "front/watchers.h"
#include "store/version.h"

static void answer(struct session *s, const struct cmd *cmd, const char *line,
                   enum packet_status status, const char *body)
{
    struct sendq *q = session_reply(s);

    if (q != NULL && !answer_say(q, &cmd->form, line, status, body))
        s->broken = true;
}

static void say(struct session *s, const struct cmd *cmd, const char *line)
{
    answer(s, cmd, line, PACKET_OK, "");
}

/* What no server of any kind does, or this one not. */
static void refuse(struct session *s, const struct cmd *cmd, const char *line)
{
    answer(s, cmd, line, PACKET_NOT_FOUND, packet_words(PACKET_NOT_FOUND));
}

static struct front *front_of(struct session *s)
{
    struct front_worker *fw = s->worker->front;

    return fw->front;
}

/* OK when all shards have answered. */
static void say_ok(struct gather *g)
{
    char line[256];
    const char *failure = gather_failure(g, line);

    if (failure != NULL)
        gather_say(g, failure, PACKET_TRY_AGAIN, NULL);
    else
        gather_say(g, "OK\r\n", PACKET_OK, "");
}

static uint64_t latest_version(const struct gather *g)
{
    uint64_t latest = 0;

    for (size_t i = 0; i < g->n; i++)
        if (g->parts[i].version > latest)
            latest = g->parts[i].version;
    return latest;
}

/* flush_all, in two rounds: the greatest version there is, then all up to it.
 * Where somebody leads all must answer, and whoever has joined meanwhile.  What
 * is changed between the rounds grows out of an old value: it must not come out
 * newer than the flush, which is therefore ahead of all clocks. */
#define FLUSH_AHEAD_MS 300

/* Many flushes in a row are each ahead of the last: no further than this before
 * the wall's clock, or copies would refuse what is written then. */
#define FLUSH_MOST_MS 2000

static int64_t flush_ahead_ms(const struct gather *g, uint64_t latest)
{
    const int64_t room_ms = worker_wall(g->fw->worker) + FLUSH_MOST_MS - version_wall_ms(latest);

    if (g->delay_ms > 0 || g->n == 1)
        return g->delay_ms;
    return room_ms < 0 ? 0 : room_ms < FLUSH_AHEAD_MS ? room_ms : FLUSH_AHEAD_MS;
}

static void flush_to(struct gather *g)
{
    const uint64_t latest = latest_version(g);
    const struct frame f = {
        .op = FRAME_FLUSH,
        .st = g->delay_ms > 0 ? FLUSH_WHEN_DUE : FLUSH_NOW,
        .version = version_after(latest, flush_ahead_ms(g, latest)),
    };

    gather_ask(g, &f, say_ok);
}

static void flush_begin(struct gather *g)
{
    const struct frame f = { .op = FRAME_CLOCK };

    gather_ask(g, &f, flush_to);
}

static void flush_all(struct session *s, const struct cmd *cmd)
{
    struct gather *g;

    STAT_ADD(&s->worker->stats, cmd_flush, 1);
    if (!front_of(s)->config.flush_all) {
        answer(s, cmd, "CLIENT_ERROR flush_all not allowed\r\n", PACKET_FORBIDDEN,
               packet_words(PACKET_FORBIDDEN));
        return;
    }
    g = gather_new(s, cmd);
    if (g == NULL)
        return;
    g->delay_ms = cmd->ttl_ms > 0 ? cmd->ttl_ms : 0;
    gather_insist(g, flush_begin);
}

/* stats */

static void stats_finish(struct gather *g)
{
    g->print(g);
    stats_end(&g->out, &g->form);
    gather_end(g);
}

static void print_reset(struct gather *g)
{
    stats_reset(g->fw->front);
    gather_say(g, "RESET\r\n", PACKET_OK, "");
}

static void settings(struct session *s, const struct cmd *cmd)
{
    struct sendq *q = session_reply(s);

    if (q == NULL)
        return;
    stats_put_settings(q, &cmd->form, front_of(s));
    stats_end(q, &cmd->form);
}

static void latency(struct session *s, const struct cmd *cmd)
{
    struct sendq *q = session_reply(s);

    if (q == NULL)
        return;
    latencies_put(q, &cmd->form, s->worker->front);
    stats_end(q, &cmd->form);
}

/* As memcached that was not told to keep them. */
static void sizes(struct session *s, const struct cmd *cmd)
{
    struct sendq *q = session_reply(s);

    if (q == NULL)
        return;
    stats_line(q, &cmd->form, "sizes_status", "disabled");
    stats_end(q, &cmd->form);
}

static bool first_word_is(const struct cmd *cmd, const char *word)
{
    size_t len = strlen(word);

    return cmd->args_len >= len && memcmp(cmd->args, word, len) == 0 &&
           (cmd->args_len == len || cmd->args[len] == ' ');
}

static bool args_are(const struct cmd *cmd, const char *words)
{
    return cmd->args_len == strlen(words) && first_word_is(cmd, words);
}

/* "" when there is none. */
static bool second_word_is(const struct cmd *cmd, const char *word)
{
    const char *end = cmd->args + cmd->args_len, *at = memchr(cmd->args, ' ', cmd->args_len);
    const size_t len = strlen(word);

    while (at != NULL && at < end && *at == ' ')
        at++;
    if (at == NULL)
        return len == 0;
    return (size_t)(end - at) == len && memcmp(at, word, len) == 0;
}

static void ask_stats(struct session *s, const struct cmd *cmd, const char *group,
                      void (*print)(struct gather *g))
{
    struct frame f = { .op = FRAME_STATS, .key = group, .key_len = (uint16_t)strlen(group) };
    struct gather *g = gather_new(s, cmd);

    if (g == NULL)
        return;
    g->print = print;
    gather_ask(g, &f, print == print_reset ? print_reset : stats_finish);
}

/* The binary protocol has it all in one packet. */
static void detail_dump(struct session *s, const struct cmd *cmd)
{
    struct sendq *q = session_reply(s);
    struct sendq lines;
    bool ok = true;

    if (q == NULL)
        return;
    if (cmd->form.protocol != PROTOCOL_BINARY) {
        ok = prefixes_put(&front_of(s)->prefixes, q);
    } else {
        sendq_init(&lines, q->pool);
        ok = prefixes_put(&front_of(s)->prefixes, &lines)
             && stats_packet(q, &cmd->form, "detailed", &lines);
        sendq_fini(&lines);
    }
    stats_end(q, &cmd->form);
    s->broken |= !ok;
}

static void detail(struct session *s, const struct cmd *cmd)
{
    const bool on = second_word_is(cmd, "on");

    if (!front_of(s)->config.dumps) {
        refuse(s, cmd, "CLIENT_ERROR stats detail not allowed\r\n");
    } else if (on || second_word_is(cmd, "off")) {
        prefixes_switch(&front_of(s)->prefixes, on);
        say(s, cmd, "OK\r\n");
    } else if (second_word_is(cmd, "dump")) {
        detail_dump(s, cmd);
    } else {
        refuse(s, cmd, "CLIENT_ERROR usage: stats detail on|off|dump\r\n");
    }
}

#define SLAB_CLASS_MAX 63       /* of memcached; here all items are of class 1 */

/* "cachedump" class limit */
static void cachedump(struct session *s, const struct cmd *cmd)
{
    const char *at = cmd->args + strlen("cachedump"), *end = cmd->args + cmd->args_len;
    uint32_t numbers[2];

    if (!front_of(s)->config.dumps) {
        say(s, cmd, "CLIENT_ERROR stats cachedump not allowed\r\n");
        return;
    }
    for (int i = 0; i < 2; i++) {
        const char *word = at;

        while (word < end && *word == ' ')
            word++;
        for (at = word; at < end && *at != ' '; at++)
            ;
        if (at == word) {
            refuse(s, cmd, "CLIENT_ERROR bad command line\r\n");
            return;
        }
        if (!num_parse_u32(word, (size_t)(at - word), &numbers[i])) {
            refuse(s, cmd, "CLIENT_ERROR bad command line format\r\n");
            return;
        }
    }
    if (numbers[0] > SLAB_CLASS_MAX)
        refuse(s, cmd, "CLIENT_ERROR Illegal slab id\r\n");
    else if (numbers[0] != 1)
        say(s, cmd, "END\r\n");
    else
        dump_begin(s, DUMP_CACHEDUMP, numbers[1]);
}

static void hotkeys(struct session *s, const struct cmd *cmd)
{
    if (!front_of(s)->config.dumps)
        refuse(s, cmd, "CLIENT_ERROR stats hotkeys not allowed\r\n");
    else
        hotlist_stats(s, cmd);
}

static void stats(struct session *s, const struct cmd *cmd)
{
    if (cmd->args_len == 0)
        ask_stats(s, cmd, "", stats_put_general);
    else if (first_word_is(cmd, "items"))
        ask_stats(s, cmd, "", stats_put_items);
    else if (first_word_is(cmd, "segments"))
        ask_stats(s, cmd, "", stats_put_segments);
    else if (first_word_is(cmd, "slabs"))
        ask_stats(s, cmd, "", stats_put_slabs);
    else if (first_word_is(cmd, "sizes"))
        sizes(s, cmd);
    else if (first_word_is(cmd, "shards"))
        ask_stats(s, cmd, "", stats_put_shards);
    else if (first_word_is(cmd, "reset"))
        ask_stats(s, cmd, "reset", print_reset);
    else if (first_word_is(cmd, "settings"))
        settings(s, cmd);
    else if (first_word_is(cmd, "latency"))
        latency(s, cmd);
    else if (first_word_is(cmd, "detail"))
        detail(s, cmd);
    else if (first_word_is(cmd, "hotkeys"))
        hotkeys(s, cmd);
    else if (first_word_is(cmd, "cachedump") && cmd->form.protocol == PROTOCOL_TEXT)
        cachedump(s, cmd);
    else if (first_word_is(cmd, "conns"))
        conns_list(s, cmd);
    else
        refuse(s, cmd, "ERROR\r\n");
}

/* cache_memlimit: what was asked for is shared out, as -m is */

static void say_limit(struct gather *g)
{
    static const char too_large[] =
        "MEMLIMIT_ADJUST_FAILED no more than four times what it was started with\r\n";
    static const char too_small[] =
        "MEMLIMIT_TOO_SMALL no room for a few segments of the size it was started with\r\n";

    for (size_t i = 0; i < g->n; i++) {
        const uint64_t asked = g->limit_bytes / g->n_asked, got = g->parts[i].version;

        if (g->parts[i].reason == NULL && !g->parts[i].absent && got != asked) {
            gather_say(g, got > asked ? too_small : too_large, PACKET_TRY_AGAIN, NULL);
            return;
        }
    }
    __atomic_store_n(&g->fw->front->memory_bytes, g->limit_bytes, __ATOMIC_RELAXED);
    say_ok(g);
}

static void cache_memlimit(struct session *s, const struct cmd *cmd)
{
    struct frame f = { .op = FRAME_LIMIT };
    struct gather *g;

    if (cmd->delta < 8) {
        say(s, cmd, "MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m\r\n");
    } else if (cmd->delta > 1000000000) {
        say(s, cmd, "MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes\r\n");
    } else if ((g = gather_new(s, cmd)) != NULL) {
        g->limit_bytes = cmd->delta << 20;
        f.number = g->limit_bytes / (g->n_asked > 0 ? g->n_asked : 1);
        gather_ask(g, &f, say_limit);
    }
}

/* the rest */

#define VERBOSITY_MAX 3         /* memcached counts no further */

static void verbosity(struct session *s, const struct cmd *cmd)
{
    unsigned level = cmd->delta < VERBOSITY_MAX ? (unsigned)cmd->delta : VERBOSITY_MAX;

    __atomic_store_n(&front_of(s)->verbosity, level, __ATOMIC_RELAXED);
    log_set_verbose(level > 0);
    say(s, cmd, "OK\r\n");
}

/*
 * Dead items are always being looked for, so the commands that start it are
 * granted; there is nothing to tune.  All items are of class 1.
 */
static void lru_crawler(struct session *s, const struct cmd *cmd)
{
    const bool mgdump = first_word_is(cmd, "mgdump");

    if (args_are(cmd, "enable") || first_word_is(cmd, "crawl"))
        say(s, cmd, "OK\r\n");
    else if (args_are(cmd, "disable"))
        say(s, cmd, "ERROR failed to stop lru crawler thread\r\n");
    else if (!mgdump && !first_word_is(cmd, "metadump"))
        say(s, cmd, "ERROR\r\n");
    else if (!front_of(s)->config.dumps)
        say(s, cmd, mgdump ? "ERROR key dump not allowed\r\n" : "ERROR metadump not allowed\r\n");
    else if (!second_word_is(cmd, "all") && !second_word_is(cmd, "hash")
             && !second_word_is(cmd, "1"))
        say(s, cmd, second_word_is(cmd, "") ? "ERROR\r\n" : "BADCLASS invalid class id\r\n");
    else
        dump_begin(s, mgdump ? DUMP_MGDUMP : DUMP_METADUMP, 0);
}

/* There are none; tools that tune them are told what memcached would. */
static void slabs(struct session *s, const struct cmd *cmd)
{
    if (first_word_is(cmd, "reassign"))
        say(s, cmd, "CLIENT_ERROR slab reassignment disabled\r\n");
    else
        say(s, cmd, "ERROR\r\n");
}

static void shutdown_process(struct session *s, const struct cmd *cmd)
{
    if (!front_of(s)->config.shutdown) {
        say(s, cmd, "SERVER_ERROR: shutdown not enabled\r\n");
    } else if (cmd->args_len == 0 || first_word_is(cmd, "graceful")) {
        session_finish(s);
        front_of(s)->shut_down();
    } else {
        say(s, cmd, "CLIENT_ERROR invalid shutdown mode\r\n");
    }
}

void control_handle(struct session *s, struct cmd *cmd)
{
    switch (cmd->verb) {
    case VERB_FLUSH_ALL:
        flush_all(s, cmd);
        break;
    case VERB_STATS:
        stats(s, cmd);
        break;
    case VERB_VERSION:
        answer(s, cmd, "VERSION " FRONT_MEMCACHED_VERSION "\r\n", PACKET_OK,
               FRONT_MEMCACHED_VERSION);
        break;
    case VERB_VERBOSITY:
        verbosity(s, cmd);
        break;
    case VERB_QUIT:
        if (cmd->form.protocol == PROTOCOL_BINARY)
            say(s, cmd, "");
        session_finish(s);
        break;
    case VERB_SHUTDOWN:
        shutdown_process(s, cmd);
        break;
    case VERB_CACHE_MEMLIMIT:
        cache_memlimit(s, cmd);
        break;
    case VERB_WATCH:
        watchers_join(s, cmd);
        break;
    case VERB_LRU_CRAWLER:
        lru_crawler(s, cmd);
        break;
    case VERB_SLABS:
        slabs(s, cmd);
        break;
    case VERB_NOOP:
        say(s, cmd, "MN\r\n");
        break;
    default:                    /* keyed ones do not come here */
        say(s, cmd, "ERROR\r\n");
        break;
    }
}
