#include "admin/leading.h"

#include <stdlib.h>

static bool save(const struct leading *l)
{
    size_t len;
    char *bytes;
    bool saved;

    if (l->save == NULL || !leader_is_unsaved(l->leader))
        return true;
    bytes = leader_save(l->leader, &len);
    saved = bytes != NULL && l->save(l->arg, bytes, len);
    free(bytes);
    return saved;
}

static uint64_t queue(struct leader *leader, const struct admin_change *c, const char **why)
{
    const struct leader_member member = { c->name, c->zone, c->address, c->weight };

    switch (c->kind) {
    case JOB_ADD:
        return leader_add(leader, &member, why);
    case JOB_REMOVE:
        return leader_remove(leader, c->name, c->force, why);
    case JOB_DRAIN:
        return leader_drain(leader, c->name, why);
    case JOB_WEIGHT:
        return leader_weight(leader, c->name, c->weight, why);
    case JOB_HEAL:
    case JOB_REPLACE:
    case JOB_KINDS:
        break;                  /* the leader's own */
    }
    *why = "nobody may ask for that";
    return 0;
}

uint64_t leading_change(const struct leading *l, const struct admin_change *change,
                        const char **why)
{
    const uint64_t id = queue(l->leader, change, why);
    const char *never_mind;

    if (id == 0 || save(l))
        return id;
    (void)leader_abort(l->leader, id, &never_mind);
    *why = "the state file cannot be written";
    return 0;
}

bool leading_abort(const struct leading *l, uint64_t id, const char **why)
{
    if (!leader_abort(l->leader, id, why))
        return false;
    if (save(l))
        return true;
    *why = "it is given up, but the state file cannot be written";
    return false;
}
