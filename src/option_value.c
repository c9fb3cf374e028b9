#include "option_value.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "base/world.h"

#define PEER_PORT 11301

static const char *const role_words[] = {
    [ROLE_BOTH] = "both", [ROLE_FRONT] = "front", [ROLE_SHARD] = "shard",
};

#define N_ROLES (sizeof(role_words) / sizeof(role_words[0]))

const char *role_word(enum role role)
{
    return role_words[role];
}

static bool parse_flag(const char *s, bool *out)
{
    static const char *const words[][2] = {
        { "no", "yes" }, { "false", "true" }, { "off", "on" },
    };

    for (size_t i = 0; s != NULL && i < 2 * sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(s, words[i / 2][i % 2]) == 0) {
            *out = i % 2 == 1;
            return true;
        }
    }
    if (s == NULL)
        *out = true;
    return s == NULL;
}

static bool parse_count(struct option_range range, const char *s, unsigned *out)
{
    uint32_t v, min = 0, max = UINT32_MAX;

    num_parse_u32(range.min, strlen(range.min), &min);
    num_parse_u32(range.max, strlen(range.max), &max);
    if (!num_parse_u32(s, strlen(s), &v) || v < min || v > max)
        return false;
    *out = v;
    return true;
}

/* "700" and "0700"; both limits are octal too. */
static bool parse_octal(struct option_range range, const char *s, unsigned *out)
{
    unsigned long v;
    size_t len = strlen(s);

    if (len == 0 || len > 6 || strspn(s, "01234567") != len)
        return false;
    v = strtoul(s, NULL, 8);
    if (v < strtoul(range.min, NULL, 8) || v > strtoul(range.max, NULL, 8))
        return false;
    *out = (unsigned)v;
    return true;
}

static bool parse_size(struct option_range range, const char *s, bool megabytes, uint64_t *out)
{
    uint64_t v, min = 0, max = UINT64_MAX;
    size_t len = strlen(s);

    num_parse_size(range.min, strlen(range.min), &min);
    num_parse_size(range.max, strlen(range.max), &max);
    if (!num_parse_size(s, len, &v))
        return false;
    if (megabytes && s[len - 1] >= '0' && s[len - 1] <= '9') {
        if (v > max >> 20)
            return false;
        v <<= 20;
    }
    if (v < min || v > max)
        return false;
    *out = v;
    return true;
}

static bool parse_duration(struct option_range range, const char *s, int64_t *out)
{
    int64_t v, min = 0, max = INT64_MAX;

    num_parse_duration_ms(range.min, strlen(range.min), &min);
    num_parse_duration_ms(range.max, strlen(range.max), &max);
    if (!num_parse_duration_ms(s, strlen(s), &v) || v < min || v > max)
        return false;
    *out = v;
    return true;
}

/* Of what a line of a file, or of the log, can have. */
static bool is_text(const char *s)
{
    while (((unsigned char)*s >= ' ' || *s == '\t') && *s != 0x7f)
        s++;
    return *s == '\0';
}

static bool parse_string(const char *s, char **out)
{
    if (*s == '\0' || strlen(s) > OPTION_TEXT_MAX || !is_text(s))
        return false;
    free(*out);
    *out = xstrdup(s);
    return true;
}

static bool parse_list(const char *s, struct option_list *list)
{
    /* All of it or nothing: no ",a", "a,,b" or "a,". */
    if (*s == '\0' || *s == ',' || strstr(s, ",,") != NULL || s[strlen(s) - 1] == ',')
        return false;
    while (*s != '\0') {
        size_t len = strcspn(s, ",");

        list->items = xrealloc(list->items, (list->n + 1) * sizeof(*list->items));
        list->items[list->n++] = xasprintf("%.*s", (int)len, s);
        s += len + (s[len] == ',');
    }
    return true;
}

static bool parse_role(const char *s, enum role *out)
{
    for (size_t i = 0; i < N_ROLES; i++) {
        if (strcmp(s, role_words[i]) == 0) {
            *out = (enum role)i;
            return true;
        }
    }
    return false;
}

bool option_value_is_name(const char *s, size_t len)
{
    static const char fine[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "0123456789._-";

    return len > 0 && len <= OPTION_NAME_MAX && strspn(s, fine) >= len;
}

/* "[::1]" and "127.0.0.1" are hosts, "::1" is not: it has no brackets. */
static char *host_and_port(const char *s, size_t len, uint32_t port)
{
    bool six = len > 2 && s[0] == '[' && s[len - 1] == ']';
    struct in6_addr any;
    char *whole = NULL;
    char *host = six ? xasprintf("%.*s", (int)len - 2, s + 1) : xasprintf("%.*s", (int)len, s);
    const char *number = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;

    if (port >= 1 && port <= UINT16_MAX && inet_pton(six ? AF_INET6 : AF_INET, number, &any) == 1)
        whole = xasprintf(six ? "[%s]:%u" : "%s:%u", number, port);
    free(host);
    return whole;
}

char *option_value_address(const char *s, unsigned port, bool *written)
{
    const char *colon = strrchr(s, ':');
    struct in6_addr any;
    uint32_t own;

    *written = false;
    if (strlen(s) >= ADDRESS_MAX - sizeof("[]:65535"))
        return NULL;
    if (inet_pton(AF_INET6, s, &any) == 1)
        return xasprintf("[%s]:%u", s, port);
    if (colon == NULL || s[strlen(s) - 1] == ']')
        return host_and_port(s, strlen(s), port);
    if (!num_parse_u32(colon + 1, strlen(colon + 1), &own))
        return NULL;
    *written = true;
    return host_and_port(s, (size_t)(colon - s), own);
}

char *option_value_member(const char *s)
{
    bool written;

    if (s[0] != '@' && strchr(s, '/') == NULL)
        return option_value_address(s, PEER_PORT, &written);
    return strlen(s) < ADDRESS_MAX && is_text(s) ? xstrdup(s) : NULL;
}

/* NAME=ADDRESS, NAME=ADDRESS*WEIGHT */
static bool parse_shard(const char *s, struct shard_specs *shards)
{
    size_t name_len = strcspn(s, "=");
    const char *at = s + name_len + 1, *star;
    uint32_t weight = 1;
    char *text, *address;

    if (s[name_len] == '\0' || !option_value_is_name(s, name_len))
        return false;
    star = strrchr(at, '*');
    if (star == NULL)
        star = at + strlen(at);
    else if (!num_parse_u32(star + 1, strlen(star + 1), &weight)
             || weight < 1 || weight > OPTION_WEIGHT_MAX)
        return false;

    text = xasprintf("%.*s", (int)(star - at), at);
    address = option_value_member(text);
    free(text);
    if (address == NULL)
        return false;

    shards->items = xrealloc(shards->items, (shards->n + 1) * sizeof(*shards->items));
    shards->items[shards->n++] = (struct shard_spec){
        .name = xasprintf("%.*s", (int)name_len, s), .address = address, .weight = weight,
    };
    return true;
}

bool option_value_parse(enum option_type type, struct option_range range, const char *s,
                        void *field)
{
    switch (type) {
    case FLAG:
        return parse_flag(s, field);
    case TALLY:
        if (s != NULL)
            return parse_count(range, s, field);
        ++*(unsigned *)field;
        return true;
    case COUNT:
        return parse_count(range, s, field);
    case OCTAL:
        return parse_octal(range, s, field);
    case SIZE:
        return parse_size(range, s, false, field);
    case MEGABYTES:
        return parse_size(range, s, true, field);
    case DURATION:
        return parse_duration(range, s, field);
    case STRING:
        return parse_string(s, field);
    case LIST:
        return parse_list(s, field);
    case ROLE:
        return parse_role(s, field);
    case SHARDS:
        return parse_shard(s, field);
    }
    return false;
}

/* With the largest suffix that leaves a whole number. */
static char *size_text(uint64_t bytes, const char *suffixes)
{
    size_t i = 0;

    while (bytes != 0 && bytes % 1024 == 0 && suffixes[i + 1] != '\0') {
        bytes /= 1024;
        i++;
    }
    if (suffixes[i] == ' ')
        return xasprintf("%llu", (unsigned long long)bytes);
    return xasprintf("%llu%c", (unsigned long long)bytes, suffixes[i]);
}

static char *duration_text(int64_t ms)
{
    if (ms % 1000 == 0)
        return xasprintf("%llds", (long long)ms / 1000);
    return xasprintf("%lldms", (long long)ms);
}

char *option_value_text(enum option_type type, const void *field)
{
    switch (type) {
    case FLAG:
        return xstrdup(*(const bool *)field ? "yes" : "no");
    case TALLY:
    case COUNT:
        return xasprintf("%u", *(const unsigned *)field);
    case OCTAL:
        return xasprintf("%o", *(const unsigned *)field);
    case SIZE:
        return size_text(*(const uint64_t *)field, " kmgt");
    case MEGABYTES:             /* "64" of these is megabytes; all of them are whole k */
        return size_text(*(const uint64_t *)field / 1024, "kmgt");
    case DURATION:
        return duration_text(*(const int64_t *)field);
    case STRING:
        return xstrdup(*(char *const *)field);
    case ROLE:
        return xstrdup(role_words[*(const enum role *)field]);
    case LIST:
    case SHARDS:
        break;
    }
    return xstrdup("");
}

static bool list_equal(const struct option_list *a, const struct option_list *b)
{
    bool equal = a->n == b->n;

    for (size_t i = 0; equal && i < a->n; i++)
        equal = strcmp(a->items[i], b->items[i]) == 0;
    return equal;
}

static bool shards_equal(const struct shard_specs *a, const struct shard_specs *b)
{
    bool equal = a->n == b->n;

    for (size_t i = 0; equal && i < a->n; i++)
        equal = strcmp(a->items[i].name, b->items[i].name) == 0 &&
                strcmp(a->items[i].address, b->items[i].address) == 0 &&
                a->items[i].weight == b->items[i].weight;
    return equal;
}

bool option_value_equal(enum option_type type, const void *a, const void *b)
{
    switch (type) {
    case FLAG:
        return *(const bool *)a == *(const bool *)b;
    case TALLY:
    case COUNT:
    case OCTAL:
        return *(const unsigned *)a == *(const unsigned *)b;
    case SIZE:
    case MEGABYTES:
        return *(const uint64_t *)a == *(const uint64_t *)b;
    case DURATION:
        return *(const int64_t *)a == *(const int64_t *)b;
    case STRING:
        return strcmp(*(char *const *)a, *(char *const *)b) == 0;
    case LIST:
        return list_equal(a, b);
    case ROLE:
        return *(const enum role *)a == *(const enum role *)b;
    case SHARDS:
        return shards_equal(a, b);
    }
    return false;
}

const char *option_value_expected(enum option_type type)
{
    static const char *const words[] = {
        [FLAG] = "yes or no", [TALLY] = "a whole number",
        [COUNT] = "a whole number", [OCTAL] = "an octal number",
        [SIZE] = "bytes or a number with k, m, g or t",
        [MEGABYTES] = "megabytes or a number with k, m, g or t",
        [DURATION] = "seconds or a number with ms, s, m or h",
        [STRING] = "1 to 4095 bytes of text", [LIST] = "values with commas between them",
        [ROLE] = "both, front or shard",
        [SHARDS] = "NAME=HOST:PORT, with *WEIGHT from 1 to 100 after it if wanted",
    };

    return words[type];
}

static void list_fini(struct option_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct option_list){ NULL, 0 };
}

static void shards_fini(struct shard_specs *shards)
{
    for (size_t i = 0; i < shards->n; i++) {
        free(shards->items[i].name);
        free(shards->items[i].address);
    }
    free(shards->items);
    *shards = (struct shard_specs){ NULL, 0 };
}

void option_value_fini(enum option_type type, void *field)
{
    if (type == STRING) {
        free(*(char **)field);
        *(char **)field = NULL;
    } else if (type == LIST) {
        list_fini(field);
    } else if (type == SHARDS) {
        shards_fini(field);
    }
}
