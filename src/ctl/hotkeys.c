#include "ctl/hotkeys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/human.h"
#include "base/mem.h"
#include "ctl/ask.h"
#include "ctl/memcached.h"
#include "ctl/table.h"

/* A line stays a line, and a terminal keeps its colours; free() it. */
static char *readable(const char *key, size_t len)
{
    char *text = xzalloc(3 * len + 1), *out = text;

    for (size_t i = 0; i < len; i++) {
        const unsigned char byte = (unsigned char)key[i];

        if (byte <= ' ' || byte > '~')
            out += sprintf(out, "%%%02X", byte);
        else
            *out++ = (char)byte;
    }
    return text;
}

static void add_key(struct table *t, const json_t *one)
{
    char *bytes = xstrdup(ask_text(one, "key"));
    char *key = readable(bytes, memcached_decode(bytes));
    const char *owner = ask_text(one, "owner");
    char rate[HUMAN_MAX], share[HUMAN_MAX], writes[HUMAN_MAX];

    snprintf(rate, sizeof(rate), "%.1f", ask_real(one, "requests_per_second"));
    table_add(t, (const char *const[]){ rate, human_share(share, ask_real(one, "share")),
                                        human_share(writes, ask_real(one, "write_share")),
                                        *owner != '\0' ? owner : "-", key });
    free(key);
    free(bytes);
}

/* Keys as other commands tell them to programs. */
static void decode_keys(json_t *keys)
{
    json_t *one;
    size_t i;

    json_array_foreach(keys, i, one) {
        char *bytes = xstrdup(ask_text(one, "key"));
        const size_t len = memcached_decode(bytes);

        (void)json_object_del(one, "key");
        memcached_set_bytes(one, "key", bytes, len);
        free(bytes);
    }
}

int hotkeys(const struct ctl *ctl, char **argv)
{
    static const char *const titles[] = { ">A SECOND", ">SHARE", ">WRITES", "OWNER", "KEY" };
    const json_t *one;
    struct table *t;
    json_t *answer;
    size_t i;
    int rc = ask(ctl, "GET", "/v1/hotkeys", NULL, &answer);

    (void)argv;
    if (rc != YES)
        return rc;
    if (ctl->json) {
        decode_keys(json_object_get(answer, "keys"));
        return say_json(YES, answer);
    }
    t = table_new(titles, sizeof(titles) / sizeof(titles[0]));
    json_array_foreach(json_object_get(answer, "keys"), i, one)
        add_key(t, one);
    table_end(t);
    json_decref(answer);
    return YES;
}
