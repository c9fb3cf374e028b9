/*
 * usage - what is in a store, as numbers in the order of stats.def
 *
 *      store_usage -> usage_numbers -> usage_put -> "name value\n"... -> usage_read
 */
#ifndef STORE_USAGE_H
#define STORE_USAGE_H

#include "store/store.h"

enum usage {
#define STAT(name, kind, help, metric)
#define USAGE(name, field, help, metric) USAGE_##name,
#include "stats.def"
#undef STAT
#undef USAGE
    N_USAGES
};

void usage_numbers(struct store *s, int64_t now_ms, uint64_t numbers[N_USAGES]);

/* Lines for another member; returns their length. */
#define USAGE_TEXT_MAX 4096
size_t usage_put(const uint64_t numbers[N_USAGES], char *out);

/* Of lines from a member that may be older or newer; names it does not tell are 0. */
void usage_read(const char *text, size_t len, uint64_t numbers[N_USAGES]);

#endif
