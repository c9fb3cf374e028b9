#include "ctl/keys.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl/memcached.h"
#include "ctl/options.h"

#define FIELDS 16

struct walk {
    const char *prefix;
    uint32_t limit;
    bool json, terminal;
    uint32_t n;                 /* shown */
};

/* A line stays a line, and a terminal keeps its colours. */
static void print_key(const struct walk *w, const char *key, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        const unsigned char byte = (unsigned char)key[i];

        if (byte <= ' ' || byte == 0x7f || (byte > '~' && w->terminal))
            printf("%%%02X", byte);
        else
            putchar(byte);
    }
    putchar('\n');
}

/* "exp=-1 size=70": the fields behind the key. */
static void print_json(const struct walk *w, const char *key, size_t len, char **fields, size_t n)
{
    json_t *o = json_object();

    memcached_set_bytes(o, "key", key, len);
    for (size_t i = 1; i < n; i++) {
        char *value = strchr(fields[i], '=');

        if (value == NULL)
            continue;
        *value++ = '\0';
        (void)json_object_set_new(o, fields[i], memcached_value(value));
    }
    fputs(w->n == 0 ? "[\n" : ",\n", stdout);
    (void)json_dumpf(o, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
    json_decref(o);
}

/* "key=a%2Fb exp=-1 ..."; false: it is no such line. */
static bool take_line(struct walk *w, char *line)
{
    const size_t prefix_len = strlen(w->prefix);
    char *fields[FIELDS], *key;
    size_t n, len;

    if (strncmp(line, "key=", 4) != 0)
        return false;
    n = memcached_split(line, fields, FIELDS);
    key = fields[0] + 4;
    len = memcached_decode(key);
    if (len < prefix_len || memcmp(key, w->prefix, prefix_len) != 0)
        return true;
    if (w->json)
        print_json(w, key, len, fields, n);
    else
        print_key(w, key, len);
    w->n++;
    return true;
}

static int walk(struct walk *w, struct conn *c)
{
    static const char request[] = "lru_crawler metadump all\r\n";
    char *line;
    int rc = memcached_ask(c, request, sizeof(request) - 1, &line);

    if (rc != YES)
        return rc;
    if (strcmp(line, "OK") == 0 && (line = conn_line(c)) == NULL)
        return conn_lost(c);
    while (strcmp(line, "END") != 0 && w->n < w->limit) {
        if (!take_line(w, line))
            return say_refused(line);
        if ((line = conn_line(c)) == NULL)
            return conn_lost(c);
    }
    return YES;
}

int keys_show(const struct ctl *ctl, struct conn *c, char **argv)
{
    struct walk w = { .prefix = argv[0] != NULL ? argv[0] : "", .limit = UINT32_MAX,
                      .json = ctl->json, .terminal = isatty(STDOUT_FILENO) };
    int rc = options_number(ctl->limit, "limit", 1, UINT32_MAX, &w.limit);

    if (rc != YES)
        return rc;
    rc = walk(&w, c);
    if (ctl->json && (w.n > 0 || rc == YES))
        puts(w.n == 0 ? "[]" : "\n]");         /* what broke off is a list, too */
    if (rc != YES)
        return rc;
    if (w.n > 0)
        return YES;
    return *w.prefix != '\0' ? say(NO, "no key begins with %s", w.prefix)
                             : say(NO, "there is no key");
}
