#include "options_check.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "option_fail.h"
#include "option_value.h"
#include "ring/ring.h"
#include "wire/hello.h"

#define LOCAL_NAME "local"
#define HTTP_PORT 11280

/* A child of --local-shards is NAME-1 .. NAME-64. */
static_assert(OPTION_NAME_MAX + 3 <= HELLO_NAME_MAX, "names fit into a hello");

static void set_string(char **field, char *owned)
{
    free(*field);
    *field = owned;
}

static int check_protocols(const struct options *o)
{
    if (o->udp_port != 0)
        return option_fail_of(o, OPTION_udp_port,
                              "--udp-port: read \"%u\", expected 0: there is no UDP here, "
                              "it lends itself to amplified attacks", o->udp_port);
    if (strcmp(o->protocol, "binary") == 0)
        return option_fail_of(o, OPTION_protocol,
                              "--protocol: read \"binary\", expected auto or ascii: "
                              "the text protocol is always spoken");
    if (strcmp(o->protocol, "auto") != 0 && strcmp(o->protocol, "ascii") != 0)
        return option_fail_of(o, OPTION_protocol,
                              "--protocol: read \"%s\", expected auto or ascii", o->protocol);
    return -1;
}

static int check_log(const struct options *o)
{
    enum log_level level;
    enum log_format format;

    if (!log_level_of_word(o->log_level, &level))
        return option_fail_of(o, OPTION_log_level,
                              "--log-level: read \"%s\", expected error, warn, info or debug",
                              o->log_level);
    if (!log_format_of_word(o->log_format, &format))
        return option_fail_of(o, OPTION_log_format,
                              "--log-format: read \"%s\", expected text or json", o->log_format);
    return -1;
}

/* What the system's calls take, less the zero behind it. */
static int check_unix_socket(const struct options *o)
{
    const size_t most = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;

    if (strlen(o->unix_socket) <= most)
        return -1;
    return option_fail_of(o, OPTION_unix_socket,
                          "--unix-socket: read \"%s\", expected a path of %zu bytes at most",
                          o->unix_socket, most);
}

static int check_delimiter(const struct options *o)
{
    if (strlen(o->stat_delimiter) <= 1)
        return -1;
    return option_fail_of(o, OPTION_stat_delimiter,
                          "--stat-delimiter: read \"%s\", expected one character",
                          o->stat_delimiter);
}

static int check_name(const struct options *o, enum option_id id, const char *option,
                      const char *name)
{
    if (option_value_is_name(name, strlen(name)))
        return -1;
    return option_fail_of(o, id,
                          "--%s: read \"%s\", expected 1 to %d letters, digits, '.', '_' or '-'",
                          option, name, OPTION_NAME_MAX);
}

void options_host_name(char name[OPTION_NAME_MAX + 1])
{
    memset(name, 0, OPTION_NAME_MAX + 1);
    gethostname(name, OPTION_NAME_MAX);
    if (!option_value_is_name(name, strlen(name)))
        name[0] = '\0';
}

static const struct shard_spec *shard_of_name(const struct shard_specs *shards, size_t n,
                                              const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(shards->items[i].name, name) == 0)
            return &shards->items[i];
    return NULL;
}

static int check_shards(const struct options *o)
{
    const struct shard_specs *s = &o->shards;

    if (s->n > RING_MAX_MEMBERS)
        return option_fail_of(o, OPTION_shards,
                              "--shard: %zu of them, expected %d at most", s->n,
                              RING_MAX_MEMBERS);
    for (size_t i = 0; i < s->n; i++) {
        if (shard_of_name(s, i, s->items[i].name) != NULL)
            return option_fail_of(o, OPTION_shards,
                                  "--shard: %s is there twice", s->items[i].name);
        for (size_t j = 0; j < i; j++)
            if (strcmp(s->items[i].address, s->items[j].address) == 0)
                return option_fail_of(o, OPTION_shards,
                                      "--shard: %s and %s have one address, %s",
                                      s->items[j].name, s->items[i].name, s->items[i].address);
    }
    return -1;
}

/* Local shards make a front of this process, and a whole cluster. */
static int check_local_shards(struct options *o)
{
    if (o->local_shards == 0)
        return -1;
    if (o->given[OPTION_role] && o->role != ROLE_FRONT)
        return option_fail_of(o, OPTION_local_shards,
                              "--local-shards makes this process a front: "
                              "it does not go with --role %s", role_word(o->role));
    if (o->shards.n > 0)
        return option_fail_of(o, OPTION_local_shards,
                              "--local-shards and --shard do not go together: "
                              "local shards are a cluster of their own");
    o->role = ROLE_FRONT;
    return -1;
}

static size_t coordinator_name_len(const struct options *o)
{
    return strcspn(o->coordinator, "@");
}

const char *options_coordinator_address(const struct options *o)
{
    const size_t len = coordinator_name_len(o);

    return o->coordinator[len] == '@' ? o->coordinator + len + 1 : "";
}

static bool is_coordinator(const struct options *o)
{
    const size_t len = coordinator_name_len(o);

    return o->coordinator[0] != '\0' && strlen(o->name) == len
        && memcmp(o->name, o->coordinator, len) == 0;
}

bool options_leads(const struct options *o)
{
    return o->local_shards > 0 || is_coordinator(o);
}

static int check_coordinator(struct options *o)
{
    const size_t len = coordinator_name_len(o);
    char *address;

    if (o->coordinator[0] == '\0')
        return -1;
    if (o->local_shards > 0)
        return option_fail_of(o, OPTION_local_shards,
                              "--local-shards and --coordinator do not go together: "
                              "this process makes the maps of its shards");
    address = o->coordinator[len] == '@' && option_value_is_name(o->coordinator, len)
            ? option_value_member(o->coordinator + len + 1) : NULL;
    if (address == NULL)
        return option_fail_of(o, OPTION_coordinator,
                              "--coordinator: read \"%s\", expected NAME@ADDR:PORT with the "
                              "address as a number, or a path", o->coordinator);
    set_string(&o->coordinator, xasprintf("%.*s@%s", (int)len, o->coordinator, address));
    free(address);
    return -1;
}

/* Who makes the maps is reached like a shard, and remembers them. */
static int check_leader(struct options *o)
{
    const char *systemd = getenv("STATE_DIRECTORY");

    if (o->state_dir[0] == '\0' && systemd != NULL && systemd[0] == '/')
        (void)option_value_parse(STRING, (struct option_range){ "", "" }, systemd,
                                 &o->state_dir);
    if (!is_coordinator(o))
        return -1;
    if (o->peer[0] == '\0')
        set_string(&o->peer, xstrdup(options_coordinator_address(o)));
    if (o->state_dir[0] == '\0')
        return option_fail_of(o, OPTION_coordinator,
                              "--coordinator is this process: it needs --state-dir, "
                              "where it keeps the map");
    return -1;
}

static int check_copies(const struct options *o)
{
    if (strcmp(o->ack, "all") != 0 && strcmp(o->ack, "owner") != 0)
        return option_fail_of(o, OPTION_ack,
                              "--ack: read \"%s\", expected all or owner", o->ack);
    if (o->replicas > 1 && o->local_shards == 0 && o->coordinator[0] == '\0')
        return option_fail_of(o, OPTION_replicas,
                              "--replicas needs --local-shards or --coordinator: "
                              "somebody must say who is alive");
    return -1;
}

/* This member's name and, where it has a shard, its address among the others. */
static int check_member(struct options *o)
{
    const struct shard_spec *own;
    bool has_shard = o->role != ROLE_FRONT;

    if (!o->given[OPTION_name]) {
        char host[OPTION_NAME_MAX + 1] = "";

        if (o->shards.n > 0 || o->coordinator[0] != '\0')
            options_host_name(host);
        set_string(&o->name, xstrdup(host[0] != '\0' ? host : LOCAL_NAME));
    }
    own = shard_of_name(&o->shards, o->shards.n, o->name);
    if (own != NULL && has_shard && !o->given[OPTION_peer])
        set_string(&o->peer, xstrdup(own->address));
    if (own == NULL && has_shard && o->shards.n > 0 && o->coordinator[0] == '\0')
        return option_fail_of(o, OPTION_shards,
                              "--shard: none is this process, \"%s\"; "
                              "say with --name which one it is", o->name);
    return -1;
}

static int check_role(const struct options *o)
{
    switch (o->role) {
    case ROLE_BOTH:
        if (o->given[OPTION_peer] && !o->given[OPTION_name])
            return option_fail_of(o, OPTION_peer,
                                  "--peer needs --name: fronts know a shard by its name");
        if (o->coordinator[0] != '\0' && *o->peer == '\0')
            return option_fail_of(o, OPTION_coordinator,
                                  "--coordinator needs --peer, the address where others reach "
                                  "this member");
        return -1;
    case ROLE_FRONT:
        if (o->local_shards == 0 && o->shards.n == 0 && o->coordinator[0] == '\0')
            return option_fail_of(o, OPTION_role,
                                  "--role front needs --shard, --local-shards or --coordinator: "
                                  "a front keeps nothing itself");
        if (o->given[OPTION_peer] && !is_coordinator(o))
            return option_fail_of(o, OPTION_peer,
                                  "--peer is for shards and the coordinator: it does not go with "
                                  "this --role front");
        return -1;
    case ROLE_SHARD:
        if (!o->given[OPTION_name])
            return option_fail_of(o, OPTION_role,
                                  "--role shard needs --name: fronts know a shard by its name");
        if (*o->peer == '\0')
            return option_fail_of(o, OPTION_role,
                                  "--role shard needs --peer, the address where fronts reach it");
        if (o->given[OPTION_listen] || o->given[OPTION_port] || o->given[OPTION_unix_socket])
            return option_fail("--role shard has no clients: it does not go with --%s",
                               o->given[OPTION_listen] ? "listen"
                               : o->given[OPTION_port] ? "port" : "unix-socket");
        return -1;
    }
    return -1;
}

static int check_peer(struct options *o)
{
    char *whole;

    if (*o->peer == '\0')
        return -1;
    whole = option_value_member(o->peer);
    if (whole == NULL)
        return option_fail_of(o, OPTION_peer,
                              "--peer: read \"%s\", expected ADDR:PORT with the address as a "
                              "number, or a path", o->peer);
    set_string(&o->peer, whole);
    return -1;
}

bool options_http_is_loopback(const struct options *o)
{
    return o->http[0] == '/' || strncmp(o->http, "127.", 4) == 0 ||
           strncmp(o->http, "[::1]", 5) == 0;
}

/* Who is on this host may change the cluster; nobody else is to reach it, unless he
 * shows what he knows. */
static int check_http(struct options *o)
{
    bool written;
    char *whole;

    if (strcmp(o->http, "off") == 0
        || (o->role == ROLE_SHARD && !o->given[OPTION_http])) {
        set_string(&o->http, xstrdup(""));
        return -1;
    }
    whole = option_value_address(o->http, HTTP_PORT, &written);
    if (whole == NULL)
        return option_fail_of(o, OPTION_http,
                              "--http: read \"%s\", expected ADDR:PORT with the address as a "
                              "number, or off", o->http);
    set_string(&o->http, whole);
    if (!options_http_is_loopback(o) && o->admin_token_file[0] == '\0')
        return option_fail_of(o, OPTION_http,
                              "--http: read \"%s\", expected an address of this host alone, "
                              "127.0.0.1 or [::1], or --admin-token-file: who reaches it may "
                              "change the cluster", whole);
    return -1;
}

int options_check_addresses(const struct options *o, size_t from)
{
    if (o->listen.n > OPTION_LISTEN_MAX)
        return option_fail_of(o, OPTION_listen, "--listen: %zu addresses, expected at most %d",
                              o->listen.n, OPTION_LISTEN_MAX);
    for (size_t i = from; i < o->listen.n; i++) {
        bool written;
        char *whole = option_value_address(o->listen.items[i], 1, &written);

        if (whole == NULL)
            return option_fail_of(o, OPTION_listen,
                                  "--listen: read \"%s\", expected ADDR or ADDR:PORT with the "
                                  "address as a number", o->listen.items[i]);
        free(whole);
    }
    return -1;
}

/* Makes the client addresses whole; those that lack a port go with --port=0. */
static int check_listen(struct options *o)
{
    struct option_list *list = &o->listen;
    bool tcp = o->role != ROLE_SHARD
               && (*o->unix_socket == '\0' || o->given[OPTION_listen]);
    size_t kept = 0;
    int rc = options_check_addresses(o, 0);

    if (rc != -1)
        return rc;
    for (size_t i = 0; i < list->n; i++) {
        bool written;
        char *whole = option_value_address(list->items[i], o->port != 0 ? o->port : 1, &written);

        free(list->items[i]);
        if (tcp && (written || o->port != 0))
            list->items[kept++] = whole;
        else
            free(whole);
    }
    list->n = kept;
    if (kept == 0 && o->role != ROLE_SHARD && *o->unix_socket == '\0')
        return option_fail_of(o, OPTION_port,
                              "--port 0 leaves no address for clients: "
                              "give --unix-socket or --listen ADDR:PORT");
    return -1;
}

static int check_limits(struct options *o)
{
    uint64_t parts = o->local_shards != 0 ? o->local_shards : 1;
    uint64_t two_items = 2 * o->max_item_size;
    bool has_items = o->role != ROLE_FRONT || o->local_shards != 0;

    if (has_items && o->memory_limit / parts < two_items)
        return option_fail_of(o, o->given[OPTION_memory_limit]    ? OPTION_memory_limit
                                 : o->given[OPTION_max_item_size] ? OPTION_max_item_size
                                                                  : OPTION_local_shards,
                              "--memory-limit: %lluk for each shard, expected room for two of the "
                              "largest items (--max-item-size), %lluk",
                              (unsigned long long)(o->memory_limit / parts >> 10),
                              (unsigned long long)(two_items >> 10));
    if (!o->given[OPTION_link_queue_limit] && o->link_queue_limit < two_items)
        o->link_queue_limit = two_items;
    if (!o->given[OPTION_output_limit] && o->output_limit < two_items)
        o->output_limit = two_items;
    if (o->link_queue_limit < o->max_item_size)
        return option_fail_of(o, OPTION_link_queue_limit,
                              "--link-queue-limit: an item of --max-item-size would never fit");
    if (o->output_limit < o->max_item_size)
        return option_fail_of(o, OPTION_output_limit,
                              "--output-limit: an item of --max-item-size would never fit");
    return -1;
}

static void cap_threads(struct options *o)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    if (!o->given[OPTION_threads] && cpus > 0 && (unsigned long)cpus < o->threads)
        o->threads = (unsigned)cpus;
}

int options_check(struct options *o)
{
    int rc;

    cap_threads(o);
    if ((rc = check_protocols(o)) != -1
        || (rc = check_unix_socket(o)) != -1
        || (rc = check_delimiter(o)) != -1
        || (rc = check_log(o)) != -1
        || (rc = check_name(o, OPTION_cluster, "cluster", o->cluster)) != -1
        || (rc = check_shards(o)) != -1
        || (rc = check_local_shards(o)) != -1
        || (rc = check_coordinator(o)) != -1
        || (rc = check_member(o)) != -1
        || (rc = check_name(o, OPTION_name, "name", o->name)) != -1
        || (rc = check_leader(o)) != -1
        || (rc = check_copies(o)) != -1
        || (rc = check_role(o)) != -1
        || (rc = check_peer(o)) != -1
        || (rc = check_http(o)) != -1
        || (rc = check_listen(o)) != -1)
        return rc;
    return check_limits(o);
}
