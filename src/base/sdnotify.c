#include "base/sdnotify.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/num.h"

#define LISTEN_FDS_START 3

void sdnotify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    size_t len;
    int fd;

    if (path == NULL || (path[0] != '/' && path[0] != '@'))
        return;
    len = strlen(path);
    if (len >= sizeof(to.sun_path))
        return;
    memcpy(to.sun_path, path, len);
    if (path[0] == '@')
        to.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
    close(fd);
}

/* A number in the environment; `dflt` when it is not there or none. */
static uint64_t env_number(const char *name, uint64_t dflt)
{
    const char *text = getenv(name);
    uint64_t n;

    return text != NULL && num_parse_u64(text, strlen(text), &n) ? n : dflt;
}

/* Is what the environment says about us, and not about a parent of ours? */
static int is_for_us(const char *pid_name)
{
    return env_number(pid_name, (uint64_t)getpid()) == (uint64_t)getpid();
}

int64_t sdnotify_watchdog_ms(void)
{
    uint64_t us = env_number("WATCHDOG_USEC", 0);

    return is_for_us("WATCHDOG_PID") ? (int64_t)(us / 1000 / 2) : 0;
}

int sdnotify_listen_fd(const char *name)
{
    const char *names = getenv("LISTEN_FDNAMES"), *end;
    uint64_t n = env_number("LISTEN_FDS", 0);
    size_t len = strlen(name);

    if (names == NULL || !is_for_us("LISTEN_PID"))
        return -1;
    for (int fd = LISTEN_FDS_START; n > 0; n--, fd++, names = end + 1) {
        end = strchrnul(names, ':');
        if ((size_t)(end - names) == len && memcmp(names, name, len) == 0) {
            fcntl(fd, F_SETFD, FD_CLOEXEC);
            fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
            return fd;
        }
        if (*end == '\0')
            return -1;
    }
    return -1;
}
