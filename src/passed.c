#include "passed.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/world_os.h"
#include "front/local_shards.h"

#define EXIT_OS 71

void passed_take(struct passed *p)
{
    p->peer_fd = -1;
    p->n = sdnotify_take_fds(p->fds, NODE_LISTENERS_MAX);
}

void passed_add(struct passed *p, const char *name, int fd)
{
    if (p->n == NODE_LISTENERS_MAX) {
        close(fd);
        return;
    }
    p->fds[p->n].fd = fd;
    snprintf(p->fds[p->n].name, sizeof(p->fds[p->n].name), "%s", name);
    p->n++;
}

const char *passed_name(const struct passed *p, int fd)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->fds[i].fd == fd)
            return p->fds[i].name;
    return NULL;
}

static bool listens(int fd)
{
    int type = 0, on = 0;
    socklen_t len = sizeof(int);

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on != 0;
}

/* As if we had opened it: accepted sockets inherit these. */
static void tune(int fd, const char *address)
{
    int on = 1;

    if (address[0] == '/' || address[0] == '@')
        return;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

static void say_where(struct options *o, const char *address)
{
    if (address[0] == '/') {
        free(o->unix_socket);
        o->unix_socket = xstrdup(address);
        return;
    }
    o->listen.items = xrealloc(o->listen.items, (o->listen.n + 1) * sizeof(*o->listen.items));
    o->listen.items[o->listen.n++] = xstrdup(address);
}

/* What the settings say of clients does not hold. */
static void forget_addresses(struct options *o)
{
    if (o->given[OPTION_listen] || o->given[OPTION_port] || o->given[OPTION_unix_socket])
        log_info("main", "clients are served on the sockets that were passed, not on those of "
                 "the settings");
    o->fixed[OPTION_listen] = o->fixed[OPTION_unix_socket] = true;
    while (o->listen.n > 0)
        free(o->listen.items[--o->listen.n]);
    free(o->unix_socket);
    o->unix_socket = xstrdup("");
}

static int give_client_socket(struct passed *p, struct node *n, struct options *o, int fd,
                              const char *address)
{
    if (!p->clients)
        forget_addresses(o);
    p->clients = true;
    say_where(o, address);
    n->client_fds[n->n_client_fds++] = fd;
    return 0;
}

static int give_child_socket(struct passed *p, int fd)
{
    p->is_child = true;
    p->peer_fd = fd;
    return 0;
}

/* Whoever reaches it may change the cluster. */
static bool is_of_this_host(const char *address)
{
    return address[0] == '/' || strncmp(address, "127.", 4) == 0 ||
           strncmp(address, "[::1]:", 6) == 0;
}

static int give_admin_socket(struct node *n, struct options *o, const struct sdnotify_fd *s,
                             const char *address)
{
    if (!is_of_this_host(address)) {
        log_fail("the socket \"admin\" that was passed is at %s, expected an "
                "address of this host alone, 127.0.0.1 or [::1]: who reaches it may change the "
                "cluster", address);
        return EXIT_OS;
    }
    n->admin_fd = s->fd;
    o->fixed[OPTION_http] = true;
    free(o->http);
    o->http = xstrdup(address);
    return 0;
}

static int give_peer_socket(struct passed *p, const struct options *o, int fd)
{
    if (o->peer[0] == '\0') {
        log_fail("a socket \"peer\" was passed, but nothing says where others "
                "reach it: use --peer ADDR:PORT");
        return EXIT_OS;
    }
    p->peer_fd = fd;
    return 0;
}

/* Its number may be that of another socket from now on. */
static void drop(struct sdnotify_fd *s)
{
    close(s->fd);
    s->fd = -1;
}

static int give(struct passed *p, struct node *n, struct options *o, struct sdnotify_fd *s)
{
    char address[ADDRESS_MAX];

    world_os_socket_name(s->fd, address, sizeof(address));
    tune(s->fd, address);
    if (strcmp(s->name, LOCAL_SHARDS_FD_NAME) == 0)
        return give_child_socket(p, s->fd);
    if (strcmp(s->name, "memcache") == 0 && o->role != ROLE_SHARD &&
        n->n_client_fds < NODE_CLIENT_LISTENERS_MAX)
        return give_client_socket(p, n, o, s->fd, address);
    if (strcmp(s->name, "admin") == 0 && n->admin_fd < 0)
        return give_admin_socket(n, o, s, address);
    if (strcmp(s->name, "peer") == 0 && p->peer_fd < 0 && o->local_shards == 0)
        return give_peer_socket(p, o, s->fd);
    log_warn("main", "closing a socket that was passed and has no use here name=%s addr=%s",
             s->name, address);
    drop(s);
    return 0;
}

static bool is_known(const char *name)
{
    return strcmp(name, "memcache") == 0 || strcmp(name, "admin") == 0 ||
           strcmp(name, "peer") == 0 || strcmp(name, LOCAL_SHARDS_FD_NAME) == 0;
}

int passed_place(struct passed *p, struct node *n, struct options *o)
{
    int rc = 0;

    for (size_t i = 0; i < p->n && rc == 0; i++) {
        struct sdnotify_fd *s = &p->fds[i];

        if (!is_known(s->name)) {
            log_warn("main", "closing a descriptor that was passed, expected the name memcache, "
                     "admin or peer name=%s fd=%d", s->name, s->fd);
            drop(s);
        } else if (!listens(s->fd)) {
            log_fail("descriptor %d, passed as \"%s\", is no stream socket that "
                    "listens: see ListenStream and Accept=no in systemd.socket(5)", s->fd,
                    s->name);
            rc = EXIT_OS;
        } else {
            rc = give(p, n, o, s);
        }
    }
    return rc;
}
