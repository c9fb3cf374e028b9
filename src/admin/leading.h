/*
 * leading - what operators want, done by the leader of this process
 *
 * A job is on disk before an operator is told that it was taken: one that could
 * not be saved is given up again.
 */
#ifndef ADMIN_LEADING_H
#define ADMIN_LEADING_H

#include "admin/admin.h"
#include "cluster/leader.h"

struct leading {
    struct leader *leader;      /* borrowed, like all here; NULL: another leads */
    /* Whether the bytes of leader_save() are on disk now; NULL: none is wanted. */
    bool (*save)(void *arg, const char *bytes, size_t len);
    void *arg;
};

/* As those of struct admin_ops. */
uint64_t leading_change(const struct leading *l, const struct admin_change *change,
                        const char **why);
bool leading_abort(const struct leading *l, uint64_t id, const char **why);

#endif
