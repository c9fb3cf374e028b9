/*
 * verdict - is the cluster well?
 */
#ifndef ADMIN_VERDICT_H
#define ADMIN_VERDICT_H

#include "admin/admin.h"

enum verdict_kind {
    VERDICT_OK,
    VERDICT_DEGRADED,           /* some shard is not up; others serve */
    VERDICT_DOWN                /* nobody serves */
};

struct verdict {
    enum verdict_kind kind;
    char words[256];            /* "2/3 shards up: s2 is ejected" */
    size_t n, n_up;             /* members that are to hold items */
    uint64_t items, bytes, limit_bytes;         /* of all who answered, copies included */
};

/* "ok", "degraded", "down" */
const char *verdict_word(enum verdict_kind kind);

/* Of a member: NULL, it is up; or "is ejected"... */
const char *verdict_trouble(const struct member *m, const struct admin_answer *a);

/* `v` may be NULL: no map yet. */
void verdict_of(const struct view *v, const struct admin_answer *answers, struct verdict *out);

#endif
