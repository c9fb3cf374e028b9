/*
 * sdnotify - telling systemd how the service is (sd_notify(3))
 *
 * Does nothing where nobody listens: $NOTIFY_SOCKET is not set.
 */
#ifndef BASE_SDNOTIFY_H
#define BASE_SDNOTIFY_H

#include <stdint.h>

/* "READY=1", "STOPPING=1", "WATCHDOG=1". */
void sdnotify(const char *state);

/* How often "WATCHDOG=1" is due, in milliseconds; 0: never. */
int64_t sdnotify_watchdog_ms(void);

/* The descriptor handed over under that name (systemd's socket activation and
 * our own children use the same convention); -1: none. */
int sdnotify_listen_fd(const char *name);

#endif
