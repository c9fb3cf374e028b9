/*
 * log - what operators read
 *
 * One event per line on stderr: "2026-11-21T00:41:29.123Z warn shard: s2
 * stopped answering addr=10.0.0.12:11301 after=250ms".  Under journald the
 * time is left out and the line starts with its priority ("<4>").  Text first,
 * then key=value pairs.  Safe from any thread: a line is one write().
 * Equal lines that follow each other within 10 s are counted, not repeated:
 * "last line repeated 412 times in 10 s".
 *
 * What a peer sent cannot forge or break a line: all but printable ASCII is
 * written \xNN, and a backslash twice.  A line over LOG_LINE_MAX ends in "...".
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdint.h>

#define LOG_LINE_MAX 2048       /* bytes, its newline included */

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Lines above `level` are dropped.  Decides once where stderr leads. */
void log_init(enum log_level level);

/* May be called at any time, from any thread. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* Leaves errno alone; %m works.  Does not allocate. */
void log_write(enum log_level level, const char *module, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Says now how often the last line was repeated, if it was.  For the end of the
 * process and for a tick every ten seconds: otherwise only the next line tells.
 */
void log_flush(void);

/* Another clock, milliseconds since 1970: a simulator's.  NULL: the real one. */
void log_set_clock(int64_t (*wall_ms)(void));

#define log_error(module, ...) log_write(LOG_ERROR, module, __VA_ARGS__)
#define log_warn(module, ...)  log_write(LOG_WARN, module, __VA_ARGS__)
#define log_info(module, ...)  log_write(LOG_INFO, module, __VA_ARGS__)
#define log_debug(module, ...) log_write(LOG_DEBUG, module, __VA_ARGS__)

#endif
