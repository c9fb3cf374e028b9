#include "front/inner.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "front/call.h"

struct inner {
    inner_told *told;
    void *arg;
};

static const char *name_of(const struct call *c)
{
    const struct link *l = c->request.link;

    return l != NULL ? link_name(l) : cluster_self(c->fw->front->cluster);
}

static void tell_unreached(const struct inner *in, const struct call *c)
{
    const struct request *r = &c->request;
    char why[256];

    snprintf(why, sizeof(why), "shard %s: %s", name_of(c), r->reason);
    in->told(in->arg, NULL, why, r->outcome == LOST && !verb_is_get(c->verb));
}

static void tell(const struct inner *in, const struct call *c)
{
    struct answer a;

    if (c->request.outcome != ANSWERED) {
        tell_unreached(in, c);
    } else {
        call_answer(c, &a);
        in->told(in->arg, &a, NULL, false);
    }
}

/* It has no session whose turn it could be. */
static bool never(struct slot *slot, struct session *s)
{
    assert(slot == NULL && s != NULL);
    return true;
}

static void on_settled(struct slot *slot)
{
    struct call *c = call_of_slot(slot);
    struct inner *in = c->request.owner;

    tell(in, c);
    free(in);
    call_leave(c);
}

static const struct slot_ops inner_ops = { never, on_settled };

void inner_ask(struct front_worker *fw, struct cmd *cmd, inner_told *told, void *arg)
{
    struct inner *in;

    assert(verb_is_keyed(cmd->verb));
    if (fw->links.view == NULL) {
        told(arg, NULL, "there is no map yet", false);
        return;
    }
    hotkeys_count(&fw->hotkeys, cmd->verb, cmd->key, cmd->key_len);
    if (verb_has_value(cmd->verb))
        STAT_ADD(&fw->worker->stats, cmd_set, 1);
    cmd->form.protocol = PROTOCOL_INSIDE;
    cmd->form.ttl_ms = cmd->ttl_ms;
    cmd->form.value_len = cmd->value_len;
    cmd->position = ring_hash(cmd->key, cmd->key_len);
    in = malloc(sizeof(*in));
    if (in != NULL) {
        *in = (struct inner){ told, arg };
        if (call_inside(fw, cmd, &inner_ops, in))
            return;
        free(in);
    }
    told(arg, NULL, "out of memory here", false);
}
