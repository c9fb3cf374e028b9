/*
 * world_os - the real world's sockets, for who is handed some
 */
#ifndef BASE_WORLD_OS_H
#define BASE_WORLD_OS_H

#include <stdbool.h>
#include <stddef.h>

/* Is it bound to this address, written as struct world_ops takes it? */
bool world_os_is_at(int fd, const char *address);

/* Its own address, in that form; "?" when it has none. */
void world_os_socket_name(int fd, char *out, size_t size);

#endif
