/*
 * log - what operators read
 *
 * One event per line, on stderr or in a file: "2026-11-21T00:41:29.123Z warn
 * shard: stopped answering addr=10.0.0.12:11301 ms=250".  Text first, then fields:
 * the words at the end of a format that begin with key=.  A value with a blank, a
 * quote or '=' in it, or none, stands in quotes.  As JSON the same line is
 * {"ts":"2026-11-21T00:41:29.123Z","level":"warn","module":"shard",
 * "msg":"stopped answering","addr":"10.0.0.12:11301","ms":250}.  Under journald the
 * time is left out and the line starts with its priority ("<4>").
 *
 * Safe from any thread: a line is one write().  Equal lines that follow each other
 * within 10 s are counted, not repeated: "last line repeated 412 times in 10 s".  Of
 * one call's lines, which differ, LOG_BURST are written in 10 s: "412 more such lines
 * in 10 s".  What is only for LOG_DEBUG is not counted so.
 *
 * What a peer sent cannot forge or break a line or a field: in both forms all but
 * printable ASCII is written \xNN, and a backslash twice; '=' of a text is \x3d.  A
 * line over LOG_LINE_MAX is cut: "...", and in JSON "cut":true.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#define LOG_LINE_MAX 2048       /* bytes, its newline included */
#define LOG_BURST 100           /* a cluster that changes tells of each map */

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

/* Lines above `level` are dropped.  Decides once where stderr leads. */
void log_init(enum log_level level);

/* What follows may be called at any time, from any thread. */

void log_set_level(enum log_level level);
/* -v and the command "verbosity": as if the level were LOG_DEBUG. */
void log_set_verbose(bool verbose);
/* The level that holds. */
enum log_level log_get_level(void);
void log_set_format(enum log_format format);

/* "error" to "debug", "text" or "json"; false for another word. */
bool log_level_of_word(const char *word, enum log_level *level);
bool log_format_of_word(const char *word, enum log_format *format);

/*
 * Lines go to the end of this file, which is made where it is not there (0640);
 * "": to stderr.  False (errno): it cannot be opened, and all is as it was.
 */
bool log_open(const char *path);
/* The same file, by its name: the old one was moved away.  Also false: as above. */
bool log_reopen(void);
/* From here on what others write to stderr goes to the file too, where there is one. */
void log_take_stderr(void);
/* It is what it was before: for a program that takes the place of this one. */
void log_return_stderr(void);

/* Level and form as one number, and back: for a child process. */
int log_settings(void);
void log_set_settings(int settings);

/*
 * Leaves errno alone; %m works.  Does not allocate.  The format is a literal; what
 * it may have is in log_line.h.
 */
void log_write(enum log_level level, const char *module, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Why the process cannot start, a sentence that says what to do: "chcached: ..." on
 * stderr; an error like others where lines go to a file as well, or are JSON.
 */
void log_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Says now what was counted and not told: for the end of the process, and for a tick
 * every ten seconds: otherwise only later lines tell.
 */
void log_flush(void);

/* Another clock, milliseconds since 1970: a simulator's.  NULL: the real one. */
void log_set_clock(int64_t (*wall_ms)(void));

#define log_error(module, ...) log_write(LOG_ERROR, module, __VA_ARGS__)
#define log_warn(module, ...)  log_write(LOG_WARN, module, __VA_ARGS__)
#define log_info(module, ...)  log_write(LOG_INFO, module, __VA_ARGS__)
#define log_debug(module, ...) log_write(LOG_DEBUG, module, __VA_ARGS__)

#endif
