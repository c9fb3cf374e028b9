#include "store/usage.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"

static const char *const names[N_USAGES] = {
#define STAT(name, kind, help, metric)
#define USAGE(name, field, help, metric) #name,
#include "stats.def"
#undef STAT
#undef USAGE
};

void usage_numbers(struct store *s, int64_t now_ms, uint64_t numbers[N_USAGES])
{
    struct store_usage u;

    store_usage(s, now_ms, &u);
#define STAT(name, kind, help, metric)
#define USAGE(name, field, help, metric) numbers[USAGE_##name] = (uint64_t)u.field;
#include "stats.def"
#undef STAT
#undef USAGE
}

size_t usage_put(const uint64_t numbers[N_USAGES], char *out)
{
    size_t len = 0;

    for (unsigned i = 0; i < N_USAGES; i++)
        len += (size_t)snprintf(out + len, USAGE_TEXT_MAX - len, "%s %" PRIu64 "\n", names[i],
                                numbers[i]);
    return len;
}

static void read_line(const char *line, size_t len, uint64_t numbers[N_USAGES])
{
    const char *space = memchr(line, ' ', len);
    const size_t name_len = space != NULL ? (size_t)(space - line) : 0;

    for (unsigned i = 0; space != NULL && i < N_USAGES; i++)
        if (strlen(names[i]) == name_len && memcmp(names[i], line, name_len) == 0)
            (void)num_parse_u64(space + 1, len - name_len - 1, &numbers[i]);
}

void usage_read(const char *text, size_t len, uint64_t numbers[N_USAGES])
{
    memset(numbers, 0, N_USAGES * sizeof(numbers[0]));
    while (len > 0) {
        const char *end = memchr(text, '\n', len);
        size_t line = end != NULL ? (size_t)(end - text) : len;

        read_line(text, line, numbers);
        line += end != NULL;
        text += line;
        len -= line;
    }
}
