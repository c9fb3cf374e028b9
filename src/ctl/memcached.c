#include "ctl/memcached.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/num.h"
#include "wire/base64.h"

int memcached_ask(struct conn *c, const char *request, size_t len, char **line)
{
    int rc = c->fd < 0 ? conn_open(c, c->server, "11211") : YES, cause;
    bool sent;

    if (rc != YES)
        return rc;
    sent = conn_send(c, request, len);
    cause = errno;
    /* Who hangs up while we send may have said why. */
    *line = conn_line(c);
    if (*line == NULL && !sent)
        errno = cause;
    return *line != NULL ? YES : conn_lost(c);
}

int memcached_check_word(const char *word, const char *what)
{
    size_t len = strlen(word);

    if (len < 1 || len > MEMCACHED_KEY_MAX)
        return say(EX_USAGE, "the %s has %zu bytes, expected 1 to %d", what, len,
                   MEMCACHED_KEY_MAX);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)word[i] <= ' ' || word[i] == 0x7f)
            return say(EX_USAGE, "the %s has a blank or a control character at byte %zu", what,
                       i + 1);
    return YES;
}

int memcached_check_key(const char *key)
{
    return memcached_check_word(key, "key");
}

void memcached_set_bytes(json_t *object, const char *name, const char *data, size_t len)
{
    json_t *text = json_stringn(data, len);
    char *field, *encoded, *end;

    if (text != NULL) {
        (void)json_object_set_new(object, name, text);
        return;
    }
    field = xasprintf("%s_base64", name);
    encoded = xmalloc(4 * (len / 3) + 5);
    end = base64_put(encoded, data, len);
    (void)json_object_set_new(object, field, json_stringn(encoded, (size_t)(end - encoded)));
    free(encoded);
    free(field);
}

size_t memcached_split(char *line, char **words, size_t most)
{
    size_t n = 0;
    char *rest = line, *word;

    while (n < most && (word = strtok_r(rest, " ", &rest)) != NULL)
        words[n++] = word;
    return n;
}

json_t *memcached_value(const char *text)
{
    const size_t whole = strcspn(text, "."), len = strlen(text);
    uint64_t a, b;
    int64_t number;

    if (num_parse_i64(text, len, &number))
        return json_integer(number);
    if (whole < len && num_parse_u64(text, whole, &a)
        && num_parse_u64(text + whole + 1, len - whole - 1, &b))
        return json_real(strtod(text, NULL));
    return json_string(text);
}

size_t memcached_decode(char *text)
{
    char *out = text;

    for (const char *in = text; *in != '\0'; in++) {
        unsigned byte;

        if (in[0] == '%' && isxdigit((unsigned char)in[1]) && isxdigit((unsigned char)in[2])
            && sscanf(in + 1, "%2x", &byte) == 1) {
            *out++ = (char)byte;
            in += 2;
        } else {
            *out++ = *in;
        }
    }
    *out = '\0';
    return (size_t)(out - text);
}

/* With YES, *version is what the server calls itself. */
static int ask_version(struct conn *c, const char **version)
{
    static const char request[] = "version\r\n";
    char *line;
    int rc = memcached_ask(c, request, sizeof(request) - 1, &line);

    if (rc != YES)
        return rc;
    if (strncmp(line, "VERSION ", 8) != 0)
        return say_refused(line);
    *version = line + 8;
    return YES;
}

int memcached_version(const struct ctl *ctl, struct conn *c, char **argv)
{
    const char *version;
    int rc = ask_version(c, &version);

    (void)argv;
    if (rc == YES && ctl->json)
        return say_json(YES, json_pack("{s:s, s:s*}", "server", c->server, "version", version));
    if (rc == YES)
        puts(version);
    return rc;
}

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1000 + (double)t.tv_nsec / 1e6;
}

int memcached_ping(const struct ctl *ctl, struct conn *c, char **argv)
{
    const double begun = now_ms();
    const char *version;
    int rc = ask_version(c, &version);

    (void)argv;
    if (rc == YES && ctl->json)
        return say_json(YES, json_pack("{s:s, s:b, s:f}", "server", c->server, "answers", 1,
                                       "ms", now_ms() - begun));
    if (rc == YES)
        printf("%s answers\n", c->server);
    return rc;
}
