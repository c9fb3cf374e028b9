/*
 * chcachectl - ask a running cache
 *
 *      commands --text protocol--> any memcached           (memcached.h)
 *               --HTTP, JSON-----> a chcached's admin address (cluster.h, nodes.h)
 *               ------------------ nobody                  (simulate.h)
 */
#include "config.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ctl/ask.h"
#include "ctl/cluster.h"
#include "ctl/memcached.h"
#include "ctl/nodes.h"
#include "ctl/say.h"
#include "ctl/simulate.h"

#define SERVER "127.0.0.1:11211"
#define MAX_ARGS 64
#define MANY MAX_ARGS

/* ---- options -------------------------------------------------------------- */

/* Those of commands are taken by commands that name their letter. */
static const struct option_row {
    const char *name, *arg;     /* arg NULL: takes no value */
    char letter;                /* ' ': all commands' */
    size_t at;                  /* of the field in struct ctl */
} options[] = {
    { "--server", "HOST:PORT", ' ', offsetof(struct ctl, server) },
    { "--admin", "HOST:PORT", ' ', offsetof(struct ctl, admin) },
    { "--no-color", NULL, ' ', offsetof(struct ctl, no_color) },
    { "--json", NULL, 'j', offsetof(struct ctl, json) },
    { "--no-wait", NULL, 'w', offsetof(struct ctl, no_wait) },
    { "--dry-run", NULL, 'd', offsetof(struct ctl, dry_run) },
    { "--force", NULL, 'f', offsetof(struct ctl, force) },
    { "--zone", "NAME", 'z', offsetof(struct ctl, zone) },
    { "--shards", "N", 's', offsetof(struct ctl, shards) },
    { "--weights", "W,W,...", 's', offsetof(struct ctl, weights) },
    { "--to-shards", "N", 's', offsetof(struct ctl, to_shards) },
    { "--to-weights", "W,W,...", 's', offsetof(struct ctl, to_weights) },
    { "--keys", "FILE", 's', offsetof(struct ctl, keys) },
    { "--n-keys", "N", 's', offsetof(struct ctl, n_keys) },
};

#define N_OPTIONS (sizeof(options) / sizeof(options[0]))

/* The row of "--name" or "--name=value"; NULL: none is called so. */
static const struct option_row *option_of(const char *word)
{
    const size_t len = strcspn(word, "=");

    for (size_t i = 0; i < N_OPTIONS; i++)
        if (strlen(options[i].name) == len && memcmp(options[i].name, word, len) == 0)
            return &options[i];
    return NULL;
}

/* Takes argv[*i], and the next where that is its value.  YES, or what was said. */
static int take_option(struct ctl *ctl, const struct option_row *o, char **argv, int *i)
{
    const char *value = strchr(argv[*i], '=');
    void *field = (char *)ctl + o->at;

    if (o->arg == NULL && value != NULL)
        return say(EX_USAGE, "%s takes no value", o->name);
    if (o->arg == NULL) {
        *(bool *)field = true;
        return YES;
    }
    value = value != NULL ? value + 1 : argv[++*i];
    if (value == NULL)
        return say(EX_USAGE, "%s needs a value, %s", o->name, o->arg);
    *(const char **)field = value;
    return YES;
}

/* ---- commands ------------------------------------------------------------- */

/* One of `talk` and `run` is there. */
static const struct command {
    const char *words[2];
    const char *args, *help;
    int least, most;            /* arguments */
    const char *letters;        /* of options; NULL: what follows is data */
    bool has_key;               /* as the first of its arguments */
    int (*talk)(struct conn *c, char **argv);
    int (*run)(const struct ctl *ctl, char **argv);
} commands[] = {
    { { "get" }, " KEY", "write the value to stdout", 1, 1, NULL, true, memcached_get, NULL },
    { { "set" }, " KEY VALUE", "store a value; - reads it from stdin", 2, 2, NULL, true,
      memcached_set, NULL },
    { { "delete" }, " KEY", "forget the key", 1, 1, NULL, true, memcached_delete, NULL },
    { { "ping" }, "", "does the server answer?", 0, 0, NULL, false, memcached_ping, NULL },
    { { "version" }, "", "the server's version", 0, 0, NULL, false, memcached_version, NULL },
    { { "status" }, "", "is the cluster well?", 0, 0, "j", false, NULL, cluster_status },
    { { "where" }, " KEY...", "who owns the keys, who holds them", 1, MANY, "j", false, NULL,
      cluster_where },
    { { "replicas" }, "", "are all copies there, and equal?", 0, 0, "j", false, NULL,
      cluster_replicas },
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
    { { "ring" }, "", "the share of each shard", 0, 0, "j", false, NULL, cluster_ring },
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
         "Of what asks a cluster:     --json for programs; --no-color, NO_COLOR\n"
         "Of what changes a cluster:  --dry-run, --no-wait; --zone NAME, --force\n"
         "Of ring simulate:           --shards N or --weights W,W,..., --to-shards N or\n"
         "                            --to-weights W,W,..., --keys FILE or --n-keys N\n\n"
         "The server may be a path of a Unix socket.  Without --server it is that of\n"
         "the environment variable CHCACHED_SERVER, else " SERVER "; without\n"
         "--admin that of CHCACHED_ADMIN, else " ASK_ADMIN ".\n"
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

static int unknown_command(char **argv)
{
    bool has_more = false;

    for (size_t i = 0; i < N_COMMANDS; i++)
        has_more |= strcmp(commands[i].words[0], argv[0]) == 0;
    if (!has_more)
        return say(EX_USAGE, "unknown command %s, see chcachectl help", argv[0]);
    if (argv[1] == NULL)
        return say(EX_USAGE, "%s what? see chcachectl help", argv[0]);
    return say(EX_USAGE, "unknown command %s %s, see chcachectl help", argv[0], argv[1]);
}

static int wrong_usage(const struct command *c)
{
    return say(EX_USAGE, "usage: chcachectl %s%s%s%s", c->words[0], c->words[1] != NULL ? " " : "",
               c->words[1] != NULL ? c->words[1] : "", c->args);
}

static bool takes(const struct command *c, const struct option_row *o)
{
    return c->letters != NULL && (o->letter == ' ' || strchr(c->letters, o->letter) != NULL);
}

static int help_on(char **argv)
{
    int n = 0;
    const struct command *c = command_of(argv, &n);

    if (c == NULL)
        return unknown_command(argv);
    if (argv[n] != NULL)
        return say(EX_USAGE, "usage: chcachectl help [COMMAND]");
    print_command(c);
    for (const struct option_row *o = options; o < options + N_OPTIONS; o++)
        if (o->letter != ' ' && takes(c, o))
            printf("    %s%s%s\n", o->name, o->arg != NULL ? " " : "",
                   o->arg != NULL ? o->arg : "");
    return YES;
}

/* Options out of `argv`, the rest to `args`.  YES, or what was said. */
static int take_args(struct ctl *ctl, const struct command *c, char **argv, char **args)
{
    int n = 0, rc;

    for (int i = 0; argv[i] != NULL; i++) {
        const struct option_row *o;

        if (c->letters == NULL || strncmp(argv[i], "--", 2) != 0) {
            if (n == c->most || n == MAX_ARGS)
                return wrong_usage(c);
            args[n++] = argv[i];
            continue;
        }
        o = option_of(argv[i]);
        if (o == NULL || !takes(c, o))
            return say(EX_USAGE, "%s%s%s has no option %s, see chcachectl help", c->words[0],
                       c->words[1] != NULL ? " " : "", c->words[1] != NULL ? c->words[1] : "",
                       argv[i]);
        if ((rc = take_option(ctl, o, argv, &i)) != YES)
            return rc;
    }
    args[n] = NULL;
    return n < c->least ? wrong_usage(c) : YES;
}

static int talk(const struct ctl *ctl, const struct command *command, char **args)
{
    struct conn *c = xzalloc(sizeof(*c));
    int rc = conn_open(c, ctl->server, "11211");

    if (rc == YES)
        rc = command->talk(c, args);
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
        .no_color = from_environment("NO_COLOR", NULL) != NULL,
    };
    int i = 1, rc;

    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        const struct option_row *o = option_of(argv[i]);

        if (strcmp(argv[i], "--help") == 0)
            return help();
        if (strcmp(argv[i], "--version") == 0)
            return puts("chcachectl " PACKAGE_VERSION) < 0;
        if (o == NULL || (o->letter != ' ' && o->letter != 'j'))
            return say(EX_USAGE, "unknown option %s, see chcachectl help", argv[i]);
        if ((rc = take_option(&ctl, o, argv, &i)) != YES)
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
