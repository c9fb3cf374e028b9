/*
 * chcachectl - ask a running cache
 *
 *      commands --text protocol--> any memcached    (memcached.h, items.h, stats.h, keys.h,
 *                                   monitor.h, bench.h, top.h)
 *               --HTTP, JSON-----> a chcached's admin address (cluster.h, nodes.h, shares.h)
 *               ------------------ nobody                  (simulate.h, config_check.h)
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ctl/ask.h"
#include "ctl/bench.h"
#include "ctl/cluster.h"
#include "ctl/config_check.h"
#include "ctl/hotkeys.h"
#include "ctl/items.h"
#include "ctl/keys.h"
#include "ctl/memcached.h"
#include "ctl/monitor.h"
#include "ctl/nodes.h"
#include "ctl/options.h"
#include "ctl/say.h"
#include "ctl/shares.h"
#include "ctl/simulate.h"
#include "ctl/stats.h"
#include "ctl/top.h"
#include "nearest.h"

#define SERVER "127.0.0.1:11211"
#define MAX_ARGS 64
#define MANY MAX_ARGS

/* ---- commands ------------------------------------------------------------- */

/* One of `talk` and `run` is there. */
static const struct command {
    const char *words[2];
    const char *args, *help;
    int least, most;            /* arguments */
    const char *letters;        /* of options */
    bool has_key;               /* as the first of its arguments */
    int (*talk)(const struct ctl *ctl, struct conn *c, char **argv);
    int (*run)(const struct ctl *ctl, char **argv);
} commands[] = {
    { { "get" }, " KEY", "write the value to stdout", 1, 1, "jt", true, items_get, NULL },
    { { "set" }, " KEY VALUE", "store a value; - reads it from stdin", 2, 2, "jtF", true,
      items_set, NULL },
    { { "delete" }, " KEY", "forget the key", 1, 1, "j", true, items_delete, NULL },
    { { "touch" }, " KEY TIME", "a new time to live; 0: for ever", 2, 2, "j", true, items_touch,
      NULL },
    { { "incr" }, " KEY [N]", "count up by 1, or by N", 1, 2, "j", true, items_incr, NULL },
    { { "decr" }, " KEY [N]", "count down, not below 0", 1, 2, "j", true, items_decr, NULL },
    { { "ping" }, "", "does the server answer?", 0, 0, "j", false, memcached_ping, NULL },
    { { "version" }, "", "the server's version", 0, 0, "j", false, memcached_version, NULL },
    { { "stats" }, " [GROUP...]", "its counters: items, shards, latency, ...", 0, MANY, "j",
      false, stats_show, NULL },
    { { "config", "show" }, "", "the settings it runs with", 0, 0, "j", false, stats_settings,
      NULL },
    { { "config", "check" }, " FILE", "would chcached take the file?", 1, 1, "jn", false, NULL,
      config_check },
    { { "top" }, "", "what it does now, each second", 0, 0, "jo", false, top, NULL },
    { { "keys" }, " [PREFIX]", "all keys of all shards, each once", 0, 1, "jl", false, keys_show,
      NULL },
    { { "monitor" }, "", "what happens, as it happens", 0, 0, "jlm", false, monitor, NULL },
    { { "bench" }, "", "how many requests, how soon?", 0, 0, "jbt", false, NULL, bench },
    { { "status" }, "", "is the cluster well?", 0, 0, "j", false, NULL, cluster_status },
    { { "where" }, " KEY...", "who owns the keys, who holds them", 1, MANY, "j", false, NULL,
      cluster_where },
    { { "replicas" }, "", "are all copies there, and equal?", 0, 0, "j", false, NULL,
      cluster_replicas },
    { { "hotkeys" }, "", "what clients ask for most", 0, 0, "j", false, NULL, hotkeys },
    { { "nodes", "list" }, "", "the members", 0, 0, "j", false, NULL, nodes_list },
    { { "nodes", "add" }, " NAME=ADDR[*WEIGHT]", "a new shard takes its share", 1, 1, "jwdz",
      false, NULL, nodes_add },
    { { "nodes", "remove" }, " NAME", "drain a shard, and forget it", 1, 1, "jwdf", false, NULL,
      nodes_remove },
    { { "nodes", "drain" }, " NAME", "a shard gives its items away", 1, 1, "jwd", false, NULL,
      nodes_drain },
    { { "nodes", "weight" }, " NAME WEIGHT", "a shard's share becomes another", 2, 2, "jwd",
      false, NULL, nodes_weight },
    { { "jobs" }, "", "what the leader does, and did", 0, 0, "j", false, NULL, jobs_list },
    { { "jobs", "wait" }, " JOB", "until it has ended", 1, 1, "j", false, NULL, jobs_wait },
    { { "jobs", "abort" }, " JOB", "give it up", 1, 1, "j", false, NULL, jobs_abort },
    { { "ring" }, "", "the share of each shard", 0, 0, "jv", false, NULL, shares_show },
    { { "ring", "simulate" }, "", "shares of a ring that is not there", 0, 0, "js", false, NULL,
      simulate },
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_command(const struct command *c)
{
    char text[64];

    snprintf(text, sizeof(text), "%s%s%s%s", c->words[0], c->words[1] != NULL ? " " : "",
             c->words[1] != NULL ? c->words[1] : "", c->args);
    printf("  %-31s %s\n", text, c->help);
}

static int help(void)
{
    puts("Usage: chcachectl [--server HOST:PORT] [--admin HOST:PORT] COMMAND\n");
    for (size_t i = 0; i < N_COMMANDS; i++)
        print_command(&commands[i]);
    puts("  help [COMMAND]                  this text; a command's options\n\n"
         "All take --json, for programs, and --no-color; chcachectl help COMMAND tells\n"
         "what else one takes.  Behind -- there are no options.\n\n"
         "The server may be a path of a Unix socket.  Without --server it is that of\n"
         "the environment variable CHCACHED_SERVER, else " SERVER "; without\n"
         "--admin that of CHCACHED_ADMIN, else " ASK_ADMIN ".  --token-file or\n"
         "CHCACHED_TOKEN_FILE names a copy of the daemon's --admin-token-file.\n"
         "Exit status: 0 yes; 1 no: absent or refused; 2 degraded; 3 not reached; 64 usage.");
    return YES;
}

/* The command of the words at argv[0]; *n is how many it took. */
static const struct command *command_of(char **argv, int *n)
{
    const struct command *found = NULL;

    for (const struct command *c = commands; c < commands + N_COMMANDS; c++) {
        if (strcmp(c->words[0], argv[0]) != 0)
            continue;
        if (c->words[1] == NULL && found == NULL) {
            found = c;
            *n = 1;
        } else if (c->words[1] != NULL && argv[1] != NULL
                   && strcmp(c->words[1], argv[1]) == 0) {
            found = c;
            *n = 2;
        }
    }
    return found;
}

/* Second words of commands that begin with `first`; first words where that is NULL. */
static size_t words_behind(const char *first, const char **words)
{
    size_t n = 0;

    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (first == NULL)
            words[n++] = commands[i].words[0];
        else if (strcmp(commands[i].words[0], first) == 0 && commands[i].words[1] != NULL)
            words[n++] = commands[i].words[1];
    }
    return n;
}

static int unknown_command(char **argv)
{
    const char *words[N_COMMANDS], *near;
    size_t n = words_behind(argv[0], words);
    const char *first = n > 0 ? argv[0] : NULL, *word = n > 0 ? argv[1] : argv[0];

    if (word == NULL)
        return say(EX_USAGE, "%s what? see chcachectl help %s", first, first);
    if (first == NULL)
        n = words_behind(NULL, words);
    near = nearest_word(word, strlen(word), words, n);
    if (near == NULL)
        return say(EX_USAGE, "unknown command %s%s%s, see chcachectl help", argv[0],
                   first != NULL ? " " : "", first != NULL ? word : "");
    return say(EX_USAGE, "unknown command %s%s%s, did you mean %s%s%s?", argv[0],
               first != NULL ? " " : "", first != NULL ? word : "", first != NULL ? first : "",
               first != NULL ? " " : "", near);
}

static int wrong_usage(const struct command *c)
{
    return say(EX_USAGE, "usage: chcachectl %s%s%s%s", c->words[0], c->words[1] != NULL ? " " : "",
               c->words[1] != NULL ? c->words[1] : "", c->args);
}

/* Those that begin with that word; false: there are none. */
static bool help_on_all(const char *word)
{
    bool any = false;

    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (strcmp(commands[i].words[0], word) != 0)
            continue;
        print_command(&commands[i]);
        any = true;
    }
    return any;
}

static int help_on(char **argv)
{
    int n = 0;
    const struct command *c = command_of(argv, &n);

    if (c == NULL && argv[1] == NULL && help_on_all(argv[0]))
        return YES;
    if (c == NULL)
        return unknown_command(argv);
    if (argv[n] != NULL)
        return say(EX_USAGE, "usage: chcachectl help [COMMAND]");
    print_command(c);
    options_print(c->letters);
    return YES;
}

static int unknown_option(const struct command *c, const char *word)
{
    return say(EX_USAGE, "%s%s%s has no option %s, see chcachectl help", c->words[0],
               c->words[1] != NULL ? " " : "", c->words[1] != NULL ? c->words[1] : "", word);
}

/* Options out of `argv`, the rest to `args`.  YES, or what was said. */
static int take_args(struct ctl *ctl, const struct command *c, char **argv, char **args)
{
    bool is_data = false;       /* behind "--" */
    int n = 0, rc;

    for (int i = 0; argv[i] != NULL; i++) {
        const struct option_row *o = is_data || argv[i][0] != '-'
                                     ? NULL : options_find(c->letters, argv[i]);

        if (!is_data && strcmp(argv[i], "--") == 0) {
            is_data = true;
        } else if (o != NULL) {
            if ((rc = options_take(ctl, o, argv, &i)) != YES)
                return rc;
        } else if (!is_data && strncmp(argv[i], "--", 2) == 0) {
            return unknown_option(c, argv[i]);
        } else {
            if (n == c->most || n == MAX_ARGS)
                return wrong_usage(c);
            args[n++] = argv[i];
        }
    }
    args[n] = NULL;
    return n < c->least ? wrong_usage(c) : YES;
}

static int talk(const struct ctl *ctl, const struct command *command, char **args)
{
    struct conn *c = xzalloc(sizeof(*c));
    int rc;

    c->server = ctl->server;
    c->fd = -1;
    rc = command->talk(ctl, c, args);
    conn_close(c);
    free(c);
    return rc;
}

static int run(struct ctl *ctl, char **argv)
{
    char *args[MAX_ARGS + 1];
    int n = 0, rc;
    const struct command *command = command_of(argv, &n);

    if (command == NULL)
        return unknown_command(argv);
    if ((rc = take_args(ctl, command, argv + n, args)) != YES)
        return rc;
    if (command->has_key && (rc = memcached_check_key(args[0])) != YES)
        return rc;
    rc = command->talk != NULL ? talk(ctl, command, args) : command->run(ctl, args);
    if (fflush(stdout) != 0 && rc == YES)
        rc = say(NO, "stdout: %s", strerror(errno));
    return rc;
}

static const char *from_environment(const char *name, const char *dflt)
{
    const char *value = getenv(name);

    return value != NULL && *value != '\0' ? value : dflt;
}

int main(int argc, char **argv)
{
    struct ctl ctl = {
        .server = from_environment("CHCACHED_SERVER", SERVER),
        .admin = from_environment("CHCACHED_ADMIN", ASK_ADMIN),
        .token_file = from_environment("CHCACHED_TOKEN_FILE", NULL),
        .no_color = from_environment("NO_COLOR", NULL) != NULL,
    };
    int i = 1, rc;

    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        const struct option_row *o = options_find("j", argv[i]);

        if (strcmp(argv[i], "--help") == 0)
            return help();
        if (strcmp(argv[i], "--version") == 0)
            return puts("chcachectl " PACKAGE_VERSION) < 0;
        if (o == NULL)
            return say(EX_USAGE, "unknown option %s, see chcachectl help", argv[i]);
        if ((rc = options_take(&ctl, o, argv, &i)) != YES)
            return rc;
    }
    if (i >= argc)
        return say(EX_USAGE, "expected a command, see chcachectl help");
    if (strcmp(argv[i], "help") == 0 && argv[i + 1] != NULL)
        return help_on(argv + i + 1);
    if (strcmp(argv[i], "help") == 0 || strcmp(argv[i], "-h") == 0)
        return help();
    return run(&ctl, argv + i);
}
