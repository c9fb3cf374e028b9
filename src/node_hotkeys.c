#include "node_hotkeys.h"

#include <stdlib.h>

#include "front/hotlist.h"
#include "node.h"

/* Who waits for a list; gone when that has come home, or sooner than it. */
struct hot_asked {
    struct hot_asked *next;     /* node.hot_asked */
    struct node *node;
    admin_hot_told *told;       /* NULL: was told already */
    void *arg;
};

static void be_gone(struct hot_asked *asked)
{
    struct hot_asked **at = &asked->node->hot_asked;

    while (*at != asked)
        at = &(*at)->next;
    *at = asked->next;
    free(asked);
}

static void on_told(struct hotlist *l)
{
    struct hot_asked *asked = l->arg;
    struct admin_hotkey keys[HOTLIST_SHOWN];

    for (size_t i = 0; i < l->n; i++)
        keys[i] = (struct admin_hotkey){ l->rows[i].key, l->rows[i].key_len, l->rows[i].rate,
                                         l->rows[i].writes };
    if (asked->told != NULL)
        asked->told(asked->arg, keys, l->n, l->rate);
    be_gone(asked);
    hotlist_free(l);
}

const char *node_hotkeys(struct node *n, admin_hot_told *told, void *arg)
{
    struct hot_asked *asked;

    if (n->options->role == ROLE_SHARD)
        return "this shard has no clients: ask a front";
    if (!n->front.config.dumps)
        return "disable-dumping is set: keys are not shown";
    asked = calloc(1, sizeof(*asked));
    if (asked == NULL || hotlist_ask(&n->front, &n->control, on_told, asked) == NULL) {
        free(asked);
        return "out of memory here";
    }
    *asked = (struct hot_asked){ n->hot_asked, n, told, arg };
    n->hot_asked = asked;
    return NULL;
}

void node_hotkeys_end(struct node *n)
{
    for (struct hot_asked *asked = n->hot_asked; asked != NULL; asked = asked->next) {
        if (asked->told != NULL)
            asked->told(asked->arg, NULL, 0, 0);
        asked->told = NULL;
    }
}
