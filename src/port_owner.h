/*
 * port_owner - who listens where this process wanted to
 */
#ifndef PORT_OWNER_H
#define PORT_OWNER_H

#include <stdbool.h>
#include <stddef.h>

/*
 * After a listen() that failed with EADDRINUSE: "memcached, pid 812", as far as
 * /proc tells.  `address` as struct world takes it.  False when it does not tell.
 */
bool port_owner(const char *address, char *out, size_t size);

#endif
