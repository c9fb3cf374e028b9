#include "ctl/stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "ctl/memcached.h"
#include "ctl/stats_table.h"

#define LINES_MAX 1000000       /* a server that does not end is none */

/* ---- an answer ------------------------------------------------------------ */

/* What ends an answer: of one word as well, "RESET". */
static bool is_end(const char *line)
{
    return strcmp(line, "END") == 0 || strcmp(line, "RESET") == 0 || strcmp(line, "OK") == 0;
}

static bool is_refusal(const char *line)
{
    return strncmp(line, "ERROR", 5) == 0 || strncmp(line, "CLIENT_ERROR", 12) == 0
        || strncmp(line, "SERVER_ERROR", 12) == 0;
}

/* Gives each line but the last to `row`: YES, or what was said. */
static int read_answer(struct conn *c, const char *request,
                       void (*row)(char *name, char *value, void *arg), void *arg)
{
    char *line;
    int rc = memcached_ask(c, request, strlen(request), &line);

    for (int i = 0; rc == YES && i < LINES_MAX; i++) {
        char *name, *value;

        if (is_end(line))
            return YES;
        if (strcmp(line, "ERROR") == 0)
            return say(NO, "%s: it has no %.*s", c->server, (int)strcspn(request, "\r"), request);
        if (is_refusal(line))
            return say_refused(line);
        name = strncmp(line, "STAT ", 5) == 0 ? line + 5 : line;
        value = strchr(name, ' ');
        if (value != NULL)
            *value++ = '\0';
        row(name, value != NULL ? value : name + strlen(name), arg);
        if ((line = conn_line(c)) == NULL)
            rc = conn_lost(c);
    }
    return rc == YES ? say(NO, "%s: the answer has no end", c->server) : rc;
}

static void add_to_object(char *name, char *value, void *arg)
{
    (void)json_object_set_new((json_t *)arg, name, memcached_value(value));
}

int stats_ask(struct conn *c, const char *line, json_t **object)
{
    json_t *o = json_object();
    int rc = read_answer(c, line, add_to_object, o);

    *object = rc == YES ? o : NULL;
    if (rc != YES)
        json_decref(o);
    return rc;
}

/* ---- what is shown -------------------------------------------------------- */

static void print_plain(char *name, char *value, void *arg)
{
    (void)arg;
    printf("%s%s%s\n", name, *value != '\0' ? " " : "", value);
}

/* A terminal gets columns; a pipe gets lines as they are. */
static int show(const struct ctl *ctl, struct conn *c, const char *request)
{
    json_t *o;
    int rc;

    if (!ctl->json && !isatty(STDOUT_FILENO))
        return read_answer(c, request, print_plain, NULL);
    if ((rc = stats_ask(c, request, &o)) != YES)
        return rc;
    if (ctl->json)
        return say_json(YES, o);
    if (json_object_size(o) > 0)
        stats_table_print(o, strcmp(request, "stats latency\r\n") == 0 ? "MICROSECONDS" : "NAME");
    json_decref(o);
    return YES;
}

int stats_show(const struct ctl *ctl, struct conn *c, char **argv)
{
    char *request = xstrdup("stats"), *longer;
    int rc = YES;

    for (int i = 0; argv[i] != NULL && rc == YES; i++) {
        rc = memcached_check_word(argv[i], "group");
        longer = xasprintf("%s %s", request, argv[i]);
        free(request);
        request = longer;
    }
    longer = xasprintf("%s\r\n", request);
    if (rc == YES)
        rc = show(ctl, c, longer);
    free(longer);
    free(request);
    return rc;
}

int stats_settings(const struct ctl *ctl, struct conn *c, char **argv)
{
    (void)argv;
    return show(ctl, c, "stats settings\r\n");
}
