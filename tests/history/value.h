/*
 * value - what the history's writers store: bytes that say whose they are
 *
 * A record names its key, the sequence of its write and its writer, and fills
 * the rest of its length with bytes that follow from these, so that no mixture
 * of two records and no changed byte passes for one.  A stored value is one
 * record, or several one after the other where a client appends.
 *
 *      "chrec\r\n" | piece u8 | len u32 | key u32 | writer u32 | seq u64 | filler ...
 */
#ifndef HISTORY_VALUE_H
#define HISTORY_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VALUE_MIN_BYTES 36

struct value_record {
    uint32_t len;               /* bytes of the record, VALUE_MIN_BYTES at least */
    uint32_t key;
    uint32_t writer;
    uint64_t seq;
    bool piece;                 /* written by an append or a prepend */
};

/* Writes `record->len` bytes. */
void value_write(char *out, const struct value_record *record);

/* Reads the record that `bytes` begins with; false: there is no whole one. */
bool value_read(const char *bytes, size_t len, struct value_record *record);

#endif
