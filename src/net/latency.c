#include "net/latency.h"

#include <stdlib.h>
#include <string.h>

bool latency_init(struct latency *l, struct world *world)
{
    memset(l, 0, sizeof(*l));
    l->world = world;
    l->took = calloc(N_LATENCIES, sizeof(*l->took));
    return l->took != NULL;
}

void latency_fini(struct latency *l)
{
    free(l->took);
    l->took = NULL;
}

const char *latency_word(enum latency_class class)
{
    static const char *const words[] = {
#define X(name, word, help) word,
        LATENCIES(X)
#undef X
    };

    return words[class];
}

static void count(struct latency *l, enum latency_class class, int64_t now_ns)
{
    histogram_add(&l->took[class], (uint64_t)(now_ns - l->ended[class].began_ns),
                  l->ended[class].n);
    l->ended[class].n = 0;
}

void latency_count(struct latency *l, enum latency_class class)
{
    count(l, class, l->world->ops->mono_ns(l->world));
}

void latency_turn_end(struct latency *l)
{
    int64_t now_ns = 0;

    for (unsigned i = 0; i < N_LATENCIES; i++) {
        if (l->ended[i].n == 0)
            continue;
        if (now_ns == 0)
            now_ns = l->world->ops->mono_ns(l->world);
        count(l, (enum latency_class)i, now_ns);
    }
}
