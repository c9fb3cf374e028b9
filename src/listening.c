#include "listening.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "port_owner.h"

#define EXIT_OS 71

/* What an operator does about it. */
static const char *remedy_of(int error)
{
    switch (error) {
    case EACCES:
        return ": a port below 1024 needs root or CAP_NET_BIND_SERVICE, a socket a folder that "
               "may be written";
    case EADDRNOTAVAIL:
        return ": no interface of this host has this address";
    case ENOENT:
        return ": make its folder first";
    default:
        return "";
    }
}

static int say_cannot_listen(const char *address, const char *instead)
{
    char owner[128];
    int error = errno;

    if (error == EADDRINUSE && port_owner(address, owner, sizeof(owner)))
        log_fail("%s is in use (%s). Stop it or use %s.", address, owner, instead);
    else if (error == EADDRINUSE)
        log_fail("%s is in use. Stop who uses it or use %s.", address, instead);
    else
        log_fail("cannot listen on %s: %s%s. Or use %s.", address, strerror(error),
                 remedy_of(error), instead);
    return EXIT_OS;
}

int listening_for_clients(struct node *n)
{
    const char *failed = node_listen_to_clients(n);

    if (failed == NULL)
        return 0;
    return say_cannot_listen(failed, failed == n->options->unix_socket ? "-s FILE" : "-p PORT");
}

int listening_for_operators(struct node *n)
{
    const char *failed = node_listen_to_operators(n);
    char owner[128] = "unknown";
    int error = errno;

    if (failed == NULL)
        return 0;
    if (n->options->given[OPTION_http])
        return say_cannot_listen(failed, "--http ADDR:PORT");
    (void)port_owner(failed, owner, sizeof(owner));
    log_warn("main", "no admin address, use --http ADDR:PORT or --http off: %s addr=%s by=%s",
             strerror(error), failed, owner);
    return 0;
}

int listening_for_peers(struct node *n, int fd)
{
    const char *failed = node_listen_to_peers(n, fd);

    return failed != NULL ? say_cannot_listen(failed, "--peer ADDR:PORT") : 0;
}
