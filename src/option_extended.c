#include "option_extended.h"

#include <stddef.h>
#include <string.h>

#include "option_fail.h"

/* Names that begin so. */
static const struct {
    const char *start, *why;
} refused[] = {
    { "ssl_", "there is no TLS yet, and clients are not to be served without it" },
    { "proxy_", "there is no memcached proxy in here; a front is one, see --shard" },
};

static const char *why_not(const char *word, size_t len)
{
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        if (len >= strlen(refused[i].start)
            && memcmp(word, refused[i].start, strlen(refused[i].start)) == 0)
            return refused[i].why;
    return NULL;
}

int option_extended_check(const char *list)
{
    while (*list != '\0') {
        const size_t len = strcspn(list, ",");
        const char *why = why_not(list, len);

        if (why != NULL)
            return option_fail("--extended: read \"%.*s\": %s", (int)len, list, why);
        list += len + (list[len] == ',');
    }
    return -1;
}
