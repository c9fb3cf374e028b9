#include "ctl/monitor.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl/memcached.h"
#include "ctl/options.h"

#define FIELDS 32

/* Lines are written whole and at once, so nothing is left to be done. */
static void on_interrupt(int signal)
{
    (void)signal;
    _exit(YES);
}

/* "watch fetchers mutations"; without a choice all that items go through. */
static void put_request(char *out, size_t room, const struct ctl *ctl)
{
    const bool any = ctl->fetchers || ctl->mutations || ctl->deletions || ctl->evictions
                     || ctl->connevents;

    snprintf(out, room, "watch%s%s%s%s%s\r\n", !any || ctl->fetchers ? " fetchers" : "",
             !any || ctl->mutations ? " mutations" : "", !any || ctl->deletions ? " deletions" : "",
             !any || ctl->evictions ? " evictions" : "", ctl->connevents ? " connevents" : "");
}

static void print_json(char *line)
{
    char *fields[FIELDS];
    const size_t n = memcached_split(line, fields, FIELDS);
    json_t *o = json_object();

    for (size_t i = 0; i < n; i++) {
        char *value = strchr(fields[i], '=');

        if (value == NULL)
            continue;
        *value++ = '\0';
        if (strcmp(fields[i], "key") == 0)
            memcached_set_bytes(o, "key", value, memcached_decode(value));
        else
            (void)json_object_set_new(o, fields[i], memcached_value(value));
    }
    say_json_line(o);
}

static void print(char *line)
{
    for (char *p = line; *p != '\0'; p++)
        if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
            *p = '?';
    puts(line);
    fflush(stdout);
}

int monitor(const struct ctl *ctl, struct conn *c, char **argv)
{
    const struct sigaction action = { .sa_handler = on_interrupt };
    uint32_t limit = UINT32_MAX;
    char request[128], *line;
    int rc = options_number(ctl->limit, "limit", 1, UINT32_MAX, &limit);

    (void)argv;
    put_request(request, sizeof(request), ctl);
    if (rc != YES || (rc = memcached_ask(c, request, strlen(request), &line)) != YES)
        return rc;
    if (strcmp(line, "OK") != 0)
        return say_refused(line);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    conn_set_patience(c, 0);    /* nothing may happen for hours */
    for (uint32_t n = 0; limit == UINT32_MAX || n < limit; n++) {
        if ((line = conn_line(c)) == NULL)
            return conn_lost(c);
        if (ctl->json)
            print_json(line);
        else
            print(line);
        if (ferror(stdout))
            return NO;
    }
    return YES;
}
