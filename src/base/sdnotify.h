/*
 * sdnotify - telling systemd how the service is (sd_notify(3))
 *
 * Does nothing where nobody listens: $NOTIFY_SOCKET is not set.
 */
#ifndef BASE_SDNOTIFY_H
#define BASE_SDNOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "READY=1", "STOPPING=1", "WATCHDOG=1"; several with a newline between them.  Does not
 * wait: false where who listens has too much to read. */
bool sdnotify(const char *state);

/* Settings are read again, or another program takes over: until "READY=1". */
void sdnotify_reloading(void);

/* A start, a reload or a stop may take so long from now on. */
void sdnotify_extend(int64_t ms);

/* How often "WATCHDOG=1" must come at least, in milliseconds; 0: nobody asks. */
int64_t sdnotify_watchdog_ms(void);

/* Is there somebody to tell? */
int sdnotify_is_heard(void);

#define SDNOTIFY_NAME_MAX 255

struct sdnotify_fd {
    int fd;
    char name[SDNOTIFY_NAME_MAX + 1];   /* "unknown" where none was said */
};

/*
 * The descriptors that were handed over (systemd's socket activation and our own
 * children use the same convention), in their order; returns how many.  They are
 * non-blocking from here on and closed by an exec, and the environment does not
 * speak of them any more: a second call finds none.
 */
size_t sdnotify_take_fds(struct sdnotify_fd *fds, size_t max);

#endif
