/*
 * listing - items told without their values, one after the other
 *
 * What a shard answers to FRAME_WALK and FRAME_EVICTIONS: records, each
 *
 *      u8 key length, u8 marks, u32 flags, i64 ttl_ms, u32 idle_s, u64 token,
 *      u32 value length, key
 */
#ifndef WIRE_LISTING_H
#define WIRE_LISTING_H

#include "wire/cmd.h"

struct listed {
    const char *key;            /* borrowed */
    size_t key_len;             /* 1 .. KEY_MAX */
    unsigned marks;             /* enum mark */
    uint32_t client_flags;
    int64_t ttl_ms;
    uint32_t idle_s;
    uint64_t token;
    size_t value_len;
};

#define LISTED_HEAD 30
#define LISTED_MAX (LISTED_HEAD + KEY_MAX)

/* Writes one record, at most LISTED_MAX bytes; returns the end. */
char *listing_put(char *out, const struct listed *l);

/* The next record at data[*pos]; false at the end, or where there is none. */
bool listing_next(const char *data, size_t len, size_t *pos, struct listed *l);

#endif
