#include "ctl/items.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "ctl/memcached.h"
#include "ctl/options.h"

#define VALUE_MAX ((size_t)INT32_MAX)   /* the protocol's, servers take less */

/* ---- get ------------------------------------------------------------------ */

/* "VALUE key flags bytes", and the token if that was asked for. */
struct head {
    uint64_t flags, bytes, cas;
};

static bool read_head(const char *line, struct head *h)
{
    char *copy = xstrdup(line), *words[5];
    const size_t n = memcached_split(copy, words, 5);
    bool ok = n >= 4 && strcmp(words[0], "VALUE") == 0
              && num_parse_u64(words[2], strlen(words[2]), &h->flags)
              && num_parse_u64(words[3], strlen(words[3]), &h->bytes)
              && (n == 4 || num_parse_u64(words[4], strlen(words[4]), &h->cas))
              && h->bytes <= VALUE_MAX;

    free(copy);
    return ok;
}

/* `len` bytes of the value to `out`, as they come. */
static int copy_value(struct conn *c, size_t len, FILE *out)
{
    while (len > 0) {
        size_t n = c->end - c->at;

        if (n > len)
            n = len;
        if (fwrite(c->buf + c->at, 1, n, out) != n)
            return say(NO, "stdout: %s", strerror(errno));
        c->at += n;
        len -= n;
        if (len > 0 && n == 0) {
            c->at = c->end = 0;
            if (!conn_fill(c))
                return conn_lost(c);
        }
    }
    return YES;
}

/* A value counts when all that belongs to it has come. */
static int read_end(struct conn *c)
{
    char *line;

    if ((line = conn_line(c)) == NULL || *line != '\0'
        || (line = conn_line(c)) == NULL || strcmp(line, "END") != 0)
        return say(UNREACHED, "%s: the answer broke off", c->server);
    return YES;
}

static int get_plain(struct conn *c, const struct head *h)
{
    int rc = copy_value(c, (size_t)h->bytes, stdout);

    if (rc != YES)
        return rc;
    if (isatty(STDOUT_FILENO))
        putchar('\n');
    if ((rc = read_end(c)) != YES)
        return rc;
    if (fflush(stdout) != 0)
        return say(NO, "stdout: %s", strerror(errno));
    return YES;
}

static int get_json(struct conn *c, const char *key, const struct head *h)
{
    char *value = NULL;
    size_t len;
    FILE *out = open_memstream(&value, &len);
    json_t *o = json_object();
    int rc = out != NULL ? copy_value(c, (size_t)h->bytes, out)
                         : say(NO, "memory is short");

    if (out != NULL && fclose(out) != 0 && rc == YES)
        rc = say(NO, "memory is short");
    if (rc == YES)
        rc = read_end(c);
    if (rc == YES) {
        memcached_set_bytes(o, "key", key, strlen(key));
        (void)json_object_set_new(o, "found", json_true());
        (void)json_object_set_new(o, "flags", json_integer((json_int_t)h->flags));
        (void)json_object_set_new(o, "bytes", json_integer((json_int_t)h->bytes));
        (void)json_object_set_new(o, "cas", json_integer((json_int_t)h->cas));
        memcached_set_bytes(o, "value", value, len);
        free(value);
        return say_json(YES, o);
    }
    json_decref(o);
    free(value);
    return rc;
}

static int get_nothing(const struct ctl *ctl, const char *key)
{
    json_t *o;

    if (ctl->json) {
        o = json_object();
        memcached_set_bytes(o, "key", key, strlen(key));
        (void)json_object_set_new(o, "found", json_false());
        (void)say_json(NO, o);
    }
    return say(NO, "%s: not found", key);
}

int items_get(const struct ctl *ctl, struct conn *c, char **argv)
{
    char request[MEMCACHED_KEY_MAX + 40], *line;
    struct head h = { 0 };
    int64_t ttl = 0;
    int n, rc = options_ttl(ctl->ttl, &ttl);

    if (rc != YES)
        return rc;
    if (ctl->ttl != NULL)
        n = snprintf(request, sizeof(request), "gat%s %" PRId64 " %s\r\n", ctl->json ? "s" : "",
                     ttl, argv[0]);
    else
        n = snprintf(request, sizeof(request), "get%s %s\r\n", ctl->json ? "s" : "", argv[0]);
    if ((rc = memcached_ask(c, request, (size_t)n, &line)) != YES)
        return rc;
    if (strcmp(line, "END") == 0)
        return get_nothing(ctl, argv[0]);
    if (!read_head(line, &h))
        return say_refused(line);
    return ctl->json ? get_json(c, argv[0], &h) : get_plain(c, &h);
}

/* ---- what changes an item ------------------------------------------------- */

/* The answer is `good`, NOT_FOUND, or a refusal. */
static int judge(const struct ctl *ctl, const char *key, char *line, const char *good)
{
    const bool is_good = strcmp(line, good) == 0;
    json_t *o;

    if (!is_good && strcmp(line, "NOT_FOUND") != 0)
        return say_refused(line);
    if (ctl->json) {
        o = json_object();
        memcached_set_bytes(o, "key", key, strlen(key));
        (void)json_object_set_new(o, "answer", json_string(line));
        (void)say_json(YES, o);
    }
    return is_good ? YES : say(NO, "%s: not found", key);
}

static int read_stdin(char **value, size_t *len)
{
    size_t room = 0;

    *value = NULL;
    *len = 0;
    do {
        if (*len == room) {
            room = room == 0 ? 65536 : 2 * room;
            *value = xrealloc(*value, room);
        }
        *len += fread(*value + *len, 1, room - *len, stdin);
        if (*len > VALUE_MAX)
            return say(NO, "stdin: the value is longer than 2 GiB");
    } while (!feof(stdin) && !ferror(stdin));
    if (ferror(stdin))
        return say(NO, "stdin: %s", strerror(errno));
    return YES;
}

static int set_value(const struct ctl *ctl, struct conn *c, const char *key, const char *head,
                     const char *value, size_t len)
{
    const size_t head_len = strlen(head);
    char *request = xmalloc(head_len + len + 2), *line;
    int rc;

    memcpy(request, head, head_len);
    if (len > 0)
        memcpy(request + head_len, value, len);
    memcpy(request + head_len + len, "\r\n", 2);
    rc = memcached_ask(c, request, head_len + len + 2, &line);
    free(request);
    return rc == YES ? judge(ctl, key, line, "STORED") : rc;
}

int items_set(const struct ctl *ctl, struct conn *c, char **argv)
{
    char *value = NULL, head[MEMCACHED_KEY_MAX + 80];
    uint32_t flags = 0;
    int64_t ttl = 0;
    size_t len;
    int rc = options_ttl(ctl->ttl, &ttl);

    if (rc != YES || (rc = options_number(ctl->flags, "flags", 0, UINT32_MAX, &flags)) != YES)
        return rc;
    if (strcmp(argv[1], "-") == 0) {
        rc = read_stdin(&value, &len);
    } else {
        value = xstrdup(argv[1]);
        len = strlen(value);
    }
    if (rc == YES) {
        snprintf(head, sizeof(head), "set %s %" PRIu32 " %" PRId64 " %zu\r\n", argv[0], flags, ttl,
                 len);
        rc = set_value(ctl, c, argv[0], head, value, len);
    }
    free(value);
    return rc;
}

int items_delete(const struct ctl *ctl, struct conn *c, char **argv)
{
    char request[MEMCACHED_KEY_MAX + 16], *line;
    int n = snprintf(request, sizeof(request), "delete %s\r\n", argv[0]);
    int rc = memcached_ask(c, request, (size_t)n, &line);

    return rc == YES ? judge(ctl, argv[0], line, "DELETED") : rc;
}

int items_touch(const struct ctl *ctl, struct conn *c, char **argv)
{
    char request[MEMCACHED_KEY_MAX + 40], *line;
    int64_t ttl = 0;
    int n, rc = options_ttl(argv[1], &ttl);

    if (rc != YES)
        return rc;
    n = snprintf(request, sizeof(request), "touch %s %" PRId64 "\r\n", argv[0], ttl);
    rc = memcached_ask(c, request, (size_t)n, &line);
    return rc == YES ? judge(ctl, argv[0], line, "TOUCHED") : rc;
}

static int count(const struct ctl *ctl, struct conn *c, char **argv, const char *verb)
{
    const char *by = argv[1] != NULL ? argv[1] : "1";
    char request[MEMCACHED_KEY_MAX + 40], *line;
    uint64_t v;
    json_t *o;
    int n, rc;

    if (!num_parse_u64(by, strlen(by), &v))
        return say(EX_USAGE, "read \"%s\", expected a whole number to %s by", by, verb);
    n = snprintf(request, sizeof(request), "%s %s %" PRIu64 "\r\n", verb, argv[0], v);
    if ((rc = memcached_ask(c, request, (size_t)n, &line)) != YES)
        return rc;
    if (!num_parse_u64(line, strlen(line), &v))
        return judge(ctl, argv[0], line, "a number");
    if (!ctl->json)
        return puts(line) < 0 ? NO : YES;
    o = json_object();
    memcached_set_bytes(o, "key", argv[0], strlen(argv[0]));
    /* More than 2^63 - 1 is no number to JSON's readers. */
    (void)json_object_set_new(o, "value", v <= INT64_MAX ? json_integer((json_int_t)v)
                                                         : json_string(line));
    return say_json(YES, o);
}

int items_incr(const struct ctl *ctl, struct conn *c, char **argv)
{
    return count(ctl, c, argv, "incr");
}

int items_decr(const struct ctl *ctl, struct conn *c, char **argv)
{
    return count(ctl, c, argv, "decr");
}
