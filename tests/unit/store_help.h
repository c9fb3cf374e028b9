/*
 * store_help - what the tests of the store share: a store, and one command
 * with its answer in a line
 */
#ifndef STORE_HELP_H
#define STORE_HELP_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/store.h"
#include "store/version.h"

#define MIB ((size_t)1 << 20)
#define START_MS 5000
#define START_WALL_MS (VERSION_EPOCH_MS + INT64_C(40000000000))
#define WHOLE_RING ((struct arc){ 0, UINT32_MAX })

static inline struct store_config help_config(size_t memory_bytes)
{
    return (struct store_config){
        .memory_bytes = memory_bytes, .max_item_bytes = MIB, .evict = true,
        .cas = true, .hash_key = { 1, 2 },
        .now_ms = START_MS, .wall_ms = START_WALL_MS,
    };
}

static inline struct store *help_store(size_t memory_bytes)
{
    const struct store_config config = help_config(memory_bytes);
    struct store *s = store_new(&config);

    assert_non_null(s);
    return s;
}

/* What a command came to; the value is copied while it may be read. */
struct seen {
    struct answer a;
    char *value;                /* owned, NUL after it; NULL: none was shown */
    unsigned n_shown;
};

static inline void help_reader(void *arg, const struct answer *a)
{
    struct seen *seen = arg;

    seen->value = realloc(seen->value, a->value_len + 1);
    assert_non_null(seen->value);
    memcpy(seen->value, a->value, a->value_len);
    seen->value[a->value_len] = '\0';
    seen->n_shown++;
}

/* Times are milliseconds since the store began. */
static inline enum status help_run(struct store *s, int64_t at_ms, struct cmd cmd,
                                   struct seen *seen)
{
    struct seen own = { .value = NULL };
    const struct store_reader reader = { .hit = help_reader, .arg = &own };

    cmd.key_len = strlen(cmd.key);
    if (cmd.value != NULL && cmd.value_len == 0)
        cmd.value_len = strlen(cmd.value);
    store_execute(s, &cmd, store_hash(s, cmd.key, cmd.key_len), START_MS + at_ms, &own.a,
                  &reader);
    assert_int_equal(own.n_shown, own.a.status == STATUS_HIT);
    if (seen != NULL) {
        free(seen->value);
        *seen = own;
    } else {
        free(own.value);
    }
    return own.a.status;
}

#define RUN(s, at_ms, seen, ...) help_run(s, at_ms, (struct cmd){ __VA_ARGS__ }, seen)
#define SET(s, at_ms, k, v) RUN(s, at_ms, NULL, VERB_SET, .key = (k), .value = (v))
#define GET(s, at_ms, k) RUN(s, at_ms, NULL, VERB_GET, .key = (k))

static inline struct store_usage help_usage(struct store *s, int64_t at_ms)
{
    struct store_usage u;

    store_usage(s, START_MS + at_ms, &u);
    return u;
}

/* "key-00000017" */
static inline const char *help_key(char *buf, unsigned i)
{
    snprintf(buf, 32, "key-%08u", i);
    return buf;
}

#endif
