/*
 * asker - what members hold: asked over links of the control worker
 *
 *      asker_ask  --FRAME_STATS or a get--> each member --> told, once, with all
 *      asker_walk --FRAME_WALK------------> one member
 *
 * A shard in this very process is asked directly.  A get of here leaves no
 * trace in the items, and has no value in its answer.
 */
#ifndef ADMIN_ASKER_H
#define ADMIN_ASKER_H

#include "admin/admin.h"
#include "cluster/links.h"
#include "store/store.h"

struct asker;

/* `store` is NULL where this process keeps no items.  All is borrowed.  NULL
 * when memory is short. */
struct asker *asker_new(struct worker *w, struct cluster *c, struct store *store,
                        int64_t timeout_ms);
/* What is not answered fails now.  Copes with NULL. */
void asker_free(struct asker *k);

/* For what is asked from here on. */
void asker_set_timeout(struct asker *k, int64_t timeout_ms);

/* struct admin_ops, ask. */
void asker_ask(struct asker *k, struct view *v, const char *key, size_t key_len,
               admin_told *told, void *arg);

/* struct admin_ops, walk. */
void asker_walk(struct asker *k, struct view *v, unsigned member, uint64_t cursor,
                admin_walked *walked, void *arg);

#endif
