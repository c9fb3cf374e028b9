#include "base/sdnotify.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/num.h"

#define LISTEN_FDS_START 3

bool sdnotify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    size_t len;
    bool full;
    int fd;

    if (path == NULL || (path[0] != '/' && path[0] != '@'))
        return true;
    len = strlen(path);
    if (len >= sizeof(to.sun_path))
        return true;
    memcpy(to.sun_path, path, len);
    if (path[0] == '@')
        to.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    full = sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&to,
                  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0 &&
           errno == EAGAIN;
    close(fd);
    return !full;
}

int sdnotify_is_heard(void)
{
    return getenv("NOTIFY_SOCKET") != NULL;
}

void sdnotify_reloading(void)
{
    struct timespec now;
    char state[80];

    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%llu",
             (unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / 1000);
    (void)sdnotify(state);
}

void sdnotify_extend(int64_t ms)
{
    char state[60];

    snprintf(state, sizeof(state), "EXTEND_TIMEOUT_USEC=%lld", (long long)ms * 1000);
    (void)sdnotify(state);
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

    return is_for_us("WATCHDOG_PID") ? (int64_t)(us / 1000) : 0;
}

/* The first of the names, and what is behind it. */
static const char *take_name(const char *names, char *name)
{
    const size_t len = names != NULL ? strcspn(names, ":") : 0;

    if (len == 0 || len > SDNOTIFY_NAME_MAX) {
        strcpy(name, "unknown");
    } else {
        memcpy(name, names, len);
        name[len] = '\0';
    }
    return names != NULL && names[len] == ':' ? names + len + 1 : NULL;
}

size_t sdnotify_take_fds(struct sdnotify_fd *fds, size_t max)
{
    const uint64_t n = is_for_us("LISTEN_PID") ? env_number("LISTEN_FDS", 0) : 0;
    const char *names = getenv("LISTEN_FDNAMES");
    size_t i;

    for (i = 0; i < n && i < max; i++) {
        const int fd = LISTEN_FDS_START + (int)i;

        fds[i].fd = fd;
        names = take_name(names, fds[i].name);
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return i;
}
