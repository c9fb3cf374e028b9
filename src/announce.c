#include "announce.h"

#include "config.h"

#include <stdio.h>

#include "base/log.h"

/* All of them, with commas. */
static void list_client_addresses(const struct options *o, char *out, size_t size)
{
    size_t at = (size_t)snprintf(out, size, "%s",
                                 o->role == ROLE_SHARD ? "" : o->unix_socket);

    for (size_t i = 0; i < o->listen.n && at < size; i++)
        at += (size_t)snprintf(out + at, size - at, "%s%s", at > 0 ? "," : "",
                               o->listen.items[i]);
    if (at == 0)
        snprintf(out, size, "none");
}

/* A front without children keeps nothing. */
static void tell_memory(const struct options *o)
{
    if (o->role == ROLE_FRONT && o->local_shards == 0)
        log_info("main", "memory limit=none largest_item=%lluK threads=%u",
                 (unsigned long long)(o->max_item_size >> 10), o->threads);
    else
        log_info("main", "memory limit=%lluM largest_item=%lluK threads=%u",
                 (unsigned long long)(o->memory_limit >> 20),
                 (unsigned long long)(o->max_item_size >> 10), o->threads);
}

void announce_start(struct node *n)
{
    const struct options *o = n->options;
    struct view *v = cluster_view(n->cluster);
    char clients[1024];

    list_client_addresses(o, clients, sizeof(clients));
    log_info("main", "chcached %s started role=%s name=%s cluster=%s", PACKAGE_VERSION,
             role_word(o->role), o->name, o->cluster);
    log_info("main", "addresses clients=%s peers=%s admin=%s", clients,
             n->peer[0] != '\0' ? n->peer : "none", n->admin != NULL ? o->http : "none");
    log_info("main", "map shards=%zu copies=%u epoch=%llu", v != NULL ? v->map->n : 0,
             v != NULL ? v->map->replicas : 0u, (unsigned long long)cluster_epoch(n->cluster));
    tell_memory(o);
    view_unref(v);
}
